"""Which points' devices live, told by the connection's thread and asked for by others."""

from __future__ import annotations

import time
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from collector.sparkplug.host import SparkplugHost

_LOOK_S: Final = 1.0
# A connection's thread that has not looked for so long hears nothing of deaths either.
_HOLDS_S: Final = 10.0
_NOBODY: Final[NDArray[np.int32]] = np.empty(0, dtype=np.int32)


class _Line(Protocol):
    @property
    def state(self) -> str: ...


class Living:
    """The newest look at what a host knows; `note` on its own thread, `of` on any."""

    def __init__(self) -> None:
        self._seen: tuple[float, NDArray[np.int32]] = (0.0, _NOBODY)

    def note(self, host: SparkplugHost) -> None:
        """Look who lives, once a second at most."""
        now = time.monotonic()
        if now - self._seen[0] >= _LOOK_S:
            self._seen = (now, host.living())

    def of(self, line: _Line) -> NDArray[np.int32]:
        """Return the points whose last values hold as indices; none while the connection tells of no death."""
        at, points = self._seen
        fresh = line.state == "connected" and time.monotonic() - at < _HOLDS_S
        return points if fresh else _NOBODY
