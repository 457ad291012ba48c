"""What all processes that share an InfluxDB know of its roll-ups: how far they reach, and where they are doubtful.

Roll-ups are stored for all steps before `rolled_us`. A reading that comes for an earlier time makes steps doubtful; so
its writer marks their hours BEFORE it writes the reading, and whoever reads sums up marked steps from the readings.
`rolled_us` goes on in two moves, so that no writer misses it: `announced_us` first, from which moment all writers mark
what is older; then, when no write can be under way that did not know, the steps are stored and `rolled_us` follows.

A mark's time is the server's, because marks of many machines must be told apart as older and younger.
"""

# ruff: noqa: S608 (InfluxQL has no parameters; these names are our own, everything else is our own numbers)

from __future__ import annotations

import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from facility.readings import IntArray
from facility.store.influx_book import Entry
from facility.store.influx_link import Block, InfluxLink, WriteRefused
from facility.store.influx_questions import LIMIT_US
from facility.store.influx_text import LATE, LEDGER, identifier
from facility.store.influx_turns import Turns
from facility.store.levels import HOUR_US, Level

_LOOK_AGAIN_S: Final = 1.0
_KEYS_A_MARK: Final = 500  # a text in InfluxDB holds 64 KB
_KEPT: Final = {None: "kept_raw_us"} | {level: f"kept_{level.value}_us" for level in Level}
_NUMBERS: Final = ("announced_us", "rolled_us", "deleting_us", *_KEPT.values())


@dataclass(frozen=True, slots=True)
class State:
    """
    How far the roll-ups of a database reach. [µs]; before everything where nothing has been said yet.

    Attributes
    ----------
    announced_us, rolled_us
        Readings before the first make marks; steps that end by the second are stored.
    deleting_us
        Readings before this are being deleted, their roll-ups are stored; before everything at other times.
    kept
        From when on readings (None) and the steps of each level are kept.
    zone
        Where days begin, empty if nobody said.
    """

    announced_us: int = -LIMIT_US
    rolled_us: int = -LIMIT_US
    deleting_us: int = -LIMIT_US
    kept: Mapping[Level | None, int] = field(default_factory=lambda: dict.fromkeys(_KEPT, -LIMIT_US))
    zone: str = ""

    @property
    def whole_us(self) -> int:
        """Return from when on all readings ever written are there, so that roll-ups can be made of them. [µs]"""
        return max(self.kept[None], self.deleting_us)


@dataclass(frozen=True, slots=True)
class Mark:
    """Steps that hold a time in [start, end) may be wrong, of these points. [µs]"""

    start_us: int
    end_us: int
    keys: tuple[str, ...]


