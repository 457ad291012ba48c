"""On a bad day of half a minute every reading is stored exactly once, whichever the keeper."""

import os
from collections import Counter

import pytest
from chaos import Chaos, Plan, small_disk

from tests.facility.store.influxd import Influxd

MAY_MOUNT = os.geteuid() == 0


@pytest.mark.system
@pytest.mark.skipif(not MAY_MOUNT and not os.environ.get("CI"), reason="needs root, to mount a small disk")
@pytest.mark.parametrize("keeper", ["duckdb", "influxdb"])
def test_every_reading_is_stored_exactly_once_whatever_goes_wrong(keeper, mosquitto, tmp_path, capsys):
    events = Counter(kill_collector=3, restart_broker=1, cut_connections=2, fill_disk=1)
    server = None
    if keeper == "influxdb":
        server = Influxd(tmp_path / "influxd")
        server.start()
        events["store_away"] = 1
    plan = Plan(messages=60_000, events=events)
    with small_disk(tmp_path / "disk") as disk:
        try:
            figures = Chaos(plan, tmp_path, disk, mosquitto, server).run()
        finally:
            if server is not None:
                server.kill()
    with capsys.disabled():
        print(f"\n{figures}")
    assert (figures["lost"], figures["wrong"], figures["extra"]) == (0, 0, 0), figures
    # A value without a time of its own that the gateway sends again is another one: nothing tells the two apart.
    assert figures["doubled"] <= figures["bare_sent_again"], figures
