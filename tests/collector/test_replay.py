"""After the mapping is mended: what was refused is decoded as it came, once, whatever dies meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from collector.arrivals import ArrivalLedger
from collector.decode import Decoder
from collector.mapping import TopicMap
from collector.quarantine import Quarantine
from collector.rejections import MAX_MESSAGE, Rejections
from collector.replay import CHUNK, Replays, survey
from collector.replay_orders import ABANDONED_US, Orders
from facility.database import Database
from facility.errors import StoreUnavailable
from facility.readings import GOOD, HISTORICAL, ReadingBatch
from facility.site import Site
from facility.site_file import load_site
from facility.store import TelemetryStore
from facility.store.contract import PointsRefused

NOW_US = 1_784_140_800_000_000
MINUTE_US = 60_000_000
TOPIC = "new/dtu/up"
MENDED = """
  - id: added
    class: lv_feeder
    room: power-1
    rating: {current: 400 A}
    name: {zh: 新馈线, en: New feeder}
    telemetry: {topic: new/dtu/up, points: {voltage_a: ua, current_a: ia}}
"""


@pytest.fixture(scope="session")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The site with one machine more, whose messages were refused so far."""
    from tests.collector.conftest import SITE

    path = tmp_path_factory.mktemp("mended") / "site.yaml"
    path.write_text(SITE + MENDED, encoding="utf-8")
    return load_site(path)


@pytest.fixture
def database(migrated: Database) -> Database:
    return migrated


@pytest.fixture
def orders(database: Database, quarantine: Quarantine) -> Orders:
    return Orders(database, quarantine)


@pytest.fixture
def replays(quarantine: Quarantine, orders: Orders, mended: Site, store: TelemetryStore) -> Callable[..., Replays]:
    def make(**changes: object) -> Replays:
        return Replays(quarantine, orders, changes.get("site", mended), changes.get("store", store), lambda: NOW_US)  # type: ignore[arg-type]

    return make


Refuse = Callable[..., None]


@pytest.fixture
def refuse(site: Site, quarantine: Quarantine) -> Refuse:
    """Let messages come by the mapping as it was before the mending."""

    def come(*payloads: object, topic: str = TOPIC, ago_us: int = MINUTE_US) -> None:
        decoder = Decoder(TopicMap(site), ArrivalLedger(None), MAX_MESSAGE)
        for i, payload in enumerate(payloads):
            data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            decoder.add(topic, data, NOW_US - ago_us + i, i + 1, False, False)
        quarantine.record(decoder.draft.rejections)
        quarantine.flush()

    return come


def stored(store: TelemetryStore, key: str) -> list[tuple[int, float, int]]:
    series = store.series([key], 0, 2**62)[key]
    return list(zip(series.time_us.tolist(), series.value.tolist(), series.quality.tolist(), strict=True))


