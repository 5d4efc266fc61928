"""The sample transactions: the same on every machine, in order, labelled, honest, and cheap to make."""

from __future__ import annotations

import csv
import hashlib
import random
import tracemalloc
from collections import Counter, defaultdict
from datetime import date, datetime
from itertools import islice, pairwise
from pathlib import Path

import pytest
import yaml

from fraudline.generator import RULESETS, columns, generate, write_csv

EACH = pytest.mark.parametrize("ruleset", RULESETS)
SHIPPED = Path(__file__).parents[1] / "src" / "fraudline" / "rulesets"
# What these calls write is part of the promise: others compare decisions on it.
DIGESTS = {"expenses": "3823e895459d9d6f", "payments": "2bebafa85b501748", "cards": "a2b03aeeb70b6c63"}


def rows(ruleset: str, transactions: int = 4000, seed: int = 1, span_days: int = 30) -> list[dict[str, str]]:
    return list(generate(ruleset, transactions, seed, span_days=span_days))


@EACH
def test_the_same_call_writes_the_same_bytes_everywhere(ruleset: str, tmp_path: Path) -> None:
    random.seed(99)  # the global generator has no say
    write_csv(tmp_path / "sample.csv", ruleset, 3000, seed=7)
    assert hashlib.sha256((tmp_path / "sample.csv").read_bytes()).hexdigest()[:16] == DIGESTS[ruleset]


@EACH
def test_drawing_leaves_the_global_generator_alone(ruleset: str) -> None:
    random.seed(5)
    before = random.getstate()
    rows(ruleset, 500)
    assert random.getstate() == before


@EACH
def test_another_seed_gives_other_rows(ruleset: str) -> None:
    assert rows(ruleset, 300, seed=1) != rows(ruleset, 300, seed=2)


@EACH
@pytest.mark.parametrize("transactions", [0, 1, 7, 365, 4000])
def test_there_are_as_many_rows_as_were_asked_for(ruleset: str, transactions: int) -> None:
    assert len(rows(ruleset, transactions)) == transactions


@EACH
def test_rows_stand_in_order_of_time_then_id_within_the_span(ruleset: str) -> None:
    made = rows(ruleset, span_days=12)
    keys = [(row["timestamp"], row["transaction_id"]) for row in made]
    assert keys == sorted(set(keys))
    times = [datetime.fromisoformat(row["timestamp"]) for row in made]
    assert times[0].date() >= date(2025, 5, 1)
    assert times[-1].date() <= date(2025, 5, 12)


@EACH
def test_every_row_fills_the_header_that_its_ruleset_reads(ruleset: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "sample.csv", ruleset, 200)
    with (tmp_path / "sample.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert read == rows(ruleset, 200)
    assert tuple(read[0]) == columns(ruleset)
    declared = yaml.load((SHIPPED / f"{ruleset}.yaml").read_text(), yaml.BaseLoader)["fields"]  # noqa: S506 - builds plain text only
    wanted = {name if isinstance(name, str) else name["from"] for name in declared.values()}
    assert wanted <= set(columns(ruleset))


@EACH
def test_amounts_are_positive_with_two_decimals(ruleset: str) -> None:
    for row in rows(ruleset):
        whole, _, cents = row["amount"].partition(".")
        assert whole.isdigit()
        assert len(cents) == 2
        assert float(row["amount"]) > 0


@EACH
def test_labels_agree_and_fraud_is_rare_but_visible(ruleset: str) -> None:
    made = rows(ruleset, 20_000)
    assert all((row["is_fraud"] == "1") == bool(row["fraud_type"]) for row in made)
    share = sum(row["is_fraud"] == "1" for row in made) / len(made)
    assert 0.01 <= share <= 0.02


@pytest.mark.parametrize(
    ("ruleset", "kinds"),
    [
        (
            "expenses",
            "split_claims duplicate_claim gift_cards night_spending threshold_hugging invented_claims padded",
        ),
        ("payments", "account_takeover mule structuring refund_abuse false_invoice overdraft persuaded"),
        ("cards", "card_testing account_takeover impossible_travel night_spending bin_attack low_and_slow"),
    ],
)
def test_every_scheme_takes_place(ruleset: str, kinds: str) -> None:
    assert {row["fraud_type"] for row in rows(ruleset, 20_000)} == {"", *kinds.split()}


@EACH
def test_fraud_begins_when_there_is_history_to_tell_it_from(ruleset: str) -> None:
    first = next(row for row in generate(ruleset, 20_000) if row["is_fraud"] == "1")
    assert first["timestamp"] >= "2025-05-07"


@pytest.mark.parametrize(("ruleset", "account"), [("payments", "account_id"), ("cards", "customer_id")])
def test_a_few_people_are_busy_and_most_are_not(ruleset: str, account: str) -> None:
    busy = Counter(row[account] for row in rows(ruleset, 20_000))
    counts = sorted(busy.values(), reverse=True)
    assert counts[0] > 5 * counts[len(counts) // 2]
    assert sum(counts[: len(counts) // 5]) > 0.3 * sum(counts)


def test_people_buy_again_where_they_bought_before() -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    again = total = 0
    for row in rows("cards", 20_000):
        if row["is_fraud"] == "0" and len(seen[row["customer_id"]]) > 10:
            total += 1
            again += row["merchant"] in seen[row["customer_id"]]
        seen[row["customer_id"]].add(row["merchant"])
    assert again / total > 0.6


def test_expenses_are_claimed_on_working_days() -> None:
    ordinary = [row for row in rows("expenses") if row["is_fraud"] == "0"]
    weekend = sum(datetime.fromisoformat(row["timestamp"]).weekday() >= 5 for row in ordinary)
    assert 0 < weekend / len(ordinary) < 0.12


def test_a_balance_follows_the_payments() -> None:
    """What one payment leaves is what the next begins with, unless savings, wages or a transfer came in."""
    left: dict[str, float] = {}
    fell = exact = 0
    for row in rows("payments"):
        before, account = float(row["balance"]), row["account_id"]
        if account in left:
            fell += before < left[account] - 0.005
            exact += abs(before - left[account]) < 0.005
        amount = float(row["amount"]) * (-1 if row["type"] == "refund" else 1)
        left[account] = max(0.0, before - amount)
    assert fell == 0
    assert exact > 3000


def test_money_of_victims_reaches_the_mule_and_leaves_it() -> None:
    mules = [row for row in rows("payments", 20_000) if row["fraud_type"] == "mule"]
    receivers = {row["payee"] for row in mules}
    assert any(row["account_id"] in receivers for row in mules)


def test_memory_holds_a_day_not_the_file() -> None:
    tracemalloc.start()
    for _ in islice(generate("cards", 30_000, span_days=60), 0, None):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000  # all 30,000 rows at once are 20 MB


def test_schemes_do_not_crowd_out_ordinary_life() -> None:
    by_day: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows("cards", 3000):
        by_day[row["timestamp"][:10]][row["is_fraud"]] += 1
    assert all(count["1"] <= max(6, count["0"]) for count in by_day.values())
    assert all(first < second for first, second in pairwise(by_day))
