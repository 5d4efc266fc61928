"""Which histories a ruleset needs, and the columns a batch brings to them.

A `Layout` numbers the columns of a batch: values of fields, codes and truths of text, the clock, and one column per
*slot*. A slot is one elementary window (a count, a sum, ...); `avg` and `zscore` are written in terms of them, and
rules that look at the same window share it. Slots are what a decision stores as its features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from fraudline.domain.ruleset import DAY_MS, Ruleset
from fraudline.domain.transaction import KEYS, Batch
from fraudline.engine import kernel, words, zones
from fraudline.engine.expression import Trees
from fraudline.engine.history import Key, RolePlan, Scan, State
from fraudline.engine.tree import Call, Current, Feature, Field, Literal, Member, Node, Type, Window
from fraudline.engine.tree import Compare as CompareNode

NAN = kernel.NAN
ANSWERS_KEPT = 100_000  # texts remembered per condition
Column = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Slot:
    """One elementary window: operation of the kernel, entity, value, span and condition."""

    op: int
    by: tuple[str, ...]
    of: tuple[str, ...]
    value: str | None = None
    span: int = -1
    this: str | None = None
    where: Node | None = None
    current: bool = False
    param: int = 0
    valid: bool = False  # a count of the rows that have the value

    def label(self) -> str:
        """A short name for people and for stored facts, unique within a ruleset together with its place."""
        name = _OP_NAMES[self.op]
        return f"{name}({', '.join(filter(None, [self.value, 'by=' + '+'.join(self.by)]))})"


_OP_NAMES = (
    "count", "sum", "stddev", "min", "max", "distinct",
    "is_new", "previous", "since_last", "since_first", "distance_km", "speed_kmh",
)  # fmt: skip
_OPS = {name: number for number, name in enumerate(_OP_NAMES)}


def slot_of(window: Window, part: str | None = None) -> Slot:
    """The slot of a window function, or of one part ("sum", "valid", "stddev") of avg and zscore."""
    function = window.function
    prior = window.prior or function == "zscore"
    samples = max(2, window.min_samples or 5)
    param = samples if "stddev" in (function, part) else int(window.first) if function == "is_new" else 0
    op = _OPS["count" if part == "valid" else part or function]
    return Slot(
        op=op,
        by=window.by,
        of=window.of or window.by,
        value=window.value,
        span=-1 if window.last_ms is None else window.last_ms,
        this=window.this,
        where=window.where,
        current=not prior and op <= kernel.DISTINCT,
        param=param,
        valid=part == "valid",
    )


def slots_of(window: Window) -> list[Slot]:
    """Every slot that a window function is written with."""
    if window.function == "avg":
        return [slot_of(window, "sum"), slot_of(window, "valid")]
    if window.function == "zscore":
        return [slot_of(window, "sum"), slot_of(window, "valid"), slot_of(window, "stddev")]
    return [slot_of(window)]


def is_text(node: Node) -> bool:
    """Whether an expression is text."""
    return node.type is Type.TEXT


def is_key(node: Node) -> bool:
    """Whether this text is an id or key, which compares exactly as given."""
    if isinstance(node, Field | Current):
        return node.name in KEYS
    if isinstance(node, Window):
        return node.value in KEYS
    if isinstance(node, Feature):
        return is_key(node.body)
    if isinstance(node, Call) and node.function == "coalesce":
        return any(is_key(argument) for argument in node.arguments)
    return False


def needs_histories(node: Node) -> bool:
    """Whether a value can only be known after the fold."""
    return any(isinstance(below, Window) for below in deep(node))


def deep(node: Node) -> Iterable[Node]:
    """The node and everything below it, the bodies of named features included, `where=` conditions not."""
    yield node
    if isinstance(node, Feature):
        yield from deep(node.body)
    elif not isinstance(node, Window):
        for child in node.children():
            yield from deep(child)


def fields_read(trees: Trees) -> set[str]:
    """The fields that a ruleset's expressions look at, on the transaction or in its histories."""
    used: set[str] = set()
    for root in (*trees.rules, *trees.features.values(), trees.score, trees.alert):
        for node in root.walk():
            if isinstance(node, Field | Current):
                used.add(node.name)
            elif isinstance(node, Window):
                used.update(filter(None, (*node.by, *node.of, node.value)))
                if node.function in ("distance_km", "speed_kmh"):
                    used.update(("latitude", "longitude"))
    return used


