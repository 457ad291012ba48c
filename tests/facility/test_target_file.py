"""Plans of an energy committee, as they stand in a site file."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.errors import ConfigurationError
from facility.site import Site
from facility.site_file import load_site

HEAD = """
site: {id: ward, name: {zh: 病房, en: Ward}, currency: CNY}
departments:
  - {id: icu, name: {zh: 重症, en: ICU}}
targets:
"""


def load(tmp_path: Path, *plans: str) -> Site:
    file = tmp_path / "site.yaml"
    file.write_text(HEAD + "".join(f"  - {{{plan}}}\n" for plan in plans), encoding="utf-8")
    return load_site(file)


def told(tmp_path: Path, *plans: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, *plans)
    return str(caught.value)


@pytest.mark.parametrize(
    ("plan", "measure", "unit", "annual"),
    [
        ("year: 2026, carrier: electricity, amount: 14.2 GWh", "use", "kWh", 14_200_000),
        ("year: 2026, carrier: electricity, amount: 1420 万kWh", "use", "kWh", 14_200_000),
        ("year: 2026, carrier: gas, amount: 1_200_000 Nm³", "use", "Nm³", 1_200_000),
        ("year: 2026, carrier: heat, amount: 9000 MWh", "use", "GJ", 32_400),
        ("year: 2026, carrier: electricity, amount: 9600000 CNY", "cost", "CNY", 9_600_000),
        ("year: 2026, carrier: electricity, amount: 960 万元", "cost", "CNY", 9_600_000),
        ("year: 2026, carrier: all, amount: 9500 tCO₂", "carbon", "kgCO₂", 9_500_000),
        ("year: 2026, carrier: all, amount: 2100 tce", "coal", "kgce", 2_100_000),
    ],
)
def test_a_plan_is_kept_in_the_unit_of_the_accounts(
    tmp_path: Path, plan: str, measure: str, unit: str, annual: float
) -> None:
    (target,) = load(tmp_path, plan).targets
    assert (target.measure, target.unit) == (measure, unit)
    assert target.annual == pytest.approx(annual)


def test_money_is_in_the_currency_of_the_site(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    text = HEAD.replace("CNY", "EUR") + "  - {year: 2026, carrier: all, amount: 980000 EUR}\n"
    file.write_text(text, encoding="utf-8")
    assert [(t.measure, t.unit, t.annual) for t in load_site(file).targets] == [("cost", "EUR", 980_000.0)]


def test_months_without_a_unit_are_in_the_unit_of_the_year(tmp_path: Path) -> None:
    (target,) = load(tmp_path, f"year: 2026, carrier: electricity, amount: 12 GWh, monthly: {[1] * 12}").targets
    assert target.monthly == (1_000_000.0,) * 12
    (target,) = load(tmp_path, f"year: 2026, carrier: water, amount: 12 万m³, monthly: {[1] * 12}").targets
    assert target.monthly == (10_000.0,) * 12
    (target,) = load(tmp_path, f"year: 2026, carrier: gas, amount: 12 万Nm³, monthly: {['10000 Nm³'] * 12}").targets
    assert target.monthly == (10_000.0,) * 12


@pytest.mark.parametrize(("last", "agrees"), [(1.02, True), (1.03, False)])
def test_the_months_come_to_the_year_but_for_rounding(tmp_path: Path, last: float, agrees: bool) -> None:
    plan = f"year: 2026, carrier: electricity, amount: 12 GWh, monthly: {[1] * 11 + [last]}"
    if agrees:
        assert len(load(tmp_path, plan).targets) == 1
    else:
        assert "the months come to 12.03 GWh, the year to 12 GWh; make them agree" in told(tmp_path, plan)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("year: 2026, carrier: water, amount: 14 GWh", "does not measure water; give it in m³, or in CNY"),
        ("year: 2026, carrier: gas, amount: 9000 m³", "does not measure gas; give it in Nm³"),
        ("year: 2026, carrier: electricity, amount: 14", "14 has no unit; write it with one, such as '14 MWh'"),
        ("year: 2026, carrier: electricity, amount: 14 GWhh", "did you mean 'GWh'?"),
        ("year: 2026, carrier: electricity, amount: 0 GWh", "is not above zero"),
        ("year: 2026, carrier: electricity, amount: 900 EUR", "give it in kWh, or in CNY, tCO₂ or tce"),
        ("year: 2026, carrier: all, amount: 14 GWh", "is of one carrier"),
        (
            "year: '226', carrier: gas, amount: 9000 Nm³",
            "'226' is no year of a plan; write it as 2026, or as 2025-2030",
        ),
        ("year: 2026, carrier: gas, amount: 9000 Nm³, department: icuu", "did you mean 'icu'?"),
        ("year: 2026, carrier: gas, amount: 11 Nm³, monthly: [1, 2]", "2 months stand here; give twelve"),
        (
            f"year: 2026, carrier: gas, amount: 12 Nm³, monthly: {[1] * 12}, shape: even",
            "the months are given, so nothing is left to spread",
        ),
        (f"year: 2026, carrier: gas, amount: 12 Nm³, monthly: {['1 kWh'] * 12}", "cannot be converted"),
    ],
)
def test_one_mistake_is_told_with_its_mend(tmp_path: Path, plan: str, message: str) -> None:
    assert message in told(tmp_path, plan)


def test_a_plan_may_be_the_same_each_year(tmp_path: Path) -> None:
    targets = load(tmp_path, "year: 2025-2027, carrier: gas, amount: 9000 Nm³").targets
    assert [t.key for t in targets] == ["2025/gas/site/use", "2026/gas/site/use", "2027/gas/site/use"]
    twice = "year: 2026, carrier: gas, amount: 8000 Nm³"
    assert "2026/gas/site/use stands twice" in told(tmp_path, twice, "year: 2025-2027, carrier: gas, amount: 9000 Nm³")
    assert "'2027-2025' is no year of a plan" in told(tmp_path, "year: 2027-2025, carrier: gas, amount: 9000 Nm³")


def test_the_same_plan_stands_once(tmp_path: Path) -> None:
    plan = "year: 2026, carrier: gas, amount: 9000 Nm³"
    assert "the plan 2026/gas/site/use stands twice; keep one" in told(tmp_path, plan, plan)
    assert len(load(tmp_path, plan, f"{plan}, department: icu").targets) == 2
