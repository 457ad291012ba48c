"""
A machine as it is, and as it would be without one of its faults: the difference is what the fault truly wastes.

A plant module writes its physics once, on a twin: the real one sees all faults, another is blind to some and keeps its
own memory beside the real one's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment
from simulators.scene import Array, Scene

Case = tuple[str, str]  # fault and machine


@dataclass(frozen=True, slots=True)
class Twin:
    """
    One way to see the scene.

    Attributes
    ----------
    blind : (fault, machine) that are not there in this twin; none: it is the real one
    tag : what its memory is called by
    """

    scene: Scene
    blind: frozenset[Case] = frozenset()
    tag: str = ""

    def fault(self, fault_id: str, item: Equipment) -> Array | float:
        """Return how bad a fault is in this twin. [-]"""
        return 0.0 if (fault_id, item.id) in self.blind else self.scene.fault(fault_id, item)

    def lag(self, name: str, target: Array, tau_s: float) -> Array:
        """Follow a target with a time constant, in this twin's memory."""
        return self.scene.lag(self.name(name), np.asarray(target), tau_s)

    def name(self, name: str) -> str:
        """Return what something that this twin remembers is called; a new twin begins with what the real one knows."""
        memory, mine = self.scene.memory, f"{name}{self.tag}"
        if self.tag and mine not in memory and name in memory:
            memory[mine] = memory[name]
        return mine


def cases(scene: Scene, faults: Iterable[str], items: Iterable[Equipment]) -> list[Case]:
    """Return which of some faults some machines have in this stretch."""
    return [(f, item.id) for item in items for f in faults if not isinstance(scene.fault(f, item), float)]


def there(scene: Scene, case: Case) -> NDArray[np.bool_]:
    """Return at which times a fault is there; what it has left behind after its end is nobody's waste."""
    return np.asarray(scene.fault(case[0], scene.site.equipment[case[1]])) > 0.0


def without(scene: Scene, family: str, present: Sequence[Case]) -> tuple[Mapping[Case, Twin], Twin | None]:
    """
    Return for each of the faults that are present the twin without it, and the one without any; work them out before
    the real one. None if nothing is wrong.

    `family` : whose twins they are; those of faults that are gone are forgotten.
    """
    head = f"|{family} without "
    each = {case: Twin(scene, frozenset({case}), f"{head}{case[0]} {case[1]}") for case in present}
    sound = each[present[0]] if len(present) == 1 else Twin(scene, frozenset(present), f"{head}any")
    _forget(scene, head, [twin.tag for twin in (*each.values(), sound)] if present else [])
    return each, sound if present else None


def _forget(scene: Scene, head: str, tags: Sequence[str]) -> None:
    marker = f"twins{head}"
    if tags:
        scene.memory[marker] = 1.0
    elif scene.memory.pop(marker, None) is None:
        return
    for key in [k for k in scene.memory if head in k and k != marker and not k.endswith(tuple(tags))]:
        del scene.memory[key]
