"""The benchmark of the simulator measures what it says it does."""

from __future__ import annotations

from facility.site import Site
from simulators import benchmark


class Counting:
    def __init__(self) -> None:
        self.readings = 0

    def write(self, batch: object) -> None:
        self.readings += len(batch)  # type: ignore[arg-type]


def test_it_writes_the_past_counts_it_and_lives_through_the_seconds_that_were_asked(site: Site) -> None:
    store, other, told = Counting(), Counting(), []
    result = benchmark.run(
        site, store, other, days=0.5, seconds=3, progress=lambda what, done: told.append((what, done))
    )
    past, live = result["past"], result["live"]
    assert past["readings"] == store.readings == other.readings
    assert result["points"] * 40 < past["readings"] <= result["points"] * 48
    assert past["readings_per_s"] > 0
    assert live["seconds"] == 3
    assert live["messages_per_s"] >= result["machines"] - 2
    assert live["core_share"] > 0
    assert {what for what, done in told if done == 1.0} == {
        "A past into the store", "Physics alone", "The store alone", "Live",
    }  # fmt: skip
