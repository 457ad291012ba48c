"""One shape for every error that the web application answers with: a stable code, what is wrong, and the mend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from facility.errors import WardwattError
from facility.wording import nearest


class ApiError(WardwattError):
    """
    A request that cannot be answered as asked.

    Attributes
    ----------
    status : HTTP status
    code : stable, for programs (`unknown-point`)
    message : what is wrong, with the place and the value
    mend : what to send or do instead
    headers : such as `Retry-After`
    zh : message and mend in Chinese, where there are such; empty otherwise
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        mend: str,
        headers: Mapping[str, str] | None = None,
        *,
        zh: str = "",
    ) -> None:
        super().__init__(f"{message} {mend}")
        self.status = status
        self.code = code
        self.message = message
        self.mend = mend
        self.headers = dict(headers or {})
        self.zh = zh

    @property
    def body(self) -> dict[str, dict[str, str]]:
        """Return the error as it is sent."""
        told = {"code": self.code, "message": self.message, "mend": self.mend}
        return {"error": told | ({"zh": self.zh} if self.zh else {})}


def shown(value: object, longest: int = 80) -> str:
    """Return a value as an error may repeat it: quoted, and cut where somebody sent a novel."""
    text = repr(str(value))
    return text if len(text) <= longest else f"{text[:longest]}… ({len(str(value))} characters)"


def bad_request(code: str, message: str, mend: str) -> ApiError:
    """Return the error for a request that can be mended by whoever sent it."""
    return ApiError(400, code, message, mend)


def unknown(kind: str, value: str, known: Iterable[str], listing: str) -> ApiError:
    """
    Return the error for a name that means nothing here.

    Parameters
    ----------
    kind : what was asked for, `point`
    value : the name that was sent
    known : the names that would have been understood
    listing : the request that lists them, `GET /api/v1/points`
    """
    hint = nearest(value[:200], known).removeprefix("; ")
    guess = f"{hint[0].upper()}{hint[1:]} " if hint.startswith("did you mean") else ""
    return ApiError(404, f"unknown-{kind}", f"There is no {kind} {shown(value)}.", f"{guess}{listing} lists them.")
