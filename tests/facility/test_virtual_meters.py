"""Virtual meters in the site file: what their formulas may name, and how each mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.errors import ConfigurationError
from facility.site import Site
from facility.site_file import load_site
from facility.virtual_meters import in_order

HEAD = """\
site: {id: riverside, name: {zh: 滨江医院, en: Riverside Hospital}}
equipment:
  - {id: em-a, class: electricity_meter}
  - {id: em-b, class: electricity_meter}
  - {id: w-1, class: water_meter}
  - {id: fd-1, class: lv_feeder}
  - {id: b1, class: gas_steam_boiler}
  - {id: 2f-lab, class: electricity_meter}
virtual_meters:
"""


def site_of(tmp_path: Path, **formulas: str) -> Site:
    rows = "".join(
        f"  - {{id: {name.replace('_', '-')}, name: {{zh: 虚, en: V}}, carrier: electricity, unit: kWh, "
        f'formula: "{formula}"}}\n'
        for name, formula in formulas.items()
    )
    (tmp_path / "site.yaml").write_text(HEAD + rows, encoding="utf-8")
    return load_site(tmp_path)


def told(tmp_path: Path, formula: str) -> str:
    site = site_of(tmp_path, v1=formula)
    assert "v1" not in site.virtual_meters
    (problem,) = site.left_out
    assert problem.line == 10
    assert problem.place == "virtual_meters[1] 'v1'.formula"
    return problem.message


@pytest.mark.parametrize(
    ("formula", "keys"),
    [
        ("em-a + em-b", ["em-a/energy_import", "em-b/energy_import"]),
        ("em-a - 0.98 * em-b/energy_export", ["em-a/energy_import", "em-b/energy_export"]),
        ("2f-lab * 2", ["2f-lab/energy_import"]),
        ("em-a/2 + em-b / 2", ["em-a/energy_import", "em-b/energy_import"]),
        ("em-a/em-b * em-b", ["em-a/energy_import", "em-b/energy_import"]),
        # A ratio of two counts is a plain number: times a count it grows with time as a count does.
        ("em-a * em-b / em-b/energy_export", ["em-a/energy_import", "em-b/energy_import", "em-b/energy_export"]),
        ("max(em-a - em-b, 0)", ["em-a/energy_import", "em-b/energy_import"]),
        # A boiler has no register of its own, but takes electricity by one only.
        ("b1 + 12 kW * h", ["b1/energy_import"]),
        ("b1/gas_total * 9.9 kWh/Nm³", ["b1/gas_total"]),
    ],
)
def test_a_formula_names_registers_of_machines(tmp_path: Path, formula: str, keys: list[str]) -> None:
    site = site_of(tmp_path, v1=formula)
    assert site.left_out == ()
    assert list(site.virtual_meters["v1"].keys("register")) == keys


def test_a_gauge_counts_by_its_mean_over_the_step(tmp_path: Path) -> None:
    meter = site_of(tmp_path, v1="fd-1/active_power * h").virtual_meters["v1"]
    assert meter.keys("point") == ("fd-1/active_power",)


def test_virtual_meters_may_use_each_other_whatever_their_order(tmp_path: Path) -> None:
    site = site_of(tmp_path, v1="v3 - v2", v2="em-a * 2", v3="v2 + em-b")
    assert list(site.virtual_meters) == ["v2", "v3", "v1"]


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("em-a + em-c", "'em-c' is not a point here; did you mean"),
        ("em-a/energy_imprt", "did you mean 'em-a/energy_import'?"),
        ("em-a-em-b", "'em-a-em-b' is not a point here"),
        ("em-a + w-1", "'m³' and 'kWh' do not measure the same thing"),
        ("w-1", "gives 'm³', which is no 'kWh'"),
        ("em-a + 5 kWh", "does not grow with time"),
        ("fd-1/active_power * 1 h", "does not grow with time"),
        ("12 kW * 3", "gives"),
        ("5 kWh", "names no meter and no point"),
        ("em-a +", "the end stands where"),
        ("(((" * 20 + "em-a" + ")))" * 20, "too many parentheses"),
        ("v1 + em-a", "runs in a circle: v1 -> v1"),
        ("em-a / 0", "a division by zero"),
        ("em-a / (2 - 2)", "a division by zero"),
        ("max(em-a, 0.01 kWh)", "does not grow with time"),
        ("em-a * 1e999", "beyond what a formula can hold"),
    ],
)
def test_each_mistake_is_told_with_its_place(tmp_path: Path, formula: str, words: str) -> None:
    assert words in told(tmp_path, formula)


def test_a_circle_is_told_once_and_all_others_are_computed(tmp_path: Path) -> None:
    site = site_of(tmp_path, v1="v2 + em-a", v2="v3", v3="v1 * 2", v4="em-a + em-b", v5="v2 + em-b", v6="v4 + em-a")
    assert list(site.virtual_meters) == ["v4", "v6"]
    messages = [p.message for p in site.left_out]
    assert len(messages) == 2
    assert messages[0] == "the formula runs in a circle: v1 -> v2 -> v3 -> v1; take one link out"
    assert messages[1] == "it uses v2, which cannot be computed; mend that first"


def test_what_uses_a_faulty_one_is_left_out_with_its_reason(tmp_path: Path) -> None:
    site = site_of(tmp_path, v1="em-x", v2="v1 + em-a")
    assert not site.virtual_meters
    assert [p.message.split(";")[0] for p in site.left_out][1] == "it uses v1, which cannot be computed"


def test_an_id_that_a_machine_bears_is_told(tmp_path: Path) -> None:
    site = site_of(tmp_path, em_a="em-b")
    assert "is a machine already" in site.left_out[0].message


def test_a_thousand_virtual_meters_in_a_chain_are_ordered() -> None:
    uses = {f"v{i}": [f"v{i + 1}"] for i in range(1000)} | {"v1000": []}
    order, circles = in_order(uses)
    assert (order[0], order[-1], circles) == ("v1000", "v0", [])


class TestExchangesInTheSiteFile:
    METER = "site: {id: a, name: {zh: 甲, en: A}}\nequipment:\n  - id: em-a\n    class: electricity_meter\n"

    def problems(self, tmp_path: Path, text: str) -> list[str]:
        (tmp_path / "site.yaml").write_text(self.METER + text, encoding="utf-8")
        with pytest.raises(ConfigurationError) as error:
            load_site(tmp_path)
        return [f"{p.line}: {p.place}: {p.message}" for p in error.value.problems]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("register: {ratio: 0}", "0 is no ratio"),
            ("register: {ratio: [{from: 2026-01-01, is: -80}]}", "-80 is no ratio"),
            ("register: {per_pulse: 0 kWh}", "counts nothing"),
        ],
    )
    def test_a_wrong_one_is_told_with_its_place(self, tmp_path: Path, text: str, words: str) -> None:
        assert any(words in problem for problem in self.problems(tmp_path, f"    {text}\n"))

    @pytest.mark.parametrize(
        ("wrong", "place", "words", "zh"),
        [
            (
                "{at: 2026-03-02 10:20, end: -5, start: 12}",
                "[1].end",
                "-5 is below zero; write what",
                "-5 小于零；请填写",
            ),
            ("{at: 2026-03-02 10:20, end: 100000, start: 1}", "[1].end", "has more than the register's 5", "5 位数"),
            (
                "{at: 2026-04-02 10:20, end: 8, start: 0}",
                "[2].at",
                "two exchanges are at 2026-04-02 10:20",
                "有两次换表",
            ),
            ("{at: soon, end: 5, start: 1}", "[1].at", "soon", ""),
        ],
    )
    def test_an_exchange_that_cannot_have_been_is_left_out_and_the_others_stand(
        self, tmp_path: Path, wrong: str, place: str, words: str, zh: str
    ) -> None:
        entries = f"[{wrong}, {{at: 2026-04-02 10:20, end: 7, start: 1}}]"
        (tmp_path / "site.yaml").write_text(
            f"{self.METER}    register: {{digits: 5}}\n    exchanges: {entries}\n", encoding="utf-8"
        )
        site = load_site(tmp_path)
        register = site.equipment["em-a"].register
        assert register is not None
        assert len(register.exchanges) == 1
        (problem,) = site.left_out
        assert f"exchanges{place}" in problem.place
        assert words in problem.message
        assert zh in problem.zh

    @pytest.mark.parametrize(
        ("at", "words"),
        [
            ("2026-03-29 01:30", "does not exist: the clocks are put forward over it"),
            ("2026-10-25 01:30", "write '2026-10-25 01:30+01:00' for the first"),
            ("2026-10-25 01:30+01:00", ""),
        ],
    )
    def test_an_exchange_at_a_time_that_the_clocks_skip_or_repeat_is_left_out_until_one_is_named(
        self, tmp_path: Path, at: str, words: str
    ) -> None:
        text = self.METER.replace("}\n", ", time_zone: Europe/London}\n", 1)
        (tmp_path / "site.yaml").write_text(
            f"{text}    register: {{digits: 5}}\n    exchanges: [{{at: {at}, end: 7, start: 1}}]\n", encoding="utf-8"
        )
        site = load_site(tmp_path)
        register = site.equipment["em-a"].register
        assert register is not None
        assert len(register.exchanges) == (0 if words else 1)
        assert all(words in problem.message for problem in site.left_out)

    def test_the_new_meter_may_have_more_digits(self, tmp_path: Path) -> None:
        text = "    register: {digits: 5}\n    exchanges: [{at: 2026-03-02 10:20, end: 9, start: 100000, digits: 6}]\n"
        (tmp_path / "site.yaml").write_text(self.METER + text, encoding="utf-8")
        register = load_site(tmp_path).equipment["em-a"].register
        assert register is not None
        assert register.exchanges[0].digits == 6
