"""Dashboards agree with their code, and every panel says what it shows, in what unit, of which point."""

import json
import re

import pytest

from dashboards.generate import FOLDER, generated
from facility.equipment_classes import SYSTEMS, load_library

LIBRARY = load_library()
TEXTS = generated(LIBRARY)


def panels():
    for name, text in TEXTS.items():
        for panel in json.loads(text)["panels"]:
            if panel["type"] != "row":
                yield pytest.param(panel, id=f"{name}: {panel['title']}")


PANELS = list(panels())


@pytest.mark.parametrize("name", TEXTS)
def test_the_file_is_what_the_code_makes(name):
    told = "the dashboards' JSON is old; run: python -m dashboards.generate"
    assert (FOLDER / name).read_text(encoding="utf-8") == TEXTS[name], told


def test_no_file_is_left_that_no_code_makes():
    assert {f.name for f in FOLDER.glob("*.json")} == set(TEXTS)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_description_a_unit_and_only_points_of_the_catalogue(panel):
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        point, cls = re.search(r'\("(\w+)"\) FROM "(\w+)"', target["query"]).groups()
        points = LIBRARY[cls].points
        # Booked consumption stands beside its register.
        assert point in points or points[point.removesuffix("_used")].carrier is not None


@pytest.mark.parametrize("panel", PANELS)
def test_a_gap_stays_a_gap_and_colour_means_abnormal(panel):
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    assert custom.get("spanNulls", False) is False
    assert all("fill(null)" in t["query"] or 'GROUP BY "equipment"' in t["query"] for t in panel["targets"])
    colours = {step["color"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]}
    assert "green" not in colours


@pytest.mark.parametrize("panel", PANELS)
def test_thresholds_rise(panel):
    values = [s["value"] for s in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]][1:]
    assert values == sorted(values)


def test_systems_stand_in_their_one_order():
    board = json.loads(TEXTS["plant-overview.en.json"])
    rows = [p["title"] for p in board["panels"] if p["type"] == "row"]
    from dashboards.plant_overview import SYSTEM_NAMES

    order = [SYSTEM_NAMES[s].en for s in SYSTEMS]
    assert rows == [r for r in order if r in rows]


def test_every_register_that_is_bought_has_its_panel_of_booked_days():
    queries = [t["query"] for p in json.loads(TEXTS["energy-accounts.en.json"])["panels"] for t in p.get("targets", [])]
    booked = {re.search(r'\("(\w+)_used"\) FROM "(\w+)"', q).groups()[::-1] for q in queries}
    registers = {
        (c.id, n) for c in LIBRARY.classes.values() for n, p in c.points.items() if p.carrier not in (None, "reactive")
    }
    assert booked == registers
    assert all("tz('${zone}')" in q for q in queries)


def test_nothing_is_loaded_from_outside():
    for text in TEXTS.values():
        assert "http://" not in text
        assert "https://" not in text
