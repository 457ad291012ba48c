"""A site file becomes a hospital, or a list of every mistake with its place and its mend."""

from datetime import date

import pytest

from facility.errors import ConfigurationError
from facility.site_file import load_site

HEAD = """\
site: {id: riverside, name: {zh: 滨江医院, en: Riverside Hospital}}
buildings:
  - {id: main, name: {zh: 主楼, en: Main building}}
rooms:
  - {id: power-1, kind: power_room, building: main, name: {zh: 一号配电房, en: Power room 1}}
departments:
  - {id: icu, name: {zh: 重症医学科, en: Intensive care}, cost_centre: 3107}
  - {id: lab, name: {zh: 检验科, en: Lab}, floor_area: [{from: 2024-01-01, is: 500 m²}, {from: 2026-01-01, is: 650 m²}]}
"""
TRANSFORMER = """\
  - id: tx1
    class: dry_type_transformer
    room: power-1
    rating: {power: 1600 kVA, thermal_class: F}
"""


@pytest.fixture
def site_of(tmp_path):
    def load(text, head=HEAD):
        (tmp_path / "site.yaml").write_text(head + text, encoding="utf-8")
        return load_site(tmp_path / "site.yaml")

    return load


@pytest.fixture
def told(site_of, tmp_path):
    """Return the problems of a site, one string each, without the folder's name."""

    def problems(text, head=HEAD):
        with pytest.raises(ConfigurationError) as error:
            site_of(text, head)
        return [str(p).replace(str(tmp_path) + "/", "") for p in error.value.problems]

    return problems


def test_a_site_knows_its_rooms_machines_and_points(site_of):
    site = site_of("equipment:\n" + TRANSFORMER)
    machine = site.equipment["tx1"]
    assert site.name.zh == "滨江医院"
    assert str(site.time_zone) == "Asia/Shanghai"
    assert machine.rating["power"] == 1600.0
    assert machine.cls.spec.name.en == "Dry-type transformer"
    assert [e.id for e in site.in_room("power-1")] == ["tx1"]
    address = site.points.addresses[site.points.index["tx1/winding_temperature_a"]]
    assert (address.building, address.room, address.unit) == ("main", "power-1", "°C")


def test_a_fact_with_dates_holds_from_its_day_on(site_of):
    area = site_of("").departments["lab"].floor_area_m2
    assert [area.on(date(*d)) for d in [(2023, 1, 1), (2025, 12, 31), (2026, 1, 1)]] == [500.0, 500.0, 650.0]


def test_shifts_and_contractors_answer_for_rooms(site_of):
    site = site_of(
        "shifts:\n  - {id: night, name: {zh: 夜, en: Night}, phone: '8010', from: 20:00, to: 08:00, rooms: [power-1]}\n"
        "contractors:\n  - {id: maker, name: {zh: 厂家, en: Maker}, phone: 021-5550 0110, rooms: [power-1]}\n"
    )
    night, maker = site.shifts["night"], site.contractors["maker"]
    assert (night.start_minute, night.end_minute, night.rooms) == (20 * 60, 8 * 60, ("power-1",))
    assert (maker.start_minute, maker.end_minute, maker.phone) == (0, 24 * 60, "021-5550 0110")


def test_the_supply_tree_says_what_stops_and_who_is_affected(site_of):
    site = site_of(
        "equipment:\n  - {id: hv1, class: hv_incomer}\n  - {id: tx1, class: dry_type_transformer, fed_by: [hv1]}\n"
        "  - {id: f1, class: lv_feeder, fed_by: [tx1], serves: [icu]}\n"
        "  - {id: f2, class: lv_feeder, fed_by: [tx1], serves: [{from: 2026-01-01, is: [lab]}]}\n"
    )
    assert site.downstream("hv1") == ("tx1", "f1", "f2")
    assert site.upstream("f1") == ("tx1", "hv1")
    assert [d.id for d in site.affected("hv1", date(2026, 5, 1))] == ["icu", "lab"]


