"""What is said about a decision: reasons and values as people read them, and nothing that is not so."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

import msgspec
import pytest

from fraudline.domain.transaction import Batch
from fraudline.engine import decide, explain, record
from fraudline.engine.compile import Program
from tests import streams
from tests.deciding import DAY, HOUR, MINUTE, RECEIVED_AT, START, bodies, programmed, rule
from tests.test_differential import batched
from tests.test_differential import programmed as programmed_from


def body(made: Program, *rows: dict[str, Any]) -> dict[str, Any]:
    """What is said about the last of these rows."""
    return bodies(made, rows or [{}])[-1]


# Reasons -------------------------------------------------------------------------------------------------------------

REASONS: list[tuple[str, str, list[dict[str, Any]], str]] = [
    ("amount > 10", "{amount} is above {amount:limit}", [{"amount": 123_456}], "1,234.56 USD is above 10.00 USD"),
    ("amount >= 50.50", "{amount:limit}", [{}], "50.50 USD"),
    ("10 < amount", "{amount:limit}", [{}], "10.00 USD"),
    ("count(by=account) > 1", "{count} of {count:limit}", [{}, {}, {}], "3 of 1"),
    ('sum(amount, by=account, last="1h") > 1', "{sum} within the hour, this one {amount}", [{}, {}],
     "200.00 USD within the hour, this one 100.00 USD"),
    ('has_word(description, "gift*")', "mentions {matched}", [{"description": "two GIFTED cards"}], 'mentions "gift"'),
    ('matches(description, "[0-9]+")', "found {matched}", [{"description": "order 0742 of 9"}], 'found "0742"'),
    ('contains_any(description, "IFT")', "{matched}", [{"description": "gift"}], '"IFT"'),
    ('location == "delhi"', "in {location}, {merchant}", [{"location": "Delhi "}], "in Delhi , missing"),
    ("since_last(by=account) < minutes(5)", "{since_last}", [{}, {"occurred_at": START + MINUTE}], "1 minute"),
    ("is_night()", "at {local_time}", [{}], "at 22:00 on Tuesday 20 May 2025 (UTC)"),
    ("is_night()", "{{as it is}} {amount}", [{}], "{as it is} 100.00 USD"),
    ("often > 1", "{often} times", [{}, {}], "2 times"),
    ("flag", "{flag}", [{"flag": True}], "True"),
    ("ratio > 0.5", "{ratio} > {ratio:limit}", [{"ratio": 0.75}], "0.75 > 0.50"),
    ("weight > 0.5", "{weight}", [{"weight": 1_250}], "1.25"),
    ("speed_kmh(by=account) > 900", "{speed_kmh} km/h",
     [{"latitude": 0.0, "longitude": 0.0}, {"latitude": 9.0, "longitude": 0.0, "occurred_at": START}], "infinite km/h"),
]  # fmt: skip
ATTRIBUTES = {"flag": "boolean", "ratio": "number", "weight": {"type": "number", "decimals": 3}}


@pytest.mark.parametrize(("when", "reason", "rows", "text"), REASONS)
def test_a_reason_is_a_sentence_with_the_values_in_it(
    when: str, reason: str, rows: list[dict[str, Any]], text: str
) -> None:
    made = programmed(rule(when, reason=reason), features={"often": "count(by=account)"}, attributes=ATTRIBUTES)
    assert [one["text"] for one in body(made, *rows)["reasons"]] == [text]


def test_reasons_are_the_five_strongest_those_that_force_an_outcome_first() -> None:
    made = programmed(
        *(rule("amount > 0", points) for points in (5, 30, 10, 30, 1, 2)), rule("amount > 0", 0, outcome="review")
    )
    told = body(made)["reasons"]
    assert [one["code"] for one in told] == ["r6", "r1", "r3", "r2", "r0"]
    assert [one["points"] for one in told] == [0, 30, 30, 10, 5]
    assert {one["source"] for one in told} == {"rule"}


def test_a_reason_carries_its_typology_and_its_limit() -> None:
    made = programmed(
        rule("amount > 100.50", typology="high_amount"), rule("is_night()"), rule("count(by=account) >= 1")
    )
    told = {one["code"]: (one["typology"], one["limit"]) for one in body(made, {"amount": 20_000})["reasons"]}
    assert told == {"r0": ("high_amount", 100.5), "r1": (None, None), "r2": (None, 1)}


# Conditions with values ----------------------------------------------------------------------------------------------

SHOWN: list[tuple[str, list[dict[str, Any]], str]] = [
    ("count(by=account) > 3", [{}] * 4, "4 > 3"),
    ("amount > 10", [{"amount": 123_456}], "1234.56 > 10"),
    ("amount > 10 and count(by=account) > 1", [{}, {}], "100 > 10 and 2 > 1"),
    ("amount > 1000 or is_night()", [{}], "is_night() is true"),
    ("not amount > 1000", [{}], "not 100 > 1000"),
    ('location in ("delhi", "pune")', [{"location": "Pune"}], "\"Pune\" in ('delhi', 'pune')"),
    ('location == "delhi"', [{"location": "delhi"}], '"delhi" == "delhi"'),
    ('location != merchant', [{"location": "a", "merchant": "b"}], '"a" != "b"'),
    ('location not in offices', [{"location": "agra"}], '"agra" not in offices'),
    ('has_word(description, offices)', [{"description": "from pune"}], 'has_word("from pune") found "pune"'),
    ("is_missing(balance)", [{}], "is_missing(balance) is true"),
    ("since_last(by=account) < days(1)", [{}, {"occurred_at": START + 2 * HOUR}], "2 hours < 1 day"),
    ("amount > 2 * balance", [{"balance": 4_000}], "100 > 80"),
    ("10 < amount <= 200", [{}], "10 < 100 and 100 <= 200"),
    ("flag == True", [{"flag": True}], "True == True"),
]  # fmt: skip


@pytest.mark.parametrize(("when", "rows", "values"), SHOWN)
def test_a_rule_that_fired_shows_the_values_it_saw(when: str, rows: list[dict[str, Any]], values: str) -> None:
    made = programmed(when, lists={"offices": ["delhi", "pune"]}, attributes=ATTRIBUTES)
    assert [one["values"] for one in body(made, *rows)["rules"]["fired"]] == [values]


MISSING: list[tuple[str, dict[str, Any], list[str]]] = [
    ("balance > 1", {}, ["balance"]),
    ("balance > 1 and location == merchant", {"merchant": "M"}, ["balance", "location"]),
    ("count(by=merchant) > 1", {}, ["merchant"]),
    ("count(by=(account, merchant)) > 1", {}, ["merchant"]),
    ("sum(amount, by=payee, of=merchant) > 1", {}, ["merchant"]),
    ("since_last(by=account) > days(1)", {}, ["since_last(by=account)"]),
    ("usual > 5", {}, ["avg(amount, by=account, prior=True)"]),
    ("hour() > 3", {"day_only": True}, ["time of day"]),
    ("amount / (amount - amount) > 1", {}, ["amount / (amount - amount)"]),
    ('email_domain(description) == "x.org"', {"description": "no address"}, ["email_domain(description)"]),
    ("probability > 0.5", {}, ["probability"]),
]


@pytest.mark.parametrize(("when", "row", "missing"), MISSING)
def test_a_rule_that_stayed_unknown_says_what_was_missing(when: str, row: dict[str, Any], missing: list[str]) -> None:
    made = programmed(when, features={"usual": "avg(amount, by=account, prior=True)"})
    assert body(made, row)["rules"]["unknown"] == [{"id": "r0", "missing": missing}]


def test_a_suppressed_rule_names_what_suppressed_it() -> None:
    made = programmed(
        rule("amount > 0", suppresses=["r1"]), "amount > 1", rule("amount > 2", suppresses=["r0"]), "amount > 3"
    )
    told = body(made)["rules"]
    assert told["suppressed"] == [{"id": "r0", "by": "r2"}, {"id": "r1", "by": "r0"}]
    assert [one["id"] for one in told["fired"]] == ["r2", "r3"]


# Because -------------------------------------------------------------------------------------------------------------

ALLOWED = rule("amount > 0", 0, outcome="approve", owner="Asha", expires="2099-01-01")
OLD = rule("count(by=account) > 500", 0)
EXPIRED_ROWS = [{"occurred_at": START}, {"occurred_at": START - 300 * DAY}]
BECAUSE: list[tuple[list[dict[str, Any]], list[dict[str, Any]], str]] = [
    ([rule("amount > 0", 5)], [{}], "score 5 is below 40"),
    ([rule("amount > 0", 40)], [{}], "score 40 is at least 40"),
    ([rule("amount > 0", 95)], [{}], "score 95 is at least 90"),
    ([rule("amount > 0", 5, outcome="decline")], [{}], "rule r0 forces decline"),
    ([rule("amount > 0", 95, outcome="decline")], [{}], "score 95 is at least 90"),
    ([rule("amount > 0", 95), ALLOWED], [{}], "rule r1 approves (owner Asha)"),
    ([rule("amount > 0", 5), OLD], EXPIRED_ROWS, "raised to review because the decision is degraded: window_expired"),
    ([rule("amount > 0", 50), OLD], EXPIRED_ROWS, "score 50 is at least 40"),
    ([rule("amount > 0", 0, outcome="review"), OLD], EXPIRED_ROWS, "rule r0 forces review"),
    ([rule("amount > 0", 95), ALLOWED, OLD], EXPIRED_ROWS,
     "raised to review because the decision is degraded: window_expired"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "rows", "because"), BECAUSE)
def test_an_outcome_has_one_cause(rules: list[dict[str, Any]], rows: list[dict[str, Any]], because: str) -> None:
    assert body(programmed(*rules), *rows)["outcome_because"] == because


def test_what_arrived_late_or_early_in_the_log_is_warned_of() -> None:
    made = programmed('count(by=account, last="30d") > 100')
    told = bodies(made, [{"occurred_at": moment} for moment in (START, START + 12 * DAY, START + 12 * DAY - 95_500)])
    covered = {
        "code": "COVERED",
        "text": "covered 12 days of 30 days",
        "covered_seconds": 12 * 86_400,
        "of_seconds": 30 * 86_400,
    }
    assert told[1]["inputs"]["warnings"] == [covered]
    assert [warning["code"] for warning in told[2]["inputs"]["warnings"]] == ["LATE", "COVERED"]
    assert told[2]["inputs"]["warnings"][0] == {"code": "LATE", "seconds": 95.5}


def test_an_alert_says_why() -> None:
    made = programmed(rule("amount > 10", 70), alert='level == "high" or amount > 10000')
    assert body(made)["alert"] == {"raised": True, "because": 'level == "high" or amount > 10000'}
    assert body(made, {"amount": 1})["alert"] == {"raised": False, "because": None}


# What is said of values ----------------------------------------------------------------------------------------------


def test_features_are_told_under_their_names_and_their_windows() -> None:
    made = programmed(
        "amount > 1",
        features={
            "often": "count(by=account)", "before": "previous(location, by=account)", "clock": "hour()",
            "usual": "avg(amount, by=account)", "fresh": "is_new(location, by=account)",
            "gap": "since_last(by=account)", "spent": "sum(amount, by=account)",
        },
    )  # fmt: skip
    told = body(made, {"location": "pune"}, {"location": "Delhi", "amount": 20_050})["features"]
    named = {"often": 2, "before": "pune", "clock": 22, "usual": 150.25, "fresh": True, "gap": 1.0, "spent": 300.5}
    assert {name: told[name] for name in named} == named
    assert told["count(by=account)"] == 2
    assert told["previous(location, by=account)"] == "pune"


def test_a_feature_that_no_rule_reads_does_not_hinder_explaining() -> None:
    made = programmed("amount > 1", features={"sober": "not is_night()", "word": "lower(location)", "far": "ratio * 2"},
                      attributes=ATTRIBUTES)  # fmt: skip
    told = body(made, {"location": "DELHI", "ratio": 1.5})["features"]
    assert told == {"sober": False, "word": "delhi", "far": 3}


def test_fields_that_rules_read_and_the_transaction_has_not_are_listed() -> None:
    made = programmed("balance > 1 or sum(amount, by=merchant) > 1 or is_new(location, by=account)")
    assert body(made, {"location": "pune"})["inputs"]["missing"] == ["balance", "merchant"]


DURATIONS = [
    (0, "0 seconds"), (1, "0.001 seconds"), (1000, "1 second"), (59_999, "59.999 seconds"), (60_000, "1 minute"),
    (90_000, "1.5 minutes"), (HOUR, "1 hour"), (36 * HOUR, "1.5 days"), (-DAY, "-1 day"), (float("nan"), "missing"),
]  # fmt: skip


@pytest.mark.parametrize(("ms", "text"), DURATIONS)
def test_durations_are_said_in_the_unit_people_use(ms: float, text: str) -> None:
    assert explain.said_duration(ms) == text


def test_the_short_form_is_enough_for_an_alert() -> None:
    made = programmed(rule("amount > 1", 70, reason="{amount}"))
    whole = [{"id": "T1", "amount": 20_050, "account": "A"}]
    (told,) = bodies(made, whole)
    facts = decide.decide(made, _batch(made, whole), decide.state_for(made), received_at=RECEIVED_AT).facts[0]
    short = msgspec.json.decode(explain.compact(made, _batch(made, whole).row(0), facts))
    assert {name: short[name] for name in ("transaction_id", "outcome", "level", "score")} == {
        name: told[name] for name in ("transaction_id", "outcome", "level", "score")
    }
    assert (short["amount"], short["currency"], short["account"]) == (200.5, "USD", "A")
    assert short["reasons"][0]["text"] == "200.50 USD"


def _batch(made: Program, rows: list[dict[str, Any]]) -> Batch:
    filled = [{"occurred_at": START, "day_only": False, **row} for row in rows]
    return record.batch_of(filled, made.ruleset)


# What would change it ------------------------------------------------------------------------------------------------

CHANGES: list[tuple[str, list[dict[str, Any]], dict[str, Any], list[str]]] = [
    ("amount above a constant", [rule("amount > 10000", 50)], {"amount": 1_200_000}, ["approve if amount <= 10000"]),
    ("at least a constant", [rule("amount >= 10000", 50)], {"amount": 1_200_000}, ["approve if amount < 10000"]),
    ("written the other way round", [rule("100 < amount", 50)], {"amount": 20_000}, ["approve if amount <= 100"]),
    ("below a constant", [rule("balance < 5", 50)], {"balance": 1}, ["approve if balance >= 5"]),
    ("a number with decimals", [rule("weight > 0.5", 50)], {"weight": 700}, ["approve if weight <= 0.5"]),
    ("another rule still stands", [rule("amount > 10", 50), rule("balance < 5", 50)], {"balance": 1, "amount": 2_000},
     ["review if amount <= 10", "review if balance >= 5"]),
    ("neither alone is enough", [rule("amount > 10", 45), rule("balance < 5", 44)], {"balance": 1, "amount": 2_000},
     []),
    ("no constant beside it", [rule("amount > balance", 50)], {"balance": 1}, []),
    ("no field at all", [rule("is_night()", 50)], {}, []),
    ("approved already", [rule("amount > 10", 5)], {}, []),
    ("the window it is part of goes down with it", [rule("amount > 10", 30), rule("sum(amount, by=account) > 10", 30)],
     {}, ["approve if amount <= 10"]),
    ("a window that cannot be put right", [rule("amount > 10", 50), rule("max(amount, by=account) > 10", 5)], {}, []),
    ("a window of the rows before", [rule("amount > 10", 50), rule("max(amount, by=account, prior=True) > 1", 5)], {},
     ["approve if amount <= 10"]),
    ("what came in is another's history", [rule("amount > 10", 50), rule("sum(amount, by=payee, of=account) >= 0", 5)],
     {"payee": "B"}, ["approve if amount <= 10"]),
    ("a rule that expired stays dead", [rule("amount > 10", 50), rule("amount <= 10", 50, owner="A",
     expires="2026-01-01")], {}, ["approve if amount <= 10"]),
    ("an expired override does not come back", [rule("amount > 10", 50), rule("amount > 0", 45), rule("amount <= 10", 0,
     outcome="approve", owner="A", expires="2026-01-01")], {}, ["review if amount <= 10", "approve if amount <= 0"]),
    ("a rule that the value wakes", [rule("amount > 10", 50), rule("amount <= 10", 50)], {}, []),
    ("the change that asks least", [rule("amount > 5", 0), rule("amount > 9", 50)], {}, ["approve if amount <= 9"]),
    ("the least upwards", [rule("amount < 99", 0), rule("amount < 50", 50)], {"amount": 2_000},
     ["approve if amount >= 50"]),
    ("one for each outcome", [rule("amount > 9", 50), rule("amount > 5", 50)], {},
     ["review if amount <= 9", "approve if amount <= 5"]),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "row", "changes"), [one[1:] for one in CHANGES], ids=[one[0] for one in CHANGES])
def test_what_would_change_it(rules: list[dict[str, Any]], row: dict[str, Any], changes: list[str]) -> None:
    assert body(programmed(*rules, attributes=ATTRIBUTES), row)["what_would_change_it"] == changes


SCALES = {"amount": 100, "balance": 100, "weight": 1000}
NEXT = {"<=": 0, "<": -1, ">=": 0, ">": 1}


def test_what_would_change_it_really_does_with_the_whole_history() -> None:
    """Rulesets about amounts; each claim is put to the test by deciding the whole stream again with its value."""
    claims = 0
    for seed in range(20):
        random = Random(seed)
        made = programmed_from(changeable(random))
        whole = batched(made, streams.SHAPES[seed % len(streams.SHAPES)](random, 25))
        answers = decide.decide(made, whole, decide.state_for(made), received_at=streams.RECEIVED_AT)
        for n, facts in enumerate(answers.facts):
            for change in explain.body(made, whole.row(n), facts, streams.RECEIVED_AT)["what_would_change_it"]:
                assert outcome_with(made, whole, n, change) == change.split(" ")[0], (seed, n, change)
                claims += 1
    assert claims > 50


def changeable(random: Random) -> dict[str, Any]:
    given = streams.rulesets(random)
    limits = ["amount > 50", "amount < 0.01", "amount >= 100", "weight <= 0.125", "ratio > 0.1", "balance > 100"]
    windows = [
        "sum(amount, by=account) > 30", 'avg(amount, by=account, last="7d") > 20', "count(by=account) > 3",
        "sum(amount, by=payee, of=account) > 0", "zscore(amount, by=account) > 1",
    ]  # fmt: skip
    conditions = [random.choice(limits) for _ in range(4)] + random.sample(windows, 2)
    given["features"] = {"named": 'sum(amount, by=account, this="day")'}
    given["rules"] = [{"id": f"r{n}", "when": when, "points": 40, "reason": "x"} for n, when in enumerate(conditions)]
    return given


def outcome_with(made: Program, whole: Batch, n: int, change: str) -> str:
    match = re.fullmatch(r"\w+ if (\w+) (<=|<|>=|>) (\S+)", change)
    assert match, change
    name, op, constant = match.groups()
    scale = SCALES.get(name)
    value = float(constant) + NEXT[op] * 1e-6 if scale is None else round(float(constant) * scale) + NEXT[op]
    part = whole.slice(0, n + 1)
    part.columns = {**part.columns, name: [*part.columns[name][:-1], value]}
    answers = decide.decide(made, part, decide.state_for(made), received_at=streams.RECEIVED_AT)
    return explain.unpack(made, answers.facts[-1]).outcome


# Every decision can be explained -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(45))
def test_what_is_shown_is_what_was_decided(seed: int) -> None:
    """Over random rulesets and streams: conditions computed again from stored facts have the states that are stored."""
    random = Random(seed)
    made = programmed_from(streams.rulesets(random))
    whole = batched(made, streams.SHAPES[seed % len(streams.SHAPES)](random, 25))
    answers = decide.decide(made, whole, decide.state_for(made), received_at=streams.RECEIVED_AT)
    for n, facts in enumerate(answers.facts):
        told = explain.body(made, whole.row(n), facts, streams.RECEIVED_AT)
        assert json.loads(json.dumps(told, allow_nan=False)) == msgspec.json.decode(msgspec.json.encode(told))
        assert all(one["missing"] for one in told["rules"]["unknown"])
        assert all(one["by"] for one in told["rules"]["suppressed"])
        assert states_again(made, whole.row(n), facts) == states_stored(made, facts)


def states_again(made: Program, row: dict[str, Any], facts: bytes) -> list[int]:
    values = explain._View(made, row, explain.unpack(made, facts)).values
    rules = zip(made.ruleset.rules, made.trees.rules, strict=True)
    dead = [one.expires is not None and one.expires <= streams.RECEIVED_AT for one in made.ruleset.rules]
    return [0 if dead[r] else int(values[tree]) for r, (_, tree) in enumerate(rules)]


def states_stored(made: Program, facts: bytes) -> list[int]:
    known = explain.unpack(made, facts)
    fired = {*known.fired, *known.suppressed}
    return [2 if r in fired else 1 if r in known.unknown else 0 for r in range(len(made.ruleset.rules))]


def test_facts_of_another_ruleset_are_refused() -> None:
    made, other = programmed("amount > 1"), programmed("amount > 1", "count(by=account) > 1")
    facts = decide.decide(made, _batch(made, [{"id": "a"}]), decide.state_for(made), received_at=0).facts[0]
    with pytest.raises(ValueError, match="not written under this ruleset"):
        explain.body(other, _batch(made, [{"id": "a"}]).row(0), facts)
