"""Times that people write: one moment by the site's clock, or a refusal that says what to write."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from analytics.energy.entry_checks import EntryRefused
from analytics.energy.entry_texts import asked_time, read_time
from facility.calendar import to_us
from facility.formats import exact_minute

LONDON = ZoneInfo("Europe/London")
# The clocks of London go from 01:00 to 02:00 on 2026-03-29, and from 02:00 to 01:00 on 2026-10-25.


def us(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-29 00:59", "2026-03-29T00:59Z"),
        ("2026-03-29 02:00", "2026-03-29T01:00Z"),
        ("2026-10-25 00:59", "2026-10-24T23:59Z"),
        ("2026-10-25 02:00", "2026-10-25T02:00Z"),
        ("2026年7月1日 8:30", "2026-07-01T07:30Z"),
        ("2026/7/1", "2026-06-30T23:00Z"),
        ("2026-10-25 01:30+01:00", "2026-10-25T00:30Z"),
        ("2026-10-25 01:30 +01:00", "2026-10-25T00:30Z"),
        ("2026-10-25T01:30+0000", "2026-10-25T01:30Z"),
        ("2026-10-25 01:30 UTC-05:30", "2026-10-25T07:00Z"),
        ("2026-10-25T01:30:10Z", "2026-10-25T01:30:10Z"),
    ],
)
def test_a_time_is_by_the_sites_clock_or_by_the_distance_from_utc_that_it_names(text: str, meant: str) -> None:
    assert read_time(text, LONDON) == us(meant)


@pytest.mark.parametrize("text", ["", "noon", "2026-02-30", "2026-07-01 24:01", "2026-07-01 +01:00", "0000-01-01"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert read_time(text, LONDON) is None
    with pytest.raises(EntryRefused, match="write the site's time, such as"):
        asked_time(text, LONDON)


@pytest.mark.parametrize("text", ["2026-03-29 01:00", "2026-03-29 01:59:59"])
def test_a_time_that_the_clock_never_shows_is_refused(text: str) -> None:
    with pytest.raises(EntryRefused, match="does not exist: the clocks are put forward over it that day") as refused:
        asked_time(text, LONDON)
    assert f"{text[:16]} 不存在：当天时钟拨快，跳过了这一时刻；请更正时间" in refused.value.words.zh


def test_a_time_that_the_clock_shows_twice_is_taken_as_neither_until_one_is_named() -> None:
    with pytest.raises(EntryRefused) as refused:
        asked_time("2026-10-25 01:30", LONDON)
    first, second = "2026-10-25 01:30+01:00", "2026-10-25 01:30+00:00"
    assert f"write {first!r} for the first, {second!r} for the second" in str(refused.value)
    assert f"第一次请写“{first}”，第二次请写“{second}”" in refused.value.words.zh
    assert asked_time(second, LONDON) - asked_time(first, LONDON) == 3_600_000_000


@pytest.mark.parametrize("meant", ["2026-10-25T00:30Z", "2026-10-25T01:30Z", "2026-10-25T02:30Z", "2026-03-29T01:00Z"])
def test_a_time_that_is_shown_may_be_written_back(meant: str) -> None:
    assert asked_time(exact_minute(us(meant), LONDON), LONDON) == us(meant)
