"""Fakes for tests, ours and yours: a store in memory that keeps every promise of the durable ones but durability."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from fraudline.domain.decision import LEVELS, OUTCOMES, Alert, Decided, Decision, level_of
from fraudline.domain.errors import Conflict, StoreError, UsageError
from fraudline.domain.receipt import MAX_LISTED, Receipt
from fraudline.domain.ruleset import Ruleset, require_readable
from fraudline.domain.transaction import Batch
from fraudline.engine.facts import digest, has_fired, pack
from fraudline.engine.record import decode, encode
from fraudline.ports import Commit, Query


class _Row(msgspec.Struct, frozen=True):
    """A decision as the store keeps it, with what people filter by beside it."""

    decision: Decision
    level: int
    outcome: int
    score: int
    raised: bool

    def text(self, field: str) -> str:
        """A text field of the transaction, empty where it has none."""
        return self.decision.transaction.get(field) or ""

    def texts(self) -> list[str]:
        """What a search by text looks through."""
        return [self.decision.transaction_id, *map(self.text, ("account", "merchant", "location", "description"))]


def _amount(row: _Row) -> float:
    """The amount; one in another currency is missing, and less than any other."""
    amount = row.decision.transaction["amount"]
    return -math.inf if amount is None else float(amount)


_ORDERS: dict[str, Callable[[_Row], float]] = {
    "score": lambda row: row.score,
    "time": lambda row: row.decision.occurred_at,
    "amount": _amount,
}


class MemoryStore:
    """A `ports.Store` of one log that forgets everything with the process.

    >>> store = MemoryStore("payments")
    >>> store.revision(), store.log()
    (0, [])
    """

    def __init__(self, log: str) -> None:
        self._name = log
        self._rows: dict[str, _Row] = {}
        self._rulesets: list[Ruleset] = []
        self._receipts: list[Receipt] = []
        self._alerts: dict[str, Alert] = {}
        self._sent: dict[str, int] = {}

    def decided(self, ids: Sequence[str]) -> dict[str, Decided]:
        """Which of these ids are decided already, and with what content."""
        return {id_: _decided(self._rows[id_]) for id_ in ids if id_ in self._rows}

    def commit(self, commit: Commit) -> int:
        """Write one chunk atomically; the sequence of its first decision."""
        ids, alert_ids = commit.batch.ids, [alert.id for alert in commit.alerts]
        if commit.after is not None and commit.after != len(self._rows):
            raise Conflict(f"Of {len(ids)} decisions none was written: the log moved on since it was read.")
        if commit.after and self.log(commit.after - 1, 1)[0].revision > commit.revision:
            raise StoreError("Another version of the ruleset was activated and has decided meanwhile.")
        taken = [id_ for id_ in ids if id_ in self._rows]
        if taken or len(set(ids)) < len(ids):
            raise Conflict(f"Of {len(ids)} decisions none was written: some of these ids are stored already: {taken}.")
        if len(set(alert_ids)) < len(alert_ids) or any(id_ in self._alerts for id_ in alert_ids):
            raise Conflict(f"Of {len(ids)} decisions none was written: one of the alerts is stored already.")
        first = len(self._rows) + 1
        rows = _rows(commit, self.ruleset(commit.revision), first)
        self._rows.update(zip(ids, rows, strict=True))
        self._alerts.update(zip(alert_ids, commit.alerts, strict=True))
        return first

    def decisions(self, ids: Sequence[str]) -> dict[str, Decision]:
        """The stored decisions of these ids."""
        return {id_: self._rows[id_].decision for id_ in ids if id_ in self._rows}

    def find(self, query: Query) -> Iterator[Decision]:
        """Decisions by filter, as they stood when they were asked for."""
        tests = self._tests(query)
        key = _ORDERS.get(query.sort.removeprefix("-"))
        if key is None:
            raise UsageError(f"Decisions cannot be sorted by {query.sort!r}.")
        rows = [row for row in self._rows.values() if all(test(row) for test in tests)]
        if query.sort.startswith("-"):
            rows.reverse()
        rows.sort(key=lambda row: key(row) * (-1 if query.sort.startswith("-") else 1))
        stop = None if query.limit is None else query.offset + query.limit
        return iter([row.decision for row in rows[query.offset : stop]])

    def _tests(self, query: Query) -> list[Callable[[_Row], bool]]:
        tests: list[Callable[[_Row], bool]] = []
        if query.level is not None:
            level = _position("level", LEVELS, query.level)
            tests.append(lambda row: row.level == level)
        if query.outcome is not None:
            outcome = _position("outcome", OUTCOMES, query.outcome)
            tests.append(lambda row: row.outcome == outcome)
        if (account := query.account) is not None:
            tests.append(lambda row: row.decision.transaction.get("account") == account)
        if (location := query.location) is not None:
            tests.append(lambda row: row.text("location").strip().casefold() == location.strip().casefold())
        if (minor := query.min_amount) is not None:
            tests.append(lambda row: _amount(row) >= minor)
        if (since := query.since) is not None:
            tests.append(lambda row: row.decision.occurred_at >= since)
        if (until := query.until) is not None:
            tests.append(lambda row: row.decision.occurred_at < until)
        if text := query.text:
            tests.append(lambda row: any(text.casefold() in seen.casefold() for seen in row.texts()))
        if (rule := query.rule) is not None:
            tests.append(lambda row: self._fired(row.decision, rule))
        return tests

    def _fired(self, decision: Decision, rule: str) -> bool:
        ids = [known.id for known in self.ruleset(decision.revision).rules]
        return rule in ids and has_fired(decision.facts, ids.index(rule))

    def log(self, after: int = 0, limit: int = 10_000) -> list[Decision]:
        """Stored decisions in order of sequence, after this one."""
        return [row.decision for row in list(self._rows.values())[after : after + limit]]

    def activate(self, ruleset: Ruleset, at: int) -> int:  # noqa: ARG002 - the time is kept by stores that last
        """The revision under which this ruleset decides; a new control entry where it was not the active one."""
        if ruleset.name != self._name:
            raise UsageError(f"The ruleset {ruleset.name} cannot be activated in the log of {self._name}.")
        for revision in {row.decision.revision for row in self._rows.values()}:
            require_readable(self.ruleset(revision), ruleset)
        if not self._rulesets or self._rulesets[-1].sha256() != ruleset.sha256():
            self._rulesets.append(ruleset)
        return len(self._rulesets)

    def ruleset(self, revision: int) -> Ruleset:
        """The ruleset of a revision."""
        if not 1 <= revision <= len(self._rulesets):
            raise StoreError(f"The store holds no revision {revision}; nothing was decided under it.")
        return self._rulesets[revision - 1]

    def revision(self) -> int:
        """The newest revision, 0 where there is none."""
        return len(self._rulesets)

    def begin(self, receipt: Receipt) -> Receipt:
        """Open the receipt of a file; the unfinished one of the same file and ruleset where there is one."""
        for known in self._receipts:
            if not known.finished and (known.sha256, known.ruleset) == (receipt.sha256, receipt.ruleset):
                return _copy(known)
        source = f"file:{len(self._receipts) + 1}"
        self._receipts.append(_copy(msgspec.structs.replace(receipt, source=source, finished=False)))
        return _copy(self._receipts[-1])

    def finish(self, receipt: Receipt) -> None:
        """Store a receipt whose file is accounted for, with at most MAX_LISTED of its rejected rows."""
        for position, known in enumerate(self._receipts):
            if known.source == receipt.source:
                cut = receipt.rejected[:MAX_LISTED]
                self._receipts[position] = _copy(msgspec.structs.replace(receipt, finished=True, rejected=cut))
                return
        raise StoreError(f"The store holds no receipt {receipt.source!r}; begin it before finishing it.")

    def receipts(self, limit: int = 20) -> list[Receipt]:
        """Receipts, newest first."""
        return [_copy(receipt) for receipt in self._receipts[::-1][:limit]]

    def unsent(self, limit: int = 100) -> list[Alert]:
        """Alerts of the outbox that were not sent, oldest first."""
        return [alert for alert in self._alerts.values() if alert.id not in self._sent][:limit]

    def mark_sent(self, alert_id: str, at: int) -> None:
        """Note that an alert went out; doing it twice changes nothing, the first time stays."""
        if alert_id not in self._alerts:
            raise StoreError(f"The store holds no alert {alert_id!r}, so it cannot be marked as sent.")
        self._sent.setdefault(alert_id, at)

    def close(self) -> None:
        """Nothing is held."""


def _rows(commit: Commit, ruleset: Ruleset, first: int) -> list[_Row]:
    batch = commit.batch
    columns = zip(
        batch.ids,
        batch.fingerprints,
        batch.occurred_at,
        batch.rows,
        commit.payloads,
        commit.facts,
        commit.hashes,
        commit.levels,
        commit.outcomes,
        commit.scores,
        commit.raised,
        strict=True,
    )
    return [
        _Row(
            Decision(
                sequence=sequence,
                transaction_id=id_,
                fingerprint=fingerprint,
                received_at=commit.received_at,
                occurred_at=occurred_at,
                revision=commit.revision,
                source=commit.source,
                row=row,
                path=commit.path,
                engine=commit.engine,
                transaction=decode(payload, ruleset),
                facts=facts,
                hash=digest,
                data=commit.data,
            ),
            level,
            outcome,
            score,
            raised,
        )
        for sequence, (id_, fingerprint, occurred_at, row, payload, facts, digest, level, outcome, score, raised) in (
            enumerate(columns, first)
        )
    ]


def _decided(row: _Row) -> Decided:
    decision = row.decision
    where = (decision.sequence, decision.revision, decision.source, decision.row)
    return Decided(decision.fingerprint, *where, row.level, row.outcome, row.raised)


def _position(what: str, names: tuple[str, ...], name: str) -> int:
    if name not in names:
        raise UsageError(f"There is no {what} {name!r}; choose {', '.join(names[:-1])} or {names[-1]}.")
    return names.index(name)


def _copy(receipt: Receipt) -> Receipt:
    """Receipts are counted in place, so what is stored and what is handed out are never the same object."""
    return msgspec.json.decode(msgspec.json.encode(receipt), type=Receipt)


def commit_of(ruleset: Ruleset, revision: int, transactions: Sequence[dict[str, Any]], **envelope: Any) -> Commit:
    """A chunk as the pipeline would commit it, decided by hand: each transaction brings `score` and `fired` along.

    Fields that a transaction leaves out are missing; `id` and `occurred_at` are required. What decides for real is
    `pipeline.process`; this is for tests of stores.
    """
    names = [spec.name for spec in ruleset.fields if spec.name not in ("id", "occurred_at")]
    batch = Batch(
        ids=[transaction["id"] for transaction in transactions],
        occurred_at=[transaction["occurred_at"] for transaction in transactions],
        day_only=[False] * len(transactions),
        columns={name: [transaction.get(name) for transaction in transactions] for name in names},
        fingerprints=[hashlib.sha256(repr(sorted(t.items())).encode()).digest() for t in transactions],
        rows=[transaction.get("row", number) for number, transaction in enumerate(transactions, start=1)],
    )
    scores = [transaction.get("score", 0) for transaction in transactions]
    levels = [level_of(score, ruleset.levels) for score in scores]
    outcomes = [level_of(score, ruleset.outcomes) for score in scores]
    raised = [transaction.get("raised", False) for transaction in transactions]
    header = {"outcome": outcomes, "level": levels, "score": scores, "alert": raised, "covered_ms": -1}
    states = [[2 if rule.id in t.get("fired", ()) else 0 for t in transactions] for rule in ruleset.rules]
    facts = pack(states, {**header, "probability": float("nan")}, [], []) if transactions else []
    return Commit(
        batch=batch,
        payloads=encode(batch, ruleset),
        facts=facts,
        hashes=[digest(fact) for fact in facts],
        levels=levels,
        outcomes=outcomes,
        scores=scores,
        raised=raised,
        revision=revision,
        received_at=envelope.get("received_at", 0),
        source=envelope.get("source", "file:1"),
        path=envelope.get("path", "cli"),
        engine=envelope.get("engine", "test"),
        alerts=envelope.get("alerts", []),
        after=envelope.get("after"),
    )
