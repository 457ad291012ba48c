"""A whole service with a real edge node: what goes offline is seen as such on the board, also after a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.options import Options
from api.runtime import Roles, Service
from collector.sparkplug.births import Births, living_points
from facility.site import Site

pytestmark = pytest.mark.system
VOLTAGE, LOAD = "f1/voltage_a", "f1/lowest_voltage"


@pytest.fixture
def service(site: Site, tmp_path: Path, mosquitto: Any) -> Iterator[Callable[..., Service]]:
    """Start services on one data folder; they are stopped at the end."""
    started: list[Service] = []

    def start(roles: Roles | None = None) -> Service:
        options = Options(site=Path(site.files[0]), data=tmp_path / "data", broker=mosquitto.address.url)
        one = Service(options, roles)
        one.open()
        one.start()
        started.append(one)
        return one

    yield start
    for one in started:
        one.stop()


def test_a_vanished_gateway_is_seen_at_once_and_after_a_restart(service, edge_node, eventually):
    first = service()
    eventually(lambda: first.collector.status().connected)
    edge = edge_node(bd_seq=1)
    edge.send({"Electrical/Voltage A": 221.0})
    eventually(lambda: (now := first.board.latest(VOLTAGE)) is not None and now.value == 221.0)
    eventually(lambda: first.board.latest(LOAD) is not None)
    edge.vanish()
    offline_us = eventually(lambda: first.board.latest(VOLTAGE).offline_us)
    eventually(lambda: first.board.latest(LOAD).offline_us == offline_us)  # derived: it goes with its source
    first.stop()
    second = service()
    eventually(lambda: second.board.latest(VOLTAGE).offline_us == offline_us)
    eventually(lambda: second.board.latest(LOAD).offline_us == offline_us)
    eventually(lambda: second.collector.status().connected)
    edge_node(bd_seq=2)
    eventually(lambda: second.board.latest(VOLTAGE).offline_us is None)
    eventually(lambda: second.board.latest(LOAD).offline_us is None)


def test_a_silent_node_that_lives_keeps_its_values_and_a_vanished_one_does_not(service, edge_node, eventually):
    one = service()
    eventually(lambda: one.collector.status().connected)
    edge = edge_node(bd_seq=1)
    eventually(lambda: one.board.latest(VOLTAGE) is not None)
    point = one.site.points.index[VOLTAGE]
    heard = lambda: int(one.liveness.heard_us()[point])  # noqa: E731
    read_us = one.board.latest(VOLTAGE).time_us
    eventually(lambda: heard() > read_us + 3_000_000)  # nothing was sent in between
    assert int(one.board.snapshot().held_us[point]) > read_us + 3_000_000
    # What processes that only serve pages go by.
    assert point in living_points(one.site, Births(one.database))
    edge.vanish()
    eventually(lambda: one.board.latest(VOLTAGE).offline_us)
    eventually(lambda: one.collector.living().size == 0)
    assert living_points(one.site, Births(one.database)).size == 0
