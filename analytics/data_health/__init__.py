"""How good the data are: who is silent, what cannot be believed, and what that is likely to mean."""

from analytics.data_health.watch import DataHealth, HealthState, Listening, state_of_readings

__all__ = ["DataHealth", "HealthState", "Listening", "state_of_readings"]
