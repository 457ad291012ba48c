"""Readings on this machine's own disk while their store is away: written in order, synced, bounded (ADR 8).

A folder of segment files of one size, made before they are needed: when the disk is full, the room of those already
made is still there. The oldest readings are read first; a segment that has been read to its end is kept for later use.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from facility.errors import ConfigurationError, Problem, StoreHeld, StoreUnavailable
from facility.readings import Latest, PointAddress, PointTable, ReadingBatch
from facility.store.checks import check_batch
from facility.store.last_write import Readings
from facility.store.spool_segment import (
    HEAD_BYTES,
    KEYS,
    READINGS,
    Damage,
    Record,
    SegmentHead,
    SegmentReader,
    keys_payload,
    readings_of,
    readings_payload,
    record,
)

log = logging.getLogger(__name__)

MIB: Final = 1024 * 1024
_RECORD_READINGS: Final = 65_536
_LEAST_SEGMENT: Final = 16_384
_POSITION: Final = struct.Struct("<8sQQQQI")  # magic, counter, segment, offset, readings taken of it, checksum
_POSITION_MAGIC: Final = b"WWPOS001"
_SLOTS: Final = (0, 512)  # written in turn: a torn one leaves the other
_POSITION_BYTES: Final = 4096


class SpoolFull(StoreUnavailable):
    """The spool holds as much as it may, or the disk has no room for more."""


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """
    How much disk a spool may take.

    Attributes
    ----------
    bound_bytes : it never takes more
    reserved_bytes : so much of it is taken before it is needed, and is there however full the disk is
    segment_bytes : size of each file
    spare_bytes : beyond what is reserved, so much of the disk is left to others
    """

    bound_bytes: int = 1024 * MIB
    reserved_bytes: int = 64 * MIB
    segment_bytes: int = 16 * MIB
    spare_bytes: int = 32 * MIB

    def __post_init__(self) -> None:
        if self.segment_bytes < _LEAST_SEGMENT:
            raise ValueError(f"segments of {self.segment_bytes:,} bytes are too small; give {_LEAST_SEGMENT:,} or more")
        if self.bound_bytes < 2 * self.segment_bytes:
            raise ValueError(
                f"a spool of {self.bound_bytes:,} bytes is too small; give it at least {2 * self.segment_bytes:,}"
            )
        if self.reserved_bytes > self.bound_bytes:
            raise ValueError(
                f"{self.reserved_bytes:,} bytes cannot be reserved in a spool of {self.bound_bytes:,}; "
                "reserve less, or allow it more"
            )


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the spool: segment, offset in it, and how many of its readings lie before."""

    segment: int
    offset: int
    readings: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """The oldest readings: batches to be written in this order, how many they are, and where they end."""

    batches: tuple[ReadingBatch, ...]
    readings: int
    end: Mark


@dataclass(slots=True)
class _Segment:
    number: int
    path: Path
    fd: int
    end: int = HEAD_BYTES  # synced so far
    readings: int = 0  # of them


@dataclass(slots=True)
class _Keys:
    """The points that the segment in writing knows, and each table's numbers in it."""

    following: int = 0  # the number that the next new point gets
    numbers: dict[PointAddress, int] = field(default_factory=dict)
    tables: WeakKeyDictionary[PointTable, NDArray[np.int32]] = field(default_factory=WeakKeyDictionary)


