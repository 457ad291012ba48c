"""One message's way, from another client's hand to the page, and what becomes of messages that are broken."""

import json
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from harness import ROOT, Mosquitto, Wardwatt, eventually, run

SITE = ROOT / "examples" / "small"
TOPIC = "riverside/pump-1/cp2/telemetry"


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory):
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto")).start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def service(tmp_path_factory, mosquitto):
    """Return one service for all messages: each test uses points and topics of its own."""
    service = Wardwatt(tmp_path_factory.mktemp("service"), "run", "--site", SITE, "--broker", mosquitto.url)
    yield service.start()
    service.stop()


def latest(service, key):
    return service.get("latest", point=key)["readings"].get(key)


def quarantined(service):
    return {(e["topic"], e["reason"]): e for e in service.get("quarantine")["entries"]}


def test_a_message_of_another_client_is_in_the_api_and_on_the_page(service, mosquitto):
    eventually(lambda: service.get("health")["collector"]["connected"])
    began = time.monotonic()
    mosquitto.publish(TOPIC, json.dumps({"outlet_pressure": 0.4321}))
    eventually(lambda: (latest(service, "cp2/outlet_pressure") or [0, 0])[1] == 0.4321)
    print(f"in the API after {time.monotonic() - began:.2f} s, mosquitto_pub's own start included")
    with closing(service.browser()) as browser:
        page = eventually(lambda: (p := browser.get("/plant/cp2").text) and "0.43" in p and p)
    assert "0.43" in page


def test_the_time_in_a_message_is_kept_to_the_microsecond(service, mosquitto):
    # A time that is still to come is taken for that of arrival.
    at = (datetime.now(UTC) - timedelta(seconds=1)).replace(microsecond=123457)
    mosquitto.publish(TOPIC.replace("cp2", "cp3"), json.dumps({"ts": at.isoformat(), "flow": 41.5}))
    eventually(lambda: (latest(service, "cp3/flow") or [0, 0])[1] == 41.5)
    assert latest(service, "cp3/flow")[0] == int(at.timestamp()) * 1_000_000 + 123457


def test_a_plain_value_on_its_own_topic_is_stored(service, mosquitto):
    mosquitto.publish("riverside/pump-1/cp3/outlet_pressure", "0.515")
    eventually(lambda: (latest(service, "cp3/outlet_pressure") or [0, 0])[1] == 0.515)


def test_what_cannot_be_understood_is_kept_with_its_reason_and_nothing_else_is_lost(service, mosquitto, tmp_path):
    huge = tmp_path / "huge.json"
    huge.write_bytes(b'{"outlet_pressure": "' + b"9" * 10_000_000 + b'"}')
    next_year = datetime.now(UTC).year + 1
    mosquitto.publish(TOPIC, '{"outlet_pressure": 0.4')
    mosquitto.publish("riverside/nowhere/cp9/telemetry", '{"outlet_pressure": 0.4}')
    mosquitto.publish(TOPIC, '{"outlet_pressure": "warm", "flow": 33.25}')
    mosquitto.publish(TOPIC, '{"ts": 12, "flow": 1.5}')
    mosquitto.publish(TOPIC, json.dumps({"ts": f"{next_year}-06-01T00:00:00Z", "flow": 2.5}))
    mosquitto.publish(TOPIC, None, "-f", str(huge))
    mosquitto.publish(TOPIC, json.dumps({"inlet_pressure": 0.125}))

    eventually(lambda: (latest(service, "cp2/inlet_pressure") or [0, 0])[1] == 0.125)
    # The good value beside a bad one is stored.
    eventually(lambda: latest(service, "cp2/flow")[1] == 33.25)
    kept = quarantined(service)
    reasons = sorted(reason for _, reason in kept)
    assert len(kept) == 5
    assert {"broken-json", "unknown-topic", "time-implausible", "payload-too-large"} <= set(reasons)
    assert sum(e["count"] for e in kept.values()) == 6
    assert all(e["detail"] for e in kept.values())
    with closing(service.browser()) as browser:
        page = browser.get("/quarantine").text
    assert "nowhere" in page


def test_a_site_file_with_five_mistakes_does_not_start_and_tells_all_five(tmp_path):
    site = tmp_path / "site.yaml"
    site.write_text(
        "site: {id: x, name: {zh: 甲, en: A}, time_zone: Asia/Shangai}\n"
        "rooms:\n  - {id: r1, kind: power_rom, name: {zh: 乙, en: B}}\n"
        "equipment:\n"
        "  - {id: tx1, class: dry_type_transformr}\n"
        "  - {id: tx2, class: lv_feeder, room: r2}\n"
        "  - {id: tx3, class: lv_feeder, fed_by: [tx9]}\n",
        encoding="utf-8",
    )
    for command in (["check", site], ["run", "--site", site, "--data", tmp_path / "data"]):
        done = run(*command, check=False)
        assert done.returncode == 2
        assert "5 mistakes found." in done.stderr
        assert "did you mean 'Asia/Shanghai'?" in done.stderr
        assert "Traceback" not in done.stderr
