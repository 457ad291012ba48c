"""Why a baseline or a saving is, or is not, to be relied on: a code, a sentence in both languages, value and limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facility.names import Names


@dataclass(frozen=True, slots=True)
class Reason:
    """
    One thing that speaks against a baseline or a saving, or that its reader should know.

    Attributes
    ----------
    code : stable, such as "too-few-days"
    words : the sentence that a person reads
    value, limit : what was found and what is asked; None where no number says it
    blocking : True if it alone makes the result not acceptable; False for what is only to be known
    """

    code: str
    words: Names
    value: float | None = None
    limit: float | None = None
    blocking: bool = True

    def __str__(self) -> str:
        return self.words.en

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back."""
        return {
            "code": self.code,
            "words": {"zh": self.words.zh, "en": self.words.en},
            "value": self.value,
            "limit": self.limit,
            "blocking": self.blocking,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Reason:
        """Return the reason that `as_json` wrote."""
        return cls(data["code"], Names(**data["words"]), data["value"], data["limit"], data["blocking"])
