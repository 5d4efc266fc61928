"""Replay: decide the stored log again, with nothing of its decisions but their transactions, and compare every byte.

Each decision is repeated under the ruleset of its own revision, with the histories that had arrived before it. A
difference means that a decision could not be repeated: another engine, other data files, or a store that was touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from fraudline.domain.decision import Decision
from fraudline.domain.ruleset import Ruleset
from fraudline.engine import explain, facts, record
from fraudline.engine.compile import Program
from fraudline.engine.decide import decide, remember
from fraudline.engine.history import State
from fraudline.ports import Store

ROWS = 5_000

Fresh = Callable[[Ruleset], tuple[Program, State]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A decision that did not come out as it is stored."""

    program: Program
    decision: Decision
    again: bytes

    def fields(self) -> list[tuple[str, Any, Any]]:
        """What differs: its name, the stored value, the repeated one."""
        if self.decision.hash != facts.digest(self.decision.facts):
            return [("hash", self.decision.hash.hex(), facts.digest(self.decision.facts).hex())]
        try:
            stored = explain.body(self.program, self._transaction(), self.decision.facts)
        except ValueError as error:
            return [("facts", str(error), "readable")]
        repeated = explain.body(self.program, self._transaction(), self.again)
        return list(_differences(stored, repeated)) or [("facts", self.decision.facts.hex(), self.again.hex())]

    def _transaction(self) -> dict[str, Any]:
        return {**self.decision.transaction, "id": self.decision.transaction_id}


_COMPARED = ("outcome", "level", "score", "probability", "rules", "features", "inputs", "degraded", "alert")


def _differences(stored: dict[str, Any], repeated: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in _COMPARED:
        one, other = stored[name], repeated[name]
        if name == "rules":
            one = {state: [rule["id"] for rule in one[state]] for state in one}
            other = {state: [rule["id"] for rule in other[state]] for state in other}
        if isinstance(one, dict):
            yield from ((f"{name}: {key}", one[key], other[key]) for key in one if one[key] != other[key])
        elif one != other:
            yield name, one, other


@dataclass(slots=True)
class Replayed:
    """What one stretch of the log came to."""

    compared: int = 0
    passed: int = 0
    differences: list[Difference] = field(default_factory=list)


def replay(store: Store, fresh: Fresh, *, only: Decision | None = None) -> Iterator[Replayed]:
    """Repeat the decisions of one log, a stretch at a time; or `only` one, after folding what came before it.

    `fresh` makes a ruleset ready to decide with empty histories.
    """
    revision, after = 0, 0
    program: Program | None = None
    state: State | None = None
    while entries := store.log(after, ROWS):
        if only is not None:
            entries = [entry for entry in entries if entry.sequence <= only.sequence]
        for (revision_now, _), group in groupby(entries, key=lambda entry: (entry.revision, entry.received_at)):
            stretch = list(group)
            if program is None or state is None or revision_now != revision:
                revision = revision_now
                program, state = fresh(store.ruleset(revision))
                _remember_before(store, program, state, stretch[0].sequence)
            if only is None:
                yield _repeat(program, state, stretch)
            elif stretch[-1].sequence < only.sequence:
                remember(program, _batch(program, stretch), state)
                yield Replayed(passed=len(stretch))
            else:
                remember(program, _batch(program, stretch[:-1]), state)
                yield _repeat(program, state, stretch[-1:])
                return
        if not entries:
            return
        after = entries[-1].sequence


def _remember_before(store: Store, program: Program, state: State, sequence: int) -> None:
    """Fold everything that arrived before this place of the log, as a ruleset does that is activated there."""
    after = 0
    while entries := [entry for entry in store.log(after, ROWS) if entry.sequence < sequence]:
        remember(program, _batch(program, entries), state)
        after = entries[-1].sequence


def _batch(program: Program, entries: Sequence[Decision]) -> Any:
    rows = [{**entry.transaction, "id": entry.transaction_id} for entry in entries]
    return record.batch_of(rows, program.ruleset)


def _repeat(program: Program, state: State, entries: list[Decision]) -> Replayed:
    again = decide(program, _batch(program, entries), state, received_at=entries[0].received_at)
    differences = [
        Difference(program, entry, packed)
        for entry, packed in zip(entries, again.facts, strict=True)
        if entry.facts != packed or entry.hash != facts.digest(entry.facts)
    ]
    return Replayed(compared=len(entries), passed=len(entries), differences=differences)
