"""Baselines: what a site would have used, by calendar and weather; fitted to a past period, asked about a later one."""

from analytics.energy.baseline.days import Calendar
from analytics.energy.baseline.model import BalancePoints, Model, fit, from_json

__all__ = ["BalancePoints", "Calendar", "Model", "fit", "from_json"]
