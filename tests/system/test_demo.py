"""The demo as a newcomer meets it: started, looked at in a browser, acted upon, stopped, started again."""

import re
import time

import pytest
from harness import eventually, program
from playwright.sync_api import expect, sync_playwright

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def page():
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=program("chromium"),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-sync",
                "--no-first-run",
            ],
        )
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
        page = context.new_page()
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def log_in(page, service):
    page.context.clear_cookies()
    page.goto(f"{service.url}/login")
    page.fill("input[name=name]", "admin")
    page.fill("input[name=password]", service.password)
    page.click("main button[type=submit]")
    expect(page).to_have_url(f"{service.url}/")


def test_the_demo_shows_a_hospital_and_a_fault_becomes_a_ticket_that_one_can_close(wardwatt, page):
    began = time.monotonic()
    service = wardwatt("demo", seconds=300)
    print(f"pages answer after {time.monotonic() - began:.0f} s")
    said = service.said()
    assert service.url in said
    assert "User: admin" in said
    assert service.password

    outside = []
    page.on("request", lambda r: outside.append(r.url) if not r.url.startswith(service.url) else None)
    log_in(page, service)
    rooms = {r["id"]: r["kind"] for r in service.get("rooms")["rooms"]}
    assert {"power_room", "boiler_room", "oxygen_station", "pump_room"} <= set(rooms.values())
    machines = {e["id"]: e["room"] for e in service.get("equipment")["equipment"]}

    def live_rooms():
        newest = service.get("latest")
        fresh = [key for key, (at_us, *_) in newest["readings"].items() if newest["now_us"] - at_us < 60_000_000]
        return {machines[key.split("/")[0]] for key in fresh} >= set(rooms)

    eventually(live_rooms, 100, "some room shows nothing live")
    print(f"every room is live {time.monotonic() - began:.0f} s after the start")
    past = service.get("range", point="hv1/active_power", step="1d", **{"from": "2000-01-01", "to": "2099-01-01"})
    assert len(past["series"][0]["time_us"]) >= 30

    def p1():
        return [a for a in service.get("alerts", state="open")["alerts"] if a["priority"] == "P1"]

    alert = eventually(p1, 300, "no life-safety alert")[0]
    print(f"a fault became an alert {time.monotonic() - began:.0f} s after the start")
    assert [f for f in service.get("findings")["findings"] if f["cause"] == alert["cause"]]
    ticket = next(t for t in service.get("tickets")["tickets"] if t["cause"] == alert["cause"])

    page.goto(f"{service.url}/alerts/{alert['id']}")
    page.click("form[action$='/acknowledge'] button")
    page.wait_for_load_state()
    assert service.get(f"alerts/{alert['id']}")["acknowledged_by"] == "admin"

    page.goto(f"{service.url}/tickets/{ticket['id']}")
    page.fill("form[action$='/comment'] textarea", "Valve box on floor 5 found half closed")
    page.click("form[action$='/comment'] button")
    page.fill("form[action$='/close'] textarea", "Valve opened, pressure is back")
    still_on = page.locator("form[action$='/close'] input[type=checkbox]")
    if still_on.count():  # the alert goes on: the page asks whether the ticket is to be closed all the same
        still_on.check()
    page.click("form[action$='/close'] button")
    page.wait_for_load_state()
    closed = service.get(f"tickets/{ticket['id']}")
    assert closed["state"] == "closed"
    assert closed["resolution"] == "Valve opened, pressure is back"
    assert outside == [], "a page asked for something from outside"

    def alert_over():
        return service.get(f"alerts/{alert['id']}")["resolved_us"] is not None

    # The storyline would turn the valve back fifteen minutes after its start; the work that was noted did it now.
    eventually(alert_over, 120, "what was done has not mended the machine")

    readings = service.get("health")["store"]["readings"]
    assert service.interrupt() == 0
    assert "Traceback" not in service.said()

    service.start(180)
    assert service.get("health")["store"]["readings"] >= readings
    assert service.get(f"tickets/{ticket['id']}")["state"] == "closed"
    assert len(re.findall(r"Password: ", service.said())) == 1
    log_in(page, service)
