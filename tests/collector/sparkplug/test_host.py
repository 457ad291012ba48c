"""From messages to readings, marks of stale points, and words on what could not be read."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.arrivals import ArrivalLedger
from collector.decode import Decoder, Draft
from collector.mapping import TopicMap
from collector.sparkplug.births import Births, offline_points
from collector.sparkplug.host import SparkplugHost
from collector.sparkplug.payload import COMPRESSED
from collector.sparkplug.sequence_file import SequenceFile
from facility.database import Database
from facility.readings import CLOCK_SUSPECT, GOOD, HISTORICAL, OUT_OF_RANGE
from facility.site import Site
from facility.site_file import load_site
from facility.sparkplug_payload import Payload

MS = 1_000
NOW = 1_772_424_000_000 * MS
ROOT = "spBv1.0/Hospital"
NBIRTH, NDATA, NDEATH = (f"{ROOT}/{kind}/edge-1" for kind in ("NBIRTH", "NDATA", "NDEATH"))
DBIRTH, DDATA, DDEATH = (f"{ROOT}/{kind}/edge-1/dev-7" for kind in ("DBIRTH", "DDATA", "DDEATH"))
INT16, FLOAT, DOUBLE, BOOLEAN, STRING, DATASET = 2, 9, 10, 11, 12, 16
ALIASES = {"Electrical/Voltage A": 3, "Electrical/Current A": 4, "Electrical/Power": 5, "Breaker": 6, "Other": 9}
TYPES = {3: FLOAT, 4: INT16, 5: DOUBLE, 6: STRING, 9: FLOAT}
UNIT_SITE = """
site: {id: demo, name: {zh: 示范, en: Demo}}
equipment:
  - id: f1
    class: lv_feeder
    rating: {current: 400 A}
    telemetry:
      {format: sparkplug, group: Hospital, node: edge-1, device: dev-7, points: {active_power: Electrical/Power}}
"""
FIELDS = {FLOAT: "float_value", INT16: "int_value", DOUBLE: "double_value", STRING: "string_value"}


def payload(seq: int | None = None, at: int | None = NOW, **more: Any) -> Any:
    made = Payload(**more)
    if at is not None:
        made.timestamp = at // MS
    if seq is not None:
        made.seq = seq
    return made


def birth(seq: int, **values: Any) -> Any:
    """A device's birth with all metrics; those without a value are null."""
    made = payload(seq)
    for name, alias in ALIASES.items():
        kind = TYPES[alias]
        value = values.get(name.split("/")[-1].replace(" ", "_"))
        told = {"is_null": True} if value is None else {FIELDS[kind]: value}
        made.metrics.add(name=name, alias=alias, datatype=kind, **told)
    return made


def data(seq: int, at: int | None = NOW, **by_alias: Any) -> Any:
    """Data by alias: `a3=230.0`."""
    made = payload(seq, at)
    for name, value in by_alias.items():
        alias = int(name[1:])
        made.metrics.add(alias=alias, **{FIELDS[TYPES[alias]]: value})
    return made


