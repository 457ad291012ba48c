"""Text from outside, made fit for an eye."""

from __future__ import annotations


def printable(text: str) -> str:
    """
    Return text with everything escaped that would not be seen, or that would turn the line around.

    The template escapes what means something to a browser; this is for what means something to an eye.
    """
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in text)
