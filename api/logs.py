"""What the service logs: one line an event, with its fields, on the error stream."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Final

# Every attribute that a record has by itself; the rest are the event's own fields.
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Lines(logging.Formatter):
    """`2026-07-16T02:49:02Z INFO collector.service batch written rows=4812 points=212`."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = ""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record as one line; line breaks that came in with somebody's input stay visible as text."""
        fields = "".join(f" {k}={_shown(v)}" for k, v in vars(record).items() if k not in _OWN)
        told = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        line = f"{self.formatTime(record)}Z {record.levelname} {record.name} {told}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _shown(value: object) -> str:
    text = str(value)
    text = text if len(text) <= 500 else text[:500] + "…"
    return repr(text) if any(c.isspace() or c in "\"'=" or not c.isprintable() for c in text) else text


def set_up_logs() -> None:
    """Log warnings and above, or what WARDWATT_LOG says (debug, info, warning, error)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    level = getattr(logging, os.environ.get("WARDWATT_LOG", "warning").upper(), logging.WARNING)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
