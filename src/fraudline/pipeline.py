"""The journey of a batch: read everything, decide purely, write once, and only then say so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from fraudline import __version__
from fraudline.domain.decision import LEVELS, OUTCOMES, Alert, Decided
from fraudline.domain.errors import Conflict, FraudlineError, Unanswered
from fraudline.domain.receipt import Counts, Receipt
from fraudline.domain.transaction import Batch, Records, Rejected
from fraudline.engine import explain, record
from fraudline.engine.compile import Program
from fraudline.engine.decide import Decided as Decisions
from fraudline.engine.decide import decide
from fraudline.ports import Commit, Histories, Store

BATCH_ROWS = 10_000
ATTEMPTS = 5  # a batch that others overtake is looked up and decided again; so often in a row is not chance
REJECTED_KEPT = 10_000  # a receipt lists this many rejected rows; its count is always complete


@dataclass(slots=True)
class Run:
    """What a batch is decided with. `received_at` is UTC ms, stamped once; `source` names the receipt or stream."""

    program: Program
    store: Store
    histories: Histories
    revision: int
    received_at: int
    source: str
    path: str


@dataclass(slots=True)
class Report:
    """How each transaction of a batch ended. The lists run parallel to it; `facts` is empty where not decided now."""

    batch: Batch
    endings: list[str] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)
    outcomes: list[int] = field(default_factory=list)
    raised: list[bool] = field(default_factory=list)
    facts: list[bytes] = field(default_factory=list)
    problems: list[Rejected] = field(default_factory=list)


def process(batch: Batch, run: Run) -> Report:
    """Decide a batch and store what was decided, in order of arrival.

    A transaction that was decided before with the same content keeps its stored decision (duplicate); one with another
    content under the same id is reported (id_conflict). A record on which the engine itself fails becomes a dead
    letter, found by halving; the others are decided. Where another writer was faster, or a commit was not answered,
    all begins anew with the ids. Raises StoreError where the store cannot be written: what it holds of the batch is
    found when the batch is processed again.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return _attempt(batch, run)
        except (Conflict, Unanswered):
            continue
    return _attempt(batch, run)


def _attempt(batch: Batch, run: Run) -> Report:
    report = Report(batch)
    fresh = _sort_out(batch, _known(batch, run), run.source, report)
    _decide_and_commit(batch, fresh, run, report)
    _decide_next_in_line(batch, run, report)
    return report


def _known(batch: Batch, run: Run) -> dict[str, Decided]:
    """What the store holds of these ids. A fingerprint taken under another ruleset, which declared other fields, is
    replaced by the new one where the fields that both declare say the same."""
    known = run.store.decided(batch.ids)
    doubtful = [
        i
        for i, name in enumerate(batch.ids)
        if name in known and known[name].fingerprint != batch.fingerprints[i] and known[name].revision != run.revision
    ]
    stored = run.store.decisions([batch.ids[i] for i in doubtful]) if doubtful else {}
    for i in doubtful:
        name = batch.ids[i]
        before = run.store.ruleset(known[name].revision)
        if record.same_content(stored[name].transaction, batch.row(i), before, run.program.ruleset):
            known[name] = msgspec.structs.replace(known[name], fingerprint=batch.fingerprints[i])
    return known


def _sort_out(batch: Batch, known: dict[str, Decided], source: str, report: Report) -> list[int]:
    """Positions to decide. The store is asked first, then the batch itself in order: the first decides."""
    fresh: list[int] = []
    seen: dict[str, bytes] = {}
    for i, (name, fingerprint) in enumerate(zip(batch.ids, batch.fingerprints, strict=True)):
        stored = known.get(name)
        first = stored.fingerprint if stored else seen.get(name)
        level = outcome = 0
        raised = False
        if first is None:
            ending = "decided"
            seen[name] = fingerprint
            fresh.append(i)
        elif first != fingerprint:
            ending = "id_conflict"
            report.problems.append(_conflict(batch, i))
        elif stored and (stored.source, stored.row) == (source, batch.rows[i]):
            ending = "decided"  # by this very file, before it was interrupted
            level, outcome, raised = stored.level, stored.outcome, stored.alert
        else:
            ending = "duplicate"
        report.endings.append(ending)
        report.levels.append(level)
        report.outcomes.append(outcome)
        report.raised.append(raised)
        report.facts.append(b"")
    return fresh


def _conflict(batch: Batch, i: int) -> Rejected:
    reason = (
        "another transaction with this id but other content was decided before; it was kept, this one was not decided. "
        "Give this transaction an id of its own, or correct the source"
    )
    return Rejected(line=batch.rows[i], column="id", code="id_conflict", reason=reason, value=batch.ids[i][:80])


def _decide_and_commit(batch: Batch, positions: list[int], run: Run, report: Report) -> None:
    if not positions:
        return
    fresh = batch if len(positions) == len(batch) else batch.take(positions)
    state = run.histories.load(fresh)  # a failure here is the system's, not that of a record: no dead letter
    try:
        decisions = decide(run.program, fresh, state, received_at=run.received_at)
        commit = _commit_of(fresh, decisions, run)
    except BaseException as failure:
        run.histories.forget()
        if isinstance(failure, FraudlineError) or not isinstance(failure, Exception):
            raise
        _halve(batch, positions, run, report, failure)  # the engine must never stop a file
        return
    try:
        first = run.store.commit(commit)
    except BaseException:
        run.histories.forget()
        raise
    run.histories.position = first + len(fresh) - 1
    for at, level, outcome, raised, facts in zip(
        positions, decisions.levels, decisions.outcomes, decisions.raised, decisions.facts, strict=True
    ):
        report.levels[at], report.outcomes[at], report.raised[at] = level, outcome, raised
        report.facts[at] = facts


