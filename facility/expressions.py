"""Formulas and conditions that engineers write in class and site files, compiled once and evaluated on arrays.

    load:   from: "apparent_power / rating.power"
    limit:  when: "max(winding_temperature) > 130 °C and fan_running == running"

The language is small on purpose: + - * / and parentheses, six functions, comparisons joined with `and`. It is parsed
here and never handed to Python's `eval`: site files are input, and input is hostile until checked. Units are checked
when a formula is compiled, so MPa cannot be compared with °C, and numbers may be written in any fitting unit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pint
from numpy.typing import NDArray

from facility.units import canonical_unit, pint_unit
from facility.wording import nearest, nearest_zh, quoted_zh

Array = NDArray[np.float64]
Environment = Mapping[str, Array]
Evaluator = Callable[[Environment], Array]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?)"
    r"|(?P<op>>=|<=|==|!=|[-+*/(),<>])"
    r"|(?P<other>\S))"
)
# The id of a machine, or `machine/point`, where formulas name those: `-` belongs to it, a minus has spaces around it.
_REFERENCE = re.compile(r"\s*([a-z0-9][a-z0-9_-]*)(/[a-z][a-z0-9_]*)?")
# A unit follows its number at once or after one space and holds no spaces; `and` is a word of ours, not a unit.
_UNIT = re.compile(r"\s?((?!and\b)[%°A-Za-zµΩ元][^\s(),<>=!+*-]*)")
_COMPARISONS: Final = (">=", "<=", "==", "!=", ">", "<")
_MAX_LENGTH = 500
_MAX_DEPTH = 30


class ExpressionError(ValueError):
    """The text is not a formula that we know; the message says what stands where, and what to write."""

    def __init__(self, message: str, zh: str = "") -> None:
        super().__init__(message)
        self.zh = zh or message


@dataclass(frozen=True, slots=True)
class Symbols:
    """
    What names mean where a formula stands.

    Attributes
    ----------
    units : unit of each point, by point name
    constants : value and unit of each constant, such as `rating.power`
    states : for points of kind state: code of each state word
    references : points are named by ids of machines and by `machine/point`
    """

    units: Mapping[str, str]
    constants: Mapping[str, tuple[float, str]]
    states: Mapping[str, Mapping[str, float]]
    references: bool = False

    def group(self, name: str) -> tuple[str, ...]:
        """Return the points that `name` stands for inside max(), min(), mean() and spread()."""
        if name in self.units:
            return (name,)
        return tuple(sorted(p for p in self.units if p.startswith(name + "_")))


@dataclass(frozen=True, slots=True)
class Formula:
    """
    A compiled formula.

    `evaluate` takes arrays of one length by point name, NaN where missing, and returns an array of that length in
    `unit`, NaN where it cannot be told.
    """

    text: str
    unit: str
    points: tuple[str, ...]
    evaluate: Evaluator


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison `left op threshold`; `threshold` is in the unit of `left` if it is a plain number, else None."""

    left: Formula
    op: str
    threshold: float | None
    right: Evaluator
    right_points: tuple[str, ...] = ()

    def holds(self, environment: Environment, threshold: float | None = None) -> NDArray[np.int8]:
        """Return 1 where it holds, 0 where it does not, -1 where it cannot be told, against `threshold` if given."""
        left = self.left.evaluate(environment)
        right = self.right(environment) if threshold is None else np.full_like(left, threshold)
        known = np.isfinite(left) & np.isfinite(right)
        with np.errstate(invalid="ignore"):
            answer = {
                ">": np.greater, "<": np.less, ">=": np.greater_equal, "<=": np.less_equal, "==": np.equal,
                "!=": np.not_equal,
            }[self.op](left, right)  # fmt: skip
        return np.where(known, answer, -1).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Condition:
    """Comparisons that must all hold; the first one is what the limit is about."""

    text: str
    comparisons: tuple[Comparison, ...]

    @property
    def points(self) -> tuple[str, ...]:
        """Return the names of all points that the condition reads, in order, each once."""
        names = (p for c in self.comparisons for p in (*c.left.points, *c.right_points))
        return tuple(dict.fromkeys(names))

    def holds(self, environment: Environment, first_threshold: float | None = None) -> NDArray[np.int8]:
        """
        Return 1 where all comparisons hold, 0 where one does not, -1 where it cannot be told.

        `first_threshold` replaces the first comparison's number: the value at which a firing limit clears.
        """
        answers = [c.holds(environment, first_threshold if i == 0 else None) for i, c in enumerate(self.comparisons)]
        stacked = np.stack(answers)
        # One comparison that is known to be false decides, whatever the others would say.
        return np.where((stacked == 0).any(axis=0), 0, np.where((stacked == -1).any(axis=0), -1, 1)).astype(np.int8)


