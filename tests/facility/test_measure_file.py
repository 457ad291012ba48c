"""Efficiency measures in the site file: read, dated, and refused with the place, the value and the mend."""

from __future__ import annotations

from datetime import date

import pytest

from facility.errors import ConfigurationError
from facility.measures import Measure, Period
from facility.site_file import load_site

SITE = """
site: {id: s, name: {zh: 医院, en: Hospital}, currency: CNY}
rooms:
  - {id: power-1, kind: power_room, name: {zh: 配电房, en: Power room}}
equipment:
  - {id: em1, class: electricity_meter, room: power-1}
  - {id: ws1, class: weather_station, room: power-1}
measures:
  - id: timers
    name: {zh: 定时控制, en: Timers}
    meter: em1
    carrier: electricity
    baseline: {from: 2025-01-01, to: 2025-12-31}
    reporting: {from: 2026-01-10}
    drivers: [ws1/outdoor_temperature]
    cost: 86000 CNY
"""


def read(tmp_path, text):
    path = tmp_path / "site.yaml"
    path.write_text(text)
    return load_site(path)


def test_a_measure_has_its_meter_its_periods_and_what_it_cost(tmp_path):
    measure = read(tmp_path, SITE).measures["timers"]
    assert isinstance(measure, Measure)
    assert measure.meter == "em1"
    assert measure.baseline == Period(date(2025, 1, 1), date(2025, 12, 31))
    assert measure.reporting == Period(date(2026, 1, 10), None)
    assert measure.drivers == ("ws1/outdoor_temperature",)
    assert measure.cost == 86000.0


def test_a_meter_of_electricity_is_judged_by_its_energy_without_saying_so(tmp_path):
    assert read(tmp_path, SITE.replace("    carrier: electricity\n", "")).measures["timers"].carrier is None


def test_a_carrier_of_the_whole_hospital_may_be_judged(tmp_path):
    text = SITE.replace("    meter: em1\n", "").replace("    cost: 86000 CNY\n", "    cost: 8.6 万CNY\n")
    measure = read(tmp_path, text).measures["timers"]
    assert (measure.meter, measure.carrier) == (None, "electricity")
    assert measure.cost == 86000.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("meter: em1", "meter: em2", "no meter is called 'em2'; did you mean 'em1'?"),
        ("meter: em1", "meter: ws1", "'ws1' counts nothing; name a meter, or a machine that has a counter"),
        ("carrier: electricity", "carrier: water", "'em1' does not count water"),
        ("    meter: em1\n    carrier: electricity\n", "", "name the meter that counts what it changes"),
        ("to: 2025-12-31", "to: 2024-12-31", "it ends on 2024-12-31, not after 2025-01-01"),
        ("to: 2025-12-31", "to: 2026-02-01", "begins on 2026-01-10, inside the baseline, which ends on 2026-02-01"),
        ("{from: 2026-01-10}", "{from: 2026-01-10, to: 2026-01-10}", "leave `to` out while it runs"),
        ("{from: 2026-01-10}", "{from: soon}", "'soon' is not a date; write it as 2026-03-02"),
        ("ws1/outdoor_temperature", "ws1/temperature", "'ws1' has no point 'temperature'"),
        ("ws1/outdoor_temperature", "ws9/outdoor_temperature", "names no point; write machine/point"),
        ("ws1/outdoor_temperature", "ws1/outdoor_humidity", "put the outdoor temperature first"),
        ("86000 CNY", "86000 EUR", "'86000 EUR' is no amount of money here; write such as '86000 CNY'"),
        ("86000 CNY", "much", "'much' is no amount of money here"),
        ("86000 CNY", "86000,5 CNY", "'86000,5 CNY' is no amount of money here"),
    ],
)
def test_a_mistake_is_told_with_its_mend(tmp_path, old, new, message):
    assert old in SITE
    with pytest.raises(ConfigurationError) as error:
        read(tmp_path, SITE.replace(old, new))
    assert message in str(error.value)
    assert len(error.value.problems) == 1
    assert "measures" in error.value.problems[0].place


def test_an_id_stands_once(tmp_path):
    entry = SITE[SITE.index("  - id: timers") :]
    with pytest.raises(ConfigurationError, match="id 'timers' is taken"):
        read(tmp_path, SITE + entry)
