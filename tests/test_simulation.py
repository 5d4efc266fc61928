"""The commit protocol under crashes, lost answers and rivals; and proof that the simulator would notice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.__main__ import CATCHING, command, first_broken, main
from tests.simulation.bugs import BUGS, Change, planted
from tests.simulation.run import simulate

SEEDS = 120  # 10,000 in CI, a million by `make soak`: see docs/reliability.md
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_no_seed_breaks_a_promise(part: int) -> None:
    broken = first_broken(range(part, SEEDS, PARTS))
    assert broken is None, f"{broken.broken}: {command(broken)}"


def test_a_seed_tells_the_same_story_twice() -> None:
    for seed in range(5):
        assert simulate(seed) == simulate(seed)


@pytest.mark.parametrize("name", list(BUGS))
def test_a_planted_bug_is_caught(name: str) -> None:
    with planted(name):
        caught = first_broken(range(CATCHING))
    assert caught is not None, f"{CATCHING} seeds and nobody noticed"


def test_at_least_25_bugs_are_planted() -> None:
    assert len(BUGS) >= 25


@pytest.fixture
def misplaced(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bug whose place is gone from the code."""
    ((first, *_), *_) = BUGS.values()
    monkeypatch.setitem(BUGS, "misplaced", (Change(first.where, first.function, "no such text", ""),))
    yield "misplaced"


def test_a_bug_that_can_no_longer_be_planted_is_told(misplaced: str) -> None:
    with pytest.raises(LookupError, match="plant this bug anew"), planted(misplaced):
        pytest.fail("there was nothing to change")


def test_the_command_prints_the_score(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "2"]) == 0
    assert "2 seeds, 0 broken" in capsys.readouterr().out
    assert main(["--bug", "marked before sent"]) == 0
    assert "planted 1, caught 1" in capsys.readouterr().out
    assert main(["--bug", "marked before sent", "--seed", "1", "--seeds", "1"]) == 0