@dataclass(frozen=True, slots=True)
class _Node:
    unit: pint.Unit
    celsius: bool  # an absolute temperature in °C: its difference is in K
    spelled: str  # canonical spelling, if the node still has a plain one
    points: tuple[str, ...]
    constant: float | None
    run: Evaluator


def compile_formula(text: str, symbols: Symbols, unit: str) -> Formula:
    """
    Compile a formula whose result is wanted in `unit`.

    Raises
    ------
    ExpressionError
        If it does not parse, names something unknown, or its units do not fit.
    """
    parser = _Parser(text, symbols)
    node = parser.sum()
    parser.expect_end()
    scale = _scale(node, unit, text)
    run = node.run
    return Formula(text, unit, node.points, (lambda env: run(env) * scale) if scale != 1.0 else run)


def compile_condition(text: str, symbols: Symbols) -> Condition:
    """Compile a condition; raises ExpressionError as `compile_formula` does, or if nothing is compared."""
    parser = _Parser(text, symbols)
    comparisons = [parser.comparison()]
    while parser.take("name", "and"):
        comparisons.append(parser.comparison())
    parser.expect_end()
    return Condition(text, tuple(comparisons))


def _scale(node: _Node, unit: str, text: str) -> float:
    target = canonical_unit(unit)
    if node.celsius or target == "°C":
        if not (node.celsius and target == "°C"):
            given = node.spelled or "K"
            raise ExpressionError(
                f"{text!r} gives {given} where {unit!r} is wanted",
                f"{quoted_zh(text)}的结果是{given}，而此处应为{unit}",
            )
        return 1.0
    try:
        return float((1.0 * node.unit).to(pint_unit(target)).magnitude)
    except pint.DimensionalityError:
        given = _spelled(node)
        raise ExpressionError(
            f"{text!r} gives {given!r}, which is no {unit!r}",
            f"{quoted_zh(text)}的结果以“{given}”计，不能换算为“{unit}”",
        ) from None


def _spelled(node: _Node) -> str:
    return node.spelled or f"{node.unit:~}"


_DIMENSIONLESS = pint_unit("")


