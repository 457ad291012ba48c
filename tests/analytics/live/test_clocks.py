"""A gateway's wrong clock neither blinds a limit nor keeps an alert from ending."""

import pytest

from analytics.live import LiveRules
from facility.readings import CLOCK_SUSPECT, HISTORICAL, ReadingBatch
from facility.site_file import load_site

S = 1_000_000
NOW = 1_790_000_000 * S
SITE = """\
site: {id: x, name: {zh: 甲, en: A}}
equipment:
  - {id: z1, class: oxygen_pipeline_zone}
"""


@pytest.fixture
def feed(tmp_path):
    """Return a way to tell the rules a pressure that arrives at a time with a stamp of the gateway."""
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    site = load_site(tmp_path / "site.yaml")
    rules = LiveRules(site)
    point = site.points.index["z1/pressure"]

    def tell(value, arrives_s, stamp_s=None, quality=0):
        stamp = arrives_s if stamp_s is None else stamp_s
        batch = ReadingBatch.of(site.points, [point], [NOW + stamp * S], [float(value)], quality)
        return [e.kind for e in rules.evaluate(batch.as_seen(NOW + arrives_s * S), NOW + arrives_s * S)]

    return tell


def test_one_reading_from_ahead_of_time_does_not_hide_what_comes_after_it(feed):
    feed(400, 0, stamp_s=570)
    kinds = [k for t in range(2, 40, 2) for k in feed(150, t)]
    assert "firing" in kinds


def test_an_alert_ends_although_a_reading_came_from_ahead_of_time(feed):
    feed(150, 0, stamp_s=570)
    fired = [k for t in range(2, 40, 2) for k in feed(150, t)]
    over = [k for t in range(40, 120, 2) for k in feed(400, t)]
    assert "firing" in fired
    assert "cleared" in over


def test_a_clock_that_is_always_slow_is_judged_by_arrival(feed):
    kinds = [k for t in range(0, 40, 2) for k in feed(150, t, stamp_s=t - 700, quality=CLOCK_SUSPECT)]
    assert "firing" in kinds


def test_what_was_sent_late_on_purpose_raises_nothing(feed):
    kinds = [k for t in range(0, 40, 2) for k in feed(150, t, stamp_s=t - 700, quality=HISTORICAL)]
    assert kinds == []
