"""Deciding files for `score` and `demo`: opens the log once, follows every batch, keeps what a summary needs."""

from __future__ import annotations

import heapq
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from fraudline import wiring
from fraudline.apps.cli import progress
from fraudline.apps.cli.root import Options, called, say
from fraudline.apps.cli.sink import Sink
from fraudline.domain.decision import Decision
from fraudline.domain.errors import FraudlineError, SystemFailure, UnusableInput, UsageError
from fraudline.domain.receipt import Counts, Receipt
from fraudline.domain.ruleset import Ruleset
from fraudline.engine import explain, facts
from fraudline.engine.compile import program as program_of
from fraudline.engine.intake import absent_columns
from fraudline.pipeline import Report, Run, process_file
from fraudline.settings import Settings

TOP_ALERTS = 5
NAME_BYTES = 150  # of a file's name in that of its receipt: a name has at most 255
NEWEST = 3  # receipts that are looked at for a file that is missing; each is written before the next is begun
SEEN = ("decided", "duplicate")  # endings with a decision that can be shown


@dataclass(slots=True)
class Scored:
    """One file: its receipt, or why there is none, and what a summary shows beside the counts."""

    file: str
    receipt: Receipt | None = None
    failure: FraudlineError | None = None
    receipt_file: Path | None = None
    seconds: float = 0.0
    fired: Counter[str] = field(default_factory=Counter)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    resumed: int = 0  # of those decided, how many this very file had decided before it was interrupted
    absent: tuple[str, ...] = ()

    @property
    def to_be_looked_at(self) -> bool:
        """Whether somebody should look at this file: not every row of it was decided."""
        counts = self.receipt.counts if self.receipt else Counts()
        return bool(self.failure or counts.rejected or counts.id_conflict or counts.dead_letter)


def chosen(given: str | None, settings: Settings, workspace: Path) -> Ruleset:
    """The ruleset to decide with: the one given, else that of the settings.

    Raises UsageError with the choices where neither names one.
    """
    name = given or settings.ruleset
    if name is None:
        choices = wiring.choices(workspace)
        raise UsageError(
            'Which ruleset? Add --ruleset NAME_OR_FILE, or write `ruleset = "..."` into '
            f"{workspace / 'fraudline.toml'}. {choices}"
        )
    return wiring.find_ruleset(name, workspace)


def score_files(
    files: list[str],
    ruleset: Ruleset,
    settings: Settings,
    options: Options,
    *,
    decisions: Sink | None = None,
    seen: Callable[[Report], None] = lambda _: None,
) -> list[Scored]:
    """Decide each file. One that cannot be used is told and leaves the others alone; a single one raises.

    `decisions` receives one document for every record with a decision, `seen` every batch's report.
    """
    rows = sum(wiring.rows_about(file) for file in files)
    scored: list[Scored] = []
    with wiring.deciding(options.workspace, ruleset, settings, rows, say) as desk:
        _mend_receipts(desk.store.receipts(NEWEST), options.workspace)
        revision = desk.store.activate(ruleset, _now())
        for file in files:
            entry = Scored(file)
            scored.append(entry)
            try:
                _score(entry, desk, revision, options, decisions, seen)
            except UnusableInput as failure:
                if len(files) == 1:
                    raise
                entry.failure = failure
                say(str(failure))
    return scored


def _now() -> int:
    return time.time_ns() // 1_000_000


def _score(
    entry: Scored,
    desk: wiring.Desk,
    revision: int,
    options: Options,
    decisions: Sink | None,
    seen: Callable[[Report], None],
) -> None:
    began = time.perf_counter()
    with desk.open(entry.file) as source:
        receipt = desk.store.begin(_receipt(source, desk.program.ruleset))
        entry.absent = _absent(desk.program.ruleset, source)
        run = Run(desk.program, desk.store, desk.histories, revision, receipt.received_at, receipt.source, "cli")
        reader = desk.reader(receipt.received_at, source.sha256)
        worth = source.bytes_total >= progress.WORTH_SHOWING_BYTES
        with progress.bar("reading", source.bytes_total, unit="bytes", quiet=options.quiet, worth=worth) as bar:
            watch = _Watch(entry, desk, run, decisions, bar)

            def follow(report: Report) -> None:
                watch.follow(report)
                seen(report)

            try:
                entry.receipt = process_file(watch.read(source), reader, desk.ordering(), run, receipt, follow)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(_reached(receipt, desk.store.count(receipt.source))) from None
            entry.alerts = watch.top_alerts()
    entry.seconds = time.perf_counter() - began
    entry.receipt_file = _write_receipt(entry.receipt, options.workspace)


def _reached(receipt: Receipt, decided: int) -> str:
    """How far a file was decided, as the end of a sentence: what the store holds, for counts may stop in a batch."""
    name = "standard input" if receipt.file == "-" else receipt.file
    if not decided:
        return f"before anything of {name} was decided"
    rows, were = ("row", "was") if decided == 1 else ("rows", "were")
    return f"after {decided:,} {rows} of {name} {were} decided"


