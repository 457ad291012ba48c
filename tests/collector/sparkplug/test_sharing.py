"""Two collectors share the load: each hears all Sparkplug of its own, and each reading is stored once."""

from __future__ import annotations

import time

import pytest

from facility.store.opening import open_store
from tests.collector.test_sharing import influx_url, member  # noqa: F401 - fixtures

pytestmark = pytest.mark.system
VOLTAGE = "Electrical/Voltage A"


def test_each_member_hears_all_and_one_that_is_killed_loses_none(
    site, mosquitto, eventually, influx_url, member, edge_node  # noqa: F811
):  # fmt: skip
    task = {"site": site.files[0], "broker": mosquitto.address.url, "store": influx_url, "share": "plant"}
    first, second = member("a", task), member("b", task)
    for one in (first, second):
        one.until(lambda s: s["connected"])
    edge = edge_node()
    start, sent = time.time_ns() // 1_000_000 - 60_000, [float(200 + i % 40) for i in range(300)]
    for i, value in enumerate(sent[:150]):
        edge.send({VOLTAGE: value}, at_ms=start + i)
    # A reading of each message, besides those of the births: neither has only a share.
    for one in (first, second):
        one.until(lambda s: s["stored"] >= 150)
    first.kill()
    for i, value in enumerate(sent[150:], 150):
        edge.send({VOLTAGE: value}, at_ms=start + i)
    second.until(lambda s: s["stored"] >= 300)
    with open_store(influx_url, read_only=True) as store:

        def stored() -> list[float]:
            return [v for v in store.series(["f1/voltage_a"], 0, 2**62)["f1/voltage_a"].value.tolist() if v != 230.5]

        eventually(lambda: len(stored()) >= len(sent))
        assert stored() == sent
