"""What a simulated gateway writes is what the collector reads, whatever the layout."""

from __future__ import annotations

import pytest

from collector.arrivals import ArrivalLedger
from collector.decode import Decoder
from collector.mapping import TopicMap
from facility.site_file import load_site
from facility.telemetry_file import load_profiles
from simulators.gateways import reporters

LAYOUTS = [
    "{topic: t, time: {key: head.when, unit: ms}}",
    "{topic: t, samples: data.records, time: {key: t, unit: iso}}",
    "{topic: t, rows: {in: data.rows, name: id, value: v, time: at}, time: {key: at, unit: s}}",
    "{topic: t, rows: {name: n, value: v, time: t}, where: {key: dev, equals: 7}}",
    "{topic: t, samples: s, rows: {in: d, name: n, value: v}, where: {key: dev, equals: A}}",
    "{topic: t, values: {value: v, time: t}}",
    "{topic: t, values: [time, value]}",
    "{topic: t, points: {breaker_closed: {key: st, bit: 4}, breaker_trip: {key: st, bit: 0}, voltage_a: ph.0.u}}",
    "{topic: t, points: {breaker_closed: {key: st, states: {7: 1, 9: 0}}, energy_import: {key: e, topic: t/e}}}",
    *(f"{{profile: {name}, device: d}}" for name in sorted(load_profiles())),
]


@pytest.mark.parametrize("telemetry", LAYOUTS)
def test_what_a_simulated_gateway_sends_is_what_the_collector_understands(tmp_path, telemetry):
    of_class = "room_environment" if "zigbee2mqtt" in telemetry else "lv_feeder"
    path = tmp_path / "site.yaml"
    path.write_text(
        "site: {id: s, name: {zh: 院, en: S}}\n"
        f"equipment: [{{id: m1, class: {of_class}, telemetry: {telemetry}}}]\n"
    )  # fmt: skip
    site = load_site(path)
    (reporter,) = reporters(site)
    points = list(site.equipment["m1"].telemetry.points)
    values = {f"m1/{n}": float(i % 2) for i, n in enumerate(points)}
    topics = TopicMap(site)
    decoder = Decoder(topics, ArrivalLedger(None), 1 << 20)
    now = 1_772_424_000_000_000
    for topic, payload in reporter.messages(values, now):
        decoder.add(topic, payload, now, 0, False, False)
    draft = decoder.take()
    batch = draft.batch(topics)
    assert {batch.table.key(p): v for p, v in zip(batch.point, batch.value, strict=True)} == values
    assert set(batch.time_us.tolist()) == {now}
    assert not list(draft.rejections)
