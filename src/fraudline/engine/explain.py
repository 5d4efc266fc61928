"""Why: one decision's facts rendered as the JSON that people and programs read.

Nothing is decided here. Values inside conditions come from the same generated code that decided (`Writer`), run again
on the one transaction with the stored features in place of the histories.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from fraudline.domain.decision import DEGRADED, OUTCOMES, Decision, Facts
from fraudline.domain.money import DECIMALS, from_minor
from fraudline.domain.transaction import MAX_MINOR
from fraudline.engine import facts as packed
from fraudline.engine import kernel, places, record, words, zones
from fraudline.engine.compile import PRELUDE, Program, Writer, build, columns_reader
from fraudline.engine.decide import state_for, text_columns
from fraudline.engine.expression import unparse
from fraudline.engine.features import Frame, Layout, Slot, deep, is_text, literal_text
from fraudline.engine.history import RolePlan
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

SCHEMA = "fraudline.decision/1"
_PLACES = re.compile(r"\{\{|\}\}|\{([^}]*)\}")
REASONS_SHOWN = 5
INFINITE = float("inf")
_FLIPPED = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_MIRRORED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
_FINDERS = {"has_word": words.matched_word, "contains_any": words.contained, "starts_with": words.prefixed}


# ---- the JSON --------------------------------------------------------------------------------------------------------


def document(program: Program, decision: Decision, tenant: str = "default") -> dict[str, Any]:
    """The whole JSON of a stored decision: body and envelope."""
    transaction = {**decision.transaction, "id": decision.transaction_id, "occurred_at": decision.occurred_at}
    envelope = {
        "tenant": tenant,
        "sequence": decision.sequence,
        "received_at": record.rfc3339(decision.received_at),
        "source": decision.source,
        "row": decision.row,
        "path": decision.path,
        "consistency": consistency(program),
        "engine": decision.engine,
        "hash": decision.hash.hex(),
    }
    rendered = body(program, transaction, decision.facts, decision.received_at)
    rendered["versions"] = versions(program, decision.data)
    return {"schema": SCHEMA, **rendered, **envelope}


def body(program: Program, transaction: dict[str, Any], facts: bytes, received_at: int | None = None) -> dict[str, Any]:
    """The part that follows from facts, transaction and ruleset alone.

    Where rules expire, `received_at` is needed to say what would change the outcome.
    """
    view = _View(program, transaction, unpack(program, facts), received_at)
    known = view.facts
    return {
        "transaction_id": transaction["id"],
        "outcome": known.outcome,
        "outcome_because": view.because(),
        "level": known.level,
        "score": known.score,
        "probability": known.probability,
        "transaction": view.present(),
        "reasons": view.reasons(),
        "rules": {
            "fired": [view.fired(position) for position in known.fired],
            "unknown": [view.unknown(position) for position in known.unknown],
            "suppressed": [view.suppressed(position) for position in known.suppressed],
            "shadow": [],
        },
        "features": view.features(),
        "model": None,
        "inputs": {"missing": view.missing_fields(), "warnings": view.warnings()},
        "degraded": list(known.degraded),
        "alert": {"raised": known.alert, "because": view.alert_because()},
        "what_would_change_it": view.counterfactuals(),
        "versions": versions(program),
    }


def compact(program: Program, transaction: dict[str, Any], facts: bytes) -> bytes:
    """The short form that alerts carry, as JSON."""
    view = _View(program, transaction, unpack(program, facts))
    shown = view.present()
    return msgspec.json.encode(
        {
            "schema": SCHEMA,
            "transaction_id": transaction["id"],
            "outcome": view.facts.outcome,
            "level": view.facts.level,
            "score": view.facts.score,
            "reasons": view.reasons(),
            "amount": shown.get("amount"),
            "currency": shown.get("currency"),
            "account": shown.get("account"),
            "occurred_at": shown["occurred_at"],
        }
    )


def unpack(program: Program, facts: bytes) -> Facts:
    """Stored facts as values.

    Raises ValueError where they were not written under this ruleset.
    """
    return packed.unpack(facts, len(program.ruleset.rules), len(program.slots), _text_slots(program))


def _text_slots(program: Program) -> list[int]:
    coded = set(text_columns(program))
    places = [at for key, at in program.layout.columns.items() if key[0] == "slot"]
    return [position for position, at in enumerate(places) if at in coded]


def versions(program: Program, data: str | None = None) -> dict[str, Any]:
    """What a decision was made with: by default, what one made now would be."""
    files = dict(part.split("=", 1) for part in (data or data_versions()).split("; "))
    return {**_rule_versions(program), "rates": None, "model": None, "data": files}


@lru_cache(maxsize=64)
def _rule_versions(program: Program) -> dict[str, str]:
    ruleset = program.ruleset
    lists = hashlib.sha256(msgspec.json.encode(ruleset.lists, order="deterministic")).hexdigest()
    return {"ruleset": f"{ruleset.name}@{ruleset.sha256()}", "lists": lists}


@lru_cache(maxsize=1)
def data_versions() -> str:
    """The versions of the data files a decision depends on: `tz=...; cities=...; currencies=...`."""
    currencies = hashlib.sha256(msgspec.json.encode(DECIMALS, order="deterministic")).hexdigest()
    return f"tz={zones.tz_version()}; cities={places.cities_version()[:16]}; currencies={currencies[:16]}"


def consistency(program: Program) -> dict[str, str]:
    """Per window: exact, or shared where another writer's transaction of the same moment may be missing."""
    shared = set(program.ruleset.shared)
    return {text: "shared" if set(window.by) <= shared else "exact" for text, window in _windows(program)}


