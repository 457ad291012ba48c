"""Faults drawn at random are the same for the same seed, in any process, and the dangerous ones come first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from facility.site import Site
from simulators.fault_catalogue import find_fault
from simulators.faults import FaultBook
from simulators.random_faults import draw
from simulators.scenario import load_scenario, written
from tests.simulators.conftest import ROOT

_DAY_S = 86_400.0


def test_the_same_seed_draws_the_same_faults_in_another_process(site: Site) -> None:
    code = (
        "from facility.site_file import load_site\nfrom simulators.random_faults import draw\n"
        "from simulators.scenario import written\n"
        f"print(written(draw(load_site({str(ROOT / 'examples/small/site.yaml')!r}), 12, 7, 86400.0)), end='')"
    )
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert other.stdout == written(draw(site, 12, 7, _DAY_S))
    assert written(draw(site, 12, 8, _DAY_S)) != other.stdout


def test_more_of_the_same_seed_begins_with_the_same(site: Site) -> None:
    few, many = (draw(site, n, 3, _DAY_S).faults for n in (5, 15))
    assert set(few) <= set(many)


def test_what_is_drawn_fits_the_site_and_its_time(site: Site) -> None:
    scenario = draw(site, 20, 1, _DAY_S)
    events = scenario.events(0)
    FaultBook(site, events)
    assert len({e.equipment.partition("/")[0] for e in events}) == 20
    assert all(0 <= e.start_us < _DAY_S * 1e6 for e in events)
    assert all(e.end_us is None or e.end_us <= _DAY_S * 1e6 for e in events)
    assert all(e.onset_s <= _DAY_S / 4 for e in events)


def test_life_safety_and_waste_come_more_often_than_the_rest(site: Site) -> None:
    drawn = [find_fault(f.fault) for seed in range(40) for f in draw(site, 5, seed, _DAY_S).faults]
    share = sum(f.life_safety or f.waste is not None for f in drawn) / len(drawn)
    assert share > 0.6


def test_what_was_drawn_can_be_kept_as_a_file(site: Site, tmp_path: Path) -> None:
    scenario = draw(site, 12, 7, _DAY_S)
    path = tmp_path / "drawn.yaml"
    path.write_text(written(scenario), encoding="utf-8")
    assert load_scenario(path, site) == scenario


@pytest.mark.parametrize("count", [0, -1, 100_000])
def test_more_than_the_site_can_have_is_refused(site: Site, count: int) -> None:
    with pytest.raises(ValueError, match="cannot be drawn"):
        draw(site, count, 1, _DAY_S)
