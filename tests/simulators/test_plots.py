"""Pictures of the simulated hospital: one of each plant family and fault, small, and all that the pages show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from facility.site import Site
from simulators.fault_catalogue import catalogue
from simulators.plots import FAMILIES, draw

PAGES = Path(__file__).parents[2] / "docs" / "simulators"


def test_a_picture_is_small_and_of_one_size(site: Site, tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    drawn = draw(site, tmp_path / "img", only=["EL-F04", "DA-F01"], progress=lambda *done: told.append(done))
    pictures = sorted((tmp_path / "img").glob("*.png"))
    assert [p.name for p in pictures] == ["fault-DA-F01.png", "fault-EL-F04.png"]
    assert drawn == 2
    assert told == [(0.5, "fault-DA-F01"), (1.0, "fault-EL-F04")]
    for path in pictures:
        assert path.stat().st_size < 40_000
        with Image.open(path) as picture:
            assert picture.size == (800, 450)


def test_a_name_that_is_neither_family_nor_fault_is_told(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"powr: neither a plant family .* nor a fault's ID"):
        draw(site, tmp_path, only=["powr"])


def test_every_family_and_every_fault_has_its_picture_on_a_page() -> None:
    drawn = {path.name for path in (PAGES / "img").glob("*.png")}
    shown = {name for page in PAGES.glob("*.md") for name in re.findall(r"\(img/([^)]+)\)", page.read_text("utf-8"))}
    normal = {f"{name}-normal-{length}.png" for name in FAMILIES for length in ("day", "year")}
    faults = {f"fault-{fault.id}.png" for fault in catalogue().values() if fault.target != "gateway"}
    assert drawn == normal | faults
    assert shown == drawn
