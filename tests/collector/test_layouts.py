"""Batched history, rows, columns, values with times, bits, codes, qualities, and machines that share a topic."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.arrivals import ArrivalLedger
from collector.decode import Decoder
from collector.mapping import TopicMap
from facility.readings import CLOCK_SUSPECT, ESTIMATED, GOOD, HISTORICAL
from facility.site import Site
from facility.site_file import load_site

S = 1_000_000
NOW = 1_772_424_000 * S  # 2026-03-02 12:00 in Shanghai
MIB = 1024 * 1024
HEAD = """
site: {id: demo, name: {zh: 示范医院, en: Demo Hospital}, time_zone: Asia/Shanghai}
equipment:
"""

Rows = list[tuple[str, int, float, int]]


def site_file(folder: Path, *telemetry: str) -> Path:
    machines = "".join(f"  - {{id: f{i}, class: lv_feeder, telemetry: {t}}}\n" for i, t in enumerate(telemetry, 1))
    (folder / "site.yaml").write_text(HEAD + machines, encoding="utf-8")
    return folder / "site.yaml"


class Gateway:
    """Decodes what comes on one topic for machines with a given telemetry."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.topics = TopicMap(site)
        self.decoder = Decoder(self.topics, ArrivalLedger(None), MIB)
        self.rejections: list[Any] = []

    def __call__(self, payload: Any, *, arrival_us: int = NOW, topic: str = "gw") -> Rows:
        """Return the readings of one payload: machine/point, time before now [s], value, quality."""
        raw = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
        self.decoder.add(topic, raw, arrival_us, 0, False, False)
        draft = self.decoder.take()
        self.rejections = list(draft.rejections)
        b = draft.batch(self.topics)
        keys = [b.table.key(i) for i in b.point.tolist()]
        ago = [(at - arrival_us) / S for at in b.time_us.tolist()]
        return list(zip(keys, ago, b.value.tolist(), b.quality.tolist(), strict=True))

    @property
    def reasons(self) -> dict[str, int]:
        return {r.reason: r.count for r in self.rejections}

    @property
    def details(self) -> str:
        return "; ".join(r.detail for r in self.rejections)


@pytest.fixture
def gateway(tmp_path: Path) -> Callable[..., Gateway]:
    site_of = cache(lambda *telemetry: load_site(site_file(tmp_path, *telemetry)))  # examples share their site
    return lambda *telemetry: Gateway(site_of(*telemetry))


