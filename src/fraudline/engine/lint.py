"""Reasons that name what is not there (errors), and conditions that hardly mean what they say (warnings)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction

from fraudline.domain.errors import Problem
from fraudline.domain.ruleset import Rule, Ruleset
from fraudline.domain.transaction import FIELDS
from fraudline.engine import possible
from fraudline.engine.canonical import duration, number, unparse
from fraudline.engine.expression import Trees, alike
from fraudline.engine.syntax import Source
from fraudline.engine.template import Placeholder, placeholders, stray_brace
from fraudline.engine.tree import (
    FUNCTIONS,
    WINDOWS,
    Arithmetic,
    Call,
    Compare,
    Current,
    Feature,
    Field,
    Literal,
    Member,
    Node,
    Special,
    Type,
    Window,
)

_ALWAYS_SAID = frozenset({"id", "occurred_at", "amount", "account", "currency", "local_time"})
_SEARCHES = frozenset({"has_word", "contains_any", "starts_with", "matches"})


def lint(ruleset: Ruleset, trees: Trees) -> list[Problem]:
    """What is wrong with reasons, and everything a reviewer would ask about. `where` says which part it is about."""
    problems: list[Problem] = []
    for rule, condition in zip(ruleset.rules, trees.rules, strict=True):
        problems.extend(_reason(ruleset, rule, condition))
        problems.extend(_condition(rule, condition))
        problems.extend(_divisions(condition, rule.when, f"rule {rule.id}"))
        problems.extend(_habits(rule))
    for name, body in trees.features.items():
        problems.extend(_units(body, ruleset.features[name], f"feature {name}"))
        problems.extend(_divisions(body, ruleset.features[name], f"feature {name}"))
    problems.extend(_units(trees.alert, ruleset.alert, "alert"))
    problems.extend(_units(trees.score, ruleset.score, "score"))
    problems.extend(_divisions(trees.alert, ruleset.alert, "alert"))
    problems.extend(_divisions(trees.score, ruleset.score, "score"))
    problems.extend(_twins(ruleset.rules, trees.rules))
    problems.extend(_unused(ruleset, trees))
    return problems


def _warning(where: str, message: str, suggestion: str = "", line: int = 0) -> Problem:
    """Advice about a part of the ruleset; without a line it stands where that part's text does."""
    return Problem(message=message, line=line, where=where, suggestion=suggestion, severity="warning")


# -- reasons -------------------------------------------------------------------------------------------------------


def _reason(ruleset: Ruleset, rule: Rule, condition: Node) -> Iterator[Problem]:
    where = f"rule {rule.id}, reason"
    brace = stray_brace(rule.reason)
    if brace is not None:
        message = "this brace belongs to no {name} or {name:limit}"
        yield Problem(message=message, where=where, text=rule.reason, start=brace, end=brace + 1)
    known = _sayable(ruleset, condition)
    seen = _seen(condition)
    for placeholder in placeholders(rule.reason):
        fault = _placeholder_fault(placeholder, known, condition)
        if fault:
            yield Problem(
                message=fault[0],
                where=where,
                text=rule.reason,
                start=placeholder.start,
                end=placeholder.end,
                suggestion=fault[1],
            )
        elif placeholder.name not in seen | _ALWAYS_SAID:
            message = f"the reason names '{placeholder.name}', which the condition does not look at"
            yield _warning(where, message)


def _placeholder_fault(placeholder: Placeholder, known: set[str], condition: Node) -> tuple[str, str] | None:
    name = placeholder.name
    if name not in known:
        if name in WINDOWS or name in FUNCTIONS:
            return f"the condition has no {name}(...)", "a window inside a named feature is said by the feature's name"
        if name == "matched":
            return "the condition searches no text, so nothing is matched", ""
        return f"unknown value '{name}'", alike(
            name, known
        ) or "a reason names fields, features and the windows it uses"
    if placeholder.limit and not any(name in pair for pair in _limits(condition)):
        return f"the condition compares '{name}' with no constant", f"write {{{name}}} alone"
    return None


def _sayable(ruleset: Ruleset, condition: Node) -> set[str]:
    """The names a reason for this condition may use."""
    calls = {node.function for node in _own(condition) if isinstance(node, Window | Call)}
    specials = {node.name for node in _own(condition) if isinstance(node, Special)}
    matched = {"matched"} if any(isinstance(n, Call) and n.function in _SEARCHES for n in condition.walk()) else set()
    attributes = {spec.name for spec in ruleset.fields}
    return {*FIELDS, *attributes, *ruleset.features, *calls, *specials, *matched, "local_time"}


def _own(node: Node) -> Iterator[Node]:
    """The nodes a condition writes itself: not those inside the named features it uses."""
    yield node
    if not isinstance(node, Feature):
        for child in node.children():
            yield from _own(child)


