"""
The truth log: what was really wrong, from when to when, how bad, and what it truly cost.

One JSON object a line. `switched` says `on`, `off`, or `still` where somebody took stock; times are ISO 8601 in UTC.
Detectors never see this file: it is what their findings are judged by.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from simulators.fault_catalogue import find_fault
from simulators.faults import FaultEvent

log = logging.getLogger(__name__)

Switched = Literal["on", "still", "off"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def iso(time_us: int) -> str:
    """Write microseconds since 1970 as ISO 8601 in UTC, exact to the microsecond."""
    # Integer arithmetic: fromtimestamp(float) would round the last digits away.
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat()


def microseconds(text: str) -> int:
    """Read what `iso` wrote."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


class TruthLog:
    """Appends switchings to a file, and reads back what earlier runs wrote."""

    def __init__(self, path: Path | None, currency: str = "CNY") -> None:
        self._path, self._currency = path, currency
        self._lock = threading.Lock()

    def switched(self, event: FaultEvent, what: Switched) -> None:
        """Write that an event began, goes on, or ended; the line is on the disk when this returns."""
        if self._path is None:
            return
        fault = find_fault(event.fault)
        line: dict[str, Any] = {
            "switched": what,
            "fault": event.fault,
            "name": fault.name.en,
            "equipment": event.equipment.partition("/")[0],
            **({"point": event.equipment.partition("/")[2]} if "/" in event.equipment else {}),
            "severity": event.severity,
            "onset_s": event.onset_s,
            **({"on_s": event.on_s, "every_s": event.every_s} if event.every_s > 0.0 else {}),
            "from": iso(event.start_us),
            "to": None if event.end_us is None else iso(event.end_us),
        }
        if what != "on" and fault.waste is not None:
            line["waste"] = {"amount": round(event.waste, 6), "unit": fault.waste.unit}
            if event.cost is not None:
                line["cost"] = {"amount": round(event.cost, 4), "currency": self._currency}
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def events(self) -> list[FaultEvent]:
        """Return what the file holds, an event a pair of lines; lines torn by a crash are skipped and logged."""
        if self._path is None or not self._path.exists():
            return []
        found: dict[tuple[str, str, int], FaultEvent] = {}
        for number, text in enumerate(self._path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                line = json.loads(text)
                event = FaultEvent(
                    line["fault"],
                    f"{line['equipment']}/{line['point']}" if "point" in line else line["equipment"],
                    float(line["severity"]),
                    microseconds(line["from"]),
                    float(line["onset_s"]),
                    None if line["to"] is None else microseconds(line["to"]),
                    float((line.get("waste") or {}).get("amount", 0.0)),
                    float(line["cost"]["amount"]) if "cost" in line else None,
                    on_s=float(line.get("on_s", 0.0)),
                    every_s=float(line.get("every_s", 0.0)),
                )
            except (ValueError, KeyError, TypeError) as error:
                log.warning(
                    "truth log line skipped", extra={"file": str(self._path), "line": number, "why": str(error)}
                )
                continue
            found[(event.fault, event.equipment, event.start_us)] = event
        return list(found.values())
