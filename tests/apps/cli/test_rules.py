"""`rules`: all faults at once, examples that are run, rules that can be read aloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from fraudline.apps.cli.rulebook import ladder
from fraudline.domain.ruleset import Ruleset
from tests.apps.cli.conftest import Type

OWN = """\
ruleset: own
currency: USD
rules:
  - id: high
    when: amount > 100
    points: 50
    reason: "{amount} is much"
    examples: [{amount: 101, fires: true}, {amount: 100, fires: false}]
example_defaults: {occurred_at: "2025-05-20T10:00:00Z"}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "own.yaml"
    file.write_text(OWN, "utf-8")
    return file


@pytest.mark.parametrize("name", ["cards", "expenses", "payments"])
def test_shipped_rulesets_check_test_and_show(fraudline: Type, name: str) -> None:
    assert fraudline("rules", "check", name).code == 0
    assert fraudline("rules", "test", name).code == 0
    shown = fraudline("rules", "show", name)
    assert shown.code == 0
    assert "Ladder: 0-" in shown.out


@pytest.mark.parametrize("name", ["cards", "expenses", "payments"])
def test_a_ruleset_can_be_copied_and_is_the_same(fraudline: Type, tmp_path: Path, name: str) -> None:
    shown = fraudline("rules", "show", name, "--format", "yaml")
    assert (shown.code, shown.err) == (0, "")
    copy = tmp_path / "my_rules.yaml"
    copy.write_text(shown.out, "utf-8")
    assert fraudline("rules", "check", copy).out == fraudline("rules", "check", name).out
    assert fraudline("rules", "show", copy, "-f", "yaml").out == shown.out


def test_a_ruleset_with_faults_can_be_read_too(fraudline: Type, own: Path) -> None:
    own.write_text("ruleset: [\n# not finished", "utf-8")
    assert fraudline("rules", "show", own, "--format", "yaml").out == "ruleset: [\n# not finished"


def test_check_tells_every_fault_with_a_caret_and_exits_1(fraudline: Type, own: Path) -> None:
    own.write_text(OWN.replace("amount > 100", "amout > 100 and descriptoin == 1"), "utf-8")
    said = fraudline("rules", "check", own)
    assert said.code == 1
    assert "own.yaml:5: rule high: unknown field 'amout'" in said.out
    assert "descriptoin" in said.out
    assert "^^^^^" in said.out
    assert "did you mean 'amount'?" in said.out


def test_a_broken_ruleset_decides_nothing(fraudline: Type, own: Path, two: Path) -> None:
    own.write_text(OWN.replace("amount > 100", "amout > 100"), "utf-8")
    said = fraudline("score", two, "--ruleset", own)
    assert said.code == 3
    assert "did you mean 'amount'?" in said.err


def test_an_example_that_fails_is_shown_and_exits_1(fraudline: Type, own: Path) -> None:
    own.write_text(OWN.replace("{amount: 100, fires: false}", "{amount: 100, fires: true}"), "utf-8")
    said = fraudline("rules", "test", own)
    assert said.code == 1
    assert "FAILED" in said.out
    assert "it should fire, but does not fire" in said.out
    assert "1 of 2 examples failed" in said.err


def test_a_rule_without_examples_is_a_warning(fraudline: Type, own: Path) -> None:
    own.write_text("\n".join(line for line in OWN.splitlines() if "example" not in line) + "\n", "utf-8")
    said = fraudline("rules", "test", own)
    assert said.code == 0
    assert "no examples for high" in said.err


def test_names_are_files_then_the_workspace_then_shipped(fraudline: Type, own: Path, workspace: Path) -> None:
    (workspace / "rulesets").mkdir(parents=True)
    (workspace / "rulesets" / "expenses.yaml").write_text(OWN.replace("ruleset: own", "ruleset: expenses"), "utf-8")
    assert "Ladder" in fraudline("rules", "show", own).out
    assert "{amount} is much" in fraudline("rules", "show", "expenses").out, "one's own hides the shipped one"
    listed = fraudline("rules", "list").out
    assert "rulesets/expenses.yaml" in listed
    assert "cards" in listed


def test_a_broken_ruleset_of_the_workspace_is_listed_as_such(fraudline: Type, workspace: Path) -> None:
    (workspace / "rulesets").mkdir(parents=True)
    (workspace / "rulesets" / "broken.yaml").write_text("ruleset: broken\n", "utf-8")
    assert "rules check broken" in fraudline("rules", "list").out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("rules", "show", "expens"), "Did you mean expenses?"),
        (("rules", "show", "no/such.yaml"), "There is no ruleset file"),
        (("rules", "explain", "expenses", "high_amout"), "Did you mean high_amount?"),
    ],
)
def test_a_name_that_is_nearly_right(fraudline: Type, words: tuple[str, ...], says: str) -> None:
    said = fraudline(*words)
    assert said.code == 2
    assert says in said.err


@pytest.mark.parametrize(
    ("ruleset", "rule", "parts"),
    [
        ("expenses", "high_amount", ["amount > 10000", "+40 points", "nothing but this transaction"]),
        (
            "expenses",
            "rapid_claims",
            ["for the same account within 1m", "exact", "1 window found"],
        ),
        ("payments", "mule_in_out", ["whose payee is this one's account", "all of", "payee (found by account)"]),
    ],
)
def test_explain_says_what_a_rule_looks_at(fraudline: Type, ruleset: str, rule: str, parts: list[str]) -> None:
    said = fraudline("rules", "explain", ruleset, rule)
    assert said.code == 0
    assert [part for part in parts if part not in " ".join(said.out.split())] == []


def test_a_scan_is_called_one(fraudline: Type, own: Path) -> None:
    condition = "'count(by=account, last=\"1d\", where=amount > current(amount)) > 2'"
    own.write_text(OWN.replace("amount > 100", condition).replace("101", "1").replace("true", "false"), "utf-8")
    assert "reads every row" in fraudline("rules", "explain", own, "high").out


@pytest.mark.parametrize(
    ("levels", "outcomes", "said"),
    [
        (
            (30, 60),
            (40, 90),
            "0-29 low/approve, 30-39 medium/approve, 40-59 medium/review, 60-89 high/review, 90+ high/decline",
        ),
        ((30, 60), (30, 60), "0-29 low/approve, 30-59 medium/review, 60+ high/decline"),
        ((1, 2), (2, 100), "0 low/approve, 1 medium/approve, 2-99 high/review, 100+ high/decline"),
    ],
)
def test_the_ladder(levels: tuple[int, int], outcomes: tuple[int, int], said: str) -> None:
    assert ladder(Ruleset("x", "USD", (), (), levels=levels, outcomes=outcomes)) == said