@dataclass(slots=True)
class Layout:
    """Numbers the columns that generated code and the kernel read and write. Keys are tuples whose first word says
    what the column holds: value, scaled, code, truth, size, clock, start, mask, slot, moment, probability."""

    columns: dict[tuple[Any, ...], int] = field(default_factory=dict)
    answers: dict[Node, Answers] = field(default_factory=dict)  # what conditions on text said, by condition
    _steps: dict[bool, list[tuple[int, str, tuple[Any, ...]]]] = field(default_factory=dict)
    _steps_of: int = -1

    def column(self, *key: Any) -> int:
        """The number of this column, given out at first request."""
        return self.columns.setdefault(key, len(self.columns))

    def steps(self, after_fold: bool) -> list[tuple[int, str, tuple[Any, ...]]]:
        """The columns that are computed before the fold, or after it: number, what it holds, of what."""
        known = self._steps.get(after_fold)
        if known is None or self._steps_of != len(self.columns):
            self._steps_of = len(self.columns)
            self._steps = {False: [], True: []}
            for (kind, *key), at in self.columns.items():
                if kind not in ("slot", "mask"):
                    later = kind in ("code", "truth", "size") and needs_histories(key[0])
                    self._steps[later].append((at, kind, tuple(key)))
            known = self._steps[after_fold]
        return known

    def slots(self) -> list[Slot]:
        """All slots, in the order of their columns: the order in which decisions store them."""
        return [key[1] for key in self.columns if key[0] == "slot"]


# ---- what a role computes --------------------------------------------------------------------------------------------


def role_plans(
    layout: Layout, ruleset: Ruleset, mark: Callable[[Node, Callable[..., int]], Any]
) -> tuple[RolePlan, ...]:
    """One plan per distinct `by=`. `mark(where, place)` compiles a condition with `current()` (see `compile`)."""
    by_role: dict[tuple[str, ...], list[Slot]] = {}
    for slot in layout.slots():
        by_role.setdefault(slot.by, []).append(slot)
    return tuple(_RoleBuilder(layout, ruleset, by, mark).build(slots) for by, slots in by_role.items())


