"""The steam network: traps, condensate, and the meters in between."""

from __future__ import annotations

from simulators.scene import Scene


def run(scene: Scene) -> None:
    """Work them out."""