class Reader:
    """A decoder with a Sparkplug host, fed by hand."""

    def __init__(
        self, site: Site | TopicMap, births: Births | None = None, sequence: SequenceFile | None = None
    ) -> None:
        self.topics = TopicMap(site) if isinstance(site, Site) else site
        self.host = SparkplugHost(self.topics, births, sequence)
        self.decoder = Decoder(self.topics, ArrivalLedger(None), 1024 * 1024, self.host)
        self.sent: list[str] = []
        self.host.send = lambda topic, _payload: self.sent.append(topic)
        self.now = NOW

    def hear(self, topic: str, message: Any, **more: Any) -> Draft:
        raw = message if isinstance(message, bytes) else message.SerializeToString()
        told = {"mid": 0, "dup": False, "retained": False} | more
        self.decoder.add(topic, raw, self.now, told["mid"], told["dup"], told["retained"])
        return self.decoder.draft

    def wait(self, seconds: float) -> Draft:
        self.now += int(seconds * 1_000_000)
        self.host.tick(self.decoder.draft, self.now)
        return self.decoder.draft

    def born(self) -> Reader:
        self.hear(NBIRTH, payload(0))
        self.hear(DBIRTH, birth(1, Voltage_A=230.0, Breaker="closed"))
        self.decoder.take()
        return self

    def values(self, draft: Draft | None = None) -> dict[str, tuple[float, int, int]]:
        """Value, time and quality of each point in the draft; the last one counts."""
        batch = (draft or self.decoder.draft).batch(self.topics)
        rows = zip(
            batch.point.tolist(), batch.value.tolist(), batch.time_us.tolist(), batch.quality.tolist(), strict=True
        )
        return {self.topics.site.points.key(p): (v, t, q) for p, v, t, q in rows}

    def stale(self) -> dict[str, int]:
        return {self.topics.site.points.key(p): m.at_us for p, m in self.decoder.draft.sparkplug.stale.items()}

    def refused(self) -> dict[str, str]:
        return {row.reason: row.detail for row in self.decoder.draft.rejections}


@pytest.fixture
def reader(site: Site) -> Reader:
    """A host that knows nothing yet."""
    return Reader(site)


@pytest.fixture
def living(site: Site) -> Reader:
    """A host that has heard the births; the next number is 2."""
    return Reader(site).born()


def test_metrics_become_points_with_scale_unit_and_words(living):
    living.hear(DDATA, data(2, a3=231.5, a4=0xFFF4, a5=1500.0, a6="open"))
    assert living.values() == {
        "f1/voltage_a": (231.5, NOW, GOOD),
        "f1/current_a": (pytest.approx(-1.2), NOW, OUT_OF_RANGE),  # a negative current is kept, and marked
        "f1/active_power": (1.5, NOW, GOOD),
        "f1/breaker_closed": (0.0, NOW, GOOD),
    }
    assert not living.refused()


