"""The library of factors, and which of them a site takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.errors import ConfigurationError
from facility.factor_library import FACTORS_FOLDER, CarbonSettings, Factor, load_factors, of_year
from facility.site_file import load_site

SITE = "site: {id: a, name: {zh: 甲, en: A}}\n"
LIBRARY = load_factors()


def read(tmp_path: Path, text: str) -> CarbonSettings:
    file = tmp_path / "site.yaml"
    file.write_text(SITE + text, encoding="utf-8")
    return load_site(file).carbon


def test_every_province_has_a_factor_between_hydropower_and_coal() -> None:
    assert len(LIBRARY.grids) == 3 + 7 + 31
    for grid in LIBRARY.grids.values():
        assert all(0.1 < v.value < 0.9 for v in grid.values)
        assert all(v.source and v.year for v in grid.values)


def test_every_energy_says_where_its_factors_are_from() -> None:
    for energy in LIBRARY.energies.values():
        assert energy.coal.source
        assert energy.carbon is None or energy.carbon.source
        assert energy.medium == (energy.carbon is None)


@pytest.mark.parametrize(
    ("year", "value", "own"),
    [(2020, 0.5, False), (2021, 0.5, True), (2022, 0.5, False), (2023, 0.4, True), (2030, 0.4, False)],
)
def test_a_years_factor_is_its_own_or_the_last_before_it(year: int, value: float, own: bool) -> None:
    values = (Factor(0.5, "a", 2021), Factor(0.4, "b", 2023))
    found, is_own = of_year(values, year)
    assert (found.value, is_own) == (value, own)


def test_without_a_word_a_site_takes_the_national_average(tmp_path: Path) -> None:
    assert read(tmp_path, "") == CarbonSettings()


def test_a_site_picks_its_grid_and_its_own_factors(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "carbon:\n"
        "  electricity: shanghai\n"
        "  electricity_coal: {value: 0.31, source: DB37/T 2673-2019}\n"
        "  steam_enthalpy: 2778\n",
    )
    assert (found.electricity, found.steam_enthalpy) == ("shanghai", 2778)
    assert found.electricity_coal == Factor(0.31, "DB37/T 2673-2019")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("carbon: {electricity: shangai}", "did you mean 'shanghai'?"),
        ("carbon: {gas: diesel}", "no gas of the factor library"),
        ("carbon: {electricity_factor: {value: 0.2}}", "source"),
        ("carbon: {electricity_factor: {value: -1, source: mine}}", "greater than or equal to 0"),
        ("carbon: {elektricity: beijing}", "did you mean 'electricity'?"),
    ],
)
def test_a_wrong_choice_is_told_with_its_mend(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read(tmp_path, text)
    assert told in str(error.value)
    assert "site.yaml:2: carbon" in str(error.value)


def test_a_library_with_a_mistake_names_its_place(tmp_path: Path) -> None:
    for name in ("electricity", "energies"):
        text = (FACTORS_FOLDER / f"{name}.yaml").read_text("utf-8")
        (tmp_path / f"{name}.yaml").write_text(text.replace("source: ndrc", "source: ndrk", 1), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"natural_gas.carbon.source: no source .* did you mean 'ndrc'"):
        load_factors(tmp_path)