def test_what_is_understood_now_is_stored_with_the_time_at_which_it_came(refuse, replays, orders, quarantine, store):
    sent_us = NOW_US - 2 * MINUTE_US
    refuse({"ts": sent_us // 1000, "ua": 231.5}, {"ua": 232.5}, {"ia": 7})
    order = orders.give("li.wei", None, NOW_US)
    done = replays().carry_out(orders.claim(NOW_US))
    assert stored(store, "added/voltage_a") == [(sent_us, 231.5, GOOD), (NOW_US - MINUTE_US + 1, 232.5, GOOD)]
    assert stored(store, "added/current_a") == [(NOW_US - MINUTE_US + 2, 7.0, GOOD)]
    assert (done.total, done.done, done.understood, done.readings, done.state) == (3, 3, 3, 3, "done")
    assert orders.order(order.id) == done
    (row,) = quarantine.entries()
    assert (row.count, row.kept, row.replayed, row.replayed_us, row.waiting) == (3, 0, 3, NOW_US, 0)
    assert quarantine.total() == 0


def test_text_that_no_database_can_hold_is_written_out(refuse, replays, orders, quarantine):
    refuse(b'{"\\ud800": 1, "ua\\u0000": 2}', b'{"ua": "\\udfff\\u0000"}')
    orders.give("li.wei", None, NOW_US)
    replays().carry_out(orders.claim(NOW_US))
    rows = quarantine.entries()
    assert {row.reason for row in rows} >= {"unknown-key", "not-a-number"}
    for row in rows:
        json.dumps([row.topic, row.detail, row.facts], ensure_ascii=False).encode()  # no half of a character
    told = str([row.facts for row in rows])
    assert "\\ud800" in told
    assert "\0" not in told


def test_a_topic_with_nul_is_kept_in_other_letters(quarantine):
    found = Rejections()
    found.add("a\0b", "unknown-topic", "why", b"1", 1, NOW_US)
    quarantine.record(found)
    (row,) = quarantine.entries()
    assert (row.topic, row.kept) == ("a\\x00b", 1)


def test_the_same_order_again_before_it_is_begun_is_one_order(refuse, replays, orders):
    refuse({"ua": 231.5})
    first = orders.give("li.wei", None, NOW_US)
    refuse({"ua": 232.5})
    again = orders.give("li.wei", None, NOW_US + 1)
    assert (again.id, again.total, again.state) == (first.id, 2, "waiting")
    assert orders.give("li.wei", [1], NOW_US).id != first.id
    begun = orders.claim(NOW_US)
    assert begun.id == first.id
    assert orders.give("li.wei", None, NOW_US).id not in (first.id, first.id + 1)
    assert replays().carry_out(begun).understood == 2


def test_what_is_older_than_ten_minutes_is_history_on_which_no_live_rule_fires(refuse, replays, orders, store):
    refuse({"ua": 231.5}, ago_us=11 * MINUTE_US)
    refuse({"ts": (NOW_US + 60_000_000) / 1e6, "ua": 1.0}, ago_us=MINUTE_US)  # its clock ran ahead
    orders.give("li.wei", None, NOW_US)
    replays().carry_out(orders.claim(NOW_US))
    assert all(quality & HISTORICAL for _, _, quality in stored(store, "added/voltage_a"))


def test_what_still_fails_stays_with_what_is_wrong_now(refuse, replays, orders, quarantine, store):
    refuse({"ua": 1.0}, {"ua": "n/a", "ia": 2.0}, b"{broken", {"ua": 3.0, "more": 4})
    refuse({"x": 1}, topic="nobody/knows")
    orders.give("li.wei", None, NOW_US)
    done = replays().carry_out(orders.claim(NOW_US))
    assert (done.understood, done.moved, done.still) == (1, 3, 1)
    rows = {(e.topic, e.reason): e for e in quarantine.entries()}
    assert {key: (e.count, e.kept, e.replayed) for key, e in rows.items()} == {
        (TOPIC, "unknown-topic"): (1, 0, 1),
        (TOPIC, "not-a-number"): (1, 1, 0),
        (TOPIC, "broken-json"): (1, 1, 0),
        (TOPIC, "unknown-key"): (1, 1, 0),
        ("nobody/knows", "unknown-topic"): (1, 1, 0),
    }
    # What could be understood of them is stored all the same.
    assert [value for _, value, _ in stored(store, "added/current_a")] == [2.0]
    assert [value for _, value, _ in stored(store, "added/voltage_a")] == [1.0, 3.0]


def test_only_the_rows_that_were_chosen_are_replayed(refuse, replays, orders, quarantine):
    refuse({"ua": 1.0})
    refuse({"x": 1}, topic="nobody/knows")
    orders.give("li.wei", quarantine.choose(topic="nobody/knows"), NOW_US)
    done = replays().carry_out(orders.claim(NOW_US))
    assert (done.total, done.understood, done.still) == (1, 0, 1)
    assert quarantine.held()[0] == 2
    assert quarantine.choose(reason="unknown-topic", topic=TOPIC) != []


def test_a_survey_says_what_would_be_understood_and_changes_nothing(refuse, site, mended, quarantine):
    refuse(*({"ua": float(i)} for i in range(CHUNK + 10)), b"{broken")
    (row,) = quarantine.entries()
    assert survey(site, quarantine, NOW_US) == {row.id: 0}
    assert survey(mended, quarantine, NOW_US) == {row.id: CHUNK + 10}  # broken JSON is broken by any mapping
    assert quarantine.entries() == [row]


def test_an_order_that_was_killed_goes_on_where_it_stood_and_stores_nothing_twice(
    refuse, replays, orders, quarantine, store
):
    refuse(*({"ua": float(i)} for i in range(2 * CHUNK + 3)))
    orders.give("li.wei", None, NOW_US)
    order = orders.claim(NOW_US)
    killed = replays()

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    killed._sinks = (lambda batch: die() if batch.value[0] >= CHUNK else None,)
    with pytest.raises(Killed):
        killed.carry_out(order)
    # The next process finds it once nobody has been heard of for a while.
    assert orders.claim(NOW_US + ABANDONED_US // 2) is None
    again = orders.claim(NOW_US + ABANDONED_US + 1)
    assert again.done == 2 * CHUNK
    done = replays().carry_out(again)
    assert (done.done, done.understood, done.readings) == (2 * CHUNK + 3,) * 3
    assert [v for _, v, _ in stored(store, "added/voltage_a")] == [float(i) for i in range(2 * CHUNK + 3)]


def test_written_but_not_yet_removed_is_written_again_and_changes_nothing(refuse, replays, orders, quarantine, store):
    refuse({"ua": 1.0}, {"ua": 2.0})
    orders.give("li.wei", None, NOW_US)
    order = orders.claim(NOW_US)
    away = replays()
    with pytest.MonkeyPatch.context() as patched:

        def full(*_: object) -> None:
            raise StoreUnavailable("the disk is full")

        patched.setattr(quarantine, "settle", full)
        with pytest.raises(StoreUnavailable):
            away.carry_out(order)
    assert quarantine.held()[0] == 2
    assert replays().carry_out(order).understood == 2
    assert [v for _, v, _ in stored(store, "added/voltage_a")] == [1.0, 2.0]


def test_with_the_store_away_nothing_leaves_and_the_order_says_why(refuse, replays, orders, quarantine, store):
    refuse({"ua": 1.0})

    class Away:
        def write(self, _batch: ReadingBatch) -> None:
            raise StoreUnavailable("influxd does not answer")

    given = orders.give("li.wei", None, NOW_US)
    with pytest.raises(StoreUnavailable):
        replays(store=Away()).carry_out(orders.claim(NOW_US))
    assert quarantine.held()[0] == 1
    assert orders.order(given.id).error == "influxd does not answer"
    assert replays().carry_out(orders.claim(NOW_US)).error == "influxd does not answer"
    assert quarantine.held()[0] == 0


def test_messages_whose_points_the_store_refuses_stay(refuse, replays, orders, quarantine, store):
    refuse({"ua": 1.0}, {"ia": 2.0})

    class Choosy:
        def write(self, batch: ReadingBatch) -> None:
            keys = np.array([batch.table.key(int(i)) for i in batch.point])
            store.write(batch.take(keys != "added/voltage_a"))
            raise PointsRefused(["added/voltage_a"], "already exists as type integer")

    orders.give("li.wei", None, NOW_US)
    done = replays(store=Choosy()).carry_out(orders.claim(NOW_US))
    assert (done.understood, done.still) == (1, 1)
    (row,) = quarantine.entries()
    assert (row.kept, row.detail) == (1, "the store refuses readings of added/voltage_a")


def test_messages_that_come_while_an_order_runs_are_not_its_own(refuse, replays, orders, quarantine):
    refuse({"ua": 1.0})
    orders.give("li.wei", None, NOW_US)
    refuse({"ua": 2.0})
    assert replays().carry_out(orders.claim(NOW_US)).done == 1
    assert quarantine.held()[0] == 1


def test_one_order_is_carried_out_by_one_process(refuse, database, quarantine, orders):
    refuse({"ua": 1.0})
    for rows in ([1], [1, 2], [2], None):
        orders.give("li.wei", rows, NOW_US)
    claimed: list[int] = []

    def claim() -> None:
        while (order := Orders(database, quarantine).claim(NOW_US)) is not None:
            claimed.append(order.id)

    threads = [threading.Thread(target=claim) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 4


def test_the_service_looks_through_what_lay_there_and_carries_out_orders(
    refuse, replays, orders, quarantine, store, eventually
):
    refuse(*({"ua": float(i)} for i in range(3)), b"{")
    (row,) = quarantine.entries()
    seen: list[int] = []
    running = replays()
    running._sinks = (lambda batch: seen.append(len(batch)),)
    running.start()
    try:
        assert eventually(lambda: running.outlook.complete)
        assert running.outlook.rows == {row.id: 3}
        given = orders.give("li.wei", None, NOW_US)
        running.wake()
        done = eventually(lambda: (o := orders.order(given.id)).state == "done" and o)
    finally:
        running.stop()
    assert (done.understood, done.moved, seen) == (3, 1, [3])
    assert replace(done, state="done") == done
    assert [order.id for order in orders.newest()] == [given.id]