def test_each_metric_may_have_its_own_time(living):
    message = payload(2)
    message.metrics.add(alias=3, float_value=1.0, timestamp=NOW // MS - 5_000)
    message.metrics.add(alias=5, double_value=2.0)
    living.hear(DDATA, message)
    assert {k: t for k, (_, t, _) in living.values().items()} == {
        "f1/voltage_a": NOW - 5_000_000,
        "f1/active_power": NOW,
    }


def test_a_message_without_any_time_is_of_its_arrival(living):
    living.now += 777
    living.hear(DDATA, data(2, at=None, a3=1.0))
    assert living.values()["f1/voltage_a"][1] == NOW + 777


def test_a_birth_tells_what_holds_when_it_is_sent(reader):
    message = birth(1, Voltage_A=230.0)
    message.metrics[0].timestamp = NOW // MS - 3_600_000
    reader.hear(NBIRTH, payload(0))
    reader.hear(DBIRTH, message)
    assert reader.values()["f1/voltage_a"] == (230.0, NOW, GOOD)


def test_history_is_stored_as_such(living):
    message = payload(2)
    message.metrics.add(alias=3, float_value=1.0, timestamp=NOW // MS - 5_000, is_historical=True)
    living.hear(DDATA, message)
    assert living.values()["f1/voltage_a"] == (1.0, NOW - 5_000_000, HISTORICAL)


def test_what_is_late_is_history_though_nobody_says_so(living):
    living.hear(DDATA, data(2, at=NOW - 3_600_000_000, a3=1.0))
    assert living.values()["f1/voltage_a"][2] == HISTORICAL


def test_a_clock_ahead_is_not_believed(living):
    living.hear(DDATA, data(2, at=NOW + 60_000_000, a3=1.0))
    assert living.values()["f1/voltage_a"][2] == CLOCK_SUSPECT


def test_an_impossible_time_is_refused_with_its_values(living):
    living.hear(DDATA, data(2, at=1_000_000, a3=1.0))
    assert "time-implausible" in living.refused()
    assert not living.values()


def test_null_is_no_reading_and_the_point_has_no_value_any_more(living):
    message = payload(2)
    message.metrics.add(alias=3, is_null=True)
    living.hear(DDATA, message)
    assert not living.values()
    assert living.stale() == {"f1/voltage_a": NOW}
    assert not living.refused()


def test_what_the_device_calls_bad_is_no_reading_and_is_told(living):
    message = payload(2)
    one = message.metrics.add(alias=3, float_value=999.0)
    one.properties.keys.append("Quality")
    one.properties.values.add(type=3, int_value=500)
    living.hear(DDATA, message)
    assert not living.values()
    assert living.stale() == {"f1/voltage_a": NOW}
    assert "Electrical/Voltage A" in living.refused()["sparkplug-bad-quality"]


def test_a_bad_value_beside_readings_holds_no_reading_back(living):
    message = data(2, a5=1500.0)
    one = message.metrics.add(alias=3, float_value=999.0)
    one.properties.keys.append("Quality")
    one.properties.values.add(type=3, int_value=500)
    living.hear(DDATA, message)
    assert [(row.reason, row.stored) for row in living.decoder.draft.rejections] == [("sparkplug-bad-quality", True)]
    living.decoder.take()
    message.metrics.pop(0)
    message.seq = 3
    living.hear(DDATA, message)
    assert [row.stored for row in living.decoder.draft.rejections] == [False]


def test_a_value_after_a_null_makes_the_point_fresh(living):
    message = payload(2)
    message.metrics.add(alias=3, is_null=True)
    living.hear(DDATA, message)
    living.hear(DDATA, data(3, a3=1.0))
    assert living.stale() == {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"alias": 6, "string_value": "ajar"}, "'Breaker' is 'ajar'"),
        ({"alias": 3, "float_value": float("nan")}, "'Electrical/Voltage A' is nan"),
        (
            {"name": "Electrical/Power", "datatype": DATASET, "dataset_value": b"\x01"},
            "'Electrical/Power' is a DataSet",
        ),
        ({"name": "Electrical/Power", "datatype": 99, "bytes_value": b"\x01"}, "'Electrical/Power' is a type 99"),
    ],
)
def test_what_is_no_number_is_told_and_the_rest_is_stored(living, fields, words):
    message = data(2, a4=7)
    message.metrics.add(**fields)
    living.hear(DDATA, message)
    assert words in living.refused()["not-a-number"]
    assert list(living.values()) == ["f1/current_a"]


def test_a_metric_that_nobody_mapped_is_counted(living):
    living.hear(DDATA, data(2, a9=1.0, a3=2.0))
    assert "'Other'" in living.refused()["unknown-key"]
    assert list(living.values()) == ["f1/voltage_a"]


def test_the_nodes_own_business_is_not_missed(reader):
    message = payload(0)
    message.metrics.add(name="bdSeq", datatype=4, long_value=1)
    message.metrics.add(name="Node Control/Rebirth", datatype=BOOLEAN, boolean_value=False)
    reader.hear(NBIRTH, message)
    assert not reader.refused()


@pytest.mark.parametrize(
    ("topic", "mend"),
    [
        (f"{ROOT}/DDATA/edge-1/dev-8", "group: Hospital, node: edge-1, device: dev-8}"),
        (f"{ROOT}/NDATA/edge-9", "group: Hospital, node: edge-9}"),
        (f"{ROOT}/DDATA/edge-1", "no topic of Sparkplug's"),
        ("spBv1.0/STATE/somebody", "no topic of Sparkplug's"),
    ],
)
def test_what_nobody_reports_on_is_told_with_its_mend(living, topic, mend):
    living.hear(topic, data(2, a3=1.0))
    assert mend in living.refused()["unknown-topic"]
    assert not living.values()


