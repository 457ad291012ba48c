"""Payloads as gateways write them: the layout that the site file gives for a machine, filled with its values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from facility.site import Layout, Parts, PointMapping, TimeUnit, Where
from simulators.truth import iso

_US: Final = 1_000_000
_TIME_KEY: Final = "ts"

Value = float | str


def stamp(time_us: int, unit: TimeUnit) -> int | float | str:
    """Write a time as a gateway's clock gives it: seconds, milliseconds, microseconds, or ISO 8601 text."""
    if unit == "s":
        return time_us // _US if time_us % _US == 0 else time_us / _US
    if unit == "ms":
        return time_us // 1000 if time_us % 1000 == 0 else time_us / 1000
    return time_us if unit == "us" else iso(time_us)


def raw(mapping: PointMapping, value: float) -> Value:
    """Turn a point's value back into what the gateway sends for it."""
    for word, code in mapping.states.items():
        if code == value:
            return word
    if mapping.scale == 1.0 and mapping.offset == 0.0:
        return value
    return (value - mapping.offset) / mapping.scale


def sent_values(sent: Sequence[tuple[PointMapping, float]], digits: int | None = None) -> dict[str, Value]:
    """Return what stands under each key: a value, to so many digits, or a word made of the points that are its bits."""
    values: dict[str, Value] = {}
    for mapping, value in sent:
        if mapping.bit is None:
            one = raw(mapping, value)
            values[mapping.key] = round(one, digits) if digits is not None and isinstance(one, float) else one
    for mapping, value in sent:
        if mapping.bit is not None:
            before = values.get(mapping.key, 0)
            word = before if isinstance(before, int) else 0
            values[mapping.key] = word | (int(value) & 1) << mapping.bit
    return values


def encode(layout: Layout, where: Where | None, values: Mapping[str, Value], time_us: int) -> bytes:
    """
    Write one JSON payload.

    Parameters
    ----------
    values : what is sent, by key; a key with dots stands for objects in objects
    time_us : when it was measured [µs]
    """
    return encode_samples(layout, where, [(time_us, values)])


def encode_samples(layout: Layout, where: Where | None, samples: Sequence[tuple[int, Mapping[str, Value]]]) -> bytes:
    """Write one JSON payload with samples (time, values); several only where the layout has a list of them."""
    bodies = [_body(layout, where, values, time_us) for time_us, values in samples]
    whole: Any = bodies[0]
    if layout.samples is not None and not isinstance(whole, list):
        whole = {}
        _put(whole, layout.samples, bodies)
    return json.dumps(whole, ensure_ascii=False).encode()


def _body(layout: Layout, where: Where | None, values: Mapping[str, Value], time_us: int) -> Any:
    now = stamp(time_us, layout.time_unit)
    time_key = layout.time_keys[0] if layout.time_keys else _TIME_KEY
    rows = layout.rows
    body: dict[str, Any] = {}
    if rows is not None:
        made = [_row({rows.name: key, rows.value: value}, rows.time, now) for key, value in values.items()]
        if rows.inside == "":
            if where is not None:
                for row in made:
                    _put(row, where.key, where.equals)
            return made
        _put(body, rows.inside, made)
    else:
        for key, value in values.items():
            _put(body, key, value if layout.values is None else _parts(layout.values, value, now))
    _put(body, time_key, now)
    if where is not None:
        _put(body, where.key, where.equals)
    return body


def _row(columns: Mapping[str, Value], time_column: str | None, now: Value) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in columns.items():
        _put(row, name, value)
    if time_column is not None:
        _put(row, time_column, now)
    return row


def _parts(parts: Parts, value: Value, now: Value) -> Any:
    if isinstance(parts.value, int):
        places = {parts.value: value} | ({parts.time: now} if isinstance(parts.time, int) else {})
        return [places.get(place) for place in range(max(places) + 1)]
    piece: dict[str, Any] = {}
    _put(piece, parts.value, value)
    if isinstance(parts.time, str):
        _put(piece, parts.time, now)
    return piece


def _put(body: dict[str, Any], key: str, value: Any) -> None:
    *outer, last = key.split(".")
    for step in outer:
        body = body.setdefault(step, {})
    body[last] = value