def sample(ago_s: float, **values: Any) -> dict[str, Any]:
    return {"t": NOW // S - ago_s, **values}


def test_a_list_of_objects_is_a_list_of_samples(gateway):
    gw = gateway("{topic: gw, points: {voltage_a: ua}}")
    batch = [sample(20, ua=229), sample(10, ua=230), sample(0, ua=231)]
    for _ in range(2):  # the second time, when the layout is known
        assert gw(batch) == [("f1/voltage_a", -20, 229, GOOD), ("f1/voltage_a", -10, 230, GOOD),
                             ("f1/voltage_a", 0, 231, GOOD)]  # fmt: skip
        assert gw.rejections == []


PH = {"ph": [{"u": 230}]}


def test_samples_may_lie_under_a_key_with_what_they_share_beside_them(gateway):
    gw = gateway("{topic: gw, samples: data.records, time: {key: [t, sent]}, points: {voltage_a: ph.0.u}}")
    got = gw(
        {"dev": "x", "sent": NOW // S - 5, "data": {"records": [sample(60, ph=[{"u": 229}]), {"ph": [{"u": 230}]}]}}
    )
    assert got == [("f1/voltage_a", -60, 229, GOOD), ("f1/voltage_a", -5, 230, GOOD)]
    assert gw.rejections == []
    assert gw({"sent": NOW // S, "data": {"records": PH}}) == [("f1/voltage_a", 0, 230, GOOD)]


def test_old_samples_are_history_and_the_newest_is_live(gateway):
    gw = gateway("{topic: gw, points: {voltage_a: ua}}")
    got = gw([sample(7200, ua=228), sample(601, ua=229), sample(600, ua=230), sample(0, ua=231)])
    assert [quality for *_, quality in got] == [HISTORICAL, HISTORICAL, GOOD, GOOD]
    assert [quality for *_, quality in gw([sample(7200, ua=228), sample(3600, ua=229)])] == [HISTORICAL] * 2


def test_of_a_batch_by_a_clock_that_is_not_believed_only_the_newest_of_each_point_is_of_now(gateway):
    gw = gateway("{topic: gw, points: {voltage_a: ua, voltage_b: ub}}")
    ahead = [sample(-80, ua=231), sample(-70, ua=230), sample(-60, ub=229)]
    suspect, old = CLOCK_SUSPECT, CLOCK_SUSPECT | HISTORICAL
    assert [quality for *_, quality in gw(ahead)] == [suspect, old, suspect]
    slow = [sample(8 * 3600 + 10, ua=230), sample(8 * 3600, ua=231)]
    qualities = []
    for minute in range(3):
        batch = [{**one, "t": one["t"] + 60 * minute} for one in slow]
        qualities.append([q for *_, q in gw(batch, arrival_us=NOW + 60 * minute * S)])
    assert qualities == [[HISTORICAL, HISTORICAL], [old, suspect], [old, suspect]]


def test_one_bad_sample_is_told_with_its_place_and_the_others_are_stored(gateway):
    gw = gateway("{topic: gw, samples: rec, points: {voltage_a: ua}}")
    got = gw({"rec": [sample(3, ua=229), sample(2, ua="x"), 7, {}, {"t": "yesterday", "ua": 1}, sample(0, ua=231)]})
    assert [r[:3] for r in got] == [("f1/voltage_a", -3, 229), ("f1/voltage_a", 0, 231)]
    assert gw.reasons == {"not-a-number": 1, "not-an-object": 1, "no-values": 1, "time-unreadable": 1}
    for words in (
        "rec[1]: 'ua' is 'x'",
        "rec[2]: this is a JSON number",
        "rec[3]: the object is empty",
        "rec[4]: time",
    ):
        assert words in gw.details


def test_samples_without_a_time_do_not_overwrite_each_other_in_silence(gateway):
    gw = gateway("{topic: gw, points: {voltage_a: ua, voltage_b: ub}}")
    assert gw([{"ua": 229}]) == [("f1/voltage_a", 0, 229, GOOD)]
    assert gw([{"ua": 229}, {"ub": 230}]) == [("f1/voltage_a", 0, 229, GOOD), ("f1/voltage_b", 0, 230, GOOD)]
    assert gw([{"ua": 229, "ub": 1}, {"ua": 230}]) == [("f1/voltage_b", 0, 1, GOOD)]
    assert gw.reasons == {"no-time": 1}


@pytest.mark.parametrize(
    ("payload", "reason", "words"),
    [
        ([], "no-values", "the list is empty"),
        ({"rec": []}, "no-values", "the list 'rec' is empty"),
        ({"ua": 1}, "no-list", "'rec' is missing where a list of samples belongs"),
        ({"rec": 5}, "no-list", "'rec' is a JSON number"),
        ([{"rec": [{"t": NOW, "ua": 1}]}, {"rex": 1}], "no-list", "[1]: 'rec' is missing"),
        ({"rec": [{"t": NOW, "ua": "x"}]}, "not-a-number", "rec[0]: 'ua' is 'x'"),
        ([{"rec": [{"t": NOW, "ua": "x"}]}], "not-a-number", "[0].rec[0]: 'ua' is 'x'"),
        ([{"rec": [{"t": 5, "ua": 1}]}], "time-implausible", "[0].rec[0]: time 1970"),
        (b'{"rec": [{"ua": 1, "ua": 2}]}', "duplicate-key", "rec[0]: 'ua' stands twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_samples_is_told(gateway, payload, reason, words):
    gw = gateway("{topic: gw, samples: rec, points: {voltage_a: ua}}")
    gw(payload)
    assert gw.reasons == {reason: 1}
    assert words in gw.details


ROWS = "{topic: gw, rows: {in: data, name: id, value: val, time: at, quality: q}, time: {key: ts}, points: %s}"


def test_rows_name_their_points_and_may_have_times_of_their_own(gateway):
    gw = gateway(ROWS % "{voltage_a: Ua, active_power: {key: P, unit: W}}")
    t = NOW // S
    payload = {"dev": 1, "ts": t - 9, "data": [{"id": "Ua", "val": "231.5"}, {"id": "P", "val": 1500, "at": t - 3},
                                               {"id": "Temp", "val": 20}, {"id": "x", "val": None}]}  # fmt: skip
    for _ in range(3):
        assert gw(payload) == [("f1/voltage_a", -9, 231.5, GOOD), ("f1/active_power", -3, 1.5, GOOD)]
        assert gw.reasons == {"unknown-key": 1}
        assert "'Temp', 'x'" in gw.details


def test_the_payload_itself_may_be_the_list_of_rows(gateway):
    gw = gateway("{topic: gw, rows: {name: n, value: v, time: t}, points: {voltage_a: 7, voltage_b: u.b}}")
    for _ in range(2):
        got = gw([{"n": 7, "v": 229, "t": NOW // S}, {"n": "u.b", "v": True, "t": NOW // S - 1}])
        assert got == [("f1/voltage_a", 0, 229, GOOD), ("f1/voltage_b", -1, 1, GOOD)]
        assert gw.rejections == []


def test_one_bad_row_is_told_with_its_place_and_the_others_are_stored(gateway):
    gw = gateway(ROWS % "{voltage_a: Ua, voltage_b: Ub}")
    rows = [{"id": "Ua", "val": 229}, 5, {"val": 1}, {"id": "Ub", "val": "x"}, {"id": "Ub"}]
    assert gw({"data": rows}) == [("f1/voltage_a", 0, 229, GOOD)]
    assert gw.reasons == {"not-an-object": 1, "no-name": 1, "not-a-number": 1, "no-values": 1}
    for words in ("data[1]: ", "data[2]: the row has no 'id'", "data[3]: 'Ub' is 'x'", "data[4]: 'Ub' has no 'val'"):
        assert words in gw.details
    assert gw(b'{"data": [{"id": "Ua", "val": 1}, {"id": "Ub", "val": 1, "val": 2}]}') == [("f1/voltage_a", 0, 1, GOOD)]
    assert gw.reasons == {"duplicate-key": 1}
    assert gw({"data": [{"id": "Ua", "val": 1}, {"id": "Ua", "val": 2}]}) == []
    assert gw.reasons == {"no-time": 1}
    assert gw({"Ua": 1}) == []
    assert gw.reasons == {"no-list": 1}


def test_batched_rows_are_samples_of_rows(gateway):
    gw = gateway("{topic: gw, rows: {in: d, name: n, value: v}, points: {voltage_a: Ua}}")
    got = gw(
        [{"ts": NOW // S - 5, "d": [{"n": "Ua", "v": 1}]}, {"ts": NOW // S, "d": [{"n": "Ua", "v": 2}]}, {"ts": 1}]
    )
    assert got == [("f1/voltage_a", -5, 1, GOOD), ("f1/voltage_a", 0, 2, GOOD)]
    assert gw.reasons == {"no-list": 1}


def test_columns_are_lists_side_by_side_with_a_list_of_times(gateway):
    gw = gateway("{topic: gw, points: {voltage_a: ua, voltage_b: ub, breaker_closed: cb}}")
    t = NOW // S
    for _ in range(2):
        got = gw({"t": [t - 2, t - 1, t], "ua": [1, 2.5, 3], "ub": [4, 5, 6], "rssi": [0, 0, 0]})
        a, b = "f1/voltage_a", "f1/voltage_b"
        assert [r[:3] for r in got] == [(a, -2, 1), (b, -2, 4), (a, -1, 2.5), (b, -1, 5), (a, 0, 3), (b, 0, 6)]
        assert gw.reasons == {"unknown-key": 1}
    got = gw({"t": [t - 1, t, 5], "ua": ["1", None, 3], "ub": [1, 2], "cb": ["ON", "?", "off"]})
    assert got == [("f1/voltage_a", -1, 1, GOOD), ("f1/breaker_closed", -1, 1, GOOD)]
    assert gw.reasons == {"uneven-columns": 1, "not-a-number": 1, "time-implausible": 1}
    for words in ("'ub' holds 2 values where the times are 3", "cb[1]: 'cb' is '?'", "ua[2]: time 1970"):
        assert words in gw.details


def test_values_may_carry_their_own_times_in_objects(gateway):
    gw = gateway("{topic: gw, values: {value: v, time: at, quality: q}, points: {voltage_a: d.ua, voltage_b: d.ub}}")
    t = NOW // S
    got = gw(
        {"ts": t - 9, "d": {"ua": {"v": 1.5, "at": t - 1}, "ub": [{"v": 1}, {"v": "2", "at": t}, {"v": 3, "q": "bad"}]}}
    )
    assert got == [("f1/voltage_a", -1, 1.5, GOOD), ("f1/voltage_b", -9, 1, GOOD), ("f1/voltage_b", 0, 2, GOOD)]
    assert gw.reasons == {"bad-quality": 1}
    assert "d.ub[2]: the gateway says 'bad'" in gw.details
    assert gw({"d": {"ua": 7, "ub": {"w": 1}}}) == [("f1/voltage_a", 0, 7, GOOD)]
    assert "d.ub: there is no value in it under 'v'" in gw.details


def test_values_may_carry_their_own_times_in_small_lists(gateway):
    gw = gateway("{topic: gw, values: [time, value], points: {voltage_a: ua, voltage_b: ub}}")
    t = NOW // S
    got = gw({"ua": [t - 1, 229], "ub": [[t - 2, 1], [t - 1, 2], [t], [t, None]]})
    assert got == [("f1/voltage_a", -1, 229, GOOD), ("f1/voltage_b", -2, 1, GOOD), ("f1/voltage_b", -1, 2, GOOD)]
    assert gw.reasons == {"no-values": 1}


def test_a_point_may_be_one_bit_of_a_status_word(gateway):
    gw = gateway(
        "{topic: gw, points: {breaker_closed: {key: st, bit: 0}, breaker_trip: {key: st, bit: 3}, current_a: st}}"
    )
    for word in (9, 9.0, "9", "0x09", "0X9"):
        found = {key: value for key, _, value, _ in gw({"st": word})}
        assert (found["f1/breaker_closed"], found["f1/breaker_trip"]) == (1, 1)
        assert found.get("f1/current_a") == (None if str(word).lower().startswith("0x") else 9)


@pytest.mark.parametrize("word", [1.5, "x", "0xZZ", [1], {}, 2**70, "0b1", "-"])
def test_what_has_no_bits_is_told(gateway, word):
    gw = gateway("{topic: gw, points: {breaker_closed: {key: st, bit: 0}}}")
    assert gw({"st": word}) == []
    assert gw.reasons == {"not-a-number": 1}
    assert "'st' is" in gw.details


def test_a_gateways_own_codes_become_the_states_of_the_class(gateway):
    gw = gateway("{topic: gw, points: {breaker_closed: {key: st, states: {2: 1, 3: 0, 合: 1}}}}")
    assert [gw({"st": s})[0][2] for s in (2, 3, "2", "合", 2.0)] == [1, 0, 1, 1, 1]
    assert gw({"st": 1}) == []
    assert gw.reasons == {"not-a-number": 1}
    assert "the words known here are" in gw.details


@pytest.mark.parametrize(
    ("word", "quality"),
    [("good", GOOD), ("GOOD ", GOOD), (192, GOOD), ("192", GOOD), (216, GOOD), (True, GOOD), ("正常", GOOD),
     (None, GOOD),
     ("uncertain", ESTIMATED), (64, ESTIMATED), ("bad", None), (0, None), (24, None), (False, None), ("?", None),
     (300, None), ([], None)],
)  # fmt: skip
def test_a_value_that_the_gateway_calls_bad_is_no_reading(gateway, word, quality):
    gw = gateway("{topic: gw, quality: q, points: {voltage_a: ua}}")
    got = gw({"ua": 230, "q": word})
    assert [q for *_, q in got] == ([] if quality is None else [quality])
    assert gw.reasons == ({"bad-quality": 1} if quality is None else {})


def test_what_says_good_can_be_named(gateway):
    gw = gateway(ROWS.replace("points", "quality: {good: [0, fine]}, points") % "{voltage_a: Ua}")
    got = [gw({"data": [{"id": "Ua", "val": 1, "q": q}]}) for q in (0, "0", "Fine", 192, "good")]
    assert [len(g) for g in got] == [1, 1, 1, 0, 0]


TWO = [
    f"{{topic: gw, where: {{key: dev, equals: {name}}}, points: {{voltage_a: ua, voltage_b: ub}}}}"
    for name in ("A1", 7)
]


def test_a_word_in_the_payload_tells_machines_on_one_topic_apart(gateway):
    gw = gateway(*TWO)
    for _ in range(2):
        assert gw({"dev": "A1", "ua": 1}) == [("f1/voltage_a", 0, 1, GOOD)]
        assert gw({"dev": 7, "ua": 2}) == [("f2/voltage_a", 0, 2, GOOD)]
        assert gw.rejections == []
    assert gw([{"dev": "A1", "ua": 1}, {"dev": "7", "ua": 2}, {"dev": "B", "ua": 3}, {"ua": 4}]) == [
        ("f1/voltage_a", 0, 1, GOOD), ("f2/voltage_a", 0, 2, GOOD)]  # fmt: skip
    assert gw.reasons == {"unknown-device": 1, "no-device": 1}
    assert "[2]: 'dev' is 'B', no machine's word; where: in the site file knows A1, 7" in gw.details


def test_machines_are_told_apart_in_rows_and_around_samples_too(gateway):
    gw = gateway(*(t.replace("where", "rows: {in: d, name: n, value: v}, where") for t in TWO))
    for _ in range(3):
        assert gw({"dev": "A1", "d": [{"n": "ua", "v": 1}]}) == [("f1/voltage_a", 0, 1, GOOD)]
        got = gw({"d": [{"n": "ua", "v": 1, "dev": 7}, {"n": "ua", "v": 2, "dev": "A1"}]})
        assert got == [("f2/voltage_a", 0, 1, GOOD), ("f1/voltage_a", 0, 2, GOOD)]
    gw = gateway(*(t.replace("where", "samples: s, where") for t in TWO))
    assert gw({"dev": 7, "s": [sample(1, ua=1), sample(0, ua=2, dev="A1")]}) == [
        ("f2/voltage_a", -1, 1, GOOD), ("f1/voltage_a", 0, 2, GOOD)]  # fmt: skip


def test_keys_that_are_to_be_ignored_are_not_told(gateway):
    gw = gateway("{topic: gw, ignore: [rssi, net.ip], points: {voltage_a: ua}}")
    for _ in range(2):
        assert len(gw({"ua": 1, "rssi": -70, "net": {"ip": 1}})) == 1
        assert gw.rejections == []
    gw({"ua": 1, "rssi": -70, "net": {"ip": 1, "mask": 2}})
    assert "'net.mask'" in gw.details
    gw = gateway('{topic: gw, ignore: ["*"], points: {voltage_a: ua}}')
    assert len(gw({"ua": 1, "x": {"y": 1}})) == 1
    assert gw.rejections == []


def test_a_time_without_a_zone_is_the_one_that_the_site_file_names(gateway):
    gw = gateway("{topic: gw, time: {key: when, unit: iso, zone: UTC}, points: {voltage_a: ua}}")
    assert gw({"when": "2026-03-02 03:59:00", "ua": 1}) == [("f1/voltage_a", -60, 1, GOOD)]


def test_some_values_may_come_on_another_topic(gateway):
    gw = gateway("{topic: gw, points: {voltage_a: ua, energy_import: {key: total, unit: Wh, topic: gw/energy}}}")
    assert gw({"ua": 230}) == [("f1/voltage_a", 0, 230, GOOD)]
    assert gw({"total": 1500}, topic="gw/energy") == [("f1/energy_import", 0, 1.5, GOOD)]
    assert {"gw", "gw/energy"} <= set(gw.topics.filters())


def filled(start: bytes, piece: bytes, end: bytes, size: int) -> bytes:
    """Return a payload of about `size` bytes that is full of one piece."""
    return start + b",".join([piece] * ((size - len(start) - len(end)) // (len(piece) + 1))) + end


LISTS = [
    ("samples: s,", b'{"s":[', b"]}", [b"1", b"{}", b"[]", b'{"ua":1}', b'{"ua":"x"}', b'{"ua":1,"ua":2}', b"null"]),
    ("", b"[", b"]", [b"[]", b'{"ua":"x"}']),
    ("rows: {in: s, name: n, value: v},", b'{"s":[', b"]}", [b'{"n":"ua","v":1}', b'{"n":[]}', b'{"n":"ua","v":"x"}']),
    ("values: {value: v},", b'{"ua":[', b"]}", [b"{}", b'{"v":"x"}']),
    ("", b'{"ua":[],"t":[', b"]}", [b"1", b'"x"']),
]


@pytest.mark.parametrize("layout", LISTS, ids=lambda case: case[0] or case[1].decode())
def test_a_payload_of_ever_so_many_bad_parts_is_told_in_a_few_words(gateway, layout):
    fields, start, end, pieces = layout
    gw = gateway(f"{{topic: gw, {fields} points: {{voltage_a: ua}}}}")
    for piece in pieces:
        gw(filled(start, piece, end, MIB // 32))
        assert gw.rejections
        assert all(len(r.detail) <= 2000 for r in gw.rejections)


@pytest.mark.parametrize("piece", [b"1", b"{}", b'{"ua":1}'])
def test_more_parts_than_anyone_sends_on_purpose_are_refused_as_a_whole(gateway, piece):
    gw = gateway("{topic: gw, samples: s, points: {voltage_a: ua}}")
    assert gw(filled(b'{"s":[', piece, b"]}", MIB)) == []
    assert gw.reasons == {"too-many": 1}


def test_deep_payloads_are_no_trouble(gateway):
    gw = gateway("{topic: gw, points: {voltage_a: ua, voltage_b: ub.ub.0.1.2}}")
    for payload in (b"[" * 1000 + b"]" * 1000, b'{"ub":' * 900 + b"1" + b"}" * 900, b'{"ub":{"ub":[[' * 200):
        assert gw(payload) == []
        assert len(gw.rejections) == 1


_VALUES = st.floats(-1e9, 1e9, allow_nan=False) | st.integers(-(10**6), 10**6)
_SAMPLES = st.lists(
    st.tuples(st.integers(0, 500_000), st.dictionaries(st.sampled_from(["ua", "ub", "uc"]), _VALUES, min_size=1)),
    min_size=1, max_size=12, unique_by=lambda s: s[0],
)  # fmt: skip
_POINTS = {"ua": "f1/voltage_a", "ub": "f1/voltage_b", "uc": "f1/voltage_c"}
_MAPPED = "points: {voltage_a: ua, voltage_b: ub, voltage_c: uc}"

Samples = list[tuple[int, dict[str, float]]]  # milliseconds before now, values


def as_list(samples: Samples) -> Any:
    return [{"ts": NOW // 1000 - ago, **values} for ago, values in samples]


def as_rows(samples: Samples) -> Any:
    return {"d": [{"n": k, "v": str(v), "t": NOW // 1000 - ago} for ago, vs in samples for k, v in vs.items()]}


def as_columns(samples: Samples) -> Any:
    names = {k for _, values in samples for k in values}
    return {"ts": [NOW // 1000 - ago for ago, _ in samples], **{k: [vs.get(k) for _, vs in samples] for k in names}}


def as_values(samples: Samples) -> Any:
    names = sorted({k for _, values in samples for k in values})
    return {k: [{"v": vs[k], "t": NOW // 1000 - ago} for ago, vs in samples if k in vs] for k in names}


def as_pairs(samples: Samples) -> Any:
    names = sorted({k for _, values in samples for k in values})
    return {k: [[NOW // 1000 - ago, vs[k]] for ago, vs in samples if k in vs] for k in names}


LAYOUTS = [
    ("", as_list),
    ("samples: a.b,", lambda s: {"a": {"b": as_list(s)}}),
    ("rows: {in: d, name: n, value: v, time: t},", as_rows),
    ("", as_columns),
    ("values: {value: v, time: t},", as_values),
    ("values: [time, value],", as_pairs),
]


@pytest.mark.parametrize(("layout", "encode"), LAYOUTS, ids=["list", "samples", "rows", "columns", "objects", "pairs"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(_SAMPLES, min_size=1, max_size=3))
def test_what_is_encoded_comes_out_again(gateway, layout, encode, batches: list[Samples]):
    gw = gateway(f"{{topic: gw, {layout} {_MAPPED}}}")
    for samples in batches:
        got = gw(encode(samples))
        wanted = sorted((_POINTS[k], -ago / 1000, float(v)) for ago, vs in samples for k, v in vs.items())
        assert sorted(r[:3] for r in got) == wanted
        assert gw.rejections == []


_LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5)
    | st.sampled_from(["231.5", "0x1F", "ON", "good", "bad", "ua", "A1", NOW // 1000, NOW // S, "2026-03-02T11:59:00"])
)  # fmt: skip
_JSON = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["t", "ts", "d", "n", "v", "q", "dev", "ua", "ub", "uc", "x"]), inner, max_size=5
        )
    ),
    max_leaves=25,
)
HOSTILE = [
    "", "samples: d,", "rows: {in: d, name: n, value: v, time: t, quality: q},", "rows: {name: n, value: v},",
    "values: {value: v, time: t, quality: q},", "values: [value, time, quality],", "quality: q,",
    "samples: d, rows: {in: d, name: n, value: v},", "where: {key: dev, equals: A1},",
    "samples: d, where: {key: dev, equals: A1}, values: {value: v, time: t},",
]  # fmt: skip


@pytest.mark.parametrize("layout", HOSTILE)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payloads=st.lists(_JSON.map(lambda d: json.dumps(d).encode()) | st.binary(max_size=30), min_size=1, max_size=4))
def test_whatever_comes_is_stored_or_told(gateway, layout, payloads: list[bytes]):
    gw = gateway(f"{{topic: gw, {layout} {_MAPPED.replace('uc', '{key: uc, bit: 2}')}}}")
    alone = [Gateway(gw.site) for _ in payloads]
    for payload, fresh in zip(payloads * 2, alone * 2, strict=True):
        got = gw(payload)
        assert all(math.isfinite(r[2]) for r in got)
        assert all(r.detail and r.count >= 1 for r in gw.rejections)
        if not got and not gw.rejections:
            # A missing value is neither a reading nor a mistake, and a time alone is nothing at all.
            assert any(word in payload for word in (b"null", b'"t"', b'"ts"'))
        # A layout that was seen before is decoded like one that was not.
        assert (got, gw.reasons) == (fresh(payload), fresh.reasons)


def test_each_machine_on_a_shared_topic_has_a_clock_of_its_own(gateway):
    gw = gateway(*TWO)
    seen: dict[str, list[int]] = {"A1": [], "7": []}
    for minute in range(3):
        for name, late_s in (("A1", 8 * 3600), ("7", 0)):
            t = NOW // S + 60 * minute - late_s
            got = gw({"dev": name, "ts": t, "ua": 1}, arrival_us=NOW + 60 * minute * S)
            seen[name] += [quality for *_, quality in got]
    assert seen == {"A1": [HISTORICAL, CLOCK_SUSPECT, CLOCK_SUSPECT], "7": [GOOD] * 3}


def test_numbers_written_as_text_are_numbers_also_in_a_known_layout(gateway):
    gw = gateway("{topic: gw, points: {voltage_a: ua, voltage_b: ub}}")
    for _ in range(2):
        assert [r[2] for r in gw({"ua": "229.5", "ub": 230})] == [229.5, 230]
        assert [r[2] for r in gw({"ua": "x", "ub": 230})] == [230]
        assert gw.reasons == {"not-a-number": 1}


def test_keys_that_the_site_file_names_for_time_machine_and_quality_are_not_unknown(gateway):
    gw = gateway(
        "{topic: gw, time: {key: [head.t, head.sent]}, where: {key: head.dev, equals: A}, quality: head.q, "
        "points: {voltage_a: ua}}"
    )
    for _ in range(2):
        head = {"t": NOW // S - 1, "sent": NOW // S, "dev": "A", "q": "good"}
        assert gw({"head": head, "ua": 1}) == [("f1/voltage_a", -1, 1, GOOD)]
        assert gw.rejections == []


_NESTED = (
    "points: {voltage_a: d.ua, voltage_b: d.n.0, voltage_c: d.n.1.v, current_a: x}, time: {key: [t, d.t]}, ignore: [v]"
)
_INNER = st.dictionaries(
    st.sampled_from(["ua", "n", "t", "q", "a:b"]),
    _LEAVES | st.lists(_LEAVES | st.dictionaries(st.just("v"), _LEAVES), max_size=3),
    max_size=4,
)
_OUTER = st.dictionaries(st.sampled_from(["d", "x", "t", "v", "d.ua"]), _LEAVES | _INNER, max_size=4)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payloads=st.lists(_OUTER, min_size=1, max_size=4))
def test_a_known_nested_layout_is_decoded_like_an_unknown_one(gateway, payloads: list[Any]):
    gw = gateway(f"{{topic: gw, {_NESTED}}}")
    for payload in payloads * 2:
        fresh = Gateway(gw.site)
        assert (gw(payload), gw.reasons) == (fresh(payload), fresh.reasons)


def test_a_key_that_stands_twice_is_seen_in_a_known_nested_layout_too(gateway):
    gw = gateway("{topic: gw, points: {voltage_a: d.ua}}")
    for _ in range(2):
        assert len(gw(b'{"d": {"ua": 1, "at": "10:20"}}')) == 1
        assert gw(b'{"d": {"ua": 1, "ua": 2, "at": "10:20"}}') == []
        assert gw.reasons["duplicate-key"] == 1
