"""The naive oracle: a second, slow, obviously right reading of the semantics. It imports nothing of the engine.

It walks Python's own syntax tree of every expression and computes every window by looping over all rows of the same key
that arrived before. Where the specification leaves room, this is what was decided:

 1. Rows. A window is the set of rows with start < occurred_at <= t that arrived earlier, plus the current row (always)
    where the function includes it. `start` is t - last; for `this=` one millisecond before local midnight (of today, of
    Monday, of the first of the month; the first of two midnights, so midnight itself is inside); without either, the
    horizon.
 2. Horizon. H is the newest occurred_at of the entity under the role `by`, the current transaction included where its
    own key is the one looked up; horizon = H - retention. Rows at or before it are invisible. A window is missing, and
    the decision degraded by `window_expired`, where start < horizon or t < horizon. A transaction with t < horizon is
    not inserted into that entity's history. An entity never seen has no horizon: its windows are empty.
 3. Why a window is missing is asked in this order: a missing part of the key; `last=` under a day on a transaction
    without a time; the horizon. Only the last one degrades.
 4. Keys of windows compare like the field named by `by`: exactly for id, account, card, device, ip, merchant, payee,
    folded (strip, casefold) for other text. `of=` equal to `by` is no `of=`.
 5. Text compares folded, unless a side is the unchanged value of a key field (also by current, previous, coalesce).
 6. Missing values are ignored by everything but count: previous(x) is the newest row that has x, is_new(x) on a window
    without any x is missing (true with first=True), missing where the current x is missing. distance_km and speed_kmh
    look at the newest row only. min_samples= counts values; it is 5 for stddev and zscore, else 0; both need 2.
 7. Numbers. Money with money in minor units; money (or a number with `decimals`) with a literal exactly; a literal
    beside money in + and - is money; everything else as floats, where money is minor / 10**d, one division. Of two
    amounts in a quotient each becomes a float first. A sum whose magnitude passes 2**53 (also inside avg, stddev,
    zscore) is missing and degrades the decision by `rule_error`; money + money beyond 2**53 is missing. A result that
    is NaN is missing; infinity stays. Division by zero is missing.
 8. avg = S / (n * 10**d); stddev = sqrt(float(N) / float(n * (n - 1))) / 10**d, N = n * sum(x*x) - S*S;
    zscore = (x / 10**d - avg) / stddev over the rows before, missing where stddev is 0.
 9. distance: haversine, radius 6371008.8 m, rounded half even to metres, km = metres / 1000. speed = km /
    (ms / 3600000); at the same instant infinite, or 0 where nothing was travelled; missing where either row has no time
    of day.
10. Nothing is short-circuited: every window of every feature, rule, score and alert is computed, and any of them can
    degrade the decision. Inside `where=` every field and function reads the row; current(x) the transaction.
11. Suppression. Fired rules are taken in file order; one that is suppressed by then suppresses nothing. A suppressed
    rule stands in `suppressed` only, not in `fired`, adds no points and forces nothing.
12. score = the formula (probability is 0 in it), rounded half even, capped to 0..100; a missing formula counts as the
    points and degrades the decision by `rule_error`. The outcome is the strongest of threshold and forced ones; a
    fired, unsuppressed `approve` rule replaces it by approve; then `on_degraded` may raise it. A rule with expires <=
    received_at is out of force: neither fired nor unknown.
13. late_ms is the largest H - t over the roles that windows without `of=` read, except roles all of whose fields are
    shared; missing keys are passed over. covered_ms is t - the earliest occurred_at that arrived, this one included,
    where that is shorter than the longest `last=`.
14. Words of has_word are maximal runs of letters and digits, casefolded, of the text and of each entry; an entry's
    words must follow each other; `*` at an end of the entry stands for any letters. contains_any and starts_with set
    case aside, starts_with the text's outer spaces too; matches looks at the text as received.

A transaction is a dict of typed values: money in minor units, a number with declared `decimals` as scaled int, other
numbers as float, times in UTC milliseconds, None where missing.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

Transaction = dict[str, Any]

DAY = 86_400_000
UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY, "w": 7 * DAY}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LARGEST = 2**53
RADIUS = 6371008.8
DECIMALS = {"INR": 2, "USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "KWD": 3, "CLF": 4}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EXACT = frozenset({"id", "account", "card", "device", "ip", "merchant", "payee"})
STANDARD_KINDS = """
money    amount balance
number   latitude longitude
time     occurred_at
text     id currency type status direction account card bin payee merchant mcc device ip channel country home_country
text     origin_country destination_country location description timezone
"""
STANDARD = {name: line.split()[0] for line in STANDARD_KINDS.strip().splitlines() for name in line.split()[1:]}
WITHOUT_CURRENT = frozenset({"zscore", "is_new", "previous", "since_last", "since_first", "distance_km", "speed_kmh"})
WINDOWS = WITHOUT_CURRENT | {"count", "sum", "avg", "min", "max", "stddev", "distinct"}


# --- values -----------------------------------------------------------------------------------------------------------
# None is missing (of a condition: unknown); bool, float and Decimal (a literal) stand for themselves.


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units."""

    minor: int