@lru_cache(maxsize=64)
def _windows(program: Program) -> tuple[tuple[str, Window], ...]:
    """Every window of a ruleset, as it is written and as it is."""
    trees = (*program.trees.rules, *program.trees.features.values(), program.trees.alert, program.trees.score)
    found = dict.fromkeys(node for tree in trees for node in deep(tree) if isinstance(node, Window))
    return tuple((unparse(window), window) for window in found)


@lru_cache(maxsize=64)
def _read_by_rules(program: Program) -> tuple[str, ...]:
    """The fields that the rules look at, in order of their names."""
    return tuple(sorted({name for tree in program.trees.rules for node in deep(tree) for name in _fields_of(node)}))


# ---- values ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Probe:
    """A generated function that gives back the value of every numeric and boolean node of a ruleset.

    Its layout is the program's, and the columns of features that no rule looks at.
    """

    layout: Layout
    nodes: tuple[Node, ...]
    run: Callable[..., tuple[float, ...]]


@lru_cache(maxsize=64)
def _probe_of(program: Program) -> _Probe:
    layout = Layout(dict(program.layout.columns))
    writer = Writer(layout, program.ruleset, columns_reader(layout))
    nodes: dict[Node, str] = {}
    for tree in (*program.trees.rules, *program.trees.features.values()):
        for node in deep(tree):
            if node not in nodes and not is_text(node) and not isinstance(node, Special):
                boolean = node.type is Type.BOOLEAN
                nodes[node] = writer.truth(node) if boolean else writer.number(node)
    source = (
        PRELUDE
        + "def run(X):\n    i = 0\n"
        + "".join(f"    c{at} = X[{at}]\n" for at in layout.columns.values())
        + "".join(f"    {line}\n" for line in writer.lines)
        + f"    return ({''.join(name + ', ' for name in nodes.values())})\n"
    )
    return _Probe(layout, tuple(nodes), build(source))


