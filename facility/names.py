"""What things are called: ids in files and addresses, and names in both languages that people read."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


def _identifier(text: str) -> str:
    # Ids stand in topics, file names, addresses of pages and keys `equipment/point`: no character means a thing there.
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", text):
        raise CannotStand(
            Names(
                zh=f"“{repr(text)[1:-1]}”不能作编号；请用小写字母、数字、- 和 _，例如 tx1 或 power-1",
                en=f"{text!r} is not an id; use small letters, digits, - and _, such as 'tx1' or 'power-1'",
            )
        )
    return text


Id = Annotated[str, AfterValidator(_identifier)]


class Names(BaseModel):
    """What something is called, in Chinese and in English; neither may be empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def in_(self, language: Language) -> str:
        """Return the name in `language`."""
        return self.zh if language == "zh" else self.en


class CannotStand(ValueError):
    """A value that cannot stand as it is written; `words` say why in both languages, its text in English."""

    def __init__(self, words: Names) -> None:
        super().__init__(words.en)
        self.words = words
