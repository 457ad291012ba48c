"""What handlers look up before a page is built: records by their number, series by what a page draws."""

from __future__ import annotations

from analytics.desk import ALERT, TICKET, no_such
from analytics.records import Alert, Ticket
from api.errors import unknown
from api.pages.alert import charted_points, end_of, window_of
from api.pages.caches import Readings
from api.pages.machine_charts import subject_point, wanted_keys
from api.pages.sources import Live, Sources
from api.pages.trends import TrendRange, start_of
from api.pages.values import alerts_by_point
from facility.errors import StoreUnavailable
from facility.site import Equipment

_LARGEST_ID = 2**63 - 1


def equipment_of(sources: Sources, equipment: str) -> Equipment:
    """Return a machine; ApiError `unknown-equipment` with the nearest name."""
    item = sources.site.equipment.get(equipment)
    if item is None:
        raise unknown("equipment", equipment, sources.site.equipment, "/plant")
    return item


def alert_of(sources: Sources, number: int) -> Alert:
    """Return an alert; NoSuchRecord."""
    found = sources.desk.desk.alert(number) if 0 < number <= _LARGEST_ID else None
    if found is None:
        raise no_such(ALERT, number)
    return found


def ticket_of(sources: Sources, number: int) -> Ticket:
    """Return a ticket; NoSuchRecord."""
    found = sources.desk.desk.ticket(number) if 0 < number <= _LARGEST_ID else None
    if found is None:
        raise no_such(TICKET, number)
    return found


def subject_of(sources: Sources, item: Equipment, point: str | None, live: Live) -> str | None:
    """Return the point that a machine's chart shows."""
    alerts = [a for a in sources.desk.open_alerts() if a.equipment == item.id]
    return subject_point(item, point, alerts_by_point(item, alerts, live))


def machine_readings(
    sources: Sources, item: Equipment, subject: str | None, chosen: TrendRange, now_us: int
) -> Readings | None:
    """Return the series of a machine's page; None while the store is away."""
    keys = wanted_keys(item, subject)
    try:
        return sources.store.aggregate(keys, start_of(chosen, now_us), now_us, chosen.step_us) if keys else {}
    except StoreUnavailable:
        return None


def alert_readings(sources: Sources, alert: Alert, live: Live) -> Readings | None:
    """Return the series of an alert's chart; None while the store is away."""
    window, end = window_of(alert, live.now_us), end_of(alert, live.now_us)
    points = charted_points(sources.site.equipment.get(alert.equipment), alert, live)
    keys = [f"{alert.equipment}/{point}" for point in points]
    try:
        return sources.store.aggregate(keys, start_of(window, end), end, window.step_us) if keys else {}
    except StoreUnavailable:
        return None