@dataclass(frozen=True, slots=True)
class Scaled:
    """A number with declared decimals: units / 10**decimals."""

    units: int
    decimals: int


@dataclass(frozen=True, slots=True)
class Span:
    """A duration in milliseconds; a fraction of one only after a multiplication or division."""

    ms: float


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, UTC milliseconds."""

    ms: int


@dataclass(frozen=True, slots=True)
class Text:
    """Text; `exact` where it is the value of a key field."""

    value: str
    exact: bool = False


def fold(text: str) -> str:
    """Text as it is compared."""
    return text.strip().casefold()


@dataclass
class Decision:
    """What the oracle says about one transaction."""

    outcome: str
    level: str
    score: int
    fired: list[str]
    unknown: list[str]
    suppressed: list[str]
    alert: bool
    degraded: list[str]
    late_ms: int
    covered_ms: int | None
    features: dict[str, float | int | str | bool | None]


# --- rulesets ---------------------------------------------------------------------------------------------------------


def milliseconds(text: str) -> int:
    """`90s`, `1m`, `24h`, `30d` in milliseconds."""
    return int(text[:-1]) * UNITS[text[-1]]


def minutes_of_day(text: str) -> int:
    """`22:30` as minutes after midnight."""
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


@cache
def parsed(text: str) -> ast.expr:
    """The syntax tree of an expression."""
    return ast.parse(text.strip(), mode="eval").body


@cache
def zone(name: str) -> ZoneInfo:
    """A time zone of the tzdata package, whatever the machine has installed."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


