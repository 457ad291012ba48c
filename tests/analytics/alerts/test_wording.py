"""Titles of alerts: machine, what, how bad, within one line of a phone. A no-break space is written as ~ here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from analytics.alerts.wording import heading, limit_summary, limit_title, short_title
from analytics.live import LimitEvent
from facility.equipment_classes import load_library
from facility.formats import fits_title
from facility.names import Names
from facility.site import Site
from facility.site_file import load_site


def title(site: Site, equipment: str, limit_id: str, value: float) -> tuple[str, str]:
    machine = site.equipment[equipment]
    limit = next(li for li in machine.limits if li.id == limit_id)
    names = limit_title(machine, limit, value)
    return names.zh.replace("\N{NO-BREAK SPACE}", "~"), names.en.replace("\N{NO-BREAK SPACE}", "~")


@pytest.mark.parametrize(
    ("equipment", "limit", "value", "zh", "en"),
    [
        ("o2-icu", "MG-L05/low_trip", 312.2, "ICU 氧气 氧气压力低 312~kPa", "ICU oxygen oxygen low, 312~kPa"),
        ("o2-icu", "MG-L05/low_trip", 319.6, "ICU 氧气 氧气压力低 319.6~kPa", "ICU oxygen oxygen low, 319.6~kPa"),
        ("tx1", "EL-L16/warn", 121.4, "1#变压器 绕组温度偏高 121~°C", "Transformer 1 winding warm, 121~°C"),
        ("tx1", "EL-L16/alarm", 131.0, "1#变压器 绕组温度高 131~°C", "tx1 winding temperature high, 131~°C"),
        ("o2-icu", "MG-F01/alarm", 0.0, "ICU 氧气 区域阀关闭", "ICU oxygen zone valve closed"),
        ("tx1", "EL-L14/warn", 81.0, "1#变压器 负载率偏高 81%", "Transformer 1 load high, 81%"),
        ("tx1", "EL-L14/warn", float("nan"), "1#变压器 负载率偏高", "Transformer 1 load high"),
    ],
)
def test_a_title_says_machine_limit_and_value(
    site: Site, equipment: str, limit: str, value: float, zh: str, en: str
) -> None:
    assert title(site, equipment, limit, value) == (zh, en)


@pytest.mark.parametrize(
    ("equipment", "limit_id", "value", "zh", "en"),
    [
        ("tx1", "EL-L16/warn", 121.4,
         "1#变压器：绕组温度偏高，121~°C，限值 120~°C，已持续 1~分以上。",
         "Transformer 1: winding warm, 121~°C against 120~°C, for 1~min or longer."),
        ("tx1", "EL-L14/warn", 81.0,
         "1#变压器：负载率偏高，81%，限值 80%。", "Transformer 1: load high, 81% against 80%."),
        ("o2-icu", "MG-F01/alarm", 0.0, "ICU 氧气：区域阀关闭", "ICU oxygen: zone valve closed"),
    ],
)  # fmt: skip
def test_a_sentence_says_for_how_long_as_people_say_it(
    site: Site, equipment: str, limit_id: str, value: float, zh: str, en: str
) -> None:
    limit = next(li for li in site.equipment[equipment].limits if li.id == limit_id)
    event = LimitEvent("firing", equipment, limit, "cause", 0, 0, 0, value, value)
    told = limit_summary(site.equipment[equipment], event)
    assert told.zh.replace("\N{NO-BREAK SPACE}", "~").startswith(zh)
    assert told.en.replace("\N{NO-BREAK SPACE}", "~").startswith(en)


def test_a_machine_with_a_long_name_goes_by_its_id(site_of: Callable[[str], Site]) -> None:
    long = site_of(
        "site: {id: x, name: {zh: 院, en: H}}\nequipment:\n"
        "  - {id: tx7, class: transformer, rating: {power: 1000 kVA},"
        " name: {zh: 住院楼地下二层东侧七号干式变压器, en: Dry-type transformer seven in the inpatient block}}\n"
    )
    zh, en = title(long, "tx7", "EL-L16/warn", 121.4)
    assert zh == "tx7 绕组温度偏高 121~°C"
    assert en == "tx7 winding warm, 121~°C"


def test_what_does_not_fit_at_all_is_never_cut_off(site: Site) -> None:
    what = Names(zh="一" * 30, en="word " * 12 + "end")
    names = short_title(site.equipment["tx1"], what)
    assert names.zh == what.zh
    assert names.en.endswith("end")


def test_every_limit_of_the_library_makes_titles_that_fit(tmp_path: Path) -> None:
    classes = load_library().classes
    file = tmp_path / "site.yaml"
    file.write_text(
        "site: {id: x, name: {zh: 院, en: H}}\nequipment:\n"
        + "".join(f"  - {{id: m{i}, class: {name}}}\n" for i, name in enumerate(classes)),
        encoding="utf-8",
    )
    too_long = [
        (machine.cls.id, limit.id, text)
        for machine in load_site(file).equipment.values()
        for limit in machine.limits
        for names in [limit_title(machine, limit, float("nan") if limit.threshold is None else limit.threshold)]
        for text in (names.zh, names.en)
        if not fits_title(text)
    ]
    assert too_long == []


@pytest.mark.parametrize(
    ("sentence", "title"),
    [
        ("行政区电：已用 337.9 MWh，超过计划 330.0 MWh；请查明。", "行政区电：已用 337.9 MWh，超过计划 330.0 MWh"),
        ("HV incomer 1: power factor 0.87 against 0.90; dear.", "HV incomer 1: power factor 0.87 against 0.90"),
        ("Electricity, Imaging: 2,076.5 MWh is expected, 3.8% over.",
         "Electricity, Imaging: 2,076.5 MWh is expected, 3.8% over"),
        ("缺 2 夜数据。", "缺 2 夜数据"),
        ("Two nights missing.", "Two nights missing"),
        ("", ""),
        ("x" * 900, "x" * 200),
    ],
)  # fmt: skip
def test_a_finding_s_sentence_makes_a_heading(sentence, title):
    assert heading(sentence) == title
