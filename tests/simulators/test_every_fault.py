"""Every fault of the catalogue moves what it names the way it says, leaves the rest alone, and wastes what it says."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.fault_catalogue import catalogue
from tests.simulators.trial import Outcome, run, small_site
from tests.simulators.trials import TRIALS


def test_every_fault_is_tried() -> None:
    # Those of gateways are tried where gateways are: they change nothing that a sensor shows.
    assert {t.fault for t in TRIALS} == {f.id for f in catalogue().values() if f.target != "gateway"}


# Of module scope, so that the tests of one trial stand together; by their time, so that healthy runs are shared.
@pytest.fixture(
    scope="module",
    params=sorted(TRIALS, key=lambda t: (t.start, t.hours, t.step_s)),
    ids=lambda t: f"{t.fault}-{t.equipment}",
)
def outcome(request: pytest.FixtureRequest) -> Outcome:
    return run(request.param)


class TestEveryFault:
    def test_moves_the_points_that_it_names_the_way_it_says(self, outcome: Outcome) -> None:
        for point, move in outcome.fault.shows.items():
            keys = outcome.keys(point)
            differ = max(float((outcome.sick[k] != outcome.healthy[k]).mean()) for k in keys)
            assert differ > outcome.trial.share, point
            if move in ("up", "down"):
                moved = sum(float((outcome.sick[k] - outcome.healthy[k]).mean()) for k in keys)
                assert (moved > 0.0) == (move == "up"), (point, moved)

    def test_leaves_alone_what_it_says(self, outcome: Outcome) -> None:
        assert outcome.fault.same, "say in the catalogue what it leaves alone, though it is near or upstream"
        for point in outcome.fault.same:
            for key in outcome.left_alone(point):
                assert np.array_equal(outcome.sick[key], outcome.healthy[key]), key

    def test_names_only_points_that_the_class_has(self, outcome: Outcome) -> None:
        fault, library = outcome.fault, small_site().library
        named = [*fault.points, *fault.same, *(fault.waste.meter if fault.waste else ())]
        for point in named:
            if point == "*":
                assert fault.of_data
            elif "/" in point:
                class_id, name = point.split("/")
                assert name in library[class_id].points, point
            else:
                assert all(point in library[class_id].points for class_id in fault.classes), point

    def test_shows_only_what_sensors_can_show(self, outcome: Outcome) -> None:
        gone = {key for point, move in outcome.fault.shows.items() if move == "gone" for key in outcome.keys(point)}
        assert all(np.isfinite(shown).all() for key, shown in outcome.sick.items() if key not in gone)

    def test_truly_wastes_what_the_meters_count_more(self, outcome: Outcome) -> None:
        if outcome.fault.waste is None:
            assert outcome.event.waste == 0.0
        else:
            assert outcome.event.waste > 0.0
            # What the log has is exact; a display is cut to its last digit.
            assert outcome.event.waste == pytest.approx(outcome.wasted_by_the_meters(), rel=0.01, abs=0.02)