@dataclass(slots=True)
class _RoleBuilder:
    layout: Layout
    ruleset: Ruleset
    by: tuple[str, ...]
    mark: Callable[[Node, Callable[..., int]], Any]
    looks: list[tuple[str, ...]] = field(default_factory=list)
    prefixes: dict[tuple[Any, ...], int] = field(default_factory=dict)
    prefix_rows: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    scans: list[Scan] = field(default_factory=list)

    def build(self, slots: list[Slot]) -> RolePlan:
        self.looks = [self.by, *sorted({slot.of for slot in slots} - {self.by})]
        for slot in slots:
            if slot.op == kernel.STDDEV and not self._scanned(slot):
                self._block(slot)
        features: list[int] = []
        for slot in sorted(slots, key=lambda one: (self.looks.index(one.of), one.span < 0, one.span)):
            features.extend(self._describe(slot))
        return RolePlan(
            by=self.by,
            looks=tuple(self.looks),
            features=tuple(features),
            prefixes=tuple(self.prefix_rows),
            values=tuple(self.values),
            exact=not set(self.by) <= set(self.ruleset.shared) and any(slot.of == slot.by for slot in slots),
            scans=tuple(self.scans),
        )

    @staticmethod
    def _scanned(slot: Slot) -> bool:
        return slot.where is not None and any(isinstance(node, Current) for node in slot.where.walk())

    def _describe(self, slot: Slot) -> list[int]:
        row = [-1] * kernel.F_SIZE
        row[kernel.F_OP] = slot.op
        row[kernel.F_OUT] = self.layout.column("slot", slot)
        row[kernel.F_LOOK] = self.looks.index(slot.of)
        row[kernel.F_SPAN] = slot.span
        row[kernel.F_CALENDAR] = self.layout.column("start", slot.this) if slot.this else -1
        row[kernel.F_CURRENT] = int(slot.current)
        row[kernel.F_PARAM] = slot.param
        row[kernel.F_DAY] = int(0 <= slot.span < DAY_MS)
        row[kernel.F_XMASK] = -1 if slot.where is None else self.layout.column("mask", slot.where)
        scanned = self._scanned(slot)
        row[kernel.F_SCAN] = int(scanned)
        if scanned and slot.where is not None:
            row[kernel.F_MASK] = self._scan(slot, slot.where)
        elif slot.where is not None and slot.op > kernel.STDDEV:
            row[kernel.F_MASK] = self._kept(row[kernel.F_XMASK])
        self._describe_value(slot, row, scanned)
        return row

    def _describe_value(self, slot: Slot, row: list[int], scanned: bool) -> None:
        if slot.op in (kernel.DISTANCE, kernel.SPEED):
            latitude = self.layout.column("value", "latitude")
            longitude = self.layout.column("value", "longitude")
            row[kernel.F_X], row[kernel.F_PARAM] = latitude, longitude
            row[kernel.F_VALUE] = self._kept(latitude, longitude, self.layout.column("day_only"))
        elif slot.value is not None:
            row[kernel.F_X] = self._value_column(slot)
            if slot.op > kernel.STDDEV or scanned:
                row[kernel.F_VALUE] = self._kept(row[kernel.F_X])
        if slot.op <= kernel.STDDEV and not scanned:
            row[kernel.F_PREFIX] = self._prefix(slot)

    def _value_column(self, slot: Slot) -> int:
        name = slot.value or ""
        if slot.op <= kernel.STDDEV:
            return self.layout.column("scaled", name)
        text = self.ruleset.kind(name) == "text"
        if text or slot.op in (kernel.DISTINCT, kernel.IS_NEW):
            kind = Type.TEXT if text else Type.NUMBER
            field = Field(type=kind, name=name)
            if slot.op == kernel.PREVIOUS:  # what comes back is the text as received
                return self.layout.column("code", field, True)
            return self.layout.column("code", field)
        return self.layout.column("value", name)

    def _block(self, slot: Slot) -> None:
        x = self.layout.column("scaled", slot.value)
        mask = -1 if slot.where is None else self.layout.column("mask", slot.where)
        if (kernel.HIGH_SQUARE, x, mask) in self.prefixes:
            return
        for kind in (kernel.TOTAL, kernel.VALID, kernel.HIGH_SQUARE, kernel.CROSS, kernel.LOW_SQUARE):
            self._prefix_row(kind, x, mask)

    def _prefix(self, slot: Slot) -> int:
        mask = -1 if slot.where is None else self.layout.column("mask", slot.where)
        if slot.op == kernel.COUNT and not slot.valid:
            return -1 if mask < 0 else self._prefix_row(kernel.ROWS, -1, mask)
        x = self.layout.column("scaled", slot.value)
        return self._prefix_row(kernel.VALID if slot.valid else kernel.TOTAL, x, mask)

    def _prefix_row(self, kind: int, x: int, mask: int) -> int:
        key = (kind, x, mask)
        if key not in self.prefixes:
            self.prefixes[key] = len(self.prefixes)
            self.prefix_rows.extend(key)
        return self.prefixes[key]

    def _kept(self, *columns: int) -> int:
        """The place of these columns, side by side, among the values that each row keeps."""
        wanted = list(columns)
        for at in range(len(self.values) - len(wanted) + 1):
            if self.values[at : at + len(wanted)] == wanted:
                return at
        self.values.extend(wanted)
        return len(self.values) - len(wanted)

    def _scan(self, slot: Slot, where: Node) -> int:
        self.values.append(-1)  # a place of its own, rewritten before each row
        mask = len(self.values) - 1
        marker = self.mark(where, lambda *key: self._kept(self.layout.column(*key)))
        self.scans.append(Scan(look=self.looks.index(slot.of), mask=mask, span=slot.span, mark=marker))
        return mask


