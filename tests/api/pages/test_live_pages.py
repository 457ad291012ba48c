"""Live pages send what changed, and only that, drawn by the page's own templates."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Callable

import orjson
import pytest
from fastapi.testclient import TestClient

from api.pages.caches import PageCaches
from api.pages.live_pages import SharedParts, packed, stream
from api.pages.live_routes import PAGES, Ask, parts_of
from api.pages.sources import Sources
from api.pages.words import words_of
from api.security.logins import Identity

EN = words_of("en")
NAMES = {
    "overview": (), "plant": ("oxygen",), "machine": ("zone-icu", "24h", ""), "alerts": ("open",), "alert": ("1",),
    "tickets": ("open",), "data": ("look", "1", "1"), "frame": (), "quarantine": (),
}  # fmt: skip
PATHS = {
    "overview": "/", "plant": "/plant?system=oxygen", "machine": "/plant/zone-icu", "alerts": "/alerts",
    "alert": "/alerts/1", "tickets": "/tickets", "data": "/data",
    "quarantine": "/quarantine",
}  # fmt: skip


@pytest.fixture
def ask(sources: Sources):
    user = Identity(1, "operator", "operator", "operator", "en", False, "session", "key", "word")
    caches = PageCaches(sources.desk)
    return lambda name: Ask(sources, caches, EN, sources.live(), user, NAMES[name])


def test_every_live_page_has_a_test() -> None:
    assert NAMES.keys() == PAGES.keys()
    assert all(len(NAMES[name]) == words for name, (_, words, _, _) in PAGES.items())


def test_what_is_sent_stands_on_the_page_and_what_stands_there_is_sent_but_forms(
    ask, operator: TestClient, put, fire, find
) -> None:
    put(zone_icu__pressure=312.0)
    fire("zone-icu")
    find()
    for name, path in PATHS.items():
        standing = set(re.findall(r'data-r="([^"]+)"', operator.get(path).text))
        drawn = {part: html for part, html in parts_of(name, ask(name)).items() if html.strip()}
        assert drawn.keys() <= standing, name
        assert standing - drawn.keys() <= {"alert-dock"}, name
        assert all(f'data-r="{part}"' in html for part, html in drawn.items()), name


def test_no_part_holds_a_session_s_word(ask, fire, put) -> None:
    put(zone_icu__pressure=312.0)
    fire("zone-icu")
    for name in NAMES:
        assert all("csrf" not in drawn for drawn in parts_of(name, ask(name)).values()), name


def test_a_new_reading_changes_its_row_and_leaves_the_others(ask, put, clock) -> None:
    put(zone_icu__pressure=404.0, tx1__load=50.0)
    before = parts_of("overview", ask("overview"))
    put(zone_icu__pressure=405.0)
    after = parts_of("overview", ask("overview"))
    changed = {name for name in after if after[name] != before[name]}
    assert "row-oxygen" in changed
    assert "row-power" not in changed


def test_the_dock_is_sent_once_somebody_has_the_alert(ask, fire, context) -> None:
    number = fire("zone-icu")
    assert "alert-dock" not in parts_of("alert", ask("alert"))
    context.desk.acknowledge(number, "engineer", "")
    assert "acknowledged by" in parts_of("alert", ask("alert"))["alert-dock"]


def test_parts_are_drawn_once_for_all_who_look_in_one_moment() -> None:
    drawn: list[int] = []

    def draw() -> dict[str, str]:
        drawn.append(1)
        return {"a": "1"}

    shared = SharedParts()
    assert [shared.get("key", draw) for _ in range(5)] == [{"a": "1"}] * 5
    assert len(drawn) == 1


async def _events(turns: list[dict[str, str]]) -> list[tuple[str, object]]:
    left = iter(turns)
    done = False
    now: dict[str, str] = {}

    def draw() -> dict[str, str]:
        nonlocal now, done
        try:
            now = next(left)
        except StopIteration:
            done = True
        return now

    found: list[tuple[str, object]] = []
    async for part in stream(draw, "v1", lambda: done, pace_s=0.0):
        for name, data in re.findall(rb"event: (\w+)\ndata: (.*)\n", part):
            found.append((name.decode(), data.decode() if name == b"hello" else orjson.loads(data)))
    return found


def test_a_stream_greets_with_its_version_and_then_sends_what_changed() -> None:
    events = asyncio.run(_events([{"a": "1", "b": "1"}, {"a": "1", "b": "2"}, {"a": "1", "b": "2"}]))
    assert events[:4] == [("hello", "v1"), ("parts", {"a": "1", "b": "1"}), ("parts", {"b": "2"}), ("parts", {})]


def test_a_packed_stream_can_be_read_event_by_event_and_is_a_fraction_of_its_length() -> None:
    event = b"event: parts\ndata: " + bytes(range(32, 127)) * 40 + b"\n\n"

    async def events() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield event

    async def collect() -> list[bytes]:
        return [part async for part in packed(events())]

    parts = asyncio.run(collect())
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert [reader.decompress(part) for part in parts[:5]] == [event] * 5
    assert sum(map(len, parts[1:])) < len(event) / 5


def test_the_stream_is_an_event_stream_for_readers_only(anyone: TestClient, browser: Callable[..., TestClient]) -> None:
    assert anyone.get("/live?page=overview").status_code == 401
