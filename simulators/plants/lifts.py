"""Lifts."""

from __future__ import annotations

from simulators.scene import Scene


def run(scene: Scene) -> None:
    """Work them out."""
