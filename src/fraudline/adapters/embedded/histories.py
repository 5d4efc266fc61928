"""Histories in memory, warmed from the store's log: what a workspace decides with."""

from __future__ import annotations

from fraudline.domain.transaction import Batch
from fraudline.engine import record
from fraudline.engine.compile import Program
from fraudline.engine.decide import remember, state_for
from fraudline.engine.history import State
from fraudline.ports import Store

REPLAY_ROWS = 20_000


class MemoryHistories:
    """All histories of one log. After `forget` they are read again from what is stored, and from nothing else."""

    def __init__(self, store: Store, program: Program, *, compiled: bool = False) -> None:
        self.store = store
        self.program = program
        self.compiled = compiled
        self.state: State | None = None

    def load(self, batch: Batch) -> State:  # noqa: ARG002 - memory holds every entity; a remote store loads the batch's
        """The state to fold over; at first, and after `forget`, replayed from the log."""
        if self.state is None:
            self.state = self._replayed()
        return self.state

    def forget(self) -> None:
        """Drop what was folded but not stored."""
        self.state = None

    def _replayed(self) -> State:
        state = state_for(self.program)
        if self.compiled:
            state.compile()
        after = 0
        while entries := self.store.log(after, REPLAY_ROWS):
            rows = [{**entry.transaction, "id": entry.transaction_id} for entry in entries]
            remember(self.program, record.batch_of(rows, self.program.ruleset), state)
            after = entries[-1].sequence
        return state
