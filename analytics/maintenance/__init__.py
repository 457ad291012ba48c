"""Maintenance: tickets, from what was found to what was done about it."""
