"""One metric's value as a number, a word, or the reason why it is neither."""

from __future__ import annotations

from typing import Any, Final

from facility.sparkplug_payload import TYPES

BAD_BELOW: Final = 64  # qualities as in OPC: 0 to 63 bad, 64 to 191 doubtful, from 192 good
STALE: Final = 500

# Signed integers travel in unsigned fields as two's complement; some publishers fill 32 bits, some the type's own.
_SIGNED_BITS: Final = {1: 8, 2: 16, 3: 32, 4: 64}
_BOOLEAN: Final = TYPES.index("Boolean")
FRACTIONS: Final = frozenset({"float_value", "double_value"})


def value_of(metric: Any, datatype: int) -> float | str | bool | None:
    """
    Return a metric's value: a number, a boolean, a text, or None if it is of a kind that holds none of these.

    `datatype` is the birth's, for a metric that does not say its own. A date and time is a number of milliseconds.
    Integers beyond 2**53 lose their last digits.
    """
    field = metric.WhichOneof("value")
    if field is None:
        return None
    raw = getattr(metric, field)
    if field in FRACTIONS:
        return float(raw)
    if field == "boolean_value":
        return bool(raw)
    if field == "string_value":
        return str(raw)
    if field not in ("int_value", "long_value"):
        return None
    kind = metric.datatype or datatype
    bits = _SIGNED_BITS.get(kind)
    if bits is not None:
        raw &= (1 << bits) - 1
        if raw >> (bits - 1):
            raw -= 1 << bits
    return bool(raw) if kind == _BOOLEAN else float(raw)


def property_of(metric: Any, key: str) -> int | float | str | None:
    """Return one property of a metric, None if it has none of this name."""
    properties = metric.properties
    for i, name in enumerate(properties.keys):
        if name == key and i < len(properties.values):
            value = properties.values[i]
            field = value.WhichOneof("value")
            return getattr(value, field) if field is not None and not value.is_null else None
    return None


def is_believed(metric: Any) -> bool:
    """Return False if the device itself says that the value is bad or stale."""
    if not metric.HasField("properties"):
        return True
    quality = property_of(metric, "Quality")
    if quality is None or isinstance(quality, str):
        return True
    return not (quality < BAD_BELOW or quality == STALE)


def type_name(datatype: int) -> str:
    """Return what the specification calls a type."""
    return TYPES[datatype] if datatype < len(TYPES) else f"type {datatype}"
