"""Silent gateway, silent machine, silent point, stopped machine: told apart, told once, and over by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from analytics.data_health import DataHealth, Listening
from analytics.data_health.codes import TROUBLES, Trouble
from analytics.desk import Desk
from facility.database import Database
from facility.readings import CLOCK_SUSPECT, HISTORICAL, ReadingBatch
from facility.site import Site
from facility.site_file import load_site
from facility.store import TelemetryStore
from facility.store.opening import open_store

S = 1_000_000
PAGE = Path(__file__).parents[3] / "docs" / "data-health.md"
NOW = 1_784_140_800 * S
SITE = """
site: {id: sample, name: {zh: 示例医院, en: Sample Hospital}, time_zone: Asia/Shanghai, currency: CNY}
rooms:
  - {id: oxygen-1, kind: oxygen_station, name: {zh: 制氧站, en: Oxygen station}}
  - {id: pump-1, kind: pump_room, name: {zh: 水泵房, en: Pump room}}
departments:
  - {id: icu, name: {zh: 重症医学科, en: Intensive care}, beds: 24}
equipment:
  - {id: zone-a, class: oxygen_pipeline_zone, room: oxygen-1, name: {zh: A区, en: Zone A}, serves: [icu],
     telemetry: {gateway: gw-ox, topic: "s/a"}}
  - {id: zone-b, class: oxygen_pipeline_zone, room: oxygen-1, name: {zh: B区, en: Zone B},
     telemetry: {gateway: gw-ox, topic: "s/b"}}
  - {id: p1, class: pump, room: pump-1, name: {zh: 1号泵, en: Pump 1}}
  - {id: p2, class: pump, room: pump-1, name: {zh: 2号泵, en: Pump 2}}
  - {id: p3, class: pump, room: pump-1, name: {zh: 3号泵, en: Pump 3}}