def _seen(condition: Node) -> set[str]:
    """Every name the condition looks at, through its features too."""
    names: set[str] = set()
    for node in condition.walk():
        if isinstance(node, Field | Current | Feature | Special):
            names.add(node.name)
        elif isinstance(node, Window):
            names.update((node.function, *node.by, *node.of, *([node.value] if node.value else ())))
            names.update(("latitude", "longitude", "location") if node.function in ("distance_km", "speed_kmh") else ())
        elif isinstance(node, Call):
            names.update({node.function} | ({"matched"} if node.function in _SEARCHES else set()))
    return names


def _limits(condition: Node) -> Iterator[set[str]]:
    """For each comparison with a constant: the name of what is compared."""
    for node in _own(condition):
        if isinstance(node, Compare):
            for side, other in ((node.left, node.right), (node.right, node.left)):
                if isinstance(other, Literal):
                    yield {getattr(side, "name", ""), getattr(side, "function", "")}


# -- conditions ------------------------------------------------------------------------------------------------------


def _condition(rule: Rule, condition: Node) -> Iterator[Problem]:
    where = f"rule {rule.id}"
    units = list(_units(condition, rule.when, where))
    yield from units
    if units:
        return  # the odd comparison explains the rest
    if possible.never(condition):
        yield _warning(where, "this rule can never fire: nothing satisfies its condition")
    elif possible.always(condition):
        yield _warning(where, "this rule fires on every transaction (unless something it looks at is missing)")


def _units(root: Node, text: str, where: str) -> Iterator[Problem]:
    """Comparisons that are settled by what a function can give at all: usually a threshold in the wrong unit."""
    for node in _own(root):
        if not isinstance(node, Compare):
            continue
        term, constant = (node.right, node.left) if isinstance(node.left, Literal) else (node.left, node.right)
        verdict = "never" if possible.never(node) else "always" if possible.always(node) else ""
        if not verdict or isinstance(term, Literal) or not isinstance(constant, Literal):
            continue
        said = _range(possible.natural(term), term.type)
        line = Source(text)
        message = f"this is {verdict} true" + (f": {_cut(unparse(term))} is {said}" if said else "")
        yield Problem(
            message=message, where=where, text=line.text, start=node.span[0], end=node.span[1], severity="warning"
        )


def _divisions(root: Node, text: str, where: str) -> Iterator[Problem]:
    """Divisions by nothing: they give no number, so that what is compared with them is never known."""
    for node in _own(root):
        if isinstance(node, Arithmetic) and node.op == "/" and isinstance(node.right, Literal) and not node.right.value:
            yield Problem(
                message="this divides by zero: it is always missing",
                where=where,
                text=Source(text).text,
                start=node.span[0],
                end=node.span[1],
                severity="warning",
            )


def _range(range_: possible.Range, type_: Type) -> str:
    def shown(value: Fraction) -> str:
        return duration(int(value)) if type_ is Type.DURATION else number(Decimal(int(value)))

    if range_.low is not None and range_.high is not None:
        return f"between {shown(range_.low)} and {shown(range_.high)}"
    return f"at least {shown(range_.low)}" if range_.low is not None else ""


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _habits(rule: Rule) -> Iterator[Problem]:
    where, line = f"rule {rule.id}", rule.line
    if not rule.reason:
        yield _warning(where, "has no reason: nobody will know why it fired", 'add reason: "..."', line)
    if not rule.examples:
        hint = "add examples: [{amount: 12000, fires: true}]"
        yield _warning(where, "has no example: nothing shows that it works", hint, line)
    elif len({fires for example in rule.examples for fires in example.fires}) < 2:
        hint = "add one where it fires and one where it does not"
        yield _warning(where, "its examples show only one side", hint, line)


def _twins(rules: Iterable[Rule], conditions: Iterable[Node]) -> Iterator[Problem]:
    first: dict[Node, str] = {}
    for rule, condition in zip(rules, conditions, strict=True):
        if condition in first:
            yield _warning(f"rule {rule.id}", f"has the same condition as rule {first[condition]}", line=rule.line)
        first.setdefault(condition, rule.id)


def _unused(ruleset: Ruleset, trees: Trees) -> Iterator[Problem]:
    used: set[str] = set()
    for root in (*trees.rules, *trees.features.values(), trees.score, trees.alert):
        for node in _own(root):
            if isinstance(node, Feature):
                used.add(node.name)
            elif isinstance(node, Member | Call):
                used.update(name for name in (node.source, getattr(node, "table", None)) if name)
    used.update(placeholder.name for rule in ruleset.rules for placeholder in placeholders(rule.reason))
    for what, names in (("list", ruleset.lists), ("table", ruleset.tables), ("feature", ruleset.features)):
        for name in names:
            if name not in used:
                yield _warning(f"{what} {name}", "is used by no rule")
