"""The generated function: truth tables, arithmetic that never raises, exact money, suppression, outcomes. Plain and
compiled by Numba, from one ruleset, so that Numba compiles once."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraudline.adapters.embedded.compiled import compile_program
from fraudline.domain.decision import Facts
from fraudline.engine import decide, explain
from fraudline.engine.compile import PRELUDE, Program, build
from tests.deciding import RECEIVED_AT, START, batch, decided, programmed, rule

FALSE, UNKNOWN, TRUE = "false", "unknown", "true"
TRUTHS = {FALSE: False, UNKNOWN: None, TRUE: True}
ATTRIBUTES: dict[str, Any] = {
    "p": "boolean",
    "q": "boolean",
    "x": "number",
    "y": "number",
    "weight": {"type": "number", "decimals": 3},
    "opened_at": "time",
    "grade": "text",
}


def state_of(fact: Facts, position: int) -> str:
    return TRUE if position in fact.fired else UNKNOWN if position in fact.unknown else FALSE


# One ruleset with every expression of the tables below ----------------------------------------------------------------

KLEENE: dict[str, Callable[[Any, Any], Any]] = {
    "p and q": lambda p, q: False if p is False or q is False else None if p is None or q is None else True,
    "p or q": lambda p, q: True if p is True or q is True else None if p is None or q is None else False,
    "not p": lambda p, _: None if p is None else not p,
    "not (p and q)": lambda p, q: True if p is False or q is False else None if p is None or q is None else False,
    "not not p": lambda p, _: p,
    "p == q": lambda p, q: None if p is None or q is None else p == q,
    "p != q": lambda p, q: None if p is None or q is None else p != q,
    "p == True": lambda p, _: p,
    "is_missing(p)": lambda p, _: p is None,
    "coalesce(p, q)": lambda p, q: q if p is None else p,
    "coalesce(p, q, False)": lambda p, q: (q or False) if p is None else p,
    "p and not p": lambda p, _: None if p is None else False,  # Kleene's logic, not the classical one
    "p or q and p": lambda p, _: p,
    "p and q and amount > 0": lambda p, q: False if p is False or q is False else None if None in (p, q) else True,
}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
SIDES = [-1.5, 0.0, 1.5, None]
MISSING: dict[str, Callable[[float | None], Any]] = {
    "x > 0": lambda x: None if x is None else x > 0,
    "not x > 0": lambda x: None if x is None else not x > 0,
    "x != 0": lambda x: None if x is None else x != 0,
    "x == x": lambda x: None if x is None else True,
    "x in (0, 1.5)": lambda x: None if x is None else x in (0, 1.5),
    "x not in (0, 1.5)": lambda x: None if x is None else x not in (0, 1.5),
    "0 <= x < 2": lambda x: None if x is None else 0 <= x < 2,
    "is_missing(x)": lambda x: x is None,
    "not is_missing(x)": lambda x: x is not None,
    "coalesce(x, 7) == 7": lambda x: x is None,
    "is_missing(x + 1)": lambda x: x is None,
    "is_missing(1 / x)": lambda x: not x,
    "is_missing(x / 0)": lambda _: True,
    "is_missing(log10(x))": lambda x: x is None or x <= 0,
    "max(x, 0) >= 0": lambda x: None if x is None else True,
    "x < 0 or amount > 0": lambda _: True,
    "x < 0 and amount < 0": lambda _: False,
    "-x < 0": lambda x: None if x is None else x > 0,
    "abs(x) > 1": lambda x: None if x is None else abs(x) > 1,
    "round(x) == 2": lambda x: None if x is None else round(x) == 2,
}
# amount in minor units of US dollars; every decimal number is exact, as people write it
MONEY = [
    ("amount > 10000.00", 1_000_000, FALSE),
    ("amount > 10000.00", 1_000_001, TRUE),
    ("amount > 10_000", 1_000_001, TRUE),
    ("amount >= 0.30", 30, TRUE),
    ("amount == 0.1 + 0.2", 30, FALSE),  # two numbers are added as floats: 0.30000000000000004
    ("amount == 0.30", 30, TRUE),
    ("amount - 0.10 == 0.20", 30, TRUE),  # money and a literal: in minor units
    ("amount - 0.10 - 0.10 == 0.10", 30, TRUE),
    ("amount + balance == 0.30", 10, TRUE),  # the balance is 0.20
    ("amount in (0.07, 1.10)", 7, TRUE),
    ("amount in (0.07, 1.10)", 110, TRUE),
    ("amount * 100 == 7", 7, FALSE),  # a product is a float: 0.07 * 100 = 7.000000000000001
    ("amount / balance == 1.5", 30, FALSE),  # each becomes a float first: 0.3 / 0.2 = 1.4999999999999998
    ("amount / balance == 2", 40, TRUE),
    ("max(amount, 5.00) == 5", 499, TRUE),
    ("coalesce(amount, 5.00) == 4.99", 499, TRUE),
    ("is_round(amount, 100)", 10_000, TRUE),
    ("is_round(amount, 100)", 10_001, FALSE),
    ("is_round(amount, 0.50)", 150, TRUE),
    ("is_round(amount, 0.1)", 30, TRUE),
    ("is_round(amount, 100)", -10_000, TRUE),
    ("weight == 0.3", 1, TRUE),  # the weight is 0.300
    ("weight * 2 == 0.6", 1, TRUE),
    ("is_round(weight, 0.1)", 1, TRUE),
]
TEXTS = [
    ('grade == "SENIOR "', "Senior", TRUE),
    ('grade == "senior"', None, UNKNOWN),
    ('grade != "senior"', None, UNKNOWN),
    ('grade in ("a", "Senior")', " senior", TRUE),
    ('grade not in ("a", "Senior")', None, UNKNOWN),
    ("is_missing(grade)", None, TRUE),
    ("is_missing(grade)", "", FALSE),
    ('coalesce(grade, "none") == "none"', None, TRUE),
    ('has_word(grade, "senior")', None, UNKNOWN),
    ('not has_word(grade, "senior")', "junior", TRUE),
    ("grade == merchant", "senior", FALSE),  # a key beside other text: as given; the merchant is Senior
    ("grade == merchant", "Senior", TRUE),
    ('merchant == "senior"', "x", FALSE),
    ('merchant == "Senior"', "x", TRUE),
    ("length(grade) == 6", "Senior", TRUE),
    ("length(grade) == 6", None, UNKNOWN),
    ("since(opened_at) < days(7)", "x", UNKNOWN),
]
EXPRESSIONS = list(
    dict.fromkeys(
        [*KLEENE, *(f"x {op} y" for op in COMPARISONS), *(f"amount {op} balance" for op in COMPARISONS), *MISSING]
        + [one for one, *_ in MONEY]
        + [one for one, *_ in TEXTS]
    )
)
PROGRAMS: dict[str, Program] = {}


@pytest.fixture(scope="module", params=["plain", "compiled"])
def states(request: pytest.FixtureRequest) -> Callable[..., str]:
    """What a condition is on one transaction, plain or compiled."""
    made = programmed(*EXPRESSIONS, attributes=ATTRIBUTES)
    compiled = request.param == "compiled"
    if compiled:
        assert compile_program(made)

    def state(when: str, **row: Any) -> str:
        histories = decide.state_for(made)
        assert histories.compile() is True if compiled else True
        answers = decide.decide(made, batch(made, [row]), histories, received_at=RECEIVED_AT)
        return state_of(explain.unpack(made, answers.facts[0]), EXPRESSIONS.index(when))

    return state


@pytest.mark.parametrize("when", KLEENE)
def test_kleene(states: Callable[..., str], when: str) -> None:
    for p in TRUTHS.values():
        for q in TRUTHS.values():
            assert TRUTHS[states(when, p=p, q=q)] is KLEENE[when](p, q), (p, q)


@pytest.mark.parametrize("op", COMPARISONS)
def test_a_comparison_with_something_missing_is_unknown(states: Callable[..., str], op: str) -> None:
    for x in SIDES:
        for y in SIDES:
            expected = None if x is None or y is None else COMPARISONS[op](x, y)
            assert TRUTHS[states(f"x {op} y", x=x, y=y)] is expected, (x, y)
            cents = [None if side is None else int(side * 2) for side in (x, y)]
            assert TRUTHS[states(f"amount {op} balance", amount=cents[0], balance=cents[1])] is expected, cents


@pytest.mark.parametrize("when", MISSING)
def test_missing_numbers(states: Callable[..., str], when: str) -> None:
    for x in SIDES:
        assert TRUTHS[states(when, x=x)] is MISSING[when](x), x


@pytest.mark.parametrize(("when", "minor", "expected"), MONEY)
def test_money_is_exact(states: Callable[..., str], when: str, minor: int, expected: str) -> None:
    assert states(when, amount=minor, balance=20, weight=300) == expected


@pytest.mark.parametrize(("when", "grade", "expected"), TEXTS)
def test_text(states: Callable[..., str], when: str, grade: str | None, expected: str) -> None:
    assert states(when, grade=grade, merchant="Senior") == expected


# Totality ------------------------------------------------------------------------------------------------------------

TOTAL = [
    "x / y > 0", "x * y > 0", "x * y - x * y == 0", "x / y / x / y > 1", "log10(x * y) > 0", "round(x * y * x) == 0",
    "abs(x / y) > 1", "max(x * x, y * y) > 1", "min(x / y, 0) < 0", "amount / x > 1", "balance * x > 1",
    "balance + balance + balance > 1", "balance - amount > 1", "is_round(x * y * x, 3)", "x * y in (0, 1)",
    "distance_km(x, y, latitude, longitude) > 1", "distance_km(x * x, y * y, x / y, y / x) > 1",
    "distance_km(x * x * x * x, 0, 0, 0) > 1",
    "since(opened_at) * x > days(1)", "since(opened_at) / x > days(1)", "since(opened_at) / since(opened_at) == 1",
    "length(grade) / x > 1", "is_missing(x * y - x * y)", "coalesce(x / y, y / x, 0) > 1", "round(x) == x",
    "zscore(x_exact, by=account, min_samples=2) > 1", "stddev(x_exact, by=account, min_samples=2) >= 0",
    "speed_kmh(by=account) / speed_kmh(by=account) > 0", "speed_kmh(by=account) * 0 == 0",
]  # fmt: skip
HARD = [
    0.0,
    1.0,
    -1.0,
    0.5,
    1e-308,
    5e-324,
    1e154,
    -1e154,
    1e300,
    1.7976931348623157e308,
    2.5,
    2**52 + 1.0,
    9.3e18,
    None,
]
hard = st.one_of(st.sampled_from(HARD), st.floats(allow_nan=False, allow_infinity=False))


@pytest.fixture(scope="module")
def total() -> Program:
    attributes = ATTRIBUTES | {"x_exact": {"type": "number", "decimals": 0}}
    made = programmed(*TOTAL, attributes=attributes, score="points * 1 + coalesce(x * y, 0) / 3")
    assert compile_program(made)
    return made


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "x": hard,
                "y": hard,
                "latitude": st.sampled_from([0.0, 90.0, None]),
                "longitude": st.sampled_from([0.0, -180.0, None]),
                "amount": st.sampled_from([0, 1, -(2**40), 2**40]),
                "balance": st.sampled_from([0, 2**40, None]),
                "x_exact": st.sampled_from([0, 2**40, -(2**40), None]),
                "opened_at": st.sampled_from([0, START, START + 5, None]),
                "grade": st.sampled_from(["", "g", None]),
                "occurred_at": st.sampled_from([START, START + 1, START - 1]),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
def test_no_value_makes_a_rule_raise_and_compiled_says_the_same(total: Program, rows: list[dict[str, Any]]) -> None:
    whole = batch(total, rows)
    plain = decide.decide(total, whole, decide.state_for(total), received_at=RECEIVED_AT)
    fast = decide.state_for(total)
    assert fast.compile()
    assert decide.decide(total, whole, fast, received_at=RECEIVED_AT).facts == plain.facts


ROUNDED = [
    (0.5, 0.0), (1.5, 2.0), (2.5, 2.0), (-0.5, 0.0), (-1.5, -2.0), (0.49999999999999994, 0.0), (2.0, 2.0),
    (1e19, 1e19), (-1e300, -1e300), (4503599627370497.5, 4503599627370498.0), (math.inf, math.inf),
    (-math.inf, -math.inf), (99.5, 100.0), (4503599627370495.5, 4503599627370496.0),
]  # fmt: skip


@pytest.mark.parametrize(("value", "rounded"), ROUNDED)
def test_halves_are_rounded_to_even(value: float, rounded: float) -> None:
    half_even = build(PRELUDE + "def run(x):\n    return half_even(x)\n")
    assert half_even(value) == rounded
    assert math.isnan(half_even(math.nan))


# Resolving -----------------------------------------------------------------------------------------------------------

OWNED = {"owner": "Asha", "expires": "2099-01-01"}
HIT, MISS, MAYBE = "amount > 0", "amount < 0", "balance > 0"
LADDER: list[tuple[str, list[dict[str, Any]], dict[str, Any], tuple[str, int, str]]] = [
    ("nothing fires", [rule(MISS, 40)], {}, ("approve", 0, "low")),
    ("points are added", [rule(HIT, 20), rule(HIT, 15)], {}, ("approve", 35, "medium")),
    ("unknown brings no points", [rule(MAYBE, 90)], {}, ("approve", 0, "low")),
    ("the review threshold is reached", [rule(HIT, 40)], {}, ("review", 40, "medium")),
    ("just below it", [rule(HIT, 39)], {}, ("approve", 39, "medium")),
    ("the decline threshold is reached", [rule(HIT, 90)], {}, ("decline", 90, "high")),
    ("the score ends at 100", [rule(HIT, 90), rule(HIT, 90)], {}, ("decline", 100, "high")),
    ("the score begins at 0", [rule(HIT, -40)], {}, ("approve", 0, "low")),
    ("points may be taken away", [rule(HIT, 50), rule(HIT, -20)], {}, ("approve", 30, "medium")),
    ("a rule may force a review", [rule(HIT, 0, outcome="review")], {}, ("review", 0, "low")),
    ("a rule may force a decline", [rule(HIT, 0, outcome="decline")], {}, ("decline", 0, "low")),
    ("a forced review lowers nothing", [rule(HIT, 95, outcome="review")], {}, ("decline", 95, "high")),
    (
        "decline goes before review",
        [rule(HIT, 0, outcome="decline"), rule(HIT, 0, outcome="review")],
        {},
        ("decline", 0, "low"),
    ),
    (
        "an allowed one is approved whatever else fires",
        [rule(HIT, 0, outcome="decline"), rule(HIT, 0, outcome="approve", **OWNED), rule(HIT, 95)],
        {},
        ("approve", 95, "high"),
    ),
    ("an allow rule that is unknown allows nothing", [rule(HIT, 95), rule(MAYBE, 0, outcome="approve", **OWNED)], {},
     ("decline", 95, "high")),
    ("an expired allow rule allows nothing", [rule(HIT, 95), rule(HIT, 0, outcome="approve", owner="A",
     expires="2020-01-01")], {}, ("decline", 95, "high")),
    ("bands are the ruleset's", [rule(HIT, 10)], {"levels": {"medium": 5, "high": 10}, "outcomes": {"review": 10,
     "decline": 11}}, ("review", 10, "high")),
    ("the formula is the ruleset's", [rule(HIT, 30)], {"score": "points * 2 + 0.5"}, ("review", 60, "high")),
    ("a formula rounds half to even", [rule(HIT, 31)], {"score": "points / 2"}, ("approve", 16, "low")),
    ("a formula without a value is the points", [rule(HIT, 41)], {"score": "points / (amount - amount)",
     "on_degraded": "continue"}, ("review", 41, "medium")),
    ("an infinite score is 100", [rule(HIT, 1)], {"score": "points * amount / 0.000000001 * amount * amount"},
     ("decline", 100, "high")),
    ("without a model its probability counts 0", [rule(HIT, 7)], {"score": "points + 100 * probability"},
     ("approve", 7, "low")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "given_more", "expected"), [row[1:] for row in LADDER], ids=[row[0] for row in LADDER]
)
def test_resolving(rules: list[dict[str, Any]], given_more: dict[str, Any], expected: tuple[str, int, str]) -> None:
    (fact,) = decided(programmed(*rules, **given_more), [{}])
    assert (fact.outcome, fact.score, fact.level) == expected


DEGRADED = [
    ("review", [rule(HIT, 0)], "review"),
    ("decline", [rule(HIT, 0)], "decline"),
    ("continue", [rule(HIT, 0)], "approve"),
    ("review", [rule(HIT, 95)], "decline"),  # only ever raised
    ("review", [rule(HIT, 0, outcome="approve", **OWNED)], "review"),  # an override is no excuse
]


@pytest.mark.parametrize(("policy", "rules", "outcome"), DEGRADED)
def test_a_degraded_decision_is_only_ever_raised(policy: str, rules: list[dict[str, Any]], outcome: str) -> None:
    old = rule("count(by=account) > 5", 0)
    made = programmed(*rules, old, on_degraded=policy, retention="10d", lateness="1d")
    fact = decided(made, [{"occurred_at": START}, {"occurred_at": START - 11 * 86_400_000}])[1]
    assert fact.degraded == ("window_expired",)
    assert fact.outcome == outcome
    assert fact.unknown == (len(rules),)


def test_a_formula_that_cannot_be_computed_degrades_the_decision() -> None:
    (fact,) = decided(programmed(HIT, score="points / (amount - amount)"), [{}])
    assert (fact.degraded, fact.outcome) == (("rule_error",), "review")


def test_a_sum_beyond_what_is_exact_is_missing_and_degrades() -> None:
    made = programmed("sum(amount, by=account, prior=True) > 0")
    rows = [{"amount": 2**40}] * 8194
    facts = decided(made, [{**row, "id": f"T{n}"} for n, row in enumerate(rows)])
    assert (facts[8192].degraded, facts[8192].features) == ((), (float(2**53),))
    assert (facts[8193].degraded, facts[8193].features) == (("rule_error",), (None,))


SUPPRESSING: list[tuple[str, list[tuple[str, list[str]]], list[str], list[str]]] = [
    ("what fires suppresses", [(HIT, ["r1"]), (HIT, [])], ["r0"], ["r1"]),
    ("what does not fire suppresses nothing", [(MISS, ["r1"]), (HIT, [])], ["r1"], []),
    ("nor does the unknown", [(MAYBE, ["r1"]), (HIT, [])], ["r1"], []),
    ("a later rule suppresses an earlier one", [(HIT, []), (HIT, ["r0"])], ["r1"], ["r0"]),
    ("the suppressed suppresses nothing", [(HIT, ["r1"]), (HIT, ["r2"]), (HIT, [])], ["r0", "r2"], ["r1"]),
    ("what was suppressed before stays so", [(HIT, ["r2"]), (HIT, ["r0"]), (HIT, [])], ["r1"], ["r0", "r2"]),
    ("of two that suppress each other the first fires", [(HIT, ["r1"]), (HIT, ["r0"])], ["r0"], ["r1"]),
    ("what would not fire is not suppressed", [(HIT, ["r1", "r2"]), (MISS, []), (MAYBE, [])], ["r0"], []),
]


@pytest.mark.parametrize(
    ("rules", "fired", "suppressed"), [row[1:] for row in SUPPRESSING], ids=[r[0] for r in SUPPRESSING]
)
def test_suppressing(rules: list[tuple[str, list[str]]], fired: list[str], suppressed: list[str]) -> None:
    made = programmed(*(rule(when, 10, suppresses=hits) if hits else rule(when, 10) for when, hits in rules))
    (fact,) = decided(made, [{}])
    names = [one.id for one in made.ruleset.rules]
    assert [names[r] for r in fact.fired] == fired
    assert [names[r] for r in fact.suppressed] == suppressed
    assert fact.score == 10 * len(fired)


def test_a_suppressed_rule_forces_nothing() -> None:
    made = programmed(rule(HIT, 0, suppresses=["r1"]), rule(HIT, 0, outcome="decline"))
    assert decided(made, [{}])[0].outcome == "approve"


EXPIRING = [(-1, (0,)), (0, ()), (1, ())]


@pytest.mark.parametrize(("after", "fired"), EXPIRING)
def test_a_rule_expires_at_its_moment_of_arrival_not_of_the_transaction(after: int, fired: tuple[int, ...]) -> None:
    made = programmed(rule(HIT, 10, owner="Asha", expires="2027-01-15T08:00:00Z"))
    assert decided(made, [{}], RECEIVED_AT + after)[0].fired == fired


def test_an_expired_rule_is_not_unknown_and_suppresses_nothing() -> None:
    dead = {"owner": "Asha", "expires": "2020-01-01"}
    made = programmed(rule(MAYBE, 10, **dead), rule(HIT, 10, suppresses=["r2"], **dead), rule(HIT, 20))
    (fact,) = decided(made, [{}])
    assert (fact.fired, fact.unknown, fact.suppressed) == ((2,), (), ())


# Found by reading ----------------------------------------------------------------------------------------------------


def test_what_stands_in_a_rule_and_in_the_score_has_one_value() -> None:
    """A z-score written twice once shared the names of its parts, and was divided by itself."""
    rows = [{"amount": minor} for minor in (10_000, 20_000, 30_000, 120_000)]
    features = {"unusual": 'zscore(amount, by=account, last="30d", min_samples=2)'}
    alone = programmed("amount > 0", features=features, score="unusual * 5")
    both = programmed("unusual > 1", features=features, score="unusual * 5")
    assert [fact.score for fact in decided(both, rows)] == [0, 0, 11, 50]
    assert [fact.score for fact in decided(alone, rows)] == [10, 10, 11, 50]


def test_a_condition_that_reads_row_and_transaction_at_once_reads_each_its_own() -> None:
    made = programmed(
        "count(by=account, prior=True, where=location != current(location) and amount < current(amount)) == 1"
    )
    rows = [("delhi", 1), ("Delhi ", 2), ("pune", 3), ("delhi", 4)]
    facts = decided(made, [{"location": place, "amount": minor} for place, minor in rows])
    assert [fact.fired for fact in facts] == [(), (), (), (0,)]


def test_equal_rulesets_are_compiled_once_and_names_of_rules_make_no_difference() -> None:
    one, other = programmed(HIT), programmed(HIT)
    assert one is other
    renamed = msgspec.structs.replace(one.ruleset.rules[0], id="other")
    assert (
        programmed({"id": renamed.id, "when": HIT, "points": 10, "reason": "because"}).rules.source == one.rules.source
    )
