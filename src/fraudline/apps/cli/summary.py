"""What `score` says about files that were decided: tables for people, one JSON object for programs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.text import Text

from fraudline.apps.cli import screen
from fraudline.apps.cli.root import Options, say
from fraudline.apps.cli.scoring import Scored
from fraudline.apps.cli.sink import Sink
from fraudline.domain.decision import LEVELS, OUTCOMES
from fraudline.domain.money import DECIMALS
from fraudline.domain.receipt import Counts, Receipt
from fraudline.domain.ruleset import Ruleset

ENDINGS = ("decided", "duplicate", "id_conflict", "rejected", "dead_letter")
SAID = {
    "decided": "decided",
    "duplicate": "duplicate",
    "id_conflict": "in conflict",
    "rejected": "rejected",
    "dead_letter": "dead letter",
}
ROWS_LISTED = 5
RULES_LISTED = 6
REASONS_LISTED = 3
VALUE_SHOWN = 32  # characters; the receipt has 80


# ---- JSON ------------------------------------------------------------------------------------------------------------


def as_json(scored: list[Scored]) -> dict[str, Any]:
    """One file's summary object; of several files the totals, with each file's own under `files`."""
    if len(scored) == 1:
        return _object(scored)
    files = [
        {"file": entry.file, "error": str(entry.failure)} if entry.failure else {"file": entry.file, **_object([entry])}
        for entry in scored
    ]
    return {**_object(scored), "files": files}


def _object(scored: list[Scored]) -> dict[str, Any]:
    receipts = [entry.receipt for entry in scored if entry.receipt]
    seconds = sum(entry.seconds for entry in scored)
    received = sum(receipt.counts.received for receipt in receipts)
    return {
        "received": received,
        **{ending: sum(getattr(receipt.counts, ending) for receipt in receipts) for ending in ENDINGS},
        "levels": _totals([receipt.levels for receipt in receipts], LEVELS),
        "outcomes": _totals([receipt.outcomes for receipt in receipts], OUTCOMES),
        "alerts": sum(receipt.alerts for receipt in receipts),
        "ruleset": receipts[0].ruleset if receipts else None,
        "seconds": round(seconds, 3),
        "per_second": round(received / seconds) if seconds else 0,
        "receipts": [str(entry.receipt_file) for entry in scored if entry.receipt_file],
    }


def _totals(counted: list[dict[str, int]], names: tuple[str, ...]) -> dict[str, int]:
    return {name: sum(counts.get(name, 0) for counts in counted) for name in names}


# ---- tables ----------------------------------------------------------------------------------------------------------


def print_tables(scored: list[Scored], ruleset: Ruleset, sink: Sink) -> None:
    """Each file's summary; levels, rules, alerts and rejected rows."""
    for entry in scored:
        if entry.receipt is not None:
            for part in _parts(entry, entry.receipt, ruleset):
                sink.print(part)
    if len(scored) > 1:
        sink.print(_all_files(scored))


def _parts(entry: Scored, receipt: Receipt, ruleset: Ruleset) -> list[Any]:
    parts: list[Any] = [_headline(entry, receipt, ruleset), Text(_accounting(receipt.counts, entry.resumed))]
    if receipt.counts.decided:
        parts += ["", _bands(receipt)]
    if any(entry.fired.values()):
        parts += ["", rules_table(entry.fired, ruleset, receipt.counts.decided)]
    if entry.alerts:
        parts += ["", alerts_table(entry.alerts, ruleset, receipt.alerts)]
    if receipt.rejected:
        parts += ["", _rejected(receipt)]
    return [*parts, ""]


def _headline(entry: Scored, receipt: Receipt, ruleset: Ruleset) -> Text:
    received = receipt.counts.received
    rate = f" ({screen.number(received / entry.seconds)} a second)" if entry.seconds and received > 1000 else ""
    name = "standard input" if receipt.file == "-" else receipt.file
    text = Text(screen.safe(name), style="bold")
    text.append(
        f": {screen.number(received)} row{'' if received == 1 else 's'} in {entry.seconds:.1f} s{rate}, "
        f"ruleset {ruleset.version()}",
        style="not bold",
    )
    return text


def _accounting(counts: Counts, resumed: int) -> str:
    """Where every row went, in words; endings that did not occur are left out."""
    named = [(SAID[ending], getattr(counts, ending)) for ending in ENDINGS]
    said = ", ".join(f"{screen.number(count)} {name}" for name, count in named if count) or "nothing to decide"
    if resumed:
        first, _, rest = said.partition(" decided")
        said = f"{first} decided, {screen.number(resumed)} of them before it was interrupted{rest}"
    if counts.received and counts.duplicate == counts.received:
        said += ": all of it was decided before, so nothing changed"
    return said + ("" if counts.add_up() else f" (these do not add up to {counts.received}: please report this)")


