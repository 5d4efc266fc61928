"""Rulesets as people read them: tables, the ladder of scores, and one rule taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.text import Text
from rich.tree import Tree

from fraudline import wiring
from fraudline.apps.cli import screen
from fraudline.apps.cli.root import called
from fraudline.domain.decision import LEVELS, OUTCOMES, level_of
from fraudline.domain.ruleset import Rule, Ruleset
from fraudline.engine.canonical import span, unparse
from fraudline.engine.compile import program as program_of
from fraudline.engine.examples import ExampleResult
from fraudline.engine.tree import NEVER_CURRENT, And, Call, Current, Feature, Node, Not, Or, Window

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LIST_SHOWN = 12
ORDERED = frozenset({"min", "max", "distinct"})


def listing(listed: list[wiring.Listed]) -> Any:
    """The rulesets one may name, each with what it is for; a broken one says so."""
    made = screen.table("ruleset", "rules", "currency", "from", "for", right=("rules",), wrap="for")
    for entry in listed:
        found, problems = wiring.check_ruleset(entry)
        origin = "shipped" if entry.shipped else f"rulesets/{Path(entry.file).name}"
        if found is None:
            errors = sum(problem.severity == "error" for problem in problems)
            text = f"has {errors} error{'' if errors == 1 else 's'}: {called()} rules check {entry.name}"
            made.add_row(*screen.cells(entry.name, "", "", origin, text))
        else:
            made.add_row(*screen.cells(entry.name, len(found.rules), found.currency, origin, found.description))
    return made


# ---- a whole ruleset -------------------------------------------------------------------------------------------------


def shown(ruleset: Ruleset) -> Iterator[Any]:
    """A ruleset, part by part."""
    yield Text(screen.safe(ruleset.version()), style="bold").append(
        screen.safe(f"  {ruleset.description}"), style="not bold"
    )
    yield Text(_frame(ruleset))
    yield Text(f"Ladder: {ladder(ruleset)}")
    yield Text(screen.safe(f"Score: {ruleset.score}   Alert: {ruleset.alert}"))
    yield ""
    yield _rules(ruleset)
    yield ""
    yield _fields(ruleset)
    if ruleset.features:
        yield ""
        yield _pairs("feature", "is", ruleset.features)
    if ruleset.lists or ruleset.tables:
        yield ""
        yield _pairs("list", "holds", _listed(ruleset))


def ladder(ruleset: Ruleset) -> str:
    """What levels and outcomes make together: 0-29 low/approve, 30-39 medium/approve ...

    >>> from fraudline.domain.ruleset import Ruleset
    >>> ladder(Ruleset("x", "USD", (), ()))
    '0-29 low/approve, 30-39 medium/approve, 40-59 medium/review, 60-89 high/review, 90+ high/decline'
    """
    starts = sorted({0, *ruleset.levels, *ruleset.outcomes})
    steps = []
    for low, high in zip(starts, [*starts[1:], 0], strict=True):
        said = f"{LEVELS[level_of(low, ruleset.levels)]}/{OUTCOMES[level_of(low, ruleset.outcomes)]}"
        reach = f"{low}+" if not high else str(low) if high == low + 1 else f"{low}-{high - 1}"
        steps.append(f"{reach} {said}")
    return ", ".join(steps)


def _frame(ruleset: Ruleset) -> str:
    night = "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in ruleset.night)
    weekend = " and ".join(DAYS[day - 1] for day in ruleset.weekend)
    keeps = f"histories reach back {span(ruleset.retention_ms)}, lateness {span(ruleset.lateness_ms)}"
    return f"{ruleset.currency}, {ruleset.timezone}, weekend {weekend}, night {night}; {keeps}"


def _rules(ruleset: Ruleset) -> Any:
    made = screen.table("rule", "points", "fires when", "says", right=("points",), wrap="fires when")
    made.columns[3].no_wrap, made.columns[3].overflow = False, "fold"
    for rule in ruleset.rules:
        made.add_row(*screen.cells(rule.id, effect(rule), rule.when, rule.reason))
    return made


def effect(rule: Rule) -> str:
    """What a rule adds, or the outcome it forces."""
    return " ".join(filter(None, [str(rule.points) if rule.points else "", rule.outcome or ""])) or "0"


def _fields(ruleset: Ruleset) -> Any:
    made = screen.table("field", "kind", "read from column", "how", wrap="how")
    for spec in ruleset.fields:
        how = [
            f"format {spec.format}" if spec.format else "",
            f"{spec.decimals} decimals" if spec.decimals is not None else "",
            "coordinates from the table of cities" if spec.geocode else "",
            f"thousands {spec.thousands!r}" if spec.thousands else "",
            f"without {spec.strip!r}" if spec.strip else "",
            "your own attribute" if spec.attribute else "",
        ]
        source = f"made from {spec.generate}" if spec.generate else spec.column
        made.add_row(*screen.cells(spec.name, spec.kind, source, ", ".join(filter(None, how))))
    return made


def _pairs(name: str, value: str, pairs: dict[str, str]) -> Any:
    made = screen.table(name, value, wrap=value)
    for pair in pairs.items():
        made.add_row(*screen.cells(*pair))
    return made


def _listed(ruleset: Ruleset) -> dict[str, str]:
    lists = {name: (list(values), len(values)) for name, values in ruleset.lists.items()}
    tables = {name: ([f"{k}: {v}" for k, v in table.items()], len(table)) for name, table in ruleset.tables.items()}
    return {
        name: ", ".join(values[:LIST_SHOWN]) + (f" and {count - LIST_SHOWN} more" if count > LIST_SHOWN else "")
        for name, (values, count) in {**lists, **tables}.items()
    }


# ---- examples --------------------------------------------------------------------------------------------------------


def examples_table(ruleset: Ruleset, results: list[ExampleResult]) -> Any:
    """Every example with what was expected and what came out."""
    made = screen.table("", "rule", "example", "line", "expected", "got", right=("example", "line"), wrap="expected")
    made.columns[5].no_wrap, made.columns[5].overflow = False, "fold"
    for result in results:
        verdict = Text("ok", style="green") if result.passed else Text("FAILED", style="bold red")
        got = "could not be run" if result.problem else _states(result.got)
        made.add_row(
            *screen.cells(verdict, result.rule, result.number, result.line or "", _states(result.expected), got)
        )
    for rule in ruleset.rules:
        if not rule.examples:
            made.add_row(*screen.cells(Text("none", style="yellow"), rule.id, "", rule.line or "", "", ""))
    return made


def _states(states: tuple[bool | None, ...]) -> str:
    """What a rule does on each transaction in turn, repetitions counted: 3 x silent, fires."""
    names = {True: "fires", False: "silent", None: "unknown"}
    runs = [(name, len(list(group))) for name, group in groupby(names[state] for state in states)]
    return ", ".join(f"{count} x {name}" if count > 1 else name for name, count in runs)


# ---- one rule --------------------------------------------------------------------------------------------------------


def explained(ruleset: Ruleset, position: int) -> Iterator[Any]:
    """One rule taken apart: what it says, its tree, its histories and windows, its cost."""
    rule, tree = ruleset.rules[position], program_of(ruleset).trees.rules[position]
    yield Text(rule.id, style="bold").append(f" of {ruleset.version()}: {_does(rule)}", style="not bold")
    yield Text(screen.safe(f'It says: "{rule.reason}"')) if rule.reason else Text("It gives no reason.")
    if rule.typology or rule.owner or rule.suppresses:
        yield Text(screen.safe(_about(rule)))
    yield ""
    yield screen.heading("Fires when")
    yield Text(screen.safe(f"  {unparse(tree)}"))
    yield ""
    yield _drawn(tree)
    yield ""
    windows = list(dict.fromkeys(_windows(tree)))
    yield screen.heading("Looks at")
    yield Text(screen.safe(f"  fields: {', '.join(_fields_of(tree)) or 'none'}"))
    if windows:
        yield ""
        yield _window_table(windows, ruleset)
    yield ""
    yield screen.heading("Costs")
    yield from (Text(f"  {line}") for line in _costs(windows))


def _does(rule: Rule) -> str:
    adds = f"{rule.points:+d} points" if rule.points else ""
    forces = f"forces {rule.outcome}" if rule.outcome else ""
    return " and ".join(filter(None, [adds, forces])) or "listed, without effect on the score"


def _about(rule: Rule) -> str:
    parts = [
        f"Typology {rule.typology}." if rule.typology else "",
        f"Owner {rule.owner}." if rule.owner else "",
        f"Suppresses {', '.join(rule.suppresses)}." if rule.suppresses else "",
    ]
    return " ".join(filter(None, parts))


def _drawn(node: Node) -> Tree:
    root = Tree(Text(screen.safe(_label(node))), guide_style="dim")
    _grow(root, node)
    return root


def _grow(branch: Tree, node: Node) -> None:
    for child in _below(node):
        _grow(branch.add(Text(screen.safe(_label(child)))), child)


def _below(node: Node) -> list[Node]:
    """What is drawn below a node: the sides of a connective, a feature's body, the windows inside a comparison."""
    match node:
        case And(operands=operands) | Or(operands=operands):
            return list(operands)
        case Not(operand=operand):
            return [operand]
        case Feature(body=body):
            return [body]
        case Window():
            return []
    return [inner for child in node.children() for inner in _looking_back(child)]


