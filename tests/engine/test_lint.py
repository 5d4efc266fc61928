"""Advice is given where it is due, at its line, and not where it is not."""

from __future__ import annotations

import pytest

from fraudline.engine import check

GOOD = """\
ruleset: test
currency: USD
lists:
  offices: [delhi]
tables:
  limits: {junior: 5}
features:
  usual: avg(amount, by=account, last="30d", prior=True)
rules:
  - id: big
    when: amount > 10 and amount > 2 * usual
    points: 5
    reason: "{amount} is above {amount:limit}, usual {usual}"
    examples:
      - {amount: 11, fires: true}
      - {amount: 10, fires: false}
  - id: away
    when: location not in offices and amount > lookup(limits, country)
    points: 5
    reason: "{amount} in {location}, {country}, for {account}"
    examples:
      - {location: rome, fires: true}
      - {location: delhi, fires: false}
"""


def warnings(text: str) -> list[str]:
    """The warnings of a ruleset that is accepted."""
    ruleset, problems = check.read(text)
    assert ruleset is not None, [str(p) for p in problems]
    assert {p.severity for p in problems} <= {"warning"}
    return [f"{p.line}: {p.where}: {p.message}" for p in problems]


def test_a_good_ruleset_gets_no_advice() -> None:
    assert warnings(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "when: amount > 10 and amount > 2 * usual",
            "when: amount > 10 and amount < 5 and usual > 1",
            ["11: rule big: this rule can never fire: nothing satisfies its condition"],
        ),
        (
            "when: amount > 10 and amount > 2 * usual",
            "when: amount > 10 or amount < 20 or usual > 1",
            ["11: rule big: this rule fires on every transaction (unless something it looks at is missing)"],
        ),
        (
            "when: amount > 10 and",
            "when: hour() > 60 and amount > 10 and",
            ["11: rule big: this is never true: hour() is between 0 and 23"],
        ),
        (
            "when: amount > 10 and",
            "when: probability <= 100 and amount > 10 and",
            ["11: rule big: this is always true: probability is between 0 and 1"],
        ),
        (
            "when: amount > 10 and",
            "when: since_last(by=account) > -days(2) and amount > 10 and",
            ["11: rule big: this is always true: since_last(by=account) is at least days(0)"],
        ),
        (
            "when: amount > 10 and",
            "when: amount / 0 > 1 and amount > 10 and",
            ["11: rule big: this divides by zero: it is always missing"],
        ),
        ("  usual: avg", "  usual: 1 / 0.0 + avg", ["8: feature usual: this divides by zero: it is always missing"]),
        (
            "  usual: avg",
            "  odd: count(by=account) >= 0\n  usual: avg",
            [
                "8: feature odd: this is always true: count(by=account) is at least 1",
                "8: feature odd: is used by no rule",
            ],
        ),
        ("  offices: [delhi]", "  offices: [delhi]\n  shops: [a]", ["5: list shops: is used by no rule"]),
        ("  limits: {junior: 5}", "  limits: {junior: 5}\n  caps: {a: 1}", ["7: table caps: is used by no rule"]),
        ('    reason: "{amount} in {location}, {country}, for {account}"\n', "", ["17: rule away: has no reason"]),
        ("for {account}", "by {device}", ["20: rule away, reason: the reason names 'device'"]),
        (
            "      - {amount: 10, fires: false}\n",
            "",
            ["10: rule big: its examples show only one side"],
        ),
        (
            "location not in offices and amount > lookup(limits, country)",
            "amount>10 and (amount > 2*usual)",
            [
                "6: table limits: is used by no rule",
                "4: list offices: is used by no rule",
                "17: rule away: has the same condition as rule big",
                "20: rule away, reason: the reason names 'location'",
                "20: rule away, reason: the reason names 'country'",
            ],
        ),
    ],
)
def test_advice(old: str, new: str, expected: list[str]) -> None:
    found = warnings(GOOD.replace(old, new))
    assert len(found) == len(expected)
    for line in expected:
        assert any(warning.startswith(line) for warning in found), found


def test_a_rule_without_examples_is_told() -> None:
    text = "ruleset: t\ncurrency: USD\nrules:\n  - id: r\n    reason: x\n    when: amount > 1\n"
    assert [w for w in warnings(text) if "no example" in w] == [
        "4: rule r: has no example: nothing shows that it works"
    ]


def test_an_odd_threshold_is_underlined_in_a_condition_of_many_lines() -> None:
    text = "ruleset: t\ncurrency: USD\nrules:\n  - id: r\n    when: |\n      amount > 1\n      and hour() > 60\n"
    _, problems = check.read(text)
    odd = next(p for p in problems if "never true" in p.message)
    assert odd.text[odd.start : odd.end] == "hour() > 60"
    assert odd.line == 5
