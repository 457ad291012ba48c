"""Every page through the web application: whole, escaped, usable without a script, in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from api.context import Context
from api.pages.sources import SIMULATION_SETTING
from collector.quarantine import Rejections
from facility.database import write_setting
from facility.errors import StoreUnavailable
from facility.names import LANGUAGES

PLAIN = (
    "/", "/plant", "/plant?system=power", "/plant/tx1", "/plant/tx1?point=winding_temperature_a&range=30d",
    "/plant/zone-icu?point=valve", "/alerts", "/alerts?show=mine", "/alerts?show=cleared", "/alerts?show=advice",
    "/tickets", "/tickets?show=mine", "/tickets?show=closed", "/tickets/new", "/data", "/quarantine", "/help", "/more",
    "/account/password",
)  # fmt: skip


class Outline(HTMLParser):
    """What a page consists of, for what must hold on every page."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def busy(put, put_series, fire, find, context: Context) -> dict[str, int]:
    """A night with something of everything."""
    put_series("zone-icu/pressure", [404.0] * 100 + [312.0] * 20, 5.0)
    put(tx1__load=50.0, tx1__winding_temperature_c=122.0, psa1__oxygen_purity=93.4, psa2__running=0.0)
    old = fire("zone-b", ago_s=900)
    context.desk.acknowledge(old, "operator", "")
    fire("zone-b", value=402.0, ago_s=600, kind="cleared")
    fire("tx1", "EL-L16/warn", 122.0, subject="winding_temperature")
    alert = fire("zone-icu")
    find()
    found = Rejections()
    for topic in ("sample/" + "x" * 300, "sample/power-1/tx9/telemetry"):
        found.add(topic, "unknown-topic", "why", b'{"load": 40}', 12, context.clock(), facts={"case": "no-pattern"})
    context.quarantine.record(found)
    find("machine.anomaly", verdict="cannot_tell", cost=None)
    ticket = context.desk.tickets(equipment="zone-icu")[0].id
    closed = context.desk.tickets(equipment="zone-b")[0].id
    context.desk.close(closed, "valve opened", "operator")
    return {"alert": alert, "old": old, "ticket": ticket, "closed": closed}


@pytest.fixture(params=LANGUAGES)
def reader(request: pytest.FixtureRequest, operator: TestClient) -> TestClient:
    """An operator's browser, in each language."""
    operator.cookies.set("wardwatt_language", request.param)
    return operator


def paths(busy: dict[str, int]) -> list[str]:
    return [
        *PLAIN, f"/alerts/{busy['alert']}", f"/alerts/{busy['old']}", f"/tickets/{busy['ticket']}",
        f"/tickets/{busy['closed']}", "/quarantine/1", "/quarantine/2", "/quarantine?reason=unknown-topic",
    ]  # fmt: skip


def test_every_page_is_whole_in_both_languages(reader: TestClient, busy: dict[str, int]) -> None:
    for path in paths(busy):
        answer = reader.get(path)
        assert answer.status_code == 200, path
        page = Outline(answer.text)
        assert page.open == [], path
        assert len(page.all("h1")) == 1, path
        assert len(page.all("main")) == 1, path
        assert page.all("html")[0]["lang"] in ("zh-CN", "en"), path
        ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
        assert len(ids) == len(set(ids)), path


def test_no_page_has_styles_scripts_or_addresses_of_its_own(operator: TestClient, busy: dict[str, int]) -> None:
    for path in paths(busy):
        page = Outline(operator.get(path).text)
        assert not page.all("style"), path
        assert all(script.get("src", "").startswith("/static/") for script in page.all("script")), path  # type: ignore[union-attr]
        for _, attrs in page.tags:
            assert "style" not in attrs, path
            assert not [name for name in attrs if name.startswith("on")], path
            for name in ("href", "src", "action"):
                assert not re.match(r"[a-z]+:|//", attrs.get(name) or ""), (path, attrs)


def test_every_form_that_changes_something_carries_the_session_s_word(
    operator: TestClient, busy: dict[str, int]
) -> None:
    for path in paths(busy):
        html = operator.get(path).text
        for form in re.findall(r"<form.*?</form>", html, re.S):
            assert 'method="post"' in form, path
            assert re.search(r'name="csrf" value="[^"]{20,}"', form), path