class Spool:
    """
    A queue of readings in a folder of its own, which belongs to this process while it is open.

    Any thread may append; one thread reads: `oldest`, then `taken` once those are stored elsewhere.

    Parameters
    ----------
    folder : made if need be
    settings : how much disk it may take
    table : the site's points now; what was spooled for a point of it comes back by this table, however the site file
        has changed since. None, and for points that have left the site: as they were when they were spooled.
    clock : the time now [µs]

    Attributes
    ----------
    readings : how many wait
    damaged : how many stretches could not be read and were set aside

    Raises
    ------
    ConfigurationError
        If the folder cannot be used.
    StoreHeld
        If another process holds it.
    """

    def __init__(
        self,
        folder: Path,
        settings: SpoolSettings | None = None,
        table: PointTable | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.folder = folder
        self.settings = settings or SpoolSettings()
        self.damaged = 0
        self._table = table
        self._clock = clock
        self._lock = threading.Lock()
        self._segments: list[_Segment] = []  # oldest first; the last one is written to
        self._sound = True  # the last segment may be written to
        self._tail = HEAD_BYTES  # where its next record goes; what lies behind `end` is of the batch in hand
        self._tail_readings = 0
        self._keys = _Keys()
        self._head = Mark(0, HEAD_BYTES, 0)
        self._counter = 0
        self._reader: SegmentReader | None = None
        self._reading = 0  # number of the segment that the reader is in
        self._strangers = PointTable(())
        self._chunk: Chunk | None = None
        self._oldest_us: int | None = None
        self._closed = False
        self.readings = 0
        with contextlib.ExitStack() as undo:
            self._hold = _hold_folder(folder)
            undo.callback(os.close, self._hold)
            try:
                self._position = os.open(folder / "position", os.O_RDWR | os.O_CREAT, 0o600)
                undo.callback(os.close, self._position)
                self._open()
            except OSError as error:
                raise _unusable(folder, error) from None
            undo.pop_all()
        self.stock()

    # What everybody may ask --------------------------------------------------------------------------------------

    @property
    def empty(self) -> bool:
        """Return whether nothing waits."""
        return self.readings == 0

    @property
    def waiting_bytes(self) -> int:
        """Return about how many bytes the waiting readings take."""
        if self.readings == 0:
            return 0
        size = self.settings.segment_bytes
        segments = tuple(self._segments)
        return max(0, (len(segments) - 1) * size + segments[-1].end - self._head.offset) if segments else 0

    @property
    def bytes_at_rest(self) -> int:
        """Return how much of the disk the spool takes, empty files included."""
        return (len(self._segments) + len(self._spares())) * self.settings.segment_bytes

    @property
    def oldest_us(self) -> int | None:
        """Return when the oldest waiting readings were spooled; None if nothing waits. [µs]"""
        return self._oldest_us if self.readings else None

    def tail(self) -> list[ReadingBatch]:
        """Return what waits in the last segment, in the order of writing; up to some millions of readings."""
        with self._lock:
            if not self._segments or self.empty:
                return []
            last, head = self._segments[-1], self._head
            fd, number, end = os.dup(last.fd), last.number, last.end
        try:
            found: list[Readings] = []
            reader = SegmentReader(fd, number)
            reader.skip_to(head.offset if head.segment == number else HEAD_BYTES, end)
            while (item := reader.next(end)) is not None:
                if isinstance(item, Record) and item.kind == READINGS:
                    with contextlib.suppress(ValueError, zlib.error):  # told when it is drained
                        found.append(_rows(reader, item))
            return self._batches(reader, found)
        finally:
            os.close(fd)

    # Writing -----------------------------------------------------------------------------------------------------

    def append(self, batch: ReadingBatch) -> None:
        """
        Add a batch; when this returns, it survives a power cut.

        Raises
        ------
        ValueError
            If a value is not finite or a point is not of the batch's table.
        SpoolFull
            If there is no room for all of it. Parts of it may have been added: add it again later.
        StoreUnavailable
            If the disk fails.
        """
        check_batch(batch)
        with self._lock:
            if self._closed:
                raise StoreUnavailable(f"{self.folder}: the spool has been closed")
            try:
                most = min(_RECORD_READINGS, max(1, self.settings.segment_bytes // 64))
                start = 0
                while start < len(batch):
                    some = np.arange(start, min(start + most, len(batch)))
                    data = self._records(batch.take(some))
                    if self._segments and self._sound and self._fits(data):
                        self._put(data, len(some))
                        start += len(some)
                    elif HEAD_BYTES + len(data) > self.settings.segment_bytes:
                        if len(some) == 1:
                            raise ValueError(
                                f"{batch.table.key(int(batch.point[start]))}: the name is too long to spool"
                            )
                        most = len(some) // 2
                        self._forget_keys()
                    else:
                        self._next_segment()
                self._sync()
            except OSError as error:
                self._unwritten()
                self._sound = False  # what a failed write has left there is not built upon
                raise StoreUnavailable(
                    f"{self.folder}: {error.strerror or error}; check the disk, then it goes on by itself"
                ) from error
            except BaseException:
                self._unwritten()
                raise

    def stock(self) -> None:
        """Make files ahead of need, as far as the settings and the disk allow."""
        with self._lock, contextlib.suppress(OSError):
            if self._closed:
                return
            size, spares = self.settings.segment_bytes, len(self._spares())
            while spares * size < self.settings.reserved_bytes and self._may_grow(spares):
                self._make_spare()
                spares += 1
            for path in self._spares()[max(1, -(-self.settings.reserved_bytes // size)) :]:
                path.unlink()

    # Reading -----------------------------------------------------------------------------------------------------

    def oldest(self, most_readings: int = 100_000) -> Chunk | None:
        """
        Return the oldest readings, about `most_readings` of them or one record; None if nothing waits.

        The same again until `taken` is called. What is damaged is set aside in a file of its own, told and counted.
        """
        if self._chunk is not None:
            return self._chunk
        with self._lock:
            segments = [(s.number, s.fd, s.end) for s in self._segments]
            head = self._head
        known: list[ReadingBatch] = []
        others: list[ReadingBatch] = []
        count, end = 0, head
        for number, fd, limit in segments:
            if count >= most_readings:
                break
            if number < head.segment:
                continue
            reader = self._reader_of(number, fd, head.offset if number == head.segment else HEAD_BYTES, limit)
            parts: list[Readings] = []
            taken = head.readings if number == head.segment and end.segment == number else 0
            while count < most_readings and (item := reader.next(limit)) is not None:
                if isinstance(item, Damage):
                    self._set_aside(number, fd, item)
                    taken += item.readings
                elif item.kind == READINGS:
                    taken += item.readings
                    count += item.readings
                    try:
                        parts.append(_rows(reader, item))
                    except (ValueError, zlib.error):
                        self._set_aside(number, fd, Damage(item.start, item.end, item.readings))
            for batch in self._batches(reader, parts):
                (known if batch.table is self._table else others).append(batch)
            end = Mark(number, reader.offset, taken)
        if end == head:
            return None
        joined = ([ReadingBatch.concat(known)] if known else []) + _joined(others)
        self._chunk = Chunk(tuple(joined), sum(map(len, joined)), end)
        return self._chunk

    def taken(self, chunk: Chunk) -> None:
        """Forget a chunk's readings, which are stored elsewhere; StoreUnavailable if the disk fails."""
        with self._lock:
            if self._closed:
                raise StoreUnavailable(f"{self.folder}: the spool has been closed")
            try:
                self._write_position(chunk.end)
            except OSError as error:
                raise StoreUnavailable(f"{self.folder}: {error.strerror or error}; check the disk") from error
            self._head = chunk.end
            self._chunk = None
            last = self._segments[-1]
            if (chunk.end.segment, chunk.end.offset) == (last.number, last.end):
                # Where readings were damaged, nobody knows how many they were.
                self._head = Mark(last.number, last.end, last.readings)
            self._retire()
            self._count()
            self._find_oldest()

    def close(self) -> None:
        """Let go of the files; a second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for segment in self._segments:
                os.close(segment.fd)
            os.close(self._position)
            os.close(self._hold)

    # Writing, with the lock held ----------------------------------------------------------------------------------

    def _records(self, part: ReadingBatch) -> bytes:
        """Return the records of some readings: first the keys that the segment does not know yet."""
        number = self._segments[-1].number if self._segments else 0
        keys = self._keys
        numbers = keys.tables.get(part.table)
        if numbers is None:
            numbers = keys.tables[part.table] = np.full(len(part.table), -1, dtype=np.int32)
        used = np.unique(part.point)
        new = used[numbers[used] < 0].tolist()
        first, unheard = keys.following, []
        for i in new:
            address = part.table.addresses[i]
            if address not in keys.numbers:
                keys.numbers[address] = keys.following
                keys.following += 1
                unheard.append(address)
            numbers[i] = keys.numbers[address]
        rows = Readings(numbers[part.point], part.time_us, part.value, part.quality)
        now = self._clock()
        data = record(KEYS, keys_payload(first, unheard), 0, now, number) if unheard else b""
        return data + record(READINGS, readings_payload(rows), len(rows), now, number)

    def _fits(self, data: bytes) -> bool:
        return self._tail + len(data) <= self.settings.segment_bytes

    def _put(self, data: bytes, readings: int) -> None:
        fd, view = self._segments[-1].fd, memoryview(data)
        while view:
            written = os.pwrite(fd, view, self._tail)
            self._tail += written
            view = view[written:]
        self._tail_readings += readings

    def _sync(self) -> None:
        if not self._segments:
            return
        last = self._segments[-1]
        if self._tail != last.end:
            os.fdatasync(last.fd)
            if not os.fstat(last.fd).st_nlink:
                # It can be written to and read as long as it is open, and is gone with this process.
                raise OSError(errno.ENOENT, "its files have been deleted")
            last.end, last.readings = self._tail, self._tail_readings
            was_empty = self.empty
            self._count()
            if was_empty:
                self._find_oldest()

    def _unwritten(self) -> None:
        """Forget what was written and not synced: the next record goes over it."""
        if self._segments:
            self._tail, self._tail_readings = self._segments[-1].end, self._segments[-1].readings
        self._forget_keys()

    def _forget_keys(self) -> None:
        # Which of them the segment has heard of is not known: it is told all of them again, by other numbers.
        self._keys = _Keys(self._keys.following)

    def _next_segment(self) -> None:
        if self._segments and self._sound:
            self._sync()
        spares = self._spares()
        if not spares:
            self.folder.mkdir(parents=True, exist_ok=True)  # if somebody has deleted it
            if not self._may_grow(0):
                raise SpoolFull(self._full_words())
            try:
                spares = [self._make_spare()]
            except OSError as error:
                raise SpoolFull(self._full_words()) from error
        last = self._segments[-1] if self._segments else None
        number = max(last.number if last is not None else 0, self._head.segment) + 1
        head = SegmentHead(number, last.end if last is not None else 0, last.readings if last is not None else 0)
        path = self.folder / f"{number:012d}.spool"
        fd = os.open(spares[0], os.O_RDWR)
        try:
            os.pwrite(fd, head.packed(), 0)
            os.fdatasync(fd)
            spares[0].rename(path)
            _sync_folder(self.folder)
        except BaseException:
            os.close(fd)
            raise
        self._segments.append(_Segment(number, path, fd))
        self._tail, self._tail_readings = HEAD_BYTES, 0
        self._sound = True
        self._keys = _Keys()

    def _full_words(self) -> str:
        held, bound = self.bytes_at_rest // MIB, self.settings.bound_bytes // MIB
        if (len(self._segments) + 1) * self.settings.segment_bytes > self.settings.bound_bytes:
            return f"{self.folder}: the spool is full ({held} of {bound} MiB); bring the store back, or allow it more"
        return (
            f"{self.folder}: the disk is full (the spool has {held} of {bound} MiB); make room, or bring the store back"
        )

    def _spares(self) -> list[Path]:
        return sorted(self.folder.glob("spare-*.spool"))

    def _may_grow(self, spares: int) -> bool:
        size = self.settings.segment_bytes
        if (len(self._segments) + spares + 1) * size > self.settings.bound_bytes:
            return False
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize >= size + self.settings.spare_bytes

    def _make_spare(self) -> Path:
        taken = {path.name for path in self._spares()}
        name = next(n for i in range(len(taken) + 1) if (n := f"spare-{i}.spool") not in taken)
        path, draft = self.folder / name, self.folder / "new"
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.posix_fallocate(fd, 0, self.settings.segment_bytes)
            os.fsync(fd)
            draft.rename(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        return path

    # Reading ------------------------------------------------------------------------------------------------------

    def _reader_of(self, number: int, fd: int, offset: int, end: int) -> SegmentReader:
        if self._reader is None or self._reading != number or self._reader.offset != offset:
            self._reader, self._reading = SegmentReader(fd, number), number
            self._reader.skip_to(offset, end)
        return self._reader

    def _batches(self, reader: SegmentReader, parts: Sequence[Readings]) -> list[ReadingBatch]:
        """Return readings of one segment in their order, those of the site's own points and those of others."""
        if not parts:
            return []
        point = np.concatenate([rows.point for rows in parts])
        time_us = np.concatenate([rows.time_us for rows in parts])
        value = np.concatenate([rows.value for rows in parts])
        quality = np.concatenate([rows.quality for rows in parts])
        numbers = np.full(len(reader.addresses), -1, dtype=np.int32)
        odd = np.zeros(len(reader.addresses), dtype=bool)
        index = self._table.index if self._table is not None else {}
        strangers: dict[str, tuple[int, PointAddress]] = {}
        for i in np.unique(point).tolist():
            address = reader.addresses[i]
            assert address is not None  # `_rows` has looked
            if address.key in index:
                numbers[i] = index[address.key]
            else:
                # A point may have several numbers in a segment; what was last said of it stands, if that says anything.
                numbers[i], said = strangers.get(address.key, (len(strangers), address))
                stands = address if address.equipment_class or not said.equipment_class else said
                strangers[address.key] = int(numbers[i]), stands
                odd[i] = True
        strange, point = odd[point], numbers[point]
        found = []
        if self._table is not None and not strange.all():
            own = ~strange
            found.append(ReadingBatch(self._table, point[own], time_us[own], value[own], quality[own]))
        if strangers:
            # One table for as long as the points stay the same: a store learns each new one slowly.
            addresses = tuple(address for _, address in strangers.values())
            if self._strangers.addresses != addresses:
                self._strangers = PointTable(addresses)
            found.append(
                ReadingBatch(self._strangers, point[strange], time_us[strange], value[strange], quality[strange])
            )
        return found

    def _set_aside(self, number: int, fd: int, damage: Damage) -> None:
        self.damaged += 1
        path = self.folder / f"damaged-{number}-{damage.start}.bin"
        log.error(
            "a damaged stretch of the spool is left out; what can be read is stored",
            extra={"file": str(path), "bytes": damage.end - damage.start, "readings": damage.readings or "unknown"},
        )
        with contextlib.suppress(OSError):
            path.write_bytes(os.pread(fd, damage.end - damage.start, damage.start))

    # Opening, position, and what has been read --------------------------------------------------------------------

    def _open(self) -> None:
        heads: dict[int, SegmentHead] = {}
        for path in sorted(self.folder.glob("[0-9]*.spool")):
            fd = os.open(path, os.O_RDWR)
            head = SegmentHead.parse(os.pread(fd, HEAD_BYTES, 0))
            if head is None or path.stem != f"{head.number:012d}":
                os.close(fd)
                self.damaged += 1
                aside = path.rename(path.with_name(f"damaged-{path.stem}.bin"))
                log.error(
                    "a file of the spool is damaged from its head on and is set aside", extra={"file": str(aside)}
                )
                continue
            heads[head.number] = head
            self._segments.append(_Segment(head.number, path, fd))
        self._head = self._read_position()
        for segment in self._segments:
            following = heads.get(segment.number + 1)
            if following is not None:
                segment.end, segment.readings = following.previous_end, following.previous_readings
            else:
                self._recover(segment)
        if self._segments:
            first, last = self._segments[0], self._segments[-1]
            if self._head.segment < first.number:
                self._head = Mark(first.number, HEAD_BYTES, 0)
            if self._head.segment == last.number and self._head.offset > last.end:
                # Read before, damaged since: it is not written upon.
                last.end, last.readings, self._sound = self._head.offset, self._head.readings, False
            self._tail, self._tail_readings = last.end, last.readings
            self._relearn(last)
        self._retire()
        self._count()
        self._find_oldest()

    def _recover(self, segment: _Segment) -> None:
        """Find the end of what was synced; a record that a crash has torn was never acknowledged, and is cut off."""
        reader, size = SegmentReader(segment.fd, segment.number), os.fstat(segment.fd).st_size
        while (item := reader.next(size)) is not None:
            if isinstance(item, Damage) and item.end >= size:
                return
            segment.end = item.end
            segment.readings += item.readings

    def _relearn(self, last: _Segment) -> None:
        reader = SegmentReader(last.fd, last.number)
        reader.skip_to(last.end, last.end)
        named = {a: i for i, a in enumerate(reader.addresses) if a is not None}
        self._keys = _Keys(len(reader.addresses), named)

    def _read_position(self) -> Mark:
        best: tuple[int, Mark] = (0, Mark(0, HEAD_BYTES, 0))
        for slot in _SLOTS:
            data = os.pread(self._position, _POSITION.size, slot)
            if len(data) < _POSITION.size:
                continue
            magic, counter, segment, offset, readings, crc = _POSITION.unpack(data)
            if magic == _POSITION_MAGIC and crc == zlib.crc32(data[:-4]) and counter > best[0]:
                best = counter, Mark(segment, offset, readings)
        self._counter = best[0]
        if os.fstat(self._position).st_size < _POSITION_BYTES:
            with contextlib.suppress(OSError):
                os.posix_fallocate(self._position, 0, _POSITION_BYTES)
        return best[1]

    def _write_position(self, mark: Mark) -> None:
        self._counter += 1
        body = _POSITION.pack(_POSITION_MAGIC, self._counter, mark.segment, mark.offset, mark.readings, 0)[:-4]
        os.pwrite(self._position, body + zlib.crc32(body).to_bytes(4, "little"), _SLOTS[self._counter % 2])
        os.fdatasync(self._position)

    def _retire(self) -> None:
        """Keep segments that have been read for later use, or delete them."""
        while self._segments and self._is_read(self._segments[0]):
            gone = self._segments.pop(0)
            os.close(gone.fd)
            if self._head.segment == gone.number:
                self._head = Mark(gone.number + 1, HEAD_BYTES, 0)
            spares = self._spares()
            with contextlib.suppress(OSError):
                if len(spares) * self.settings.segment_bytes < self.settings.reserved_bytes:
                    gone.path.rename(self.folder / f"spare-{gone.number:012d}.spool")
                else:
                    gone.path.unlink()

        if not self._segments or self._segments[0].number > self._head.segment:
            self._head = Mark(self._head.segment, HEAD_BYTES, 0)

    def _is_read(self, segment: _Segment) -> bool:
        head, last = self._head, segment is self._segments[-1]
        return segment.number < head.segment or (
            segment.number == head.segment and head.offset >= segment.end and not last
        )

    def _count(self) -> None:
        self.readings = max(0, sum(s.readings for s in self._segments) - self._head.readings)

    def _find_oldest(self) -> None:
        """Read from the oldest waiting record when it was spooled."""
        first = self._segments[0] if self._segments else None
        if first is not None and not self.empty:
            at = self._head.offset if first.number == self._head.segment else HEAD_BYTES
            self._oldest_us = SegmentReader(first.fd, first.number).time_at(at, first.end) or self._oldest_us


def _rows(reader: SegmentReader, item: Record) -> Readings:
    """Return a record's readings; ValueError if the name of one of its points is not known."""
    rows = readings_of(item.payload, item.readings)
    least, most = (int(rows.point.min()), int(rows.point.max())) if len(rows) else (0, -1)
    if least < 0 or most >= len(reader.addresses):
        raise ValueError("a point without a name")
    if reader.nameless and any(reader.addresses[i] is None for i in np.unique(rows.point).tolist()):
        raise ValueError("a point whose name is damaged")
    return rows


def newest_of(batch: ReadingBatch, found: dict[str, Latest]) -> None:
    """Enter the newest reading of each point of a batch into `found`, where that holds none newer."""
    order = np.lexsort((batch.time_us, batch.point))
    point = batch.point[order]
    last = order[np.append(point[1:] != point[:-1], True)] if len(batch) else order
    for i in last.tolist():
        key, at = batch.table.key(int(batch.point[i])), int(batch.time_us[i])
        before = found.get(key)
        if before is None or at >= before.time_us:
            found[key] = Latest(at, float(batch.value[i]), int(batch.quality[i]))


def _joined(batches: Sequence[ReadingBatch]) -> list[ReadingBatch]:
    """Join neighbours of the same table."""
    found: list[list[ReadingBatch]] = []
    for batch in batches:
        if found and found[-1][-1].table is batch.table:
            found[-1].append(batch)
        else:
            found.append([batch])
    return [ReadingBatch.concat(group) for group in found]


def _hold_folder(folder: Path) -> int:
    """Take the folder for this process alone; returns the open file that says so."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / "held", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(folder, error) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        raise StoreHeld(
            f"{folder}: held by process {holder}; a data folder belongs to one process at a time: "
            "stop that process, or name another folder with --data"
        ) from None
    with contextlib.suppress(OSError):  # a full disk: then the next one is not told who holds it
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
    return fd


def _unusable(folder: Path, error: OSError) -> ConfigurationError:
    mend = f"{folder}: the folder cannot be used ({error.strerror or error}); check its rights and the disk"
    return ConfigurationError([Problem("", 0, "spool", mend)])


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
