"""The pages in a real browser: they fit the window, keep their own content policy, live, and work without a script."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from api.context import Context
from api.serving import Server
from collector.quarantine import Rejections

CHROMIUM = os.environ.get("WARDWATT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here; install it or set WARDWATT_CHROMIUM"),
]


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """Serve the application on a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(app, "127.0.0.1", port)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        threading.Event().wait(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        yield browser
        browser.close()


def open_session(chromium: Any, address: str, password: str, language: str = "en", **options: Any) -> Any:
    """Return a browser window in which the operator is logged in."""
    context = chromium.new_context(**options)
    context.add_cookies([{"name": "wardwatt_language", "value": language, "url": address}])
    page = context.new_page()
    page.goto(f"{address}/login")
    page.fill("input[name=name]", "operator")
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_selector(".syss")
    return page


def test_a_reading_that_arrives_is_on_the_open_page_without_loading_it_again(
    chromium, address: str, password: str, put
) -> None:
    put(zone_icu__pressure=404.0)
    page = open_session(chromium, address, password)
    page.evaluate("window.here = 1")
    row = page.locator('[data-r="row-oxygen"]')
    assert row.locator(".n").first.inner_text() == "404"
    put(zone_icu__pressure=398.0)
    row.get_by_text("398", exact=True).wait_for()
    assert page.evaluate("window.here") == 1


def test_an_open_page_keeps_focus_and_what_was_unfolded_while_it_changes(
    chromium, address: str, password: str, put
) -> None:
    put(tx1__load=50.0)
    page = open_session(chromium, address, password)
    page.goto(f"{address}/plant/tx1")
    page.locator('[data-r="machine-points"] summary').click()
    page.locator('a[href="/plant/tx1?point=load#trend"]').first.focus()
    put(tx1__load=51.0)
    page.locator('[data-r="machine-values"]').get_by_text("51", exact=True).wait_for()
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/plant/tx1?point=load#trend"
    assert page.locator('[data-r="machine-points"]').get_attribute("open") is not None


def test_a_page_that_loses_the_server_says_so_with_the_time_of_its_data(
    chromium, address: str, password: str, app: FastAPI
) -> None:
    page = open_session(chromium, address, password)
    assert not page.locator("#offline").is_visible()
    page.context.set_offline(True)
    app.state.streams.close()
    page.wait_for_selector("#offline", state="visible")
    assert "Below are the data of" in page.locator("#offline").inner_text()


def test_one_tap_acknowledges_without_a_script(chromium, address: str, password: str, fire, context: Context) -> None:
    number = fire("zone-icu")
    page = open_session(chromium, address, password, java_script_enabled=False, viewport={"width": 390, "height": 844})
    page.goto(f"{address}/alerts/{number}")
    page.click("button.ack")
    page.wait_for_selector(".hero.taken")
    alert = context.desk.alert(number)
    assert alert is not None
    assert alert.acknowledged_by == "operator"


def test_what_was_written_outlives_a_login_that_has_ended(
    chromium, address: str, password: str, fire, context: Context
) -> None:
    fire("zone-icu")
    number = context.desk.tickets(equipment="zone-icu")[0].id
    page = open_session(chromium, address, password)
    page.goto(f"{address}/tickets/{number}")
    comment = page.locator("textarea[name=text]")
    comment.fill("valve 3 is stuck")
    page.context.clear_cookies(name="wardwatt_session")
    page.click("form[action$='/comment'] button")
    sign_in_again(page, password)
    page.wait_for_selector("textarea[name=text]")
    assert comment.input_value() == "valve 3 is stuck"
    page.click("form[action$='/comment'] button")
    page.wait_for_selector(".evs .tx")
    assert comment.input_value() == ""
    assert context.desk.ticket_events(number)[-1].text == "valve 3 is stuck"


def sign_in_again(page: Any, password: str, name: str = "operator") -> None:
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")


def test_a_form_that_a_login_or_an_error_kept_from_arriving_is_filled_in_again_once(
    chromium, address: str, password: str
) -> None:
    page = open_session(chromium, address, password)
    title, machine = page.locator("input[name=title]"), page.locator("select[name=equipment]")
    send = "main form[action='/tickets/new'] button"

    def filled() -> tuple[str, str]:
        page.wait_for_selector(send)
        return title.input_value(), machine.input_value()

    page.goto(f"{address}/tickets/new")
    title.fill("water on the floor")
    machine.select_option("psa1")
    page.context.clear_cookies(name="wardwatt_session")
    page.click(send)
    # Not for who logs in at this screen in between.
    sign_in_again(page, password, "engineer")
    assert filled() == ("", "")
    page.context.clear_cookies(name="wardwatt_session")
    page.reload()
    sign_in_again(page, password)
    assert filled() == ("water on the floor", "psa1")
    page.evaluate("document.querySelector('input[name=csrf]').value = 'of another tab'")
    page.click(send)
    page.click("a[href='/tickets/new']")
    assert filled() == ("water on the floor", "psa1")
    page.reload()
    assert filled() == ("", "")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_is_wider_than_its_window_or_breaks_the_content_policy(
    chromium, address: str, password: str, put, fire, find, language: str, context: Context
) -> None:
    put(zone_icu__pressure=312.0, tx1__winding_temperature_c=122.0)
    number = fire("zone-icu")
    find()
    found = Rejections()
    for topic in ("sample/" + "x" * 300, "sample/power-1/tx9/telemetry"):
        found.add(topic, "unknown-topic", "why", b'{"load": 40}', 12, context.clock())
    context.quarantine.record(found)
    page = open_session(chromium, address, password, language)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for path in ("/", "/plant", "/plant/tx1", "/alerts", f"/alerts/{number}", "/tickets", "/tickets/1", "/data",
                 "/quarantine", "/quarantine/1", "/quarantine/2", "/energy", "/energy?span=day", "/energy/bill",
                 "/energy/meters", "/energy/indicators", "/energy/savings", "/help", "/more"):  # fmt: skip
        page.goto(address + path)
        for width in (360, 390, 1024, 1440, 1920):
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, (path, width)
    assert said == []
