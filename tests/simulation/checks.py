"""What must hold: while a run goes on, at the moment something takes effect, and when everything is done.

The reference is a few plain loops over the records as their senders wrote them. It shares no code with the engine.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from fraudline.domain.decision import Alert, Decision
from fraudline.domain.receipt import Counts, Receipt
from fraudline.domain.ruleset import Ruleset
from fraudline.domain.transaction import Rejected
from fraudline.engine import explain
from fraudline.engine.compile import Program
from fraudline.engine.decide import state_for
from fraudline.engine.history import State
from fraudline.pipeline import Report
from fraudline.ports import Commit, Store
from fraudline.replay import replay
from tests.deciding import named
from tests.simulation.world import EXPIRES, LOG, Row, Violation, World, program_of

HOUR = 3_600_000
STREAM = "stream:0"
ENDINGS = ("decided", "duplicate", "id_conflict", "rejected", "dead_letter")


def require(true: bool, said: str) -> None:
    """Break off with this sentence where the promise in it was not kept."""
    if not true:
        raise Violation(said)


class Checks:
    """Sees everything that takes effect, and everything that is said to have."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.truth: Store
        self.rows: dict[str, dict[int, Row]] = {STREAM: dict(enumerate(world.stream, 1))}
        self.received_at: dict[str, int] = {}
        self.endings: dict[int, set[str]] = {}  # of messages of the stream
        self.done: set[int] = set()
        self.alerts: Counter[str] = Counter()
        self.told: set[str] = set()  # alerts that went out

    # While it goes on

    @contextmanager
    def committing(self, commit: Commit) -> Iterator[None]:
        """All of a chunk is written, or nothing of it, and only by somebody whose histories are not stale."""
        before = self.truth.decided(commit.batch.ids)
        try:
            yield
        except BaseException:
            written = set(self.truth.decided(commit.batch.ids)) - set(before)
            require(not written, f"a chunk was written in part: {sorted(written)}")
            raise
        self.world.disturbances += 1
        require(not before, f"decided twice: {sorted(before)}")
        require(len(self.truth.decided(commit.batch.ids)) == len(commit.batch), "a chunk was not written whole")

    def opened(self, writers: int) -> None:
        """A process opened the log for writing."""
        require(writers <= 1 or not self.world.locked, "two processes write to one workspace")

    def begun(self, receipt: Receipt) -> Receipt:
        """A file was begun, or begun again."""
        first = self.received_at.setdefault(receipt.source, receipt.received_at)
        require(first == receipt.received_at, f"{receipt.source} was stamped anew when it was resumed")
        for file in self.world.files:
            if file.sha256 == receipt.sha256:
                self.rows[receipt.source] = dict(enumerate(file.rows, 2))
        return receipt

    def finished(self, source: str) -> None:
        """A receipt was finished: now, every record of its file is accounted for."""
        receipt = next(one for one in self.truth.receipts(100) if one.source == source)
        require(receipt.finished, f"{source} was finished and is not")
        rows = self.rows[source]
        log = self.truth.decisions([row.id for row in rows.values()])
        expected, either = self._expected(source, rows, log)
        counts = receipt.counts
        require(counts.add_up(), f"{source} does not add up: {counts}")
        require(counts.received == len(rows), f"{source}: {counts.received} of {len(rows)} records")
        require(counts.rejected == expected.rejected, f"{source}: rejected {counts.rejected}")
        require(counts.decided == expected.decided, f"{source}: decided {counts.decided}, not {expected.decided}")
        require(counts.duplicate == expected.duplicate, f"{source}: duplicate {counts.duplicate} {expected.duplicate}")
        for name in ("id_conflict", "dead_letter"):
            least = getattr(expected, name)
            require(least <= getattr(counts, name) <= least + either, f"{source}: {name} {getattr(counts, name)}")
        self._require_tallies(receipt, [entry for entry in log.values() if entry.source == source])
        codes = Counter(problem.code for problem in receipt.rejected)
        require(codes["id_conflict"] == counts.id_conflict, f"{source} does not list its conflicts")
        require(codes["dead_letter"] == counts.dead_letter, f"{source} does not list its dead letters")
        require(len(receipt.rejected) == codes.total(), f"{source} lists something twice")

    def _expected(self, source: str, rows: dict[int, Row], log: dict[str, Decision]) -> tuple[Counts, int]:
        """What the counts must be by what is stored, and how many records may be dead letter or conflict: an engine
        failed on them, and another record with their id was decided before or after that."""
        counts, either = Counts(), 0
        for place, row in rows.items():
            ending = self._ending(source, place, row, log.get(row.id))
            if ending == "either":
                either += 1
            else:
                setattr(counts, ending, getattr(counts, ending) + 1)
        return counts, either

    @staticmethod
    def _ending(source: str, place: int, row: Row, stored: Decision | None) -> str:
        if row.bad:
            return "rejected"
        if row.poisonous:
            return "dead_letter" if stored is None else "either"
        require(stored is not None, f"{source}:{place} ({row.id}) is accounted for and not stored")
        if stored is None or stored.transaction["amount"] != row.minor:
            return "id_conflict"
        return "decided" if (stored.source, stored.row) == (source, place) else "duplicate"

    def _require_tallies(self, receipt: Receipt, own: list[Decision]) -> None:
        levels: Counter[str] = Counter()
        outcomes: Counter[str] = Counter()
        alerts = 0
        for entry in own:
            facts = explain.unpack(self._program(entry), entry.facts)
            levels[facts.level] += 1
            outcomes[facts.outcome] += 1
            alerts += facts.alert
        require(+Counter(receipt.levels) == levels, f"{receipt.source} counts levels {receipt.levels}, not {levels}")
        require(+Counter(receipt.outcomes) == outcomes, f"{receipt.source} counts outcomes {receipt.outcomes}")
        require(receipt.alerts == alerts, f"{receipt.source} counts {receipt.alerts} alerts, not {alerts}")

    def _program(self, entry: Decision) -> Program:
        return program_of(self.truth.ruleset(entry.revision).rules == program_of(True).ruleset.rules)

    def reported(self, source: str, report: Report) -> None:
        """A batch was answered: every answer is true, and what was decided now stands in the log in that order."""
        batch = report.batch
        lists = (report.endings, report.levels, report.outcomes, report.raised, report.facts)
        require({len(one) for one in lists} == {len(batch)}, "a report does not tell each record's ending once")
        log = self.truth.decisions(batch.ids)
        newest = 0
        seen: set[str] = set()
        for i, (name, ending) in enumerate(zip(batch.ids, report.endings, strict=True)):
            stored = log.get(name)
            if ending == "dead_letter":
                require(batch.columns["amount"][i] == 666, f"{name} became a dead letter without a reason")
                continue
            require(not (report.facts[i] and name in seen), f"{name} was decided by the second of its batch")
            seen.add(name)
            require(stored is not None, f"{name} is called {ending} and not stored")
            assert stored is not None
            same = stored.fingerprint == batch.fingerprints[i]
            require(same == (ending != "id_conflict"), f"{name} is called {ending}, its content says otherwise")
            own = (stored.source, stored.row) == (source, batch.rows[i])
            require(ending != "decided" or own, f"{name} is called decided and was a duplicate")
            if ending == "decided":
                self._require_answer(report, i, stored)
            if report.facts[i] and not any(row.poisonous for row in self._all(name)):
                require(stored.sequence > newest, f"{name} stands in the log before what came before it")
                newest = stored.sequence

    def _all(self, name: str) -> list[Row]:
        return [row for rows in self.rows.values() for row in rows.values() if row.id == name]

    def _require_answer(self, report: Report, i: int, stored: Decision) -> None:
        facts = explain.unpack(self._program(stored), stored.facts)
        told = (("low", "medium", "high")[report.levels[i]], ("approve", "review", "decline")[report.outcomes[i]])
        require(told == (facts.level, facts.outcome), f"{stored.transaction_id} is answered {told}, stored otherwise")
        require(report.raised[i] == facts.alert, f"{stored.transaction_id}: an alert is told otherwise than stored")
        require(report.facts[i] in (b"", stored.facts), f"{stored.transaction_id} is answered with other facts")

    def ended(self, report: Report, rejected: list[Rejected]) -> None:
        """The worker writes down how the messages of a batch ended."""
        for place, ending in zip(report.batch.rows, report.endings, strict=True):
            self.endings.setdefault(place, set()).add(ending)
        for problem in rejected:
            self.endings.setdefault(problem.line, set()).add("rejected")

    def acknowledged(self, offsets: Iterable[int]) -> None:
        """Messages were acknowledged: what is not stored by now is lost for ever."""
        self.done.update(offsets)
        rows = [self.rows[STREAM][offset] for offset in offsets]
        log = self.truth.decided([row.id for row in rows])
        for row in rows:
            lost = row.id not in log and not row.bad and not row.poisonous
            require(not lost, f"{row.id} was acknowledged and is not stored")

    def sent(self, alert: Alert) -> None:
        """An alert went out."""
        require(alert.id == alert_id(alert.transaction_id), f"the alert of {alert.transaction_id} has another id")
        self.alerts[alert.id] += 1

    def marked(self) -> None:
        """An alert was marked as sent: those that are marked went out, every one of them."""
        waiting = {alert.id for alert in self.truth.unsent(10_000)}
        raised = {alert_id(entry.transaction_id) for entry in self._raised(self.truth.log())}
        unsent = raised - waiting - set(self.alerts)
        require(not unsent, f"{len(unsent)} alerts are marked as sent, or lost, and never went out")

    def _raised(self, log: list[Decision]) -> list[Decision]:
        return [entry for entry in log if explain.unpack(self._program(entry), entry.facts).alert]

    # At the end

    def at_the_end(self) -> None:
        """Everything is accounted for, decided once, as the reference decides, repeatable, and told to people."""
        log = self.truth.log()
        self._require_once(log)
        self._require_reference(log)
        self._require_replay()
        raised = {alert_id(entry.transaction_id) for entry in self._raised(log)}
        require(raised == set(self.alerts), f"{len(raised)} alerts were raised, {len(self.alerts)} went out")
        require(not self.truth.unsent(), "an alert was never marked as sent")
        self._require_accounted(log)
        self._require_resumed()

    def _require_resumed(self) -> None:
        """A receipt stays open only where its file was begun again under another version of the ruleset."""
        begun: set[tuple[str, str]] = set()
        for receipt in self.truth.receipts(100):  # newest first
            key = (receipt.sha256, receipt.ruleset)
            require(receipt.finished or key not in begun, f"{receipt.source} was begun anew instead of resumed")
            begun.add(key)

    def _require_once(self, log: list[Decision]) -> None:
        names = Counter(entry.transaction_id for entry in log)
        require(max(names.values(), default=0) <= 1, f"decided twice: {names.most_common(1)}")
        known = {row.id for rows in self.rows.values() for row in rows.values() if not row.bad and not row.poisonous}
        require(known <= set(names), f"never decided: {sorted(known - set(names))}")
        for entry in log:
            row = self.rows[entry.source][entry.row]
            transaction = entry.transaction
            told = (transaction["id"], transaction["occurred_at"], transaction["amount"], transaction["account"])
            require(told == (row.id, row.at, row.minor, row.account), f"{row.id} is stored otherwise than it was sent")
            stamped = self.received_at.get(entry.source, entry.received_at)
            require(entry.received_at == stamped, f"{row.id} was stamped otherwise than its file")
            require(entry.hash == hashlib.sha256(entry.facts).digest(), f"{row.id}: the hash is of other facts")

    def _require_accounted(self, log: list[Decision]) -> None:
        stored = {entry.transaction_id: entry for entry in log}
        for place, row in self.rows[STREAM].items():
            expected = self._ending(STREAM, place, row, stored.get(row.id))
            told = self.endings.get(place, set())
            allowed = {"dead_letter", "id_conflict"} if expected == "either" else {expected}
            # The same message twice in one batch: the second is told that it is a duplicate of the first.
            allowed |= {"duplicate"} if expected == "decided" else set()
            require(bool(told) and told <= allowed, f"message {place} ended as {sorted(told)}, not {expected}")
            require(expected != "decided" or expected in told, f"message {place} was decided and never told so")
            require(place in self.done, f"message {place} was never acknowledged")
        self._require_file_order(log)

    def _require_file_order(self, log: list[Decision]) -> None:
        """A file is decided in order of event time, ties by id, whatever the order of its rows."""
        for source in self.received_at:
            odd = {row.id for row in self.rows[source].values() if row.poisonous}
            own = [entry for entry in log if entry.source == source and entry.transaction_id not in odd]
            keys = [(entry.occurred_at, entry.transaction_id) for entry in own]
            require(keys == sorted(keys), f"{source} was not decided in order of time")

    def _require_reference(self, log: list[Decision]) -> None:
        """The facts of every decision follow from the records before it in the log, and from nothing else."""
        before: list[Row] = []
        revision = 0
        for entry in log:
            require(entry.revision >= revision, f"{entry.transaction_id}: the log goes back to an earlier ruleset")
            revision = entry.revision
            row = self.rows[entry.source][entry.row]
            program = self._program(entry)
            expected = reference(row, before, entry.received_at, program is program_of(True))
            facts = explain.unpack(program, entry.facts)
            values = named(program, facts)
            told = (values["often"], values["spent"], values["shops"], facts.score, facts.outcome, facts.alert)
            require(told == expected, f"{entry.transaction_id} was decided as {told}, the reference says {expected}")
            before.append(row)

    def _require_replay(self) -> None:
        def fresh(ruleset: Ruleset) -> tuple[Program, State]:
            program = program_of(ruleset.rules == program_of(True).ruleset.rules)
            return program, state_for(program)

        different = [found.decision.transaction_id for part in replay(self.truth, fresh) for found in part.differences]
        require(not different, f"replay does not repeat {different}")


def alert_id(transaction_id: str) -> str:
    """The idempotency key of a transaction's alert."""
    return hashlib.sha256(f"{LOG}:{transaction_id}".encode()).hexdigest()[:32]


def reference(row: Row, before: list[Row], received_at: int, second: bool) -> tuple[Any, ...]:
    """What the rulesets of `world` decide about a record, given those that stand before it in the log."""
    own = [one for one in before if one.account == row.account]
    hour = [row, *(one for one in own if row.at - HOUR < one.at <= row.at)]
    spent = row.minor + sum(one.minor for one in own if row.at - 2 * HOUR < one.at <= row.at)
    shops = len({one.merchant for one in hour})
    score = 30 * (len(hour) > (2 if second else 3)) + (65 if second else 60) * (spent > 4000)
    score = min(100, score + 25 * (shops > 1 and received_at < EXPIRES))
    outcome = ("approve", "review", "decline")[(score >= 40) + (score >= 90)]
    return float(len(hour)), float(spent), float(shops), score, outcome, score >= 60
