"""Times on pages, beyond `facility.formats`: as short as a reader can take them without a doubt."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from api.pages.words import Words
from facility.formats import clock, duration, which_of_two
from facility.formats import moment as site_time


def when(time_us: int, now_us: int, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """
    Return a time as short as it stays clear: `02:47` today, `07-13 05:20` this year, `2024-07-13 05:20` before.

    The year stands whenever it is not the clock's, since recorded data may be replayed years later; the distance from
    UTC where the clock shows the time twice.
    """
    then, now = site_time(time_us, zone), site_time(now_us, zone)
    time = clock(time_us, zone, seconds=seconds) + which_of_two(time_us, zone)
    if then.date() == now.date():
        return time
    return f"{then.strftime('%m-%d' if then.year == now.year else '%Y-%m-%d')} {time}"


def full(time_us: int, zone: ZoneInfo) -> str:
    """Return `2026-07-16 02:49:02`."""
    return site_time(time_us, zone).strftime("%Y-%m-%d %H:%M:%S")


def age(time_us: int, now_us: int, words: Words) -> str:
    """Return how long ago something was, in at most two units."""
    return duration(now_us - time_us, words.language)
