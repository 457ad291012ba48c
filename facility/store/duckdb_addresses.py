"""The addresses of the points in a DuckDB file: which id each has, and where it belongs."""

# ruff: noqa: S608 (what is formatted into SQL is our own constants)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.readings import PointAddress, PointTable
from facility.store.duckdb_file import Columns, Connection, run
from facility.store.duckdb_points import PointBook

_NAMES: Final = ("equipment", "point", "equipment_class", "unit", "site", "building", "room", "kind")


def read_addresses(cursor: Connection) -> dict[str, PointAddress]:
    """Return where each point belongs, in the order of the ids."""
    rows = run(cursor, f"SELECT key, {', '.join(_NAMES)} FROM points ORDER BY id").fetchall()
    return {str(key): PointAddress(*columns) for key, *columns in rows}


def put_addresses(
    cursor: Connection, table: PointTable, book: PointBook
) -> tuple[NDArray[np.int32], list[str], Mapping[int, PointAddress]]:
    """
    Write the addresses of a table that are new or have changed; the book is left as it is.

    Return the id of each point (points of the table,), the keys that are new, in the order of their ids, and what was
    written of which id.
    """
    known = read_addresses(cursor)
    ids = np.empty(len(table), dtype=np.int32)
    put: dict[int, PointAddress] = {}
    new: list[str] = []
    for i, address in enumerate(table.addresses):
        number = book.ids.get(address.key)
        if number is None:
            number = len(book.keys) + len(new)
            new.append(address.key)
            put[number] = address
        elif address.equipment_class and known.get(address.key) != address:
            # A bare key, as imports know it, does not wipe out what the site file said.
            put[number] = address
        ids[i] = number
    if put:
        columns = zip(*((address.key, *astuple(address)) for address in put.values()), strict=True)
        incoming: Columns = {name: np.array(c, dtype=object) for name, c in zip(("key", *_NAMES), columns, strict=True)}
        incoming["id"] = np.array(list(put), dtype=np.int32)
        run(cursor, "DELETE FROM points USING incoming WHERE points.id = incoming.id", incoming=incoming)
        run(cursor, f"INSERT INTO points SELECT id, key, {', '.join(_NAMES)} FROM incoming", incoming=incoming)
    return ids, new, put
