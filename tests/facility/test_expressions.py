"""Formulas of class files: what they mean on arrays, what they refuse, and that nothing in them runs as code."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.expressions import ExpressionError, Symbols, compile_condition, compile_formula

SYMBOLS = Symbols(
    units={
        "apparent_power": "kVA",
        "winding_temperature_a": "°C",
        "winding_temperature_b": "°C",
        "ambient": "°C",
        "pressure": "MPa",
        "fan_running": "",
        "flow": "m³/h",
        "power": "kW",
    },
    constants={"rating.power": (1600.0, "kVA")},
    states={"fan_running": {"stopped": 0.0, "running": 1.0}},
)
NAN = np.nan


def holds(text, **points):
    environment = {name: np.array([value], dtype=float) for name, value in points.items()}
    return int(compile_condition(text, SYMBOLS).holds(environment)[0])


def test_a_formula_gives_its_declared_unit():
    load = compile_formula("apparent_power / rating.power", SYMBOLS, "%")
    assert load.evaluate({"apparent_power": np.array([800.0, NAN])}).tolist() == pytest.approx([50.0, NAN], nan_ok=True)


def test_specific_energy_carries_its_unit_through():
    energy = compile_formula("power / flow", SYMBOLS, "kWh/m³")
    assert energy.evaluate({"power": np.array([10.0]), "flow": np.array([40.0])})[0] == pytest.approx(0.25)


def test_nothing_divided_by_nothing_is_unknown():
    energy = compile_formula("power / flow", SYMBOLS, "kWh/m³")
    assert np.isnan(energy.evaluate({"power": np.array([10.0]), "flow": np.array([0.0])})[0])


@pytest.mark.parametrize(
    ("a", "b", "answer"),
    [(131, 90, 1), (130, 90, 0), (NAN, 131, 1), (NAN, 90, 0), (NAN, NAN, -1)],
)
def test_the_hottest_known_phase_decides(a, b, answer):
    assert holds("max(winding_temperature) > 130 °C", winding_temperature_a=a, winding_temperature_b=b) == answer


@pytest.mark.parametrize(("a", "b", "answer"), [(80, 64, 1), (80, 66, 0), (80, NAN, -1)])
def test_a_spread_needs_two_known_values(a, b, answer):
    assert holds("spread(winding_temperature) > 15 K", winding_temperature_a=a, winding_temperature_b=b) == answer


def test_a_limit_may_be_written_in_any_unit_of_its_kind():
    condition = compile_condition("pressure < 340 kPa", SYMBOLS)
    assert condition.comparisons[0].threshold == pytest.approx(0.34)


@pytest.mark.parametrize(("fan", "ambient", "answer"), [(1, 41, 1), (0, 41, 0), (1, 40, 0), (0, NAN, 0), (1, NAN, -1)])
def test_one_comparison_known_to_be_false_decides(fan, ambient, answer):
    assert holds("ambient > 40 °C and fan_running == running", ambient=ambient, fan_running=fan) == answer


def test_temperatures_subtract_to_kelvin():
    assert holds("winding_temperature_a - ambient > 60 K", winding_temperature_a=101, ambient=40) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("presure < 3 MPa", "'presure' is not a point here; did you mean 'pressure'?"),
        ("pressure < 3 °C", "joined by '<'; write K for differences"),
        ("pressure < 3 kW", "do not measure the same thing"),
        ("pressure <", "the end stands where a point, a number or '(' belongs"),
        ("fan_running == runing", "'runing' is no state of 'fan_running'; write one of stopped, running"),
        ("winding_temperature > 3 °C", "names 2 points; write max(winding_temperature)"),
        ("3 MPa < pressure", "no point stands to the left of '<'"),
        ("pressure", "the end stands where one of > >= < <= == != belongs"),
        ("ambient * 2 > 3", "cannot be multiplied"),
        ("ambient + winding_temperature_a > 3 °C", "can be subtracted, not added"),
        ("median(pressure) > 1", "'median' is not a function"),
        ("__import__('os').system('x') > 1", "is not a function"),
        ("pressure > 1 / 0", "a division by zero"),
        ("(" * 60 + "pressure" + ")" * 60 + " > 1", "too many parentheses"),
        ("pressure > 1" + " and pressure > 1" * 100, "characters long"),
    ],
)
def test_what_is_no_condition_is_told_with_the_mend(text, told):
    with pytest.raises(ExpressionError) as error:
        compile_condition(text, SYMBOLS)
    assert told in str(error.value)


@given(st.text(max_size=80))
def test_any_text_compiles_or_is_refused_and_does_nothing_else(text):
    with contextlib.suppress(ExpressionError):
        compile_condition(text, SYMBOLS)
