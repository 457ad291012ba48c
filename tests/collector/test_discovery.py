"""From what is on a broker to entries of the site file: right where it can be, valid always, bounded whatever comes."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.arrivals import ArrivalLedger
from collector.decode import Decoder
from collector.discovery import MAX_KEYS, Sightings, gathered
from collector.guessing import KeyFacts, guess_classes, match_points, meanings, state_words
from collector.mapping import TopicMap
from collector.proposal import propose, quoted, site_yaml
from facility.documents import read_document
from facility.equipment_classes import PointSpec, load_library
from facility.site import Site
from facility.site_file import load_site

NOW_US = 1_784_140_800_000_000
HEAD = "site: {id: s, name: {zh: 院, en: Hospital}}\n"
LIBRARY = load_library()

Message = tuple[str, bytes, int]


def messages_of(topic: str, *payloads: object, step_us: int = 1_000_000) -> list[Message]:
    return [
        (topic, p if isinstance(p, bytes) else json.dumps(p, ensure_ascii=False).encode(), NOW_US + i * step_us)
        for i, p in enumerate(payloads)
    ]


def proposed_site(messages: list[Message], folder: Path) -> tuple[Site, str]:
    """Return the site that the proposal makes, and its text."""
    sightings = gathered(messages)
    text = site_yaml(propose(sightings.devices(), LIBRARY), sightings.left)
    file = folder / "site.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    return load_site(file, LIBRARY), text


def decoded(site: Site, messages: list[Message]) -> tuple[dict[str, list[float]], list[str]]:
    """Return the readings that a site's mapping makes of messages, by point, and the reasons of what is refused."""
    topics = TopicMap(site)
    decoder = Decoder(topics, ArrivalLedger(None), 1 << 20)
    for topic, payload, at_us in messages:
        decoder.add(topic, payload, at_us, 0, False, False)
    draft = decoder.take()
    batch = draft.batch(topics)
    readings: dict[str, list[float]] = {}
    for point, value in zip(batch.point.tolist(), batch.value.tolist(), strict=True):
        readings.setdefault(site.points.key(point), []).append(value)
    return readings, [r.reason for r in draft.rejections]


# --- what is proposed is understood -----------------------------------------------------------------------------------

