"""Equations of plant, one module a kind of machine: pure functions with unit, source and validity."""
