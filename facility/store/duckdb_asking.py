"""What a DuckDB keeper answers from stored steps, and from readings where none is stored or something has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.store.duckdb_reading import SLICE_READINGS, Look, read_hot, same_keys
from facility.store.duckdb_rolled import EVER_US, NO_STEP, RollBook, first_step, read_steps
from facility.store.last_write import Readings, last_write_stands
from facility.store.levels import Level
from facility.store.rollups import HOLD_US, LevelRows, merged, roll_up, sums_of, usable_levels, within, without_states
from facility.store.steps import StepSums, by_step, join_steps, sum_by_step

_FEW: Final = 8  # so many separate stretches are read one by one; of more, everything between them too


def level_rows(look: Look, ids: NDArray[np.int32], level: Level, first: int, end: int) -> LevelRows:
    """Return the steps with first <= number < end of these points, sorted ids, in the order of (point, step)."""
    book = look.book
    first = max(first, book.first_kept(level))
    if ids.shape[0] == 0 or first >= end:
        return LevelRows.none()
    opened = book.first_open(level)
    until = np.maximum(book.until_of(level, ids), opened)
    top = min(end, int(until.max()))
    parts: list[LevelRows] = []
    stretches: list[tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]] = []
    if first < top:
        stored = read_steps(look.cursor, level, ids, first, top)
        stored = stored.take(stored.number < until[np.searchsorted(ids, stored.point)])
        lowest, highest, added = _changed_steps(look, ids, level, until, opened)
        lowest, highest = np.maximum(lowest, max(first, opened)), np.minimum(highest, np.minimum(until, end))
        at = np.searchsorted(ids, stored.point)
        parts.append(stored.take((stored.number < lowest[at]) | (stored.number >= highest[at])))
        parts.append(within(added, first, end))
        stretches.append((ids, lowest, highest))
    stretches.append((ids, np.maximum(until, first), np.full(ids.shape, end)))
    for chosen, begins, ends in stretches:
        parts += summed_up(look, chosen, level, begins, ends)
    return merged(LevelRows.concat(parts))


def sums_of_steps(
    look: Look, ids: NDArray[np.int32], start_us: int, end_us: int, step_us: int, origin_us: int
) -> StepSums:
    """Return what `aggregate` promises of these points, sorted ids: from roll-ups, where they say the same."""
    book = look.book
    parts = [_no_sums()]
    levels = usable_levels(start_us, end_us, step_us, origin_us, book.steps)[::-1]
    left = np.ones(ids.shape, dtype=np.bool_)
    for n, level in enumerate(levels):
        # Where nothing of a level is stored, a finer one may be, and the readings themselves are as good.
        worth = left & (book.until_of(level, ids) > first_step(book.steps, level, max(start_us, EVER_US[0])))
        for begin, end, source in _sources(book, ids[worth], start_us, end_us, levels[n:]):
            parts += _sums_from(look, ids[worth], source, begin, end, step_us, origin_us)
        left &= ~worth
    for begin, end, source in _sources(book, ids[left], start_us, end_us, ()):
        parts += _sums_from(look, ids[left], source, begin, end, step_us, origin_us)
    return join_steps(parts)


def _sources(
    book: RollBook, ids: NDArray[np.int32], start_us: int, end_us: int, levels: Sequence[Level]
) -> Iterator[tuple[int, int, Level | None]]:
    """
    Cut a question into stretches of time, and say from which level (None: readings) each is answered.

    `levels`, coarsest first, are those that may answer it. Where the readings have expired, so may the finest kept.
    """
    if ids.shape[0] == 0:
        return
    finest: list[Level | None] = [None, *Level]
    start_us, end_us = max(start_us, EVER_US[0]), min(end_us, EVER_US[1])
    kept = {book.kept(each) for each in finest}
    for begin, end in pairwise([start_us, *sorted(edge for edge in kept if start_us < edge < end_us), end_us]):
        there = next((each for each in finest if book.kept(each) <= begin), Level.DAY)
        if begin < end and (there is None or book.kept(there) <= begin):
            coarser_ones = [level for level in levels if finest.index(level) > finest.index(there)]
            yield from _cut(book, ids, begin, end, there, coarser_ones)


def _cut(
    book: RollBook,
    ids: NDArray[np.int32],
    start_us: int,
    end_us: int,
    there: Level | None,
    levels: Sequence[Level],
) -> Iterator[tuple[int, int, Level | None]]:
    """Let a level answer what lies in its whole stored steps, and the finer ones what is left at both ends."""
    if start_us >= end_us:
        return
    if not levels:
        yield start_us, end_us, there
        return
    until = max(int(book.until_of(levels[0], ids).max()), book.first_open(levels[0]))
    until_us = int(book.steps.start(levels[0], np.array([until]))[0])
    inner, outer = book.steps.ceil(levels[0], start_us), book.steps.floor(levels[0], min(end_us, until_us))
    if inner >= outer:
        yield from _cut(book, ids, start_us, end_us, there, levels[1:])
        return
    yield from _cut(book, ids, start_us, inner, there, levels[1:])
    yield inner, outer, levels[0]
    yield from _cut(book, ids, outer, end_us, there, levels[1:])


def _sums_from(
    look: Look,
    ids: NDArray[np.int32],
    source: Level | None,
    start_us: int,
    end_us: int,
    step_us: int,
    origin_us: int,
) -> Iterator[StepSums]:
    if source is None:
        for start, end in look.slices(ids, start_us, end_us):
            yield sum_by_step(look.read(ids, start, end), step_us, origin_us)
        return
    steps = look.book.steps
    first, end = first_step(steps, source, start_us), first_step(steps, source, end_us)
    # What is stored may be long: a slice holds about as many rows as one of readings.
    inner = max(first, look.book.oldest.get(source, end))
    outer = min(end, int(look.book.until_of(source, ids).max(initial=NO_STEP)))
    cuts = range(inner, outer, max(1, SLICE_READINGS // ids.shape[0]))[1:] if inner < outer else ()
    for begin, until in pairwise([first, *cuts, end]):
        yield by_step(sums_of(level_rows(look, ids, source, begin, until), source, steps), step_us, origin_us)


def _changed_steps(
    look: Look,
    ids: NDArray[np.int32],
    level: Level,
    until: NDArray[np.int64],
    opened: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], LevelRows]:
    """
    Return of each point from which and up to which step stored rows are not to be believed, and late rows.

    Late rows are of readings that came after the others of their step had expired: to be added to what is stored.
    """
    book = look.book
    lowest, highest = np.full(ids.shape, EVER_US[1]), np.full(ids.shape, NO_STEP)
    for n, point in enumerate(ids.tolist()) if book.again else ():
        if point in book.again:
            lowest[n], last = book.steps.number(level, np.array(book.again[point], dtype=np.int64))
            highest[n] = last + 1
    until_us = int(book.steps.start(level, until.max()[np.newaxis])[0])
    if look.hot_first_us >= until_us:
        return lowest, highest, LevelRows.none()
    recent = last_write_stands(read_hot(look.cursor, ids, EVER_US[0], until_us))
    at = np.searchsorted(ids, recent.point)
    reach = np.where(look.is_state[recent.point], HOLD_US, 1)
    first = book.steps.number(level, recent.time_us)
    end = book.steps.number(level, recent.time_us + reach - 1) + 1
    changing = end > opened
    np.minimum.at(lowest, at[changing], first[changing])
    np.maximum.at(highest, at[changing], end[changing])
    late = recent.take(first < opened)
    known = np.zeros(len(late), dtype=np.bool_)
    known[same_keys(look.cursor, late)[0]] = True  # counted already
    return lowest, highest, late_rows(late.take(~known), level, book)


def late_rows(rows: Readings, level: Level, book: RollBook) -> LevelRows:
    """Sum up readings of steps whose other readings have expired."""
    return without_states(roll_up(rows, np.zeros(int(rows.point.max(initial=0)) + 1, np.bool_), level, book.steps))


def summed_up(
    look: Look, ids: NDArray[np.int32], level: Level, first: NDArray[np.int64], end: NDArray[np.int64]
) -> Iterator[LevelRows]:
    """Sum up from the readings each point's steps with first <= number < end; all (n,)."""
    some = first < end
    ids, first, end = ids[some], first[some], end[some]
    if ids.shape[0] == 0:
        return
    stretches, which = np.unique(np.stack((first, end)), axis=1, return_inverse=True)
    if stretches.shape[1] > _FEW:
        lowest, highest = int(first.min()), int(end.max())
        for rows in _from_readings(look, ids, level, lowest, highest):
            at = np.searchsorted(ids, rows.point)
            yield rows.take((rows.number >= first[at]) & (rows.number < end[at]))
        return
    for n, (lowest, highest) in enumerate(stretches.T.tolist()):
        yield from _from_readings(look, ids[which.reshape(-1) == n], level, lowest, highest)


def _from_readings(look: Look, ids: NDArray[np.int32], level: Level, first: int, end: int) -> Iterator[LevelRows]:
    """Sum up the steps with first <= number < end of all these points from the readings, slice by slice."""
    steps = look.book.steps
    start_us, end_us = steps.start(level, np.array([first, end], dtype=np.int64)).tolist()
    before_us = HOLD_US if bool(look.is_state[ids].any()) else 0
    slices = look.slices(ids, start_us, end_us)
    cuts = {int(steps.number(level, np.array([cut]))[0]) for cut, _ in slices[1:]}
    edges = [first, *sorted(cut for cut in cuts if first < cut < end), end]
    for begin, until in pairwise(edges):
        begin_us, until_us = steps.start(level, np.array([begin, until], dtype=np.int64)).tolist()
        rows = look.read(ids, begin_us - before_us, until_us)
        yield within(roll_up(rows, look.is_state, level, steps), begin, until)


def _no_sums() -> StepSums:
    real, whole = np.empty(0), np.empty(0, dtype=np.int64)
    return StepSums(whole.astype(np.int32), whole, real, real, real, real, whole)
