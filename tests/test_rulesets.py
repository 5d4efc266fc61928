"""The rulesets that come with the package, and those in examples/: read without a remark, true by their examples."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from fraudline.domain.decision import Facts
from fraudline.domain.ruleset import Ruleset
from fraudline.domain.transaction import Records
from fraudline.engine import check, examples, facts
from fraudline.engine.cards import Tokens
from fraudline.engine.compile import program
from fraudline.engine.decide import decide, state_for
from fraudline.engine.intake import Intake
from fraudline.generator import RULESETS, generate

ROOT = Path(__file__).parents[1]
SHIPPED = {path.stem: path for path in sorted((ROOT / "src" / "fraudline" / "rulesets").glob("*.yaml"))}
MAPPINGS = {path.stem: path for path in sorted((ROOT / "examples").glob("*.yaml"))}
ALL = {**SHIPPED, **MAPPINGS}


def ruleset(name: str) -> Ruleset:
    return check.load(ALL[name].read_text(encoding="utf-8"), ALL[name].name)


def decided(name: str, rows: list[dict[str, str]]) -> list[Facts]:
    """The facts of these rows of a file, in their order."""
    compiled = program(ruleset(name))
    intake = Intake(compiled.ruleset, received_at=2_000_000_000_000, tokens=Tokens(b"sixteen bytes or more"))
    columns = {column: [row.get(column) for row in rows] for column in rows[0]}
    batch, rejected = intake.read(Records(list(range(2, len(rows) + 2)), dict(columns)))
    assert rejected == []
    answers = decide(compiled, batch, state_for(compiled), received_at=2_000_000_000_000)
    return [facts.unpack(row, len(compiled.ruleset.rules), len(compiled.slots)) for row in answers.facts]


def test_the_three_rulesets_are_shipped_and_each_has_a_generator() -> None:
    assert set(SHIPPED) == {"expenses", "payments", "cards"} == set(RULESETS)


def test_together_they_have_at_least_thirty_rules() -> None:
    assert sum(len(ruleset(name).rules) for name in SHIPPED) >= 34


@pytest.mark.parametrize("name", ALL)
def test_it_is_read_without_error_or_warning(name: str) -> None:
    found, problems = check.read(ALL[name].read_text(encoding="utf-8"), ALL[name].name)
    assert [str(problem) for problem in problems] == []
    assert found is not None


@pytest.mark.parametrize("name", ALL)
def test_every_rule_says_why_what_kind_and_shows_both_sides(name: str) -> None:
    for rule in ruleset(name).rules:
        fires = {answer for example in rule.examples for answer in example.fires}
        assert rule.reason, rule.id
        assert rule.typology, rule.id
        assert {True, False} <= fires, rule.id


@pytest.mark.parametrize("name", ALL)
def test_every_example_is_true(name: str) -> None:
    results = examples.run(ruleset(name))
    assert [str(result) for result in results if not result.passed] == []
    assert {result.rule for result in results} == {rule.id for rule in ruleset(name).rules}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_rule_is_needed_by_its_examples(name: str) -> None:
    """Where every rule is made to fire always, or never, each rule has an example that notices."""
    real = ruleset(name)
    for condition in ("amount >= 0 or amount < 0", "amount > 0 and amount < 0"):
        rules = tuple(msgspec.structs.replace(rule, when=condition) for rule in real.rules)
        results = examples.run(msgspec.structs.replace(real, rules=rules))
        assert {result.rule for result in results if not result.passed} == {rule.id for rule in real.rules}


@pytest.mark.parametrize("name", SHIPPED)
def test_where_a_condition_compares_with_a_number_an_example_would_notice_another_one(name: str) -> None:
    """Every rule with a threshold is contradicted by its own examples when the threshold is a thousand times higher."""
    real = ruleset(name)
    rules, changed = [], set()
    for rule in real.rules:
        higher = re.sub(r"([<>]=? )(\d+)\b(?!\))", lambda found: f"{found[1]}{int(found[2]) * 1000}", rule.when)
        if higher != rule.when and ">" in rule.when and "<" not in rule.when:
            changed.add(rule.id)
        rules.append(msgspec.structs.replace(rule, when=higher))
    results = examples.run(msgspec.structs.replace(real, rules=tuple(rules)))
    assert changed <= {result.rule for result in results if not result.passed}


@pytest.mark.parametrize("name", SHIPPED)
def test_rules_have_names_of_their_own(name: str) -> None:
    ids = [rule.id for rule in ruleset(name).rules]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", ALL)
def test_the_longest_window_fits_into_what_is_kept(name: str) -> None:
    found = ruleset(name)
    assert program(found).longest_window_ms + found.lateness_ms <= found.retention_ms


@pytest.mark.parametrize(
    ("name", "currency", "conditions"),
    [
        (
            "expenses",
            "INR",
            [
                "amount > 10000",
                'location not in offices and is_new(location, by=account, last="180d")',
                "is_weekend()",
                "is_night()",
                "has_word(description, suspicious_words)",
            ],
        ),
        (
            "payments",
            "USD",
            [
                "amount > 10000",
                "payments_in_a_minute > 3",
                "destination_country != origin_country",
                "amount > 2000 and balance < 500",
            ],
        ),
        (
            "cards",
            "USD",
            [
                "amount > 1500",
                "amount > 5000",
                "location != previous(location, by=account)",
                "country != previous(country, by=account)",
                "probability > 0.8",
            ],
        ),
    ],
)
def test_what_was_asked_for_stands_there_literally(name: str, currency: str, conditions: list[str]) -> None:
    found = ruleset(name)
    assert found.currency == currency
    assert set(conditions) <= {rule.when for rule in found.rules}


def test_the_words_and_windows_that_were_asked_for() -> None:
    expenses, payments = ruleset("expenses"), ruleset("payments")
    assert {"gift", "gaming"} <= set(expenses.lists["suspicious_words"])
    assert expenses.features["claims_in_a_minute"] == payments.features["payments_in_a_minute"]
    assert payments.features["payments_in_a_minute"] == 'count(by=account, last="1m")'
    assert expenses.alert == 'level == "high" or amount > 10000'


def test_the_file_of_the_readme_is_decided_as_promised() -> None:
    first = {"transaction_id": "TXN001", "employee_id": "EMP001", "amount": "12000", "location": "delhi"}
    second = {"transaction_id": "TXN002", "employee_id": "EMP002", "amount": "5000", "location": "london"}
    rows = [
        {**first, "description": "gift card", "timestamp": "2025-05-20T23:30:00Z"},
        {**second, "description": "lunch", "timestamp": "2025-05-21T14:10:00Z"},
    ]
    one, two = decided("expenses", rows)
    ids = [rule.id for rule in ruleset("expenses").rules]
    assert (one.level, one.alert) == ("high", True)
    assert {ids[at] for at in one.fired} == {"high_amount", "late_night", "suspicious_words"}
    assert (two.level, two.outcome, two.alert) == ("low", "approve", False)


@pytest.mark.parametrize("name", SHIPPED)
def test_on_realistic_life_alarms_are_rare_mostly_right_and_never_complete(name: str) -> None:
    rows = list(generate(name, 6000))
    found = decided(name, rows)
    fraud = [row["is_fraud"] == "1" for row in rows]
    high = [facts_.level == "high" for facts_ in found]
    right = sum(a and b for a, b in zip(high, fraud, strict=True))
    assert sum(high) < 0.02 * len(rows)
    assert 0.6 < right / sum(high) < 1
    assert 0.15 < right / sum(fraud) < 0.8


@pytest.mark.parametrize("name", SHIPPED)
def test_columns_that_a_file_lacks_and_a_model_that_is_not_there_degrade_nothing(name: str) -> None:
    needed = {"transaction_id", "timestamp", "amount"}
    rows = list(generate(name, 200))
    bare = [{column: value for column, value in row.items() if column in needed} for row in rows]
    assert {facts_.degraded for facts_ in decided(name, rows) + decided(name, bare)} == {()}