def _looking_back(node: Node) -> Iterator[Node]:
    """The outermost features and windows of an expression."""
    if isinstance(node, Feature | Window):
        yield node
    else:
        for child in node.children():
            yield from _looking_back(child)


def _label(node: Node) -> str:
    match node:
        case And():
            return "all of"
        case Or():
            return "any of"
        case Not():
            return "not"
        case Feature(name=name):
            return f"{name} is a feature"
        case Window():
            return in_words(node)
    return unparse(node)


_WORDS = {
    "count": "how many transactions",
    "sum": "the sum of {}",
    "avg": "the average {}",
    "min": "the smallest {}",
    "max": "the largest {}",
    "stddev": "the standard deviation of {}",
    "zscore": "how many standard deviations {} lies from its average",
    "distinct": "how many different values of {}",
    "is_new": "whether {} was never seen",
    "previous": "{} of the one before",
    "since_last": "the time since the one before",
    "since_first": "the time since the first one",
    "distance_km": "the distance in km from the place before",
    "speed_kmh": "the speed in km/h from the place before",
}


def in_words(window: Window) -> str:
    """What a window looks at, read aloud."""
    said = _WORDS[window.function].format(window.value)
    who = " and ".join(window.by)
    said += f" whose {who} is this one's {' and '.join(window.of)}" if window.of else f" for the same {who}"
    if window.last_ms is not None:
        said += f" within {span(window.last_ms)}"
    elif window.this:
        said += f" this {window.this}"
    if window.where is not None:
        said += f" where {unparse(window.where)}"
    if window.function in ("previous", "since_last", "since_first", "distance_km", "speed_kmh"):
        return said
    return said + (", this one included" if _itself(window) == "yes" else ", this one left out")


