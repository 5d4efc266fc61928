"""Deciding a batch: what it stores of each transaction, whatever the size of the batch."""

from __future__ import annotations

from typing import Any

import pytest

from fraudline.domain.transaction import Batch
from fraudline.engine import decide, explain, facts
from tests.deciding import DAY, HOUR, RECEIVED_AT, START, batch, decided, programmed


def test_an_empty_batch_is_decided_to_nothing_and_changes_nothing() -> None:
    made = programmed("count(by=account) > 1")
    state = decide.state_for(made)
    assert decide.decide(made, batch(made, []), state, received_at=RECEIVED_AT).facts == []
    decide.remember(made, Batch(), state)
    assert decide.decide(made, batch(made, [{}]), state, received_at=RECEIVED_AT).scores == [0]


def test_columns_and_hashes_say_what_the_facts_say() -> None:
    made = programmed("amount > 100", "amount > 200", alert="score >= 20")
    answers = decide.decide(
        made, batch(made, [{"amount": minor} for minor in (1, 10_001, 20_001)]), decide.state_for(made), received_at=0
    )
    told = [explain.unpack(made, row) for row in answers.facts]
    assert answers.scores == [0, 10, 20] == [fact.score for fact in told]
    assert answers.raised == [False, False, True] == [fact.alert for fact in told]
    assert answers.levels == [0, 0, 0]
    assert answers.outcomes == [0, 0, 0]
    assert answers.hashes == [facts.digest(row) for row in answers.facts]


COVERED = [
    (0, 0),
    (DAY, DAY),
    (30 * DAY - 1, 30 * DAY - 1),
    (30 * DAY, None),
    (31 * DAY, None),
]


@pytest.mark.parametrize(("gap", "covered"), COVERED)
def test_a_log_shorter_than_the_longest_window_is_told(gap: int, covered: int | None) -> None:
    made = programmed('count(by=account, last="30d") > 1 or count(by=account, last="1h") > 1')
    rows: list[dict[str, Any]] = [{"occurred_at": START}, {"account": "other", "occurred_at": START + gap}]
    assert decided(made, rows)[1].covered_ms == covered


def test_the_log_began_with_the_earliest_that_arrived_even_if_late() -> None:
    made = programmed('count(by=account, last="30d") > 1')
    rows: list[dict[str, Any]] = [{"occurred_at": moment} for moment in (START, START - DAY, START + HOUR)]
    assert [fact.covered_ms for fact in decided(made, rows)] == [0, 0, DAY + HOUR]


def test_without_windows_there_is_nothing_to_cover_and_nothing_is_late() -> None:
    made = programmed("amount > 1")
    told = [(fact.covered_ms, fact.late_ms) for fact in decided(made, [{}, {"occurred_at": START - DAY}])]
    assert told == [(None, 0), (None, 0)]


def test_lateness_is_the_largest_over_the_histories_it_reads() -> None:
    made = programmed("count(by=account) > 5", "count(by=merchant) > 5")
    rows: list[dict[str, Any]] = [
        {"account": "A", "merchant": "M", "occurred_at": START},
        {"account": "B", "merchant": "M", "occurred_at": START + HOUR},
        {"account": "A", "merchant": "M", "occurred_at": START - HOUR},
        {"account": "C", "merchant": None, "occurred_at": START - DAY},
    ]
    assert [fact.late_ms for fact in decided(made, rows)] == [0, 0, 2 * HOUR, 0]


def test_remembered_transactions_are_history_as_if_they_had_been_decided() -> None:
    made = programmed("count(by=account) > 2", 'count(by=account, last="30d") > 2')
    rows = [{"occurred_at": START + moment} for moment in (0, DAY, -DAY, 2 * DAY)]
    whole = batch(made, rows)
    state = decide.state_for(made)
    decide.remember(made, whole.slice(0, 3), state)
    last = decide.decide(made, whole.slice(3, 4), state, received_at=RECEIVED_AT).facts
    assert [explain.unpack(made, row) for row in last] == decided(made, rows)[3:]


def test_rules_see_the_probability_that_is_stored() -> None:
    """It is rounded to six places first, so that a replay from the stored one decides the same."""
    made = programmed("probability >= 0.5", "probability < 0.5")
    whole = batch(made, [{}, {}, {}])
    given = [0.4999999999, 0.499999, None]
    answers = decide.decide(made, whole, decide.state_for(made), received_at=0, probability=given)
    told = [explain.unpack(made, row) for row in answers.facts]
    assert [fact.probability for fact in told] == [0.5, 0.499999, None]
    assert [(fact.fired, fact.unknown) for fact in told] == [((0,), ()), ((1,), ()), ((), (0, 1))]
    assert [fact.score for fact in told] == [50, 50, 0]  # max(points, round(100 * probability))
    stored = [fact.probability for fact in told]
    again = decide.decide(made, whole, decide.state_for(made), received_at=0, probability=stored)
    assert again.facts == answers.facts


def test_codes_of_text_never_reach_the_facts() -> None:
    """The same transaction after others, whose texts were given numbers first, has the same facts."""
    made = programmed("amount > 1", features={"before": "previous(location, by=account)"})
    rows = [{"account": "Z", "location": "delhi"}, {"account": "Z", "location": "pune"}]
    others = [{"account": f"o{n}", "location": f"place {n}"} for n in range(5)]
    assert decided(made, rows)[-1] == decided(made, [*others, *rows])[-1]
    state, other_state = decide.state_for(made), decide.state_for(made)
    first = decide.decide(made, batch(made, rows), state, received_at=0).facts
    second = decide.decide(made, batch(made, [{**row, "id": f"x{n}"} for n, row in enumerate([*others, *rows])]),
                           other_state, received_at=0).facts  # fmt: skip
    assert first == second[-2:]
