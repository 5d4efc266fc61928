"""A snapshot at any point changes nothing, and one of anything else is not used."""

from __future__ import annotations

from random import Random

import pytest

from fraudline.engine import decide, snapshot
from fraudline.engine.compile import Program
from fraudline.engine.history import State
from tests import streams
from tests.test_differential import batched, programmed

LENGTH = 120


def made_of(seed: int) -> tuple[Program, list[streams.Transaction]]:
    random = Random(seed)
    return programmed(streams.rulesets(random)), streams.SHAPES[seed % len(streams.SHAPES)](random, LENGTH)


def facts_of(made: Program, stream: list[streams.Transaction], at: set[int], *, compiled: bool) -> list[bytes]:
    """The facts of a stream, where the state goes through a snapshot before each of these rows."""
    whole, state, packed = batched(made, stream), decide.state_for(made), []
    if compiled and not state.compile():
        pytest.skip("Numba is not installed: pip install 'fraudline[fast]'")
    for n in range(len(whole)):
        if n in at:
            state = _again(made, state, compiled)
        packed += decide.decide(made, whole.slice(n, n + 1), state, received_at=streams.RECEIVED_AT).facts
    return packed


def _again(made: Program, state: State, compiled: bool) -> State:
    data = b"".join(snapshot.dump(made, state, 7, "mark"))
    found = snapshot.restore(made, memoryview(data), compiled=compiled)
    assert found is not None
    assert (found[0].sequence, found[0].mark) == (7, "mark")
    return found[1]


@pytest.mark.parametrize("seed", range(27))
def test_a_snapshot_at_any_point_changes_nothing(seed: int) -> None:
    made, stream = made_of(seed)
    at = set(Random(seed).sample(range(LENGTH), 6)) | {0}
    assert facts_of(made, stream, at, compiled=False) == facts_of(made, stream, set(), compiled=False)


@pytest.mark.parametrize("seed", range(3))
def test_a_compiled_snapshot_at_any_point_changes_nothing(seed: int) -> None:
    made, stream = made_of(seed)
    at = set(Random(seed).sample(range(LENGTH), 6)) | {0}
    assert facts_of(made, stream, at, compiled=True) == facts_of(made, stream, set(), compiled=False)


@pytest.mark.parametrize("seed", range(9))
def test_ids_that_are_in_no_history_any_more_are_forgotten(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made, stream = made_of(seed)
    expected = facts_of(made, stream, set(), compiled=False)
    monkeypatch.setattr("fraudline.engine.history.IDS_WORTH_BYTES", 64)
    monkeypatch.setattr("fraudline.engine.history.IDS_AT_ONCE", 3)
    assert facts_of(made, stream, set(), compiled=False) == expected


def test_a_snapshot_of_another_ruleset_is_not_used() -> None:
    (made, _), (other, _) = made_of(1), made_of(2)
    data = memoryview(b"".join(snapshot.dump(made, decide.state_for(made), 1, "m")))
    assert snapshot.restore(other, data, compiled=False) is None
    assert snapshot.restore(made, memoryview(b""), compiled=False) is None
    assert snapshot.restore(made, memoryview(b"\xff" * 100), compiled=False) is None
