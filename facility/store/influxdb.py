"""The keeper for production and Grafana: an InfluxDB server, 1.x, 2.x or 3.x (ADR 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from facility.errors import ConfigurationError, Problem, StoreUnavailable
from facility.readings import Aggregates, Latest, PointAddress, ReadingBatch, Rollups, Series
from facility.store.checks import check_batch
from facility.store.contract import Expired, LevelSize, StoreSize
from facility.store.influx_address import InfluxAddress
from facility.store.influx_aggregates import Aggregator
from facility.store.influx_answers import no_series
from facility.store.influx_database import InfluxDatabase
from facility.store.influx_expiry import Expiry
from facility.store.influx_housekeeping import Housekeeping
from facility.store.influx_link import AccessRefused, DatabaseMissing, LinkSettings
from facility.store.influx_questions import LIMIT_US
from facility.store.influx_reading import Reader
from facility.store.influx_roller import Roller, RollingSettings
from facility.store.influx_rollups import RollupReader
from facility.store.influx_sums import Summer
from facility.store.influx_writing import Writer
from facility.store.levels import Level, Retention


class InfluxDBStore:
    """
    Keep readings in an InfluxDB database: measurement = equipment class, tags = place and equipment, fields = points.

    A server that is away when this is made is no error: the first call that finds it connects.

    Raises
    ------
    ConfigurationError
        If the server refuses user, password or token, or has no such database and may not make it.
    """

    def __init__(
        self,
        address: InfluxAddress,
        *,
        zone: str | None = None,
        read_only: bool = False,
        settings: LinkSettings | None = None,
        rolling: RollingSettings | None = None,
    ) -> None:
        self.address = address
        self.read_only = read_only
        if address.ca_file and not Path(address.ca_file).is_file():
            raise _wrong(f"the certificate file {address.ca_file!r} does not exist; mend ca= in the store's URL")
        self._database = InfluxDatabase(address, settings or LinkSettings(), zone=zone, read_only=read_only)
        self._reader = Reader(self._database)
        self._writer = Writer(self._database, self._reader)
        self._summer = Summer(self._database, self._reader)
        self._housekeeping = Housekeeping(self._database, self._reader)
        self._rollups = RollupReader(self._database, self._reader)
        self._aggregator = Aggregator(self._database, self._summer, self._rollups)
        self._roller = Roller(self._database, self._reader, self._rollups, rolling or RollingSettings())
        self._expiry = Expiry(self._database, self._reader, self._housekeeping, self._rollups, self._roller)
        if not read_only:
            self._roller.start()
        try:
            self._database.ready()
        except (AccessRefused, DatabaseMissing) as error:
            self.close()
            raise _wrong(str(error)) from error
        except StoreUnavailable:
            pass  # it will be told to whoever first wants something of the server

    def write(self, batch: ReadingBatch) -> None:
        """
        Store a batch; when this returns, the server has it in its log on disk.

        Raises
        ------
        ValueError
            If a value is not finite, a time is out of InfluxDB's years, or a point is not of the batch's table;
            nothing is stored then. `PointsRefused` if the server refuses some points; all others are stored.
        """
        self._must_write("write")
        if len(batch) == 0:
            self._database.opened()
            return
        check_batch(batch, limit_us=LIMIT_US)
        self._writer.write(batch)

    def latest(self, keys: Sequence[str] | None = None) -> Mapping[str, Latest]:
        """Return the newest reading of each named point (of all points, if None) that has one."""
        return self._reader.latest(keys)

    def series(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Series]:
        """Return raw readings with start <= time < end; every key is in the result."""
        found = self._reader.raw(self._database.entries(keys), start_us, end_us)
        return {key: found.get(key, no_series()) for key in keys}

    def aggregate(
        self, keys: Sequence[str], start_us: int, end_us: int, step_us: int, origin_us: int = 0
    ) -> Mapping[str, Aggregates]:
        """Return mean, min, max, last and count by steps; ValueError if `step_us` is not above zero."""
        return self._aggregator.aggregate(keys, start_us, end_us, step_us, origin_us)

    def rollup(self, keys: Sequence[str], level: Level, start_us: int, end_us: int) -> Mapping[str, Rollups]:
        """Return the steps of a level that begin in [start, end), exact at any moment; see the contract."""
        return self._rollups.rollup(keys, level, start_us, end_us)

    def roll_up(self) -> None:
        """Store the steps that are complete and mend the doubtful ones; goes by itself every minute."""
        self._must_write("roll up")
        self._roller.roll_up()

    def expire(self, retention: Retention, now_us: int) -> Expired:
        """Delete what is older than `retention` allows; ConfigurationError on 3.x, which cannot delete."""
        self._must_write("delete")
        return self._expiry.expire(retention, now_us)

    def levels(self) -> Sequence[LevelSize]:
        """Return from when on the readings and each level are kept; rows are not counted."""
        self._database.ready()
        kept = self._database.ledger.state().kept
        return [LevelSize(level, None, None if kept[level] == -LIMIT_US else kept[level]) for level in (None, *Level)]

    def delete_before(self, time_us: int) -> int:
        """Delete all readings older than `time_us` and return how many there were; 3.x cannot, and it says so."""
        self._must_write("delete")
        return self._expiry.delete_before(time_us)

    def points(self) -> Sequence[str]:
        """Return the keys of all points that hold at least one reading, sorted."""
        return sorted(self.latest())

    def addresses(self, keys: Sequence[str] | None = None) -> Mapping[str, PointAddress]:
        """Return where each named point (every point, if None) belongs, as it was last written; in the book's order."""
        ranked = sorted(self._database.entries(keys), key=lambda entry: entry.rank)
        newest = {entry.key: entry.address for entry in ranked}
        return {entry.key: newest[entry.key] for entry in self._database.entries(keys)}

    def count(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, int]:
        """Return how many distinct readings with start <= time < end each point has; every key is in the result."""
        counted = self._housekeeping.counts(self._database.entries(keys), start_us, end_us) if start_us < end_us else {}
        return {key: counted.get(key, 0) for key in keys}

    def size(self) -> StoreSize:
        """Return how much the keeper holds; `bytes` is 0 unless a 1.x server tells it to an administrator."""
        return self._housekeeping.size()

    def close(self) -> None:
        """Let go of the connections; a second call does nothing."""
        self._database.link.hurry()
        self._roller.stop()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _must_write(self, do: str) -> None:
        if self.read_only:
            raise PermissionError(f"{self.address.url} is open for reading only; open it without read_only to {do}")


def open_influxdb(url: str, *, zone: str | None = None, read_only: bool = False) -> InfluxDBStore:
    """Open the InfluxDB database that `influxdb://...` or `influxdbs://...` names; `zone` as in `open_store`."""
    return InfluxDBStore(InfluxAddress.parse(url), zone=zone, read_only=read_only)


def _wrong(words: str) -> ConfigurationError:
    return ConfigurationError([Problem("", 0, "store", words)])
