"""Judging machines by their own past: what is learnt from, what is judged, and once only."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from analytics.desk import Desk
from analytics.records import StoredFinding
from analytics.schedule import Jobs
from analytics.schedule.machines import Stretch, carry_forward, odd_stretches, pace_us
from facility.database import Database
from facility.readings import HISTORICAL, ReadingBatch
from facility.site import AnomalySettings, Site
from facility.store import TelemetryStore
from facility.store.duckdb import DuckDBStore
from tests.analytics.conftest import PLANT

S = 1_000_000
# 2020-03-09 10:00 UTC: a recording of long ago
THEN = 1_583_748_000 * S
NOW = 1_795_140_000 * S


POINTS = [("pressure", 400, 2), ("flow", 30, 0.5), ("current", 12, 0.1)]  # with their level and spread


class Clock:
    def __init__(self) -> None:
        self.now_us = NOW

    def __call__(self) -> int:
        return self.now_us


class Rig:
    """A pump that runs at an even pressure, flow and current, a reading a second, and what is made of it."""

    def __init__(self, site: Site, store: TelemetryStore, database: Database) -> None:
        self.site, self.store, self.database = site, store, database
        self.clock = Clock()
        self.desk = Desk(database, site, self.clock)
        self.restart()

    def restart(self) -> None:
        self.jobs = Jobs(self.site, self.store, self.desk, self.database, self.clock)

    def run(
        self, start_s: int, end_s: int, *, shift: float = 0.0, quality: int = HISTORICAL, seed: int = 1, step_s: int = 1
    ) -> None:
        """Write seconds [start, end) of running; `shift` moves all three points by so many of their spreads."""
        seconds = np.arange(start_s, end_s, step_s)
        for column, (point, level, spread) in enumerate(
            [("pressure", 400, 2), ("flow", 30, 0.5), ("current", 12, 0.1)]
        ):
            # One long stream of noise for each point, so that cutting a run in two changes no value.
            noise = np.random.default_rng(seed * 10 + column).normal(size=200_000)[seconds // step_s]
            values = level + spread * (noise + shift)
            index = self.site.points.index[f"p1/{point}"]
            self.store.write(
                ReadingBatch.of(self.site.points, np.full(seconds.size, index), THEN + seconds * S, values, quality)
            )

    def look(self) -> None:
        while self.jobs.judge_machines():
            pass

    def look_at_the_end(self) -> None:
        """The readings have stopped coming for more than a minute."""
        self.look()
        self.clock.now_us += 61 * S
        self.look()

    def story(self) -> list[tuple[str, int, int | None]]:
        """Return (verdict, since, ended) of the findings in seconds, oldest first."""

        def second(time_us: int | None) -> int | None:
            return None if time_us is None else (time_us - THEN) // S

        return [(f.verdict, int(second(f.since_us) or 0), second(f.ended_us)) for f in reversed(self.desk.findings())]

    def only(self) -> StoredFinding:
        (found,) = self.desk.findings()
        return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TelemetryStore]:
    with DuckDBStore(tmp_path / "telemetry.duckdb") as opened:
        yield opened


@pytest.fixture
def rig(site: Site, store: TelemetryStore, database: Database) -> Rig:
    return Rig(site, store, database)


def test_a_machine_that_runs_as_ever_gives_no_finding(rig: Rig) -> None:
    rig.run(0, 1200)
    rig.look_at_the_end()
    assert rig.desk.findings() == []
    assert rig.desk.tickets() == []


def test_an_odd_stretch_becomes_one_ticket_whose_time_lies_in_it(rig: Rig) -> None:
    rig.run(0, 700)
    rig.run(700, 900, shift=12)
    rig.look()
    ((verdict, since, ended),) = rig.story()
    assert (verdict, ended) == ("fault", None)
    assert 700 <= since <= 720
    (ticket,) = rig.desk.tickets()
    assert THEN + 700 * S <= ticket.occurred_us <= THEN + 720 * S
    assert (ticket.priority, ticket.state, ticket.created_by) == ("P3", "open", "wardwatt")
    assert rig.desk.alerts() == []


def test_the_finding_says_which_points_measured_and_expected(rig: Rig) -> None:
    rig.run(0, 700)
    rig.run(700, 900, shift=12)
    rig.look()
    found = rig.only()
    assert set(found.points) == {"pressure", "flow", "current"}
    by_point = {p["point"]: p for p in found.evidence["points"]}
    assert by_point["pressure"]["expected"] == pytest.approx(400, abs=4)
    assert by_point["pressure"]["measured"] == pytest.approx(424, abs=4)
    assert by_point["pressure"]["unit"] == "kPa"
    assert found.evidence["score"] > found.evidence["threshold"]
    assert found.evidence["learnt_rows"] == 400
    assert found.standard
    assert found.advice_zh


def test_when_it_is_over_the_finding_ends_and_the_ticket_is_told(rig: Rig) -> None:
    rig.run(0, 700)
    rig.run(700, 800, shift=12)
    rig.run(800, 1100)
    rig.look_at_the_end()
    ((_, _, ended),) = rig.story()
    assert ended is not None
    assert 800 <= ended <= 900
    (ticket,) = rig.desk.tickets()
    assert [e.kind for e in rig.desk.ticket_events(ticket.id)] == ["opened", "cleared"]


@pytest.mark.parametrize("chunk", [31, 100, 333])
def test_how_often_it_is_looked_at_changes_nothing(
    site: Site, tmp_path: Path, rig: Rig, migrated_file: Path, chunk: int
) -> None:
    def play(where: Rig, chunk: int) -> None:
        for start in range(0, 1300, chunk):
            for a, b, shift in ((0, 600, 0), (600, 700, 12), (700, 1000, 0), (1000, 1100, -12), (1100, 1300, 0)):
                low, high = max(a, start), min(b, start + chunk)
                if low < high:
                    where.run(low, high, shift=shift)
            where.look()
        where.look_at_the_end()

    play(rig, chunk)
    shutil.copy(migrated_file, tmp_path / "other.db")
    other_database = Database(f"sqlite:///{tmp_path}/other.db")
    with DuckDBStore(tmp_path / "other.duckdb") as other_store:
        at_once = Rig(site, other_store, other_database)
        play(at_once, 10_000)
        assert rig.story() == at_once.story()
        assert len(rig.story()) == 2
    other_database.close()


def test_no_row_is_judged_twice_across_a_restart(rig: Rig) -> None:
    rig.run(0, 700)
    rig.run(700, 900, shift=12)
    rig.look()
    ticket = rig.desk.tickets()[0]
    rig.desk.close(ticket.id, "valve opened", "li")
    rig.restart()
    rig.look_at_the_end()
    assert len(rig.desk.tickets()) == 1


def test_what_came_while_the_service_was_down_is_caught_up(rig: Rig) -> None:
    rig.run(0, 600)
    rig.look()
    rig.run(600, 700)
    rig.run(700, 900, shift=12)
    rig.run(900, 1100)
    rig.restart()
    rig.look_at_the_end()
    ((verdict, since, ended),) = rig.story()
    assert (verdict, 700 <= since <= 720, ended is not None) == ("fault", True, True)


def test_nothing_is_said_before_there_is_enough_to_learn_from(rig: Rig) -> None:
    rig.run(0, 300, shift=0)
    rig.run(300, 399, shift=12)
    rig.look_at_the_end()
    assert rig.desk.findings() == []


def test_a_live_machine_is_judged_like_a_recording(rig: Rig) -> None:
    rig.run(0, 700, quality=0)
    rig.run(700, 900, shift=12, quality=0)
    rig.look()
    assert [v for v, _, _ in rig.story()] == ["fault"]


def test_a_long_record_is_learnt_from_its_newest_part_and_its_past_is_left_alone(rig: Rig) -> None:
    rig.run(0, 10_000)
    rig.run(10_000, 10_200, shift=12)  # an old story
    rig.run(10_200, 30_000)
    rig.look()
    assert rig.desk.findings() == []
    rig.run(30_000, 30_200, shift=12)
    rig.look()
    ((verdict, since, _),) = rig.story()
    assert verdict == "fault"
    assert 30_000 <= since <= 30_020


def test_a_new_record_after_a_long_silence_is_learnt_anew(rig: Rig) -> None:
    rig.run(0, 900)
    rig.look_at_the_end()
    rig.run(10_000, 11_000, shift=12)  # the rig was rebuilt: another normal
    rig.look_at_the_end()
    assert rig.desk.findings() == []


def test_a_short_silence_is_no_reason_to_forget(rig: Rig) -> None:
    rig.run(0, 900)
    rig.look_at_the_end()
    rig.run(1500, 1700, shift=12)
    rig.look()
    assert [v for v, _, _ in rig.story()] == ["fault"]


def test_a_long_run_is_learnt_anew_from_healthy_rows_and_still_sees_trouble(rig: Rig) -> None:
    for start in range(0, 9000, 1000):
        rig.run(start, start + 1000)
        rig.look()
    rig.run(9000, 9200, shift=12)
    rig.look()
    found = rig.only()
    assert found.verdict == "fault"
    assert THEN + 9000 * S <= found.since_us <= THEN + 9020 * S
    assert found.evidence["learnt_from_us"] > THEN


def test_a_machine_whose_points_do_not_move_cannot_be_judged_and_says_so(rig: Rig, site: Site) -> None:
    seconds = np.arange(0, 900)
    for point in ("pressure", "flow", "current"):
        index = site.points.index[f"p1/{point}"]
        rig.store.write(
            ReadingBatch.of(site.points, np.full(900, index), THEN + seconds * S, np.full(900, 7.0), HISTORICAL)
        )
    rig.look_at_the_end()
    for found in rig.desk.findings():  # a flat line is no fault
        assert found.verdict == "cannot_tell"
        assert found.evidence["reason"]
    assert rig.desk.tickets() == []


def test_a_machine_sampled_each_minute_is_judged_by_minutes(
    site_of: Callable[[str], Site], store: TelemetryStore, database: Database
) -> None:
    text = (
        (PLANT / "site.yaml").read_text(encoding="utf-8").replace("learn: 400 s, step: 1 s", "learn: 8 h, step: 1 min")
    )
    rig = Rig(site_of(text), store, database)
    rig.run(0, 40_000, step_s=60)
    rig.run(40_020, 50_000, shift=12, step_s=60)
    rig.look_at_the_end()
    ((verdict, since, _),) = rig.story()
    assert verdict == "fault"
    assert 40_000 <= since <= 41_000


def test_other_settings_begin_anew(rig: Rig, site_of: Callable[[str], Site]) -> None:
    rig.run(0, 900)
    rig.look_at_the_end()
    text = (PLANT / "site.yaml").read_text(encoding="utf-8").replace("learn: 400 s", "learn: 500 s")
    rig.site = site_of(text)
    rig.restart()
    rig.run(900, 1000)
    rig.run(1000, 1200, shift=12)
    rig.look()
    assert rig.only().evidence["learnt_rows"] == 500


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ("0 0 0 0 0", []),
        ("0 1 1 0 0", []),  # two odd rows are no finding
        ("0 1 1 1 0", [Stretch(1, 4, 3)]),  # three are
        ("1 1 1 1 1", [Stretch(0, 5, 2)]),
        ("1 1 1 0 1 1", [Stretch(0, 3, 2)]),
        ("", []),
    ],
)
def test_an_odd_stretch_holds_three_rows(labels: str, found: list[Stretch]) -> None:
    assert odd_stretches(np.array([int(x) for x in labels.split()], dtype=np.int64)) == found


def test_one_wild_row_is_no_finding(rig: Rig) -> None:
    rig.run(0, 700)
    rig.run(700, 701, shift=40)
    rig.run(701, 900)
    rig.look_at_the_end()
    assert rig.desk.findings() == []


def test_a_gap_takes_the_value_before_it_for_three_steps_at_most() -> None:
    nan = np.nan
    filled = carry_forward(np.array([[nan], [1.0], [nan], [nan], [nan], [nan], [2.0]]), 3)
    assert filled[:, 0].tolist() == pytest.approx([nan, 1, 1, 1, 1, nan, 2], nan_ok=True)


@pytest.mark.parametrize(("learn_s", "step_s", "pace_s"), [(400, 1, 30), (7 * 86400, 60, 1209.6), (8 * 3600, 300, 300)])
def test_a_look_is_worth_more_data_where_there_is_more_to_learn(learn_s: float, step_s: float, pace_s: float) -> None:
    assert pace_us(AnomalySettings(("a", "b"), learn_s, step_s)) == round(pace_s * S)
