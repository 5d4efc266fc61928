"""Which histories a ruleset needs: one role per `by=`, windows shared, columns kept once, other roles looked up."""

from __future__ import annotations

from typing import Any

import pytest

from fraudline.engine import kernel
from fraudline.engine.compile import Program
from fraudline.engine.history import RolePlan
from tests.deciding import DAY, HOUR, START, decided, named, programmed


def role(made: Program, *by: str) -> RolePlan:
    (plan,) = [plan for plan in made.plans if plan.by == by]
    return plan


def described(plan: RolePlan) -> int:
    return len(plan.features) // kernel.F_SIZE


ROLES: list[tuple[str, list[tuple[str, ...]]]] = [
    ("amount > 1", []),
    ("count(by=account) > 1", [("account",)]),
    ("count(by=account) > 1 and sum(amount, by=account, last='1h') > 1", [("account",)]),
    ("count(by=account) > 1 and count(by=merchant) > 1", [("account",), ("merchant",)]),
    ("count(by=(account, merchant)) > 1", [("account", "merchant")]),
    (
        "count(by=(account, merchant)) > count(by=(merchant, account))",
        [("account", "merchant"), ("merchant", "account")],
    ),
    ("sum(amount, by=payee, of=account) > 1", [("payee",)]),
]


@pytest.mark.parametrize(("when", "by"), ROLES)
def test_there_is_one_history_per_key_and_none_without_windows(when: str, by: list[tuple[str, ...]]) -> None:
    assert [plan.by for plan in programmed(when).plans] == by


SHARED: list[tuple[list[str], int]] = [
    (['count(by=account, last="1h") > 1', 'count(by=account, last="60m") > 3'], 1),
    (['count(by=account, last="1h") > 1', 'count(by=account, last="1h", prior=True) > 1'], 2),
    (['avg(amount, by=account, last="1h") > 1', 'sum(amount, by=account, last="1h") > 1'], 2),  # sum and how many
    (["zscore(amount, by=account) > 1", "stddev(amount, by=account, prior=True) > 1"], 3),  # sum, how many, spread
    (["count(by=account, where=amount > 5) > 1", "count(by=account, where=amount > 5.00) > 2"], 1),
    (["count(by=account, where=amount > 5) > 1", "count(by=account, where=amount > 6) > 1"], 2),
    (["sum(amount, by=payee, of=account) > 1", "sum(amount, by=payee) > 1"], 2),
    (["stddev(amount, by=account) > 1", "stddev(amount, by=account, min_samples=3) > 1"], 2),
]


@pytest.mark.parametrize(("rules", "slots"), SHARED)
def test_rules_that_look_at_the_same_window_share_it(rules: list[str], slots: int) -> None:
    made = programmed(*rules)
    assert len(made.slots) == slots == sum(described(plan) for plan in made.plans)


def test_features_and_rules_and_score_and_alert_share_their_windows() -> None:
    window = 'count(by=account, last="1h")'
    made = programmed(f"{window} > 1", features={"rapid": window}, score=f"points + {window}", alert=f"{window} > 5")
    assert len(made.slots) == 1


def test_a_feature_that_no_rule_uses_is_computed_all_the_same() -> None:
    made = programmed("amount > 1", features={"rapid": 'count(by=account, last="1h")'})
    assert named(made, decided(made, [{}, {}])[1]) == {"rapid": 2.0}


def test_counts_need_no_column_at_all() -> None:
    plan = role(programmed('count(by=account, last="1h") > 1'), "account")
    assert (plan.prefixes, plan.values) == ((), ())


def test_sums_of_all_lengths_share_one_running_total() -> None:
    lengths = ("1m", "1h", "1d", "30d")
    made = programmed(*(f'sum(amount, by=account, last="{length}") > 1' for length in lengths))
    assert len(role(made, "account").prefixes) == kernel.P_SIZE


def test_a_filtered_sum_has_a_total_of_its_own() -> None:
    made = programmed("sum(amount, by=account) > 1", "sum(amount, by=account, where=amount > 5) > 1")
    assert len(role(made, "account").prefixes) == 2 * kernel.P_SIZE


