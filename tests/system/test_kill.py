"""kill -9 of the whole service in the middle of a replay loses no reading and doubles none."""

import csv
import subprocess
import time

from harness import ROOT, WARDWATT, eventually

from facility.store.opening import open_store

RECORDING = ROOT / "tests" / "data" / "recordings" / "pump-rig.csv"
MAPPING = ROOT / "examples" / "replay" / "skab-pump.yaml"
SITE = """\
site: {id: rig, name: {zh: 试验台, en: Rig}, time_zone: UTC}
rooms:
  - {id: lab, kind: pump_room, name: {zh: 泵房, en: Pump room}}
equipment:
  - {id: p1, class: pump, room: lab, anomaly: {off: true}}
"""


def test_a_killed_service_stores_every_reading_of_a_replay_exactly_once(wardwatt, mosquitto, tmp_path):
    site = tmp_path / "site.yaml"
    site.write_text(SITE, encoding="utf-8")
    service = wardwatt("run", "--site", site, "--broker", mosquitto.url)
    eventually(lambda: service.get("health")["collector"]["connected"])
    replay = subprocess.Popen(
        [WARDWATT, "replay", RECORDING, "--equipment", "p1", "--site", site, "--mapping", MAPPING, "--broker",
         mosquitto.url, "--speed", "x60", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    kills = 0
    try:
        for _ in range(3):
            time.sleep(3)
            if replay.poll() is not None:
                break
            service.kill()
            kills += 1
            service.start()
        _, err = replay.communicate(timeout=180)
    finally:
        replay.kill()
    assert replay.returncode == 0, err
    assert kills >= 2
    with RECORDING.open(newline="") as file:
        rows = sum(1 for _ in csv.reader(file, delimiter=";")) - 1

    found = eventually(lambda: len(t := service.readings("p1/voltage")[0]) >= rows and t, 60)
    assert len(found) == len(set(found)) == rows
    assert service.interrupt() == 0
    with open_store(service.data / "telemetry.duckdb") as store:
        series = store.series(["p1/voltage", "p1/current"], 0, 2**62)
        assert [len(s) for s in series.values()] == [rows, rows]
