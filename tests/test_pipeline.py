"""The journey of a batch: who is decided, who is a duplicate, who is in conflict, and what survives a new ruleset."""

from __future__ import annotations

from typing import Any

from fraudline.adapters.embedded.histories import MemoryHistories
from fraudline.domain.ruleset import Ruleset
from fraudline.domain.transaction import Records
from fraudline.engine import check, explain
from fraudline.engine.cards import Tokens
from fraudline.engine.compile import program
from fraudline.engine.decide import state_for
from fraudline.engine.intake import Intake
from fraudline.pipeline import Report, Run, process
from fraudline.replay import replay
from fraudline.testing import MemoryStore

NOW = 1_750_000_000_000
RULES = """
ruleset: shop
currency: USD
rules:
  - {id: high, when: amount > 100, points: 40, reason: "{amount}"}
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
