"""Readings: the newest of each point, and what they were over a time."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query

from api.context import Context, context_of
from api.responses import Json
from api.routes.plant import find_equipment, unknown_point

router = APIRouter(prefix="/api/v1", tags=["readings"])

Here = Annotated[Context, Depends(context_of)]


@router.get("/latest", response_class=Json)
def latest(
    here: Here,
    point: Annotated[list[str] | None, Query(description="only these points, as equipment/point")] = None,
    equipment: Annotated[list[str] | None, Query(description="only the points of this equipment")] = None,
) -> Json:
    """
    Give the newest reading of each point that has one: `[time in µs, value, quality]` by `equipment/point`.

    Quality is a set of bits, 0 for good.
    """
    chosen = chosen_points(here, point, equipment)
    board = here.live.snapshot()
    known = chosen[board.time_us[chosen] != 0]
    return Json(
        {
            "now_us": here.clock(),
            "readings": {
                here.live.table.key(i): [time_us, value, quality]
                for i, time_us, value, quality in zip(
                    known.tolist(),
                    board.time_us[known].tolist(),
                    board.value[known].tolist(),
                    board.quality[known].tolist(),
                    strict=True,
                )
            },
        }
    )


def chosen_points(
    here: Context, point: list[str] | None, equipment: list[str] | None
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return the indices of the points named, and of those of the equipment named; all, if neither is."""
    table = here.live.table
    if point is None and equipment is None:
        return np.arange(len(table), dtype=np.intp)
    chosen: dict[int, None] = {}
    for key in point or ():
        if key not in table.index:
            raise unknown_point(here.site, key)
        chosen[table.index[key]] = None
    for name in equipment or ():
        item = find_equipment(here.site, name)
        chosen.update((table.index[f"{item.id}/{p}"], None) for p in item.points)
    return np.fromiter(chosen, dtype=np.intp, count=len(chosen))