class _View:
    """One transaction under one ruleset, with every value that its decision saw."""

    def __init__(
        self, program: Program, transaction: dict[str, Any], facts: Facts, received_at: int | None = None
    ) -> None:
        self.received_at = received_at
        self.program = program
        self.ruleset = program.ruleset
        self.transaction = transaction
        self.facts = facts
        probe = _probe_of(program)
        self.frame = self._frame(transaction, probe.layout)
        self.values = dict(zip(probe.nodes, probe.run(self.frame.X), strict=True))

    def _frame(self, transaction: dict[str, Any], layout: Layout) -> Frame:
        program = self.program
        state = state_for(program)
        X = [[0.0] for _ in layout.columns]
        batch = record.batch_of([transaction], program.ruleset)
        frame = Frame(batch, program.ruleset, layout, state, X, [self.facts.probability])
        frame.fill(after_fold=False)
        places = [at for key, at in program.layout.columns.items() if key[0] == "slot"]
        for at, value in zip(places, self.facts.features, strict=True):
            coded = state.codes[value] if isinstance(value, str) else value
            X[at][0] = kernel.NAN if coded is None else coded
        frame.fill(after_fold=True)
        return frame

    # values as people read them --------------------------------------------------------------------------------------

    def text(self, node: Node) -> str | None:
        return self.frame.raw(node)[0]

    def number(self, node: Node) -> float:
        value = self.values.get(node)
        if value is not None:
            return value
        if isinstance(node, Literal):
            scale = 10 ** DECIMALS[self.ruleset.currency] if node.type is Type.MONEY else 1
            return float(Decimal(node.value) * scale)
        if isinstance(node, Negative):
            return -self.number(node.operand)
        return kernel.NAN

    def plain(self, node: Node) -> Any:
        """The value for programs: money in units of the currency, None where missing."""
        if is_text(node):
            return self.text(node)
        value = self.number(node)
        if node.type is Type.BOOLEAN:
            return None if value == 1 else value == 2
        if value != value:
            return None
        if value in (INFINITE, -INFINITE):
            return "infinite" if value > 0 else "minus infinite"  # JSON has no number for it, and it is not missing
        if node.type is Type.MONEY:
            return from_minor(round(value), DECIMALS[self.ruleset.currency])
        if node.type in (Type.DURATION, Type.TIME):
            return value / 1000.0 if node.type is Type.DURATION else record.rfc3339(round(value))
        return _tidy(value)

    def said(self, node: Node, as_type: Type | None = None) -> str:
        """The value in a sentence."""
        value = self.plain(node)
        if value is None or isinstance(value, str):
            return value or "missing"
        if (as_type or node.type) is Type.MONEY or self.in_currency(node):
            return self._money(value)
        if node.type is Type.DURATION:
            return said_duration(self.number(node))
        if isinstance(value, float):
            return f"{value:,.2f}"
        return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)

    def _money(self, value: float) -> str:
        return f"{value:,.{DECIMALS[self.ruleset.currency]}f} {self.ruleset.currency}"

    def in_currency(self, node: Node) -> bool:
        """Whether a plain number is an amount of money all the same: an average of amounts, or their spread."""
        if isinstance(node, Feature):
            return self.in_currency(node.body)
        averaged = isinstance(node, Window) and node.function in ("avg", "stddev")
        return averaged and self.ruleset.kind(getattr(node, "value", None) or "") == "money"

    # what the decision says ------------------------------------------------------------------------------------------

    def present(self) -> dict[str, Any]:
        shown = record.present(self.transaction, self.ruleset)
        shown.setdefault("currency", self.ruleset.currency)
        wanted = ("account", "amount", "currency", "location", "merchant", "description", "occurred_at")
        first = {name: shown[name] for name in wanted if shown.get(name) is not None}
        rest = {k: v for k, v in shown.items() if v is not None and k not in first and k not in ("id", "day_only")}
        return {**first, **rest}

    def because(self) -> str:
        known, ruleset = self.facts, self.ruleset
        review, decline = ruleset.outcomes
        approved = [r for r in known.fired if ruleset.rules[r].outcome == "approve"]
        if approved and known.outcome == "approve":
            return f"rule {ruleset.rules[approved[0]].id} approves (owner {ruleset.rules[approved[0]].owner})"
        forced = [r for r in known.fired if ruleset.rules[r].outcome == known.outcome]
        by_score = OUTCOMES[2 if known.score >= decline else 1 if known.score >= review else 0]
        if known.outcome != "approve" and (approved or not (forced or by_score == known.outcome)):
            return f"raised to {known.outcome} because the decision is degraded: {', '.join(known.degraded)}"
        if forced and OUTCOMES.index(by_score) < OUTCOMES.index(known.outcome):
            return f"rule {ruleset.rules[forced[0]].id} forces {known.outcome}"
        if known.outcome == "approve":
            return f"score {known.score} is below {review}"
        return f"score {known.score} is at least {decline if known.outcome == 'decline' else review}"

    def reasons(self) -> list[dict[str, Any]]:
        rules = self.ruleset.rules
        order = sorted(self.facts.fired, key=lambda r: (rules[r].outcome is None, -rules[r].points, r))
        return [
            {
                "code": rules[r].id,
                "text": self.reason(r),
                "points": rules[r].points,
                "source": "rule",
                "typology": rules[r].typology or None,
                "limit": self.limit(self.program.trees.rules[r]),
            }
            for r in order[:REASONS_SHOWN]
        ]

    def reason(self, position: int) -> str:
        rule = self.ruleset.rules[position]
        return render_template(rule.reason or rule.id, lambda name: self._named(name, position))

    def _named(self, name: str, position: int) -> str:
        tree = self.program.trees.rules[position]
        if name.endswith(":limit"):
            pair = _compared(tree, name[: -len(":limit")])
            return self.said(pair[1], pair[0].type) if pair else "its limit"
        if name == "matched":
            return self.matched(tree) or "a listed word"
        if name == "local_time":
            return self.local_time()
        if name in self.program.trees.features:
            return self.said(self.program.trees.features[name])
        for node in deep(tree):
            if isinstance(node, Window) and node.function == name:
                return self.said(node)
        kind = self.ruleset.kind(name)
        if kind is None:
            return name
        value = record.present(self.transaction, self.ruleset).get(name)
        if value is None:
            return "missing"
        return self._money(value) if kind == "money" else str(value)

    def matched(self, tree: Node) -> str | None:
        """The word, list entry or piece of text that a condition found."""
        for node in deep(tree):
            if isinstance(node, Call) and node.function in (*_FINDERS, "matches"):
                text = self.text(node.arguments[0])
                if text is None:
                    continue
                if node.function == "matches":
                    found = words.found(text, literal_text(node.arguments[1]))
                else:
                    entries = node.values or tuple(literal_text(a) for a in node.arguments[1:])
                    found = _FINDERS[node.function](text, entries)
                if found is not None:
                    return f'"{found.strip("*")}"'
        return None

    def local_time(self) -> str:
        moment = datetime(1970, 1, 1) + timedelta(milliseconds=self.frame.local_ms()[0])  # noqa: DTZ001 - wall clock
        zone = self.transaction.get("timezone") or self.ruleset.timezone
        day = f"{moment:%A} {moment.day} {moment:%B %Y}"
        return f"{day} ({zone})" if self.transaction.get("day_only") else f"{moment:%H:%M} on {day} ({zone})"

    def limit(self, tree: Node) -> Any:
        """The constant of the first comparison, for programs."""
        for node in deep(tree):
            if isinstance(node, Compare) and not is_text(node.left) and isinstance(_constant_side(node), Literal):
                constant = _constant_side(node)
                return self.plain(constant) if constant is not None else None
        return None

    def fired(self, position: int) -> dict[str, Any]:
        rule, tree = self.ruleset.rules[position], self.program.trees.rules[position]
        return {"id": rule.id, "points": rule.points, "condition": unparse(tree), "values": self.shown(tree)}

    def unknown(self, position: int) -> dict[str, Any]:
        rule, tree = self.ruleset.rules[position], self.program.trees.rules[position]
        return {"id": rule.id, "missing": self.missing(tree)}

    def suppressed(self, position: int) -> dict[str, Any]:
        return {"id": self.ruleset.rules[position].id, "by": self.suppressors().get(position)}

    def suppressors(self) -> dict[int, str]:
        """Which rule suppressed each suppressed one: in file order; what is suppressed by then suppresses nothing."""
        by: dict[int, str] = {}
        hit = sorted((*self.facts.fired, *self.facts.suppressed))
        for r in hit:
            rule = self.ruleset.rules[r]
            if r not in by:
                by.update((k, rule.id) for k in hit if k not in by and self.ruleset.rules[k].id in rule.suppresses)
        return by

    def missing(self, tree: Node) -> list[str]:
        """What was missing where a condition stayed unknown: fields, and what could not be computed from others."""
        names: dict[str, None] = {}
        for node in deep(tree):
            if isinstance(node, Window):
                if self.is_missing(node):
                    keys = [key for key in (node.of or node.by) if self.transaction.get(key) is None]
                    names.update(dict.fromkeys(keys or [unparse(node)]))
            elif (isinstance(node, Field) and self.is_missing(node)) or (
                isinstance(node, Special) and self.facts.probability is None
            ):
                names[node.name] = None
            elif isinstance(node, Call | Arithmetic) and self._is_cause(node):  # a division by zero, no domain ...
                names[unparse(node) if any(node.children()) else "time of day"] = None
        return list(names)

    def _is_cause(self, node: Node) -> bool:
        return self.is_missing(node) and not any(self.is_missing(child) for child in node.children())

    def is_missing(self, node: Node) -> bool:
        if is_text(node):
            return self.text(node) is None
        value = self.number(node)
        return value == 1 if node.type is Type.BOOLEAN else value != value

    def missing_fields(self) -> list[str]:
        return [name for name in _read_by_rules(self.program) if self.transaction.get(name) is None]

    def features(self) -> dict[str, Any]:
        named = {name: self.plain(tree) for name, tree in self.program.trees.features.items()}
        windows = {
            text: self.plain(node) for text, node in _windows(self.program) if node in self.values or is_text(node)
        }
        return {**named, **windows}

    def warnings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        if self.facts.late_ms:
            found.append({"code": "LATE", "seconds": _tidy(self.facts.late_ms / 1000)})
        if self.facts.covered_ms is not None:
            longest = self.program.longest_window_ms
            text = f"covered {said_duration(self.facts.covered_ms)} of {said_duration(longest)}"
            found.append(
                {
                    "code": "COVERED",
                    "text": text,
                    "covered_seconds": self.facts.covered_ms // 1000,
                    "of_seconds": longest // 1000,
                }
            )
        return found

    def alert_because(self) -> str | None:
        return unparse(self.program.trees.alert) if self.facts.alert else None

    # conditions with values ------------------------------------------------------------------------------------------

    def shown(self, node: Node) -> str:
        """A condition with the values seen in place of names; of an `or`, the sides that were true."""
        match node:
            case And(operands=operands):
                return " and ".join(self._grouped(operand) for operand in operands)
            case Or(operands=operands):
                true = [operand for operand in operands if self.values.get(operand) == 2] or list(operands)
                return " or ".join(self._grouped(operand) for operand in true)
            case Not(operand=operand):
                return f"not {self._grouped(operand)}"
            case Feature(body=inner) if node.type is Type.BOOLEAN:
                return self.shown(inner)
            case Compare(op=op, left=left, right=right):
                one, other = self._value(left), self._value(right)
                if (
                    one == other and not is_text(left) and self.number(left) != self.number(right)
                ):  # rounding must not hide the difference
                    one, other = repr(self.plain(left)), repr(self.plain(right))
                return f"{one} {op} {other}"
            case Member(item=item, source=source, values=values, negated=negated):
                wanted = source or "(" + ", ".join(repr(str(value)) for value in values) + ")"
                return f"{self._value(item)} {'not in' if negated else 'in'} {wanted}"
            case Call(function=function, arguments=arguments) if arguments and is_text(arguments[0]):
                found = self.matched(node)
                rest = f" found {found}" if found else ""
                return f"{function}({self._value(arguments[0])}){rest}"
        value = self.values.get(node)
        return f"{unparse(node)} is {'missing' if value == 1 else 'true' if value == 2 else 'false'}"

    def _grouped(self, node: Node) -> str:
        text = self.shown(node)
        return f"({text})" if isinstance(node, And | Or) else text

    def _value(self, node: Node) -> str:
        if is_text(node):
            text = self.text(node)
            return "missing" if text is None else f'"{text}"'
        if node.type is Type.DURATION:
            return said_duration(self.number(node))
        value = self.plain(node)
        return "missing" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)

    # what would change it --------------------------------------------------------------------------------------------

    def counterfactuals(self) -> list[str]:
        """Values of one numeric field that lower the outcome, each verified by deciding again with it; of several that
        reach the same in the same direction, the one that asks least.

        None are told of a decision in which something could not be computed: it could not be made again for sure.
        """
        if self.facts.outcome == "approve" or "rule_error" in self.facts.degraded:
            return []
        if self.received_at is None and any(rule.expires is not None for rule in self.ruleset.rules):
            return []
        weakest: dict[tuple[str, str, str], tuple[int | float, str]] = {}
        for position in self.facts.fired:
            for node in deep(self.program.trees.rules[position]):
                change = self._change(node)
                if change is None:
                    continue
                field, op, constant, value = change
                outcome = self._decided_with(field.name, value)
                if outcome is None or OUTCOMES.index(outcome) >= OUTCOMES.index(self.facts.outcome):
                    continue
                kept = weakest.setdefault((outcome, field.name, op[0]), (value, f"{op} {self._value(constant)}"))
                if value > kept[0] if op[0] == "<" else value < kept[0]:
                    weakest[outcome, field.name, op[0]] = (value, f"{op} {self._value(constant)}")
        return [f"{outcome} if {name} {change}" for (outcome, name, _), (_, change) in weakest.items()]

    def _change(self, node: Node) -> tuple[Field, str, Node, int | float] | None:
        if not isinstance(node, Compare) or node.op not in _FLIPPED:
            return None
        field, op, constant = node.left, node.op, node.right
        if isinstance(constant, Field):
            field, op, constant = node.right, _MIRRORED[node.op], node.left
        if not isinstance(field, Field) or not isinstance(constant, Literal):
            return None
        if field.type not in (Type.MONEY, Type.NUMBER):
            return None
        spec = self.ruleset.spec(field.name)
        money = field.type is Type.MONEY
        scale = 10 ** (DECIMALS[self.ruleset.currency] if money else (spec.decimals or 0) if spec else 0)
        exact = Decimal(constant.value) * scale
        step = 1 if money or (spec and spec.decimals) else Decimal("0.000001")
        shifted = exact - step if op == ">=" else exact + step if op == "<=" else exact
        whole = money or bool(spec and spec.decimals)
        return field, _FLIPPED[op], constant, int(shifted) if whole else float(shifted)

    def _decided_with(self, name: str, value: int | float) -> str | None:
        """The outcome had this field had this value; None where a stored window cannot be corrected for it."""
        old = self.transaction.get(name)
        if self.ruleset.kind(name) == "money" and abs(value) > MAX_MINOR:
            return None
        X = [list(column) for column in self.frame.X]
        for key, at in self.program.layout.columns.items():
            if key[0] != "slot" or not _involves(key[1], name):
                continue
            slot = key[1]
            if slot.op != kernel.SUM or slot.where is not None or name in (*slot.by, *slot.of) or old is None:
                return None
            if self._is_own(slot):
                X[at][0] += value - old
            if abs(X[at][0]) > kernel.LARGEST_EXACT:
                return None
        changed = {**self.transaction, name: value}
        batch = record.batch_of([changed], self.ruleset)
        frame = Frame(batch, self.ruleset, self.frame.layout, self.frame.state, X, [self.facts.probability])
        frame.fill(after_fold=False)
        frame.fill(after_fold=True)
        rules = len(self.ruleset.rules)
        causes = sum(1 << DEGRADED.index(cause) for cause in self.facts.degraded)
        states: list[list[int]] = [[0] for _ in range(rules)]
        results: list[list[int]] = [[0] for _ in range(4)]
        until = self.program.active_until
        self.program.rules.plain(1, X, float(self.received_at or 0), until, [causes], states, *results)
        return OUTCOMES[results[2][0]]

    def _is_own(self, slot: Slot) -> bool:
        """Whether the history a window looks at is the one that this transaction itself enters."""
        (own, looked_up), *_ = self.frame.keys([RolePlan(slot.by, (slot.by, slot.of), (), (), (), exact=True)])
        return own == looked_up


