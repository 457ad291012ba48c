"""Noise is a function of seed, name and time, and of nothing else."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from simulators import noise

TIMES = np.arange(20_000, dtype=np.int64) * 7_300_001 + 1_768_320_000_000_000


def test_white_noise_is_standard_normal() -> None:
    drawn = noise.white(1, "p", TIMES)
    assert drawn.mean() == pytest.approx(0.0, abs=0.03)
    assert drawn.std() == pytest.approx(1.0, abs=0.03)
    assert np.abs(drawn).max() < 6.0


def test_wandering_noise_has_variance_one_everywhere_between_its_knots() -> None:
    at_knots = noise.smooth(1, "p", np.arange(20_000, dtype=np.int64) * 60_000_000, 60.0)
    half_way = noise.smooth(1, "p", np.arange(20_000, dtype=np.int64) * 60_000_000 + 30_000_000, 60.0)
    assert at_knots.std() == pytest.approx(1.0, abs=0.03)
    assert half_way.std() == pytest.approx(1.0, abs=0.03)


def test_wandering_noise_moves_little_within_a_small_part_of_its_period() -> None:
    seconds = np.arange(7200, dtype=np.int64) * 1_000_000
    assert np.abs(np.diff(noise.smooth(3, "q", seconds, 600.0))).max() < 0.03


@pytest.mark.parametrize("kind", ["white", "smooth"])
def test_a_time_asked_for_alone_gives_the_same_as_among_others_to_the_bit(kind: str) -> None:
    def draw(times: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return noise.white(5, "x", times) if kind == "white" else noise.smooth(5, "x", times, 600.0)

    together = draw(TIMES[:2000])
    assert [float(draw(TIMES[i : i + 1])[0]) for i in range(2000)] == together.tolist()


def test_seeds_and_names_have_noise_of_their_own() -> None:
    base = noise.white(1, "p", TIMES)
    for other in (noise.white(2, "p", TIMES), noise.white(1, "q", TIMES)):
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.03


def test_another_process_draws_the_same() -> None:
    code = "import numpy as np; from simulators import noise; print(noise.white(9, 'a', np.arange(5)*10**6).tolist())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == str(noise.white(9, "a", np.arange(5, dtype=np.int64) * 10**6).tolist())


def test_a_machines_own_number_lies_in_its_band_and_stays() -> None:
    drawn = [noise.fixed(seed, "pump", 0.8, 1.2) for seed in range(200)]
    assert min(drawn) >= 0.8
    assert max(drawn) <= 1.2
    assert np.std(drawn) > 0.08
    assert noise.fixed(7, "pump", 0.8, 1.2) == drawn[7]
