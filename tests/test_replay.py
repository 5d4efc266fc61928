"""Replay over a store in memory: every decision under the ruleset of its time, with what had arrived before it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fraudline.domain.ruleset import FieldSpec, Rule, Ruleset
from fraudline.domain.transaction import FIELDS, Batch
from fraudline.engine import record
from fraudline.engine.compile import Program, program
from fraudline.engine.decide import decide, remember, state_for
from fraudline.engine.history import State
from fraudline.ports import Commit
from fraudline.replay import Difference, replay
from fraudline.testing import MemoryStore

FIRST = Ruleset(
    "replayed",
    "USD",
    tuple(FieldSpec(name, FIELDS[name], name) for name in ("id", "occurred_at", "amount", "account")),
    (Rule("busy", 'count(by=account, last="1h") > 2', points=50),),
)
SECOND = msgspec.structs.replace(FIRST, rules=(Rule("spent", 'sum(amount, by=account, last="1h") > 10', points=70),))


def fresh(ruleset: Ruleset) -> tuple[Program, State]:
    compiled = program(ruleset)
    return compiled, state_for(compiled)


def batch(ids: range) -> Batch:
    rows: list[dict[str, Any]] = [
        {"id": f"T{n}", "occurred_at": n * 60_000, "day_only": False, "amount": 250, "account": f"A{n % 2}"}
        for n in ids
    ]
    return record.batch_of(rows, FIRST, fingerprints=[b"x" * 32] * len(rows), positions=list(ids))


@pytest.fixture
def store() -> MemoryStore:
    """Twelve decisions: six under the first ruleset, six under the second, in chunks of three."""
    made = MemoryStore("replayed")
    past: list[Batch] = []
    for ruleset, ids in ((FIRST, range(6)), (SECOND, range(6, 12))):
        compiled, state = fresh(ruleset)
        for earlier in past:
            remember(compiled, earlier, state)
        for start in range(ids.start, ids.stop, 3):
            chunk = batch(range(start, start + 3))
            commit_decided(made, compiled, state, chunk, received_at=1_000 + start)
            past.append(chunk)
    return made


def commit_decided(store: MemoryStore, compiled: Program, state: State, chunk: Batch, received_at: int) -> None:
    decided = decide(compiled, chunk, state, received_at=received_at)
    store.commit(
        Commit(
            batch=chunk,
            payloads=record.encode(chunk, compiled.ruleset),
            facts=decided.facts,
            hashes=decided.hashes,
            levels=decided.levels,
            outcomes=decided.outcomes,
            scores=decided.scores,
            raised=decided.raised,
            revision=store.activate(compiled.ruleset, 0),
            received_at=received_at,
            source="file:1",
            path="test",
            engine="test",
        )
    )


def differences(store: MemoryStore, name: str | None = None) -> list[Difference]:
    only = store.decisions([name])[name] if name else None
    return [found for stretch in replay(store, fresh, only=only) for found in stretch.differences]


def test_every_decision_repeats_across_a_change_of_rules(store: MemoryStore) -> None:
    assert sum(stretch.compared for stretch in replay(store, fresh)) == 12
    assert differences(store) == []


@pytest.mark.parametrize("name", ["T0", "T4", "T6", "T11"])
def test_one_decision_is_repeated_with_all_that_came_before_it(store: MemoryStore, name: str) -> None:
    only = store.decisions([name])[name]
    assert sum(stretch.compared for stretch in replay(store, fresh, only=only)) == 1
    assert differences(store, name) == []


def test_a_missing_transaction_changes_those_after_it(store: MemoryStore) -> None:
    del store._rows["T2"]
    changed = [found.decision.transaction_id for found in differences(store)]
    assert changed
    assert set(changed) <= {"T4", "T6", "T8", "T10"}, "only the same account looks back on it"


def test_differences_name_their_fields(store: MemoryStore) -> None:
    del store._rows["T2"]
    names = {name for found in differences(store) for name, _, _ in found.fields()}
    assert any(name.startswith("features: ") for name in names)


def test_an_empty_log_has_nothing_to_repeat() -> None:
    assert list(replay(MemoryStore("replayed"), fresh)) == []