def test_values_that_are_looked_at_one_by_one_are_kept_once() -> None:
    made = programmed(
        "min(amount, by=account) > 1",
        "max(amount, by=account) > 1",
        "previous(amount, by=account) > 1",
        "distance_km(by=account) > 1",
        "speed_kmh(by=account) > 1",
    )
    assert len(role(made, "account").values) == 4  # amount, latitude, longitude, whether it is a date


def test_a_role_looked_up_under_another_field_is_one_more_look() -> None:
    made = programmed(
        "sum(amount, by=payee, of=account) > 1", "sum(amount, by=payee, of=merchant) > 1", "count(by=payee) > 1"
    )
    assert role(made, "payee").looks == (("payee",), ("account",), ("merchant",))


def test_conditions_with_current_are_tested_row_by_row() -> None:
    made = programmed(
        "count(by=account, where=amount > current(amount)) > 1", "count(by=account, where=amount > 1) > 1"
    )
    assert len(role(made, "account").scans) == 1


EXACT: list[tuple[list[str], str, tuple[str, ...], bool]] = [
    ([], "count(by=merchant) > 1", ("merchant",), True),
    (["merchant"], "count(by=merchant) > 1", ("merchant",), False),
    (["merchant"], "count(by=(account, merchant)) > 1", ("account", "merchant"), True),
    (["merchant", "account"], "count(by=(account, merchant)) > 1", ("account", "merchant"), False),
    ([], "count(by=payee, of=account) > 1", ("payee",), False),  # nobody's own history
]


@pytest.mark.parametrize(("shared", "when", "by", "exact"), EXACT)
def test_lateness_is_measured_on_histories_that_belong_to_one_writer(
    shared: list[str], when: str, by: tuple[str, ...], exact: bool
) -> None:
    made = programmed(when, shared=shared)
    assert role(made, *by).exact is exact
    rows = [{"occurred_at": moment, "merchant": "M", "payee": "A"} for moment in (START, START - HOUR)]
    late = decided(made, rows)[1].late_ms
    assert late == (HOUR if exact else 0)


# What the columns say ------------------------------------------------------------------------------------------------


def fired(when: str, *rows: dict[str, Any], **given: Any) -> list[bool]:
    return [fact.fired == (0,) for fact in decided(programmed(when, **given), rows)]


KEYS: list[tuple[str, list[str | None], float | None]] = [
    ("account", ["A", "a", " A", "A"], 2.0),  # keys are compared as given
    ("location", ["Delhi", " DELHI ", "pune", "delhi"], 3.0),  # other text without case and outer spaces
    ("location", [None, None, None, None], None),  # a missing key has no history
    ("location", ["delhi", None, None, "delhi"], 2.0),
]


@pytest.mark.parametrize(("by", "values", "rows"), KEYS)
def test_keys_compare_like_their_field(by: str, values: list[str | None], rows: float | None) -> None:
    made = programmed("amount > 1", features={"rows": f"count(by={by})"})
    assert decided(made, [{by: value} for value in values])[-1].features == (rows,)


def test_money_may_be_a_key() -> None:
    made = programmed("amount > 1", features={"same": "count(by=(account, amount))"})
    facts = decided(made, [{"amount": 5}, {"amount": 6}, {"amount": 5}])
    assert [fact.features for fact in facts] == [(1.0,), (1.0,), (2.0,)]


def test_another_role_is_looked_up_under_its_own_name() -> None:
    """What came in to this account: rows whose payee it was."""
    made = programmed("amount > 1", features={"came_in": "sum(amount, by=payee, of=account)"})
    rows = [
        {"account": "A", "payee": "B", "amount": 100},
        {"account": "C", "payee": "B", "amount": 20},
        {"account": "B", "payee": "D", "amount": 7},
        {"account": "B", "payee": "B", "amount": 3},  # to itself: then, and only then, the row itself counts
    ]
    assert [fact.features for fact in decided(made, rows)] == [(0.0,), (0.0,), (120.0,), (123.0,)]


def test_the_current_row_counts_where_its_condition_holds_and_prior_is_not_given() -> None:
    features = {
        "all": "count(by=account)",
        "before": "count(by=account, prior=True)",
        "big": "count(by=account, where=amount > 5)",
        "bigger": "count(by=account, where=amount >= current(amount))",
        "unknown": "count(by=account, where=balance > 5)",
    }
    made = programmed("amount > 1", features={f"{name}_": text for name, text in features.items()})
    facts = [named(made, fact) for fact in decided(made, [{"amount": minor} for minor in (1000, 100, 500)])]
    assert [fact["all_"] for fact in facts] == [1, 2, 3]
    assert [fact["before_"] for fact in facts] == [0, 1, 2]
    assert [fact["big_"] for fact in facts] == [1, 1, 1]
    assert [fact["bigger_"] for fact in facts] == [1, 2, 2]
    assert [fact["unknown_"] for fact in facts] == [0, 0, 0]