class _Parser:
    def __init__(self, text: str, symbols: Symbols) -> None:
        if len(text) > _MAX_LENGTH:
            raise ExpressionError(
                f"the formula is {len(text)} characters long; {_MAX_LENGTH} is the most: split it",
                f"公式长 {len(text)} 个字符，最多 {_MAX_LENGTH} 个；请拆分",
            )
        self.text, self.symbols, self.at, self.depth = text, symbols, 0, 0

    # -- reading tokens

    def peek(self) -> tuple[str, str, int]:
        if self.symbols.references and (found := self._reference(self.at)) is not None:
            return found
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            return "end", "", len(self.text)
        kind = match.lastgroup or "end"
        return kind, match[kind], match.end()

    def _reference(self, at: int) -> tuple[str, str, int] | None:
        match = _REFERENCE.match(self.text, at)
        if match is None:
            return None
        machine, point = match[1], match[2] or ""
        if machine + point in self.symbols.units:
            return "name", machine + point, match.end()
        if machine in self.symbols.units and (not point or self._divides(match.end(1))):
            return "name", machine, match.end(1)
        # A number is one, and so is a word that the plain language knows; what is left is a name that nobody bears.
        plain = machine[0].isdigit() or not (point or "-" in machine)
        return None if plain else ("name", machine + point, match.end())

    def _divides(self, at: int) -> bool:
        """Return True if the `/` at `at` divides by what follows, and does not begin a point's name."""
        match = _REFERENCE.match(self.text, at + 1)
        return match is not None and (match[1] in self.symbols.units or match[0].strip() in self.symbols.units)

    def take(self, kind: str, word: str | None = None) -> str | None:
        found, text, end = self.peek()
        if found != kind or (word is not None and text != word):
            return None
        self.at = end
        return text

    def fail(self, wanted: str, zh: str) -> ExpressionError:
        kind, word, _ = self.peek()
        found, here = (f"{word!r}", f"“{word}”") if kind != "end" else ("the end", "结尾")
        return self.error(f"{found} stands where {wanted} belongs", f"{here}处应为{zh}")

    def error(self, told: str, zh: str) -> ExpressionError:
        return ExpressionError(f"{self.text!r}: {told}", f"{quoted_zh(self.text)}：{zh}")

    def expect(self, op: str) -> None:
        if not self.take("op", op):
            raise self.fail(f"{op!r}", f"“{op}”")

    def expect_end(self) -> None:
        if self.peek()[0] != "end":
            raise self.fail("an operator or the end", "运算符或结尾")

    # -- grammar

    def comparison(self) -> Comparison:
        start = self.at
        left = self.sum()
        left_text = self.text[start : self.at].strip()
        op = next((c for c in _COMPARISONS if self.take("op", c)), None)
        if op is None:
            raise self.fail("one of > >= < <= == !=", "> >= < <= == != 之一")
        if len(left.points) == 1 and (codes := self.symbols.states.get(left.points[0])):
            kind, word, end = self.peek()
            if kind == "name" and word != "and":
                if word not in codes:
                    raise self.error(
                        f"{word!r} is no state of {left.points[0]!r}; write one of {', '.join(codes)}",
                        f"“{word}”不是“{left.points[0]}”的状态；请填写{'、'.join(codes)}之一",
                    )
                self.at = end
                code = float(codes[word])
                formula = Formula(left_text, "", left.points, left.run)
                return Comparison(formula, op, code, _constant(code))
        right = self.sum()
        if not left.points:
            raise self.error(
                f"no point stands to the left of {op!r}; write the point first", f"“{op}”左边没有测点；请先写测点"
            )
        factor = self._factor(right, left, op)
        right_run = right.run
        formula = Formula(left_text, left.spelled, left.points, left.run)
        if right.constant is not None:
            threshold = right.constant * factor
            return Comparison(formula, op, threshold, _constant(threshold))
        return Comparison(formula, op, None, lambda env: right_run(env) * factor, right.points)

    def _factor(self, node: _Node, like: _Node, op: str) -> float:
        """Return what `node`'s values are to be multiplied by so that they stand in the unit of `like`."""
        if node.constant is not None and not node.points and node.spelled == "":
            return 1.0  # a bare number is in the unit of its other side
        if node.celsius != like.celsius:
            raise self.error(
                f"a temperature in °C and a difference in K joined by {op!r}; write K for differences",
                f"“{op}”把温度（°C）与温差（K）连在一起；温差请用 K",
            )
        if node.celsius:
            return 1.0
        try:
            return float((1.0 * node.unit).to(like.unit).magnitude)
        except pint.DimensionalityError:
            own, other = _spelled(node), _spelled(like)
            raise self.error(
                f"{own!r} and {other!r} do not measure the same thing, so {op!r} cannot join them",
                f"“{own}”与“{other}”不是同一种量，不能用“{op}”相连",
            ) from None

    def sum(self) -> _Node:
        node = self.product()
        while op := (self.take("op", "+") or self.take("op", "-")):
            node = self._add(node, self.product(), op)
        return node

    def _add(self, a: _Node, b: _Node, op: str) -> _Node:
        a_run, b_run = a.run, b.run
        points = _join(a, b)
        constant = None
        sign = 1.0 if op == "+" else -1.0
        if a.celsius and not b.celsius and (b.spelled in ("K", "")):
            factor, celsius, spelled, unit = 1.0, True, "°C", a.unit
        elif a.celsius and b.celsius and op == "-":
            factor, celsius, spelled, unit = 1.0, False, "K", pint_unit("K")
        elif a.celsius or b.celsius:
            raise self.error("temperatures in °C can be subtracted, not added", "温度（°C）只能相减，不能相加")
        else:
            factor, celsius, spelled, unit = self._factor(b, a, op), False, a.spelled, a.unit
        if a.constant is not None and b.constant is not None:
            constant = a.constant + sign * b.constant * factor
        return _Node(unit, celsius, spelled, points, constant, lambda env: a_run(env) + sign * factor * b_run(env))

    def product(self) -> _Node:
        node = self.atom()
        while op := (self.take("op", "*") or self.take("op", "/")):
            node = self._multiply(node, self.atom(), op)
        return node

    def _multiply(self, a: _Node, b: _Node, op: str) -> _Node:
        if (a.celsius and a.points) or (b.celsius and b.points):
            raise self.error(
                "a temperature in °C cannot be multiplied or divided; use differences",
                "温度（°C）不能相乘或相除；请用温差",
            )
        a_run, b_run = a.run, b.run
        unit = a.unit * b.unit if op == "*" else a.unit / b.unit
        spelled = a.spelled if b.unit == _DIMENSIONLESS else b.spelled if a.unit == _DIMENSIONLESS and op == "*" else ""
        constant = None
        if op == "/" and b.constant == 0.0:
            raise self.error("a division by zero", "除数为零")
        if a.constant is not None and b.constant is not None:
            constant = a.constant * b.constant if op == "*" else a.constant / b.constant

        def run(env: Environment) -> Array:
            left, right = a_run(env), b_run(env)
            if op == "*":
                return left * right
            # Nothing divided by nothing is unknown, not an error and not zero.
            with np.errstate(divide="ignore", invalid="ignore"):
                result = left / right
            return np.where(np.isfinite(result), result, np.nan)

        return _Node(unit, False, spelled, _join(a, b), constant, run)

    def atom(self) -> _Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error("too many parentheses; split the formula", "括号太多；请拆分公式")
        try:
            if self.take("op", "("):
                node = self.sum()
                self.expect(")")
                return node
            if self.take("op", "-"):
                inner = self.atom()
                run = inner.run
                return _Node(
                    inner.unit, inner.celsius, inner.spelled, inner.points,
                    None if inner.constant is None else -inner.constant, lambda env: -run(env),
                )  # fmt: skip
            if number := self.take("number"):
                return self._number(float(number))
            if name := self.take("name"):
                return self._call(name) if self.take("op", "(") else self._name(name)
            raise self.fail("a point, a number or '('", "测点、数字或“(”")
        finally:
            self.depth -= 1

    def _number(self, value: float) -> _Node:
        if not math.isfinite(value):
            raise self.error(
                "its number is beyond what a formula can hold; write a smaller one", "其中的数字太大；请改小"
            )
        unit = ""
        if match := _UNIT.match(self.text, self.at):
            try:
                unit = canonical_unit(match[1])
            except ValueError as error:
                raise self.error(str(error), f"没有单位“{match[1]}”；请改正单位") from None
            self.at = match.end()
        return _Node(pint_unit(unit), unit == "°C", unit, (), value, _constant(value))

    def _name(self, name: str) -> _Node:
        if name in self.symbols.constants:
            value, unit = self.symbols.constants[name]
            return _Node(pint_unit(unit), unit == "°C", unit, (), value, _constant(value))
        if name not in self.symbols.units:
            group = self.symbols.group(name)
            if group:
                raise self.error(
                    f"{name!r} names {len(group)} points; write max({name}), min({name}) or mean({name})",
                    f"“{name}”指 {len(group)} 个测点；请写 max({name})、min({name}) 或 mean({name})",
                )
            known = (*self.symbols.units, *self.symbols.constants)
            raise self.error(
                f"{name!r} is not a point here{nearest(name, known)}",
                f"此处没有名为{quoted_zh(name)}的测点{nearest_zh(name, known)}",
            )
        unit = self.symbols.units[name]
        return _Node(pint_unit(unit), unit == "°C", unit, (name,), None, lambda env: env[name])

    def _call(self, function: str) -> _Node:
        if function not in _FUNCTIONS:
            raise self.error(
                f"{function!r} is not a function; write one of {', '.join(sorted(_FUNCTIONS))}",
                f"没有函数“{function}”；请用{'、'.join(sorted(_FUNCTIONS))}之一",
            )
        arguments: list[_Node] = []
        while True:
            kind, word, end = self.peek()
            group = self.symbols.group(word) if kind == "name" and function in _GROUPING else ()
            if group and _TOKEN.match(self.text, end) and re.match(r"\s*[,)]", self.text[end:]):
                self.at = end
                arguments += [self._name(point) for point in group]
            else:
                arguments.append(self.sum())
            if not self.take("op", ","):
                break
        self.expect(")")
        return self._apply(function, arguments)

    def _apply(self, function: str, arguments: list[_Node]) -> _Node:
        first = arguments[0]
        if function in ("abs", "sqrt"):
            if len(arguments) != 1:
                raise self.error(
                    f"{function}() takes one value, not {len(arguments)}",
                    f"{function}() 只取一个值，而不是 {len(arguments)} 个",
                )
            run = first.run
            if function == "abs":
                return _Node(first.unit, first.celsius, first.spelled, first.points, None, lambda env: np.abs(run(env)))
            with_unit = pint.Unit(first.unit**0.5)

            def root(env: Environment) -> Array:
                with np.errstate(invalid="ignore"):
                    return np.sqrt(run(env))

            return _Node(with_unit, False, "", first.points, None, root)
        factors = [self._factor(a, first, f"{function}()") for a in arguments]
        runs = [a.run for a in arguments]
        points = _join(*arguments)
        reduce = _FUNCTIONS[function]

        def run_all(env: Environment) -> Array:
            return reduce(np.stack(np.broadcast_arrays(*(r(env) * f for r, f in zip(runs, factors, strict=True)))))

        if function == "spread" and first.celsius:
            return _Node(pint_unit("K"), False, "K", points, None, run_all)
        return _Node(first.unit, first.celsius, first.spelled, points, None, run_all)


