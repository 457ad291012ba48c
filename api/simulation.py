"""The hospital in software beside a service: its past written once, then its present published over MQTT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from analytics.live import LiveRules
from collector.broker import BrokerAddress
from facility.database import Database
from facility.database.settings import Setting
from facility.readings import ReadingBatch
from facility.site import Site
from facility.store import TelemetryStore
from simulators.gateways import Publisher
from simulators.hospital import Hospital, Progress
from simulators.storyline import DEMO, HISTORY, events

_US: Final = 1_000_000
_WRITTEN: Final = "simulation.history_written"


class Simulation:
    """
    A hospital for one site.

    Parameters
    ----------
    site, store, database : of the service
    truth : where the truth log is written
    seed : the same seed gives the same hospital
    """

    def __init__(self, site: Site, store: TelemetryStore, database: Database, truth: Path, seed: int = 1) -> None:
        self._site, self._store, self._database = site, store, database
        if not self.begun:
            # An earlier start was broken off while it wrote the past: its faults are entered anew.
            truth.unlink(missing_ok=True)
        self.hospital = Hospital(site, seed, truth=truth)
        self._publisher: Publisher | None = None

    @property
    def begun(self) -> bool:
        """Return True if an earlier start has written this hospital's past."""
        with self._database.reading() as session:
            return session.get(Setting, _WRITTEN) is not None

    def write_past(self, days: float, progress: Progress, now_us: Callable[[], int]) -> int:
        """
        Write the days before now, ending now; what stands in the storyline's past is in them.

        Returns
        -------
        How many readings were written.
        """
        end_us = now_us()
        start_us = end_us - round(days * 86400 * _US)
        self.hospital.add(events(HISTORY, self._site, end_us))
        written = 0
        if days > 0:
            written = self.hospital.write_history(_Deriving(self._store, self._site), start_us, end_us, 60.0, progress)
        with self._database.session() as session:
            session.merge(Setting(key=_WRITTEN, value={"from_us": start_us, "to_us": end_us}))
        return written

    def go_on(self, now_us: Callable[[], int]) -> None:
        """Go on where an earlier start left off: registers continue, faults that nobody mended are still there."""
        self.hospital.resume(self._store, now_us())

    def start(self, broker: BrokerAddress, *, storyline: bool, now_us: Callable[[], int]) -> None:
        """Begin to publish; with the storyline, its faults come in the minutes after now."""
        if storyline:
            self.hospital.add(events(DEMO, self._site, now_us()))
        self._publisher = Publisher(self.hospital, broker)
        self._publisher.start()

    def stop(self) -> None:
        """Stop publishing."""
        if self._publisher is not None:
            self._publisher.stop()


class _Deriving:
    """Takes the simulated past and writes it with its derived points, as live readings are."""

    def __init__(self, store: TelemetryStore, site: Site) -> None:
        self._store = store
        self._rules = LiveRules(site)

    def write(self, batch: ReadingBatch) -> None:
        """Store a batch and what follows from it."""
        derived = self._rules.derive(batch)
        self._store.write(ReadingBatch.concat([batch, derived]) if len(derived) else batch)