class Rules:
    """A ruleset, given as the plain dict that its YAML file holds."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.decimals = DECIMALS[given["currency"]]
        self.timezone: str = given.get("timezone", "UTC")
        self.weekend = {WEEKDAYS.index(day) + 1 for day in given.get("weekend", ["saturday", "sunday"])}
        start, end = given.get("night", "22:00-06:00").split("-")
        self.night = minutes_of_day(start), minutes_of_day(end)
        self.kinds = dict(STANDARD)
        self.scaled: dict[str, int] = {}
        for name, told in given.get("attributes", {}).items():
            self.kinds[name] = told["type"] if isinstance(told, dict) else told
            if isinstance(told, dict) and "decimals" in told:
                self.scaled[name] = told["decimals"]
        self.lists: dict[str, list[str]] = given.get("lists", {})
        self.tables: dict[str, dict[str, Any]] = given.get("tables", {})
        self.features = {name: parsed(text) for name, text in given.get("features", {}).items()}
        self.rules: list[dict[str, Any]] = given["rules"]
        levels, outcomes = given.get("levels", {}), given.get("outcomes", {})
        self.levels = levels.get("medium", 30), levels.get("high", 60)
        self.outcomes = outcomes.get("review", 40), outcomes.get("decline", 90)
        self.score = parsed(given.get("score", "max(points, round(100 * probability))"))
        self.alert = parsed(given.get("alert", 'level == "high"'))
        self.on_degraded: str = given.get("on_degraded", "review")
        self.retention = milliseconds(given.get("retention", "200d"))
        self.shared = set(given.get("shared", []))
        self.windows = [window for text in self.expressions() for window in windows_in(text)]
        self.roles = {window.by for window in self.windows}
        own = {window.by for window in self.windows if window.of == window.by}
        self.late_roles = {by for by in own if not all(name in self.shared for name in by)}
        self.longest = max((window.last for window in self.windows if window.last is not None), default=0)

    def expressions(self) -> list[ast.expr]:
        """Everything that is evaluated for every transaction."""
        return [*self.features.values(), *(parsed(rule["when"]) for rule in self.rules), self.score, self.alert]

    def kind(self, node: ast.expr) -> str:
        """What an expression is: text, number, literal, money, boolean, time or duration."""
        if isinstance(node, ast.Constant):
            return {bool: "boolean", str: "text"}.get(type(node.value), "literal")
        if isinstance(node, ast.Name):
            if node.id in self.features:
                return self.kind(self.features[node.id])
            if node.id in ("level", "outcome"):
                return "text"
            return self.kinds.get(node.id, "number")
        if isinstance(node, ast.UnaryOp):
            return "boolean" if isinstance(node.op, ast.Not) else self.kind(node.operand)
        if isinstance(node, ast.BinOp):
            return self._kind_of_arithmetic(node)
        if isinstance(node, ast.Call):
            return self._kind_of_call(node)
        return "boolean"

    def _kind_of_arithmetic(self, node: ast.BinOp) -> str:
        left, right = self.kind(node.left), self.kind(node.right)
        if isinstance(node.op, ast.Add | ast.Sub):
            if {left, right} in ({"money"}, {"money", "literal"}):
                return "money"
            if left == right == "duration":
                return left
            if left == right == "time":
                return "duration"
        return "duration" if (left, right).count("duration") == 1 else "number"

    def _kind_of_call(self, node: ast.Call) -> str:
        name = called(node)
        if name in ("min", "max", "coalesce", "sum", "abs", "previous", "current"):
            kinds = {self.kind(argument) for argument in node.args} - {"literal"}
            return kinds.pop() if len(kinds) == 1 else "number"
        if name in ("days", "hours", "minutes", "since", "since_last", "since_first"):
            return "duration"
        if name in ("lower", "email_domain"):
            return "text"
        if name in ("is_new", "is_missing", "is_round", "is_weekend", "is_night"):
            return "boolean"
        if name in ("has_word", "contains_any", "starts_with", "matches"):
            return "boolean"
        return "number"


def called(node: ast.Call) -> str:
    """The name of the function that is called."""
    assert isinstance(node.func, ast.Name)
    return node.func.id


@dataclass(frozen=True)
class Window:
    """The arguments of a window function."""

    function: str
    value: str | None
    by: tuple[str, ...]
    of: tuple[str, ...]
    last: int | None
    this: str | None
    where: ast.expr | None
    prior: bool
    min_samples: int
    first: bool


def names(node: ast.expr) -> tuple[str, ...]:
    """A name, or the names of a tuple."""
    if isinstance(node, ast.Tuple):
        return tuple(name for part in node.elts for name in names(part))
    assert isinstance(node, ast.Name)
    return (node.id,)


@cache
def literal(node: ast.Constant) -> bool | Text | Decimal:
    """What is written."""
    if isinstance(node.value, bool):
        return node.value
    return Text(node.value) if isinstance(node.value, str) else Decimal(repr(node.value))


@cache
def is_window(node: ast.AST) -> bool:
    """Whether a call looks back: windows have `by=`, their scalar twins have not."""
    if not isinstance(node, ast.Call) or called(node) not in WINDOWS:
        return False
    return any(keyword.arg == "by" for keyword in node.keywords)


@cache
def window_of(node: ast.Call) -> Window:
    """The window that a call describes."""
    function, given = called(node), {keyword.arg: keyword.value for keyword in node.keywords}

    def constant(name: str, default: Any) -> Any:
        return given[name].value if name in given else default  # type: ignore[attr-defined]  # constants only

    by, last = names(given["by"]), constant("last", None)
    return Window(
        function=function,
        value=names(node.args[0])[0] if node.args else None,
        by=by,
        of=names(given["of"]) if "of" in given else by,
        last=None if last is None else milliseconds(last),
        this=constant("this", None),
        where=given.get("where"),
        prior=constant("prior", False) or function in WITHOUT_CURRENT,
        min_samples=constant("min_samples", 5 if function in ("stddev", "zscore") else 0),
        first=constant("first", False),
    )


def windows_in(expression: ast.expr) -> Iterable[Window]:
    """Every window of an expression."""
    return [window_of(node) for node in ast.walk(expression) if isinstance(node, ast.Call) and is_window(node)]


# --- arithmetic and comparison ----------------------------------------------------------------------------------------


def both(left: bool | None, right: bool | None) -> bool | None:
    """Kleene's `and`."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def either(left: bool | None, right: bool | None) -> bool | None:
    """Kleene's `or`."""
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


def money(minor: int) -> Money | None:
    """An amount, missing where floats could no longer hold it exactly."""
    return Money(minor) if abs(minor) <= LARGEST else None


def number(value: float) -> float | None:
    """A number, missing where it is none."""
    return None if math.isnan(value) else value


def comparable(left: Any, right: Any, decimals: int) -> tuple[Any, Any]:
    """Two present values in a form in which Python compares them as the semantics say."""
    if isinstance(left, Text):
        exact = left.exact or right.exact
        return (left.value, right.value) if exact else (fold(left.value), fold(right.value))
    if isinstance(left, Money) and isinstance(right, Money):
        return left.minor, right.minor
    if isinstance(left, Span | Moment):
        return left.ms, right.ms
    if isinstance(left, bool):
        return left, right
    known = isinstance(left, Decimal | Scaled | Money) and isinstance(right, Decimal | Scaled | Money)
    if known and (isinstance(left, Decimal) or isinstance(right, Decimal)):
        return exactly(left, decimals), exactly(right, decimals)
    return as_float(left, decimals), as_float(right, decimals)


