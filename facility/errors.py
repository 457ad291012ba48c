"""Errors whose type says what the caller does next, and whose text says what a person does next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from facility.names import Names


class WardwattError(Exception):
    """Root of all errors that are meant to be read by a person."""


class StoreUnavailable(WardwattError):
    """Keep the batch and try again: nothing is lost while the broker holds the messages."""


class StoreHeld(StoreUnavailable):
    """Another process has the file or folder, which belongs to one at a time: stop that one, or name another."""


class PayloadRejected(WardwattError):
    """Count it, keep the raw bytes for a person, go on with the next message.

    `reason` is a stable code (`broken-json`, `unknown-topic` ...) by which the quarantine groups; `facts` say the same
    as `detail` as a code under `case` with its parameters, for pages in other languages.
    """

    def __init__(self, reason: str, detail: str, **facts: str | int | float) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file: where it stands, what stands there, and what to write instead."""

    file: str  # empty for what stands on the command line
    line: int  # 1-based; 0 where no line can be named
    place: str  # path of keys, such as `equipment[2] 'tx1'.rating.power`
    message: str  # value and mend in one sentence
    zh: str = field(default="", compare=False)  # the message in Chinese; empty where it stands in files only

    @property
    def words(self) -> Names:
        """Return the message in both languages."""
        return Names(zh=self.zh or self.message, en=self.message)

    @property
    def where(self) -> str:
        """Return file, line and place."""
        return ": ".join(part for part in (f"{self.file}:{self.line}" if self.line else self.file, self.place) if part)

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.message) if part)


class ConfigurationError(WardwattError):
    """Stop at start-up: a person must edit a file, and each problem says where and how."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))
