"""Commands to a simulator that runs: faults to switch, repairs that somebody did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from facility.site import Site
from simulators.hospital import Hospital


def command_topic(site: Site) -> str:
    """Return the topic on which a running simulator takes commands; it lies outside the site's own topics."""
    return f"simulator/{site.id}/command"


def command(fault_id: str, equipment_id: str, on: bool, severity: float = 0.8) -> bytes:
    """Return the command that switches a fault of a running simulator on or off."""
    return json.dumps({"fault": fault_id, "equipment": equipment_id, "on": on, "severity": severity}).encode()


def repair_command(equipment_id: str, note: str) -> bytes:
    """Return the command that lets a machine of a running simulator be mended, as the note says."""
    return json.dumps({"repair": equipment_id, "note": note}, ensure_ascii=False).encode()


def obey(hospital: Hospital, payload: bytes | bytearray) -> None:
    """
    Carry out a command.

    Raises
    ------
    ValueError, TypeError, KeyError
        If it is none, or names what is not there; then nothing has changed.
    """
    order: Mapping[str, Any] = json.loads(payload)
    if "repair" in order:
        hospital.repair(str(order["repair"]), str(order["note"]))
    else:
        hospital.switch(
            str(order["fault"]),
            str(order["equipment"]),
            bool(order.get("on", True)),
            float(order.get("severity", 0.8)),
        )
