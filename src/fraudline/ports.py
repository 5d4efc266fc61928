"""What the pipeline asks of the world: small Protocols, each with one conformance suite in tests/ports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fraudline.domain.decision import Alert, Decided, Decision
from fraudline.domain.receipt import Receipt
from fraudline.domain.ruleset import Ruleset
from fraudline.domain.transaction import Batch, Records
from fraudline.engine.history import State


class Source(Protocol):
    """Somewhere records come from. Yields blocks of bounded size, in the order they stand."""

    def __iter__(self) -> Iterator[Records]: ...


@dataclass(slots=True)
class Commit:
    """Everything one chunk of a batch writes, all of it or none of it. Lists run parallel to `batch`.

    `payloads` are the transactions' typed values as stored (see `engine.record`), `facts` the packed facts, `hashes`
    their SHA-256; `levels`, `outcomes`, `scores`, `raised` repeat what people filter by. `source` names the receipt or
    stream, `path` the door, `data` the versions of the data files. `after` is the newest sequence of the log that was
    read to decide: a store refuses the chunk where its log has moved on since, or had a later revision there already.
    None asks for no such check.
    """

    batch: Batch
    payloads: list[bytes]
    facts: list[bytes]
    hashes: list[bytes]
    levels: list[int]
    outcomes: list[int]
    scores: list[int]
    raised: list[bool]
    revision: int
    received_at: int
    source: str
    path: str
    engine: str
    data: str = ""
    alerts: list[Alert] = field(default_factory=list)
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What `decisions list` asks for. Times are UTC ms, `since` included, `until` not; `min_amount` in minor units.

    Location is compared whole, `text` is a substring of id, account, merchant, location or description; neither
    regards case. Equal ranks stand in order of sequence, newest first where `sort` begins with a minus.
    """

    level: str | None = None
    outcome: str | None = None
    location: str | None = None
    rule: str | None = None
    account: str | None = None
    text: str | None = None
    min_amount: int | None = None
    since: int | None = None
    until: int | None = None
    sort: str = "-score"
    limit: int | None = 20
    offset: int = 0


class Store(Protocol):
    """The log of one (tenant, ruleset name): transactions, decisions, control entries, outbox, receipts."""

    def decided(self, ids: Sequence[str]) -> dict[str, Decided]:
        """Which of these ids are decided already, and with what content."""
        ...

    def commit(self, commit: Commit) -> int:
        """Write one chunk atomically and durably; the sequence of its first decision.

        Raises Conflict where an id is stored already or the log holds anything after `commit.after`, and StoreError
        where the store fails: nothing was written then. Raises Unanswered where that is not known.
        """
        ...

    def decisions(self, ids: Sequence[str]) -> dict[str, Decision]:
        """The stored decisions of these ids."""
        ...

    def find(self, query: Query) -> Iterable[Decision]:
        """Decisions by filter, a page at a time inside the store, never all in memory."""
        ...

    def log(self, after: int = 0, limit: int = 10_000) -> list[Decision]:
        """Stored decisions in order of sequence, after this one."""
        ...

    def activate(self, ruleset: Ruleset, at: int) -> int:
        """The revision under which this ruleset decides; a new control entry where it was not the active one."""
        ...

    def ruleset(self, revision: int) -> Ruleset:
        """The ruleset of a revision."""
        ...

    def revision(self) -> int:
        """The newest revision, 0 where there is none."""
        ...

    def begin(self, receipt: Receipt) -> Receipt:
        """Open the receipt of a file; the unfinished one of the same file and ruleset where there is one."""
        ...

    def finish(self, receipt: Receipt) -> None:
        """Store a receipt whose file is accounted for."""
        ...

    def receipts(self, limit: int = 20) -> list[Receipt]:
        """Receipts, newest first."""
        ...

    def unsent(self, limit: int = 100) -> list[Alert]:
        """Alerts of the outbox that were not sent, oldest first."""
        ...

    def mark_sent(self, alert_id: str, at: int) -> None:
        """Note that an alert went out; doing it twice changes nothing."""
        ...

    def close(self) -> None:
        """Release the writer's lock and the files."""
        ...


class Histories(Protocol):
    """Where the histories of entities come from: memory warmed from the log, or a store that is asked per batch.

    `position` is the newest sequence of the log that the loaded state holds; the pipeline moves it on with each commit.
    """

    position: int

    def load(self, batch: Batch) -> State:
        """The state that this batch folds over. `State.fold` adds the batch's transactions to it."""
        ...

    def forget(self) -> None:
        """What was folded since the last successful commit is void: it failed, or others have written since."""
        ...
