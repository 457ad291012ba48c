"""What stands in a JSON payload: its objects and keys, read with care, and the numbers that its values stand for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from collector.check import number_of
from facility.errors import PayloadRejected

_KEY_END = re.compile(rb'"[ \t\r\n]*:')
_HEX = re.compile(r"0x[0-9a-f]{1,16}", re.ASCII)
_BARE: Final = frozenset((str, int, float, bool, type(None)))
_WIDEST_BITS: Final = 64
_MAX_KEY: Final = 128
_MAX_ITEMS: Final = 1024  # of a list that keys reach into by number

Repeats = Mapping[int, tuple[dict[str, Any], set[str]]]  # id of an object -> it, and its keys that stand twice
NO_REPEATS: Final[Repeats] = {}


def doubtful(data: Any, payload: bytes) -> bool:
    """Return True if a key may stand twice: more ends of keys in the text than keys that came out of it."""
    if not isinstance(data, dict | list):
        return False
    keys = _count_keys(data)
    return payload.count(b":") != keys and len(_KEY_END.findall(payload)) != keys


def _count_keys(data: Any) -> int:
    count, stack = 0, [data]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            count += len(node)
            node = node.values()
        # Most objects and lists hold no others: that much is told without a step of Python for each value.
        if not _BARE.issuperset(map(type, node)):
            stack += [v for v in node if isinstance(v, dict | list)]
    return count


def careful(payload: bytes) -> tuple[Any, Repeats]:
    """
    Parse JSON slowly: NaN and Infinity are let through (their keys are named later), keys that stand twice are found.

    Raises
    ------
    PayloadRejected
        With the reason for which the payload cannot be read.
    """
    if not payload.strip():
        raise empty()
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(error) from None
    repeats: dict[int, tuple[dict[str, Any], set[str]]] = {}  # the object is kept, so that its id stays its own

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            seen: set[str] = set()
            repeats[id(result)] = (result, {key for key, _ in pairs if key in seen or seen.add(key)})  # type: ignore[func-returns-value]
        return result

    try:
        return json.loads(text, object_pairs_hook=build, parse_int=_integer), repeats
    except RecursionError:
        raise PayloadRejected(
            "too-deep", "the payload nests objects or lists too deep to be read; let the gateway send flat JSON"
        ) from None
    except ValueError as error:
        where = f"{error.msg} at byte {error.pos}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise PayloadRejected(
            "broken-json", f"the payload is not JSON: {where}; correct the gateway, or give the topic format: plain",
            case="broken", at=getattr(error, "pos", 0),
        ) from None  # fmt: skip


def _integer(text: str) -> float:
    # Python refuses to read integers of thousands of digits; as a float they are infinite, and said to be no number.
    return int(text) if len(text) < 400 else float("inf")


def empty() -> PayloadRejected:
    """Return the refusal of a payload with nothing in it."""
    return PayloadRejected("empty-payload", "the payload is empty; correct what the gateway sends")


def not_utf8(error: UnicodeDecodeError) -> PayloadRejected:
    """Return the refusal of a payload that is no text."""
    return PayloadRejected(
        "not-utf8", f"byte {error.start} of the payload is not UTF-8; let the gateway send JSON or plain text in UTF-8",
        case="not-utf8", at=error.start,
    )  # fmt: skip


def flatten(
    node: dict[str, Any] | list[Any], branches: frozenset[str], repeats: Repeats, prefix: str = ""
) -> Iterator[tuple[str, Any, bool]]:
    """
    Yield (dotted key, value, stands twice), going only into objects and lists inside which something is mapped.

    `branches` are those, dotted; what lies in a list is named by its place, from 0.
    """
    if isinstance(node, dict):
        twice = repeats[id(node)][1] if id(node) in repeats else ()
        items: Any = node.items()
    else:
        twice, items = (), ((str(i), value) for i, value in enumerate(node[:_MAX_ITEMS]))
    for key, value in items:
        path = prefix + key
        if path in branches and isinstance(value, dict | list) and key not in twice:
            yield from flatten(value, branches, repeats, path + ".")
        else:
            yield path, value, key in twice


def find(node: Any, path: str) -> Any:
    """Return what stands under a key, which may have dots for what lies inside objects and lists; None: nothing."""
    if isinstance(node, dict) and path in node:
        return node[path]
    if "." not in path:
        return None
    for step in path.split("."):
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, list) and step.isdecimal() and len(step) < 9 and int(step) < len(node):
            node = node[int(step)]
        else:
            return None
    return node


def number(key: str, raw: Any, words: Mapping[str, float] | None, coded: bool = False) -> float:
    """
    Return the number that stands for a value.

    Parameters
    ----------
    key : for the message; "": a plain payload
    words : in lower case, with their numbers
    coded : numbers, true and false are codes too, and looked up among the words

    Raises
    ------
    PayloadRejected
        `not-a-number`.
    """
    value: float | None = None
    if isinstance(raw, str):
        word = raw.strip().lower()
        if words and word in words:
            return words[word]
        value = number_of(raw)
    elif isinstance(raw, int | float):
        try:
            value = float(raw)
        except OverflowError:
            value = math.inf
    if value is not None and math.isfinite(value):
        if not coded or words is None:
            return value
        truth = ("true" if raw else "false") if isinstance(raw, bool) else ""
        word = str(int(value)) if value.is_integer() else str(value)
        for code in (truth, word):
            if code in words:
                return words[code]
    known = f"; the words known here are {', '.join(sorted(words))}" if words else ""
    raise PayloadRejected(
        "not-a-number",
        f"{_shown(key, raw)} where a number belongs{known}; correct the gateway, or give the point states: words",
        case="no-number", key=key[:_MAX_KEY], value=_value(raw), words=", ".join(sorted(words or ())),
    )  # fmt: skip


def bit(key: str, raw: Any, place: int) -> float:
    """
    Return one bit, 0 the lowest, of an integer: a number, or text such as `10` or `0x0A`.

    Raises
    ------
    PayloadRejected
        `not-a-number`.
    """
    value: int | None = None
    if isinstance(raw, str):
        word = raw.strip().lower()
        if _HEX.fullmatch(word):
            value = int(word, 16)
        else:
            sent = number_of(word)
            raw = sent if sent is not None else raw
    if isinstance(raw, int) or (isinstance(raw, float) and raw.is_integer()):
        value = int(raw)
    if value is None or value.bit_length() > _WIDEST_BITS:
        raise PayloadRejected(
            "not-a-number",
            f'{_shown(key, raw)} where a whole number with bits belongs, such as 10 or "0x0A"; correct the gateway, '
            "or take the bit out of the site file",
            case="no-bits", key=key[:_MAX_KEY], value=_value(raw),
        )  # fmt: skip
    return float(value >> place & 1)


def _shown(key: str, raw: Any) -> str:
    return f"{key[:_MAX_KEY]!r} is {_value(raw)}" if key else f"the payload is {_value(raw)}"


def _value(raw: Any) -> str:
    odd = isinstance(raw, str) and not raw.isprintable()
    text = json_word(raw) if isinstance(raw, dict | list) else ascii(raw[:80]) if odd else repr(raw)
    return text if len(text) <= 80 else text[:77] + "..."


def json_word(data: Any) -> str:
    """Return what a JSON value is, in a word."""
    kinds = {dict: "object", list: "list", str: "text", bool: "true/false", type(None): "null"}
    return kinds.get(type(data), "number")
