"""What every waste rule must do, on readings in a store; a newcomer that passes here is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from analytics.findings import Finding
from analytics.waste import RULES, Rule, RuleContext
from facility.calendar import at_us
from facility.readings import ReadingBatch
from facility.site import Site
from facility.store import TelemetryStore
from facility.store.duckdb import DuckDBStore
from tests.analytics.conftest import PLANT

ROOT = Path(__file__).parents[3]
MINUTE = 60_000_000
QUARTER = 15 * MINUTE
DAYS = 31
CODES = {"water.night_flow", "power.low_factor"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TelemetryStore]:
    with DuckDBStore(tmp_path / "telemetry.duckdb") as opened:
        yield opened


@pytest.fixture
def now_us(site: Site) -> int:
    return at_us(date(2026, 11, 20), 10 * 60, site.time_zone)


def write(store: TelemetryStore, site: Site, key: str, times: np.ndarray, values: np.ndarray) -> None:
    points = np.full(times.shape, site.points.index[key], dtype=np.int32)
    store.write(ReadingBatch.of(site.points, points, times, values))


def plant(
    site: Site,
    store: TelemetryStore,
    now_us: int,
    *,
    night_m3h: Callable[[np.ndarray], np.ndarray] = lambda days: np.full(days.shape, 0.8),
    factor: float = 0.95,
    registers_only: bool = False,
) -> None:
    """Write a month of water and electricity; `night_m3h` gives the floor by days before now (0 is tonight)."""
    times = np.arange(now_us - DAYS * 86_400_000_000, now_us + 1, QUARTER, dtype=np.int64)
    hour = (times // 3_600_000_000 + 8) % 24
    ago = (now_us - times) // 86_400_000_000
    wave = 0.02 * np.sin(np.arange(times.size))
    flow = np.where((hour >= 6) & (hour < 22), 8.0, 0.0) + night_m3h(ago) + wave
    if not registers_only:
        write(store, site, "w-main/flow", times, flow)
    write(store, site, "w-main/volume_total", times, 1e5 + np.cumsum(flow) / 4)
    active = np.full(times.size, 100.0)
    write(store, site, "e-main/energy_import", times, 1e6 + np.cumsum(active))
    write(store, site, "e-main/reactive_energy_import", times, np.cumsum(active) * np.tan(np.arccos(factor)))


def run_all(site: Site, store: TelemetryStore, now_us: int) -> dict[str, Finding]:
    return {f.code: f for rule in RULES for f in rule.run(RuleContext(site, store, now_us))}


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.code)
class TestEveryRule:
    def test_finds_nothing_in_a_healthy_plant(self, rule: Rule, site: Site, store: TelemetryStore, now_us: int) -> None:
        plant(site, store, now_us)
        findings = rule.run(RuleContext(site, store, now_us))
        assert [f.verdict for f in findings] == ["healthy"]
        assert all(f.cost_per_day is None and f.waste is None for f in findings)

    def test_cannot_tell_when_nothing_arrived_and_says_why(
        self, rule: Rule, site: Site, store: TelemetryStore, now_us: int
    ) -> None:
        findings = rule.run(RuleContext(site, store, now_us))
        assert [f.verdict for f in findings] == ["cannot_tell"]
        assert all("needs" in f.summary.en and "需要" in f.summary.zh for f in findings)

    def test_is_silent_where_nothing_is_to_be_judged(
        self, rule: Rule, site_of: Callable[[str], Site], store: TelemetryStore, now_us: int
    ) -> None:
        bare = site_of("site: {id: x, name: {zh: 院, en: H}}\nequipment:\n  - {id: p1, class: pump}\n")
        assert rule.run(RuleContext(bare, store, now_us)) == []

    def test_has_a_page_that_says_what_to_do(self, rule: Rule) -> None:
        page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
        section = page.split(f"\n## {rule.code}\n", 1)[1].split("\n## ", 1)[0]
        for heading in ("What it means.", "How it judges.", "It cannot tell", "What to do.", "Unit", "Source"):
            assert f"**{heading}**" in section

    def test_has_name_reason_source_and_unit(self, rule: Rule) -> None:
        assert rule.name.zh != rule.name.en
        assert rule.reason.zh.endswith("。")
        assert rule.reason.en.endswith(".")
        assert rule.source
        assert rule.unit

    def test_its_findings_carry_evidence_that_json_can_hold(
        self, rule: Rule, site: Site, store: TelemetryStore, now_us: int
    ) -> None:
        import json

        plant(site, store, now_us, night_m3h=lambda ago: np.where(ago < 5, 3.0, 0.8), factor=0.80)
        (finding,) = rule.run(RuleContext(site, store, now_us))
        assert json.loads(json.dumps(finding.evidence, allow_nan=False)) == finding.evidence
        assert finding.verdict == "fault"
        assert finding.advice
        assert finding.cost_per_day
        assert finding.waste is not None
        assert finding.waste.unit == rule.unit
        assert finding.standard == rule.source


def test_rules_have_different_codes() -> None:
    assert {r.code for r in RULES} == CODES
    assert len(RULES) == len(CODES)


def test_a_leak_is_found_with_its_litres_and_its_money(site: Site, store: TelemetryStore, now_us: int) -> None:
    plant(site, store, now_us, night_m3h=lambda ago: np.where(ago < 5, 2.8, 0.8))
    finding = run_all(site, store, now_us)["water.night_flow"]
    assert finding.waste is not None
    assert finding.waste.amount == pytest.approx(48, abs=1.5)  # 2 m³/h for 24 h
    assert finding.cost_per_day == pytest.approx(48 * 6.5, abs=10)
    assert "m³/day" in finding.title.en
    assert finding.evidence["nights_over"] == 5
    assert finding.since_us == at_us(date(2026, 11, 16), 120, site.time_zone)
    assert finding.priority == "P4"


def test_a_meter_without_flow_is_judged_by_its_register(site: Site, store: TelemetryStore, now_us: int) -> None:
    plant(site, store, now_us, night_m3h=lambda ago: np.where(ago < 5, 2.8, 0.8), registers_only=True)
    finding = run_all(site, store, now_us)["water.night_flow"]
    assert finding.points == ("volume_total",)
    assert finding.waste is not None
    assert finding.waste.amount == pytest.approx(48, abs=1.5)


@pytest.mark.parametrize(("counted", "verdict"), [(True, "healthy"), (False, "fault")])
def test_what_a_boiler_below_the_meter_counts_itself_is_no_leak(
    site_of: Callable[[str], Site], store: TelemetryStore, now_us: int, counted: bool, verdict: str
) -> None:
    text = (PLANT / "site.yaml").read_text(encoding="utf-8")
    with_boiler = site_of(text.replace("tariffs:", "  - {id: b1, class: boiler, fed_by: [w-main]}\ntariffs:"))
    plant(with_boiler, store, now_us, night_m3h=lambda ago: np.where(ago < 5, 2.8, 0.8))
    if counted:
        times = np.arange(now_us - DAYS * 86_400_000_000, now_us + 1, QUARTER, dtype=np.int64)
        used = np.where((now_us - times) // 86_400_000_000 < 5, 2.0, 0.0) / 4
        write(store, with_boiler, "b1/makeup_total", times, np.cumsum(used))
    finding = run_all(with_boiler, store, now_us)["water.night_flow"]
    assert finding.verdict == verdict
    assert finding.evidence["without_makeup_of"] == (["b1"] if counted else [])


def test_a_low_factor_is_found_with_its_penalty(site: Site, store: TelemetryStore, now_us: int) -> None:
    plant(site, store, now_us, factor=0.80)
    finding = run_all(site, store, now_us)["power.low_factor"]
    # 400 kW at 0.80 yuan for 30 days, times 5 %
    assert finding.evidence["penalty_month"] == pytest.approx(400 * 24 * 30 * 0.8 * 0.05, rel=0.01)
    assert finding.cost_per_day == pytest.approx(400 * 24 * 0.8 * 0.05, rel=0.01)
    assert finding.evidence["window"] == "month"
    assert "0.80" in finding.title.zh


def test_early_in_the_month_the_last_thirty_days_stand_for_it(site: Site, store: TelemetryStore) -> None:
    second = at_us(date(2026, 11, 2), 10 * 60, site.time_zone)
    plant(site, store, second, factor=0.80)
    finding = run_all(site, store, second)["power.low_factor"]
    assert (finding.evidence["window"], finding.verdict) == ("30 days", "fault")


def test_a_contract_without_an_adjustment_is_not_judged(
    site_of: Callable[[str], Site], store: TelemetryStore, now_us: int
) -> None:
    text = (PLANT / "site.yaml").read_text(encoding="utf-8").replace("power_factor_target: 0.90, ", "")
    without = site_of(text)
    assert "power.low_factor" not in run_all(without, store, now_us)


def test_without_a_price_the_waste_is_told_in_its_own_unit(
    site_of: Callable[[str], Site], store: TelemetryStore, now_us: int
) -> None:
    text = (PLANT / "site.yaml").read_text(encoding="utf-8")
    without = site_of("\n".join(line for line in text.splitlines() if "carrier: water" not in line))
    plant(without, store, now_us, night_m3h=lambda ago: np.where(ago < 5, 2.8, 0.8))
    finding = run_all(without, store, now_us)["water.night_flow"]
    assert finding.cost_per_day is None
    assert finding.waste is not None
    assert "元" not in finding.summary.zh
