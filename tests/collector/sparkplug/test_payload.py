"""Bytes of Sparkplug messages: what they hold, and every way in which they can be wrong."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sparkplug.metrics import is_believed, property_of, value_of
from collector.sparkplug.payload import COMPRESSED, bd_seq_of, read_payload, rebirth_command
from facility.errors import PayloadRejected
from facility.sparkplug_payload import Payload

LIMIT = 1_000_000
INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING, DATETIME = range(1, 14)
TEXT, UUID, DATASET, BYTES, FILE, TEMPLATE = range(14, 20)


def metric(**fields):
    payload = Payload()
    payload.metrics.add(**fields)
    return read_payload(payload.SerializeToString(), LIMIT).metrics[0]


@pytest.mark.parametrize(
    ("datatype", "fields", "value"),
    [
        (INT8, {"int_value": 255}, -1.0),  # two's complement in the type's own bits
        (INT8, {"int_value": 0xFFFF_FFFF}, -1.0),  # or in all 32
        (INT8, {"int_value": 127}, 127.0),
        (INT16, {"int_value": 0xFFFF_8000}, -32768.0),
        (INT32, {"int_value": 0xFFFF_FFFE}, -2.0),
        (INT32, {"long_value": 0xFFFF_FFFF_FFFF_FFFE}, -2.0),
        (INT64, {"long_value": 0xFFFF_FFFF_FFFF_FFFF}, -1.0),
        (INT64, {"int_value": 5}, 5.0),
        (UINT8, {"int_value": 255}, 255.0),
        (UINT16, {"int_value": 65535}, 65535.0),
        (UINT32, {"int_value": 0xFFFF_FFFF}, 4294967295.0),
        (UINT32, {"long_value": 0xFFFF_FFFF}, 4294967295.0),
        (UINT64, {"long_value": 2**63}, 9223372036854775808.0),
        (FLOAT, {"float_value": 0.5}, 0.5),
        (DOUBLE, {"double_value": -1e300}, -1e300),
        (DOUBLE, {"float_value": 2.0}, 2.0),
        (BOOLEAN, {"boolean_value": True}, True),
        (BOOLEAN, {"int_value": 1}, True),
        (STRING, {"string_value": "open"}, "open"),
        (TEXT, {"string_value": "3.5"}, "3.5"),
        (DATETIME, {"long_value": 1_772_424_000_000}, 1_772_424_000_000.0),
        (DATASET, {"dataset_value": b"\x08\x01"}, None),
        (TEMPLATE, {"template_value": b""}, None),
        (BYTES, {"bytes_value": b"abc"}, None),
        (FLOAT, {}, None),
    ],
)
def test_each_type_has_its_value(datatype, fields, value):
    found = value_of(metric(datatype=datatype, **fields), 0)
    assert found == value
    assert type(found) is type(value)


def test_the_births_type_counts_where_the_metric_names_none():
    assert value_of(metric(int_value=0xFFFF_FFF4), INT16) == -12.0
    assert value_of(metric(int_value=0xFFFF_FFF4), UINT32) == 4294967284.0


@pytest.mark.parametrize(("quality", "believed"), [(192, True), (0, False), (500, False), (64, True), (None, True)])
def test_a_device_may_say_that_a_value_is_bad(quality, believed):
    payload = Payload()
    one = payload.metrics.add(name="a", float_value=1.0)
    if quality is not None:
        one.properties.keys.append("Quality")
        one.properties.values.add(type=INT32, int_value=quality)
    assert is_believed(one) is believed


def test_properties_that_do_not_fit_together_are_none():
    payload = Payload()
    one = payload.metrics.add(name="a")
    one.properties.keys.extend(["engUnit", "Quality"])
    one.properties.values.add(type=STRING, string_value="kW")
    assert property_of(one, "engUnit") == "kW"
    assert property_of(one, "Quality") is None


@pytest.mark.parametrize("fold", [zlib.compress, gzip.compress])
def test_a_compressed_message_is_unfolded(fold):
    inner = Payload(seq=7)
    inner.metrics.add(name="a", float_value=1.5)
    outer = Payload(uuid=COMPRESSED, body=fold(inner.SerializeToString()))
    assert read_payload(outer.SerializeToString(), LIMIT) == inner


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xff\xff", "broken-sparkplug"),
        (b'{"json": 1}', "broken-sparkplug"),
        (Payload(uuid=COMPRESSED, body=b"not zlib").SerializeToString(), "broken-sparkplug"),
        (Payload(uuid=COMPRESSED, body=zlib.compress(b"x" * 90)[:-4]).SerializeToString(), "broken-sparkplug"),
        (Payload(uuid=COMPRESSED, body=zlib.compress(bytes(LIMIT + 1))).SerializeToString(), "payload-too-large"),
        (b"\x12\x00" * 50_001, "payload-too-large"),
    ],
    ids=["noise", "json", "not-zlib", "cut-short", "bomb", "metrics"],
)
def test_what_cannot_be_read_has_its_reason(data, reason):
    with pytest.raises(PayloadRejected) as error:
        read_payload(data, LIMIT)
    assert error.value.reason == reason


def test_the_command_for_a_rebirth_says_just_that():
    command = read_payload(rebirth_command(1_772_424_000_000_000), LIMIT)
    assert [(m.name, m.boolean_value, m.datatype) for m in command.metrics] == [("Node Control/Rebirth", True, BOOLEAN)]
    assert command.timestamp == 1_772_424_000_000
    assert not command.HasField("seq")


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"long_value": 7}, 7),
        ({"int_value": 7}, 7),
        ({"long_value": 2**64 - 1}, None),
        ({"string_value": "7"}, None),
        ({}, None),
    ],
)
def test_the_number_of_a_birth_and_its_death(fields, number):
    payload = Payload()
    payload.metrics.add(name="bdSeq", datatype=INT64, **fields)
    assert bd_seq_of(payload) == number


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_refusal(data):
    try:
        payload = read_payload(data, LIMIT)
    except PayloadRejected:
        return
    for one in payload.metrics:
        value_of(one, 0)
        is_believed(one)
