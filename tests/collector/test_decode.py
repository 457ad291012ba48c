"""Payloads become readings, and what is wrong with a payload is told, value by value."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.arrivals import ArrivalLedger
from collector.decode import Decoder
from collector.mapping import TopicMap
from facility.readings import CLOCK_SUSPECT, GOOD, HISTORICAL, OUT_OF_RANGE
from facility.site import Site

NOW = int(datetime(2026, 3, 2, 4, 0, tzinfo=UTC).timestamp()) * 1_000_000
F1 = "demo/power-1/f1/telemetry"
DTU = "field/dtu-7/up"
MIB = 1024 * 1024

Message = tuple[str, bytes]


class Decoded:
    """What came of some messages."""

    def __init__(self, site: Site, messages: list[Message], *, retained: bool = False) -> None:
        topics = TopicMap(site)
        decoder = Decoder(topics, ArrivalLedger(None), MIB)
        for number, (topic, payload) in enumerate(messages, 1):
            decoder.add(topic, payload, NOW, number, False, retained)
        self.draft = decoder.take()
        self.batch = self.draft.batch(topics)

    @property
    def readings(self) -> list[tuple[str, int, float, int]]:
        b = self.batch
        keys = [b.table.key(i) for i in b.point.tolist()]
        return list(zip(keys, b.time_us.tolist(), b.value.tolist(), b.quality.tolist(), strict=True))

    @property
    def values(self) -> dict[str, float]:
        return {key: value for key, _, value, _ in self.readings}

    @property
    def reasons(self) -> dict[str, int]:
        return {row.reason: row.count for row in self.draft.rejections}

    @property
    def details(self) -> str:
        return "; ".join(row.detail for row in self.draft.rejections)


@pytest.fixture
def decode(site: Site) -> Callable[..., Decoded]:
    """Decode messages given as (topic, payload) or payloads of feeder 1."""

    def run(*messages: Any, retained: bool = False) -> Decoded:
        pairs = [m if isinstance(m, tuple) else (F1, m) for m in messages]
        raw = [(t, p if isinstance(p, bytes) else p.encode() if isinstance(p, str) else json.dumps(p).encode())
               for t, p in pairs]  # fmt: skip
        return Decoded(site, raw, retained=retained)

    return run


def test_one_message_carries_many_values_of_one_time(decode):
    at = NOW - 5_000_000
    got = decode({"ts": at // 1000, "voltage_a": 231.5, "voltage_b": 230, "current_a": 12})
    assert got.readings == [("f1/voltage_a", at, 231.5, GOOD), ("f1/voltage_b", at, 230.0, GOOD),
                            ("f1/current_a", at, 12.0, GOOD)]  # fmt: skip
    assert got.reasons == {}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (1772424000, "2026-03-02T04:00:00+00:00"),
        (1772424000.123456, "2026-03-02T04:00:00.123456+00:00"),
        (1772424000123, "2026-03-02T04:00:00.123+00:00"),
        (1772424000123.5, "2026-03-02T04:00:00.123500+00:00"),
        (1772424000123456, "2026-03-02T04:00:00.123456+00:00"),
        (1772424000123456789, "2026-03-02T04:00:00.123456+00:00"),
        ("1772424000123", "2026-03-02T04:00:00.123+00:00"),
        ("2026-03-02T04:00:00Z", "2026-03-02T04:00:00+00:00"),
        ("2026-03-02T12:00:00.000001+08:00", "2026-03-02T04:00:00.000001+00:00"),
        ("2026-03-02T12:00:00", "2026-03-02T04:00:00+00:00"),  # no zone: the site's
        ("2026/03/02 12:00:00", "2026-03-02T04:00:00+00:00"),
        (1704067200, "2024-01-01T00:00:00+00:00"),
    ],
)
def test_times_are_understood_to_the_microsecond_whatever_their_unit(decode, raw, expected):
    right = round(datetime.fromisoformat(expected).timestamp() * 1e6)
    assert [at for _, at, _, _ in decode({"ts": raw, "voltage_a": 230}).readings] == [right]
    # and the second time, when the layout is known
    assert [at for _, at, _, _ in decode({"ts": raw, "voltage_a": 230}, {"ts": raw, "voltage_a": 1}).readings] == (
        [right] * 2
    )


@pytest.mark.parametrize("key", ["ts", "time", "timestamp", "t", "datetime"])
def test_the_usual_time_keys_are_tried_when_none_is_configured(decode, key):
    assert decode({"voltage_a": 230, key: NOW // 1000 - 7}).readings == [
        ("f1/voltage_a", NOW - 7000, 230.0, GOOD)
    ]  # fmt: skip


def test_a_configured_time_key_frees_the_usual_ones_for_values(decode):
    got = decode(("field/ms", {"t": 229, "clock": NOW // 1000}), ("field/ms", {"t": 228, "clock": NOW // 1000 - 1}))
    assert got.readings == [("secs/voltage_a", NOW, 229.0, GOOD), ("secs/voltage_a", NOW - 1000, 228.0, GOOD)]


def test_a_message_without_a_time_has_the_time_of_its_arrival(decode):
    assert decode({"voltage_a": 230}).readings == [("f1/voltage_a", NOW, 230.0, GOOD)]
    assert decode({"ts": None, "voltage_a": 230}).readings == [("f1/voltage_a", NOW, 230.0, GOOD)]


def test_a_retained_message_without_a_time_may_be_old_and_is_marked(decode):
    assert decode({"voltage_a": 230}, retained=True).readings[0][3] == HISTORICAL | CLOCK_SUSPECT
    assert decode({"ts": NOW // 1000, "voltage_a": 230}, retained=True).readings[0][3] == GOOD


def test_a_reading_older_than_ten_minutes_is_history(decode):
    edge = NOW - 600_000_000
    assert decode({"ts": edge, "voltage_a": 230}).readings[0][3] == GOOD
    assert decode({"ts": edge - 1, "voltage_a": 230}).readings[0][3] == HISTORICAL


def test_a_value_outside_what_is_physically_possible_is_stored_and_marked(decode):
    qualities = {k: q for k, _, _, q in decode({"voltage_a": 301, "voltage_b": 300, "breaker_closed": 7}).readings}
    assert qualities == {"f1/voltage_a": OUT_OF_RANGE, "f1/voltage_b": GOOD, "f1/breaker_closed": OUT_OF_RANGE}


def test_text_that_is_a_number_true_and_state_words_are_numbers(decode):
    got = decode({"voltage_a": " 231.5 ", "voltage_b": "-1e2", "breaker_closed": "ON", "breaker_trip": "tripped"})
    assert got.values == {"f1/voltage_a": 231.5, "f1/voltage_b": -100.0, "f1/breaker_closed": 1.0,
                          "f1/breaker_trip": 1.0}  # fmt: skip
    assert decode({"breaker_closed": True, "breaker_trip": False}).values == {"f1/breaker_closed": 1.0,
                                                                             "f1/breaker_trip": 0.0}  # fmt: skip
    assert got.reasons == {}


def test_null_is_a_missing_value_and_no_reading(decode):
    got = decode({"voltage_a": None, "voltage_b": 230})
    assert got.values == {"f1/voltage_b": 230.0}
    assert got.reasons == {}


def test_nested_keys_scales_units_and_the_sites_own_words(decode):
    got = decode(
        (DTU, {"data": {"when": "2026-03-02T11:59:00", "phase": {"ua": "229.9"}, "p": 1500, "ia": 250, "cb": "合"}})
    )
    assert got.values == pytest.approx(
        {"dtu/voltage_a": 229.9, "dtu/active_power": 1.5, "dtu/current_a": 3.5, "dtu/breaker_closed": 1.0}
    )
    assert {at for _, at, _, _ in got.readings} == {NOW - 60_000_000}
    assert got.reasons == {}


@pytest.mark.parametrize(
    ("payload", "value"),
    [("231.5", 231.5), (" 231.5\n", 231.5), ('"231.5"', 231.5), ("1e2", 100.0), ("true", 1.0), ("\ufeff230", 230.0)],
)
def test_a_plain_topic_carries_one_value(decode, payload, value):
    assert decode(("field/meter/U1", payload)).readings == [("plain/voltage_a", NOW, value, GOOD)]
    assert decode(("demo/power-1/f1/voltage_a", payload)).readings == [("f1/voltage_a", NOW, value, GOOD)]


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-Infinity", '"abc"', '"nan"', '"0x10"', '"1_000"', "[1]", "{}",
                                 "1" * 5000, '"' + "9" * 400 + '"'])  # fmt: skip
def test_a_bad_value_is_named_in_the_quarantine_and_the_good_ones_are_stored(decode, bad):
    got = decode('{"voltage_a": 230, "voltage_b": ' + bad + ', "voltage_c": 231}')
    assert got.values == {"f1/voltage_a": 230.0, "f1/voltage_c": 231.0}
    assert got.reasons == {"not-a-number": 1}
    assert "'voltage_b' is" in got.details


def test_unknown_keys_are_counted_and_listed_once_a_topic_and_the_rest_is_stored(decode):
    message = {"ts": NOW // 1000, "voltage_a": 230, "rssi": -70, "fw": "1.2"}
    got = decode(message, message, message)
    assert got.values == {"f1/voltage_a": 230.0}
    assert len(got.readings) == 3
    assert got.reasons == {"unknown-key": 3}
    assert "'rssi', 'fw'" in got.details


def test_of_a_key_that_stands_twice_no_value_is_believed(decode):
    good = b'{"voltage_a": 230, "voltage_b": 231}'
    for twice in (
        b'{"voltage_a": 230, "voltage_b": 231, "voltage_b": 9}',
        b'{"voltage_a":230,"voltage_b" : 1,"voltage_b":9}',
    ):
        got = decode(good, twice)
        assert [r[0] for r in got.readings] == ["f1/voltage_a", "f1/voltage_b", "f1/voltage_a"]
        assert got.reasons == {"duplicate-key": 1}
        assert "'voltage_b' stands twice" in got.details
    nested = b'{"data": {"when": "2026-03-02T11:59:00", "p": 1, "p": 2, "ia": 1}}'
    assert decode((DTU, nested)).reasons == {"duplicate-key": 1}
    assert "'data.p' stands twice" in decode((DTU, nested)).details


@pytest.mark.parametrize(
    ("topic", "payload", "reason", "words"),
    [
        (F1, b"", "empty-payload", "empty"),
        (F1, b"  \n", "empty-payload", "empty"),
        (F1, b"{bad", "broken-json", "byte 1"),
        (F1, b'{"voltage_a": 230', "broken-json", "not JSON"),
        (F1, b'{"voltage_a": 230} trailing', "broken-json", "not JSON"),
        (F1, b"\xff\xfe{}", "not-utf8", "byte 0"),
        (F1, b'{"voltage_a": "\xff"}', "not-utf8", "byte 15"),
        (F1, b"[1, 2]", "not-an-object", "[0]: this is a JSON number"),
        (F1, b"23.5", "not-an-object", "format: plain"),
        (F1, b"null", "not-an-object", "null"),
        (F1, b"{}", "no-values", "empty"),
        (F1, b'{"voltage_a":' * 5000 + b"1" + b"}" * 5000, "too-deep", "flat JSON"),
        (F1, b"[" * 100_000, "too-deep", "flat JSON"),
        (F1, b'{"voltage_a": 1, "x": "' + b"y" * MIB + b'"}', "payload-too-large", "smaller messages"),
        (F1, b'{"ts": 12, "voltage_a": 230}', "time-implausible", "1970-01-01T00:00:12+00:00 lies before 2000"),
        (F1, b'{"ts": "2027-03-02T12:00:00", "voltage_a": 230}', "time-implausible", "525,600 min ahead"),
        (F1, b'{"ts": -1, "voltage_a": 230}', "time-implausible", "before 2000"),
        (F1, b'{"ts": 1e300, "voltage_a": 230}', "time-implausible", "outside all calendars"),
        (F1, b'{"ts": "yesterday", "voltage_a": 230}', "time-unreadable", "'yesterday' is neither"),
        (F1, b'{"ts": true, "voltage_a": 230}', "time-unreadable", "True is neither"),
        (F1, b'{"ts": {}, "voltage_a": 230}', "time-unreadable", "neither a number nor ISO 8601"),
        (F1, b'{"ts": 1772424000, "ts": 5, "voltage_a": 230}', "time-unreadable", "'ts' stands twice"),
        ("field/meter/U1", b"", "empty-payload", "empty"),
        ("field/meter/U1", b"n/a", "not-a-number", "the payload is 'n/a'"),
        ("field/meter/U1", b"nan", "not-a-number", "the payload is 'nan'"),
        ("field/meter/U1", b"\xff", "not-utf8", "UTF-8"),
        ("demo/power-1/f9/telemetry", b"{}", "unknown-topic", "no equipment 'f9' in the site file; write one of"),
        ("demo/power-2/f1/telemetry", b"{}", "unknown-topic", "stands in room 'power-1', not 'power-2'"),
        ("demo/power-1/f1/voltage_d", b"1", "unknown-topic", "no measured point 'voltage_d'; did you mean 'voltage_"),
        ("demo/power-1/f1/load", b"1", "unknown-topic", "no measured point 'load'"),
        ("somewhere/else", b"1", "unknown-topic", "fits no pattern"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_told_with_its_reason_and_mend(decode, topic, payload, reason, words):
    good = {"ts": NOW // 1000, "voltage_a": 230}
    got = decode(good, (topic, payload), good)
    assert got.reasons == {reason: 1}
    assert words in got.details
    assert len(got.readings) == 2  # and the messages around it are not lost
    (row,) = got.draft.rejections
    assert row.payload == payload[: 64 * 1024]
    assert row.payload_size == len(payload)


def test_a_value_that_scaling_makes_infinite_is_rejected_alone(site: Site):
    topics = TopicMap(site)
    decoder = Decoder(topics, ArrivalLedger(None), MIB)
    decoder.add(DTU, b'{"data": {"p": 1, "ia": 1}}', NOW, 1, False, False)
    draft = decoder.take()
    draft.value[1] = math.inf
    assert len(draft.batch(topics)) == 1
    assert [r.reason for r in draft.rejections] == ["not-a-number"]


def test_commands_to_a_simulator_are_none_of_telemetrys_business(decode):
    got = decode(("demo/simulator/command", {"fault": "MG-F01"}))
    assert got.readings == []
    assert got.reasons == {}
    assert got.draft.mids == [1]


def test_a_payload_of_ever_new_layouts_does_not_grow_the_memory(site: Site):
    topics = TopicMap(site)
    decoder = Decoder(topics, ArrivalLedger(None), MIB)
    for i in range(200):
        decoder.add(F1, json.dumps({f"k{i}": 1, "voltage_a": 2}).encode(), NOW, 0, False, False)
    plan = topics.resolve(F1)
    assert len(plan.shapes) <= 16  # type: ignore[union-attr, arg-type]
    assert len(decoder.take().slot) == 200


def test_a_long_key_over_many_inner_keys_costs_no_more_than_the_payload(decode):
    inner = ",".join(f'"{i}":1' for i in range(20_000))
    got = decode('{"' + "k" * 500_000 + '":{' + inner + '}, "voltage_a": 230}')
    assert got.values == {"f1/voltage_a": 230.0}
    assert got.reasons == {"unknown-key": 1}
    assert len(got.details) < 2100


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=True), st.text(max_size=8),
    st.sampled_from(["231.5", "ON", "closed", "2026-03-02T11:59:00", NOW // 1000, 12]),
)  # fmt: skip
_KEYS = st.sampled_from(["ts", "voltage_a", "voltage_b", "breaker_closed", "x", "data", "data.p"])
_OBJECTS = st.dictionaries(_KEYS, st.one_of(_SCALARS, st.lists(_SCALARS, max_size=2),
                                            st.dictionaries(_KEYS, _SCALARS, max_size=3)), max_size=6)  # fmt: skip
_PAYLOADS = st.one_of(st.binary(max_size=40), _OBJECTS.map(lambda o: json.dumps(o).encode()), _SCALARS.map(
    lambda s: json.dumps(s).encode()))  # fmt: skip
_TOPICS = st.one_of(
    st.sampled_from([F1, DTU, "field/meter/U1", "demo/power-1/f1/breaker_closed"]), st.text(max_size=20)
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_TOPICS, _PAYLOADS), max_size=6))
def test_whatever_comes_is_stored_or_told_and_every_message_is_acknowledged(site: Site, messages: list[Message]):
    got = Decoded(site, messages)
    assert got.draft.mids == list(range(1, len(messages) + 1))
    for key, at, value, _ in got.readings:
        assert key in site.points.index
        assert math.isfinite(value)
        assert 946_684_800_000_000 <= at <= NOW + 600_000_000
    assert all(row.detail and row.count >= 1 for row in got.draft.rejections)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_OBJECTS.map(lambda o: (F1, json.dumps(o).encode())), min_size=2, max_size=5))
def test_a_known_layout_is_decoded_like_an_unknown_one(site: Site, messages: list[Message]):
    together = Decoded(site, messages * 2)
    apart = [Decoded(site, [message]) for message in messages * 2]
    assert together.readings == [reading for one in apart for reading in one.readings]
    counts: dict[str, int] = {}
    for one in apart:
        for reason, count in one.reasons.items():
            counts[reason] = counts.get(reason, 0) + count
    assert together.reasons == counts
