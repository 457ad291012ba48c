"""Small helpers for sentences in error messages, in English and in Chinese."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import lru_cache

from facility.names import Names


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the known word most like `word`, or the words themselves if they are few."""
    words = tuple(sorted(map(str, known)))
    close = _closest(word, words)
    if close:
        return f"; did you mean {close[0]!r}?"
    if not words:
        return ""
    if len(words) <= 12:
        return f"; write one of {', '.join(words)}"
    return f"; {len(words)} are known, among them {', '.join(words[:8])}"


def nearest_zh(word: str, known: Iterable[str]) -> str:
    """Return what `nearest` does, in Chinese."""
    words = tuple(sorted(map(str, known)))
    close = _closest(word, words)
    if close:
        return f"；是不是{quoted_zh(close[0])}？"
    if not words:
        return ""
    if len(words) <= 12:
        return f"；请填写其中之一：{'、'.join(words)}"
    return f"；已有 {len(words)} 个，例如：{'、'.join(words[:8])}"


def kept_text(text: str, *, lines: bool = False) -> str:
    """Return a text of a person as it is kept: what turns lines around or steers terminals and databases is no part."""
    # A form sends each new line as two characters, where its field counts one.
    text = text.replace("\r\n", "\n")
    return "".join(c if c.isprintable() or (lines and c == "\n") else " " for c in text).strip()


def too_long(what: Names, text: str, most: int) -> Names | None:
    """Return why a text, `what` it is called, cannot be kept; None if it has `most` characters or fewer."""
    if len(text) <= most:
        return None
    return Names(
        zh=f"{what.zh}有 {len(text)} 个字符；最多 {most} 个，请缩短",
        en=f"{what.en} has {len(text)} characters; {most} are the most, shorten it",
    )


def quoted_zh(value: object) -> str:
    """Return a value between Chinese quotation marks; what cannot be shown stands as its escape."""
    return f"“{repr(str(value))[1:-1]}”"


# A table may have one wrong word in each of its many rows.
@lru_cache(maxsize=256)
def _closest(word: str, words: tuple[str, ...]) -> list[str]:
    return difflib.get_close_matches(word, words, n=1, cutoff=0.6)