def _absent(ruleset: Ruleset, source: wiring.File) -> tuple[str, ...]:
    """Columns the ruleset reads and the file has not; coordinates are no loss where they are looked up."""
    looked_up = {"latitude", "longitude"} if any(spec.geocode for spec in ruleset.fields) else set()
    return tuple(name for name in absent_columns(ruleset, source.columns) if name not in looked_up)


def _receipt(source: wiring.File, ruleset: Ruleset) -> Receipt:
    return Receipt(
        source="",
        file=source.name,
        sha256=source.sha256,
        ruleset=f"{ruleset.name}@{ruleset.sha256()}",
        received_at=_now(),
        counts=Counts(),
        levels={},
        outcomes={},
    )


def _receipt_file(receipt: Receipt, workspace: Path) -> Path:
    name = Path(receipt.file).name if receipt.file != "-" else "stdin"
    name = name.encode("utf-8", "replace")[:NAME_BYTES].decode("utf-8", "ignore")
    number = receipt.source.removeprefix("file:")
    return wiring.folder(workspace, "receipts") / f"{number}-{name}-{receipt.sha256[:12]}.json"


def _write_receipt(receipt: Receipt, workspace: Path) -> Path:
    """The receipt as a file, for people and programs that do not ask the store."""
    file = _receipt_file(receipt, workspace)
    draft = file.with_name(f".{file.name}.part")
    try:
        with draft.open("wb") as writing:
            writing.write(msgspec.json.format(msgspec.json.encode(receipt), indent=2) + b"\n")
            writing.flush()
            os.fsync(writing.fileno())
        draft.replace(file)
    except OSError as error:
        raise SystemFailure(
            f"{file} could not be written: {error.strerror}. The decisions are stored and accounted for; "
            f"the next {called()} score writes this file too."
        ) from error
    return file


def _mend_receipts(newest: list[Receipt], workspace: Path) -> None:
    """Write the file of a receipt whose process was killed between storing it and writing it."""
    for receipt in newest:
        if receipt.finished and not _receipt_file(receipt, workspace).exists():
            _write_receipt(receipt, workspace)


class _Watch:
    """Sees every block that is read and every batch that is stored."""

    def __init__(self, entry: Scored, desk: wiring.Desk, run: Run, decisions: Sink | None, bar: progress.Bar) -> None:
        self.entry = entry
        self.store = desk.store
        self.tenant = desk.tenant
        self.run = run
        self.decisions = decisions
        self.bar = bar
        self.top: list[tuple[int, int, int, str]] = []
        self.rows_read = 0

    def read(self, source: wiring.File) -> Iterator[Any]:
        """The file's blocks, counted as they pass."""
        for block in source:
            self.rows_read += len(block) + len(block.problems)
            self.bar.reach(source.bytes_read)
            yield block
        self.bar.turn("deciding", self.rows_read)

    def follow(self, report: Report) -> None:
        """One batch was stored."""
        known = self._known(report)
        decided = {
            i: report.facts[i] or known[report.batch.ids[i]].facts
            for i, ending in enumerate(report.endings)
            if ending == "decided"
        }
        self.entry.resumed += sum(not report.facts[i] for i in decided)
        rules = self.run.program.ruleset.rules
        for rule, count in zip(rules, facts.fired_counts(list(decided.values()), len(rules)), strict=True):
            self.entry.fired[rule.id] += count
        for i, packed in decided.items():
            if report.raised[i]:
                self._keep(packed, report, i)
        self._print(report, known)
        self.bar.advance(len(report.batch))

    def _print(self, report: Report, known: dict[str, Decision]) -> None:
        if self.decisions is None:
            return
        for name, ending in zip(report.batch.ids, report.endings, strict=True):
            if ending in SEEN and name in known:  # the first of two alike may have become a dead letter
                self.decisions.line(self.document(known[name]))
        self.decisions.flush()

    def _known(self, report: Report) -> dict[str, Decision]:
        """Stored decisions of this batch, as far as they are needed and not at hand."""
        ids = [
            report.batch.ids[i]
            for i, ending in enumerate(report.endings)
            if (ending in SEEN if self.decisions else ending == "decided" and not report.facts[i])
        ]
        return self.store.decisions(ids) if ids else {}

    def _keep(self, packed: bytes, report: Report, i: int) -> None:
        amount = (report.batch.columns.get("amount") or [0] * (i + 1))[i] or 0
        rank = (facts.score_of(packed), amount, -report.batch.occurred_at[i], report.batch.ids[i])
        push = heapq.heappush if len(self.top) < TOP_ALERTS else heapq.heappushpop
        push(self.top, rank)

    def top_alerts(self) -> list[dict[str, Any]]:
        """The documents of the highest alerts, strongest first."""
        ids = [name for *_, name in sorted(self.top, reverse=True)]
        known = self.store.decisions(ids)
        return [self.document(known[name]) for name in ids]

    def document(self, decision: Decision) -> dict[str, Any]:
        """The JSON of a stored decision, under the ruleset that made it."""
        if decision.revision == self.run.revision:
            return explain.document(self.run.program, decision, self.tenant)
        return explain.document(program_of(self.store.ruleset(decision.revision)), decision, self.tenant)
