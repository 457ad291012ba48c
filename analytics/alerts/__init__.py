"""Alerts: what interrupts a person, how it is worded, and its life in the database."""
