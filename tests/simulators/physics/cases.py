"""Figures from outside the project, in `tests/cases/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

CASES = Path(__file__).parents[2] / "cases"


def array(*values: float) -> NDArray[np.float64]:
    """Return some numbers as the physics takes them."""
    return np.array(values, dtype=np.float64)


@cache
def _file(name: str) -> Any:
    return yaml.safe_load((CASES / f"{name}.yaml").read_text("utf-8"))


def case(file: str, name: str) -> Any:
    """Return one case of a file."""
    return _file(file)[name]


def rows(file: str, name: str) -> list[Any]:
    """Return the rows of one case of a file."""
    return list(case(file, name)["rows"])
