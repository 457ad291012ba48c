"""What the hospital consists of: rooms, equipment, points. All of it stands in the site file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from api.context import Context, context_of
from api.errors import ApiError, unknown
from facility.equipment_classes import PointSpec
from facility.names import Names
from facility.site import Equipment, Site

router = APIRouter(prefix="/api/v1", tags=["plant"])

Here = Annotated[Context, Depends(context_of)]


class RoomOut(BaseModel):
    """A plant room and what stands in it."""

    id: str
    kind: str
    name: Names
    building: str | None
    equipment: list[str]


class RoomsOut(BaseModel):
    """All rooms, in the order of the site file."""

    rooms: list[RoomOut]


class EquipmentSummary(BaseModel):
    """One piece of equipment in a list."""

    id: str
    class_: str
    name: Names
    room: str | None
    system: str
    criticality: str

    model_config = {
        "serialize_by_alias": True,
        "alias_generator": lambda name: name.rstrip("_"),
        "populate_by_name": True,
    }


class PointOut(BaseModel):
    """A point as it holds for one piece of equipment; bands are [lower end, upper end] in its unit."""

    key: str
    name: Names
    kind: str
    unit: str
    normal: tuple[float, float] | None
    physical: tuple[float, float] | None
    scale: tuple[float, float] | None
    every_s: float
    decimals: int | None
    states: dict[str, Names] | None


class LimitOut(BaseModel):
    """A limit and the standard that it comes from."""

    id: str
    name: Names
    when: str
    hold_s: float
    threshold: float | None
    clear: float | None
    priority: str
    life_safety: bool
    source: str


class EquipmentOut(EquipmentSummary):
    """One piece of equipment with everything that the site file and its class say about it."""

    rating: dict[str, float]
    choices: dict[str, str]
    fed_by: list[str]
    feeds: list[str]
    serves: list[str]
    points: list[PointOut]
    limits: list[LimitOut]


class EquipmentListOut(BaseModel):
    """Equipment, in the order of the site file."""

    equipment: list[EquipmentSummary]


class PointsOut(BaseModel):
    """Points, in the order of the site file."""

    points: list[PointOut]


@router.get("/rooms")
def rooms(here: Here) -> RoomsOut:
    """List the plant rooms."""
    site = here.site
    return RoomsOut(
        rooms=[
            RoomOut(
                id=room.id,
                kind=room.kind,
                name=room.name,
                building=room.building,
                equipment=[item.id for item in site.in_room(room.id)],
            )
            for room in site.rooms.values()
        ]
    )


@router.get("/equipment")
def equipment_list(
    here: Here, room: Annotated[str | None, Query(description="only what stands in this room")] = None
) -> EquipmentListOut:
    """List the equipment, of one room if need be."""
    chosen = here.site.equipment.values() if room is None else equipment_in(here.site, room)
    return EquipmentListOut(equipment=[EquipmentSummary(**_summary(item)) for item in chosen])


@router.get("/equipment/{equipment}")
def equipment_one(here: Here, equipment: str) -> EquipmentOut:
    """Give one piece of equipment with its points and limits."""
    item = find_equipment(here.site, equipment)
    return EquipmentOut(
        **_summary(item),
        rating=dict(item.rating),
        choices=dict(item.choices),
        fed_by=list(item.fed_by),
        feeds=list(here.site.feeds(item.id)),
        serves=list(item.serves.latest),
        points=points_of(item),
        limits=[
            LimitOut(
                id=limit.id,
                name=limit.spec.name,
                when=limit.spec.when,
                hold_s=limit.spec.hold,
                threshold=limit.threshold,
                clear=limit.clear,
                priority=limit.spec.priority,
                life_safety=limit.spec.life_safety,
                source=limit.spec.source,
            )
            for limit in item.limits
        ],
    )


@router.get("/points")
def points(
    here: Here, equipment: Annotated[str | None, Query(description="only the points of this equipment")] = None
) -> PointsOut:
    """List the points, of one piece of equipment if need be."""
    chosen = here.site.equipment.values() if equipment is None else [find_equipment(here.site, equipment)]
    return PointsOut(points=[point for item in chosen for point in points_of(item)])


def find_equipment(site: Site, equipment: str) -> Equipment:
    """Return the equipment of this name; the 404 names the nearest one."""
    item = site.equipment.get(equipment)
    if item is None:
        raise unknown("equipment", equipment, site.equipment, "GET /api/v1/equipment")
    return item


def equipment_in(site: Site, room: str) -> Sequence[Equipment]:
    """Return what stands in the room of this name; the 404 names the nearest one."""
    if room not in site.rooms:
        raise unknown("room", room, site.rooms, "GET /api/v1/rooms")
    return site.in_room(room)


def unknown_point(site: Site, key: str) -> ApiError:
    """Return the error for a point that the site does not have; it names the nearest one."""
    return unknown("point", key, site.points.index, "GET /api/v1/points")


def _summary(item: Equipment) -> dict[str, Any]:
    return {
        "id": item.id,
        "class": item.cls.id,
        "name": item.name,
        "room": item.room,
        "system": item.cls.spec.system,
        "criticality": item.criticality,
    }


def points_of(item: Equipment) -> list[PointOut]:
    """Return the points of one piece of equipment, in the order of its class."""
    return [_point(item, name, spec) for name, spec in item.points.items()]


def _point(item: Equipment, name: str, spec: PointSpec) -> PointOut:
    states = item.cls.state_names.get(name)
    return PointOut(
        key=f"{item.id}/{name}",
        name=spec.name,
        kind=spec.kind,
        unit=spec.unit,
        normal=spec.normal,
        physical=spec.physical,
        scale=spec.scale,
        every_s=spec.every,
        decimals=spec.decimals,
        states={str(code): names for code, names in states.items()} if states else None,
    )