def test_a_limit_is_changed_by_the_name_of_what_it_limits(site_of):
    site = site_of(
        "equipment:\n" + TRANSFORMER + "    limits: {winding_temperature: {warn: 115 °C, alarm: {hold: 5 min}}}\n"
    )
    limits = {(li.subject, li.id): li for li in site.equipment["tx1"].limits}
    warn = limits["winding_temperature", "EL-L16/warn"]
    usual = {(li.subject, li.id): li for li in site.library["dry_type_transformer"].limits}
    usual_warn = usual["winding_temperature", "EL-L16/warn"]
    assert warn.threshold == 115.0
    # The distance between limit and clearing value is the class's.
    assert warn.clear - warn.threshold == usual_warn.clear - usual_warn.threshold
    assert limits["winding_temperature", "EL-L16/alarm"].spec.hold == 300.0


def test_a_point_that_the_machine_lacks_takes_its_limits_with_it(site_of):
    machine = site_of("equipment:\n" + TRANSFORMER + "    points: {core_temperature: {absent: true}}\n").equipment[
        "tx1"
    ]
    assert "core_temperature" not in machine.points
    assert not [li for li in machine.limits if "core_temperature" in li.condition.points]


def test_a_payload_key_may_have_its_own_unit(site_of):
    site = site_of(
        "equipment:\n" + TRANSFORMER + "    telemetry:\n      topic: 'hospital/{room}/{equipment}'\n"
        "      points: {active_power: {key: P, unit: W}, winding_temperature_a: Ta}\n"
    )
    telemetry = site.equipment["tx1"].telemetry
    assert telemetry.topic == "hospital/power-1/tx1"
    assert (telemetry.points["active_power"].key, telemetry.points["active_power"].scale) == ("P", 0.001)
    assert telemetry.points["winding_temperature_a"].key == "Ta"
    assert telemetry.points["winding_temperature_b"].key == "winding_temperature_b"


