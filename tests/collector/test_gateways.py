"""Every ready mapping understands what its gateway sends: topic and payload in, values with units and times out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.arrivals import ArrivalLedger
from collector.decode import Decoder
from collector.mapping import TopicMap
from facility.equipment_classes import load_library
from facility.readings import HISTORICAL
from facility.site_file import load_site
from facility.telemetry_file import PROFILES_FOLDER, load_profiles

PAYLOADS = Path(__file__).parent.parent / "data" / "payloads"
PROFILES = sorted(load_profiles())


def micros(text: Any) -> int:
    return round(datetime.fromisoformat(str(text)).timestamp() * 1e6)


def expected_of(profile: str) -> Mapping[str, Any]:
    # The plain loader would turn times into dates of its own.
    return yaml.load((PAYLOADS / profile / "expected.yaml").read_text(encoding="utf-8"), yaml.BaseLoader)


@pytest.mark.parametrize("profile", PROFILES)
def test_what_the_gateway_sends_becomes_readings(profile: str, tmp_path: Path):
    case = expected_of(profile)
    machine = {"id": "m1", "class": case["class"], "telemetry": case["telemetry"]}
    site_file = {"site": {"id": "s", "name": {"zh": "院", "en": "S"}}, "equipment": [machine]}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site_file, allow_unicode=True), encoding="utf-8")
    topics = TopicMap(load_site(tmp_path / "site.yaml"))
    decoder = Decoder(topics, ArrivalLedger(None), 1 << 20)
    arrives = micros(case["arrives"])
    lines = (PAYLOADS / profile / "messages.txt").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        topic, _, payload = line.partition(" ")
        decoder.add(topic, payload.encode(), arrives, number, False, False)
    draft = decoder.take()
    batch = draft.batch(topics)
    found = [
        (batch.table.key(p).removeprefix("m1/"), value, at, bool(q & HISTORICAL))
        for p, value, at, q in zip(batch.point, batch.value, batch.time_us, batch.quality, strict=True)
    ]
    wanted = [
        (name, float(value), arrives if at == "arrives" else micros(at), "historical" in rest)
        for name, value, at, *rest in case["readings"]
    ]
    found.sort(key=lambda f: (f[2], f[0]))
    wanted.sort(key=lambda w: (w[2], w[0]))
    assert [f[0] for f in found] == [w[0] for w in wanted]
    assert [f[1] for f in found] == pytest.approx([w[1] for w in wanted])
    assert [f[2:] for f in found] == [w[2:] for w in wanted]
    assert set(batch.quality.tolist()) <= {0, HISTORICAL}
    assert [row.reason for row in draft.rejections] == case.get("quarantine", [])


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_has_samples_and_maps_only_points_that_some_class_measures(profile: str):
    assert (PAYLOADS / profile / "messages.txt").exists()
    known = {n for c in load_library().classes.values() for n, p in c.points.items() if p.kind != "derived"}
    assert set(load_profiles()[profile].points) <= known
    assert {r[0] for r in expected_of(profile)["readings"]} <= set(load_profiles()[profile].points)


def test_a_profile_is_one_file():
    assert sorted(f.stem for f in PROFILES_FOLDER.glob("*.yaml")) == PROFILES


def test_every_profile_stands_in_the_documentation():
    page = (Path(__file__).parent.parent.parent / "docs" / "connecting-a-gateway.md").read_text(encoding="utf-8")
    assert [name for name in PROFILES if f"`{name}`" not in page] == []
