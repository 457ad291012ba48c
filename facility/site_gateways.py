"""Which gateway a machine reports by: the one that the site file names, else that of its room."""

from __future__ import annotations

from dataclasses import dataclass

from facility.names import Names
from facility.site import Equipment, Site


@dataclass(frozen=True, slots=True)
class Gateway:
    """
    What stands between machines and the broker.

    Attributes
    ----------
    id : as the site file names it; `room:<room>` for the machines of a room whose gateway it does not name
    named : False for such a room
    """

    id: str
    name: Names
    named: bool


def gateway_of(site: Site, item: Equipment) -> Gateway:
    """Return the gateway of a machine; machines without a named gateway share that of their room."""
    if item.telemetry is not None and item.telemetry.gateway:
        name = item.telemetry.gateway
        return Gateway(name, Names(zh=name, en=name), named=True)
    room = site.rooms.get(item.room or "")
    if room is None:
        return Gateway("room:", Names(zh="未指明网关", en="Gateway not named"), named=False)
    return Gateway(f"room:{room.id}", Names(zh=f"{room.name.zh}网关", en=f"Gateway of {room.name.en}"), named=False)
