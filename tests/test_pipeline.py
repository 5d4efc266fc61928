"""The journey of a batch: who is decided, who is a duplicate, who is in conflict, and what survives a new ruleset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fraudline import pipeline
from fraudline.adapters.embedded.histories import MemoryHistories
from fraudline.domain.errors import Conflict, StoreError, Unanswered
from fraudline.domain.ruleset import Ruleset
from fraudline.domain.transaction import Batch, Records
from fraudline.engine import check, explain
from fraudline.engine.cards import Tokens
from fraudline.engine.compile import program
from fraudline.engine.decide import decide as engine_decide
from fraudline.engine.decide import state_for
from fraudline.engine.history import State
from fraudline.engine.intake import Intake
from fraudline.pipeline import Report, Run, process
from fraudline.ports import Commit
from fraudline.replay import replay
from fraudline.testing import MemoryStore

NOW = 1_750_000_000_000
RULES = """
ruleset: shop
currency: USD
rules:
  - {id: high, when: amount > 100, points: 40, reason: "{amount}"}
"""
BUSY = """
ruleset: shop
currency: USD
rules:
  - {id: busy, when: 'count(by=account, last="1h") > 2', points: 90, reason: "often"}
"""
WITH_GRADE = RULES.replace("rules:", "attributes: {grade: text}\nrules:")


def _row(name: str, **values: Any) -> dict[str, Any]:
    return {"id": name, "occurred_at": "2025-05-20T10:00:00Z", "amount": "12.50", "account": "A1", **values}


def _score(store: MemoryStore, rules: str, rows: list[dict[str, Any]], source: str = "file:1") -> Report:
    ruleset: Ruleset = check.load(rules)
    made = program(ruleset)
    revision = store.activate(ruleset, NOW)
    intake = Intake(ruleset, received_at=NOW, tokens=Tokens(b"0123456789abcdef"))
    names = dict.fromkeys(name for row in rows for name in row)
    batch, rejected = intake.read(
        Records(list(range(2, len(rows) + 2)), {name: [row.get(name) for row in rows] for name in names})
    )
    assert rejected == []
    return process(batch, Run(made, store, MemoryHistories(store, made), revision, NOW, source, "test"))


def test_the_same_content_is_a_duplicate_and_other_content_a_conflict() -> None:
    store = MemoryStore("shop")
    assert _score(store, RULES, [_row("T1"), _row("T2")]).endings == ["decided", "decided"]
    again = _score(store, RULES, [_row("T1"), _row("T2", amount="12.51"), _row("T3")], "file:2")
    assert again.endings == ["duplicate", "id_conflict", "decided"]
    assert [(problem.line, problem.value) for problem in again.problems] == [(3, "T2")]
    assert store.decisions(["T2"])["T2"].transaction["amount"] == 1250


def test_an_interrupted_file_counts_what_it_decided_before_as_decided() -> None:
    store = MemoryStore("shop")
    _score(store, RULES, [_row("T1")])
    assert _score(store, RULES, [_row("T1"), _row("T2")]).endings == ["decided", "decided"]


def test_a_ruleset_that_declares_another_field_still_knows_its_transactions() -> None:
    store = MemoryStore("shop")
    _score(store, RULES, [_row("T1", grade="senior"), _row("T2", grade="senior")])
    rows = [_row("T1", grade="senior"), _row("T2", grade="senior", amount="9.99")]
    assert _score(store, WITH_GRADE, rows, "file:2").endings == ["duplicate", "id_conflict"]
    assert _score(store, RULES, [_row("T1", description="tea")], "file:3").endings == ["id_conflict"]


def test_an_amount_without_a_rate_is_missing_and_never_a_silent_approval() -> None:
    store = MemoryStore("shop")
    report = _score(store, RULES, [_row("T1", currency=" usd"), _row("T2", currency="EUR", amount="1000000")])
    made = program(check.load(RULES))
    ours, theirs = (explain.unpack(made, packed) for packed in report.facts)
    assert (ours.outcome, ours.degraded) == ("approve", ())
    assert (theirs.outcome, theirs.degraded) == ("review", ("rates_missing",))
    again = replay(store, lambda ruleset: (program(ruleset), state_for(program(ruleset))))
    assert [(stretch.compared, stretch.differences) for stretch in again] == [(2, [])]


# Commits that others overtake, and answers that are lost


class Racing(MemoryStore):
    """Before each of its commits something happens that is told to it."""

    def __init__(self, *events: Callable[[Racing, Commit], None]) -> None:
        super().__init__("shop")
        self.events = list(events)
        self.commits = 0

    def commit(self, commit: Commit) -> int:
        self.commits += 1
        if self.events:
            self.events.pop(0)(self, commit)
        return super().commit(commit)


def _another_writer(*names: str) -> Callable[[Racing, Commit], None]:
    def write(store: Racing, _: Commit) -> None:
        _score(store, BUSY, [_row(name) for name in names], "file:9")

    return write


def _lose_the_answer(store: Racing, commit: Commit) -> None:
    MemoryStore.commit(store, commit)
    raise Unanswered("no answer")


def _lose_the_request(_: Racing, __: Commit) -> None:
    raise Unanswered("no answer")


def test_a_batch_that_another_writer_overtook_is_decided_again_with_what_that_one_wrote() -> None:
    store = Racing(_another_writer("X1", "X2"))
    assert _score(store, BUSY, [_row("T1")]).outcomes == [2], "the third within the hour"
    assert [decision.transaction_id for decision in store.log()] == ["X1", "X2", "T1"]


def test_a_transaction_that_another_writer_decided_in_between_is_a_duplicate() -> None:
    store = Racing(_another_writer("T2"))
    assert _score(store, BUSY, [_row("T1"), _row("T2"), _row("T3")]).endings == ["decided", "duplicate", "decided"]
    assert [decision.transaction_id for decision in store.log()] == ["T2", "T1", "T3"]


@pytest.mark.parametrize(("event", "commits"), [(_lose_the_answer, 1), (_lose_the_request, 2)])
def test_after_a_lost_answer_the_ids_are_looked_up_again(event: Callable[[Racing, Commit], None], commits: int) -> None:
    store = Racing(event)
    report = _score(store, BUSY, [_row("T1"), _row("T1", amount="9"), _row("T2"), _row("T3")])
    assert report.endings == ["decided", "id_conflict", "decided", "decided"]
    assert len(report.problems) == 1
    assert report.outcomes[-1] == 2
    assert (len(store.log()), store.commits) == (3, commits)


def test_a_batch_that_is_overtaken_again_and_again_is_given_up_without_a_trace() -> None:
    def overtake(_: Racing, __: Commit) -> None:
        raise Conflict("overtaken")

    store = Racing(*[overtake] * 10)
    with pytest.raises(Conflict):
        _score(store, BUSY, [_row("T1")])
    assert (store.commits, store.log()) == (pipeline.ATTEMPTS, [])


def test_a_writer_that_was_overtaken_by_another_ruleset_stops() -> None:
    def activate(store: Racing, _: Commit) -> None:
        _score(store, RULES, [_row("X1")], "file:9")

    store = Racing(activate)
    with pytest.raises(StoreError, match="was activated"):
        _score(store, BUSY, [_row("T1")])
    assert [decision.revision for decision in store.log()] == [2]


def test_after_a_dead_letter_the_next_of_its_id_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = engine_decide

    def failing(program: Any, batch: Any, state: Any, **given: Any) -> Any:
        decided = decide(program, batch, state, **given)
        if 666 in batch.columns["amount"]:
            raise ZeroDivisionError
        return decided

    monkeypatch.setattr(pipeline, "decide", failing)
    store = MemoryStore("shop")
    rows = [
        _row("T0"),
        _row("T1", amount="6.66"),
        _row("T1", amount="6.66"),
        _row("T1"),
        _row("T1", amount="2"),
        _row("T1"),
    ]
    report = _score(store, BUSY, rows)
    assert report.endings == ["decided", "dead_letter", "dead_letter", "decided", "id_conflict", "duplicate"]
    assert [problem.code for problem in report.problems] == ["dead_letter", "dead_letter", "id_conflict"]
    assert [decision.transaction["amount"] for decision in store.log()] == [1250, 1250]


class _Unreadable(MemoryHistories):
    def load(self, batch: Batch) -> State:  # noqa: ARG002 - whatever the batch, it fails
        raise PermissionError(13, "Permission denied", "snapshot")


def test_histories_that_cannot_be_read_are_a_failure_of_the_system_and_no_dead_letters() -> None:
    store = MemoryStore("shop")
    run, batch = _prepared(store, _Unreadable)
    with pytest.raises(PermissionError):
        process(batch, run)
    assert store.log() == []


def test_ctrl_c_while_deciding_leaves_nothing_folded_that_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore("shop")
    run, batch = _prepared(store, MemoryHistories)

    def interrupted(*given: Any, **named: Any) -> None:
        engine_decide(*given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "decide", interrupted)
        with pytest.raises(KeyboardInterrupt):
            process(batch, run)
    process(batch, run)
    counted = explain.unpack(run.program, store.log()[-1].facts).features
    assert counted == (2.0,)


def _prepared(store: MemoryStore, kind: type[MemoryHistories]) -> tuple[Run, Batch]:
    """Two transactions of one account, and a run whose only rule counts them."""
    ruleset = check.load(BUSY)
    made = program(ruleset)
    revision = store.activate(ruleset, NOW)
    columns = {name: [value, value] for name, value in _row("").items()} | {"id": ["T1", "T2"]}
    batch, _ = Intake(ruleset, received_at=NOW, tokens=Tokens(b"0123456789abcdef")).read(Records([2, 3], columns))
    return Run(made, store, kind(store, made), revision, NOW, "file:1", "test"), batch
