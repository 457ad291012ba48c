"""Limits and derived points of a site, on batches: what fires, when, and what does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.live import LimitEvent, LiveRules, OpenTier
from facility.readings import HISTORICAL, OUT_OF_RANGE, SIMULATED, ReadingBatch
from facility.site import Site
from facility.store import TelemetryStore
from facility.store.duckdb import DuckDBStore

S = 1_000_000
T0 = 1_760_000_000 * S  # any moment


@pytest.fixture
def rules(site: Site) -> LiveRules:
    return LiveRules(site)


def batch(site: Site, *readings: tuple[str, float, float], quality: int = 0) -> ReadingBatch:
    """Make a batch of (key, seconds after T0, value)."""
    return ReadingBatch.of(
        site.points,
        [site.points.index[key] for key, _, _ in readings],
        [T0 + round(s * S) for _, s, _ in readings],
        [v for _, _, v in readings],
        quality,
    )


def series(key: str, values: str, *, start: float = 0, step: float = 10) -> list[tuple[str, float, float]]:
    return [(key, start + i * step, float(v)) for i, v in enumerate(values.split()) if v != "_"]


def told(events: list[LimitEvent]) -> list[str]:
    return [f"{e.kind} {e.equipment} {e.limit.id} @{(e.at_us - T0) / S:g}" for e in events]


A, B, FAN = "tx1/winding_temperature_a", "tx1/winding_temperature_b", "tx1/fan_running"
S1 = "tx1/apparent_power"


def test_a_limit_of_a_group_fires_on_its_worst_member_after_its_hold_time(site: Site, rules: LiveRules) -> None:
    readings = batch(site, *series(A, "80 80 80 80 80 80 80"), *series(B, "125 125 125 125 125 125 125"))
    (event,) = rules.evaluate(readings, T0 + 60 * S)
    assert told([event]) == ["firing tx1 EL-L16/warn @60"]
    assert (event.value, event.started_us, event.cause) == (125, T0, "tx1|EL-L16|winding_temperature")


def test_it_does_not_fire_one_reading_earlier(site: Site, rules: LiveRules) -> None:
    assert rules.evaluate(batch(site, *series(B, "125 125 125 125 125 125")), T0 + 50 * S) == []


def test_batches_of_one_reading_come_to_the_same_as_one_batch(site: Site, rules: LiveRules) -> None:
    found = []
    for reading in series(B, "125 125 125 125 125 125 125 110"):
        found += rules.evaluate(batch(site, reading), T0 + round(reading[1] * S))
    assert told(found) == ["firing tx1 EL-L16/warn @60", "cleared tx1 EL-L16/warn @70"]


def test_each_machine_has_its_own_rating_and_its_own_limits(site: Site, rules: LiveRules) -> None:
    readings = batch(
        site,
        *series("tx1/apparent_power", "790 790 790 790 790 790 790"),  # of 1000 kVA
        *series("tx2/apparent_power", "410 410 410 410 410 410 410"),  # of 500 kVA
        *series("tx1/winding_temperature_a", "135 135 135 135 135 135 135"),
        *series("tx2/winding_temperature_a", "135 135 135 135 135 135 135"),  # its alarm stands at 140 °C
    )
    assert told(rules.evaluate(readings, T0 + 60 * S)) == [
        "firing tx2 EL-L14/warn @0",
        "firing tx1 EL-L16/warn @60",
        "firing tx2 EL-L16/warn @60",
        "firing tx1 EL-L16/alarm @60",
    ]


def test_two_points_that_arrive_apart_are_judged_together(site: Site, rules: LiveRules) -> None:
    rules.evaluate(batch(site, (FAN, 0, 0)), T0)
    events = rules.evaluate(batch(site, *series(A, "110 110 110 110", start=10)), T0 + 40 * S)
    assert told(events) == ["firing tx1 EL-F04/alarm @40"]


def test_a_state_that_is_too_old_is_not_believed(site: Site, rules: LiveRules) -> None:
    rules.evaluate(batch(site, (FAN, 0, 0)), T0)  # every minute: believed for three
    assert rules.evaluate(batch(site, *series(A, "110 110 110 110", start=181)), T0 + 211 * S) == []


def test_readings_of_one_machine_may_come_from_gateways_whose_clocks_differ(site: Site, rules: LiveRules) -> None:
    for s in range(0, 60, 10):
        events = rules.evaluate(batch(site, (FAN, s, 0)), T0 + s * S)
        events += rules.evaluate(batch(site, (A, s - 5, 110)), T0 + s * S)  # this one is 5 s slow
        if events:
            break
    assert told(events) == ["firing tx1 EL-F04/alarm @30"]


def test_a_reading_overtaken_by_a_newer_one_of_its_point_changes_nothing(site: Site, rules: LiveRules) -> None:
    rules.evaluate(batch(site, *series(B, "125 125 125 125 125 125 125")), T0 + 60 * S)
    assert rules.evaluate(batch(site, (B, 30, 20)), T0 + 61 * S) == []


@pytest.mark.parametrize("bit", [HISTORICAL, OUT_OF_RANGE])
def test_history_and_impossible_values_raise_no_alert(site: Site, rules: LiveRules, bit: int) -> None:
    readings = batch(site, *series(B, "125 125 125 125 125 125 125"), quality=bit)
    assert rules.evaluate(readings, T0 + 60 * S) == []
    assert rules.tick(T0 + 3600 * S) == []


def test_history_that_comes_in_between_does_not_disturb_what_is_live(site: Site, rules: LiveRules) -> None:
    rules.evaluate(batch(site, *series(B, "125 125 125")), T0 + 20 * S)
    rules.evaluate(batch(site, (B, -1e6, 20.0), (A, -1e6, 20.0), quality=HISTORICAL), T0 + 21 * S)
    events = rules.evaluate(batch(site, *series(B, "125 125 125 125", start=30)), T0 + 60 * S)
    assert told(events) == ["firing tx1 EL-L16/warn @60"]


def test_the_upper_and_the_lower_limit_of_a_point_are_two_causes(site: Site, rules: LiveRules) -> None:
    low = rules.evaluate(batch(site, *series("o2-icu/pressure", "310 310 310", step=5)), T0 + 10 * S)
    high = rules.evaluate(batch(site, *series("o2-icu/pressure", "490 490 490", start=20, step=5)), T0 + 30 * S)
    assert told(low + high) == [
        "firing o2-icu MG-L05/low_trip @10",
        "cleared o2-icu MG-L05/low_trip @20",
        "firing o2-icu MG-L05/alarm @30",
    ]
    assert low[0].cause == "o2-icu|MG-L05|pressure|low"
    assert high[1].cause == "o2-icu|MG-L05|pressure"


class TestTimeThatPasses:
    """Without new readings."""

    def test_the_hold_time_runs_out_while_readings_are_fresh(self, site: Site, rules: LiveRules) -> None:
        rules.evaluate(batch(site, *series("o2-icu/pressure", "310 310", step=5)), T0 + 5 * S)
        assert rules.tick(T0 + 9 * S) == []
        assert told(rules.tick(T0 + 10 * S)) == ["firing o2-icu MG-L05/low_trip @10"]
        assert rules.tick(T0 + 11 * S) == []

    def test_it_does_not_run_out_on_readings_that_stopped_coming(self, site: Site, rules: LiveRules) -> None:
        rules.evaluate(batch(site, *series(B, "125 125")), T0 + 10 * S)  # hold 60 s, believed for 30 s
        for s in range(10, 100, 5):
            assert rules.tick(T0 + s * S) == []

    def test_silence_clears_nothing_but_says_that_nobody_can_tell(self, site: Site, rules: LiveRules) -> None:
        rules.evaluate(batch(site, *series(B, "125 125 125 125 125 125 125")), T0 + 60 * S)
        assert rules.tick(T0 + 90 * S) == []
        assert told(rules.tick(T0 + 91 * S)) == ["unknown tx1 EL-L16/warn @91"]
        assert rules.tick(T0 + 1000 * S) == []
        assert told(rules.evaluate(batch(site, (B, 1001, 126)), T0 + 1001 * S)) == ["known tx1 EL-L16/warn @1001"]

    def test_a_gateway_whose_clock_is_slow_is_judged_by_its_own_clock(self, site: Site, rules: LiveRules) -> None:
        rules.evaluate(batch(site, *series("o2-icu/pressure", "310 310", step=5)), T0 + 125 * S)  # two minutes slow
        assert rules.tick(T0 + 129 * S) == []
        assert told(rules.tick(T0 + 130 * S)) == ["firing o2-icu MG-L05/low_trip @10"]

    def test_a_gateway_that_is_slower_than_the_class_says_is_not_taken_for_silent(
        self, site: Site, rules: LiveRules
    ) -> None:
        found = []
        for i in range(8):  # a reading a minute where the class expects one in ten seconds
            found += rules.evaluate(batch(site, (B, i * 60, 125)), T0 + i * 60 * S)
            found += rules.tick(T0 + (i * 60 + 59) * S)
        # Its pace is known from the third reading on; the hold time is a minute.
        assert told(found) == ["firing tx1 EL-L16/warn @180"]


def test_the_dead_sensor_of_a_group_does_not_clear_the_alarm_that_it_raised(site: Site, rules: LiveRules) -> None:
    start = [*series(A, "60 60 60 60 60 60 60"), *series(B, "125 125 125 125 125 125 125")]
    rules.evaluate(batch(site, *start), T0 + 60 * S)
    only_a = rules.evaluate(batch(site, *series(A, "60 60 60 60 60 60", start=70)), T0 + 120 * S)
    assert told(only_a) == ["unknown tx1 EL-L16/warn @100"]
    assert told(rules.evaluate(batch(site, (B, 130, 60)), T0 + 130 * S)) == ["cleared tx1 EL-L16/warn @130"]


def test_a_new_worst_value_is_told_at_most_once_a_minute(site: Site, rules: LiveRules) -> None:
    rules.evaluate(batch(site, *series("o2-icu/pressure", "310 310 310", step=5)), T0 + 10 * S)
    found = []
    for i in range(15, 140):
        found += rules.evaluate(batch(site, ("o2-icu/pressure", i, 310 - i)), T0 + i * S)
    assert told(found) == ["worse o2-icu MG-L05/low_trip @70", "worse o2-icu MG-L05/low_trip @130"]
    assert found[0].peak == 240


class TestDerivedPoints:
    def test_are_computed_where_their_inputs_were_read(self, site: Site, rules: LiveRules) -> None:
        derived = rules.step(
            batch(site, (S1, 0, 500), (A, 0, 60), (A, 10, 70), (B, 10, 50), ("tx2/apparent_power", 5, 250)), T0
        ).derived
        found = {
            (site.points.key(int(p)), (int(t) - T0) // S): float(v)
            for p, t, v in zip(derived.point, derived.time_us, derived.value, strict=True)
        }
        assert found == {
            ("tx1/load", 0): 50, ("tx1/hottest", 0): 60, ("tx1/hottest", 10): 70, ("tx2/load", 5): 50,
        }  # fmt: skip

    def test_carry_the_quality_of_what_they_come_from(self, site: Site, rules: LiveRules) -> None:
        for quality in (SIMULATED, SIMULATED | HISTORICAL):
            readings = batch(site, ("tx1/apparent_power", 0, 500), quality=quality)
            assert rules.step(readings, T0).derived.quality.tolist() == [quality]

    def test_are_computed_for_history_in_the_order_of_its_own_times(self, site: Site, rules: LiveRules) -> None:
        rules.step(batch(site, (A, 1e6, 90)), T0)
        late = rules.step(batch(site, (B, 0, 50), (A, 10, 60), quality=HISTORICAL), T0).derived
        assert late.value.tolist() == [50, 60]

    def test_are_not_made_of_impossible_values(self, site: Site, rules: LiveRules) -> None:
        readings = batch(site, ("tx1/apparent_power", 0, 1e9), quality=OUT_OF_RANGE)
        assert len(rules.step(readings, T0).derived) == 0

    def test_by_themselves_leave_no_trace(self, site: Site, rules: LiveRules) -> None:
        assert rules.derive(batch(site, (A, 100, 90))).value.tolist() == [90]
        assert rules.step(batch(site, (B, 110, 50)), T0).derived.value.tolist() == [50]


def test_a_batch_of_another_site_is_refused(site: Site, rules: LiveRules) -> None:
    from facility.readings import PointTable

    with pytest.raises(ValueError, match="another site"):
        rules.evaluate(ReadingBatch.of(PointTable.of_keys(["tx1/load"]), [0], [T0], [1.0]), T0)


def test_a_site_without_limits_is_watched_in_peace(site_of: Callable[[str], Site]) -> None:
    bare = site_of(
        "site: {id: x, name: {zh: 院, en: H}}\nequipment:\n"
        "  - {id: p1, class: pump}\n"
    )  # fmt: skip
    quiet = LiveRules(bare)
    readings = ReadingBatch.of(bare.points, [0], [T0], [1.0])
    assert quiet.evaluate(readings, T0) == []
    assert quiet.tick(T0) == []


temperature = st.sampled_from([60.0, 110.0, 118.0, 125.0, 135.0, 145.0, 155.0])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from([A, B, FAN]), st.integers(1, 8), temperature), min_size=1, max_size=40),
    st.sets(st.integers(1, 39)),
)
def test_how_readings_are_cut_into_batches_changes_nothing(
    site: Site, steps: list[tuple[str, int, float]], cuts: set[int]
) -> None:
    now, readings = 0, []
    for key, seconds, value in steps:  # never slower than the class: every point at least each ten seconds or unknown
        now += seconds
        readings.append((key, now, float(value > 120) if key == FAN else value))
    whole = LiveRules(site).evaluate(batch(site, *readings), T0 + now * S)
    rules, pieces = LiveRules(site), []
    bounds = sorted({0, len(readings), *(c for c in cuts if c < len(readings))})
    for low, high in pairwise(bounds):
        pieces += rules.evaluate(batch(site, *readings[low:high]), T0 + now * S)

    def essence(events: list[LimitEvent]) -> list[str]:
        return sorted(t for t in told(events) if not t.startswith("worse"))

    # The pace of a gateway is learnt batch by batch, so that only what depends on silence may differ.
    if not any(e.kind == "unknown" for e in whole + pieces):
        assert essence(pieces) == essence(whole)


class TestAfterARestart:
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[TelemetryStore]:
        with DuckDBStore(tmp_path / "telemetry.duckdb") as opened:
            yield opened

    def test_a_hold_time_that_had_begun_goes_on(self, site: Site, store: TelemetryStore) -> None:
        store.write(batch(site, *series(B, "125 125 125 125")))
        rules = LiveRules(site)
        assert rules.resume(store, [], T0 + 35 * S) == []
        events = rules.evaluate(batch(site, *series(B, "125 125 125", start=40)), T0 + 60 * S)
        assert told(events) == ["firing tx1 EL-L16/warn @60"]

    def test_an_alert_that_is_open_does_not_fire_again(self, site: Site, store: TelemetryStore) -> None:
        store.write(batch(site, *series(B, "125 125 125 125 125 125 125 125 125")))
        rules = LiveRules(site)
        opened = OpenTier("tx1|EL-L16|winding_temperature", "EL-L16/warn", T0, T0 + 60 * S)
        assert rules.resume(store, [opened], T0 + 85 * S) == []
        assert told(rules.evaluate(batch(site, (B, 90, 100)), T0 + 90 * S)) == ["cleared tx1 EL-L16/warn @90"]

    def test_a_limit_that_cleared_meanwhile_is_told(self, site: Site, store: TelemetryStore) -> None:
        store.write(batch(site, *series(B, "125 125 125 125 125 125 125 100")))
        opened = OpenTier("tx1|EL-L16|winding_temperature", "EL-L16/warn", T0, T0 + 60 * S)
        assert told(LiveRules(site).resume(store, [opened], T0 + 75 * S)) == ["cleared tx1 EL-L16/warn @70"]

    def test_a_limit_that_fired_while_nobody_watched_is_told(self, site: Site, store: TelemetryStore) -> None:
        store.write(batch(site, *series(B, "125 125 125 125 125 125 125 125")))
        assert told(LiveRules(site).resume(store, [], T0 + 75 * S)) == ["firing tx1 EL-L16/warn @60"]

    def test_an_episode_that_is_over_is_not_told_a_second_time(self, site: Site, store: TelemetryStore) -> None:
        store.write(batch(site, *series(B, "125 125 125 125 125 125 125 100")))
        assert LiveRules(site).resume(store, [], T0 + 75 * S) == []

    def test_a_gap_in_the_readings_ends_a_hold_time_but_no_alert(self, site: Site, store: TelemetryStore) -> None:
        store.write(batch(site, *series(B, "135 135 135 135 135 135 135")))
        rules = LiveRules(site)
        opened = OpenTier("tx1|EL-L16|winding_temperature", "EL-L16/warn", T0, T0 + 60 * S)
        fired = rules.resume(store, [opened], T0 + 600 * S)
        assert told(fired) == ["firing tx1 EL-L16/alarm @60"]
        assert told(rules.tick(T0 + 600 * S)) == ["unknown tx1 EL-L16/warn @600", "unknown tx1 EL-L16/alarm @600"]

    def test_an_alert_whose_sensor_died_before_the_restart_is_not_cleared_by_its_neighbour(
        self, site: Site, store: TelemetryStore
    ) -> None:
        store.write(batch(site, *series(B, "125 125 125 125 125 125 125"), *series(A, "60 60 60 60 60 60 60")))
        rules = LiveRules(site)
        opened = OpenTier("tx1|EL-L16|winding_temperature", "EL-L16/warn", T0, T0 + 60 * S)
        rules.resume(store, [opened], T0 + 3600 * S)
        events = rules.evaluate(batch(site, (A, 3601, 60)), T0 + 3601 * S)
        assert told(events) == ["unknown tx1 EL-L16/warn @3601"]

    def test_what_was_unknown_and_is_known_again_is_told(self, site: Site, store: TelemetryStore) -> None:
        store.write(batch(site, (B, 100, 125)))
        opened = OpenTier("tx1|EL-L16|winding_temperature", "EL-L16/warn", T0, T0 + 60 * S, unknown_us=T0 + 91 * S)
        assert told(LiveRules(site).resume(store, [opened], T0 + 105 * S)) == ["known tx1 EL-L16/warn @100"]

    def test_an_alert_of_a_limit_that_is_gone_from_the_site_file_is_left_to_the_desk(
        self, site: Site, store: TelemetryStore
    ) -> None:
        rules = LiveRules(site)
        assert rules.resume(store, [OpenTier("tx9|EL-L16|x", "EL-L16/warn", T0, T0)], T0) == []
        assert "tx9|EL-L16|x" not in rules.causes


def test_the_answers_do_not_depend_on_how_many_machines_share_a_class(
    site: Site, site_of: Callable[[str], Site]
) -> None:
    many = site_of(
        "site: {id: x, name: {zh: 院, en: H}}\nequipment:\n"
        + "".join(f"  - {{id: t{i}, class: transformer, rating: {{power: {500 + i} kVA}}}}\n" for i in range(40))
    )
    rules, n = LiveRules(many), 40
    rng = np.random.default_rng(3)
    values = rng.uniform(100, 140, (n, 30))
    keys = [f"t{i}/winding_temperature_a" for i in range(n)]
    points = np.repeat([many.points.index[k] for k in keys], 30)
    times = np.tile(T0 + np.arange(30) * 10 * S, n)
    shuffled = rng.permutation(points.size)
    together = rules.evaluate(
        ReadingBatch.of(many.points, points[shuffled], times[shuffled], values.ravel()[shuffled]), T0
    )
    alone = []
    for i in range(n):
        one = LiveRules(many)
        alone += one.evaluate(ReadingBatch.of(many.points, points[i * 30 : (i + 1) * 30], times[:30], values[i]), T0)
    assert sorted(told(together)) == sorted(told(alone))
    assert together
