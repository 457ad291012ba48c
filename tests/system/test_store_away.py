"""The store is away, or the disk is full: alarms ring, pages say so, and afterwards every reading is there once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from full_disk import SITE, Gateway
from harness import ROOT, eventually

from tests.facility.store.influxd import Influxd


@pytest.mark.parametrize("reserve", ["32", "0"], ids=["room in the spool", "no room anywhere"])
def test_with_a_full_disk_alarms_ring_and_afterwards_nothing_is_lost(tmp_path, reserve):
    # A small disk needs a mount: in a namespace of its own, so that nothing is left behind.
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    child = Path(__file__).with_name("full_disk.py")
    run = subprocess.run(
        [*unshare, sys.executable, child, tmp_path, reserve], cwd=ROOT, timeout=240, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    seen = json.loads(run.stdout)
    assert seen["alarms"] >= 1
    assert seen["same"], seen
    assert seen["reserve"]
    if reserve == "0":
        assert "cannot be written" in seen["told"]
        assert (seen["before"]["watching"], seen["before"]["stored"]) == (True, False)
    else:
        assert "readings wait on disk" in seen["told"]
        assert seen["before"]["spool"] == "away"
        assert seen["before"]["waiting"] > 0


@pytest.fixture
def influxd(tmp_path):
    server = Influxd(tmp_path / "influxd")
    server.start()
    yield server
    server.kill()


def test_with_influxdb_away_the_service_collects_starts_anew_and_loses_nothing(wardwatt, mosquitto, influxd, tmp_path):
    site = tmp_path / "site.yaml"
    site.write_text(SITE, encoding="utf-8")
    url = influxd.url("ward", options="")
    service = wardwatt("run", "--site", site, "--broker", mosquitto.url, "--store", url)
    gateway = Gateway(mosquitto)
    gateway.send(500)
    eventually(lambda: service.readings("out/outlet_pressure")[0] == [at * 1000 for at in gateway.sent])
    influxd.kill()
    for _ in range(20):
        gateway.send(500)
    eventually(lambda: service.get("health")["collector"]["stored"] == 21)
    assert service.get("health")["spool"]["state"] == "away"
    page = service.browser().get("/data").text
    assert "存储不可用" in page
    service.kill()
    service.start()  # with InfluxDB still away
    health = service.get("health")
    assert health["spool"]["readings"] >= 20
    assert "out" in service.browser().get("/plant/out").text
    for _ in range(5):
        gateway.send(500)
    influxd.start()
    eventually(lambda: service.get("health")["spool"]["state"] == "direct", 60)
    eventually(lambda: service.readings("out/outlet_pressure")[0] == [at * 1000 for at in gateway.sent])
