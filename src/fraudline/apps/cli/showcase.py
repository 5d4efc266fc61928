"""What `demo` does: writes a labelled file, scores it like any other, and holds the decisions against the labels."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.text import Text

from fraudline import generator, wiring
from fraudline.apps.cli import progress, scoring, screen, summary
from fraudline.apps.cli.root import Options, called, say
from fraudline.apps.cli.sink import Sink
from fraudline.domain.errors import UsageError
from fraudline.pipeline import Report

WORLDS = ("cards", "payments", "expenses")
MARK = ".made-by-demo"  # a folder with this file in it was made by `demo` and may be emptied by it
OWN = ("fraudline.db", "fraudline.db-wal", "fraudline.db-shm", "fraudline.lock", "card.key", ".gitignore", MARK)


@dataclass(slots=True)
class Found:
    """How the decisions compare with the labels. `levels` is the level of each transaction, by id."""

    levels: dict[str, int] = field(default_factory=dict)
    frauds: Counter[str] = field(default_factory=Counter)
    caught: Counter[str] = field(default_factory=Counter)
    true: list[int] = field(default_factory=lambda: [0, 0, 0])
    false: list[int] = field(default_factory=lambda: [0, 0, 0])

    def follow(self, report: Report) -> None:
        """One batch was decided."""
        self.levels.update(zip(report.batch.ids, report.levels, strict=True))

    def compare(self, file: Path) -> None:
        """Hold every decision against its label."""
        with file.open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                level = self.levels[row["transaction_id"]]
                fraud = row["is_fraud"] == "1"
                (self.true if fraud else self.false)[level] += 1
                if fraud:
                    self.frauds[row["fraud_type"]] += 1
                    self.caught[row["fraud_type"]] += level > 0


def run(options: Options, transactions: int, ruleset: str, seed: int) -> None:
    """The whole demonstration."""
    if ruleset not in WORLDS:
        raise UsageError(f"There is no invented world for {ruleset!r}. Choose {', '.join(WORLDS)}.")
    workspace = emptied(options.workspace / "demo")
    inside = replace(options, workspace=workspace)
    file = workspace / f"{ruleset}.csv"
    with progress.bar("inventing", None, quiet=options.quiet, worth=transactions > 50_000):
        generator.write_csv(file, ruleset, transactions, seed)
    rules = wiring.find_ruleset(ruleset, workspace)
    found = Found()
    scored = scoring.score_files([str(file)], rules, inside.settings(), inside, seen=found.follow)
    found.compare(file)
    with Sink() as sink:
        summary.print_tables(scored, rules, sink)
        sink.print(*_against_labels(found))
    if not options.quiet:
        for line in _next(scored, ruleset, inside):
            say(line)


def emptied(folder: Path) -> Path:
    """The demo's folder, without what an earlier demo left there.

    Raises UsageError where the folder holds something that no demo made.
    """
    if folder.exists() and not (folder / MARK).exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty and was not made by a demo. Name another --workspace, or move it away."
        )
    if folder.exists():
        for path in (*(folder / name for name in OWN), *(folder / f"{world}.csv" for world in WORLDS)):
            path.unlink(missing_ok=True)
        for receipt in (folder / "receipts").glob("*.json"):
            receipt.unlink()
    for made in (folder.parent, folder):
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / MARK).touch()
    return folder


def _against_labels(found: Found) -> Iterator[Any]:
    """Precision and recall, and what was found of each kind of fraud."""
    frauds = sum(found.frauds.values())
    yield Text(
        f"against the labels: {screen.number(frauds)} of {screen.number(len(found.levels))} are fraud", style="bold"
    )
    made = screen.table(
        "taken as fraud", "rows", "right", "precision", "recall", right=("rows", "right", "precision", "recall")
    )
    for name, least in (("high", 2), ("medium or high", 1)):
        right, wrong = sum(found.true[least:]), sum(found.false[least:])
        made.add_row(
            name,
            screen.number(right + wrong),
            screen.number(right),
            _percent(right, right + wrong),
            _percent(right, frauds),
        )
    yield made
    yield ""
    kinds = screen.table(
        "kind of fraud", "rows", "medium or high", "missed", right=("rows", "medium or high", "missed")
    )
    for kind, count in found.frauds.most_common():
        kinds.add_row(
            *screen.cells(kind.replace("_", " "), screen.number(count), _percent(found.caught[kind], count)),
            screen.number(count - found.caught[kind]),
        )
    yield kinds
    yield ""


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def _next(scored: list[scoring.Scored], ruleset: str, options: Options) -> list[str]:
    """What to try now; every line works as it stands."""
    lines = [
        options.command("decisions list --level high"),
        options.command(f"rules show {ruleset}"),
        options.command("replay"),
    ]
    alerts = scored[0].alerts
    if alerts:
        lines.insert(0, options.command(f"decisions show {summary.quoted(alerts[0]['transaction_id'])}"))
    own = f"{called()} score YOUR_FILE.csv --ruleset {ruleset}"
    return ["Next:", *(f"  {line}" for line in lines), "Your own file:", f"  {own}"]
