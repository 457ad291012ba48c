"""`max_rate` of a class file: the fastest change that a point can make."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from facility.equipment_classes import PointSpec, load_library


def spec(max_rate: dict[str, str]) -> PointSpec:
    return PointSpec.model_validate(
        {"kind": "gauge", "unit": "°C", "name": {"zh": "水温", "en": "Temperature"}, "max_rate": max_rate}
    )


def test_a_rate_is_told_by_a_change_and_a_time() -> None:
    rate = spec({"change": "3 °C", "within": "1 min", "source": "physics"}).max_rate
    assert rate is not None
    assert rate.a_second == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        ({"change": "3 K", "within": "1 min", "source": "physics"}, "max_rate changes by 3 K; give it in the point's"),
        ({"change": "0 °C", "within": "1 min", "source": "physics"}, "change and within must be above zero"),
        ({"change": "3 °C", "within": "0 s", "source": "physics"}, "change and within must be above zero"),
        ({"change": "3 °C", "within": "1 min"}, "source"),
    ],
)
def test_a_rate_that_means_nothing_is_refused_with_its_mend(rate: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(words)):
        spec(rate)


def test_no_pressure_of_a_medical_gas_has_a_rate_that_a_burst_pipe_would_break() -> None:
    for name, cls in load_library().classes.items():
        if cls.spec.system == "oxygen":
            assert not [p for p, s in cls.points.items() if s.max_rate and "pressure" in p], name
