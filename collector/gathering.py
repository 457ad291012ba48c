"""
What one JSON payload holds, whatever its layout: one object, samples, rows, columns, or values with times of their own.

The parts of a payload that can be understood are gathered; those that cannot are told with their place in it. Samples
whose layout was seen before cost one look-up each, and none a value.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from math import isfinite
from operator import itemgetter
from typing import Any, Final

from collector.check import number_of, quality_of
from collector.mapping import Plan, Shape, Taker
from collector.payload import Repeats, bit, find, flatten, json_word, number
from facility.errors import PayloadRejected
from facility.readings import GOOD
from facility.site import Rows

NUMERIC: Final = frozenset((float, int, bool))
_TIMES: Final = frozenset((int, float, str))
MAX_PARTS: Final = 100_000  # samples, rows and values in one payload; a mebibyte of sensible ones is a third of that
MAX_LISTED: Final = 20
_MAX_NAME: Final = 128

Place = int | str  # of an entry in the payload: the number of its sample, or in words; "": the payload itself


@dataclass(slots=True)
class Gathered:
    """
    What came out of one payload: entries, each some values of one time.

    One element an entry in `count`, `time` (as it stands in the payload; None: it has none of its own), `own` (whether
    the time stands in the sample itself), `quality` and `place`; one a value in `slot` and `value`.
    """

    slot: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    time: list[Any] = field(default_factory=list)
    own: list[bool] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    place: list[Place] = field(default_factory=list)
    unknown: dict[str, None] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)  # reason -> the first details
    refusals: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Mapping[str, str | int | float]] = field(default_factory=dict)  # of the first of each reason
    sections: list[tuple[int, str]] = field(
        default_factory=lambda: [(0, "")]
    )  # first entry, key of its list of samples
    parts: int = 0
    owner: Plan | None = None  # the plan of the one machine that it is all of; None: nobody's yet

    def add(self, slots: Sequence[int], values: Sequence[float], time: Any, own: bool, quality: int, at: Place) -> None:
        """Add some values of one time."""
        self.slot += slots
        self.value += values
        self.count.append(len(slots))
        self.time.append(time)
        self.own.append(own)
        self.quality.append(quality)
        self.place.append(at)

    def refuse(self, at: Place, reason: str, detail: str, facts: Mapping[str, str | int | float] | None = None) -> None:
        """Note a part of the payload that cannot be understood; the facts of the first stand for all."""
        count = self.refusals.get(reason, 0)
        if facts and not count:
            self.facts[reason] = facts
        self.refusals[reason] = count + 1
        if count < MAX_LISTED:
            where = self.label(at)
            self.refused.setdefault(reason, []).append(f"{where}: {detail}" if where else detail)

    def label(self, at: Place) -> str:
        """Return a place in words."""
        return f"{self.sections[-1][1]}[{at}]" if isinstance(at, int) else at

    def label_of(self, entry: int) -> str:
        """Return where an entry stands, in words."""
        at = self.place[entry]
        section = self.sections[bisect_right(self.sections, entry, key=itemgetter(0)) - 1][1]
        return f"{section}[{at}]" if isinstance(at, int) else at

    def begin(self, samples: str) -> None:
        """Begin with the samples under a key."""
        self.sections.append((len(self.count), samples))

    def room_for(self, parts: int) -> None:
        """Count parts of the payload; PayloadRejected if there are more than anyone sends on purpose."""
        self.parts += parts
        if self.parts > MAX_PARTS:
            raise PayloadRejected(
                "too-many",
                f"the payload holds more than {MAX_PARTS:,} samples, rows or values; let the gateway send less at once",
            )


def gather(plan: Plan, data: Any, repeats: Repeats) -> Gathered:
    """
    Take apart a parsed payload.

    Raises
    ------
    PayloadRejected
        If nothing of it can be understood.
    """
    gathered = Gathered()
    _Payload(plan, repeats, gathered).take(data)
    return gathered


class _Payload:
    def __init__(self, plan: Plan, repeats: Repeats, gathered: Gathered) -> None:
        self._plan = plan
        self._repeats = repeats
        self._out = gathered

    def take(self, data: Any) -> None:
        rows, samples = self._plan.layout.rows, self._plan.layout.samples
        if isinstance(data, list) and not (rows is not None and rows.inside == "" and samples is None):
            if not data:
                raise PayloadRejected("no-values", "the list is empty; correct what the gateway sends")
            self._out.room_for(len(data))
            if samples is None:
                self._samples(data, ())
                return
            for i, outer in enumerate(data):
                self._below(outer, samples, f"[{i}].")
        elif samples is not None:
            self._below(data, samples, "")
        else:
            self._sample(data, (), "", None)

    def _below(self, outer: Any, samples: str, place: str) -> None:
        """Take the samples that lie under a key of an object."""
        inner = find(outer, samples)
        if isinstance(inner, dict):
            inner = [inner]  # some gateways send one sample without its list
        if not isinstance(inner, list):
            self._out.refuse(place.rstrip("."), "no-list", _no_list(samples, inner, "samples"))
            return
        self._out.begin(place + samples)
        self._out.room_for(len(inner))
        self._samples(inner, (outer,))

    def _samples(self, samples: list[Any], outer: tuple[Any, ...]) -> None:
        plan, out = self._plan, self._out
        time, _ = self._time(plan, None, outer)
        known = plan.shapes if not plan.routes and not self._repeats else {}
        if known and self._alike(samples, known, time):
            return
        for i, sample in enumerate(samples):
            shape = known.get(tuple(sample)) if sample.__class__ is dict else None
            if shape is not None:
                values = tuple(sample.values())
                picked = shape.pick(values)
                own = values[shape.time_at] if shape.time_at >= 0 else None
                if NUMERIC.issuperset(map(type, picked)) and own.__class__ is not list:
                    if own is None:
                        out.add(shape.slots, picked, time, False, GOOD, i)
                    else:
                        out.add(shape.slots, picked, own, True, GOOD, i)
                    if shape.unknown:
                        out.unknown.update(dict.fromkeys(shape.unknown))
                    continue
            self._sample(sample, outer, i, time)
        if not samples:
            out.refuse("", "no-values", f"the list {out.sections[-1][1]!r} is empty; correct what the gateway sends")

    def _alike(self, samples: list[Any], known: Mapping[tuple[str, ...], Shape], beside: Any) -> bool:
        """Take samples of one known layout all at once; False, and nothing is taken, if they are not that."""
        if set(map(type, samples)) != {dict}:
            return False
        keys = list(map(tuple, samples))
        shape, n = known.get(keys[0]), len(samples)
        if shape is None or keys.count(keys[0]) != n:
            return False
        rows = [tuple(sample.values()) for sample in samples]
        values = list(chain.from_iterable(map(shape.pick, rows)))
        if not NUMERIC.issuperset(map(type, values)):
            return False
        own = shape.time_at >= 0
        times = list(map(itemgetter(shape.time_at), rows)) if own else [beside] * n
        if own and not _TIMES.issuperset(map(type, times)):
            return False
        out = self._out
        out.slot += shape.slots * n
        out.value += values
        out.count += [len(shape.slots)] * n
        out.time += times
        out.own += [own] * n
        out.quality += [GOOD] * n
        out.place += range(n)
        out.unknown.update(dict.fromkeys(shape.unknown))
        return True

    def _sample(self, node: Any, outer: tuple[Any, ...], at: Place, time: Any) -> None:
        """Take one sample, or the whole payload: rows, columns, or values under keys."""
        rows = self._plan.layout.rows
        try:
            if rows is None:
                self._object(node, outer, at, time)
                return
            inner = node if rows.inside == "" else find(node, rows.inside)
            if isinstance(inner, dict):
                inner = [inner]
            if not isinstance(inner, list):
                raise PayloadRejected("no-list", _no_list(rows.inside, inner, "rows"))
            if not inner:
                raise PayloadRejected("no-values", "the list of rows is empty; correct what the gateway sends")
            self._out.room_for(len(inner))
            label = self._out.label(at)
            inside = ".".join(p for p in (label, rows.inside) if p)
            self._rows(inner, outer if inner is node else (node, *outer), inside)
        except PayloadRejected as error:
            if error.reason == "too-many":
                raise
            self._out.refuse(at, error.reason, error.detail, error.facts)

    def _time(self, plan: Plan, found: dict[str, Any] | None, outer: Sequence[Any]) -> tuple[Any, str | None]:
        """Return the time of a sample, or that beside the samples, as it stands there, and its key in the sample."""
        if found is not None:
            key = next((k for k in plan.time_keys if found.get(k) is not None), None)
            if key is not None:
                return found[key], key
        for node in outer:
            for key in plan.time_keys:
                if (raw := find(node, key)) is not None:
                    return raw, None
        return None, None

    def _route(self, nodes: Sequence[Any]) -> Plan:
        """Return the plan of the machine that the values are of."""
        root = self._plan
        if root.route_key is None:
            return root
        word = next((w for node in nodes if (w := find(node, root.route_key)) is not None), None)
        if word is None:
            raise PayloadRejected(
                "no-device",
                f"{root.route_key!r} is missing, which tells the machines on this topic apart; correct the gateway",
                case="no-device", key=root.route_key,
            )  # fmt: skip
        plan = root.routes.get(route_word(word))
        if plan is None:
            known = ", ".join(list(root.routes)[:8])
            raise PayloadRejected(
                "unknown-device",
                f"{root.route_key!r} is {str(word)[:64]!r}, no machine's word; where: in the site file knows {known}",
                case="unknown-device", key=root.route_key, value=str(word)[:64], words=known,
            )  # fmt: skip
        # A machine's clock is judged by its own messages; one that is of several is the topic's.
        self._out.owner = plan if self._out.owner in (None, plan) else root
        return plan

    def _object(self, node: Any, outer: tuple[Any, ...], at: Place, time: Any) -> None:
        if not isinstance(node, dict):
            raise PayloadRejected(
                "not-an-object",
                f"{'the payload' if at == '' else 'this'} is a JSON {json_word(node)}, not an object of keys and values"
                + ("; for one bare value a message, give the topic format: plain" if at == "" else ""),
                case="no-object", kind=json_word(node),
            )  # fmt: skip
        if not node:
            raise PayloadRejected("no-values", "the object is empty; correct what the gateway sends")
        plan, out = self._route((node, *outer)), self._out
        flat = list(flatten(node, plan.branches, self._repeats))
        found = {path: raw for path, raw, _ in flat}
        raw_time, time_key = self._time(plan, found, outer)
        own = time_key is not None
        if not own:
            raw_time = time if raw_time is None else raw_time
        elif any(twice for path, _, twice in flat if path == time_key):
            raise PayloadRejected(
                "time-unreadable", f"the time {time_key!r} stands twice in the payload; correct what the gateway sends"
            )
        quality_key = plan.layout.quality
        said = (
            None if quality_key is None else found.get(quality_key, next((find(o, quality_key) for o in outer), None))
        )
        if own and isinstance(raw_time, list) and plan.layout.values is None:
            self._columns(plan, flat, raw_time, said, at, (time_key, quality_key))
            return
        quality = GOOD if said is None else quality_of(said, plan.layout.good)
        slots: list[int] = []
        values: list[float] = []
        before = len(out.refusals)
        for path, raw, twice in flat:
            takers = _takers(plan, path)
            if not takers:
                self._left_over(plan, path, raw, (time_key, quality_key))
            elif twice:
                out.refuse(
                    at, "duplicate-key", f"{path!r} stands twice in the payload; correct what the gateway sends",
                    {"case": "twice", "key": path},
                )  # fmt: skip
            elif raw is None:  # null is a missing value, not a reading
                continue
            elif plan.layout.values is not None:
                self._values(plan, path, raw, takers, (raw_time, own, quality, at))
            else:
                self._take(takers, raw, at, slots, values)
        if slots:
            out.add(slots, values, raw_time, own, quality, at)
        if self._repeats or len(out.refusals) != before:
            return
        if not any(isinstance(v, dict | list) for v in node.values()):
            plan.learn(tuple(node))
        elif at == "":
            plan.learn_nested(node)

    def _take(self, takers: Sequence[Taker], raw: Any, at: Place, slots: list[int], values: list[float]) -> None:
        """Add what a value is for; what it cannot be is told."""
        for slot, take in takers:
            try:
                value = take(raw)
            except PayloadRejected as error:
                self._out.refuse(at, error.reason, error.detail, error.facts)
            else:
                slots.append(slot)
                values.append(value)

    def _left_over(self, plan: Plan, path: str, raw: Any, used: tuple[str | None, ...]) -> None:
        """Note a key that no point is mapped to, unless it is known to be something else."""
        # A time that is null is no time, but nothing unknown either.
        known = path in used or (raw is None and path in plan.time_keys)
        if not known and not plan.expects(path):
            self._out.unknown.setdefault(path)

    def _values(
        self, plan: Plan, path: str, raw: Any, takers: Sequence[Taker], beside: tuple[Any, bool, int, Place]
    ) -> None:
        """Take a value that carries its own time, or several of them."""
        parts, out = plan.layout.values, self._out
        assert parts is not None
        time, own, quality, at = beside
        label = out.label(at)
        place = ".".join(p for p in (label, path) if p)
        by_place = isinstance(parts.value, int)
        several = isinstance(raw, list) and (not by_place or (bool(raw) and isinstance(raw[0], list)))
        pieces = raw if several else [raw]
        out.room_for(len(pieces))
        for i, piece in enumerate(pieces):
            here = f"{place}[{i}]" if several else place
            try:
                if isinstance(piece, list if by_place else dict):
                    value = _part(piece, parts.value)
                    piece_time, said = _part(piece, parts.time), _part(piece, parts.quality)
                    if value is None and not _has(piece, parts.value):
                        raise PayloadRejected("no-values", f"there is no value in it under {parts.value!r}")
                else:
                    value, piece_time, said = piece, None, None
                if value is None:
                    continue
                good = quality if said is None else quality | quality_of(said, plan.layout.good)
            except PayloadRejected as error:
                out.refuse(here, error.reason, error.detail, error.facts)
                continue
            slots: list[int] = []
            values: list[float] = []
            self._take(takers, value, here, slots, values)
            if slots and piece_time is None:
                out.add(slots, values, time, own, good, here)
            elif slots:
                out.add(slots, values, piece_time, True, good, here)

    def _columns(
        self, plan: Plan, flat: list[tuple[str, Any, bool]], times: list[Any], said: Any, at: Place,
        used: tuple[str | None, ...],
    ) -> None:  # fmt: skip
        """Take lists side by side: one of times, and one of values for each key."""
        out, n = self._out, len(times)
        qualities = said if isinstance(said, list) else None
        quality = GOOD if said is None or qualities is not None else quality_of(said, plan.layout.good)
        slots: list[int] = []
        columns: list[list[float]] = []
        for path, raw, twice in flat:
            takers = _takers(plan, path)
            if not takers:
                self._left_over(plan, path, raw, used)
            elif twice:
                out.refuse(at, "duplicate-key", f"{path!r} stands twice in the payload; correct what the gateway sends")
            elif not isinstance(raw, list) or len(raw) != n:
                if raw is None:
                    continue
                held = f"holds {len(raw):,} values" if isinstance(raw, list) else f"is a {json_word(raw)}"
                out.refuse(
                    at, "uneven-columns", f"{path!r} {held} where the times are {n:,}; let the gateway send one each"
                )
            elif (
                qualities is None and path in plan.keys and len(takers) == 1 and takers[0][0] not in plan.coded
                and NUMERIC.issuperset(map(type, raw))
            ):  # fmt: skip
                out.room_for(n)
                slots.append(takers[0][0])
                columns.append(raw)
            else:
                out.room_for(n)
                self._column(plan, path, raw, takers, times, qualities or [], quality, at)
        if columns:
            out.slot += slots * n
            out.value += chain.from_iterable(zip(*columns, strict=True))
            out.count += [len(slots)] * n
            out.time += times
            out.own += [True] * n
            out.quality += [quality] * n
            label = out.label(at)
            out.place += [f"{label}[{i}]" for i in range(n)]

    def _column(
        self, plan: Plan, path: str, raw: list[Any], takers: Sequence[Taker], times: list[Any],
        qualities: list[Any], quality: int, at: Place,
    ) -> None:  # fmt: skip
        label = self._out.label(at)
        for i, (one, time) in enumerate(zip(raw, times, strict=True)):
            if one is None:
                continue
            here = f"{label + '.' if label else ''}{path}[{i}]"
            try:
                good = quality | (quality_of(qualities[i], plan.layout.good) if i < len(qualities) else GOOD)
            except PayloadRejected as error:
                self._out.refuse(here, error.reason, error.detail, error.facts)
                continue
            slots: list[int] = []
            values: list[float] = []
            self._take(takers, one, here, slots, values)
            if slots:
                self._out.add(slots, values, time, True, good, here)

    def _rows(self, rows: list[Any], outer: tuple[Any, ...], place: str) -> None:
        """Take rows, each of which names its point; rows of one time, one after the other, are one entry."""
        spec, layout = self._plan.layout.rows, self._plan.layout
        assert spec is not None
        beside, _ = self._time(self._plan, None, outer)
        said = spec.quality or layout.quality
        if self._rows_alike(rows, spec, said, outer, beside, place):
            return
        out, own_plan, before = self._out, self._plan, len(self._out.refusals)
        for i, row in enumerate(rows):
            try:
                if row.__class__ is not dict:
                    raise PayloadRejected(
                        "not-an-object", f"this is a JSON {json_word(row)}, not a row with {spec.name!r}"
                    )
                if self._repeats and id(row) in self._repeats:
                    twice = min(self._repeats[id(row)][1])
                    raise PayloadRejected("duplicate-key", f"{twice[:_MAX_NAME]!r} stands twice in the row")
                name = find(row, spec.name)
                if name is None:
                    raise PayloadRejected("no-name", f"the row has no {spec.name!r}, which names the point")
                name = name if name.__class__ is str else route_word(name)
                own_plan = self._route((row, *outer))
                takers = _takers(own_plan, name)
                if not takers:
                    if not own_plan.ignores(name):
                        out.unknown.setdefault(name)
                    continue
                word = None if said is None else find(row, said)
                quality = GOOD if word is None else quality_of(word, layout.good)
                raw = find(row, spec.value)
                if raw is None:
                    if spec.value not in row and "." not in spec.value:
                        raise PayloadRejected("no-values", f"{name[:_MAX_NAME]!r} has no {spec.value!r}")
                    continue
            except PayloadRejected as error:
                out.refuse(f"{place}[{i}]", error.reason, error.detail, error.facts)
                continue
            slots: list[int] = []
            values: list[float] = []
            self._take(takers, raw, f"{place}[{i}]", slots, values)
            if not slots:
                continue
            time = None if spec.time is None else find(row, spec.time)
            own = time is not None
            time = time if own else beside
            if out.count and out.own[-1] is own and out.quality[-1] == quality and out.time[-1] == time:
                out.slot += slots
                out.value += values
                out.count[-1] += len(slots)
            else:
                out.add(slots, values, time, own, quality, f"{place}[{i}]")
        if len(out.refusals) == before and all(isinstance(row.get(spec.name), str) for row in rows):
            own_plan.learn_rows(tuple(row[spec.name] for row in rows))

    def _rows_alike(
        self, rows: list[Any], spec: Rows, said: str | None, outer: tuple[Any, ...], beside: Any, place: str
    ) -> bool:
        """Take rows whose names came in this order before all at once; False, and nothing is taken, otherwise."""
        if self._repeats or set(map(type, rows)) != {dict}:
            return False
        root = self._plan
        try:
            plan = root if root.route_key is None or root.route_key in rows[0] else self._route(outer)
            shape = plan.row_shapes.get(tuple(map(itemgetter(spec.name), rows)))
            if shape is None:
                return False
            words = {row.get(said) for row in rows} - {None} if said is not None else ()
            qualities = {quality_of(word, root.layout.good) for word in words}
            values = numbers_of(shape.pick(tuple(map(itemgetter(spec.value), rows))), plan, shape.slots)
            times = [row.get(spec.time) for row in rows] if spec.time is not None else [None]
            one = len(set(times)) == 1
        except (KeyError, TypeError, PayloadRejected):
            return False  # the slow way says what is wrong
        if values is None or len(qualities) > 1 or (qualities and None in {row.get(said) for row in rows}):
            return False
        out, quality = self._out, qualities.pop() if qualities else GOOD
        own = times[0] is not None
        if one:
            out.add(shape.slots, values, times[0] if own else beside, own, quality, f"{place}[0]")
        else:
            places = shape.pick(tuple(range(len(rows))))
            for slot, value, time, i in zip(shape.slots, values, shape.pick(tuple(times)), places, strict=True):
                own = time is not None
                out.add((slot,), (value,), time if own else beside, own, quality, f"{place}[{i}]")
        if shape.unknown:
            out.unknown.update(dict.fromkeys(shape.unknown))
        return True


def numbers_of(raw: Sequence[Any], plan: Plan, slots: Sequence[int]) -> Sequence[float] | None:
    """Return the numbers that values are, of which some may be text; None if any of them needs a closer look."""
    if NUMERIC.issuperset(map(type, raw)):
        return raw
    values: list[float] = []
    for one, slot in zip(raw, slots, strict=True):
        value: Any = one
        if isinstance(one, str) and slot not in plan.words:
            value = number_of(one)
        kind: type = type(value)
        if kind not in NUMERIC or not isfinite(value):
            return None
        values.append(value)
    return values


def _takers(plan: Plan, path: str) -> Sequence[Taker]:
    """Return what a key's value is for: the slots, and how the value of each comes out of what stands there."""
    takers = plan.takers.get(path)
    if takers is not None:
        return takers
    if path not in plan.keys and path not in plan.bits:
        return ()
    made: list[Taker] = []
    slot = plan.keys.get(path)
    if slot is not None:
        made.append((slot, partial(_number, path, plan.words.get(slot), slot in plan.coded)))
    made += [(bit_slot, partial(_bit, path, place)) for place, bit_slot in plan.bits.get(path, ())]
    plan.takers[path] = made
    return made


def _number(path: str, words: Mapping[str, float] | None, coded: bool, raw: Any) -> float:
    return number(path, raw, words, coded)


def _bit(path: str, place: int, raw: Any) -> float:
    return bit(path, raw, place)


def route_word(word: Any) -> str:
    """Return the word by which a machine on a shared topic is known, as `where:` in the site file writes it."""
    if word is True or word is False:
        return "true" if word else "false"
    return str(int(word)) if isinstance(word, float) and word.is_integer() else str(word)


def _part(piece: Any, key: str | int | None) -> Any:
    if key is None:
        return None
    if isinstance(key, int):
        return piece[key] if key < len(piece) else None
    return find(piece, key)


def _has(piece: Any, key: str | int) -> bool:
    return key < len(piece) if isinstance(key, int) else key in piece


def _no_list(key: str, found: Any, what: str) -> str:
    if key == "":
        return f"the payload is a JSON {json_word(found)} where a list of {what} belongs"
    held = "is missing" if found is None else f"is a JSON {json_word(found)}"
    return f"{key!r} {held} where a list of {what} belongs; correct {what}: in the site file, or the gateway"