SAMPLES = {
    "flat": messages_of(
        "field/meter7/up", *({"ts": NOW_US // 1000 + i, "Ua": 231.5, "Ub": 230.8, "Ia": 4.2, "P": 12.5, "EP": 1000 + i}
                             for i in range(3))
    ),
    "nested, numbers as text": messages_of(
        "dtu/9/up", *({"data": {"采集时间": f"2026-07-16 02:40:0{i}", "phase": {"A相电压": "231.5"}, "B相电压": "230.8",
                                "有功功率": "12.5", "正向有功电能": str(1000 + i)}} for i in range(3))
    ),
    "rows": messages_of(
        "plc/rows",
        {"ts": NOW_US // 1000, "list": [{"name": "A相电压", "value": 231}, {"name": "有功功率", "value": 12}]},
    ),
    "samples": messages_of(
        "gw/batch", {"samples": [{"t": NOW_US // 1_000_000 - 60 + i, "voltage_a": 231.0 + i, "active_power": 5.0}
                                 for i in range(3)]}
    ),
    "plain": [m for name, value in (("outlet_pressure", b"0.45"), ("frequency", b"42.5"), ("running", b"on"))
              for m in messages_of(f"plc/pump3/{name}", value)],
    "shared topic": [m for who in ("m1", "m2") for m in messages_of(
        "bus/all", {"devId": who, "ts": NOW_US // 1000, "voltage_a": 231, "current_a": 5, "total_kwh": 100})],
    "value and unit": messages_of(
        "iot/tx", {"time": NOW_US // 1_000_000, "winding_temperature_a": {"value": 80, "unit": "°C"},
                   "voltage_ab": {"value": 0.4, "unit": "kV"}, "active_power": {"value": 5e5, "unit": "W"}}
    ),
    "a list of samples": messages_of("gw/list", [{"ts": NOW_US // 1000 + i, "voltage_a": 231.0 + i, "current_a": 1.0}
                                                 for i in range(2)]),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_proposed_is_valid_and_understands_what_was_seen(name: str, tmp_path: Path) -> None:
    site, text = proposed_site(SAMPLES[name], tmp_path)
    readings, refused = decoded(site, SAMPLES[name])
    assert refused == [], text
    assert len(readings) >= 2, text


def test_units_are_taken_from_the_payload_or_guessed_by_the_size_of_the_values(tmp_path: Path) -> None:
    site, _ = proposed_site(SAMPLES["value and unit"], tmp_path)
    readings, _ = decoded(site, SAMPLES["value and unit"])
    (voltage,) = [values[0] for key, values in readings.items() if key.endswith("voltage_ab")]
    assert voltage == pytest.approx(400 if site.equipment["tx"].cls.id == "dry_type_transformer" else 0.4)
    assert next(v for k, v in readings.items() if k.endswith("active_power")) == [500.0]
    pump = messages_of(
        "plc/pump1", {"outlet_pressure": 450.0, "inlet_pressure": 120.0, "frequency": 42.0, "running": 1}
    )
    site, text = proposed_site(pump, tmp_path)
    readings, _ = decoded(site, pump)
    assert readings["pump1/outlet_pressure"] == [pytest.approx(0.45)]
    assert "unit guessed by the size of the values" in text


def test_a_sparkplug_birth_is_proposed_with_group_node_and_device(tmp_path: Path) -> None:
    from facility.sparkplug_payload import Payload

    birth = Payload()
    birth.timestamp = NOW_US // 1000
    for metric_name, value in (("voltage_a", 231.0), ("current_a", 4.0), ("active_power", 2.5)):
        metric = birth.metrics.add()
        metric.name, metric.datatype, metric.double_value = metric_name, 10, value
    site, text = proposed_site([("spBv1.0/plant/DBIRTH/edge1/meter1", birth.SerializeToString(), NOW_US)], tmp_path)
    (item,) = site.equipment.values()
    assert item.telemetry is not None, text
    assert item.telemetry.format == "sparkplug"
    assert set(item.telemetry.points) >= {"voltage_a", "current_a", "active_power"}


# --- guesses ----------------------------------------------------------------------------------------------------------


def facts_of(spec: PointSpec, dice: random.Random) -> KeyFacts:
    facts = KeyFacts()
    if spec.states:
        values = [float(dice.choice(list(spec.states))) for _ in range(5)]
    else:
        low, high = spec.normal or spec.physical or (100.0, 100_000.0)
        values = [dice.uniform(low, high) for _ in range(8)]
    for value in sorted(values) if spec.kind == "total_increasing" else values:
        facts.add(value)
    return facts


@pytest.mark.parametrize("kind", ["english", "chinese", "code"])
def test_every_class_of_the_library_is_told_by_its_keys_alone(kind: str) -> None:
    dice = random.Random(1)
    wrong: list[str] = []
    for name, cls in LIBRARY.classes.items():
        keys, truth = {}, {}
        for point, spec in cls.points.items():
            key = {"english": point, "chinese": spec.name.zh, "code": spec.code or point}[kind]
            if spec.kind != "derived" and key not in keys:
                keys[key], truth[key] = facts_of(spec, dice), point
        best = guess_classes(keys, LIBRARY, "x/17/up")[0]
        found = {m.key: m.point for m in match_points(keys, cls.points)}
        wrong += [name] if best.cls.id != name else []
        wrong += [f"{name}: {k} is {p}, not {found.get(k)}" for k, p in truth.items() if found.get(k) != p]
    assert wrong == []


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("Ua", {"voltage", "phase_a"}),
        ("A相电压", {"voltage", "phase_a"}),
        ("motorTemp", {"motor", "temperature"}),
        ("PF", {"power", "factor"}),
        ("累计用电量", {"total", "energy"}),
    ],
)
def test_keys_are_read_in_english_and_chinese(key: str, said: set[str]) -> None:
    assert said <= meanings(key)


@pytest.mark.parametrize(
    ("words", "states", "codes"),
    [
        (["运行", "停止"], {0: "stopped", 1: "running"}, {"运行": 1, "停止": 0}),
        (["合闸"], {0: "breaker_open", 1: "breaker_closed"}, {"合闸": 1}),
        (["running"], {0: "stopped", 1: "running"}, {}),  # known without being named
        (["gibberish"], {0: "stopped", 1: "running"}, None),
    ],
)
def test_words_of_states_are_told(words: list[str], states: dict[int, str], codes: dict[str, int] | None) -> None:
    spec = PointSpec(kind="state", name={"zh": "态", "en": "State"}, states=states)  # type: ignore[arg-type]
    assert state_words(words, spec) == codes


# --- whatever is published --------------------------------------------------------------------------------------------


@given(text=st.text(max_size=60))
@settings(deadline=None, max_examples=100)
def test_a_quoted_text_reads_back_as_it_was(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "quoted.yaml"
    for always in (False, True):
        file.write_text(f"- {quoted(text, always=always)}\n", encoding="utf-8", errors="surrogatepass")
        assert read_document(file).data == [text]


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=6),
    max_leaves=20,
)  # fmt: skip


@given(st.lists(st.tuples(st.text(min_size=1, max_size=40), _JSON.map(lambda d: json.dumps(d).encode()) | st.binary())))
@settings(deadline=None, max_examples=25)
def test_hostile_topics_and_payloads_give_valid_yaml(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, bytes]]
) -> None:
    hostile = [(topic, payload, NOW_US) for topic, payload in pairs]
    proposed_site(hostile, tmp_path_factory.getbasetemp())


@pytest.mark.parametrize(
    "topic",
    [
        'a"b\n- c: d', "x: {y}", "# no comment", "a/{equipment}/b", "'", "\x1b[31m", "\u202e", "🚰/pump", "---",
        "a" * 70_000,
    ],
)  # fmt: skip
def test_special_characters_stay_what_they_are(topic: str, tmp_path: Path) -> None:
    site, _ = proposed_site(messages_of(topic, {"voltage_a": 231, "current_a": 2, 'k"\n#: {': 3}), tmp_path)
    for item in site.equipment.values():
        assert item.telemetry is not None
        assert item.telemetry.topic == topic


def test_a_flood_of_topics_and_keys_is_bounded_and_told() -> None:
    sightings = Sightings(max_devices=50, max_keys=3_000)
    for i in range(500):
        payload = json.dumps({f"k{j}": j for j in range(100)}).encode()
        sightings.add(f"t/{i}", payload, NOW_US)
    sightings.add("big", b"[" * 1_000_000, NOW_US)
    sightings.add("wide", json.dumps({f"k{j}": j for j in range(10_000)}).encode(), NOW_US)
    devices = sightings.devices()
    assert len(devices) == 50
    assert sum(len(d.keys) for d in devices) <= 3_000
    assert all(len(d.keys) <= MAX_KEYS for d in devices)
    assert (sightings.left.devices, sightings.left.messages) == (451, 1)
    text = site_yaml(propose(devices, LIBRARY), sightings.left)
    assert "Left out: 1 messages" in text


def test_ids_that_the_site_has_are_not_given_again(tmp_path: Path) -> None:
    devices = gathered(messages_of("a/tx1", {"winding_temperature_a": 80.0, "load": 40})).devices()
    (proposal,) = propose(devices, LIBRARY, {"tx1": "dry_type_transformer"})
    assert proposal.id == "a-tx1"
    assert proposal.cls == "dry_type_transformer"


# --- gateways of the field --------------------------------------------------------------------------------------------

PAYLOADS = Path(__file__).parents[1] / "data" / "payloads"
CAPTURED = sorted(folder.name for folder in PAYLOADS.iterdir() if folder.is_dir())
READY = ("modbus-flat", "neuron", "shelly-em", "shelly-em-gen3", "shelly-pro-3em", "shelly-pro-3em-status",
         "tasmota-energy", "tasmota-energy-3p")  # fmt: skip


@pytest.mark.parametrize("name", CAPTURED)
def test_captured_messages_give_a_valid_site_and_the_ready_mapping_that_fits(name: str, tmp_path: Path) -> None:
    lines = (PAYLOADS / name / "messages.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition(" ") for line in lines if line.strip() and not line.startswith("#")]
    seen = [(topic, payload.encode(), 1_772_418_060_000_000) for topic, _, payload in pairs]
    _, text = proposed_site(seen, tmp_path)
    assert (f"profile: {name}" in text) == (name in READY)
