"""A real edge node at a real broker, understood across every kind of loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.link import LinkSettings
from collector.quarantine import Quarantine
from collector.service import Collector, CollectorSettings
from collector.sparkplug.births import Births
from facility.database import Database
from facility.readings import StaleNotice
from facility.site import Site

pytestmark = pytest.mark.system

VOLTAGE, CURRENT, POWER, BREAKER = "Electrical/Voltage A", "Electrical/Current A", "Electrical/Power", "Breaker"
QUICK = CollectorSettings(stop_s=5.0, link=LinkSettings(first_wait_s=0.1, longest_wait_s=0.5))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def notices() -> list[StaleNotice]:
    """What was told of stale points."""
    return []


@pytest.fixture
def collecting(
    site: Site, store: Any, quarantine: Quarantine, database: Database, tmp_path: Path, mosquitto: Any,
    notices: list[StaleNotice], eventually: Any,
) -> Iterator[Callable[..., Collector]]:  # fmt: skip
    """Start collectors that keep births in the database; they are stopped at the end."""
    made: list[Collector] = []

    def start(**more: Any) -> Collector:
        more.setdefault("births", Births(database))
        collector = Collector(
            site, store, mosquitto.address, quarantine=quarantine, data_dir=tmp_path, settings=QUICK,
            on_stale=notices.append, **more,
        )  # fmt: skip
        made.append(collector)
        collector.start()
        eventually(lambda: collector.status().connected)
        return collector

    yield start
    for one in made:
        one.stop()


def values(store: Any, point: str) -> list[float]:
    return [float(v) for v in store.series([f"f1/{point}"], 0, 2**62)[f"f1/{point}"].value]


def last(store: Any, point: str) -> float | None:
    found = store.latest([f"f1/{point}"])
    return found[f"f1/{point}"].value if found else None


def test_births_are_understood_and_data_by_alias(collecting, edge_node, store, eventually):
    collecting()
    edge = edge_node()
    eventually(lambda: last(store, "breaker_closed") == 1.0)
    assert last(store, "voltage_a") == pytest.approx(230.5)
    assert last(store, "current_a") == pytest.approx(-1.2)
    assert last(store, "active_power") == pytest.approx(1.5)
    edge.send({VOLTAGE: 231.0, CURRENT: -20})
    edge.send({BREAKER: "open"}, by="name")
    eventually(lambda: last(store, "breaker_closed") == 0.0)
    assert last(store, "voltage_a") == pytest.approx(231.0)
    assert last(store, "current_a") == pytest.approx(-2.0)
