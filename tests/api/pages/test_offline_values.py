"""A value whose device reports that it has none."""

from __future__ import annotations

import numpy as np

from api.pages.values import value_view
from api.pages.words import words_of
from facility.readings import StaleNotice


def test_no_old_number_stands_where_a_device_reports_offline(put, sources) -> None:
    put(zone_icu__pressure=312.0)  # beyond a limit, but of the past
    board, now_us = sources.context.live, sources.now_us()
    point = sources.site.points.index["zone-icu/pressure"]
    board.mark_stale(StaleNotice(np.array([point], dtype=np.int32), now_us, "Hospital/edge-1", None))
    shown = {
        language: value_view(
            sources.site, sources.site.equipment["zone-icu"], "pressure", sources.live(), words_of(language), {}
        )
        for language in ("zh", "en")
    }
    assert (shown["en"].number, shown["en"].state, shown["en"].plate) == ("—", "stale", "")
    assert shown["en"].offline.startswith("no value since ")
    assert shown["zh"].offline.startswith("设备报告：自 ")
    put(zone_icu__pressure=404.0)
    again = value_view(sources.site, sources.site.equipment["zone-icu"], "pressure", sources.live(), words_of("en"), {})
    assert (again.number, again.state, again.offline) == ("404", "normal", "")
