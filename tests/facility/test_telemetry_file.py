"""The telemetry of a site file: each mistake is one message with place and mend; profiles can be overridden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from facility.errors import ConfigurationError
from facility.site import Equipment, Layout, Parts, Rows, Where
from facility.site_file import load_site
from facility.telemetry_file import load_profiles_of

HEAD = "site: {id: s, name: {zh: 院, en: S}}\nequipment:\n"


@pytest.fixture
def machines(tmp_path: Path) -> Callable[..., list[Equipment]]:
    """Load a site of meters with the given telemetry."""

    def load(*telemetry: str, of_class: str = "electricity_meter") -> list[Equipment]:
        lines = [f"  - {{id: m{i}, class: {of_class}, telemetry: {t}}}\n" for i, t in enumerate(telemetry, 1)]
        (tmp_path / "site.yaml").write_text(HEAD + "".join(lines), encoding="utf-8")
        return list(load_site(tmp_path / "site.yaml").equipment.values())

    return load


@pytest.fixture
def told(machines) -> Callable[..., list[str]]:
    """Return the problems of a site, one string each: the machine and below, and the message."""

    def problems(*telemetry: str, of_class: str = "electricity_meter") -> list[str]:
        with pytest.raises(ConfigurationError) as error:
            machines(*telemetry, of_class=of_class)
        return [f"{p.place.partition('] ')[2]}: {p.message}" for p in error.value.problems]

    return problems


def test_a_layout_is_read_as_it_is_written(machines):
    (machine,) = machines(
        "{topic: t, time: {key: [t, sent], unit: ms, zone: UTC}, samples: a.b, quality: {key: q, good: [0, OK]}, "
        "where: {key: dev, equals: 7}, ignore: [x], "
        "rows: {in: d, name: n, value: v, time: w, quality: g}, points: {voltage_a: 40001}}"
    )
    telemetry = machine.telemetry
    layout = telemetry.layout
    assert (layout.time_keys, layout.time_unit, str(layout.time_zone)) == (("t", "sent"), "ms", "UTC")
    assert (layout.samples, layout.rows) == ("a.b", Rows("d", "n", "v", "w", "g"))
    assert (layout.quality, layout.good) == ("q", frozenset({"0", "ok"}))
    assert (telemetry.where, telemetry.ignore) == (Where("dev", "7"), frozenset({"x"}))
    assert telemetry.points["voltage_a"].key == "40001"


def test_values_with_times_of_their_own_are_objects_or_lists(machines):
    (one,) = machines("{topic: t, values: {value: v, time: w}}")
    (other,) = machines("{topic: t, values: [time, value, quality]}")
    assert one.telemetry.layout == Layout(values=Parts("v", "w"))
    assert other.telemetry.layout == Layout(values=Parts(1, 0, 2))


def test_a_profile_maps_the_points_that_the_class_has_and_no_others(machines):
    (meter,) = machines("{profile: shelly-em, device: shellyem-1, channel: 1}")
    telemetry = meter.telemetry
    assert (telemetry.topic, telemetry.format) == ("shellies/shellyem-1/emeter/1/{point}", "plain")
    assert set(telemetry.points) == {"active_power", "reactive_power", "power_factor", "voltage_a", "energy_import",
                                     "energy_export"}  # fmt: skip
    assert (telemetry.points["active_power"].key, telemetry.points["active_power"].scale) == ("power", 0.001)
    (feeder,) = machines("{profile: shelly-em, device: shellyem-1}", of_class="lv_feeder")
    assert "energy_export" not in feeder.telemetry.points


def test_a_profile_is_overridden_point_by_point(machines):
    (meter,) = machines(
        "{profile: tasmota-energy, device: d, topic: 'home/{device}/x', gateway: gw-1, time: {key: T}, ignore: [rssi], "
        "points: {active_power: {scale: -1}, current_b: ENERGY.Current2, voltage_a: {key: U, scale: 10}}}"
    )
    telemetry = meter.telemetry
    assert (telemetry.topic, telemetry.gateway, telemetry.layout.time_keys) == ("home/d/x", "gw-1", ("T",))
    assert {"rssi", "ENERGY.Today"} <= telemetry.ignore
    power = telemetry.points["active_power"]
    assert (power.key, power.scale) == ("ENERGY.Power", -0.001)
    assert telemetry.points["current_b"].key == "ENERGY.Current2"
    assert (telemetry.points["voltage_a"].key, telemetry.points["voltage_a"].scale) == ("U", 10.0)
    assert telemetry.points["current_a"].key == "ENERGY.Current"


def test_an_own_name_does_not_take_a_key_that_was_given_to_another_point(machines):
    (meter,) = machines("{topic: t, points: {voltage_a: voltage_b}}")
    assert meter.telemetry.points["voltage_a"].key == "voltage_b"
    assert "voltage_b" not in meter.telemetry.points


@pytest.mark.parametrize(
    ("telemetry", "problem"),
    [
        ("{format: json}", "'m1'.telemetry: the topic is missing; add topic: ..., or a profile, or group: and node: "
                           "with format: sparkplug"),
        ("{profile: shely-em}", "'m1'.telemetry.profile: profile 'shely-em' is not known; did you mean 'shelly-em'?"),
        ("{profile: shelly-em}", "'m1'.telemetry.device: 'device' is missing: 'shellies/{device}/emeter/0/{point}' "
                                 "needs it; add device: with what it is called"),
        ("{topic: t, device: d}", "'m1'.telemetry: 'device' belongs to a profile or to format: sparkplug; name one, "
                                  "or leave it out"),
        ("{profile: shelly-em, device: d, points: {winding_temperature_a: t1}}",
         "'m1'.telemetry.points.winding_temperature_a: 'winding_temperature_a' is not a measured point of this "
         "machine; 15 are known"),
        ("{profile: shelly-em, device: d, points: {current_a: {scale: 2}}}",
         "'m1'.telemetry.points.current_a: 'key' is missing; add it"),
        ("{topic: t, points: {voltage_a: {scale: 2}}}",
         "'m1'.telemetry.points.voltage_a: 'key' is missing; add it"),
        ("{topic: t, points: {voltage_a: {kye: U}}}",
         "'m1'.telemetry.points.voltage_a.kye: key 'kye' is not known here; did you mean 'key'?"),
        ("{topic: t, points: {voltage_a: {key: U, bit: 64}}}", "'m1'.telemetry.points.voltage_a.bit: 64: "),
        ("{topic: t, points: {energy_import: {key: U, bit: 3}}}",
         "'m1'.telemetry.points.energy_import.bit: 'energy_import' counts up and cannot be one bit; take the bit out"),
        ("{topic: t, points: {voltage_a: U, voltage_b: U}}",
         "'m1'.telemetry.points.voltage_b: key 'U' is already that of 'voltage_a'; each value has one owner"),
        ("{topic: t, values: [time, val]}", "'m1'.telemetry.values: name what stands in the list in its order, such as "
                                            "[value, time] or [time, value, quality]"),
        ("{topic: t, rows: {in: d, value: v}}", "'m1'.telemetry.rows.name: 'name' is missing; add it"),
        ("{topic: t, rows: {name: n, value: v}, values: {value: v}}",
         "'m1'.telemetry: rows name the columns of value, time and quality themselves; take values: out"),
        ("{topic: 't/{point}', format: plain, samples: d}",
         "'m1'.telemetry: format plain has no samples; take that out, or write format: json"),
        ("{topic: 't/{point}', format: plain, where: {key: d, equals: 1}}",
         "'m1'.telemetry.where: a plain topic carries one value and nothing to tell machines apart by; take it out"),
        ("{topic: t, time: {key: t, zone: Asia/Peking}}", "'m1'.telemetry.time.zone: time zone 'Asia/Peking' is not "
                                                          "known; did you mean"),
        ("{topic: t, where: {key: dev}}", "'m1'.telemetry.where.equals: 'equals' is missing; add it"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_message(told, telemetry, problem):
    (message,) = told(telemetry)
    assert message.startswith(problem)


def test_a_profile_that_gives_a_machine_nothing_is_told(told):
    (message,) = told("{profile: shelly-em, device: d}", of_class="water_tank")
    assert message.startswith(
        "'m1'.telemetry.profile: 'water_tank' has none of the points of 'shelly-em': active_power"
    )


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ("{topic: t}", "{topic: t}", "'m2'.telemetry.topic: topic 't' with key 'active_power' is already 'm1''s; "
                                     "each value has one owner"),
        ("{topic: t, where: {key: d, equals: a}}", "{topic: t, where: {key: d, equals: a}}",
         "'m2'.telemetry.topic: topic 't' with key 'active_power' is already 'm1''s"),
        ("{topic: t, where: {key: d, equals: a}}", "{topic: t, where: {key: e, equals: b}}",
         "'m2'.telemetry.where.key: on topic 't' 'm1' has another key, 'd'; write the same for both"),
        ("{profile: dtu-rows, device: g, where: {key: d, equals: a}}", "{profile: dtu-rows, device: g}",
         "'m2'.telemetry.where: on topic 'dtu/g/up' only one of this machine and 'm1' has where:; give it to both"),
        ("{topic: t, where: {key: d, equals: a}}", "{topic: t, samples: x, where: {key: d, equals: b}}",
         "'m2'.telemetry.samples: on topic 't' 'm1' has another samples; write the same for both"),
        ("{topic: t, time: {key: a}, where: {key: d, equals: a}}",
         "{topic: t, time: {key: b}, where: {key: d, equals: b}}",
         "'m2'.telemetry.time: on topic 't' 'm1' has another time; write the same for both"),
        ("{profile: shelly-pro-3em-status, device: a}", "{profile: shelly-pro-3em-status, device: a}",
         "'m2'.telemetry.topic: topic 'a/status/em:0' with key 'a_voltage' is already 'm1''s"),
    ],
)  # fmt: skip
def test_machines_that_are_in_each_others_way_are_told(told, first, second, problem):
    (message,) = told(first, second)
    assert message.startswith(problem)


def test_bits_and_words_let_machines_share_a_key(machines):
    bits = "points: {breaker_closed: {key: st, bit: 0}, breaker_trip: {key: st, bit: 1}}"
    telemetry = [f"{{topic: t, {bits}, where: {{key: d, equals: {word}}}}}" for word in ("a", "b")]
    assert len(machines(*telemetry, of_class="lv_feeder")) == 2


def test_mistakes_in_a_profile_are_told_with_their_place(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "profile: other\nname: {zh: 甲, en: A}\nsource: somebody's manual\ntopic: t\npoints:\n  voltage_a: {scale: 2}\n"
    )
    with pytest.raises(ConfigurationError) as error:
        load_profiles_of(tmp_path)
    found = [f"{p.line} {p.place}: {p.message}" for p in error.value.problems]
    assert found == ["1 profile: the file is named 'mine'; name both the same",
                     "6 points.voltage_a: 'key' is missing; add it"]  # fmt: skip
