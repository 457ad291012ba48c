"""A value is never bare: its state, its band, its limits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from api.context import Context
from api.pages.sources import Sources
from api.pages.values import (
    ValueView,
    alerts_by_point,
    all_limits_of,
    breached,
    limits_of,
    scale_of,
    telling_points,
    value_view,
)
from api.pages.words import words_of
from facility.readings import OUT_OF_RANGE

ZH, EN = words_of("zh"), words_of("en")


@pytest.fixture
def view(sources: Sources) -> Callable[[str, str], ValueView]:
    def one(equipment: str, point: str) -> ValueView:
        item, live = sources.site.equipment[equipment], sources.live()
        alerts = [a for a in sources.desk.open_alerts() if a.equipment == equipment]
        return value_view(sources.site, item, point, live, EN, alerts_by_point(item, alerts, live))

    return one


def test_a_value_within_its_limits_is_plain(put, view) -> None:
    put(zone_icu__pressure=404.0)
    shown = view("zone-icu", "pressure")
    assert (shown.number, shown.unit, shown.state, shown.plate) == ("404", "kPa", "normal", "")
    assert shown.band is not None
    assert shown.band.pointer_kind == "nd"
    assert not shown.band.hatched


def test_a_value_beyond_a_limit_stands_on_the_plate_of_the_worst_one_before_any_alert_fires(put, view) -> None:
    put(zone_icu__pressure=312.0)
    shown = view("zone-icu", "pressure")
    assert (shown.state, shown.plate) == ("P1", "o1")
    assert shown.band is not None
    assert shown.band.pointer_kind == "g1"


def test_a_value_that_its_alert_still_holds_keeps_the_plate_until_it_clears(put, fire, view) -> None:
    fire()
    put(zone_icu__pressure=324.0)  # above 320, but it clears at 328 only
    assert view("zone-icu", "pressure").plate == "o1"


def test_a_value_just_beside_a_limit_is_not_rounded_onto_it(put, view) -> None:
    put(zone_icu__pressure=319.6)
    assert view("zone-icu", "pressure").number == "319.6"


def test_a_value_that_has_missed_its_intervals_is_stale_and_says_since_when(put, view) -> None:
    put(ago_s=14 * 60, zone_icu__pressure=404.0)
    shown = view("zone-icu", "pressure")
    assert shown.state == "stale"
    assert shown.when == "02:26"
    assert shown.band is not None
    assert shown.band.hatched
    assert shown.band.pointer is None


def test_a_value_that_cannot_be_is_no_answer(put, view) -> None:
    put(quality=OUT_OF_RANGE, zone_icu__pressure=1700.0)
    shown = view("zone-icu", "pressure")
    assert shown.state == "unknown"
    assert shown.number.endswith("?")
    assert shown.band is not None
    assert shown.band.pointer is None


def test_a_value_that_never_came_is_missing_not_zero(view) -> None:
    shown = view("zone-icu", "pressure")
    assert (shown.number, shown.state) == ("—", "missing")


def test_a_value_off_its_scale_sticks_to_the_end(put, view) -> None:
    put(zone_icu__pressure=900.0)
    band = view("zone-icu", "pressure").band
    assert band is not None
    assert band.pointer == 100.0


def test_a_state_is_a_word(put, view) -> None:
    put(zone_icu__valve=1.0)
    assert view("zone-icu", "valve").number == "Open"


def test_the_band_says_its_limits_in_words_with_their_standards(view) -> None:
    hint = view("zone-icu", "pressure").hint
    assert "normal 350–480\u00a0kPa" in hint
    assert "MG-L05 below 320 P1" in hint


def test_a_limit_of_the_hottest_winding_is_drawn_on_each_winding(context: Context) -> None:
    tx1 = context.site.equipment["tx1"]
    drawn = {p.threshold for p in limits_of(tx1, "winding_temperature_b")}
    assert {120.0, 130.0, 150.0} <= drawn


def test_a_limit_under_a_condition_is_listed_but_not_drawn(context: Context) -> None:
    tx1 = context.site.equipment["tx1"]
    # A spread tells of a bad joint only while the load is balanced.
    assert [p.threshold for p in all_limits_of(tx1, "winding_spread")] == [10.0, 15.0]
    assert limits_of(tx1, "winding_spread") == ()
    assert breached(tx1, "winding_spread", 20.0) is None


def test_a_limit_that_only_asks_for_running_is_drawn(context: Context) -> None:
    psa1 = context.site.equipment["psa1"]
    assert any(p.id == "MG-L16" and p.threshold == 91.0 for p in limits_of(psa1, "oxygen_purity"))


def test_an_alert_on_the_hottest_winding_is_about_that_winding_only(put, fire, sources: Sources) -> None:
    fire("tx1", "EL-L16/warn", 122.0, subject="winding_temperature")
    put(tx1__winding_temperature_a=84.0, tx1__winding_temperature_b=79.0, tx1__winding_temperature_c=122.0)
    (alert,) = sources.desk.open_alerts()
    assert telling_points(sources.site.equipment["tx1"], alert, sources.live()) == ("winding_temperature_c",)


def test_a_point_without_a_scale_is_drawn_over_its_band_and_limits(context: Context) -> None:
    tx1 = context.site.equipment["tx1"]
    scale = scale_of(tx1, "current_a")
    assert scale is not None
    assert scale[0] == 0.0
    assert scale[1] > 2500.0
    assert scale_of(tx1, "energy_import") is None
