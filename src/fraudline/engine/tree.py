"""The typed tree that the text of a rule becomes, and the one vocabulary of what may stand in it.

`expression` builds these nodes from text and writes them back as text; `compile`, `features` and `explain` read them.
Nothing here computes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import StrEnum


class Type(StrEnum):
    """What an expression is, known before anything runs."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    BOOLEAN = "boolean"
    TIME = "time"
    DURATION = "duration"


_PARTS: dict[str, tuple[str, ...]] = {}  # what each kind of node is made of, looked up once


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A piece of an expression. `span` is (start, end) in its text, for carets; it takes no part in equality."""

    type: Type
    span: tuple[int, int] = field(default=(0, 0), compare=False)

    def children(self) -> Iterator[Node]:
        """The nodes directly below this one, in the order they are written."""
        kind = type(self).__name__
        names = _PARTS.get(kind)
        if names is None:
            names = _PARTS[kind] = tuple(entry.name for entry in fields(self))
        for name in names:
            value = getattr(self, name)
            if isinstance(value, Node):
                yield value
            elif isinstance(value, tuple):
                yield from (item for item in value if isinstance(item, Node))

    def walk(self) -> Iterator[Node]:
        """This node and every node below it, parents first."""
        yield self
        for child in self.children():
            yield from child.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal(Node):
    """A constant. Numbers are Decimal (exact as written), durations int milliseconds, text str, booleans bool."""

    value: Decimal | str | bool | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Node):
    """A field or attribute of the transaction that is being decided (inside `where=`: of each row of the history)."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Current(Node):
    """`current(x)`, only inside `where=`: the field's value on the transaction that is being decided."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature(Node):
    """A named feature of the ruleset; `body` is its own tree."""

    name: str
    body: Node = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Special(Node):
    """`probability` anywhere but in `where=`; `points` in `score:`; `level`, `score`, `outcome` in `alert:`."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Node):
    """Kleene negation."""

    operand: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class And(Node):
    """Kleene conjunction of two or more operands. A chained comparison `a < b < c` is And of two comparisons."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Or(Node):
    """Kleene disjunction of two or more operands."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare(Node):
    """`left op right`, op one of == != < <= > >=. Both sides are comparable by type; text only by == and !=."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(Node):
    """`item in values` or `item not in values`. `values` are literal; `source` is the list's name, if it has one."""

    item: Node
    values: tuple[Decimal | str, ...]
    source: str | None
    negated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic(Node):
    """`left op right`, op one of + - * /. money±money is money, time-time is duration, the rest is number
    (or duration, for duration ± duration and duration times number)."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Negative(Node):
    """Unary minus."""

    operand: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    """A scalar function of `FUNCTIONS`. A list argument stands in `values` (and `source`), a table's in `table`."""

    function: str
    arguments: tuple[Node, ...]
    values: tuple[str, ...] = ()
    source: str | None = None
    table: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Node):
    """A look back over one history: a function of `WINDOWS`.

    `value` is the field the function looks at (None for count, since_last, since_first, distance_km, speed_kmh);
    `by` the fields whose values together name the entity; `of` the fields of this transaction that are looked up
    under the role `by` (same length), or empty for `by` itself; `last_ms` the length (t - last, t]; `this` a calendar
    window instead ("day", "week", "month"); neither: back to the horizon.
    """

    function: str
    value: str | None
    by: tuple[str, ...]
    of: tuple[str, ...] = ()
    last_ms: int | None = None
    this: str | None = None
    where: Node | None = None
    prior: bool = False
    min_samples: int | None = None
    first: bool = False


# name -> what the arguments are. `expression` types them; `compile` writes them.
FUNCTIONS: dict[str, str] = {
    "hour": "() -> number",
    "weekday": "() -> number",
    "day_of_month": "() -> number",
    "is_weekend": "() -> boolean",
    "is_night": "() -> boolean",
    "days": "(number literal) -> duration literal",
    "hours": "(number literal) -> duration literal",
    "minutes": "(number literal) -> duration literal",
    "since": "(time) -> duration",
    "has_word": "(text, list) -> boolean",
    "contains_any": "(text, list) -> boolean",
    "starts_with": "(text, text literal or list) -> boolean",
    "matches": "(text, text literal) -> boolean",
    "lower": "(text) -> text",
    "length": "(text) -> number",
    "email_domain": "(text) -> text",
    "abs": "(number | money | duration) -> same",
    "round": "(number) -> number",
    "log10": "(number | money) -> number",
    "min": "(a, b, ...) -> same",
    "max": "(a, b, ...) -> same",
    "is_round": "(money | number, number literal) -> boolean",
    "is_missing": "(any) -> boolean",
    "coalesce": "(a, b, ...) -> same",
    "lookup": "(table name, text) -> number or money",
    "distance_km": "(number, number, number, number) -> number",
}

# name -> whether it takes a value, and what it gives back.
WINDOWS: dict[str, str] = {
    "count": "number",
    "sum": "money or number of the value",
    "avg": "number",
    "min": "type of the value",
    "max": "type of the value",
    "stddev": "number",
    "zscore": "number",
    "distinct": "number",
    "is_new": "boolean",
    "previous": "type of the value",
    "since_last": "duration",
    "since_first": "duration",
    "distance_km": "number",
    "speed_kmh": "number",
}
WITHOUT_VALUE = frozenset({"count", "since_last", "since_first", "distance_km", "speed_kmh"})
NEVER_CURRENT = frozenset({"is_new", "previous", "since_last", "since_first", "distance_km", "speed_kmh", "zscore"})
SCALAR_TWINS = frozenset({"min", "max", "distance_km"})  # both a scalar and a window: a window has `by=`
