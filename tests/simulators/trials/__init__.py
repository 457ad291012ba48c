"""How each fault of the catalogue is tried, one module a plant family."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tests.simulators.trial import Trial

TRIALS: tuple[Trial, ...] = tuple(
    trial for module in iter_modules(__path__) for trial in import_module(f"{__name__}.{module.name}").TRIALS
)
