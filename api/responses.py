"""JSON as the application sends it: numpy arrays as lists, and a missing number as null, never as zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from starlette.responses import Response


class Json(Response):
    """A JSON response for what is made of plain values and arrays; NaN and infinity become null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return dumps(content)


def dumps(content: Any) -> bytes:
    """Return the content as JSON in UTF-8."""
    return orjson.dumps(content, _as_list, orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def _as_list(value: Any) -> Any:
    # orjson reads an array's memory itself, but not that of every slice.
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no form in JSON; give plain values and arrays")
