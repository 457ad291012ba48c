"""Small helpers for sentences in error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the known word most like `word`, or the words themselves if they are few."""
    words = sorted(map(str, known))
    close = difflib.get_close_matches(str(word), words, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    if not words:
        return ""
    if len(words) <= 12:
        return f"; write one of {', '.join(words)}"
    return f"; {len(words)} are known, among them {', '.join(words[:8])}"