# ---- columns of a batch ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Frame:
    """The columns of one batch, filled in two steps: what the transactions say, and what follows from histories."""

    batch: Batch
    ruleset: Ruleset
    layout: Layout
    state: State
    X: list[Any]
    probability: Sequence[float | None] | None = None
    local: list[int] | None = None

    def local_ms(self) -> list[int]:
        """Wall-clock time in each transaction's zone, as if it were UTC milliseconds."""
        if self.local is None:
            named = self.batch.columns.get("timezone")
            self.local = zones.local_ms(self.batch.occurred_at, named or self.ruleset.timezone, self.ruleset.timezone)
        return self.local

    def fill(self, after_fold: bool) -> None:
        """Compute the columns that can be known before the fold, or those that need its results."""
        for at, kind, key in self.layout.steps(after_fold):
            self._set(at, getattr(self, f"_{kind}")(*key))

    def _set(self, at: int, column: Sequence[float]) -> None:
        self.X[at][:] = column

    def _value(self, name: str) -> list[float]:
        spec = self.ruleset.spec(name)
        column = self.batch.columns.get(name)
        if column is None:
            return [NAN] * len(self.batch)
        if spec is not None and spec.kind == "number" and spec.decimals:
            scale = float(10**spec.decimals)
            return [NAN if value is None else float(value) / scale for value in column]
        return _floats(column)

    def _scaled(self, name: str) -> list[float]:
        column = self.batch.columns.get(name)
        return [NAN] * len(self.batch) if column is None else _floats(column)

    def _moment(self) -> list[float]:
        return list(map(float, self.batch.occurred_at))

    def _day_only(self) -> list[float]:
        return list(map(float, self.batch.day_only))

    def _probability(self) -> list[float]:
        given = self.probability
        return [NAN] * len(self.batch) if given is None else [NAN if p is None else p for p in given]

    def _clock(self, function: str) -> Any:
        column = _CLOCK[function](np.asarray(self.local_ms(), dtype=np.int64), self.ruleset).astype(np.float64)
        if function in ("hour", "is_night") and True in self.batch.day_only:
            column[np.asarray(self.batch.day_only)] = NAN
        return column if self.state.compiled else column.tolist()

    def _start(self, this: zones.Period) -> list[float]:
        named = self.batch.columns.get("timezone")
        starts: dict[tuple[str, int], float] = {}
        column = []
        for i, (moment, local) in enumerate(zip(self.batch.occurred_at, self.local_ms(), strict=True)):
            zone = (named[i] if named else None) or self.ruleset.timezone
            day = (zone, local // DAY_MS)
            if day not in starts:
                starts[day] = float(zones.period_start_ms(moment, zone, this))
            column.append(starts[day])
        return column

    # text ------------------------------------------------------------------------------------------------------------

    def raw(self, node: Node) -> list[str | None]:
        """The text a node stands for, row by row, as received."""
        n = len(self.batch)
        match node:
            case Literal(value=str() as value):
                return [value] * n
            case Feature(body=body):
                return self.raw(body)
            case Window():
                return self.state.texts(self.X[self.layout.column("slot", slot_of(node))])
            case Field(name=name) | Current(name=name):
                return list(self.batch.ids) if name == "id" else self.batch.columns.get(name) or [None] * n
            case Call(function="lower", arguments=(inner,)):
                return [None if text is None else text.lower() for text in self.raw(inner)]
            case Call(function="email_domain", arguments=(inner,)):
                return [None if text is None else words.email_domain(text) for text in self.raw(inner)]
            case Call(function="coalesce", arguments=arguments):
                columns = [self.raw(argument) for argument in arguments]
                return [next((text for text in row if text is not None), None) for row in zip(*columns, strict=True)]
        raise AssertionError(f"no text: {node}")

    def folded(self, node: Node) -> list[str | None]:
        """The same text as rules compare it: folded, unless it is a key."""
        column = self.raw(node)
        if is_key(node):
            return column
        folds = _Folds()
        return [folds[text] for text in column]

    def _code(self, node: Node, exact: bool = False) -> list[float]:
        codes = self.state.codes
        if is_text(node):
            return [codes[text] for text in (self.raw(node) if exact else self.folded(node))]
        return [NAN if value != value else codes[value] for value in self._value(getattr(node, "name", ""))]

    def _truth(self, node: Node) -> list[float]:
        test, inner, exact = text_test(node)
        if isinstance(node, Call) and node.function == "is_missing":
            return [2.0 if text is None else 0.0 for text in self.raw(inner)]
        answers = self.layout.answers.get(node)
        if answers is None or len(answers) > ANSWERS_KEPT:
            answers = self.layout.answers[node] = Answers(test)
        return [answers[text] for text in (self.folded(inner) if exact else self.raw(inner))]

    def _size(self, node: Call) -> list[float]:
        (inner,) = node.arguments
        if node.function == "length":
            return [NAN if text is None else float(len(text)) for text in self.raw(inner)]
        table = {words.fold(key): float(value) for key, value in self.ruleset.tables[node.table or ""].items()}
        return [NAN if text is None else table.get(words.fold(text), NAN) for text in self.raw(inner)]

    # keys ------------------------------------------------------------------------------------------------------------

    def keys(self, plans: Sequence[RolePlan]) -> list[list[list[Key | None]]]:
        """The entity keys of every row, per role and look; None where any part is missing."""
        cache: dict[tuple[str, bool], list[Any]] = {}
        return [[self._keys(plan.by, look, cache) for look in plan.looks] for plan in plans]

    def _keys(
        self, by: tuple[str, ...], names: tuple[str, ...], cache: dict[tuple[str, bool], list[Any]]
    ) -> list[Key | None]:
        columns = [self._key_part(name, role in KEYS, cache) for role, name in zip(by, names, strict=True)]
        if len(columns) == 1:
            return columns[0]
        return [None if None in parts else parts for parts in zip(*columns, strict=True)]

    def _key_part(self, name: str, exact: bool, cache: dict[tuple[str, bool], list[Any]]) -> list[Any]:
        """A field as part of a key: it compares like the field it is looked up as."""
        key = (name, exact)
        if key not in cache:
            if self.ruleset.kind(name) != "text":
                cache[key] = self.batch.columns.get(name) or [None] * len(self.batch)
            else:
                column = self.raw(Field(type=Type.TEXT, name=name))
                folds = _Folds()
                cache[key] = column if exact else [folds[text] for text in column]
        return cache[key]


def _floats(column: Sequence[float | None]) -> list[float]:
    if None in column:
        return [NAN if value is None else float(value) for value in column]
    return list(map(float, column))  # type: ignore[arg-type]  # nothing in it is None


class _Folds(dict[str | None, str | None]):
    """Each distinct text is folded once per batch; a missing one stays missing."""

    def __missing__(self, text: str | None) -> str | None:
        folded = self[text] = None if text is None else words.fold(text)
        return folded


class Answers(dict[str | None, float]):
    """Each distinct text is tested once, while there is room; of a missing one the truth is unknown."""

    def __init__(self, test: Callable[[str], bool]) -> None:
        super().__init__({None: 1.0})
        self._test = test

    def __missing__(self, text: str | None) -> float:
        answer = self[text] = 2.0 if text is not None and self._test(text) else 0.0
        return answer


def text_test(node: Node) -> tuple[Callable[[str], bool], Node, bool]:
    """A truth about one text: the test, the node it is about, and whether the test wants the compared (folded) form."""
    match node:
        case Member(item=item, values=values, negated=negated):
            wanted = {str(value) if is_key(item) else words.fold(str(value)) for value in values}
            return (lambda text: (text in wanted) != negated), item, True
        case CompareNode(op=op, left=left, right=right):
            literal, item = (left, right) if isinstance(left, Literal) else (right, left)
            given = str(getattr(literal, "value", ""))
            other = given if is_key(item) else words.fold(given)
            return (lambda text: (text == other) == (op == "==")), item, True
        case Call(function=function, arguments=(item, *_), values=values):
            if function == "matches":
                pattern = literal_text(node.arguments[1])
                return (lambda text: words.found(text, pattern) is not None), item, False
            entries = values or (literal_text(node.arguments[1]),) if len(node.arguments) > 1 else values
            if function == "has_word":
                return words.WordList(entries).stands_in, item, False
            find = {"contains_any": words.contained, "starts_with": words.prefixed}
            if function in find:
                return (lambda text: find[function](text, entries) is not None), item, False
            return (lambda _: False), item, False
    raise AssertionError(f"no test of text: {node}")


def literal_text(node: Node) -> str:
    """The text of a literal argument."""
    return str(node.value) if isinstance(node, Literal) else ""


def _is_night(local_ms: Column, ruleset: Ruleset) -> npt.NDArray[np.bool_]:
    begin, end = ruleset.night
    minute = local_ms % DAY_MS // 60_000
    late, early = minute >= begin, minute < end
    return late & early if begin < end else late | early


def _weekday(local_ms: Column) -> Column:
    return (local_ms // DAY_MS + 3) % 7 + 1  # 1970-01-01 was a Thursday


def _day_of_month(local_ms: Column, _: Ruleset) -> Column:
    days = local_ms.astype("datetime64[ms]").astype("datetime64[D]")
    day: Column = (days - days.astype("datetime64[M]")).astype(np.int64)
    return day + 1


_CLOCK: dict[str, Callable[[Column, Ruleset], npt.NDArray[Any]]] = {
    "hour": lambda local, _: local % DAY_MS // 3_600_000,
    "weekday": lambda local, _: _weekday(local),
    "day_of_month": _day_of_month,
    "is_weekend": lambda local, ruleset: np.isin(_weekday(local), ruleset.weekend),
    "is_night": _is_night,
}


def utc(moment_ms: int) -> datetime:
    """UTC milliseconds as an aware time."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment_ms)