def test_commands_to_nodes_are_none_of_our_business(living):
    draft = living.hear(f"{ROOT}/NCMD/edge-1", b"whatever", mid=5)
    assert draft.mids == [5]
    assert not living.refused()


def test_a_retained_message_is_not_believed(living):
    living.hear(DBIRTH, birth(2, Voltage_A=1.0), retained=True)
    assert "sparkplug-retained" in living.refused()
    assert not living.values()


def test_a_unit_that_the_mapping_takes_for_another_is_told(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(UNIT_SITE, encoding="utf-8")
    reader = Reader(load_site(path))
    message = birth(1, Power=1500.0)
    message.metrics[2].properties.keys.append("engUnit")
    message.metrics[2].properties.values.add(type=STRING, string_value="W")
    reader.hear(NBIRTH, payload(0))
    reader.hear(DBIRTH, message)
    assert "'Electrical/Power' comes in W, f1/active_power is kept in kW" in reader.refused()["sparkplug-unit"]


# --- waiting


def test_an_alias_that_two_metrics_bear_puts_no_value_into_either_point(reader):
    reader.hear(NBIRTH, payload(0))
    doubled = birth(1, Voltage_A=230.0, Current_A=4)
    doubled.metrics[1].alias = doubled.metrics[0].alias
    reader.hear(DBIRTH, doubled)
    assert reader.values()["f1/voltage_a"][0] == 230.0  # the birth itself says names
    reader.decoder.take()
    reader.hear(DDATA, data(2, a3=1.0))
    reader.hear(DDATA, data(3, a5=1500.0))  # an alias of its own
    named = payload(4)
    named.metrics.add(name="Electrical/Voltage A", alias=3, float_value=231.0)
    reader.hear(DDATA, named)
    assert {key: told[0] for key, told in reader.values().items()} == {"f1/active_power": 1.5, "f1/voltage_a": 231.0}
    reader.wait(10)
    assert "alias 3" in reader.refused()["sparkplug-no-birth"]


def test_data_wait_for_the_rebirth_that_is_asked_for(reader):
    draft = reader.hear(DDATA, data(7, a3=1.0), mid=11)
    assert reader.sent == [f"{ROOT}/NCMD/edge-1"]
    assert (draft.mids, draft.messages) == ([], 0)  # not acknowledged yet
    reader.now += 500_000
    reader.hear(NBIRTH, payload(0), mid=12)
    draft = reader.hear(DBIRTH, birth(1), mid=13)
    assert draft.mids == [12, 11, 13]
    assert draft.messages == 3
    assert reader.values()["f1/voltage_a"] == (1.0, NOW, GOOD)


def test_what_waited_in_vain_goes_to_the_quarantine_and_is_acknowledged(reader):
    reader.hear(DDATA, data(7, a3=1.0), mid=11)
    draft = reader.wait(10)
    assert draft.mids == [11]
    assert "alias 3" in reader.refused()["sparkplug-no-birth"]
    assert draft.messages == 1


def test_what_names_itself_and_its_type_is_stored_though_no_birth_comes(reader):
    message = payload(7)
    message.metrics.add(name="Electrical/Current A", datatype=INT16, int_value=20)
    message.metrics.add(alias=3, float_value=1.0)
    reader.hear(DDATA, message)
    reader.wait(10)
    assert list(reader.values()) == ["f1/current_a"]
    assert "alias 3" in reader.refused()["sparkplug-no-birth"]


def test_packet_ids_of_an_old_connection_are_not_acknowledged(reader):
    reader.hear(DDATA, data(7, a3=1.0), mid=11)
    reader.host.connected(reader.decoder.draft, reader.now)
    assert reader.wait(10).mids == []


def test_when_we_stop_only_what_the_broker_does_not_have_is_quarantined(reader):
    reader.hear(DDATA, data(7, a3=1.0), mid=11)
    reader.hear(DDATA, data(8, a3=2.0), mid=0)
    left = Draft()
    reader.host.give_up(left, reader.now)
    assert len(left.rejections) == 1
    assert left.mids == []


def test_a_metric_that_the_birth_did_not_name_is_read_and_a_rebirth_asked_for(living):
    message = payload(2)
    message.metrics.add(name="Electrical/New", datatype=FLOAT, float_value=1.0)
    message.metrics.add(name="Electrical/Voltage A", float_value=2.0)
    living.hear(DDATA, message)
    assert living.sent == [f"{ROOT}/NCMD/edge-1"]
    assert list(living.values()) == ["f1/voltage_a"]


def test_a_compressed_message_is_read(living):
    inner = data(2, a3=5.0).SerializeToString()
    living.hear(DDATA, Payload(uuid=COMPRESSED, body=zlib.compress(inner)))
    assert living.values()["f1/voltage_a"][0] == 5.0


# --- deaths


def test_a_devices_death_makes_its_points_stale_with_its_time(living):
    living.now += 2_000_000
    living.hear(DDEATH, payload(2, at=NOW + 1_000_000))
    assert living.stale()["f1/voltage_a"] == NOW + 1_000_000
    (notice,) = living.decoder.draft.sparkplug.notices()
    assert (notice.gateway, notice.device) == ("Hospital/edge-1", "dev-7")


def test_a_nodes_death_makes_all_its_points_stale_at_its_arrival(living):
    living.now += 2_000_000
    living.hear(NDEATH, payload(at=NOW))
    assert living.stale()["f1/voltage_a"] == NOW + 2_000_000
    (notice,) = living.decoder.draft.sparkplug.notices()
    assert (notice.gateway, notice.device) == ("Hospital/edge-1", None)


def test_a_birth_makes_points_fresh_that_have_a_value(living):
    living.hear(NDEATH, payload())
    living.hear(NBIRTH, payload(0))
    living.hear(DBIRTH, birth(1, Voltage_A=230.0))
    assert "f1/voltage_a" not in living.stale()
    assert "f1/active_power" in living.stale()


def test_history_makes_no_point_fresh(living):
    living.hear(DDEATH, payload(2))
    message = payload(4)
    message.metrics.add(alias=3, float_value=1.0, is_historical=True)
    living.hear(DBIRTH, birth(3))
    living.hear(DDATA, message)
    assert "f1/voltage_a" in living.stale()


# --- our own restart


@pytest.fixture
def again(site: Site, database: Database, tmp_path: Any) -> Callable[[], Reader]:
    """Make readers that find what the one before has kept."""

    def make() -> Reader:
        return Reader(site, Births(database), SequenceFile(tmp_path / "sequence"))

    return make


def committed(reader: Reader) -> Reader:
    reader.host.keep(reader.decoder.take())
    return reader


def test_after_a_restart_data_that_follow_on_are_understood_at_once(again):
    reader = again()
    reader.hear(NBIRTH, payload(0))
    reader.hear(DBIRTH, birth(1, Voltage_A=230.0))
    committed(reader)
    reader.hear(DDATA, data(2, a3=1.0))
    committed(reader)
    reader.hear(DDATA, data(3, a3=2.0))  # received, but lost with the process
    later = again()
    later.hear(DDATA, data(3, a3=2.0))
    assert later.values()["f1/voltage_a"][0] == 2.0
    assert later.sent == []


def test_after_a_restart_other_data_wait_for_a_rebirth(again):
    reader = again()
    reader.hear(NBIRTH, payload(0))
    reader.hear(DBIRTH, birth(1, Voltage_A=230.0))
    committed(reader)
    later = again()
    later.hear(DDATA, data(9, a3=2.0))
    assert not later.values()
    assert later.sent == [f"{ROOT}/NCMD/edge-1"]


def test_after_a_restart_the_dead_are_still_dead(again, site, database):
    reader = again()
    reader.hear(NBIRTH, payload(0))
    reader.hear(DBIRTH, birth(1, Voltage_A=230.0))
    committed(reader)
    reader.now += 5_000_000
    reader.hear(NDEATH, payload())
    committed(reader)
    index = site.points.index["f1/voltage_a"]
    for notices in (again().host.offline(), offline_points(site, Births(database))):
        (notice,) = notices
        assert index in notice.point
        assert notice.at_us == NOW + 5_000_000
    reader.hear(NBIRTH, payload(0))
    reader.hear(DBIRTH, birth(1, Voltage_A=230.0))
    committed(reader)
    assert again().host.offline() == []


def test_a_table_of_births_that_cannot_be_read_is_no_end(again, database):
    reader = again()
    reader.hear(NBIRTH, payload(0))
    committed(reader)
    record = next(iter(reader.host._records.values()))
    Births(database).save([replace(record, payload=b"\xff\xff")])
    assert again().hear(NDATA, data(1, a3=1.0)) is not None


# --- hostile


@pytest.fixture(scope="session")
def topics(site: Site) -> TopicMap:
    """The site's topics, worked out once."""
    return TopicMap(site)


METRIC = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from([*ALIASES, "bdSeq", "Node Control/Rebirth", "", "x" * 300]),
        "alias": st.integers(0, 12) | st.integers(0, 2**64 - 1),
        "timestamp": st.sampled_from([0, 1, NOW // MS, NOW // MS + 10**9, 2**64 - 1]),
        "datatype": st.integers(0, 40) | st.integers(0, 2**32 - 1),
        "is_historical": st.booleans(),
        "is_null": st.booleans(),
    },
)
VALUE = st.one_of(
    st.tuples(st.just("int_value"), st.integers(0, 2**32 - 1)),
    st.tuples(st.just("long_value"), st.integers(0, 2**64 - 1)),
    st.tuples(st.just("float_value"), st.floats(width=32)),
    st.tuples(st.just("double_value"), st.floats()),
    st.tuples(st.just("boolean_value"), st.booleans()),
    st.tuples(st.just("string_value"), st.text(max_size=20)),
    st.tuples(st.just("bytes_value"), st.binary(max_size=20)),
    st.none(),
)


@st.composite
def messages(draw: Any) -> tuple[str, bytes]:
    kind = draw(st.sampled_from(["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH", "NCMD", "XX"]))
    topic = f"{ROOT}/{kind}/edge-1" + ("/dev-7" if kind[0] == "D" else "")
    if draw(st.integers(0, 9)) == 0:
        return topic, draw(st.binary(max_size=60))
    made = Payload()
    if draw(st.booleans()):
        made.timestamp = draw(st.sampled_from([0, NOW // MS, 2**64 - 1]))
    if draw(st.integers(0, 9)):
        made.seq = draw(st.integers(0, 5) | st.integers(0, 300))
    for fields, value in draw(st.lists(st.tuples(METRIC, VALUE), max_size=4)):
        made.metrics.add(**fields, **(dict([value]) if value else {}))
    return topic, made.SerializeToString()


def check_run(topics: TopicMap, sent: list[tuple[tuple[str, bytes], float]]) -> None:
    """Send messages with pauses after them; each must be acknowledged once, and no later than its waiting ends."""
    reader = Reader(topics)
    mids = list(range(1, len(sent) + 1))
    acknowledged: list[int] = []
    for mid, ((topic, raw), pause) in zip(mids, sent, strict=True):
        reader.hear(topic, raw, mid=mid)
        reader.wait(pause)
        draft = reader.decoder.take()
        draft.batch(reader.topics)
        acknowledged += draft.mids
    draft = reader.wait(60)
    draft.batch(reader.topics)
    assert sorted(acknowledged + draft.mids) == mids


@settings(max_examples=100)
@given(st.lists(st.tuples(messages(), st.sampled_from([0.0, 0.1, 3.0, 11.0])), max_size=12))
def test_whatever_comes_is_stored_waits_or_is_told(topics, sent):
    check_run(topics, sent)