def _halve(batch: Batch, positions: list[int], run: Run, report: Report, failure: Exception) -> None:
    if len(positions) > 1:
        middle = len(positions) // 2
        _decide_and_commit(batch, positions[:middle], run, report)
        _decide_and_commit(batch, positions[middle:], run, report)
        return
    (at,) = positions
    report.endings[at] = "dead_letter"
    reason = f"the engine failed on this transaction ({type(failure).__name__}: {failure}); please report it"
    report.problems.append(
        Rejected(line=batch.rows[at], column="", code="dead_letter", reason=reason, value=batch.ids[at][:80])
    )


def _decide_next_in_line(batch: Batch, run: Run, report: Report) -> None:
    """Where the first of an id was not decided but became a dead letter, the next of that id takes its place."""
    failed = {name for name, ending in zip(batch.ids, report.endings, strict=True) if ending == "dead_letter"}
    waiting = [
        i
        for i, (name, ending) in enumerate(zip(batch.ids, report.endings, strict=True))
        if name in failed and ending != "dead_letter"
    ]
    for at in waiting:
        if report.endings[at] == "id_conflict":
            report.problems.remove(_conflict(batch, at))
        alone = _attempt(batch.take([at]), run)
        report.endings[at], report.facts[at] = alone.endings[0], alone.facts[0]
        report.levels[at], report.outcomes[at], report.raised[at] = alone.levels[0], alone.outcomes[0], alone.raised[0]
        report.problems += alone.problems


def _commit_of(batch: Batch, decisions: Decisions, run: Run) -> Commit:
    return Commit(
        batch=batch,
        payloads=record.encode(batch, run.program.ruleset),
        facts=decisions.facts,
        hashes=decisions.hashes,
        levels=decisions.levels,
        outcomes=decisions.outcomes,
        scores=decisions.scores,
        raised=decisions.raised,
        revision=run.revision,
        received_at=run.received_at,
        source=run.source,
        path=run.path,
        engine=__version__,
        data=explain.data_versions(),
        after=run.histories.position,
        alerts=[
            _alert(run.program, batch, i, facts)
            for i, (facts, raised) in enumerate(zip(decisions.facts, decisions.raised, strict=True))
            if raised
        ],
    )


def _alert(program: Program, batch: Batch, i: int, facts: bytes) -> Alert:
    name = f"{program.ruleset.name}:{batch.ids[i]}"
    body = explain.compact(program, batch.row(i), facts)
    return Alert(id=hashlib.sha256(name.encode()).hexdigest()[:32], transaction_id=batch.ids[i], body=body)


# ---- a whole file ----------------------------------------------------------------------------------------------------


class Reader(Protocol):
    """Turns raw records into transactions and says what could not become one (see `engine.intake.Intake`)."""

    def read(self, records: Records) -> tuple[Batch, list[Rejected]]:
        """The block's transactions, and what could not become one."""
        ...


class Ordering(Protocol):
    """Puts batches into the order in which a file is decided, in bounded memory; `unsorted` says if they were not."""

    unsorted: bool

    def __call__(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same transactions in the order of the file's decisions."""
        ...


def process_file(
    blocks: Iterable[Records],
    reader: Reader,
    ordering: Ordering,
    run: Run,
    receipt: Receipt,
    follow: Callable[[Report], None] = lambda _: None,
) -> Receipt:
    """Decide a whole file in order of event time and account for every record in its receipt.

    `follow` sees every batch's report as it is stored. The receipt is stored by the caller's `Store.begin` before and
    by `Store.finish` here, after the last commit.
    """
    receipt.counts, receipt.rejected = Counts(), []
    receipt.levels, receipt.outcomes, receipt.alerts = dict.fromkeys(LEVELS, 0), dict.fromkeys(OUTCOMES, 0), 0
    for batch in _rebatched(ordering(_accepted(blocks, reader, receipt))):
        report = process(batch, run)
        account(receipt, report)
        follow(report)
    receipt.unsorted = ordering.unsorted
    receipt.finished = True
    run.store.finish(receipt)
    return receipt


def _accepted(blocks: Iterable[Records], reader: Reader, receipt: Receipt) -> Iterator[Batch]:
    for records in blocks:
        batch, problems = reader.read(records)
        receipt.counts.received += len(batch) + len(problems)
        receipt.counts.rejected += len(problems)
        _keep(receipt, problems)
        if len(batch):
            yield batch


def _rebatched(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The same transactions in batches of about BATCH_ROWS: what a commit costs is shared by the rows of its batch."""
    held: list[Batch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= BATCH_ROWS:
            yield from _pieces(Batch.joined(held))
            held = []
    if held:
        yield from _pieces(Batch.joined(held))


def _pieces(batch: Batch) -> Iterator[Batch]:
    if len(batch) <= 2 * BATCH_ROWS:
        yield batch
        return
    for at in range(0, len(batch), BATCH_ROWS):
        yield batch.slice(at, at + BATCH_ROWS)


def account(receipt: Receipt, report: Report) -> None:
    """Add a batch's endings to the receipt's counts."""
    counts = receipt.counts
    for ending, level, outcome, raised in zip(
        report.endings, report.levels, report.outcomes, report.raised, strict=True
    ):
        setattr(counts, ending, getattr(counts, ending) + 1)
        if ending == "decided":
            receipt.levels[LEVELS[level]] += 1
            receipt.outcomes[OUTCOMES[outcome]] += 1
            receipt.alerts += raised
    _keep(receipt, report.problems)


def _keep(receipt: Receipt, problems: list[Rejected]) -> None:
    receipt.rejected.extend(problems[: max(0, REJECTED_KEPT - len(receipt.rejected))])