def exactly(value: Decimal | Scaled | Money, decimals: int) -> Decimal:
    """A value in major units, not rounded."""
    if isinstance(value, Money):
        return Decimal(value.minor).scaleb(-decimals)
    return Decimal(value.units).scaleb(-value.decimals) if isinstance(value, Scaled) else value


def as_float(value: Any, decimals: int) -> float:
    """A value in major units as float: one division of integers."""
    if isinstance(value, Money):
        return float(value.minor / 10**decimals)
    if isinstance(value, Scaled):
        return float(value.units / 10**value.decimals)
    return float(value)


COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: lambda a, b: bool(a == b),
    ast.NotEq: lambda a, b: bool(a != b),
    ast.Lt: lambda a, b: bool(a < b),
    ast.LtE: lambda a, b: bool(a <= b),
    ast.Gt: lambda a, b: bool(a > b),
    ast.GtE: lambda a, b: bool(a >= b),
}


def arithmetic(op: ast.operator, left: Any, right: Any, decimals: int) -> Any:
    """`left op right` of two present values."""
    if isinstance(op, ast.Add | ast.Sub):
        sign = 1 if isinstance(op, ast.Add) else -1
        if isinstance(left, Money) and isinstance(right, Decimal):
            right = Money(int(right * 10**decimals))
        if isinstance(right, Money) and isinstance(left, Decimal):
            left = Money(int(left * 10**decimals))
        if isinstance(left, Money) and isinstance(right, Money):
            return money(left.minor + sign * right.minor)
        if isinstance(left, Moment) and isinstance(right, Moment):
            return Span(left.ms - right.ms)
        if isinstance(left, Span | Moment):
            return type(left)(left.ms + sign * right.ms)
    if isinstance(left, Span) and isinstance(right, Span):
        return left.ms / right.ms if right.ms else None
    if isinstance(left, Span) or isinstance(right, Span):
        span, other = (left, right) if isinstance(left, Span) else (right, left)
        factor = as_float(other, decimals)
        if isinstance(op, ast.Mult):
            return Span(span.ms * factor)
        return Span(span.ms / factor) if factor else None
    a, b = as_float(left, decimals), as_float(right, decimals)
    if isinstance(op, ast.Add):
        return number(a + b)
    if isinstance(op, ast.Sub):
        return number(a - b)
    if isinstance(op, ast.Mult):
        return number(a * b)
    return number(a / b) if b else None


def distance_m(lat1: float, lon1: float, lat2: float, lon2: float) -> int:
    """Great-circle distance in whole metres."""
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    across, along = math.sin((phi2 - phi1) / 2), math.sin(math.radians(lon2 - lon1) / 2)
    root = across * across + math.cos(phi1) * math.cos(phi2) * along * along
    return round(2 * RADIUS * math.asin(min(1.0, math.sqrt(root))))


# --- text -------------------------------------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    """Maximal runs of letters and digits, casefolded."""
    return "".join(letter if letter.isalnum() else " " for letter in text.casefold()).split()


def word_matches(word: str, wanted: str) -> bool:
    """Whether one word is the wanted one, in which `*` at an end stands for any letters."""
    bare = wanted.strip("*")
    if wanted.startswith("*") and wanted.endswith("*"):
        return bare in word
    if wanted.endswith("*"):
        return word.startswith(bare)
    return word.endswith(bare) if wanted.startswith("*") else word == bare


def has_word(text: str, entries: Iterable[str]) -> bool:
    """Whether any entry's words stand in the text, one after the other."""
    found = words(text)
    for entry in entries:
        wanted = words(entry)
        if entry.strip().startswith("*"):
            wanted[0] = "*" + wanted[0]
        if entry.strip().endswith("*"):
            wanted[-1] += "*"
        for start in range(len(found) - len(wanted) + 1):
            if all(word_matches(found[start + k], wanted[k]) for k in range(len(wanted))):
                return True
    return False


# --- evaluation -------------------------------------------------------------------------------------------------------


@dataclass
class History:
    """The rows of one entity under one role, in order of arrival."""

    rows: list[Transaction] = field(default_factory=list)
    newest: int | None = None


def local(transaction: Transaction, rules: Rules) -> datetime:
    """When it occurred, in the transaction's own zone or the ruleset's."""
    return (EPOCH + timedelta(milliseconds=transaction["occurred_at"])).astimezone(
        zone(transaction.get("timezone") or rules.timezone)
    )


