"""Whether a condition can be true at all, told from its constants: intervals for numbers, sets for texts.

A condition is true only if a conjunction of simple facts holds. The facts about one term (say `hour()`) are collected;
where no value of the term satisfies all of them, the conjunction is impossible. What is not understood is taken to be
possible, so an answer "impossible" is always right, and "possible" only means that nothing was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from fraudline.domain.transaction import KEYS, REQUIRED
from fraudline.engine.tree import (
    And,
    Arithmetic,
    Call,
    Compare,
    Feature,
    Field,
    Literal,
    Member,
    Negative,
    Node,
    Not,
    Or,
    Special,
    Type,
    Window,
)
from fraudline.engine.words import fold

HALF_EARTH_KM = 20_040  # no two places are farther apart
_BUDGET = 400  # branches of `or` that are tried before a condition is taken to be possible
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CALLS: dict[str, tuple[int, int | None]] = {
    "hour": (0, 23),
    "weekday": (1, 7),
    "day_of_month": (1, 31),
    "length": (0, None),
    "abs": (0, None),
    "distance_km": (0, HALF_EARTH_KM),
}
_WINDOWS: dict[str, tuple[int, int | None]] = {
    "count": (0, None),
    "distinct": (0, None),
    "stddev": (0, None),
    "since_last": (0, None),
    "since_first": (0, None),
    "distance_km": (0, HALF_EARTH_KM),
    "speed_kmh": (0, None),
}
_FIELDS: dict[str, tuple[int, int]] = {"latitude": (-90, 90), "longitude": (-180, 180)}
_SPECIALS: dict[str, tuple[int, int]] = {"probability": (0, 1), "score": (0, 100)}


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from low to high; None is no bound. The ends belong to it unless they are open."""

    low: Fraction | None = None
    high: Fraction | None = None
    low_open: bool = False
    high_open: bool = False

    def meet(self, other: Range) -> Range:
        """The numbers in both."""
        low, low_open = self.low, self.low_open
        if other.low is not None and (low is None or (other.low, other.low_open) > (low, low_open)):
            low, low_open = other.low, other.low_open
        high, high_open = self.high, self.high_open
        if other.high is not None and (high is None or (other.high, not other.high_open) < (high, not high_open)):
            high, high_open = other.high, other.high_open
        return Range(low, high, low_open, high_open)

    def empty(self) -> bool:
        """True where there is no such number."""
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def point(self) -> Fraction | None:
        """The one number there is, where there is one."""
        return self.low if self.low is not None and self.low == self.high else None


def never(condition: Node) -> bool:
    """True where no transaction can make the condition true."""
    return _impossible([(condition, True)], [_BUDGET])


def always(condition: Node) -> bool:
    """True where no transaction can make the condition false (it may be unknown)."""
    return _impossible([(condition, False)], [_BUDGET])


def natural(node: Node) -> Range:
    """The values that a numeric term can have at all, whatever the transaction."""
    match node:
        case Feature(body=body):
            return natural(body)
        case Literal(value=value) if not isinstance(value, str | bool):
            return Range(Fraction(value), Fraction(value))
        case Call(function=name):
            return _between(*_CALLS.get(name, (None, None)))
        case Window(function="count", prior=False, where=None, of=()):
            return _between(1, None)
        case Window(function=name):
            return _between(*_WINDOWS.get(name, (None, None)))
        case Field(name=name):
            return _between(*_FIELDS.get(name, (None, None)))
        case Special(name=name):
            return _between(*_SPECIALS.get(name, (None, None)))
        case Negative(operand=operand):
            inner = natural(operand)
            low = None if inner.high is None else -inner.high
            high = None if inner.low is None else -inner.low
            return Range(low, high, inner.high_open, inner.low_open)
        case Arithmetic():
            return _constant(node)
    return Range()


def _between(low: int | None, high: int | None) -> Range:
    return Range(None if low is None else Fraction(low), None if high is None else Fraction(high))


def _constant(node: Arithmetic) -> Range:
    """The value of arithmetic on constants; anything else may have any value."""
    left, right = natural(node.left).point(), natural(node.right).point()
    if left is None or right is None or (node.op == "/" and right == 0):
        return Range()
    value = {"+": left + right, "-": left - right, "*": left * right}.get(node.op)
    value = left / right if value is None else value
    return Range(value, value)


