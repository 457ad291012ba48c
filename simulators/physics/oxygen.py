"""Medical oxygen: pressure-swing adsorption, pipelines, leaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NOMINAL_KPA = 400.0  # terminal pressure of medical oxygen, gauge (GB 50751-2012)


def zone_pressure(source_kpa: Array, demand: Array, drop_kpa: float, valve: Array) -> tuple[Array, Array]:
    """
    Return pressure and flow of a pipeline zone behind its valve.

    Parameters
    ----------
    source_kpa : (n,) pressure before the zone [kPa gauge]
    demand : (n,) flow that the zone would draw at 400 kPa, over its design flow [-]
    drop_kpa : pressure drop of pipe and open valve at design flow [kPa]
    valve : (n,) valve opening, 1 open to 0 shut; the drop of the valve grows with 1 / opening² [-]

    Returns
    -------
    Pressure of the zone [kPa] and its flow over design flow [-]. Drops are turbulent (`~ flow²`), terminals are
    orifices (`flow ~ sqrt(pressure)`), which together have the closed solution used here. Terminals are not choked in
    truth below about 90 kPa; there the flow is overstated.
    """
    # Half of the drop is the pipe's, half the valve's.
    resistance = drop_kpa * (0.5 + 0.5 / np.maximum(valve, 1e-3) ** 2)
    pressure = source_kpa / (1.0 + resistance * demand**2 / NOMINAL_KPA)
    return pressure, demand * np.sqrt(np.maximum(pressure, 0.0) / NOMINAL_KPA)


def valve_opening(closing: Array) -> Array:
    """Return the opening of an equal-percentage valve that is turned shut: 1 at 0, 0.027 at 1. [-]"""
    return np.exp(-3.6 * closing)


def leak_flow(hole_mm: Array, pressure_kpa: Array) -> Array:
    """
    Return what escapes through a hole. [Nm³/h]

    Choked flow of oxygen at 20 °C through a sharp orifice, discharge coefficient 0.62: proportional to area and
    absolute pressure. 1 mm at 400 kPa gauge gives about 1.7 Nm³/h. Valid above 90 kPa gauge.
    """
    return 1.72 * hole_mm**2 * (pressure_kpa + 101.3) / 501.3


def purity(load: Array, sieve_health: Array) -> Array:
    """
    Return the oxygen content of a PSA generator's product. [% V/V]

    95.6 % (the rest is argon) at low flow; falls with the square of the flow over what the sieve can still do. Typical
    of makers' curves up to 130 % load; `sieve_health` is the capacity left, 1 when new.
    """
    strain = load / np.maximum(sieve_health, 0.1)
    return np.maximum(95.6 - 1.9 * strain**2 - 9.0 * np.maximum(strain - 1.0, 0.0), 21.0)


def electric_power(load: Array, rated_nm3h: float, specific_kwh_nm3: float = 1.05, idle: float = 0.22) -> Array:
    """
    Return the power of a PSA generator with its compressor and dryer. [kW]

    `specific_kwh_nm3` at full load (0.9 to 1.3 is usual); a share `idle` of the power at full load does not follow the
    flow, so the specific energy rises as the load falls. 0 when it does not produce.
    """
    full = rated_nm3h * specific_kwh_nm3
    return np.where(load > 0.0, full * (idle + (1.0 - idle) * load), 0.0)