"""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Site:
    file = tmp_path_factory.mktemp("health") / "site.yaml"
    file.write_text(SITE, encoding="utf-8")
    return load_site(file)


@dataclass
class Bench:
    """A running watch whose time the test turns, and machines that report every five seconds."""

    site: Site
    store: TelemetryStore
    database: Database
    now_us: int = NOW
    hears: Listening = field(default_factory=lambda: Listening(True))
    values: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start()

    def clock(self) -> int:
        return self.now_us

    def start(self) -> None:
        """Start the service, or start it again."""
        self.desk = Desk(self.database, self.site, self.clock)
        self.watch = DataHealth(self.site, self.store, self.desk, self.clock, listening=lambda: self.hears)

    def live(self, seconds: int, without: Callable[[str], bool] = lambda key: False, deaf: bool = False) -> None:
        """Let time pass; every point reports each five seconds, but for those that the test holds back."""
        table = self.site.points
        measured = [i for i, a in enumerate(table.addresses) if a.kind != "derived" and not without(a.key)]
        for _ in range(seconds // 5):
            self.now_us += 5 * S
            if not deaf:
                values = [self.values.get(table.key(i), 1.0) for i in measured]
                batch = ReadingBatch.of(table, measured, [self.now_us - S] * len(measured), values)
                self.store.write(batch)
                self.watch(batch)
            self.watch.look()

    def told(self) -> set[str]:
        """Return the causes of all findings that have not ended."""
        return {f.cause for f in self.desk.findings(active=True)}


@pytest.fixture
def bench(plant: Site, tmp_path: Path, database: Database) -> Bench:
    with open_store(str(tmp_path / "t.duckdb")) as store:
        made = Bench(plant, store, database)
        made.live(60)
        yield made


def of(*names: str) -> Callable[[str], bool]:
    return lambda key: key.startswith(names)


def test_while_everybody_speaks_nothing_is_told(bench: Bench) -> None:
    bench.live(600)
    assert bench.told() == set()


def test_a_silent_gateway_is_one_finding_that_names_what_is_behind_it(bench: Bench) -> None:
    bench.live(120, without=of("zone-"))
    assert bench.told() == {"gw-ox|data.gateway_silent"}
    (finding,) = bench.desk.findings(active=True)
    assert "2 machines, 12 points, 1 room" in finding.summary_en
    assert "2 台设备" in finding.summary_zh
    assert finding.evidence["machines"] == ["zone-a", "zone-b"]
    assert finding.advice_zh
    assert finding.advice_en


def test_oxygen_behind_a_silent_gateway_interrupts_within_seventy_seconds(bench: Bench) -> None:
    bench.live(55, without=of("zone-"))
    assert bench.desk.open_alerts() == []
    bench.live(15, without=of("zone-"))
    (alert,) = bench.desk.open_alerts()
    assert (alert.priority, alert.life_safety, alert.limit_id) == ("P1", True, "data.gateway_silent")
    assert alert.place["departments"] == ["icu"]


def test_a_machine_that_is_silent_while_its_gateway_speaks_is_a_silent_machine(bench: Bench) -> None:
    bench.live(600, without=of("p2/"))
    assert bench.told() == {"p2|data.device_silent"}
    (finding,) = bench.desk.findings(active=True)
    assert "other machines of the gateway of Pump room speak" in finding.summary_en
    assert bench.desk.open_alerts() == []
    assert [t.equipment for t in bench.desk.tickets()] == ["p2"]


def test_a_machine_that_restarts_is_no_news(bench: Bench) -> None:
    bench.live(200, without=of("p2/"))
    bench.live(300)
    assert bench.told() == set()


def test_a_silent_oxygen_pressure_is_an_alert_of_its_own(bench: Bench) -> None:
    bench.live(90, without=of("zone-a/pressure"))
    assert bench.told() == {"zone-a|data.point_silent|pressure"}
    (alert,) = bench.desk.open_alerts()
    assert (alert.priority, alert.life_safety) == ("P1", True)
    assert alert.title_en == "Zone A: points silent, Oxygen pressure"


def test_silent_points_of_one_machine_are_one_finding(bench: Bench) -> None:
    bench.live(600, without=of("p1/flow", "p1/inlet", "p1/outlet"))
    (finding,) = bench.desk.findings(active=True)
    assert (finding.code, set(finding.points)) == (
        "data.point_silent", {"flow", "inlet_pressure", "outlet_pressure"},
    )  # fmt: skip


def test_a_stopped_machine_that_reports_is_off_and_no_fault(bench: Bench) -> None:
    bench.values = {f"p1/{p}": 0.0 for p in bench.site.equipment["p1"].points}
    bench.live(900)
    assert bench.told() == set()
    state = bench.watch.state()
    assert [m.id for m, off in zip(state.plan.machines, state.off, strict=True) if off] == ["p1"]


def test_what_speaks_again_is_over_by_itself(bench: Bench) -> None:
    bench.live(120, without=of("zone-"))
    bench.live(10)
    assert bench.told() == set()
    (alert,) = bench.desk.alerts()
    assert alert.state == "resolved"


def test_the_broker_being_away_is_one_finding_about_us_and_none_about_machines(bench: Bench) -> None:
    bench.hears = Listening(False, "no answer")
    bench.live(1800, deaf=True)
    assert bench.told() == {"heartbeat|data.not_connected"}
    bench.hears = Listening(True)
    bench.live(20, deaf=True)
    assert bench.told() == set()
    bench.live(900)
    assert {f.code for f in bench.desk.findings()} == {"data.not_connected"}


def test_all_gateways_silent_at_once_is_the_broker_or_the_network(bench: Bench) -> None:
    bench.live(900, deaf=True)
    assert bench.told() == {"heartbeat|data.nothing_heard"}
    assert {f.code for f in bench.desk.findings()} <= {"data.nothing_heard", "data.gateway_silent"}


def test_a_restart_tells_nothing_false_and_nothing_twice(bench: Bench) -> None:
    bench.live(600, without=of("p2/"))
    ticket = bench.desk.tickets()[0].number
    bench.now_us += 3600 * S  # the service was down for an hour
    bench.start()
    bench.live(600, without=of("p2/"))
    assert bench.told() == {"p2|data.device_silent"}
    assert [t.number for t in bench.desk.tickets()] == [ticket]
    bench.live(10)
    assert bench.told() == set()


def test_a_restart_keeps_the_alert_of_what_is_still_silent(bench: Bench) -> None:
    bench.live(120, without=of("zone-"))
    (before,) = bench.desk.open_alerts()
    bench.start()
    assert bench.desk.open_tiers() == []  # it is no limit's: the live rules must not end it
    bench.live(120, without=of("zone-"))
    assert [a.id for a in bench.desk.open_alerts()] == [before.id]
    bench.live(10)
    (after,) = bench.desk.alerts()
    assert (after.id, after.state) == (before.id, "resolved")


def test_a_p1_that_comes_back_before_anybody_saw_it_is_the_same_alert(bench: Bench) -> None:
    bench.live(120, without=of("zone-"))
    bench.live(10)
    bench.live(120, without=of("zone-"))
    assert len(bench.desk.alerts()) == 1
    assert bench.desk.alerts()[0].state == "firing"


def test_a_process_that_stood_still_blames_nobody(bench: Bench) -> None:
    bench.now_us += 3600 * S
    bench.watch.look()
    assert bench.told() == set()


def test_a_goodbye_is_silence_known_at_once(bench: Bench) -> None:
    @dataclass
    class Goodbye:
        point: np.ndarray
        at_us: int

    own = bench.watch.plan.points_of(1)
    measured = [i for i in range(own.start, own.stop) if bench.watch.plan.measured[i]]
    bench.watch.goodbye(Goodbye(np.array(measured, dtype=np.int32), bench.now_us))
    bench.watch.look()
    assert bench.told() == {"zone-b|data.device_silent"}
    bench.live(5)
    assert bench.told() == set()


def test_what_the_broker_had_kept_is_no_voice(bench: Bench) -> None:
    table = bench.site.points
    kept = [i for i, a in enumerate(table.addresses) if a.equipment.startswith("zone-") and a.kind != "derived"]
    for _ in range(30):
        bench.live(5, without=of("zone-"))
        bench.watch(
            ReadingBatch.of(table, kept, [bench.now_us] * len(kept), [1.0] * len(kept), HISTORICAL | CLOCK_SUSPECT)
        )
    assert bench.told() == {"gw-ox|data.gateway_silent"}


def test_points_never_heard_are_a_line_after_an_hour_and_no_alarm(bench: Bench, tmp_path: Path) -> None:
    with open_store(str(tmp_path / "fresh.duckdb")) as store:
        fresh = Bench(bench.site, store, bench.database)
        fresh.live(3500, without=of("zone-a/room_oxygen"))
        assert fresh.told() == set()
        fresh.live(300, without=of("zone-a/room_oxygen"))
        assert fresh.told() == {"zone-a|data.never_heard"}
        assert fresh.desk.open_alerts() == []
        assert fresh.desk.tickets() == []
        fresh.live(10)
        assert fresh.told() == set()


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_every_trouble_is_told_in_both_languages_with_what_to_do(trouble: Trouble) -> None:
    assert trouble.advice
    assert all(names.zh and names.en for names in (trouble.name, trouble.cause, *trouble.advice))
    assert f"## {trouble.code}" in PAGE.read_text(encoding="utf-8")