@dataclass(slots=True)
class _Facts:
    """What must hold of each term at once."""

    ranges: dict[Node, Range] = field(default_factory=dict)
    unequal: dict[Node, set[Fraction]] = field(default_factory=dict)
    one_of: dict[Node, set[str]] = field(default_factory=dict)
    none_of: dict[Node, set[str]] = field(default_factory=dict)
    truths: dict[Node, bool] = field(default_factory=dict)

    def bound(self, term: Node, sign: str, value: Fraction) -> bool:
        """Note `term sign value`; False where nothing satisfies all notes."""
        if sign == "!=":
            self.unequal.setdefault(term, set()).add(value)
        else:
            low = value if sign in ("==", ">", ">=") else None
            high = value if sign in ("==", "<", "<=") else None
            wanted = Range(low, high, sign == ">", sign == "<")
            self.ranges[term] = self.ranges.get(term, natural(term)).meet(wanted)
        left = self.ranges.get(term, natural(term))
        return not left.empty() and left.point() not in self.unequal.get(term, set())

    def text(self, term: Node, values: set[str], wanted: bool) -> bool:
        """Note that the term is one, or none, of these texts. Keys compare as written, other texts folded."""
        seen = values if isinstance(term, Field) and term.name in KEYS else {fold(value) for value in values}
        if wanted:
            self.one_of[term] = self.one_of.get(term, seen) & seen
        elif isinstance(term, Field):  # how the value of a function compares is not known here
            self.none_of.setdefault(term, set()).update(seen)
        left = self.one_of.get(term)
        return left is None or bool(left - self.none_of.get(term, set()))

    def truth(self, term: Node, wanted: bool) -> bool:
        """Note that a yes-or-no term is true, or false."""
        return self.truths.setdefault(term, wanted) == wanted


def _impossible(wanted: list[tuple[Node, bool]], budget: list[int]) -> bool:
    """Whether these conditions cannot all have these truths."""
    facts = _Facts()
    choices: list[tuple[tuple[Node, ...], bool]] = []
    simple: list[tuple[Node, bool]] = []
    for node, truth in _flat(wanted):
        if isinstance(node, And | Or):
            choices.append((node.operands, truth))
            continue
        simple.append((node, truth))
        if not _holds(facts, node, truth):
            return True
    for operands, truth in choices:
        budget[0] -= len(operands)
        if budget[0] < 0:
            return False
        if all(_impossible([*simple, (operand, truth)], budget) for operand in operands):
            return True
    return False


def _flat(wanted: list[tuple[Node, bool]]) -> Iterator[tuple[Node, bool]]:
    """The same, with `and`, `not`, names and comparisons with True taken apart. `or` that must be true stays."""
    waiting = list(reversed(wanted))
    while waiting:
        node, truth = waiting.pop()
        match node:
            case Feature(body=body):
                waiting.append((body, truth))
            case Not(operand=operand):
                waiting.append((operand, not truth))
            case And(operands=operands) if truth:
                waiting.extend((operand, True) for operand in reversed(operands))
            case Or(operands=operands) if not truth:
                waiting.extend((operand, False) for operand in reversed(operands))
            case Compare(op=op, left=left, right=Literal(value=bool(value))):
                waiting.append((left, truth == ((op == "==") == value)))
            case _:
                yield node, truth


def _bare(node: Node) -> Node:
    while isinstance(node, Feature):
        node = node.body
    return node


def _holds(facts: _Facts, node: Node, truth: bool) -> bool:
    """Add one condition to the facts; False where they then contradict each other."""
    match node:
        case Literal(value=value):
            return value == truth
        case Compare():
            return _compared(facts, node, node.op if truth else _OPPOSITE[node.op])
        case Member(item=item, values=values):
            return _member(facts, _bare(item), values, truth != node.negated)
        case Call(function="is_missing", arguments=(Field(name=name),)) if truth and name in REQUIRED:
            return False
    return facts.truth(node, truth)


def _compared(facts: _Facts, node: Compare, sign: str) -> bool:
    left, right = _bare(node.left), _bare(node.right)
    if left == right:
        return sign in ("==", "<=", ">=")
    if left.type is Type.TEXT:
        return _texts(facts, left, right, sign)
    if left.type is Type.BOOLEAN:
        return True
    low, high = natural(left).point(), natural(right).point()
    if low is not None:
        return facts.bound(right, _MIRRORED[sign], low)
    return high is None or facts.bound(left, sign, high)


def _texts(facts: _Facts, left: Node, right: Node, sign: str) -> bool:
    term, constant = (right, left) if isinstance(left, Literal) else (left, right)
    if not isinstance(constant, Literal):
        return True
    return facts.text(term, {str(constant.value)}, sign == "==")


def _member(facts: _Facts, item: Node, values: tuple[Decimal | str, ...], wanted: bool) -> bool:
    if item.type is Type.TEXT:
        return facts.text(item, {str(value) for value in values}, wanted)
    numbers = [Fraction(value) for value in values]
    if not wanted:
        left = [facts.bound(item, "!=", number) for number in numbers]
        return all(left)
    return bool(numbers) and facts.bound(item, ">=", min(numbers)) and facts.bound(item, "<=", max(numbers))
