"""What becomes of findings and events, and what people can do about them; on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from analytics.desk import ActionRefused, Desk, DeskChange, NoSuchRecord
from analytics.findings import Finding, Waste
from analytics.live import EventKind, LimitEvent, cause_of
from analytics.records import Ticket
from facility.database import Database
from facility.names import Names
from facility.site import Site
from tests.analytics.conftest import PLANT

S = 1_000_000
# 2026-11-20 10:00 in Shanghai
NOW = 1_795_140_000 * S


class Clock:
    def __init__(self) -> None:
        self.now_us = NOW

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(any_database: Database, site: Site, clock: Clock) -> Desk:
    return Desk(any_database, site, clock)


@pytest.fixture
def event(site: Site) -> Callable[..., LimitEvent]:
    """Make an event of a limit of a machine, so many seconds after 10:00."""

    def make(
        kind: EventKind,
        equipment: str,
        limit_id: str,
        at: float = 0,
        value: float = float("nan"),
        peak: float | None = None,
    ) -> LimitEvent:
        limit = next(li for li in site.equipment[equipment].limits if li.id == limit_id)
        at_us = NOW + round(at * S)
        return LimitEvent(
            kind, equipment, limit, cause_of(equipment, limit), at_us, at_us - 60 * S, at_us, value,
            value if peak is None else peak,
        )  # fmt: skip

    return make


Make = Callable[..., LimitEvent]


def kinds(desk: Desk, ticket: Ticket) -> list[str]:
    return [e.kind for e in desk.ticket_events(ticket.id)]


class TestALimitThatFires:
    def test_becomes_a_finding_an_alert_and_a_ticket(self, desk: Desk, event: Make) -> None:
        desk.take_events([event("firing", "tx1", "EL-L16/alarm", value=131.2)])
        (alert,), (ticket,), (finding,) = desk.open_alerts(), desk.tickets(), desk.findings()
        assert (alert.state, alert.priority, alert.limit_id, alert.value) == ("firing", "P2", "EL-L16/alarm", 131.2)
        assert alert.title_zh.replace("\N{NO-BREAK SPACE}", " ") == "1#变压器 绕组温度高 131 °C"
        assert (ticket.state, ticket.priority, ticket.alert_id, ticket.finding_id) == (
            "open",
            "P2",
            alert.id,
            finding.id,
        )
        assert ticket.title_zh == alert.title_zh
        assert ticket.number == "WO-261120-001"
        assert ticket.occurred_us == NOW - 60 * S
        assert [s.zh for s in ticket.checklist] == ["听风机", "减负荷"]
        assert kinds(desk, ticket) == ["opened"]
        assert finding.cause == alert.cause == ticket.cause
        assert finding.evidence["limit"] == 130
        assert finding.evidence["value"] == 131.2
        assert finding.standard == "vendor practice"
        assert finding.advice_en == ("Listen for the fan", "Shed load")

    def test_names_who_is_affected_through_the_supply_tree(self, desk: Desk, event: Make) -> None:
        desk.take_events([event("firing", "tx1", "EL-L16/alarm", value=131)])  # tx1 feeds the oxygen of the ICU
        (alert,) = desk.open_alerts()
        assert alert.place == {"building": "main", "room": "power-1", "departments": ["icu"], "beds": 24}

    def test_told_twice_is_still_one(self, desk: Desk, event: Make) -> None:
        firing = event("firing", "tx1", "EL-L16/alarm", value=131)
        desk.take_events([firing, firing])
        desk.take_events([firing])
        assert len(desk.alerts()) == len(desk.tickets()) == len(desk.findings()) == 1
        assert kinds(desk, desk.tickets()[0]) == ["opened"]

    def test_with_priority_four_is_a_line_on_the_list_and_interrupts_nobody(self, desk: Desk, event: Make) -> None:
        desk.take_events([event("firing", "tx1", "EL-L14/warn", value=81)])
        assert desk.alerts() == desk.tickets() == []
        assert [f.code for f in desk.findings(active=True)] == ["EL-L14"]
        desk.take_events([event("firing", "tx1", "EL-L14/warn", 10, value=82)])
        assert len(desk.findings()) == 1
        desk.take_events([event("cleared", "tx1", "EL-L14/warn", 60, value=70)])
        assert desk.findings(active=True) == []

    def test_is_marked_as_life_safety_where_the_limit_is(self, desk: Desk, event: Make) -> None:
        desk.take_events([event("firing", "o2-icu", "MG-L05/low_trip", value=312)])
        assert desk.open_alerts()[0].life_safety


class TestALimitThatClears:
    def test_resolves_the_alert_but_leaves_the_ticket_to_people(self, desk: Desk, event: Make) -> None:
        desk.take_events([event("firing", "tx1", "EL-L16/alarm", value=131)])
        desk.take_events([event("cleared", "tx1", "EL-L16/alarm", 600, value=124, peak=139)])
        (alert,), (ticket,), (finding,) = desk.alerts(), desk.tickets(), desk.findings()
        assert desk.open_alerts() == []
        assert (alert.state, alert.resolved_us, alert.resolved_value, alert.peak) == (
            "resolved",
            NOW + 600 * S,
            124,
            139,
        )
        assert finding.ended_us == NOW + 600 * S
        assert ticket.state == "open"
        assert kinds(desk, ticket) == ["opened", "cleared"]

    @pytest.mark.parametrize(
        ("equipment", "limit", "open_after"), [("tx1", "EL-L16/alarm", 0), ("o2-icu", "MG-L05/low_trip", 1)]
    )
    def test_stays_in_sight_if_it_was_a_p1_that_nobody_has_seen(
        self, desk: Desk, event: Make, equipment: str, limit: str, open_after: int
    ) -> None:
        desk.take_events([event("firing", equipment, limit, value=200)])
        desk.take_events([event("cleared", equipment, limit, 60, value=400)])
        assert len(desk.open_alerts()) == open_after
        for alert in desk.open_alerts():
            assert alert.state == "resolved"
            desk.acknowledge(alert.id, "zhang")
        assert desk.open_alerts() == []

    def test_p1_that_comes_back_unseen_is_the_same_alert(self, desk: Desk, event: Make) -> None:
        for at in (0, 100):
            desk.take_events([event("firing", "o2-icu", "MG-L05/low_trip", at, value=310 - at)])
            desk.take_events([event("cleared", "o2-icu", "MG-L05/low_trip", at + 50, value=400)])
        (alert,) = desk.alerts()
        assert (alert.started_us, alert.peak) == (NOW - 60 * S, 210)

    def test_p1_that_comes_back_unseen_after_its_ticket_was_closed_is_work_again(self, desk: Desk, event: Make) -> None:
        desk.take_events([event("firing", "o2-icu", "MG-L05/low_trip", 0, value=310)])
        desk.close(desk.tickets()[0].id, "done", "zhang")
        desk.take_events([event("cleared", "o2-icu", "MG-L05/low_trip", 50, value=400)])
        desk.take_events([event("firing", "o2-icu", "MG-L05/low_trip", 100, value=210)])
        assert len(desk.alerts()) == 1
        assert sorted(t.state for t in desk.tickets()) == ["closed", "open"]

    def test_p1_that_comes_back_after_it_was_seen_is_a_new_alert_on_the_same_ticket(
        self, desk: Desk, event: Make
    ) -> None:
        for at in (0, 100):
            desk.take_events([event("firing", "o2-icu", "MG-L05/low_trip", at, value=310)])
            desk.acknowledge(desk.open_alerts()[0].id, "zhang")
            desk.take_events([event("cleared", "o2-icu", "MG-L05/low_trip", at + 50, value=400)])
        assert len(desk.alerts()) == 2
        (ticket,) = desk.tickets()
        assert kinds(desk, ticket) == ["opened", "acknowledged", "cleared", "finding", "acknowledged", "cleared"]

    def test_cleared_twice_changes_nothing(self, desk: Desk, event: Make) -> None:
        cleared = event("cleared", "tx1", "EL-L16/alarm", 60, value=100)
        desk.take_events([cleared])
        desk.take_events([event("firing", "tx1", "EL-L16/alarm", value=131), cleared, cleared])
        assert kinds(desk, desk.tickets()[0]) == ["opened", "cleared"]


class TestTiersOfOneLimit:
    def test_are_one_alert_that_rises_and_must_be_seen_again(self, desk: Desk, event: Make) -> None:
        desk.take_events([event("firing", "tx1", "EL-L16/warn", value=121)])
        desk.acknowledge(desk.open_alerts()[0].id, "zhang")
        desk.take_events([event("firing", "tx1", "EL-L16/alarm", 300, value=131)])
        (alert,) = desk.alerts()
        assert (alert.limit_id, alert.priority, alert.threshold, alert.value) == ("EL-L16/alarm", "P2", 130, 131)
        assert (alert.state, alert.acknowledged_us) == ("firing", None)
        assert "绕组温度高" in alert.title_zh
        assert alert.started_us == NOW - 60 * S
        (ticket,) = desk.tickets()
        assert (ticket.priority, ticket.title_zh) == ("P2", alert.title_zh)
        assert kinds(desk, ticket) == ["opened", "acknowledged", "escalated"]
        assert len(desk.findings()) == 1

    def test_in_one_batch_are_one_alert_of_the_worst(self, desk: Desk, event: Make) -> None:
        desk.take_events([event("firing", "tx1", t, value=151) for t in ("EL-L16/trip", "EL-L16/warn", "EL-L16/alarm")])
        (alert,) = desk.open_alerts()
        assert (alert.limit_id, alert.priority) == ("EL-L16/trip", "P1")
        assert len(desk.tickets()) == 1

    def test_ease_to_what_is_left_once_somebody_has_seen_the_worst(self, desk: Desk, event: Make) -> None:
        desk.take_events([event("firing", "tx1", t, value=151) for t in ("EL-L16/warn", "EL-L16/alarm", "EL-L16/trip")])
        desk.take_events([event("cleared", "tx1", "EL-L16/trip", 60, value=139)])
        (unseen,) = desk.open_alerts()
        assert unseen.priority == "P1"  # nobody has seen it yet
        desk.acknowledge(unseen.id, "zhang")
        (seen,) = desk.open_alerts()
        assert (seen.limit_id, seen.priority, seen.state) == ("EL-L16/alarm", "P2", "acknowledged")
        desk.take_events([event("cleared", "tx1", "EL-L16/alarm", 120, value=124)])
        assert desk.open_alerts()[0].priority == "P3"
        desk.take_events([event("cleared", "tx1", "EL-L16/warn", 180, value=110)])
        assert desk.open_alerts() == []
        assert desk.tickets()[0].priority == "P1"  # the work is as urgent as it ever was

    def test_upper_and_lower_side_are_two_alerts(self, desk: Desk, event: Make) -> None:
        desk.take_events(
            [
                event("firing", "o2-icu", "MG-L05/low_trip", value=310),
                event("firing", "o2-icu", "MG-L05/alarm", 60, value=490),
            ]
        )
        assert len(desk.open_alerts()) == len(desk.tickets()) == 2


def test_nobody_can_tell_is_shown_beside_the_alert_and_taken_back(desk: Desk, event: Make) -> None:
    desk.take_events([event("firing", "tx1", "EL-L16/alarm", value=131)])
    desk.take_events([event("unknown", "tx1", "EL-L16/alarm", 60)])
    assert (desk.open_alerts()[0].unknown_us, desk.open_alerts()[0].state) == (NOW + 60 * S, "firing")
    desk.take_events([event("known", "tx1", "EL-L16/alarm", 90, value=132)])
    assert desk.open_alerts()[0].unknown_us is None


def test_a_new_worst_value_is_kept(desk: Desk, event: Make) -> None:
    desk.take_events([event("firing", "tx1", "EL-L16/alarm", value=131)])
    desk.take_events([event("worse", "tx1", "EL-L16/alarm", 60, value=133, peak=138)])
    assert desk.open_alerts()[0].peak == 138


def test_open_alerts_come_worst_first_then_unseen_then_newest(desk: Desk, event: Make) -> None:
    desk.take_events(
        [
            event("firing", "tx1", "EL-L16/alarm", 0, value=131),
            event("firing", "tx2", "EL-L16/alarm", 60, value=141),
            event("firing", "tx1", "EL-F04/alarm", 30, value=131),
            event("firing", "o2-icu", "MG-L05/low_trip", 10, value=310),
        ]
    )
    newest = next(a for a in desk.open_alerts() if a.equipment == "tx2")
    desk.acknowledge(newest.id, "zhang")
    assert [(a.equipment, a.limit_id) for a in desk.open_alerts()] == [
        ("o2-icu", "MG-L05/low_trip"), ("tx1", "EL-F04/alarm"), ("tx1", "EL-L16/alarm"), ("tx2", "EL-L16/alarm"),
    ]  # fmt: skip


class TestAcknowledging:
    def test_notes_who_and_when_and_only_the_first_time(self, desk: Desk, event: Make, clock: Clock) -> None:
        desk.take_events([event("firing", "tx1", "EL-L16/alarm", value=131)])
        number = desk.open_alerts()[0].id
        clock.now_us += 90 * S
        first = desk.acknowledge(number, "zhang", "张工")
        clock.now_us += 90 * S
        second = desk.acknowledge(number, "li", "李工")
        assert first == second
        assert (first.state, first.acknowledged_by, first.acknowledged_name) == ("acknowledged", "zhang", "张工")
        assert first.acknowledged_us == NOW + 90 * S
        (_, seen) = desk.ticket_events(desk.tickets()[0].id)
        assert (seen.kind, seen.who, seen.at_us) == ("acknowledged", "zhang", NOW + 90 * S)

    def test_an_alert_that_is_none_is_told(self, desk: Desk) -> None:
        with pytest.raises(NoSuchRecord, match="there is no alert with number 99"):
            desk.acknowledge(99, "zhang")

    def test_at_the_same_time_by_two_people_counts_once(self, desk: Desk, event: Make) -> None:
        desk.take_events([event("firing", "tx1", "EL-L16/alarm", value=131)])
        number = desk.open_alerts()[0].id
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda who: desk.acknowledge(number, who), "abcd"))
        assert len({a.acknowledged_by for a in found}) == 1


def fault(**changes: object) -> Finding:
    return replace(
        Finding(
            code="water.night_flow", equipment="w-main", points=("flow",), verdict="fault",
            title=Names(zh="总水表 夜间流量大", en="Main water meter night flow"),
            summary=Names(zh="夜间最小流量 2.1 m³/h。", en="Night flow 2.1 m³/h."), evidence={"excess_m3h": 1.3},
            since_us=NOW - 3 * 86400 * S, found_us=NOW, confidence=0.8, priority="P4", source="test", standard="IWA",
            advice=(Names(zh="查水箱浮球", en="Check the float valve"),), cost_per_day=203.0, waste=Waste(31.2, "m³"),
        ),
        **changes,  # type: ignore[arg-type]
    )  # fmt: skip


class TestAFindingOfARule:
    def test_becomes_a_ticket_with_its_cost_and_no_alert(self, desk: Desk) -> None:
        (number,) = desk.take_findings([fault()])
        finding = desk.finding(number)
        assert finding is not None
        assert (finding.cost_per_day, finding.waste, finding.ended_us) == (203.0, {"amount": 31.2, "unit": "m³"}, None)
        (ticket,) = desk.tickets()
        assert (ticket.title_zh, ticket.priority, ticket.state) == ("总水表 夜间流量大", "P4", "open")
        assert (ticket.finding_id, ticket.alert_id, ticket.assignee) == (number, None, None)
        assert ticket.occurred_us == NOW - 3 * 86400 * S
        assert desk.alerts() == []

    def test_told_again_moves_its_figures_on_and_opens_no_second_ticket(self, desk: Desk) -> None:
        desk.take_findings([fault()])
        desk.take_findings([fault(cost_per_day=240.0, found_us=NOW + 3600 * S, since_us=NOW - 86400 * S)])
        (finding,) = desk.findings()
        assert (finding.cost_per_day, finding.found_us, finding.last_seen_us) == (240.0, NOW, NOW + 3600 * S)
        assert finding.since_us == NOW - 3 * 86400 * S
        (ticket,) = desk.tickets()
        assert kinds(desk, ticket) == ["opened"]

    def test_that_is_mended_ends_and_says_so_on_the_ticket(self, desk: Desk) -> None:
        desk.take_findings([fault()])
        desk.take_findings([fault(verdict="healthy", found_us=NOW + 9 * S)])
        assert desk.findings()[0].ended_us == NOW + 9 * S
        assert kinds(desk, desk.tickets()[0]) == ["opened", "cleared"]

    def test_that_comes_back_while_its_ticket_is_open_adds_a_line(self, desk: Desk) -> None:
        for verdict in ("fault", "healthy", "fault"):
            desk.take_findings([fault(verdict=verdict)])
        assert len(desk.findings()) == 2
        (ticket,) = desk.tickets()
        assert kinds(desk, ticket) == ["opened", "cleared", "finding"]

    def test_that_comes_back_after_its_ticket_was_closed_opens_one_that_names_the_former(self, desk: Desk) -> None:
        desk.take_findings([fault()])
        first = desk.close(desk.tickets()[0].id, "浮球阀已换", "li")
        desk.take_findings([fault(verdict="healthy")])
        desk.take_findings([fault()])
        second = desk.tickets()[0]
        assert (first.number, second.number) == ("WO-261120-001", "WO-261120-002")
        assert (first.former, second.former) == (None, first.number)
        assert desk.ticket_events(second.id)[0].text == first.number

    def test_that_cannot_be_told_is_noted_but_ends_nothing_and_is_no_work(self, desk: Desk) -> None:
        desk.take_findings([fault()])
        desk.take_findings([fault(verdict="cannot_tell", summary=Names(zh="缺 2 夜数据。", en="Two nights missing."))])
        assert {(f.verdict, f.ended_us) for f in desk.findings()} == {("fault", None), ("cannot_tell", None)}
        assert len(desk.tickets()) == 1
        desk.take_findings([fault()])
        assert [f.verdict for f in desk.findings(active=True)] == ["fault"]

    def test_a_healthy_answer_about_a_healthy_machine_leaves_no_trace(self, desk: Desk) -> None:
        assert desk.take_findings([fault(verdict="healthy")]) == []
        assert desk.findings() == desk.tickets() == []

    def test_gets_a_ticket_by_hand_only_once(self, desk: Desk, event: Make) -> None:
        desk.take_events([event("firing", "tx1", "EL-L14/warn", value=81)])
        number = desk.findings()[0].id
        one, two = desk.open_ticket(number, "li"), desk.open_ticket(number, "wang")
        assert one == two
        assert (one.created_by, one.cause) == ("li", desk.findings()[0].cause)
        assert desk.findings()[0].summary_en.startswith(one.title_en)
        assert "EL-L14" not in one.title_en + one.title_zh


class TestWorkOnATicket:
    @pytest.fixture
    def ticket(self, desk: Desk) -> Ticket:
        desk.take_findings([fault()])
        return desk.tickets()[0]

    def test_is_assigned_commented_ticked_off_and_closed(self, desk: Desk, ticket: Ticket, clock: Clock) -> None:
        assert desk.assign(ticket.id, "li", "zhang").state == "assigned"
        desk.comment(ticket.id, "浮球阀漏", "li")
        assert desk.check_step(ticket.id, 0, "li").checklist[0].done_by == "li"
        clock.now_us += 3600 * S
        closed = desk.close(ticket.id, "浮球阀已换", "li")
        assert (closed.state, closed.closed_by, closed.closed_us) == ("closed", "li", NOW + 3600 * S)
        assert closed.resolution == "浮球阀已换"
        assert [(e.kind, e.who, e.text) for e in desk.ticket_events(ticket.id)] == [
            ("opened", "wardwatt", ""), ("assigned", "zhang", "li"), ("commented", "li", "浮球阀漏"),
            ("step", "li", "1 ✓"), ("closed", "li", "浮球阀已换"),
        ]  # fmt: skip

    def test_the_same_again_changes_nothing(self, desk: Desk, ticket: Ticket) -> None:
        for _ in range(2):
            desk.assign(ticket.id, "li", "zhang")
            desk.check_step(ticket.id, 0, "li")
            desk.comment(ticket.id, "valve leaks", "li")
        for _ in range(2):
            desk.close(ticket.id, "done", "li")
        assert kinds(desk, ticket) == ["opened", "assigned", "step", "commented", "closed"]

    def test_two_close_it_and_what_the_second_wrote_is_kept_as_a_remark(self, desk: Desk, ticket: Ticket) -> None:
        desk.close(ticket.id, "done", "li")
        closed = desk.close(ticket.id, "valve replaced", "wang")
        assert (closed.resolution, closed.closed_by) == ("done", "li")
        last = desk.ticket_events(ticket.id)[-1]
        assert (last.kind, last.who, last.text) == ("commented", "wang", "valve replaced")

    def test_the_same_remark_minutes_later_is_another_one(self, desk: Desk, ticket: Ticket, clock: Clock) -> None:
        desk.comment(ticket.id, "still leaks", "li")
        clock.now_us += 300 * S
        desk.comment(ticket.id, "still leaks", "li")
        assert kinds(desk, ticket) == ["opened", "commented", "commented"]

    def test_a_closed_ticket_takes_comments_but_no_work(self, desk: Desk, ticket: Ticket) -> None:
        desk.close(ticket.id, "done", "li")
        desk.comment(ticket.id, "checked a week later", "wang")
        with pytest.raises(ActionRefused, match=r"ticket WO-261120-001 is closed; open a new one"):
            desk.assign(ticket.id, "li", "zhang")

    def test_what_was_seen_and_is_sent_twice_is_one_ticket(self, desk: Desk, ticket: Ticket, clock: Clock) -> None:
        first = desk.new_ticket(ticket.equipment, "leak", "li", text="by the door")
        assert desk.new_ticket(ticket.equipment, "leak", "li", text="by the door").id == first.id
        assert kinds(desk, first) == ["opened", "commented"]
        others = {desk.new_ticket(ticket.equipment, *seen).id for seen in (("leak", "wang"), ("a leak", "li"))}
        desk.close(first.id, "mended", "li")
        others.add(desk.new_ticket(ticket.equipment, "leak", "li").id)
        clock.now_us += 300 * S
        others.add(desk.new_ticket(ticket.equipment, "leak", "li").id)
        assert len(others | {first.id}) == 5

    @pytest.mark.parametrize("text", ["", "  \n "])
    def test_closing_needs_words(self, desk: Desk, ticket: Ticket, text: str) -> None:
        with pytest.raises(ActionRefused, match="what was done is missing"):
            desk.close(ticket.id, text, "li")
        with pytest.raises(ActionRefused, match="the comment is missing"):
            desk.comment(ticket.id, text, "li")
        assert kinds(desk, ticket) == ["opened"]

    def test_what_turns_lines_around_is_not_kept(self, desk: Desk, ticket: Ticket) -> None:
        desk.comment(ticket.id, "\u202eevlav\x00 3\x1b[31m\r\nleaks", "li")
        assert desk.ticket_events(ticket.id)[-1].text == "evlav  3 [31m\nleaks"

    def test_a_book_is_no_comment(self, desk: Desk, ticket: Ticket) -> None:
        with pytest.raises(ActionRefused, match="4001 characters; 4000 are the most"):
            desk.comment(ticket.id, "x" * 4001, "li")

    def test_a_step_that_is_none_is_told(self, desk: Desk, ticket: Ticket) -> None:
        with pytest.raises(ActionRefused, match="the ticket has 1 steps"):
            desk.check_step(ticket.id, 1, "li")

    def test_a_ticket_that_is_none_is_told(self, desk: Desk) -> None:
        with pytest.raises(NoSuchRecord, match="no ticket with number 99"):
            desk.close(99, "x", "li")
        assert desk.ticket(99) is None


class TestATicketByHand:
    def test_is_opened_for_what_a_person_has_seen(self, desk: Desk) -> None:
        ticket = desk.new_ticket("p1", "地脚螺栓松动", "li", priority="P3", text="轴承侧")
        assert (ticket.title_zh, ticket.created_by, ticket.finding_id) == ("地脚螺栓松动", "li", None)
        assert kinds(desk, ticket) == ["opened", "commented"]

    @pytest.mark.parametrize(
        ("equipment", "title", "priority", "message"),
        [
            ("p9", "x", "P3", "no equipment is called 'p9'"),
            ("p1", " ", "P3", "the title is missing"),
            ("p1", "x", "P7", "'P7' is no priority"),
        ],
    )
    def test_is_refused_with_what_to_write(
        self, desk: Desk, equipment: str, title: str, priority: str, message: str
    ) -> None:
        with pytest.raises(ActionRefused, match=message):
            desk.new_ticket(equipment, title, "li", priority=priority)


def test_numbers_count_through_the_sites_day_and_beyond_a_thousand(
    desk: Desk, any_database: Database, clock: Clock
) -> None:
    from analytics.tables import TicketRow

    desk.new_ticket("p1", "a", "li")
    with any_database.session() as session:
        session.query(TicketRow).update({"number": "WO-261120-999"})
    clock.now_us += 1
    assert desk.new_ticket("p1", "b", "li").number == "WO-261120-1000"
    clock.now_us += 1
    assert desk.new_ticket("p1", "c", "li").number == "WO-261120-1001"
    clock.now_us = NOW + 14 * 3600 * S  # midnight in Shanghai, still the day before in London
    assert desk.new_ticket("p1", "d", "li").number == "WO-261121-001"


def test_two_services_that_find_the_same_open_one_ticket(any_database: Database, site: Site, clock: Clock) -> None:
    other = Database(any_database.engine.url.render_as_string(hide_password=False))
    desks = [Desk(any_database, site, clock), Desk(other, site, clock)]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda d: [d.new_ticket("p1", f"{i}{id(d)}", "li") for i in range(10)], desks))
    numbers = [t.number for t in desks[0].tickets()]
    assert sorted(numbers) == [f"WO-261120-{i:03d}" for i in range(1, 21)]
    other.close()


class TestAfterARestart:
    def test_what_was_firing_is_handed_to_the_live_rules(self, desk: Desk, event: Make) -> None:
        desk.take_events(
            [
                event("firing", "tx1", "EL-L16/warn", value=121),
                event("firing", "tx1", "EL-L16/alarm", 60, value=131),
                event("firing", "tx1", "EL-L14/warn", value=81),
                event("firing", "tx2", "EL-L16/warn", value=121),
                event("cleared", "tx2", "EL-L16/warn", 60, value=100),
            ]
        )
        tiers = desk.open_tiers()
        assert {(t.cause, t.limit_id) for t in tiers} == {
            ("tx1|EL-L16|winding_temperature", "EL-L16/warn"),
            ("tx1|EL-L16|winding_temperature", "EL-L16/alarm"),
            ("tx1|EL-L14|load", "EL-L14/warn"),
        }
        assert {t.fired_us for t in tiers} == {NOW, NOW + 60 * S}

    def test_an_alert_whose_limit_is_gone_from_the_site_file_is_resolved(
        self, desk: Desk, any_database: Database, event: Make, site_of: Callable[[str], Site], clock: Clock
    ) -> None:
        desk.take_events([event("firing", "tx1", "EL-L16/alarm", value=131)])
        changed = (PLANT / "site.yaml").read_text(encoding="utf-8")
        changed = changed.replace("rating: {power: 1000 kVA}", "limits: {winding_temperature: {alarm: {off: true}}}")
        clock.now_us += 5 * S
        after = Desk(any_database, site_of(changed), clock)
        assert after.open_tiers() == []
        assert (after.alerts()[0].state, after.alerts()[0].resolved_us) == ("resolved", NOW + 5 * S)
        assert kinds(after, after.tickets()[0]) == ["opened", "cleared"]


def test_listeners_hear_of_changes_once_they_are_in_the_database(desk: Desk, event: Make) -> None:
    heard: list[tuple[DeskChange, int]] = []

    def broken(change: DeskChange) -> None:
        raise RuntimeError

    desk.subscribe(broken)
    stop = desk.subscribe(lambda c: heard.append((c, len(desk.alerts()))))
    desk.take_events([event("firing", "tx1", "EL-L16/alarm", value=131)])
    assert [(c.kind, n) for c, n in heard] == [("alert", 1), ("ticket", 1)]
    stop()
    desk.acknowledge(heard[0][0].id, "zhang")
    assert len(heard) == 2


def test_lists_can_be_narrowed(desk: Desk, event: Make) -> None:
    desk.take_events([event("firing", m, "EL-L16/warn", value=121) for m in ("tx1", "tx2")])
    desk.take_events([event("cleared", "tx2", "EL-L16/warn", 60, value=100)])
    assert [a.equipment for a in desk.alerts(equipment="tx2")] == ["tx2"]
    assert [a.equipment for a in desk.alerts(state="firing")] == ["tx1"]
    assert len(desk.alerts(limit=1)) == 1
    assert [t.equipment for t in desk.tickets(equipment="tx1", state="open")] == ["tx1"]
    assert len(desk.findings(equipment="tx1", verdict="fault")) == 1
