"""The bad day of tests/system/test_chaos.py, ten minutes long: SOAK_MINUTES and CHAOS_SEED change it."""

import os
from collections import Counter

import pytest
from chaos import Chaos, Plan, small_disk

from tests.facility.store.influxd import Influxd

MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))


@pytest.mark.timeout(3600 + 120 * MINUTES)
@pytest.mark.parametrize("keeper", ["duckdb", "influxdb"])
def test_every_reading_is_stored_exactly_once_through_ten_bad_minutes(keeper, mosquitto, tmp_path, tell):
    events = Counter(kill_collector=24, restart_broker=4, cut_connections=6, network_down=3, fill_disk=4)
    server = None
    if keeper == "influxdb":
        server = Influxd(tmp_path / "influxd")
        server.start()
        events["store_away"] = 3
    plan = Plan(messages=int(2_000 * 60 * MINUTES), events=events, disk_full_s=10.0, store_away_s=30.0)
    with small_disk(tmp_path / "disk") as disk:
        try:
            figures = Chaos(plan, tmp_path, disk, mosquitto, server).run()
        finally:
            if server is not None:
                server.kill()
    tell(figures)
    assert (figures["lost"], figures["wrong"], figures["extra"]) == (0, 0, 0), figures
    assert figures["doubled"] <= figures["bare_sent_again"], figures
