"""A small hospital with an oxygen station and a power room, for pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from analytics.findings import Finding, Waste
from analytics.live import LimitEvent, cause_of
from api.context import Context
from api.pages.sources import Desktop, Sources
from facility.equipment_classes import Limit
from facility.names import Names
from facility.readings import GOOD, ReadingBatch
from facility.site import Site
from tests.api.conftest import site_of

SITE = """
site: {id: sample, name: {zh: 示例医院, en: Sample Hospital}, time_zone: Asia/Shanghai, currency: CNY}
buildings:
  - {id: block-a, name: {zh: 住院楼A座, en: Ward block A}}
rooms:
  - {id: oxygen-1, kind: oxygen_station, building: block-a, name: {zh: 制氧站, en: Oxygen station}}
  - {id: power-1, kind: power_room, building: block-a, name: {zh: 一号配电房, en: Power room 1}}
departments:
  - {id: icu, name: {zh: 重症医学科, en: Intensive care}, beds: 24}
  - {id: ward, name: {zh: 外科病房, en: Surgical ward}}
equipment:
  - {id: zone-icu, class: oxygen_pipeline_zone, room: oxygen-1, name: {zh: ICU氧气区, en: Oxygen zone ICU},
     fed_by: [psa1, psa2], serves: [icu], criticality: A}
  - {id: zone-b, class: oxygen_pipeline_zone, room: oxygen-1, name: {zh: B区, en: Zone B},
     fed_by: [psa1, psa2], serves: [ward]}
  - {id: zone-c, class: oxygen_pipeline_zone, room: oxygen-1, name: {zh: C区, en: Zone C}, fed_by: [psa1, psa2]}
  - {id: zone-d, class: oxygen_pipeline_zone, room: oxygen-1, name: {zh: D区, en: Zone D}, fed_by: [psa1, psa2]}
  - {id: psa1, class: psa_oxygen_generator, room: oxygen-1, name: {zh: 1号制氧机, en: Oxygen generator 1},
     rating: {flow: 60 Nm³/h}, fed_by: [tx1], criticality: A}
  - {id: psa2, class: psa_oxygen_generator, room: oxygen-1, name: {zh: 2号制氧机, en: Oxygen generator 2},
     rating: {flow: 60 Nm³/h}, fed_by: [tx1], criticality: A}
  - {id: tx1, class: dry_type_transformer, room: power-1, name: {zh: 1号变压器, en: Transformer 1},
     rating: {power: 1600 kVA}, criticality: A,
     telemetry: {gateway: gw-power, topic: "sample/power-1/tx1/telemetry", format: json}}
"""

Put = Callable[..., None]
Fire = Callable[..., int]
Find = Callable[..., int]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(SITE, tmp_path_factory.mktemp("pages"))


@pytest.fixture
def put(context: Context) -> Put:
    """Bring readings: to the live board and the store, as the collector would."""

    def bring(ago_s: float = 0.0, quality: int = GOOD, **values: float) -> None:
        """Bring `equipment__point=value`, with hyphens in the equipment's id written as single underscores."""
        table = context.site.points
        keys = [name.replace("__", "/", 1) for name in values]
        index = [table.index[_known(table.index, key)] for key in keys]
        times = [context.clock() - int(ago_s * 1e6)] * len(keys)
        batch = ReadingBatch.of(table, index, times, list(values.values()), quality)
        context.store.write(batch)
        context.live(batch)

    return bring


def _known(index: object, key: str) -> str:
    equipment, _, point = key.partition("/")
    return f"{equipment.replace('_', '-')}/{point}"


@pytest.fixture
def put_series(context: Context) -> Callable[[str, list[float], float], None]:
    """Write readings of one point that end now, so many seconds apart."""

    def write(key: str, values: list[float], step_s: float) -> None:
        index, n = context.site.points.index[key], len(values)
        times = context.clock() - (np.arange(n)[::-1] * step_s * 1e6).astype(np.int64)
        batch = ReadingBatch.of(context.site.points, [index] * n, times, values)
        context.store.write(batch)
        context.live(batch)

    return write


def limit_named(site: Site, equipment: str, limit_id: str, subject: str | None = None) -> Limit:
    """Return a limit of a machine by its id, such as `MG-L05/low_alarm`."""
    return next(
        limit for limit in site.equipment[equipment].limits if limit.id == limit_id and subject in (None, limit.subject)
    )


@pytest.fixture
def fire(context: Context) -> Fire:
    """Let a limit fire, as the live rules tell it, and return the number of the alert."""

    def fire_one(
        equipment: str = "zone-icu",
        limit_id: str = "MG-L05/low_alarm",
        value: float = 312.0,
        *,
        subject: str | None = None,
        ago_s: float = 90.0,
        kind: str = "firing",
    ) -> int:
        limit = limit_named(context.site, equipment, limit_id, subject)
        at_us = context.clock() - int(ago_s * 1e6)
        cause = cause_of(equipment, limit)
        started = at_us if kind == "firing" else at_us - 60_000_000
        event = LimitEvent(kind, equipment, limit, cause, at_us, started, at_us, value, value)  # type: ignore[arg-type]
        context.desk.take_events([event])
        return max(a.id for a in context.desk.alerts(equipment=equipment))

    return fire_one


@pytest.fixture
def find(context: Context) -> Find:
    """Let a rule find something, and return the number of the finding."""

    def find_one(
        code: str = "electricity.power_factor",
        equipment: str = "tx1",
        *,
        verdict: str = "fault",
        zh: str = "昨日功率因数 0.87。",
        en: str = "Power factor was 0.87 yesterday.",
        cost: float | None = 428.0,
        priority: str = "P4",
    ) -> int:
        now = context.clock()
        finding = Finding(
            code=code,
            equipment=equipment,
            points=(),
            verdict=verdict,  # type: ignore[arg-type]
            title=Names(zh="功率因数低", en="Power factor low"),
            summary=Names(zh=zh, en=en),
            evidence={"power_factor": 0.87},
            since_us=now - 3_600_000_000,
            found_us=now,
            confidence=0.9,
            priority=priority,  # type: ignore[arg-type]
            source="rule",
            standard="",
            cost_per_day=cost,
            waste=Waste(1200.0, "kvarh") if cost else None,
            advice=(Names(zh="看电容器", en="See the capacitors"), Names(zh="查定值", en="Check the settings")),
        )
        return context.desk.take_findings([finding])[0]

    return find_one


@pytest.fixture
def sources(context: Context) -> Sources:
    return Sources.of(context, Desktop(context.desk, context.people, hold_s=0.0))


@pytest.fixture
def operator(log_in: Callable[..., TestClient]) -> TestClient:
    """A browser in which an operator is logged in, in English."""
    client = log_in("operator")
    client.cookies.set("wardwatt_language", "en")
    return client


@pytest.fixture
def viewer(log_in: Callable[..., TestClient]) -> TestClient:
    """A browser in which somebody is logged in who may only read, in Chinese."""
    client = log_in("viewer")
    client.cookies.set("wardwatt_language", "zh")
    return client


@pytest.fixture(scope="session")
def folder() -> Path:
    """Return the folder of the api package."""
    return Path(__file__).parents[3] / "api"
