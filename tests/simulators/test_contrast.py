"""A fault is shown on a machine and in a season in which it shows, beside the same hospital without it."""

from __future__ import annotations

import numpy as np
import pytest

from facility.site import Site
from facility.site_file import load_site
from simulators.contrast import Contrasts

_DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def contrasts(site: Site) -> Contrasts:
    return Contrasts(site)


def test_both_runs_are_the_same_hospital_until_the_fault_comes(contrasts: Contrasts) -> None:
    shown = contrasts.of("EL-F04")
    before = shown.time_us < shown.from_us
    there = (shown.time_us >= shown.from_us) & (shown.time_us < shown.to_us)
    assert before.sum() >= 6 * 60
    for key in shown.sick:
        assert np.array_equal(shown.sick[key][before], shown.healthy[key][before])
        assert (shown.sick[key] - shown.healthy[key])[there].mean() > 5.0


def test_what_moves_most_against_its_usual_range_comes_first(contrasts: Contrasts) -> None:
    # A bearing that spalls is heard in its envelope long before it warms the housing.
    keys = list(contrasts.of("PU-F06").sick)
    assert keys[0].endswith("/vibration_envelope")
    assert len(keys) >= 3


def test_a_creeping_fault_has_the_time_to_grow_and_is_mended(contrasts: Contrasts) -> None:
    shown = contrasts.of("WS-F02")
    assert shown.to_us - shown.from_us >= 10 * _DAY_US
    assert shown.time_us[-1] > shown.to_us + _DAY_US
    assert len(shown.time_us) <= 2500


def test_a_silent_device_shows_nothing(contrasts: Contrasts) -> None:
    shown = contrasts.of("DA-F01")
    there = (shown.time_us > shown.from_us) & (shown.time_us < shown.to_us)
    assert all(np.isnan(value[there]).all() for value in shown.sick.values())


def test_a_site_without_such_a_machine_is_told(tmp_path) -> None:
    (tmp_path / "site.yaml").write_text("site: {id: empty, name: {zh: 空, en: Empty}}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="empty has no machine for EL-F04; give a site with dry_type_transformer"):
        Contrasts(load_site(tmp_path / "site.yaml")).of("EL-F04")
