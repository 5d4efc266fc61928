"""Everything that a process speaks to: the store behind an unreliable line, an at-least-once source, a notifier.

Each call may die before or after it took effect, fail, be answered by nobody, be carried out twice, or arrive late.
What takes effect is told to the checkers at that very moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from fraudline.domain.decision import Alert, Decided, Decision
from fraudline.domain.errors import Conflict, StoreError, SystemFailure, Unanswered
from fraudline.domain.receipt import Receipt
from fraudline.domain.ruleset import Ruleset
from fraudline.ports import Commit, Query
from tests.simulation.checks import Checks
from tests.simulation.disks import Disk
from tests.simulation.world import Crash, Row, World

T = TypeVar("T")

READ_FAULTS = ("dies before", "dies after", "fails before")
WRITE_FAULTS = (*READ_FAULTS, "fails after", "carried out twice", "disk full")
COMMIT_FAULTS = (*WRITE_FAULTS, "no answer before", "no answer after", "no answer after", "late")


class SimulatedStore:
    """A `ports.Store` as one process holds it: a line to the disk, and nothing durable of its own."""

    def __init__(self, world: World, disk: Disk, checks: Checks, late: list[Callable[[], None]]) -> None:
        self.world = world
        self.disk = disk
        self.checks = checks
        self.late = late
        self.dead = False
        self.behind = disk.open()

    def _call(self, name: str, faults: Sequence[str], do: Callable[[], T]) -> T:
        if self.dead:
            raise Crash
        self.world.tick()
        self.world.let_others_work()
        self._deliver_late()
        kind = self.world.strikes(*faults, weight=3.0 if faults is COMMIT_FAULTS else 1.0)
        writes = faults is not READ_FAULTS
        if kind == "disk full":
            self.world.full_until = self.world.calls + self.world.random.randint(1, 12)
        if writes and self.world.calls < self.world.full_until and not self.world.calm:
            raise StoreError(f"{name}: the disk is full")
        self._before(kind, name, do)
        result = do()
        if kind == "carried out twice":
            self.world.disturbances += 1
            result = do()
        self._after(kind, name)
        self.world.let_others_work()
        return result

    def _deliver_late(self) -> None:
        while self.late and self.world.random.random() < 0.4:
            self.late.pop(0)()

    def _before(self, kind: str, name: str, do: Callable[[], Any]) -> None:
        if kind == "dies before":
            raise Crash
        if kind == "fails before":
            raise StoreError(f"{name} failed")
        if kind in ("no answer before", "late"):
            self.world.disturbances += 1
            if kind == "late" and not self.world.embedded:
                self.late.append(lambda: _ignoring(do))
            raise Unanswered(f"{name} was not answered")

    def _after(self, kind: str, name: str) -> None:
        if kind == "dies after":
            raise Crash
        if kind == "fails after":
            raise StoreError(f"{name} failed, or so it seems")
        if kind == "no answer after":
            self.world.disturbances += 1
            raise Unanswered(f"{name} was not answered")

    def _read(self, name: str, do: Callable[[], T]) -> T:
        return self._call(name, READ_FAULTS, do)

    def _write(self, name: str, do: Callable[[], T]) -> T:
        return self._call(name, WRITE_FAULTS, do)

    def decided(self, ids: Sequence[str]) -> dict[str, Decided]:
        """A read; where several machines hold the log, one of them may be behind."""
        found: dict[str, Decided] = self._read("decided", lambda: self.behind.decided(ids))
        if not self.world.locked and self.world.strikes("stale read"):
            self.world.disturbances += 1
            return {}
        return found

    def commit(self, commit: Commit) -> int:
        """A write that may be answered by nobody, or arrive when nobody waits for it any more."""

        def do() -> int:
            with self.checks.committing(commit):
                return int(self.behind.commit(commit))

        return self._call("commit", COMMIT_FAULTS, do)

    def decisions(self, ids: Sequence[str]) -> dict[str, Decision]:
        """A read."""
        return self._read("decisions", lambda: self.behind.decisions(ids))

    def find(self, query: Query) -> Iterable[Decision]:
        """A read."""
        return self._read("find", lambda: list(self.behind.find(query)))

    def log(self, after: int = 0, limit: int = 10_000) -> list[Decision]:
        """A read."""
        return self._read("log", lambda: self.behind.log(after, limit))

    def activate(self, ruleset: Ruleset, at: int) -> int:
        """A write."""
        return self._write("activate", lambda: int(self.behind.activate(ruleset, at)))

    def ruleset(self, revision: int) -> Ruleset:
        """Known for good once it was read; it cannot fail here."""
        found: Ruleset = self.behind.ruleset(revision)
        return found

    def revision(self) -> int:
        """A read."""
        return self._read("revision", lambda: int(self.behind.revision()))

    def begin(self, receipt: Receipt) -> Receipt:
        """A write."""
        return self._write("begin", lambda: self.checks.begun(self.behind.begin(receipt)))

    def finish(self, receipt: Receipt) -> None:
        """A write."""

        def do() -> None:
            self.behind.finish(receipt)
            self.checks.finished(receipt.source)

        self._write("finish", do)

    def receipts(self, limit: int = 20) -> list[Receipt]:
        """A read."""
        return self._read("receipts", lambda: self.behind.receipts(limit))

    def unsent(self, limit: int = 100) -> list[Alert]:
        """A read."""
        return self._read("unsent", lambda: self.behind.unsent(limit))

    def mark_sent(self, alert_id: str, at: int) -> None:
        """A write."""

        def do() -> None:
            self.behind.mark_sent(alert_id, at)
            self.checks.marked()

        self._write("mark_sent", do)

    def close(self) -> None:
        """The process ends, or dies: nothing can be asked through it any more."""
        if not self.dead:
            self.dead = True
            self.disk.died(self.behind)


def _ignoring(do: Callable[[], Any]) -> None:
    """Somebody who waits no longer does not hear that it was refused."""
    try:
        do()
    except Conflict:
        return


class Source:
    """A stream that delivers each message at least once, until it is acknowledged, not always in order.

    A queue acknowledges message by message and may hand them out in any order; a topic has one position that is moved
    on, and begins there again with every reader.
    """

    def __init__(self, world: World, checks: Checks) -> None:
        self.world = world
        self.checks = checks
        self.messages = dict(enumerate(world.stream, 1))
        self.queue = world.random.random() < 0.5
        self.waiting = list(self.messages)
        self.position = 0  # of the topic: everything up to it is acknowledged
        self.most = world.random.choice((1, 3, 5))

    def open(self) -> Iterator[list[tuple[int, Row]]]:
        """Batches of messages for a reader that starts, while there are any."""
        read = self.position
        while True:
            offsets = self._queued() if self.queue else [n for n in self.messages if n > read][: self.most]
            read = max([read, *offsets]) if offsets else self.position
            if offsets and self.world.strikes("delivered twice"):
                offsets.append(self.world.random.choice(offsets))
            yield [(n, self.messages[n]) for n in offsets]

    def _queued(self) -> list[int]:
        offsets = self.waiting[: self.most]
        if self.world.strikes("out of order"):
            self.world.random.shuffle(offsets)
        if self.waiting and self.world.strikes("delivered again"):
            offsets.append(self.world.random.choice(list(self.messages)))
        return offsets

    def acknowledge(self, offsets: list[int]) -> None:
        """These messages are done. The acknowledgement may be lost, and then they come again."""
        self.world.tick()
        kind = self.world.strikes("dies before acknowledging", "dies after acknowledging", "acknowledgement lost")
        if kind == "dies before acknowledging":
            raise Crash
        if kind != "acknowledgement lost":
            self.checks.acknowledged(offsets if self.queue else range(self.position + 1, max(offsets) + 1))
            self.waiting = [n for n in self.waiting if n not in offsets]
            self.position = max(self.position, *offsets)
        if kind == "dies after acknowledging":
            raise Crash

    def done(self) -> bool:
        """Whether every message was acknowledged."""
        return not self.waiting if self.queue else self.position >= len(self.messages)


class Notifier:
    """Sends alerts to people: sometimes it takes long, sometimes it fails after the message went out."""

    def __init__(self, world: World, checks: Checks) -> None:
        self.world = world
        self.checks = checks

    def send(self, alert: Alert) -> None:
        """One alert goes out, with its id as the key by which the other side knows repeats."""
        self.world.tick()
        kinds = ("dies before sending", "dies after sending", "sending fails", "sent, but no answer")
        kind = self.world.strikes(*kinds, weight=3.0)
        if kind == "dies before sending":
            raise Crash
        if kind == "sending fails":
            raise SystemFailure("the mail server does not answer")
        self.world.let_others_work()
        self.checks.sent(alert)
        if kind == "dies after sending":
            raise Crash
        if kind:
            raise SystemFailure("the mail server did not answer in time")