class Ledger:
    """The state and the marks of one database; safe to use from several threads."""

    def __init__(self, link: InfluxLink) -> None:
        self._link = link
        self._turns = Turns()
        self._lock = threading.Lock()
        self._seen = State()
        self._seen_s = -1e9

    def seen(self) -> State:
        """Return the state as it was at most a second ago."""
        with self._turns.turn():
            if time.monotonic() - self._seen_s >= _LOOK_AGAIN_S:
                self.state()
            return self._seen

    def state(self) -> State:
        """Return the state as it is now."""
        asked_s = time.monotonic()
        state = self._state()
        with self._lock:
            if asked_s > self._seen_s:
                self._seen, self._seen_s = state, asked_s
        return state

    def state_and_marks(self, older_than_s: float = 0.0) -> tuple[State, list[Mark], int | None]:
        """Return the state as it is now, marks of at least some age, and when the youngest of these was set. [µs]"""
        state = self.state()
        age = f" WHERE time <= now() - {int(older_than_s * 1e6)}u" if older_than_s else ""
        found = self._link.query([f'SELECT "what" FROM {identifier(LATE)}{age}'], _rows, chunked=True)
        rows = [row for block in found for row in block]
        marks = [Mark(start, end, tuple(keys)) for start, end, keys in (orjson.loads(row[1]) for row in rows)]
        return state, marks, max((int(row[0]) for row in rows), default=None)

    def _state(self) -> State:
        columns = (*_NUMBERS, "zone")
        question = f"SELECT {', '.join(map(identifier, columns))} FROM {identifier(LEDGER)} WHERE time = 0"
        found = self._link.query([question], _rows, patience="prompt")
        if not found:
            return State()
        told = dict(zip(columns, found[0][0][1:], strict=True))
        number = {name: -LIMIT_US if told[name] is None else int(told[name]) for name in _NUMBERS}
        kept = {level: number[name] for level, name in _KEPT.items()}
        return State(number["announced_us"], number["rolled_us"], number["deleting_us"], kept, str(told["zone"] or ""))

    def note(self, *, zone: str | None = None, kept: Mapping[Level | None, int] | None = None, **numbers: int) -> None:
        """Write what has changed: `announced_us`, `rolled_us`, `deleting_us`, `kept` or `zone`."""
        fields = [f"{name}={value}i" for name, value in numbers.items()]
        fields += [f"{_KEPT[level]}={value}i" for level, value in (kept or {}).items()]
        fields += [] if zone is None else [f'zone="{zone}"']
        self._write(f"{LEDGER} {','.join(fields)} 0\n")
        with self._lock:
            self._seen_s = -1e9

    def mark(self, marks: Sequence[Mark]) -> None:
        """Write marks; when this returns, every process sees them."""
        nonce = secrets.token_hex(2)  # of another process' mark of the same nanosecond this one must be told apart
        lines = [
            f'{LATE},by={nonce},n={n} what="{_quoted(what)}"'
            for n, what in enumerate(
                orjson.dumps([mark.start_us, mark.end_us, mark.keys[i : i + _KEYS_A_MARK]]).decode()
                for mark in marks
                for i in range(0, len(mark.keys), _KEYS_A_MARK)
            )
        ]
        if lines:
            self._write("\n".join(lines))

    def unmark(self, until_us: int) -> None:
        """Delete the marks that were set by this time of the server's clock. [µs]"""
        self._link.query([f"DELETE FROM {identifier(LATE)} WHERE time <= {until_us * 1000 + 999}"], _rows)

    def _write(self, text: str) -> None:
        try:
            self._link.write(text)
        except WriteRefused as error:
            raise self._link.refused(str(error)) from error


def marks_of(entries: Mapping[int, Entry], point: NDArray[np.int32], time_us: IntArray) -> list[Mark]:
    """Return marks, in whole hours, for readings of these points (n,) and times (n,) [µs]; `entries` by point id."""
    hour = np.floor_divide(time_us, HOUR_US)
    order = np.lexsort((hour, point))
    point, hour = point[order], hour[order]
    starts = np.ones(point.shape[0], dtype=np.bool_)
    starts[1:] = (point[1:] != point[:-1]) | (hour[1:] > hour[:-1] + 1)
    first = np.flatnonzero(starts)
    last = np.append(first[1:], point.shape[0]) - 1
    keys: dict[tuple[int, int], list[str]] = defaultdict(list)
    for at, begin, end in zip(point[first].tolist(), hour[first].tolist(), hour[last].tolist(), strict=True):
        keys[begin * HOUR_US, (end + 1) * HOUR_US].append(entries[at].key)
    return [Mark(start, end, tuple(some)) for (start, end), some in keys.items()]


def doubtful(marks: Iterable[Mark], keys: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
    """Return the marked stretches [start, end) of each of these points, joined and in order. [µs]"""
    wanted = set(keys)
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for mark in marks:
        for key in mark.keys:
            if key in wanted:
                found[key].append((mark.start_us, mark.end_us))
    return {key: joined_stretches(stretches) for key, stretches in found.items()}


def joined_stretches(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join stretches that meet or overlap."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _rows(block: Block) -> list[list[Any]]:
    return block.rows
