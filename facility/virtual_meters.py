"""Virtual meters: what no meter counts, computed from those that do.

    em-hall - 0.98 * tx1/energy_import + 12 kW * h

A machine's id stands for its main register, `machine/point` for another of its registers, or for the mean of a gauge or
a state over the step; another virtual meter's id stands for that. `h` is the length of the step: a load in kW times h
is an energy. So every figure grows with time as meters do, and sums over hours and months stay true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import numpy as np

from facility.equipment_classes import Carrier
from facility.expressions import ExpressionError, Formula, Symbols, compile_formula
from facility.names import Names
from facility.wording import quoted_zh

STEP_HOURS: Final = "h"

InputKind = Literal["register", "virtual", "point", "hours"]


@dataclass(frozen=True, slots=True)
class Input:
    """What a name in a formula stands for: `key` is `machine/point`, or the id of a virtual meter."""

    kind: InputKind
    key: str
    unit: str


@dataclass(frozen=True, slots=True, eq=False)
class VirtualMeter:
    """
    A meter by formula.

    Attributes
    ----------
    formula : takes what each input counted (or its mean) a step, by the name in the formula, and gives `unit`
    inputs : what each name in the formula stands for
    since : from when on it counts; None: from ever
    """

    id: str
    name: Names
    carrier: Carrier
    unit: str
    formula: Formula
    inputs: Mapping[str, Input]
    since: date | None = None

    def keys(self, kind: InputKind) -> tuple[str, ...]:
        """Return the keys of its inputs of one kind, each once."""
        return tuple(dict.fromkeys(i.key for i in self.inputs.values() if i.kind == kind))


@dataclass(frozen=True, slots=True)
class _Units(Mapping[str, str]):
    """The units of what names stand for, looked up as they are met: of tens of thousands a formula names three."""

    known: Mapping[str, Input]

    def __getitem__(self, name: str) -> str:
        return "h" if name == STEP_HOURS else self.known[name].unit

    def __iter__(self) -> Iterator[str]:
        return iter({**self.known, STEP_HOURS: None})

    def __len__(self) -> int:
        return len({*self.known, STEP_HOURS})


def compile_meter(text: str, unit: str, known: Mapping[str, Input]) -> Formula:
    """
    Compile a virtual meter's formula.

    Raises
    ------
    ExpressionError
        If it does not parse, names something unknown, its units do not fit, or it does not grow with time as a meter's
        count does: an energy without a time in it would be added in every step anew.
    """
    formula = compile_formula(text, Symbols(_Units(known), {}, {}, references=True), unit)
    if not formula.points:
        raise ExpressionError(
            f"{text!r} names no meter and no point; name one", f"{quoted_zh(text)}中没有表计或测点；请写入一个"
        )
    if not _grows_with_time(formula, known):
        raise ExpressionError(
            f"{text!r} does not grow with time as a count does; a steady load is written as power times h, such as "
            "'12 kW * h', a gauge as 'machine/point * h', and a meter stands once in each product",
            f"{quoted_zh(text)}的结果不像计数那样随时间累积；恒定负荷请写成功率乘 h，例如 12 kW * h，"
            "瞬时量请写成 设备/测点 * h，同一乘积中只能有一个表计",
        )
    return formula


def _grows_with_time(formula: Formula, known: Mapping[str, Input]) -> bool:
    """Try it: in twice the time all meters count twice as much, gauges keep their means, and the result must double."""
    rng = np.random.default_rng(1)
    # Of any size: a constant without a time in it may hide below large counts, or above small ones.
    one = {p: 10.0 ** rng.uniform(-6.0, 6.0, 64) for p in formula.points}
    steady = {p for p in formula.points if p in known and known[p].kind == "point"}
    two = {p: v if p in steady else 2.0 * v for p, v in one.items()}
    with np.errstate(over="ignore", invalid="ignore"):
        first, second = formula.evaluate(one), formula.evaluate(two)
    told = np.isfinite(first) & np.isfinite(second)
    return bool(told.any()) and bool(np.allclose(second[told], 2.0 * first[told], rtol=1e-9, atol=0.0))


def in_order(uses: Mapping[str, Sequence[str]]) -> tuple[list[str], list[tuple[str, ...]]]:
    """
    Return virtual meters so that each comes after those that it uses, and the circles among them.

    `uses` names for each virtual meter the others in its formula. A circle is told as the ids along it, the first one
    again at its end; what stands in a circle, or uses one that does, is not among the ordered ones.
    """
    done: list[str] = []
    circles: list[tuple[str, ...]] = []
    state: dict[str, Literal["open", "good", "bad"]] = {}
    for start in uses:
        # Depth first without recursion: a hostile file may chain thousands of them.
        stack: list[tuple[str, int]] = [(start, 0)] if start not in state else []
        path: list[str] = [start] if start not in state else []
        if stack:
            state[start] = "open"
        while stack:
            name, place = stack.pop()
            used = [u for u in uses[name] if u in uses]
            if place < len(used):
                stack.append((name, place + 1))
                other = used[place]
                if other not in state:
                    state[other] = "open"
                    stack.append((other, 0))
                    path.append(other)
                elif state[other] == "open":
                    circles.append((*path[path.index(other) :], other))
                continue
            path.pop()
            bad = any(state[u] != "good" for u in used) or any(u not in uses for u in uses[name])
            state[name] = "bad" if bad else "good"
            if not bad:
                done.append(name)
    return done, circles
