"""Which topic filters a session has at the broker: asked for, and remembered, so that they can be given up."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from facility.errors import ConfigurationError, Problem
from facility.sparkplug_names import SPARKPLUG_TOPICS

log = logging.getLogger(__name__)

SHARED = "$share/"


class FilterMemory:
    """
    The filters that a session may have, in a small file that outlasts the process.

    Parameters
    ----------
    path : None: in memory only
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.filters: frozenset[str] = frozenset()
        if path is not None:
            # No file, or not ours: then nothing is known of the session, and nothing is given up.
            with contextlib.suppress(OSError, ValueError):
                found = json.loads(path.read_text(encoding="utf-8"))
                self.filters = frozenset(f for f in found if isinstance(f, str))

    def keep(self, filters: set[str]) -> None:
        """Remember these instead of what was remembered; a disk that fails costs no more than the memory."""
        if frozenset(filters) == self.filters:
            return
        self.filters = frozenset(filters)
        if self._path is None:
            return
        draft = self._path.with_name(self._path.name + ".new")
        try:
            draft.write_text(json.dumps(sorted(filters)), encoding="utf-8")
            draft.replace(self._path)
        except OSError as error:
            log.warning("the list of subscribed topics cannot be kept", extra={"why": str(error)})


def shared_filters(filters: Sequence[str], group: str) -> tuple[str, ...]:
    """
    Return the filters by which the members of a group share the messages: each goes to one of them.

    Those of Sparkplug are not shared. Its messages mean something in their order only, so each member hears all;
    the same reading stored twice is one reading.

    Raises
    ------
    ConfigurationError
        If the group's name is none that MQTT knows.
    """
    if not group or any(c in group for c in "/+#") or not group.isprintable():
        mend = f"{group!r} is no name for a group: write a word without /, + and #, such as --share plant"
        raise ConfigurationError([Problem("", 0, "--share", mend)])
    return tuple(f if f.startswith(SPARKPLUG_TOPICS) else f"{SHARED}{group}/{f}" for f in filters)