def _involves(slot: Any, name: str) -> bool:
    """Whether the current transaction's field takes part in a window's value."""
    if name in (*slot.by, *slot.of):
        return True
    if slot.op in (kernel.DISTANCE, kernel.SPEED) and name in ("latitude", "longitude"):
        return True
    mentioned = slot.where is not None and any(getattr(node, "name", None) == name for node in slot.where.walk())
    if mentioned and (slot.current or any(type(node).__name__ == "Current" for node in slot.where.walk())):
        return True
    if slot.value != name or (slot.valid and slot.op == kernel.COUNT):
        return False
    return bool(slot.current or slot.op == kernel.IS_NEW)


# ---- small things ----------------------------------------------------------------------------------------------------


def render_template(template: str, value: Callable[[str], str]) -> str:
    """`{name}` replaced by its value; `{{` and `}}` stand for braces."""
    return _PLACES.sub(lambda place: place[0][0] if place[1] is None else value(place[1].strip()), template)


def said_duration(ms: float) -> str:
    """A span of time in the one or two units that people would use."""
    if ms != ms:
        return "missing"
    seconds = abs(ms) / 1000.0
    sign = "-" if ms < 0 else ""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            amount = seconds / size
            text = f"{amount:.1f}".removesuffix(".0")
            return f"{sign}{text} {unit}{'' if text == '1' else 's'}"
    text = f"{seconds:.3f}".rstrip("0").rstrip(".")
    return f"{sign}{text} second{'' if text == '1' else 's'}"


def _tidy(value: float) -> int | float:
    return int(value) if value == value and abs(value) < 2**53 and value == int(value) else value


def _fields_of(node: Node) -> tuple[str, ...]:
    if isinstance(node, Field):
        return (node.name,)
    if isinstance(node, Window):
        return tuple(filter(None, (*(node.of or node.by), node.value)))
    return ()


def _constant_side(node: Compare) -> Node | None:
    return next((side for side in (node.right, node.left) if isinstance(side, Literal)), None)


def _compared(tree: Node, name: str) -> tuple[Node, Node] | None:
    """The side of a comparison that is about `name`, and the other side."""
    for node in deep(tree):
        if isinstance(node, Compare):
            for side, other in ((node.left, node.right), (node.right, node.left)):
                if any(name in (getattr(one, "name", None), getattr(one, "function", None)) for one in side.walk()):
                    return side, other
    return None