def _windows(node: Node) -> Iterator[Window]:
    """Every window a condition looks through, those of named features too."""
    if isinstance(node, Window):
        yield node
    elif isinstance(node, Feature):
        yield from _windows(node.body)
    else:
        for child in node.children():
            yield from _windows(child)


def _fields_of(node: Node) -> list[str]:
    names: dict[str, None] = {}
    for below in node.walk():
        if isinstance(below, Feature):
            names.update(dict.fromkeys(_fields_of(below.body)))
        elif isinstance(below, Window):
            names.update(dict.fromkeys((*below.by, *below.of, *([below.value] if below.value else []))))
        elif (name := getattr(below, "name", None)) and not isinstance(below, Feature):
            names[name] = None
        elif isinstance(below, Call) and below.function in (
            "hour",
            "weekday",
            "day_of_month",
            "is_weekend",
            "is_night",
        ):
            names["occurred_at"] = None
    return list(names)


def _window_table(windows: list[Window], ruleset: Ruleset) -> Any:
    made = screen.table("window", "history of", "looks back", "counts itself", "", wrap="window")
    for window in windows:
        who = ", ".join(window.by) + (f" (found by {', '.join(window.of)})" if window.of else "")
        shared = "shared" if set(window.by) & set(ruleset.shared) else "exact"
        scan = ", scans" if _scans(window) else ""
        made.add_row(*screen.cells(unparse(window), who, _reach(window, ruleset), _itself(window), shared + scan))
    return made


def _reach(window: Window, ruleset: Ruleset) -> str:
    if window.last_ms is not None:
        return span(window.last_ms)
    return f"this {window.this}" if window.this else f"all that is kept ({span(ruleset.retention_ms)})"


def _itself(window: Window) -> str:
    return "no" if window.prior or window.function in NEVER_CURRENT else "yes"


def _scans(window: Window) -> bool:
    return window.where is not None and any(isinstance(node, Current) for node in window.where.walk())


def _costs(windows: list[Window]) -> list[str]:
    if not windows:
        return ["nothing but this transaction is looked at"]
    plain = [window for window in windows if window.function not in ORDERED and not _scans(window)]
    said = []
    if plain:
        said.append(
            f"{len(plain)} window{'' if len(plain) == 1 else 's'} found by search: the same whatever their length"
        )
    for window in windows:
        if _scans(window):
            said.append(f"{unparse(window)}: reads every row of the window, because of current(); keep it short")
        elif window.function in ORDERED:
            said.append(f"{unparse(window)}: reads the window's rows, with summaries where they are many")
    return said