def calendar_start(transaction: Transaction, this: str, rules: Rules) -> int:
    """The millisecond before the local day, week or month began."""
    now = local(transaction, rules)
    day = date(now.year, now.month, now.day)
    if this == "week":
        day -= timedelta(days=day.isoweekday() - 1)
    elif this == "month":
        day = day.replace(day=1)
    midnight = datetime(day.year, day.month, day.day, tzinfo=now.tzinfo)
    return (midnight.astimezone(UTC) - EPOCH) // timedelta(milliseconds=1) - 1


class Oracle:
    """Decides transactions one after the other, in order of arrival."""

    def __init__(self, ruleset: dict[str, Any], received_at: int) -> None:
        self.rules = Rules(ruleset)
        self.received_at = received_at
        self.histories: dict[tuple[str, ...], dict[tuple[Any, ...], History]] = {by: {} for by in self.rules.roles}
        self.earliest: int | None = None

    def key(self, transaction: Transaction, by: tuple[str, ...], of: tuple[str, ...]) -> tuple[Any, ...] | None:
        """The values of the fields `of` as a key under the role `by`; None where a part is missing."""
        parts: list[Any] = []
        for role, name in zip(by, of, strict=True):
            value = transaction.get(name)
            if value is None:
                return None
            parts.append(fold(value) if isinstance(value, str) and role not in EXACT else value)
        return tuple(parts)

    def horizon(self, transaction: Transaction, by: tuple[str, ...], key: tuple[Any, ...]) -> int | None:
        """Where the history of an entity begins for this transaction; None where it was never seen."""
        history = self.histories[by].get(key)
        newest = history.newest if history else None
        if self.key(transaction, by, by) == key:
            newest = transaction["occurred_at"] if newest is None else max(newest, transaction["occurred_at"])
        return None if newest is None else newest - self.rules.retention

    def add(self, transaction: Transaction) -> None:
        """Enter a transaction into the histories."""
        for by, entities in self.histories.items():
            key = self.key(transaction, by, by)
            if key is None:
                continue
            horizon = self.horizon(transaction, by, key)
            history = entities.setdefault(key, History())
            occurred = transaction["occurred_at"]
            if horizon is None or occurred >= horizon:
                history.rows.append(transaction)
                history.newest = occurred if history.newest is None else max(history.newest, occurred)
        occurred = transaction["occurred_at"]
        self.earliest = occurred if self.earliest is None else min(occurred, self.earliest)

    def decide(self, transaction: Transaction) -> Decision:
        """Decide, then enter into the histories."""
        decision = self._decide(transaction)
        self.add(transaction)
        return decision

    def _decide(self, transaction: Transaction) -> Decision:
        rules = self.rules
        look = Look(self, transaction, transaction, {"probability": None})
        features = {name: plain(look.value(node), rules) for name, node in rules.features.items()}
        states = {rule["id"]: look.value(parsed(rule["when"])) for rule in rules.rules}
        for rule in rules.rules:
            if rule.get("expires") and instant(rule["expires"], rules.timezone) <= self.received_at:
                states[rule["id"]] = False
        hit = [rule for rule in rules.rules if states[rule["id"]] is True]
        suppressed: set[str] = set()
        for rule in hit:
            if rule["id"] not in suppressed:
                suppressed.update(rule.get("suppresses", []))
        counted = [rule for rule in hit if rule["id"] not in suppressed]
        points = sum(rule.get("points", 0) for rule in counted)
        look.special = {"probability": Decimal(0), "points": Decimal(points)}
        formula = look.value(rules.score)
        exact_score = float(points) if formula is None else as_float(formula, rules.decimals)
        score = 100 if exact_score > 100 else 0 if exact_score < 0 else round(exact_score)
        level = "high" if score >= rules.levels[1] else "medium" if score >= rules.levels[0] else "low"
        # What degrades the decision is known only after everything was looked at, and the alert reads the outcome: so
        # the alert is looked at once for its windows, and then for its answer.
        look.special = {"probability": None, "score": Decimal(score), "level": Text(level), "outcome": None}
        look.value(rules.alert)
        degraded = ["rule_error"] * (formula is None or look.overflowed) + ["window_expired"] * look.expired
        outcome = self._outcome(score, counted, bool(degraded))
        look.special["outcome"] = Text(outcome)
        return Decision(
            outcome=outcome,
            level=level,
            score=score,
            fired=[rule["id"] for rule in counted],
            unknown=[rule["id"] for rule in rules.rules if states[rule["id"]] is None],
            suppressed=[rule["id"] for rule in hit if rule["id"] in suppressed],
            alert=look.value(rules.alert) is True,
            degraded=degraded,
            late_ms=self._late(transaction),
            covered_ms=self._covered(transaction),
            features=features,
        )

    def _outcome(self, score: int, counted: list[dict[str, Any]], degraded: bool) -> str:
        review, decline = self.rules.outcomes
        outcomes = {"decline" if score >= decline else "review" if score >= review else "approve"}
        outcomes |= {rule["outcome"] for rule in counted if rule.get("outcome")}
        if any(rule.get("outcome") == "approve" for rule in counted):
            outcomes = {"approve"}
        if degraded and self.rules.on_degraded != "continue":
            outcomes.add(self.rules.on_degraded)
        return next(outcome for outcome in ("decline", "review", "approve") if outcome in outcomes)

    def _late(self, transaction: Transaction) -> int:
        late = 0
        for by in self.rules.late_roles:
            key = self.key(transaction, by, by)
            horizon = None if key is None else self.horizon(transaction, by, key)
            if horizon is not None:
                late = max(late, horizon + self.rules.retention - transaction["occurred_at"])
        return late

    def _covered(self, transaction: Transaction) -> int | None:
        occurred: int = transaction["occurred_at"]
        covered = occurred - min(occurred, occurred if self.earliest is None else self.earliest)
        return covered if covered < self.rules.longest else None


