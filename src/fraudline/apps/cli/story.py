"""One decision told to a colleague: the verdict, why, what was not known, what would change it, where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.padding import Padding
from rich.text import Text

from fraudline.apps.cli import screen
from fraudline.apps.cli.looking import Look
from fraudline.apps.cli.root import Options
from fraudline.apps.cli.rulebook import in_words
from fraudline.apps.cli.summary import amount_of, quoted
from fraudline.domain.decision import Decision
from fraudline.domain.money import DECIMALS
from fraudline.engine.compile import Program
from fraudline.engine.explain import said_duration
from fraudline.engine.expression import unparse
from fraudline.engine.features import deep
from fraudline.engine.tree import Node, Type, Window

VERDICTS = {"approve": "let it through", "review": "somebody should look at it", "decline": "stop it"}
DEGRADED = {
    "histories_unavailable": "the histories could not be read, so every window was missing",
    "model_unavailable": "the model was not there, so there was no probability",
    "rule_error": "a sum grew larger than can be counted exactly, so a rule could not be evaluated",
    "rates_missing": "there was no exchange rate for its currency",
    "window_expired": "it came so late that part of its window is no longer kept",
    "history_truncated": "an entity had more transactions than the ruleset allows to look through",
}


def told(look: Look, decision: Decision, options: Options) -> Iterator[Any]:
    """The parts of the story, each something a console can print."""
    program = look.program(decision)
    document = look.document(decision)
    yield from _verdict(document, decision, program)
    yield from _why(document)
    yield from _unknown(document, program)
    yield from _list("What would change it", document["what_would_change_it"])
    yield from _windows(document, program)
    yield from _list("Keep in mind", _warnings(document))
    yield from _origin(look, decision, document)
    yield screen.heading("Check it")
    yield Text("  " + options.command(f"replay {quoted(decision.transaction_id)}"))
    yield Text("  " + options.command(f"decisions show {quoted(decision.transaction_id)} --format json"))


def _indented(text: str, by: int = 2, style: str = "") -> Padding:
    """A line of the story; where it is long, all of it stands indented."""
    return Padding(Text(screen.safe(text), style=style), (0, 0, 0, by))


# ---- the verdict -----------------------------------------------------------------------------------------------------


def _verdict(document: dict[str, Any], decision: Decision, program: Program) -> Iterator[Any]:
    seen, ruleset = document["transaction"], program.ruleset
    head = Text(screen.safe(decision.transaction_id), style="bold").append(": ", style="not bold")
    head.append_text(screen.outcome(document["outcome"])).append(
        f", {VERDICTS[document['outcome']]}. Risk ", style="not bold"
    )
    head.append_text(screen.level(document["level"])).append(f", score {document['score']} of 100.", style="not bold")
    yield head
    yield Text(screen.safe(_sentence(seen, decision, ruleset.currency, ruleset.timezone)))
    because = f"{document['outcome'].capitalize()} because {document['outcome_because']}"
    alert = document["alert"]
    yield Text(
        f"{because}. " + (f"An alert was raised: {alert['because']}." if alert["raised"] else "No alert was raised.")
    )
    yield ""


def _sentence(seen: dict[str, Any], decision: Decision, currency: str, zone: str) -> str:
    """The transaction in one line."""
    zone = seen.get("timezone") or zone
    when = screen.local(decision.occurred_at, zone)
    day = f"{when:%A} {when.day} {when:%B %Y}"
    said = [amount_of(seen, currency) or "no amount"]
    said += [f"by {seen['account']}"] if seen.get("account") else []
    said += [f"at {seen['merchant']}"] if seen.get("merchant") else []
    said += [f"in {seen['location']}"] if seen.get("location") else []
    said.append(f"on {day}" + ("" if decision.transaction.get("day_only") else f", {when:%H:%M:%S} ({zone})"))
    return " ".join(said) + (f': "{seen["description"]}"' if seen.get("description") else "")


# ---- why -------------------------------------------------------------------------------------------------------------


def _why(document: dict[str, Any]) -> Iterator[Any]:
    fired = document["rules"]["fired"]
    yield screen.heading("Why")
    if not fired:
        yield Text("  No rule fired.")
    texts = {reason["code"]: reason["text"] for reason in document["reasons"]}
    for rule in sorted(fired, key=lambda rule: -rule["points"]):
        effect = f"{rule['points']:+4d}" if rule["points"] else "    "
        yield Text(f"  {effect}  ").append(screen.safe(texts.get(rule["id"], rule["id"])))
        yield _indented(f"{rule['id']}: {rule['condition']}", 8, "dim")
        if rule["values"] != rule["condition"]:
            yield _indented(f"here: {rule['values']}", 8, "dim")
    for rule in document["rules"]["suppressed"]:
        yield _indented(f"{rule['id']} fired too, but {rule['by']} suppresses it", 8, "dim")
    yield ""


def _unknown(document: dict[str, Any], program: Program) -> Iterator[Any]:
    unknown = document["rules"]["unknown"]
    if not unknown:
        return
    yield screen.heading("What could not be known")
    windows = _windows_of(program)
    for rule in unknown:
        said = "; ".join(_missing(name, program, windows) for name in rule["missing"])
        yield _indented(f"{rule['id']}: {said}")
    yield _indented("A rule fires only on what is known: these neither fired nor passed.", style="dim")
    yield ""


def _missing(name: str, program: Program, windows: dict[str, Window]) -> str:
    if program.ruleset.kind(name) is not None:
        return f"{name} was not given"
    return f"nothing to tell {in_words(windows[name])}" if name in windows else f"{name} is missing"


def _list(title: str, lines: list[str]) -> Iterator[Any]:
    if lines:
        yield screen.heading(title)
        yield from (_indented(line) for line in lines)
        yield ""


# ---- windows ---------------------------------------------------------------------------------------------------------


def _windows_of(program: Program) -> dict[str, Window]:
    """Every window of a ruleset by its text."""
    trees = (*program.trees.rules, *program.trees.features.values(), program.trees.alert, program.trees.score)
    return {unparse(node): node for tree in trees for node in deep(tree) if isinstance(node, Window)}


def _windows(document: dict[str, Any], program: Program) -> Iterator[Any]:
    """What the windows held: named features first, then those windows without a name that held something."""
    trees, windows = program.trees.features, _windows_of(program)
    bodies = {unparse(tree) for tree in trees.values()}
    made = screen.table("name", "value", "looked at", right=("value",), wrap="looked at")
    for name, value in document["features"].items():
        if name in trees:
            text = unparse(trees[name])
            about = in_words(windows[text]) if text in windows else text
            made.add_row(*screen.cells(name, _value(value, trees[name], program), about))
        elif name not in bodies and value is not None and name in windows:
            made.add_row(*screen.cells("", _value(value, windows[name], program), in_words(windows[name])))
    if made.row_count:
        yield screen.heading("What went before")
        made.show_header, made.box, made.pad_edge = False, None, True
        yield Padding(made, (0, 0, 0, 1))
        yield ""


def _value(value: Any, node: Node, program: Program) -> str:
    """A value as people read it; averages of money are money to them too."""
    if value is None:
        return "none yet"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if node.type is Type.MONEY or _averages_money(node, program):
        return screen.money(value, program.ruleset.currency, DECIMALS[program.ruleset.currency])
    if node.type is Type.DURATION:
        return said_duration(value * 1000)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _averages_money(node: Node, program: Program) -> bool:
    if not isinstance(node, Window) or node.function not in ("avg", "stddev") or node.value is None:
        return False
    return program.ruleset.kind(node.value) == "money"


# ---- the rest --------------------------------------------------------------------------------------------------------


def _warnings(document: dict[str, Any]) -> list[str]:
    said = [f"Degraded: {DEGRADED[cause]}." for cause in document["degraded"]]
    for warning in document["inputs"]["warnings"]:
        if warning["code"] == "LATE":
            said.append(
                f"It came {said_duration(warning['seconds'] * 1000)} late; it saw the windows that end at its own time."
            )
        elif warning["code"] == "COVERED":
            covered, wanted = (said_duration(warning[name] * 1000) for name in ("covered_seconds", "of_seconds"))
            said.append(f"The log began {covered} before it; the longest window looks back {wanted}.")
        else:
            said.append(warning.get("text", warning["code"]))
    return said


def _origin(look: Look, decision: Decision, document: dict[str, Any]) -> Iterator[Any]:
    receipt = look.store.receipt(decision.source)
    file = receipt.file if receipt else decision.source
    versions = document["versions"]
    name, _, sha = versions["ruleset"].partition("@")
    data = versions["data"]
    yield screen.heading("Where it came from")
    file = "standard input" if file == "-" else file
    yield _indented(f"{file}, row {decision.row}, received {document['received_at']}")
    yield _indented(
        f"decided as number {decision.sequence} of the log by ruleset {name}@{sha[:12]}, "
        f"fraudline {decision.engine}, {data['tz']}",
        style="dim",
    )
    yield _indented(f"facts {document['hash']}", style="dim")
    yield ""
