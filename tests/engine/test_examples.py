"""Running a ruleset's own examples: what counts as true, how values are completed, what is said when one is not."""

from __future__ import annotations

import pytest

from fraudline.engine import check, examples
from fraudline.engine.examples import ExampleResult

HEAD = """
ruleset: trial
currency: USD
timezone: Asia/Kolkata
fields:
  id: number_of_payment
  amount: {from: total, thousands: ","}
  occurred_at: {from: day, format: "%d/%m/%Y"}
  location: {from: place, geocode: city}
  balance: left
"""


def results(when: str, *lines: str, defaults: str = "amount: 100", extra: str = "") -> list[ExampleResult]:
    """What comes of a ruleset with one rule and these examples."""
    text = (
        HEAD + f"rules:\n  - id: trial\n    when: '{when}'\n    points: 1\n    reason: it is so\n{extra}    examples:\n"
    )
    text += "".join(f"      - {line}\n" for line in lines)
    text += f"example_defaults: {{{defaults}}}\n" if defaults else ""
    return examples.run(check.load(text))


AT = 'amount: 100, occurred_at: "2025-05-20T10:00:00"'


def only(when: str, line: str, defaults: str = AT, extra: str = "") -> ExampleResult:
    (result,) = results(when, line, defaults=defaults, extra=extra)
    return result


@pytest.mark.parametrize(
    ("when", "line", "passed"),
    [
        ("amount > 10", "{amount: 11, fires: true}", True),
        ("amount > 10", "{amount: 10, fires: true}", False),
        ("amount > 10", "{amount: 10, fires: false}", True),
        ("amount > 10", "{amount: 11, fires: false}", False),
        ("amount > 10", "{amount: 10.01, fires: true}", True),
        ("balance > 10", "{fires: unknown}", True),
        ("balance > 10", "{balance: 9, fires: unknown}", False),
        ("balance > 10", "{fires: false}", True),  # what is unknown does not fire
        ("balance > 10", "{fires: true}", False),
        ("probability > 0.5", "{probability: 0.6, fires: true}", True),
        ("probability > 0.5", "{probability: 0.5, fires: false}", True),
        ("probability > 0.5", "{fires: unknown}", True),
        ("count(by=account) > 1", "{stream: [{account: a}, {account: a}], fires: [false, true]}", True),
        ("count(by=account) > 1", "{stream: [{account: a}, {account: b}], fires: [false, true]}", False),
        ("count(by=account) > 1", "{stream: [{}, {}], fires: [unknown, unknown]}", True),
        ("is_night()", '{occurred_at: "23:30", fires: true}', True),
        ("is_night()", '{occurred_at: "23:30:00.5", fires: true}', True),
        ("is_night()", '{occurred_at: "2025-05-20T18:00:00Z", fires: true}', True),  # half past eleven in Kolkata
        ("is_night()", '{occurred_at: "2025-05-20", fires: unknown}', True),
        ("latitude > 45 and longitude > 9", "{location: Paris, fires: false}", True),
        ("latitude > 45 and longitude < 9", "{location: Paris, fires: true}", True),
    ],
)
def test_an_example_is_true_where_the_rule_does_what_it_says(when: str, line: str, passed: bool) -> None:
    result = only(when, line)
    assert result.problem == ""
    assert result.passed is passed


def test_a_time_alone_is_on_the_day_and_in_the_zone_of_the_defaults() -> None:
    line = '{occurred_at: "18:00:00", fires: true}'
    assert only("is_night()", line, 'amount: 1, occurred_at: "2025-05-20T10:00:00Z"').passed
    assert not only("is_night()", line, 'amount: 1, occurred_at: "2025-05-20T10:00:00"').passed


def test_examples_know_nothing_of_each_other() -> None:
    both = results("count(by=account) > 1", "{account: a, fires: false}", "{account: a, fires: false}", defaults=AT)
    assert [result.passed for result in both] == [True, True]
    assert [(result.rule, result.number) for result in both] == [("trial", 1), ("trial", 2)]


def test_an_example_outlives_its_rule() -> None:
    extra = "    outcome: approve\n    owner: risk\n    expires: 2020-01-01\n"
    assert only("amount > 10", "{amount: 11, fires: true}", extra=extra).passed


@pytest.mark.parametrize(
    ("line", "defaults", "said"),
    [
        ("{amount: 1_000, fires: true}", AT, "1_000"),
        ("{fires: true}", "amount: 100", "occurred_at is missing"),
        ("{probability: 1.5, fires: true}", AT, "from 0 to 1, not '1.5'"),
        ("{probability: nan, fires: true}", AT, "from 0 to 1, not 'nan'"),
        ("{stream: [{}, {amount: x}], fires: [true, true]}", AT, "transaction 2: amount"),
    ],
)
def test_a_value_that_no_input_may_have_is_a_problem_and_not_a_pass(line: str, defaults: str, said: str) -> None:
    result = only("amount > 10", line, defaults)
    assert not result.passed
    assert said in result.problem
    assert said in str(result)


def test_a_failed_example_says_where_and_how() -> None:
    result = only("amount > 10", "{stream: [{amount: 11}, {amount: 9}, {amount: 12}], fires: [false, true, true]}")
    assert result.wrong() == [0, 1]
    assert str(result) == (
        f"rule trial, example 1 (line {result.line}): on transaction 1 it should not fire, but fires; "
        "on transaction 2 it should fire, but does not fire"
    )
    assert result.line > 0
