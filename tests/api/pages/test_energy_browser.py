"""The energy pages in a real browser, on a phone: nothing is cut off, and a thumb can hit what there is to tap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from api.context import Context
from facility.readings import ReadingBatch
from facility.site import Site
from tests.api.conftest import site_of
from tests.api.pages.test_browser import address, chromium, open_session, pytestmark

__all__ = ["address", "chromium", "pytestmark"]

SITE = """
site: {id: sample, name: {zh: 示例医院, en: Sample Hospital}, time_zone: Asia/Shanghai, currency: CNY}
sizes:
  - {from: 2025-01-01, floor_area: 98000 m², beds: 800}
rooms:
  - {id: power-1, kind: power_room, name: {zh: 一号配电房, en: Power room 1}}
departments:
  - {id: icu, name: {zh: 重症医学科, en: Intensive care}, cost_centre: 3107, beds: 24, floor_area: 1200 m²}
  - {id: nicu, name: {zh: 新生儿重症监护室, en: Neonatal intensive care}, cost_centre: 3110, floor_area: 2400 m²}
equipment:
  - {id: em-main, class: electricity_meter, room: power-1, name: {zh: 总表, en: Main meter}}
  - {id: em-icu, class: electricity_meter, room: power-1, fed_by: [em-main], serves: [icu],
     name: {zh: 重症监护区空调机组与照明电表, en: Meter of air handling and lighting of intensive care}}
  - {id: em-nicu, class: electricity_meter, room: power-1, name: {zh: 新生儿电表, en: Neonatal meter},
     fed_by: [em-main], serves: [nicu]}
  - {id: wm-main, class: water_meter, room: power-1, name: {zh: 水表, en: Water meter}}
tariffs:
  - {carrier: electricity, from: 2026-01-01, unit: kWh, price: 0.80, source: contract}
targets:
  - {year: 2026, carrier: electricity, amount: 14.2 GWh}
measures:
  - id: lamps
    name: {zh: 换灯, en: New lamps in all corridors and stairs of the building}
    meter: em-icu
    carrier: electricity
    baseline: {from: 2026-06-20, to: 2026-07-05}
    reporting: {from: 2026-07-07}
"""
PAGES = (
    "/energy", "/energy?span=day", "/energy?span=year", "/energy/bill", "/energy/balance", "/energy/departments",
    "/energy/departments/icu", "/energy/meters", "/energy/meters/em-icu/energy_import", "/energy/savings",
    "/energy/savings/lamps", "/energy/indicators", "/energy/carbon", "/energy/restatements",
)  # fmt: skip
HOUR_US = 3_600_000_000
# What a reader cannot see, or cannot hit: the row of tabs may be wider than the phone, it scrolls and says so.
FAULTS = """() => {
  const wide = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > wide) found.push("the page is wider than the phone");
  for (const e of document.querySelectorAll("main *:not(nav.tabs *):not(svg *)")) {
    const box = e.getBoundingClientRect();
    const cut = box.width && (box.right > wide + 1 || box.left < -1);
    if (cut) found.push(`${e.tagName} ${e.textContent.trim()} is cut off`);
  }
  for (const e of document.querySelectorAll("main a, main button, main select, main summary, main label input")) {
    const box = (e.type === "checkbox" ? e.closest("label") : e).getBoundingClientRect();
    if (box.width && box.height < 43.5) found.push(`${e.tagName} ${e.textContent.trim()} is ${box.height} high`);
  }
  return found;
}"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(SITE, tmp_path_factory.mktemp("energy-browser"))


@pytest.fixture
def booked(context: Context) -> None:
    """The books of 40 days."""
    for key, per_hour in (
        ("em-main/energy_import", 120345.0),
        ("em-icu/energy_import", 45678.9),
        ("em-nicu/energy_import", 21.0),
    ):
        index, n = context.site.points.index[key], 40 * 24 + 1
        times = context.clock() - (np.arange(n)[::-1] * HOUR_US).astype(np.int64)
        context.store.write(ReadingBatch.of(context.site.points, [index] * n, times, 1000.0 + per_hour * np.arange(n)))
    context.books.bring_up_to_date()


def test_on_a_phone_no_energy_page_is_cut_off_and_all_of_it_can_be_hit(
    chromium: Any, address: str, password: str, booked: None
) -> None:
    page = open_session(chromium, address, password, "en", viewport={"width": 360, "height": 844})
    found: dict[str, list[str]] = {}
    for path in PAGES:
        answer = page.goto(address + path)
        assert answer.status == 200, path
        if faults := page.evaluate(FAULTS):
            found[path] = faults[:5]
    assert found == {}


def test_on_a_phone_a_figure_tells_what_it_is_and_in_what(
    chromium: Any, address: str, password: str, booked: None
) -> None:
    page = open_session(chromium, address, password, "en", viewport={"width": 360, "height": 844})
    page.goto(f"{address}/energy/bill?month=2026-06")
    assert page.inner_text(".bl tbody .l-k").startswith("¥")
    assert page.inner_text(".bl tbody td").endswith("kWh")


def test_on_a_phone_the_tab_that_is_open_is_in_sight(chromium: Any, address: str, password: str, booked: None) -> None:
    page = open_session(chromium, address, password, "en", viewport={"width": 360, "height": 844})
    page.goto(f"{address}/energy/restatements")
    box = page.locator("nav.tabs [aria-current]").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360


def test_on_a_phone_the_figures_of_a_month_that_is_over_stand_two_beside_each_other(
    chromium: Any, address: str, password: str, booked: None
) -> None:
    page = open_session(chromium, address, password, "en", viewport={"width": 360, "height": 844})
    page.goto(f"{address}/energy?span=month&at=2026-05")
    boxes = [page.locator(".kf").nth(i).bounding_box() for i in range(4)]
    assert [b["y"] == boxes[0]["y"] for b in boxes] == [True, True, False, False]