EMPTY: list[tuple[str, float | None]] = [
    ("count(by=account, prior=True)", 0.0),
    ("sum(amount, by=account, prior=True)", 0.0),
    ("distinct(location, by=account, prior=True)", 0.0),
    ("min(amount, by=account, prior=True)", None),
    ("max(amount, by=account, prior=True)", None),
    ("stddev(amount, by=account, prior=True)", None),
    ("previous(location, by=account)", None),
    ("is_new(location, by=account)", None),
    ("is_new(location, by=account, first=True)", 1.0),
    ("since_last(by=account)", None),
    ("since_first(by=account)", None),
    ("distance_km(by=account)", None),
    ("speed_kmh(by=account)", None),
]


@pytest.mark.parametrize(("window", "value"), EMPTY)
def test_what_an_empty_history_says(window: str, value: float | None) -> None:
    made = programmed("amount > 1", features={"seen": window})
    assert decided(made, [{"location": "delhi", "latitude": 1.0, "longitude": 1.0}])[0].features == (value,)


def test_values_that_are_missing_are_ignored_by_all_but_count() -> None:
    features = {
        "places": "distinct(location, by=account)",
        "rows": "count(by=account)",
        "seen": "previous(location, by=account)",
    }
    made = programmed("amount > 1", features=features)
    assert decided(made, [{"location": "delhi"}, {"location": None}, {"location": None}])[2].features == (
        1.0,
        3.0,
        "delhi",
    )


def test_a_date_without_a_time_knows_no_hour_and_no_window_under_a_day() -> None:
    features = {"half": 'count(by=account, last="23h")', "whole": 'count(by=account, last="24h")'}
    made = programmed("hour() >= 0", "is_night()", "weekday() >= 1", features=features)
    (fact,) = decided(made, [{"day_only": True, "occurred_at": START // DAY * DAY}])
    assert named(made, fact) == {"half": None, "whole": 1.0}
    assert (fact.fired, fact.unknown) == ((2,), (0, 1))


ZONES = [("UTC", "is_weekend()", False), ("Asia/Kolkata", "is_weekend()", True), ("Asia/Kolkata", "hour() == 3", True),
         ("UTC", "is_night()", True), ("Asia/Kolkata", "is_night()", True), ("America/New_York", "is_night()", False),
         ("Asia/Kolkata", "weekday() == 6", True), ("Asia/Kolkata", "day_of_month() == 24", True)]  # fmt: skip


@pytest.mark.parametrize(("zone", "when", "expected"), ZONES)
def test_the_clock_is_the_one_on_the_wall_of_the_zone(zone: str, when: str, expected: bool) -> None:
    friday_night = START + 3 * DAY  # 2025-05-23T22:00Z, Saturday half past three in Delhi
    assert fired(when, {"occurred_at": friday_night}, timezone=zone) == [expected]
    assert fired(when, {"occurred_at": friday_night, "timezone": zone}, fields={"timezone": "timezone"}) == [expected]


def test_calendar_windows_begin_at_local_midnight() -> None:
    made = programmed("amount > 1", features={"today": 'count(by=account, this="day")'}, timezone="Asia/Kolkata")
    midnight = START // DAY * DAY + DAY - 5 * HOUR - HOUR // 2
    facts = decided(made, [{"occurred_at": midnight + shift} for shift in (-1, 0, 1)])
    assert [fact.features for fact in facts] == [(1.0,), (1.0,), (2.0,)]


def test_text_is_coded_once_whatever_its_case_but_told_as_received() -> None:
    features = {"before": "previous(location, by=account)", "places": "distinct(location, by=account)"}
    made = programmed("amount > 1", features=features)
    facts = decided(made, [{"location": place} for place in ("Delhi", "DELHI ", "delhi")])
    assert [fact.features for fact in facts] == [(None, 1.0), ("Delhi", 1.0), ("DELHI ", 1.0)]
