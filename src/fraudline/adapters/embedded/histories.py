"""Histories in memory, warmed from the store's log: what a workspace decides with."""

from __future__ import annotations

from fraudline.adapters.embedded.snapshots import Snapshots
from fraudline.domain.transaction import Batch
from fraudline.engine import record
from fraudline.engine.compile import Program
from fraudline.engine.decide import remember, state_for
from fraudline.engine.history import State
from fraudline.ports import Store

REPLAY_ROWS = 20_000
WORTH_ROWS = 50_000  # replaying so many rows takes about a second


class MemoryHistories:
    """All histories of one log. After `forget` they are read again from what is stored, and from nothing else."""

    def __init__(
        self, store: Store, program: Program, *, compiled: bool = False, snapshots: Snapshots | None = None
    ) -> None:
        self.store = store
        self.program = program
        self.compiled = compiled
        self.snapshots = snapshots
        self.state: State | None = None
        self.position = 0
        self.covered = 0  # the sequence up to which the last snapshot holds the log

    def load(self, batch: Batch) -> State:  # noqa: ARG002 - memory holds every entity; a remote store loads the batch's
        """The state to fold over; at first, and after `forget`, replayed from the log."""
        if self.state is None:
            self.state = self._replayed()
        return self.state

    def forget(self) -> None:
        """Drop what was folded but not stored."""
        self.state = None

    def save(self) -> None:
        """Keep a snapshot of what is in memory, where so much was decided since the last that a start would notice.

        To be called only when all that was folded is stored. Raises OSError where it cannot be written.
        """
        if self.state is not None and self.snapshots and self.position - self.covered >= WORTH_ROWS:
            self.snapshots.save(self.program, self.state, self.position, self._mark(self.position))
            self.covered = self.position

    def _mark(self, sequence: int) -> str:
        """What the log holds at this sequence, so that a snapshot of another log is never taken for this one's."""
        entries = self.store.log(sequence - 1, 1)
        return f"{entries[0].sequence}:{entries[0].transaction_id}:{entries[0].fingerprint.hex()}" if entries else ""

    def _replayed(self) -> State:
        found = self.snapshots.load(self.program, compiled=self.compiled) if self.snapshots else None
        if found is not None and found[0].mark == self._mark(found[0].sequence):
            self.covered, state = found[0].sequence, found[1]
        else:
            self.covered, state = 0, state_for(self.program)
            if self.compiled:
                state.compile()
        after = self.covered
        while entries := self.store.log(after, REPLAY_ROWS):
            rows = [{**entry.transaction, "id": entry.transaction_id} for entry in entries]
            remember(self.program, record.batch_of(rows, self.program.ruleset), state)
            after = entries[-1].sequence
        self.position = after
        return state