def _bands(receipt: Receipt) -> Any:
    made = screen.table(
        "level", "rows", "share", "", "outcome", "rows ", "share ", right=("rows", "share", "rows ", "share ")
    )
    total = receipt.counts.decided
    for level, outcome in zip(reversed(LEVELS), reversed(OUTCOMES), strict=True):
        rows, others = receipt.levels.get(level, 0), receipt.outcomes.get(outcome, 0)
        made.add_row(
            screen.level(level),
            screen.number(rows),
            _share(rows, total),
            "",
            screen.outcome(outcome),
            screen.number(others),
            _share(others, total),
        )
    return made


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def rules_table(fired: Counter[str], ruleset: Ruleset, decided: int) -> Any:
    """The rules that fired most."""
    rules = {rule.id: rule for rule in ruleset.rules}
    made = screen.table(
        "top rules", "fired", "share", "points", "looks for", right=("fired", "share", "points"), wrap="looks for"
    )
    for name, count in (+fired).most_common(RULES_LISTED):
        rule = rules[name]
        effect = str(rule.points) if rule.points else rule.outcome or ""
        made.add_row(*screen.cells(name, screen.number(count), _share(count, decided), effect, rule.when))
    return made


def alerts_table(alerts: list[dict[str, Any]], ruleset: Ruleset, raised: int) -> Any:
    """The highest alerts with the sentences that say why, a line each."""
    title = f"top {len(alerts)} of {screen.number(raised)} alerts" if raised > len(alerts) else "alerts"
    columns = ("id", "account", "amount", "level", "score", "why")
    made = screen.Told(columns, right=("amount", "score"), title=title)
    for alert in alerts:
        seen = alert["transaction"]
        *first, why = screen.cells(
            alert["transaction_id"],
            seen.get("account", ""),
            amount_of(seen, ruleset.currency),
            screen.level(alert["level"]),
            alert["score"],
            "",
        )
        why.append("\n".join(screen.safe(line) for line in _whys(alert["reasons"])))
        made.add_row(*first, why)
    return made


def _whys(reasons: list[dict[str, Any]]) -> list[str]:
    lines = [reason["text"] for reason in reasons[:REASONS_LISTED]]
    more = len(reasons) - len(lines)
    return [*lines, f"and {more} more reason{'' if more == 1 else 's'}"] if more > 0 else lines


def amount_of(transaction: dict[str, Any], currency: str) -> str:
    """The amount of a rendered transaction with its currency."""
    return screen.money(transaction.get("amount"), currency, DECIMALS[currency])


def _rejected(receipt: Receipt) -> Any:
    counts = receipt.counts
    rows = receipt.rejected[:ROWS_LISTED]
    total = counts.rejected + counts.id_conflict + counts.dead_letter
    title = f"not decided: {screen.number(total)} row{'' if total == 1 else 's'}"
    if total > len(rows):
        title += f", the first {len(rows)}"
    made = screen.table("line", "column", "what is wrong", "value", right=("line",), wrap="what is wrong", title=title)
    for row in rows:
        value = row.value if len(row.value) <= VALUE_SHOWN else row.value[: VALUE_SHOWN - 3] + "..."
        made.add_row(*screen.cells(row.line, row.column, row.reason, value))
    return made


def _all_files(scored: list[Scored]) -> Any:
    made = screen.table(
        "file",
        "received",
        *(SAID[ending] for ending in ENDINGS),
        "alerts",
        right=("received", *SAID.values(), "alerts"),
    )
    for entry in scored:
        receipt = entry.receipt
        if receipt is None:
            made.add_row(*screen.cells(entry.file, "could not be used"))
            continue
        counts = [receipt.counts.received, *(getattr(receipt.counts, ending) for ending in ENDINGS), receipt.alerts]
        made.add_row(*screen.cells(entry.file, *map(screen.number, counts)))
    return made


# ---- messages --------------------------------------------------------------------------------------------------------


def print_messages(scored: list[Scored], options: Options, *, tables: bool) -> None:
    """What people should know beside the data: on stderr, and not at all where they asked for quiet."""
    if options.quiet:
        return
    for entry in scored:
        if entry.receipt is not None:
            for sentence in _remarks(entry, entry.receipt, tables):
                say(sentence)
    if tables:
        for line in _next(scored, options):
            say(line)


def _remarks(entry: Scored, receipt: Receipt, tables: bool) -> list[str]:
    counts, remarks = receipt.counts, []
    if not counts.received:
        remarks.append(f"{receipt.file} has a header and no rows: there was nothing to decide.")
    if receipt.unsorted:
        remarks.append("The rows were not in order of time; they were sorted and decided in that order.")
    if entry.absent and tables:
        columns = "column " if len(entry.absent) == 1 else "columns "
        columns += ", ".join(entry.absent)
        remarks.append(f"The file has no {columns}: rules that need what it does not tell stay unknown.")
    if entry.to_be_looked_at:
        left = counts.rejected + counts.id_conflict + counts.dead_letter
        rows = "1 row was" if left == 1 else f"{screen.number(left)} rows were"
        remarks.append(f"{rows} not decided; each with its line, column and reason in {entry.receipt_file}")
    elif tables:
        remarks.append(f"Receipt: {entry.receipt_file}")
    return remarks


def _next(scored: list[Scored], options: Options) -> list[str]:
    """The next commands to try, with ids that exist."""
    alert = next((entry.alerts[0] for entry in scored if entry.alerts), None)
    if alert is None:
        decided = any(
            entry.receipt and (entry.receipt.counts.decided or entry.receipt.counts.duplicate) for entry in scored
        )
        return ["Next: " + options.command("decisions list")] if decided else []
    return [
        "Next: " + options.command(f"decisions show {quoted(alert['transaction_id'])}"),
        "      " + options.command("decisions list --level high"),
    ]


def quoted(word: str) -> str:
    """A word as a shell takes it."""
    import shlex

    return shlex.quote(word)