def test_every_drawing_is_named_or_hidden_and_every_field_has_a_label(
    operator: TestClient, busy: dict[str, int]
) -> None:
    for path in paths(busy):
        html = operator.get(path).text
        page = Outline(html)
        for svg in page.all("svg"):
            inner = {"x", "y"} <= svg.keys()
            assert inner or svg.get("aria-hidden") == "true" or svg.get("aria-label"), (path, svg)
        for tag in ("input", "select", "textarea"):
            for match in re.finditer(rf"<{tag}\b[^>]*>", html):
                if 'type="hidden"' in match[0]:
                    continue
                before = html[: match.start()]
                assert before.rfind("<label") > before.rfind("</label"), (path, match[0])


def test_no_chinese_stands_on_an_english_page_but_names_that_people_gave(
    operator: TestClient, busy: dict[str, int]
) -> None:
    for path in paths(busy):
        page = Outline(operator.get(path).text)
        assert set(re.findall(r"[\u4e00-\u9fff]+", page.text)) <= {"中", "中文"}, path


def test_a_page_without_a_session_leads_to_the_login_and_back(anyone: TestClient) -> None:
    answer = anyone.get("/plant/tx1?range=7d", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/login?next=%2Fplant%2Ftx1%3Frange%3D7d"


def test_a_reader_sees_no_button_that_their_role_forbids(viewer: TestClient, busy: dict[str, int]) -> None:
    for path in (f"/alerts/{busy['alert']}", f"/tickets/{busy['ticket']}", "/tickets", "/plant/tx1"):
        html = viewer.get(path).text
        assert "<form" not in html, path
        assert "/tickets/new" not in html, path
    assert "你的角色只读" in viewer.get(f"/alerts/{busy['alert']}").text


# --- forms ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def send(operator: TestClient, word_of: Callable[[TestClient], str]):
    """Send a form as the operator's browser does, and return the page that it leads to."""

    def post(path: str, **fields: object):
        answer = operator.post(path, data={"csrf": word_of(operator), **fields})
        assert answer.status_code == 303, answer.text
        return operator.get(answer.headers["Location"]).text

    return post


def test_one_tap_acknowledges_and_the_page_then_says_who_has_it(send, operator, busy, context: Context) -> None:
    before = operator.get(f"/alerts/{busy['alert']}").text
    assert "Acknowledge, going" in before
    after = send(f"/alerts/{busy['alert']}/acknowledge")
    assert "Acknowledge, going" not in after
    assert "acknowledged by operator 02:40" in after
    alert = context.desk.alert(busy["alert"])
    assert alert is not None
    assert alert.acknowledged_by == "operator"


def test_the_banner_leaves_every_page_once_the_alert_is_taken(send, operator, busy) -> None:
    assert 'class="banner p1"' in operator.get("/help").text
    send(f"/alerts/{busy['alert']}/acknowledge")
    assert 'class="banner p1"' not in operator.get("/help").text


def test_a_ticket_is_taken_ticked_talked_about_and_closed(send, busy, context: Context) -> None:
    path = f"/tickets/{busy['ticket']}"
    assert "In progress" in send(f"{path}/assign", assignee="operator")
    assert "1 of" in send(f"{path}/steps/0", done="1")
    assert "0 of" in send(f"{path}/steps/0", done="0")
    assert "on my way &lt;b&gt;" in send(f"{path}/comment", text="on my way <b>")
    assert "valve was shut" in send(f"{path}/close", resolution="valve was shut")
    ticket = context.desk.ticket(busy["ticket"])
    assert ticket is not None
    assert (ticket.state, ticket.closed_by) == ("closed", "operator")


def test_a_ticket_s_history_names_limits_and_not_their_codes(operator, busy, context: Context) -> None:
    kept = {e.kind: e.text for e in context.desk.ticket_events(busy["closed"])}
    limit_id, _, value = kept["cleared"].partition(" ")
    limit = next(x for x in context.site.equipment["zone-b"].limits if x.id == limit_id)
    operator.cookies.set("wardwatt_language", "en")
    page = operator.get(f"/tickets/{busy['closed']}").text
    assert limit_id not in page
    assert f"{limit.spec.name.en} {value}" in page


def test_a_step_ticked_on_the_alert_s_page_leads_back_to_it(operator, word_of, busy) -> None:
    path, back = f"/tickets/{busy['ticket']}/steps/0", f"/alerts/{busy['alert']}"
    answer = operator.post(path, data={"csrf": word_of(operator), "done": "1", "back": back})
    assert answer.headers["Location"] == back
    answer = operator.post(path, data={"csrf": word_of(operator), "done": "1", "back": "//evil.example"})
    assert answer.headers["Location"] == "/"


def test_a_ticket_can_be_opened_for_what_somebody_has_seen(send, context: Context) -> None:
    html = send("/tickets/new", equipment="tx1", title="Oil stain below <tx1>", priority="P3", text="since today")
    assert "Oil stain below &lt;tx1&gt;" in html
    assert "since today" in html
    assert context.desk.tickets(equipment="tx1")[0].created_by == "operator"


def test_what_cannot_be_done_is_said_on_a_page_and_changes_nothing(operator, word_of, busy, context: Context) -> None:
    def state() -> object:
        return [context.desk.ticket(n) for n in (busy["ticket"], busy["closed"])], len(context.desk.tickets())

    before, word = state(), word_of(operator)
    for path, fields in (
        ("/tickets/{ticket}/assign", {"assignee": "nobody"}),
        ("/tickets/{ticket}/assign", {"assignee": "viewer"}),
        ("/tickets/{ticket}/close", {"resolution": "  "}),
        ("/tickets/{ticket}/comment", {"text": ""}),
        ("/tickets/{closed}/assign", {"assignee": "operator"}),
        ("/tickets/new", {"equipment": "tx9", "title": "x"}),
        ("/tickets/new", {"equipment": "tx1", "title": "x", "priority": "P9"}),
    ):
        data = {"csrf": word, **fields}
        answer = operator.post(path.format(**busy), data=data, headers={"Accept": "text/html"})
        assert answer.status_code == 409, path
        assert "This cannot be done now, nothing was changed." in answer.text, path
        assert state() == before, path


def test_a_form_without_the_session_s_word_changes_nothing(operator, busy, context: Context) -> None:
    answer = operator.post(f"/alerts/{busy['alert']}/acknowledge", headers={"Accept": "text/html"})
    assert answer.status_code == 403
    assert "nothing was changed" in answer.text
    alert = context.desk.alert(busy["alert"])
    assert alert is not None
    assert alert.acknowledged_us is None


def test_a_viewer_s_form_is_refused(viewer, word_of, busy, context: Context) -> None:
    path = f"/alerts/{busy['alert']}/acknowledge"
    answer = viewer.post(path, data={"csrf": word_of(viewer)}, headers={"Accept": "text/html"})
    assert answer.status_code == 403
    assert "你的角色不能这样做" in answer.text


# --- errors, settings, files ------------------------------------------------------------------------------------------


def test_what_is_not_there_is_said_in_the_reader_s_language_with_a_way_on(operator) -> None:
    page, record = "There is no such page.", "There is no alert with number"
    machine = "There is no equipment with this name."
    for path, said in (
        ("/nowhere", page),
        ("/plant/tx9", machine),
        ("/plant/tx1/nothing.csv", "This equipment has no such point."),
        ("/alerts/999", record),
        ("/alerts/-1", record),
        (f"/tickets/{10**30}", "There is no ticket with number"),
        ("/live?page=nothing", page),
        ("/live?page=machine:tx9:24h:", machine),
        ("/live?page=alert:999", record),
    ):
        answer = operator.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 404, path
        assert said in answer.text, path
        assert 'href="/"' in answer.text, path


def test_a_path_that_is_none_speaks_the_person_s_language_and_not_the_browser_s(operator) -> None:
    answer = operator.get("/nowhere", headers={"Accept": "text/html", "Accept-Language": "zh-CN"})
    assert "There is no such page." in answer.text
    operator.cookies.clear()
    answer = operator.get("/nowhere", headers={"Accept": "text/html", "Accept-Language": "zh-CN"})
    assert "没有这个页面" in answer.text


def test_an_unknown_range_system_or_list_shows_the_usual_one(operator) -> None:
    assert 'aria-current="true">24 h' in operator.get("/plant/tx1?range=400y").text
    assert "<h1>Power room</h1>" in operator.get("/plant?system=<script>").text
    assert operator.get("/alerts?show=x").status_code == 200


def test_a_store_that_is_away_leaves_live_values_and_alerts(operator, busy, context: Context, monkeypatch) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("the disk is full; make room")

    monkeypatch.setattr(context.store, "aggregate", away)
    monkeypatch.setattr(context.store, "size", away)
    assert operator.get("/").status_code == 200
    assert "The history does not answer" in operator.get("/plant/tx1").text
    assert "The history does not answer" in operator.get(f"/alerts/{busy['alert']}").text
    assert "does not answer" in operator.get("/data").text
    answer = operator.get("/plant/tx1/load.csv", headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert "Collecting goes on and loses nothing." in answer.text


def test_language_and_theme_are_chosen_by_links_and_remembered(viewer: TestClient) -> None:
    answer = viewer.get("/settings?language=en&theme=dark&back=/alerts")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/alerts"
    viewer.cookies.delete("wardwatt_language")
    viewer.cookies.set("wardwatt_language", "en")
    html = viewer.get("/alerts").text
    assert '<html lang="en" data-theme="dark">' in html


def test_a_settings_link_leads_nowhere_else(viewer: TestClient) -> None:
    for back in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        answer = viewer.get("/settings", params={"language": "en", "back": back})
        assert answer.headers["Location"] == "/", back


def test_the_login_page_speaks_the_browser_s_language(anyone: TestClient) -> None:
    assert "登录" in anyone.get("/login", headers={"Accept-Language": "zh-CN,zh;q=0.9"}).text
    assert "Log in" in anyone.get("/login", headers={"Accept-Language": "en-US"}).text


def test_a_wrong_password_is_told_in_words_and_the_name_stays(anyone: TestClient, try_password) -> None:
    anyone.cookies.set("wardwatt_language", "zh")
    answer = try_password(anyone, "operator", "wrong")
    assert answer.status_code == 401
    assert "用户名或密码不对" in answer.text
    assert 'value="operator"' in answer.text


def test_our_own_files_are_kept_by_browsers_and_others_are_not_served(anyone: TestClient) -> None:
    answer = anyone.get("/static/wardwatt.css")
    assert answer.headers["Content-Type"].startswith("text/css")
    assert "immutable" in answer.headers["Cache-Control"]
    for path in ("/static/../pages/routes.py", "/static/%2e%2e/pages/routes.py", "/static/none.css"):
        assert anyone.get(path).status_code == 404


def test_the_table_behind_a_chart_is_a_download(operator, busy) -> None:
    answer = operator.get("/plant/zone-icu/pressure.csv?range=24h")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="zone-icu-pressure-24h.csv"'
    assert answer.text.startswith("\ufefftime,equipment,point,unit,mean,min,max,last,readings\r\n")
    assert "zone-icu,pressure,kPa," in answer.text


def test_a_hospital_in_software_says_so_on_every_page_and_in_every_title(operator, busy, context: Context) -> None:
    assert "This hospital is software" not in operator.get("/").text
    with context.database.session() as session:
        write_setting(session, SIMULATION_SETTING, 1)
    context.desk.acknowledge(busy["alert"], "operator", "")  # lets go of what pages have kept for a second
    for path in paths(busy):
        if path != "/account/password":
            html = operator.get(path).text
            assert "This hospital is software" in html, path
            assert "<title>Simulated · " in html, path


def test_what_is_over_and_known_keeps_no_colour(operator, busy) -> None:
    html = operator.get(f"/alerts/{busy['old']}").text
    assert 'class="hero taken"' in html
    assert "#m1z" in html


def test_a_live_page_says_so_to_browsers_without_a_script(operator) -> None:
    assert '<noscript><meta http-equiv="refresh"' in operator.get("/").text
    assert "<noscript>" not in operator.get("/tickets/new").text
