"""How much of the demo hospital is guessed right when its topics say nothing, under the names that gateways give."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.discovery import gathered
from collector.proposal import propose
from facility.equipment_classes import load_library
from facility.site import Equipment, Site
from facility.site_file import load_site
from simulators.gateways import reporters
from simulators.hospital import Hospital

DEMO = Path(__file__).parents[2] / "examples" / "small"
NOW_US = 1_784_140_800_000_000
SHORT = {
    "voltage": "volt", "current": "curr", "temperature": "temp", "pressure": "press", "running": "run",
    "frequency": "freq", "energy_import": "kwh", "active_power": "pwr", "humidity": "hum", "total": "tot",
    "level": "lvl", "outlet": "out", "inlet": "in",
}  # fmt: skip


def abbreviated(item: Equipment, point: str) -> str:
    for long, short in SHORT.items():
        point = point.replace(long, short)
    first, *rest = point.split("_")
    return first + "".join(word.title() for word in rest)


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(DEMO)


@pytest.fixture(scope="module")
def steps(site: Site) -> list[dict[str, float]]:
    hospital = Hospital(site, 1)
    return [hospital.step(NOW_US + i * 10_000_000) for i in range(6)]


@pytest.mark.parametrize(
    ("called", "classes", "points"),
    [
        (lambda item, point: point, 1.0, 1.0),
        (lambda item, point: item.points[point].name.zh, 1.0, 1.0),
        (lambda item, point: "1#" + item.points[point].name.zh, 1.0, 0.95),
        (abbreviated, 0.95, 0.95),
    ],
    ids=["english", "chinese", "chinese with a number", "abbreviated"],
)
def test_the_demo_hospital_on_topics_that_say_nothing(
    site: Site, steps: list[dict[str, float]], called: Callable[[Equipment, str], str], classes: float, points: float
) -> None:
    messages, truth = [], {}
    for n, reporter in enumerate(reporters(site)):
        item, topic = site.equipment[reporter.equipment], f"x/{n}/up"
        for i, values in enumerate(steps):
            sent = {called(item, p.partition("/")[2]): values[p] for p, _ in reporter.points if p in values}
            truth.update({(topic, called(item, p.partition("/")[2])): p for p, _ in reporter.points if p in values})
            messages.append((topic, json.dumps(sent).encode(), NOW_US + i * 10_000_000))
    right_classes = right_points = 0
    proposals = propose(gathered(messages).devices(), load_library())
    for proposal in proposals:
        mine = {key: point for (topic, key), point in truth.items() if topic == proposal.device.topic}
        item = site.equipment[next(iter(mine.values())).partition("/")[0]]
        right_classes += proposal.cls == item.cls.id
        found = {m.key: f"{item.id}/{m.point}" for m in proposal.matches}
        right_points += sum(found.get(key) == point for key, point in mine.items())
    assert right_classes / len(proposals) >= classes
    assert right_points / len(truth) >= points