def test_a_site_may_be_spread_over_a_folder(tmp_path):
    (tmp_path / "1-site.yaml").write_text(HEAD, encoding="utf-8")
    (tmp_path / "2-power.yaml").write_text("equipment:\n" + TRANSFORMER, encoding="utf-8")
    (tmp_path / "3-more.yaml").write_text(
        "equipment:\n  - {id: f1, class: lv_feeder, fed_by: [tx1]}\n", encoding="utf-8"
    )
    assert list(load_site(tmp_path).equipment) == ["tx1", "f1"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "equipmnt: []\n",
            "site.yaml:9: equipmnt: section 'equipmnt' is not known; did you mean 'equipment'?",
        ),
        (
            "equipment:\n  - {id: tx1, class: dry_type_transformr}\n",
            "site.yaml:10: equipment[1] 'tx1'.class: class 'dry_type_transformr' is not in the library; "
            "did you mean 'dry_type_transformer'?",
        ),
        (
            "equipment:\n  - {id: tx1, class: dry_type_transformer, rom: power-1}\n",
            "site.yaml:10: equipment[1] 'tx1'.rom: key 'rom' is not known here; did you mean 'room'?",
        ),
        (
            "equipment:\n  - {id: tx1, class: dry_type_transformer, room: power-2}\n",
            "site.yaml:10: equipment[1] 'tx1'.room: no room is called 'power-2'; did you mean 'power-1'?",
        ),
        (
            "equipment:\n  - {id: Tx 1, class: dry_type_transformer}\n",
            "site.yaml:10: equipment[1] 'Tx 1'.id: 'Tx 1' is not an id; use small letters, digits, - and _, "
            "such as 'tx1' or 'power-1'",
        ),
        (
            "equipment:\n  - {id: tx1, class: dry_type_transformer, rating: {power: 1600}}\n",
            "site.yaml:10: equipment[1] 'tx1'.rating.power: 1600 has no unit; write it with one, such as '1600 kVA'",
        ),
        (
            "equipment:\n  - {id: tx1, class: dry_type_transformer, rating: {power: 1600 kPa}}\n",
            "site.yaml:10: equipment[1] 'tx1'.rating.power: 'kPa' cannot be converted to 'kVA': "
            "they do not measure the same thing",
        ),
        (
            "equipment:\n  - {id: tx1, class: dry_type_transformer, limits: {winding_temprature: {warn: 3 °C}}}\n",
            "site.yaml:10: equipment[1] 'tx1'.limits.winding_temprature.warn: 'dry_type_transformer' has no 'warn' "
            "limit for 'winding_temprature'; did you mean 'winding_temperature: warn'?",
        ),
        (
            "equipment:\n  - {id: a, class: lv_feeder}\n  - {id: a, class: lv_feeder}\n",
            "site.yaml:11: equipment[2] 'a'.id: id 'a' is taken at site.yaml:10; choose another",
        ),
        (
            "equipment:\n  - {id: a, class: lv_feeder, telemetry: {topic: 'x/#'}}\n",
            "site.yaml:10: equipment[1] 'a'.telemetry.topic: 'x/#' is no topic to publish on; leave out + and #, "
            "and write {point} for the point",
        ),
        (
            "equipment:\n  - {id: a, class: lv_feeder, telemetry: {topic: 'x/{pont}'}}\n",
            "site.yaml:10: equipment[1] 'a'.telemetry.topic: placeholder {pont} is not known; did you mean 'point'?",
        ),
        (
            "equipment:\n  - {id: a, class: lv_feeder, telemetry: {topic: x, points: {activ_power: P}}}\n",
            "site.yaml:10: equipment[1] 'a'.telemetry.points.activ_power: 'activ_power' is not a measured point of "
            "this machine; did you mean 'active_power'?",
        ),
        (
            "tariffs:\n  - {carrier: electricity, from: 1 May, price: 0.7, unit: kWh, source: bill}\n",
            "site.yaml:10: tariffs[1] '1 May'.from: '1 May' is not a date; write it as 2026-03-02",
        ),
        (
            "tariffs:\n  - {carrier: electricity, from: 2026-05-01, price: cheap, unit: kWh, source: bill}\n",
            "site.yaml:10: tariffs[1] '2026-05-01'.price: 'cheap' stands where a number belongs",
        ),
        (
            "shifts:\n  - {id: day, name: {zh: 白班, en: Day}, phone: 8010, rooms: [power-1]}\n",
            "site.yaml:10: shifts[1] 'day'.phone: 8010 is no phone number; write it in quotes, such as '8010' or "
            "'+86 21 5550 0110'",
        ),
        (
            "contractors:\n  - {id: lifts, name: {zh: 电梯, en: Lifts}, phone: '8010', rooms: [power-2]}\n",
            "site.yaml:10: contractors[1] 'lifts'.rooms[1]: no room is called 'power-2'; did you mean 'power-1'?",
        ),
        ("rooms: power-2\n", "site.yaml:9: rooms: 'rooms' stands here a second time; the first is on line 4: keep one"),
        ("telemetry: [{topic: a/b}]\n",
         "site.yaml:9: telemetry[1] 'a/b': 'a/b' does not say which machine it is from; put {equipment} into it"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_message(told, text, problem):
    assert told(text) == [problem.replace("at site.yaml", "at site.yaml")]


def test_a_supply_that_runs_in_a_circle_is_told_and_only_its_links_are_left_out(site_of):
    site = site_of(
        "equipment:\n  - {id: a, class: lv_feeder, fed_by: [b, c]}\n  - {id: b, class: lv_feeder, fed_by: [a]}\n"
        "  - {id: c, class: lv_feeder}\n  - {id: d, class: lv_feeder, fed_by: [b]}\n"
    )
    assert {e.id: e.fed_by for e in site.equipment.values()} == {"a": ("c",), "b": (), "c": (), "d": ("b",)}
    assert site.circles == (frozenset({"a", "b"}),)
    (problem,) = site.left_out
    assert (problem.line, problem.place) == (10, "equipment[1] 'a'.fed_by")
    assert problem.message == "the supply runs in a circle: a -> b -> a; take one link out"
    assert "成环：a -> b -> a；请去掉其中一条" in problem.zh


def test_with_a_mistake_that_refuses_the_file_what_would_be_left_out_is_told_too(told):
    found = told("equipment:\n  - {id: a, class: lv_feeder, fed_by: [a]}\n  - {id: b, class: lv_feder}\n")
    assert ["circle" in found[0], "lv_feeder" in found[1], len(found)] == [True, True, 2]


def test_all_mistakes_are_told_at_once(told):
    problems = told(
        "equipment:\n  - {id: tx1, class: dry_type_transformr, rom: power-1, fed_by: [nothing]}\n"
        "  - {id: f1, class: lv_feeder, room: power-9}\n",
        head=HEAD.replace("id: riverside", "id: Riverside").replace("power_room", "power_rom"),
    )
    assert len(problems) == 6


def test_what_refers_to_an_entry_with_a_mistake_is_no_second_mistake(told):
    problems = told(
        "equipment:\n  - {id: f1, class: lv_feeder, room: power-1}\n", head=HEAD.replace("power_room", "kitchen")
    )
    assert len(problems) == 1


def test_a_life_safety_limit_cannot_be_switched_off(told):
    problems = told(
        "equipment:\n  - {id: z1, class: oxygen_pipeline_zone, limits: {pressure: {low_alarm: {off: true}}}}\n"
    )
    assert "guards life safety and cannot be switched off" in problems[0]


def test_two_machines_do_not_share_a_value(told):
    problems = told(
        "equipment:\n  - {id: a, class: lv_feeder, telemetry: {topic: t}}\n"
        "  - {id: b, class: lv_feeder, telemetry: {topic: t}}\n"
    )
    assert len(problems) == 1
    assert "is already 'a''s; each value has one owner" in problems[0]


def test_a_missing_site_and_an_empty_folder_are_told(told, tmp_path):
    assert told("", head="rooms: []\n") == ["site.yaml: site: the section is missing; add site: {id: ..., name: ...}"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"the folder holds no \*\.yaml file"):
        load_site(tmp_path / "empty")
    with pytest.raises(ConfigurationError) as away:
        load_site(tmp_path / "nowhere.yaml")
    assert "the file cannot be read" in str(away.value)
    assert "section is missing" not in str(away.value)  # nobody knows


def test_without_a_word_readings_are_kept_for_400_days_and_hours_for_ever(site_of):
    retention = site_of("").retention
    assert (retention.raw_us, retention.hour_us) == (400 * 86_400_000_000, None)


def test_each_level_may_be_kept_for_as_long_as_the_site_says(site_of):
    retention = site_of("retention: {readings: 90 d, 1min: 12 months, 15min: forever}\n").retention
    day = 86_400_000_000
    assert (retention.raw_us, retention.minute_us, retention.quarter_us) == (90 * day, 365 * day, None)


def test_what_is_coarser_is_kept_along_with_what_is_finer(site_of):
    day = 86_400_000_000
    retention = site_of("retention: {readings: 3 years}\n").retention
    assert (retention.minute_us, retention.quarter_us) == (3 * 365 * day, 5 * 365 * day)
    assert site_of("retention: {readings: forever}\n").retention.quarter_us is None


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{readings: 12 h}", "retention.readings: '12 h' is too short; keep it for at least '1 d'"),
        ("{readings: soon}", "retention.readings: 'soon' says not how long; write such as '400 d', '2 years' or "),
        ("{readings: }", "retention.readings: None says not how long; write such as '400 d'"),
        ("{readings: [1 d]}", "retention.readings: ['1 d'] says not how long"),
        ("{readings: 1e400 d}", "retention.readings: '1e400 d' says not how long"),
        ("{1d: 9999999999 years}", "retention.1d: '9999999999 years' is longer than 1000 years; write forever"),
        ("{1min: 3 years, 1h: 2 years}", "retention: 1h is kept for 730 d, 1min for 1095 d; keep 1h at least as "),
        ("{readings: forever, 1d: 9 d}", "retention: 1d is kept for 9 d, readings for forever; keep 1d at least as "),
        ("{raw: 90 d}", "retention.raw: key 'raw' is not known here; write one of 15min, 1d, 1h, 1min, readings"),
    ],
)
def test_a_retention_that_cannot_be_kept_is_told(told, section, message):
    problems = told(f"retention: {section}\n")
    assert len(problems) == 1
    assert problems[0].startswith(f"site.yaml:9: {message}")
