"""The rules of the site file by which shared use is borne."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from facility.allocation_rules import AllocationRules, Share
from facility.errors import ConfigurationError
from facility.site import Site
from facility.site_file import load_site

SITE = """site: {id: a, name: {zh: 甲, en: A}}
departments:
  - id: icu
    name: {zh: 重症, en: ICU}
    floor_area: 100 m²
    staff: [{from: 2024-01-01, is: 40}, {from: 2026-01-01, is: 50}]
  - {id: ward, name: {zh: 病区, en: Ward}, floor_area: 300 m²}
equipment:
  - {id: main, class: electricity_meter}
  - {id: em, class: electricity_meter, fed_by: [main], serves: [icu, ward]}
  - {id: b1, class: gas_steam_boiler}
  - {id: sm, class: steam_meter, fed_by: [b1], serves: [icu]}
"""


def read(tmp_path: Path, text: str) -> Site:
    file = tmp_path / "site.yaml"
    file.write_text(SITE + text, encoding="utf-8")
    return load_site(file)


def rules(tmp_path: Path, text: str) -> AllocationRules:
    return (
        read(tmp_path, f"allocation:\n  - {{from: 2024-01-01, carrier: electricity, {text}}}\n")
        .allocation["electricity"]
        .latest
    )


def test_without_rules_there_are_none(tmp_path: Path) -> None:
    assert read(tmp_path, "").allocation == {}


def test_rules_name_meters_departments_and_bases(tmp_path: Path) -> None:
    found = rules(
        tmp_path,
        "rules: [{meter: em, by: staff}, {meter: main, shares: {icu: 30 %, ward: 70 %}}], rest: {by: use, to: [ward]}, "
        "basic_charge: peak",
    )
    assert found.meters["em"] == Share("staff")
    assert found.meters["main"] == Share("fixed", ("icu", "ward"), (), {"icu": 0.3, "ward": 0.7})
    assert (found.rest, found.basic_charge) == (Share("use", ("ward",)), "peak")


def test_a_meter_may_be_shared_as_meters_of_another_carrier_count(tmp_path: Path) -> None:
    found = rules(tmp_path, "rules: [{meter: em, by: meters, of: [sm]}]")
    assert found.meters["em"] == Share("meters", of=("sm/steam_total",))


def test_three_thirds_are_a_hundred_per_cent(tmp_path: Path) -> None:
    found = rules(tmp_path, "rest: {shares: {icu: 33.3 %, ward: 66.6 %}}")
    assert sum(found.rest.shares.values()) == pytest.approx(1.0, abs=1e-12)


def test_rules_change_with_a_month(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        "allocation:\n"
        "  - {from: 2026-01-01, carrier: electricity, rest: {by: staff}}\n"
        "  - {from: 2024-01-01, carrier: electricity, rest: {by: floor_area}}\n",
    )
    dated = site.allocation["electricity"]
    assert dated.on(date(2025, 12, 1)).rest.by == "floor_area"
    assert dated.on(date(2026, 1, 1)).rest.by == "staff"


def test_a_departments_staff_carries_dates(tmp_path: Path) -> None:
    staff = read(tmp_path, "").departments["icu"].staff
    assert (staff.on(date(2025, 6, 1)), staff.on(date(2026, 1, 1))) == (40, 50)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "rules: [{meter: en, by: beds}]",
            "rules[1].meter: no equipment is called 'en'; write one of b1, em, main, sm",
        ),
        ("rules: [{meter: sm, by: beds}]", "rules[1].meter: sm counts no electricity"),
        ("rules: [{meter: em, to: [wart]}]", "rules[1].to: no department is called 'wart'; did you mean 'ward'?"),
        ("rules: [{meter: em, by: size}]", "rules[1].by"),
        ("rules: [{meter: em}, {meter: em/energy_import, by: beds}]", "em has two rules; keep one"),
        ("rules: [{meter: em, by: meters}]", "of names the meters or machines by which it is shared"),
        ("rules: [{meter: em, by: beds, of: [sm]}]", "of names the meters or machines by which it is shared"),
        ("rules: [{meter: em, by: meters, of: [b1]}]", "b1 has several registers; name one"),
        ("rules: [{meter: em, by: running_hours, of: [b9]}]", "no equipment is called 'b9'; write one of b1"),
        ("rules: [{meter: em, by: running_hours, of: [sm]}]", "sm counts no running hours"),
        ("rest: {shares: {icu: 30 %, ward: 60 %}}", "the shares come to 90.0%; make them 100 %"),
        ("rest: {shares: {icu: 130 %}}", "'130 %' is no share"),
        ("rest: {shares: {icu: 100 %}, by: beds}", "leave one of them out"),
        ("rest: {shares: {icu: 100 %}, to: [icu]}", "leave out to and of"),
        ("rest: {by: fixed}", "no shares are given"),
        ("rest: {shares: {ich: 100 %}}", "rest.shares: no department is called 'ich'; did you mean 'icu'?"),
        ("basic_charge: night", "basic_charge"),
        ("rest: {bye: beds}", "did you mean 'by'?"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_mend(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        rules(tmp_path, text)
    assert told in str(error.value)
    assert "site.yaml:14: allocation[1]" in str(error.value)


def test_rules_begin_with_a_month(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="let the rules begin on day 1"):
        read(tmp_path, "allocation:\n  - {from: 2026-03-12, carrier: electricity}\n")


def test_two_sets_of_rules_cannot_begin_on_one_day(tmp_path: Path) -> None:
    entry = "  - {from: 2026-03-01, carrier: electricity}\n"
    with pytest.raises(ConfigurationError, match="two values begin on 2026-03-01"):
        read(tmp_path, f"allocation:\n{entry}{entry}")
