"""Quantities are read as engineers write them, and never mixed up."""

import pytest

from facility.units import CalendarInterval, Quantity, conversion, parse_duration, parse_interval, parse_quantity


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("1600 kVA", 1600.0, "kVA"),
        ("-20 °C", -20.0, "°C"),
        ("0.1 m3", 0.1, "m³"),
        ("1,250 kW", 1250.0, "kW"),
        ("95%", 95.0, "%"),
        ("3.5e2 Nm3/h", 350.0, "Nm³/h"),
        (42, 42.0, ""),
    ],
)
def test_a_quantity_is_a_number_with_its_unit_in_any_usual_spelling(text, value, unit):
    assert parse_quantity(text) == Quantity(value, unit)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("warm", "'warm' is not a number with a unit, such as '60 s' or '1600 kVA'"),
        ("5 kPaa", "unit 'kPaa' is not known; did you mean 'kPa'?"),
        ("", "'' is not a number with a unit"),
        (True, "a yes/no value stands where a number with a unit belongs"),
        ("1e400 A", "1e400 is no number that can be reckoned with; write it as it stands on the plate"),
        (10**400, "is no number that can be reckoned with"),
        (float("nan"), "nan is no number that can be reckoned with"),
    ],
)
def test_what_is_no_quantity_is_told_with_the_mend(text, told):
    with pytest.raises(ValueError) as error:
        parse_quantity(text)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("source", "target", "x", "y"),
    [
        ("MPa", "kPa", 0.34, 340.0),
        ("bar", "MPa", 4.0, 0.4),
        ("°C", "K", 20.0, 293.15),
        ("L/min", "m³/h", 100.0, 6.0),
        ("kWh", "MWh", 1500.0, 1.5),
        ("", "%", 0.95, 95.0),
    ],
)
def test_units_convert_by_scale_and_offset(source, target, x, y):
    scale, offset = conversion(source, target)
    assert x * scale + offset == pytest.approx(y)


def test_a_normal_cubic_metre_of_gas_is_no_cubic_metre_of_water():
    with pytest.raises(ValueError, match="do not measure the same thing"):
        conversion("Nm³", "m³")


@pytest.mark.parametrize(("text", "seconds"), [("60 s", 60), ("15 min", 900), ("2 h", 7200), ("1 weeks", 604800)])
def test_a_duration_is_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["5", "5 kW", "-1 s", "2 months"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_a_month_of_a_maintenance_plan_stays_a_month():
    assert parse_interval("12 months") == CalendarInterval(months=12)
    assert parse_interval("2 years") == CalendarInterval(months=24)
    assert parse_interval("1 weeks") == CalendarInterval(seconds=604800.0)
    with pytest.raises(ValueError, match="whole number of months"):
        parse_interval("1.5 months")
    with pytest.raises(ValueError, match="not above zero"):
        parse_interval("0 d")