def instant(text: str, timezone: str = "UTC") -> int:
    """A date or a time in ISO form as UTC milliseconds, read in this zone where it names none."""
    told = datetime.fromisoformat(text)
    told = told if told.tzinfo else told.replace(tzinfo=zone(timezone))
    return (told - EPOCH) // timedelta(milliseconds=1)


def plain(value: Any, rules: Rules) -> float | int | str | bool | None:
    """A feature's value as it is reported: money in minor units, durations and times in milliseconds."""
    if isinstance(value, Money):
        return value.minor
    if isinstance(value, Span | Moment):
        return value.ms
    if isinstance(value, Text):
        return value.value
    if value is None or isinstance(value, bool):
        return value
    return as_float(value, rules.decimals)


class Look:
    """Evaluates expressions about `row`, as seen from the transaction that is being decided.

    Outside `where=` the row is that transaction itself. `expired` notes that some window began below its horizon,
    `overflowed` that some sum was too large.
    """

    def __init__(self, oracle: Oracle, transaction: Transaction, row: Transaction, special: dict[str, Any]) -> None:
        self.oracle, self.rules = oracle, oracle.rules
        self.transaction, self.row, self.special = transaction, row, special
        self.expired = self.overflowed = False

    def field(self, name: str, row: Transaction) -> Any:
        """A field of a row as a value."""
        value, kind = row.get(name), self.rules.kinds[name]
        if value is None:
            return None
        if kind == "text":
            return Text(value, name in EXACT)
        if kind == "money":
            return Money(value)
        if kind == "time":
            return Moment(value)
        if name in self.rules.scaled:
            return Scaled(value, self.rules.scaled[name])
        return value

    def value(self, node: ast.expr) -> Any:
        """What an expression is worth; None where missing or unknown."""
        if isinstance(node, ast.Constant):
            return literal(node)
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.BoolOp):
            combine = both if isinstance(node.op, ast.And) else either
            values = [self.value(part) for part in node.values]
            result = values[0]
            for value in values[1:]:
                result = combine(result, value)
            return result
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.BinOp):
            left, right = self.value(node.left), self.value(node.right)
            return None if left is None or right is None else arithmetic(node.op, left, right, self.rules.decimals)
        if isinstance(node, ast.Compare):
            return self._compare(node)
        assert isinstance(node, ast.Call), ast.dump(node)
        return self._window(window_of(node)) if is_window(node) else self._call(called(node), node.args)

    def _name(self, name: str) -> Any:
        if name in self.special:
            return self.special[name]
        if name in self.rules.features:
            return self.value(self.rules.features[name])
        return self.field(name, self.row)

    def _unary(self, node: ast.UnaryOp) -> Any:
        value = self.value(node.operand)
        if value is None:
            return None
        if isinstance(node.op, ast.Not):
            return not value
        if isinstance(value, Money):
            return Money(-value.minor)
        if isinstance(value, Span):
            return Span(-value.ms)
        return -(as_float(value, 0) if isinstance(value, Scaled) else value)

    def _compare(self, node: ast.Compare) -> bool | None:
        result: bool | None = True
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn):
                found = self._member(self.value(left), right)
                result = both(result, found if found is None or isinstance(op, ast.In) else not found)
            else:
                result = both(result, self._compared(op, self.value(left), self.value(right)))
            left = right
        return result

    def _compared(self, op: ast.cmpop, left: Any, right: Any) -> bool | None:
        if left is None or right is None:
            return None
        return COMPARISONS[type(op)](*comparable(left, right, self.rules.decimals))

    def _member(self, item: Any, values: ast.expr) -> bool | None:
        if item is None:
            return None
        return any(self._compared(ast.Eq(), item, entry) for entry in self._entries(values))

    def _entries(self, node: ast.expr) -> list[Any]:
        """The values of a list: named, written out, or a single one."""
        if isinstance(node, ast.Name):
            return [Text(entry) for entry in self.rules.lists[node.id]]
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            return [self.value(entry) for entry in node.elts]
        return [self.value(node)]

    # scalar functions

    def _call(self, name: str, arguments: list[ast.expr]) -> Any:
        if name == "current":
            return self.field(names(arguments[0])[0], self.transaction)
        if name == "is_missing":
            return self.value(arguments[0]) is None
        if name in ("coalesce", "min", "max"):
            return self._choice(name, arguments)
        if name == "lookup":
            return self._lookup(names(arguments[0])[0], self.value(arguments[1]))
        if name in ("has_word", "contains_any", "starts_with", "matches"):
            text = self.value(arguments[0])
            return None if text is None else self._text_test(name, text.value, arguments[1])
        if name in ("hour", "weekday", "day_of_month", "is_weekend", "is_night"):
            return self._clock(name)
        values = [self.value(argument) for argument in arguments]
        return None if None in values else self._scalar(name, values)

    def _choice(self, name: str, arguments: list[ast.expr]) -> Any:
        values = [self.value(argument) for argument in arguments]
        kinds = {self.rules.kind(argument) for argument in arguments}
        if kinds == {"money", "literal"}:
            values = [
                Money(int(value * 10**self.rules.decimals)) if isinstance(value, Decimal) else value for value in values
            ]
        if name == "coalesce":
            return next((value for value in values if value is not None), None)
        if any(value is None for value in values):
            return None
        best = values[0]
        for value in values[1:]:
            a, b = comparable(value, best, self.rules.decimals)
            if a < b if name == "min" else a > b:
                best = value
        return best

    def _lookup(self, table: str, key: Text | None) -> Any:
        if key is None:
            return None
        for name, value in self.rules.tables[table].items():
            if fold(name) == fold(key.value):
                return as_float(Decimal(str(value)), 0)
        return None

    def _text_test(self, name: str, text: str, argument: ast.expr) -> bool:
        wanted = [entry.value for entry in self._entries(argument)]
        if name == "has_word":
            return has_word(text, wanted)
        if name == "contains_any":
            return any(entry.casefold() in text.casefold() for entry in wanted)
        if name == "starts_with":
            return any(fold(text).startswith(entry.casefold()) for entry in wanted)
        return any(re.search(entry, text, re.IGNORECASE) for entry in wanted)

    def _clock(self, name: str) -> Any:
        now, day_only = local(self.row, self.rules), self.row.get("day_only", False)
        if name == "weekday":
            return float(now.isoweekday())
        if name == "day_of_month":
            return float(now.day)
        if name == "is_weekend":
            return now.isoweekday() in self.rules.weekend
        if day_only:
            return None
        if name == "hour":
            return float(now.hour)
        minute, (start, end) = now.hour * 60 + now.minute, self.rules.night
        return start <= minute < end if start <= end else minute >= start or minute < end

    def _scalar(self, name: str, values: list[Any]) -> Any:
        first, decimals = values[0], self.rules.decimals
        if name in ("days", "hours", "minutes"):
            return Span(int(first * {"days": DAY, "hours": 3_600_000, "minutes": 60_000}[name]))
        if name == "since":
            return Span(self.row["occurred_at"] - first.ms)
        if name == "lower":
            return Text(first.value.lower())
        if name == "length":
            return float(len(first.value))
        if name == "email_domain":
            before, _, after = fold(first.value).rpartition("@")
            return Text(after) if before and after else None
        if name == "abs":
            if isinstance(first, Money):
                return Money(abs(first.minor))
            return Span(abs(first.ms)) if isinstance(first, Span) else abs(as_float(first, decimals))
        if name == "is_round":
            if isinstance(first, float):
                return first % float(values[1]) == 0
            return exactly(first, decimals) % values[1] == 0
        if name == "distance_km":
            return distance_m(*(as_float(value, decimals) for value in values)) / 1000
        value = as_float(first, decimals)
        if name == "round":
            return float(round(value)) if math.isfinite(value) else value
        assert name == "log10", name
        return math.log10(value) if value > 0 else None

    # windows

    def _window(self, window: Window) -> Any:
        transaction, t = self.transaction, self.transaction["occurred_at"]
        key = self.oracle.key(transaction, window.by, window.of)
        if key is None:
            return None
        if transaction.get("day_only") and window.last is not None and window.last < DAY:
            return None
        history = self.oracle.histories[window.by].get(key, History())
        horizon = self.oracle.horizon(transaction, window.by, key)
        start = self._start(window, horizon)
        if horizon is not None and (t < horizon or (start is not None and start < horizon)):
            self.expired = True
            return None
        rows = [
            row
            for row in history.rows
            if row["occurred_at"] <= t
            and (horizon is None or row["occurred_at"] > horizon)
            and (start is None or row["occurred_at"] > start)
        ]
        if not window.prior and self.oracle.key(transaction, window.by, window.by) == key:
            rows.append(transaction)
        if window.where is not None:
            rows = [row for row in rows if self._holds(window.where, row)]
        return self._over(window, rows)

    def _start(self, window: Window, horizon: int | None) -> int | None:
        """The last moment that is outside; None where nothing is."""
        if window.last is not None:
            return int(self.transaction["occurred_at"] - window.last)
        return calendar_start(self.transaction, window.this, self.rules) if window.this else horizon

    def _holds(self, where: ast.expr, row: Transaction) -> bool:
        return Look(self.oracle, self.transaction, row, {}).value(where) is True

    def _over(self, window: Window, rows: list[Transaction]) -> Any:
        name = window.function
        if name == "count":
            return float(len(rows))
        if name in ("since_last", "since_first", "distance_km", "speed_kmh"):
            return self._from_row(name, rows)
        assert window.value is not None
        rows = [row for row in rows if row.get(window.value) is not None]
        if name == "previous":
            return self.field(window.value, newest(rows)) if rows else None
        if name in ("distinct", "is_new"):
            return self._among(window, rows)
        if len(rows) < window.min_samples:
            return None
        if name in ("min", "max"):
            values = [row[window.value] for row in rows]
            best = (min if name == "min" else max)(values) if values else None
            return self.field(window.value, {window.value: best})
        return self._sums(window, [row[window.value] for row in rows])

    def _from_row(self, name: str, rows: list[Transaction]) -> Any:
        """What the newest row says, or the oldest."""
        if not rows:
            return None
        now, last = self.transaction, newest(rows)
        if name == "since_first":
            return Span(now["occurred_at"] - min(row["occurred_at"] for row in rows))
        elapsed = now["occurred_at"] - last["occurred_at"]
        if name == "since_last":
            return Span(elapsed)
        places: list[Any] = [last.get("latitude"), last.get("longitude"), now.get("latitude"), now.get("longitude")]
        if any(place is None for place in places):
            return None
        km = distance_m(*places) / 1000
        if name == "distance_km":
            return km
        if now.get("day_only") or last.get("day_only"):
            return None
        if elapsed == 0:
            return math.inf if km > 0 else 0.0
        return km / (elapsed / 3_600_000)

    def _among(self, window: Window, rows: list[Transaction]) -> Any:
        """How many different values there are, or whether the current one is not among them."""
        assert window.value is not None
        name = window.value

        def compared(row: Transaction) -> Any:
            value = row[name]
            return fold(value) if isinstance(value, str) and name not in EXACT else value

        seen = {compared(row) for row in rows}
        if window.function == "distinct":
            return float(len(seen))
        if self.transaction.get(name) is None:
            return None
        if not seen:
            return True if window.first else None
        return compared(self.transaction) not in seen

    def _sums(self, window: Window, values: list[int]) -> Any:
        """sum, avg, stddev, zscore: all from exact integers."""
        assert window.value is not None
        name, n, total = window.function, len(values), sum(values)
        scaled = self.rules.scaled.get(window.value)
        if abs(total) > LARGEST:
            self.overflowed = True
            return None
        if name == "sum":
            return Money(total) if scaled is None else Scaled(total, scaled)
        unit = 10 ** (self.rules.decimals if scaled is None else scaled)
        if n == 0:
            return None
        average = total / (n * unit)
        if name == "avg":
            return average
        if n < 2:
            return None
        squares = n * sum(value * value for value in values) - total * total
        deviation = math.sqrt(float(squares) / float(n * (n - 1))) / unit
        if name == "stddev":
            return deviation
        x = self.transaction.get(window.value)
        return None if x is None or deviation == 0 else (x / unit - average) / deviation


def newest(rows: list[Transaction]) -> Transaction:
    """The last row in history order."""
    return max(rows, key=lambda row: (row["occurred_at"], row["id"].encode()))


def decisions(
    ruleset: dict[str, Any], transactions: Iterable[Transaction], received_at: int, only: set[int] | None = None
) -> list[Decision]:
    """Decide transactions in order of arrival; where `only` is given, the others just enter the histories."""
    oracle = Oracle(ruleset, received_at)
    decided: list[Decision] = []
    for position, transaction in enumerate(transactions):
        if only is None or position in only:
            decided.append(oracle.decide(transaction))
        else:
            oracle.add(transaction)
    return decided
