"""
Recorded data of a real water-pump rig: replay -> mosquitto -> collector -> store -> anomaly detector -> ticket.

The recording is the rig's where WARDWATT_RECORDED_DATA names a folder that holds it; elsewhere a small recording of the
same shape, made by the simulator and kept in the tree, takes its place, and the test says so.
"""

import csv
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from harness import ROOT, eventually, run

MAPPING = ROOT / "examples" / "replay" / "skab-pump.yaml"
SITE = """\
site: {id: rig, name: {zh: 试验台, en: Rig}, time_zone: UTC}
rooms:
  - {id: lab, kind: pump_room, name: {zh: 泵房, en: Pump room}}
equipment:
  - {id: p1, class: pump, room: lab, anomaly: {learn: 400 s, step: 1 s}}
"""
SIMULATED = ROOT / "tests" / "data" / "recordings" / "pump-rig.csv"


def recording():
    folder = os.environ.get("WARDWATT_RECORDED_DATA")
    if folder and (real := Path(folder) / "skab" / "valve1" / "1.csv").exists():
        return real
    print("WARDWATT_RECORDED_DATA names no recording of the real rig: the simulator's recording takes its place")
    return SIMULATED


@pytest.fixture(scope="module")
def rows():
    """Return the recording's times [µs], values by column, and labels."""
    with recording().open(newline="") as file:
        table = list(csv.DictReader(file, delimiter=";"))
    times = [datetime.fromisoformat(r["datetime"]).replace(tzinfo=UTC) for r in table]
    at_us = np.array([round(t.timestamp()) * 1_000_000 + t.microsecond for t in times])
    return at_us, table, np.array([float(r["anomaly"]) for r in table]) > 0


def test_a_fault_of_the_real_rig_becomes_a_ticket_whose_time_lies_in_the_labelled_anomaly(
    wardwatt, mosquitto, tmp_path, rows
):
    at_us, table, odd = rows
    site = tmp_path / "site.yaml"
    site.write_text(SITE, encoding="utf-8")
    service = wardwatt("run", "--site", site, "--broker", mosquitto.url)
    run("replay", recording(), "--equipment", "p1", "--site", site, "--mapping", MAPPING, "--broker", mosquitto.url,
        "--speed", "fast", "--original", timeout=180)  # fmt: skip

    eventually(lambda: len(service.readings("p1/current")[0]) >= len(table), 60)
    times, values = service.readings("p1/current")
    assert times == at_us.tolist()
    assert values == [float(row["Current"]) for row in table]
    count = {p["key"]: len(service.readings(p["key"])[0]) for p in service.get("points", equipment="p1")["points"]}
    held = {key: n for key, n in count.items() if n}
    print(f"{sum(held.values())} readings of {len(held)} points stored")
    measured = [k for k, n in held.items() if n == len(table)]
    assert len(measured) >= 8

    tickets = eventually(
        lambda: [t for t in service.get("tickets")["tickets"] if "machine.unusual" in t["cause"]],
        150,
        "no anomaly ticket",
    )
    episodes = at_us[odd]
    for ticket in tickets:
        offset = (ticket["occurred_us"] - at_us[0]) / 1e6
        print(f"ticket {ticket['number']} at {offset:.0f} s; labelled from {(episodes[0] - at_us[0]) / 1e6:.0f} s")
    assert any(episodes[0] <= t["occurred_us"] <= episodes[-1] for t in tickets)