def _constant(value: float) -> Evaluator:
    def run(env: Environment) -> Array:
        length = next((a.shape[0] for a in env.values()), 1)
        return np.full(length, value)

    return run


def _join(*nodes: _Node) -> tuple[str, ...]:
    return tuple(dict.fromkeys(p for n in nodes for p in n.points))


def _quietly(reduce: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Reduce the values that are known; NaN only where none is."""

    def run(stacked: Array) -> Array:
        result = np.full(stacked.shape[1:], np.nan)
        some = np.isfinite(stacked).any(axis=0)
        if some.any():
            result[some] = reduce(stacked[:, some])
        return result

    return run


def _spread(stacked: Array) -> Array:
    # A spread needs two known values: one alone differs from nothing.
    known = np.isfinite(stacked).sum(axis=0)
    return np.where(known >= 2, np.nanmax(stacked, axis=0) - np.nanmin(stacked, axis=0), np.nan)


_FUNCTIONS: Final[Mapping[str, Callable[[Array], Array]]] = {
    "max": _quietly(lambda a: np.nanmax(a, axis=0)),
    "min": _quietly(lambda a: np.nanmin(a, axis=0)),
    "mean": _quietly(lambda a: np.nanmean(a, axis=0)),
    "spread": _quietly(_spread),
    "abs": np.abs,
    "sqrt": np.sqrt,
}
_GROUPING: Final = frozenset({"max", "min", "mean", "spread"})
