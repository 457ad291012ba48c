"""
A small recording of a pump rig, made by the pump's physics, for places that have no recorded data of a real one.

Columns and units are those of a common test rig: accelerometers in g, pressure in bar, flow in L/min, and a label that
is 1 while the valve at the pump's inlet is being closed. `python -m simulators.recording FILE` writes it; the same code
gives the same file, to the byte.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators import noise
from simulators.physics import pump

Array = NDArray[np.float64]

HEADER: Final = (
    "datetime;Accelerometer1RMS;Accelerometer2RMS;Current;Pressure;Temperature;Thermocouple;Voltage;"
    "Volume Flow RateRMS;anomaly;changepoint"
)
ONSET_S, MENDED_S = 570, 900  # the valve begins to close, and is open again
_START: Final = datetime(2026, 3, 9, 10, 14, 33, tzinfo=UTC)
_SECONDS: Final = 1212
_SKIPPED: Final = frozenset({151, 303, 447, 512, 689, 771, 842, 933, 1001, 1077, 1120, 1198})  # the logger was busy
_SEED: Final = 20260309
# Opening of the inlet valve: (from second, opening), in the steps in which a hand turns it.
_VALVE: Final = ((0, 1.0), (570, 0.62), (605, 0.50), (640, 0.42), (800, 0.48), (840, 0.58), (870, 0.75), (900, 1.0))
_CURVE: Final = pump.PumpCurve(flow_m3h=2.2, head_m=3.2, shut_off=1.3, efficiency=0.42, npshr_m=1.5)
_PIPES: Final = 0.78  # resistance after the pump [m/(m³/h)²]
_INLET: Final = 0.10  # resistance of the open valve before the pump [m/(m³/h)²]
_MOTOR_W: Final = 90.0


def valve_opening(second: NDArray[np.int64]) -> Array:
    """Return the opening of the inlet valve at each second, 1 open to 0 shut. [-]"""
    since = np.array([s for s, _ in _VALVE])
    opening = np.array([x for _, x in _VALVE])
    return opening[np.searchsorted(since, second, side="right") - 1]


def rows() -> list[str]:
    """Return the recording's lines, the header first."""
    second = np.array([s for s in range(_SECONDS) if s not in _SKIPPED], dtype=np.int64)
    at_us = second * 1_000_000
    opening = valve_opening(second)
    flow, head = pump.operating_point(_CURVE, np.ones(len(second)), np.zeros(len(second)), _PIPES + _INLET / opening**2)
    power_w = 1000.0 * pump.electric_power(_CURVE, flow, head, np.ones(len(second)), motor=0.7, drive=1.0)
    strangled = 1.0 - opening

    def shaky(name: str, sigma: float) -> Array:
        return sigma * noise.white(_SEED, name, at_us)

    def drifting(name: str, sigma: float) -> Array:
        return sigma * noise.smooth(_SEED, name, at_us, 240.0)

    warmth = 1.0 - np.exp(-second / 2600.0)
    columns = (
        0.0266 + 0.0012 * strangled + shaky("a1", 0.00028) + drifting("a1", 0.00008),
        0.0402 + 0.0020 * strangled + shaky("a2", 0.0006) + drifting("a2", 0.00015),
        1.9 * np.hypot(0.42, 0.9 * power_w / _MOTOR_W) + shaky("i", 0.05),
        # Pressure after the pump: what the pipes after it take up.
        _PIPES * flow**2 * pump.KPA_PER_M / 100.0 + shaky("p", 0.006),
        72.0 + 5.0 * warmth + drifting("t", 0.15) + shaky("t", 0.08),
        25.2 + 0.9 * warmth + drifting("tc", 0.02) + shaky("tc", 0.006),
        231.0 + drifting("u", 1.5) + shaky("u", 2.5),
        flow * 1000.0 / 60.0 + shaky("q", 0.18),
    )
    wrong = (second >= ONSET_S) & (second < MENDED_S)
    steps = np.isin(second, [s for s, _ in _VALVE[1:]])
    lines = [HEADER]
    for i, s in enumerate(second.tolist()):
        stamp = (_START + timedelta(seconds=s)).strftime("%Y-%m-%d %H:%M:%S")
        values = ";".join(f"{column[i]:.6g}" for column in columns)
        lines.append(f"{stamp};{values};{float(wrong[i])};{float(steps[i])}")
    return lines


def write(path: Path) -> None:
    """Write the recording to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows()) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "tests/data/recordings/pump-rig.csv"))
