"""Whose messages are refused: the quarantine's rows by machine, for the watch over the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from analytics.data_health.refusals import Refusal
from collector.mapping import Plan, TopicMap
from collector.quarantine import Quarantine
from facility.names import Names
from facility.site import Site
from facility.sparkplug_names import data_topic, read_topic

_MOST_ROWS = 500


class Refused:
    """
    Asks the quarantine; safe to use from several threads.

    Parameters
    ----------
    site, quarantine : whose topics, and where their refused messages are
    """

    def __init__(self, site: Site, quarantine: Quarantine) -> None:
        self._topics = TopicMap(site)
        self._quarantine = quarantine

    def __call__(self) -> Mapping[str, Sequence[Refusal]]:
        """
        Return what waits of each machine's messages.

        Raises
        ------
        StoreUnavailable
            If the database cannot be read.
        """
        # The catalogue of words is read only when a machine is silent.
        from api.pages.refusals import reason_words
        from api.pages.words import words_of

        zh, en = words_of("zh"), words_of("en")
        found: dict[str, list[Refusal]] = {}
        for entry in self._quarantine.entries(_MOST_ROWS):
            name = Names(zh=reason_words(entry.reason, zh)[0], en=reason_words(entry.reason, en)[0])
            refusal = Refusal(entry.reason, name, entry.waiting, entry.last_us, entry.id)
            for machine in self._machines(entry.topic) if entry.waiting else ():
                found.setdefault(machine, []).append(refusal)
        return found

    def _machines(self, topic: str) -> set[str]:
        parts = read_topic(topic)
        plan = self._topics.resolve(topic if parts is None else data_topic(parts.group, parts.node, parts.device))
        if not isinstance(plan, Plan):
            return set()
        table = self._topics.site.points
        points = (p for one in _all(plan) for p in self._topics.points_of(one))
        return {table.addresses[p].equipment for p in points}


def _all(plan: Plan) -> Iterator[Plan]:
    yield plan
    yield from plan.routes.values()
