"""The golden streams are decided as they always were, on every path; a difference is accepted by a command only."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from fraudline import wiring
from fraudline.adapters.embedded.compiled import compile_program
from fraudline.domain.decision import Decision
from fraudline.engine import decide, record
from fraudline.engine.compile import Program
from tests.golden import update

HOW = "look at `python -m tests.golden.update`, and accept what is meant with --write"


@cache
def now() -> dict[str, str]:
    return update.files()


@pytest.mark.parametrize("name", [*(f"{ruleset}.json" for ruleset in update.RULESETS), "document.json"])
def test_nothing_changed(name: str) -> None:
    difference = update.difference(name, now()[name])
    assert not difference, f"{HOW}\n{difference}"


def test_the_streams_of_the_issue_are_decided_as_it_says() -> None:
    stream = json.loads((update.HERE / "expenses.json").read_text(encoding="utf-8"))
    told = {one["id"]: one for one in stream["decisions"]}
    assert told["TXN001"]["level"] == "high"
    assert {"high_amount", "suspicious_words"} <= set(told["TXN001"]["fired"])
    assert told["TXN002"]["level"] != "high"


@pytest.mark.parametrize("name", update.RULESETS)
def test_most_rules_and_every_outcome_happen(name: str) -> None:
    stream = json.loads((update.HERE / f"{name}.json").read_text(encoding="utf-8"))
    rules = wiring.find_ruleset(name, Path()).rules
    fired = {rule for one in stream["decisions"] for rule in one["fired"]}
    assert len(fired) >= 0.6 * len(rules)
    for name_of in ("outcome", "level"):
        assert len({one[name_of] for one in stream["decisions"]}) == 3
    assert any("window_expired" in one["degraded"] for one in stream["decisions"])
    assert any(one["late_ms"] > 0 for one in stream["decisions"])
    for receipt in stream["receipts"]:
        counts = receipt["counts"]
        assert counts["received"] == sum(count for ending, count in counts.items() if ending != "received")


@pytest.fixture(scope="module", params=update.RULESETS)
def scored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, list[Decision]]:
    """A stream decided and stored as the command line does it."""
    made, _, log = update.score(request.param, tmp_path_factory.mktemp(request.param))
    return made, log


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("compiled", [False, True])
def test_other_paths_make_the_same_facts_byte_for_byte(
    scored: tuple[Program, list[Decision]], size: int, compiled: bool
) -> None:
    """One by one, in small batches and at once, plain and compiled: the log's transactions, decided again."""
    made, log = scored
    assert len(log) > 100
    state = decide.state_for(made)
    if compiled:
        assert compile_program(made)
        assert state.compile()
    whole = record.batch_of([{**one.transaction, "id": one.transaction_id} for one in log], made.ruleset)
    again: list[bytes] = []
    for at in range(0, len(whole), size):
        part = whole.slice(at, at + size)
        again += decide.decide(made, part, state, received_at=update.RECEIVED_AT).facts
    assert again == [one.facts for one in log]


def test_the_golden_files_stay_small() -> None:
    assert sum(file.stat().st_size for file in update.HERE.glob("*.*")) < 300_000
