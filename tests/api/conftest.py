"""A small hospital, and the web application that serves it in process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.context import Context
from api.live import LiveBoard
from facility.site import Site
from facility.site_file import load_site
from facility.store import TelemetryStore
from facility.store.opening import open_store

SITE = """
site: {id: riverside, name: {zh: 滨江医院, en: Riverside Hospital}, time_zone: Asia/Shanghai, currency: CNY}
rooms:
  - {id: power-1, kind: power_room, name: {zh: 一号配电房, en: Power room 1}}
  - {id: power-2, kind: power_room, name: {zh: 二号配电房, en: Power room 2}}
equipment:
  - id: tx1
    class: dry_type_transformer
    room: power-1
    rating: {power: 1600 kVA, thermal_class: F}
    criticality: A
  - id: tx2
    class: dry_type_transformer
    room: power-2
    rating: {power: 1600 kVA, thermal_class: F}
    fed_by: [tx1]
"""
NOW_US = 1_784_140_800_000_000  # 2026-07-16 02:40:00 in Shanghai


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    file = tmp_path_factory.mktemp("site") / "site.yaml"
    file.write_text(SITE, encoding="utf-8")
    return load_site(file)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TelemetryStore]:
    with open_store(tmp_path / "telemetry.duckdb") as store:
        yield store


@pytest.fixture
def context(site: Site, store: TelemetryStore) -> Context:
    return Context(site=site, store=store, live=LiveBoard(site.points), clock=lambda: NOW_US)


@pytest.fixture
def client(context: Context) -> Iterator[TestClient]:
    with TestClient(create_app(context), base_url="http://localhost") as client:
        yield client
