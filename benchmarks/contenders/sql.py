"""W's features and rules in SQL: one text for DuckDB, ClickHouse and Spark, which differ in a few words.

Frames are RANGE frames over hundredths of a second (see `workload`), so "the last hour, without its edge" is 359,999
steps. `usual` and `spread` leave the transaction itself out: their frame ends one step before it. A missing value, as
the speed of an account's first payment, makes a comparison NULL, and NULL is not true: the CASE says 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.workload import GRAIN, RISKY_PATTERN, START, Workload, texts

STEPS = {name: span // GRAIN for name, span in {"1m": 60_000, "1h": 3_600_000, "1d": 86_400_000}.items()}
MONTH = 30 * STEPS["1d"]

RULES = (
    "amount > 90000",
    "in_a_minute > 5 OR (in_an_hour > 12 AND step - before < 6000)",
    "country <> home_country AND amount > 6000",
    "balance < 15000 AND amount > 8000",
    "step > before AND metres / 1000.0 / ((step - before) / 360000.0) > 907.3",
    "(step % 8640000 >= 7920000 OR step % 8640000 < 2160000 OR {day} >= 5) AND amount > 20000",
    "{risky}",
    "samples >= 5 AND spread > 0 AND (amount - usual) / spread > 3.0",
    "merchants_in_a_day > 40",
    "countries_in_an_hour > 2",
    "in_a_day > 60 OR spent_in_a_day > 600000",
    "sales_in_an_hour > 50 AND sold_in_a_day > 3000000",
)
FIRST_WEEKDAY = (START // 86_400_000 + 3) % 7


def columns(whole: Workload) -> dict[str, Any]:
    """The workload as a table, text as text, `step` in hundredths of a second since its first midnight."""
    return {
        "n": list(range(len(whole))),
        "step": (whole.occurred_at - START) // GRAIN,
        "amount": whole.amount,
        "balance": whole.balance,
        "latitude": whole.latitude,
        "longitude": whole.longitude,
        **texts(whole),
    }


def query(words: Mapping[str, str]) -> str:
    """The statement that gives n and its rule bits, in order of n. `words` are those in which the dialects differ."""

    def frame(key: str, steps: int, end: str = "CURRENT ROW") -> str:
        return f"(PARTITION BY {key} ORDER BY step RANGE BETWEEN {steps} PRECEDING AND {end})"

    def distinct(column: str) -> str:
        return words["distinct"].format(column)

    def before(column: str) -> str:
        return words["before"].format(column)

    day = words["day"].format(f"step // 8640000 + {FIRST_WEEKDAY}")
    risky = words["matches"].format("description", RISKY_PATTERN)
    bits = " + ".join(
        f"CASE WHEN {rule.format(day=day, risky=risky)} THEN {1 << r} ELSE 0 END" for r, rule in enumerate(RULES)
    )
    return f"""
        WITH windows AS (
            SELECT *,
                count(*) OVER a1m AS in_a_minute,
                count(*) OVER a1h AS in_an_hour,
                count(*) OVER a1d AS in_a_day,
                sum(amount) OVER a1d AS spent_in_a_day,
                avg(amount) OVER a30d AS usual,
                {words["stddev"]}(amount) OVER a30d AS spread,
                count(*) OVER a30d AS samples,
                {distinct("merchant")} OVER a1d AS merchants_in_a_day,
                {distinct("country")} OVER a1h AS countries_in_an_hour,
                {before("step")} OVER one AS before,
                {before("latitude")} OVER one AS old_latitude,
                {before("longitude")} OVER one AS old_longitude,
                count(*) OVER m1h AS sales_in_an_hour,
                sum(amount) OVER m1d AS sold_in_a_day
            FROM w
            WINDOW a1m AS {frame("account", STEPS["1m"] - 1)},
                a1h AS {frame("account", STEPS["1h"] - 1)},
                a1d AS {frame("account", STEPS["1d"] - 1)},
                a30d AS {frame("account", MONTH - 1, "1 PRECEDING")},
                one AS {words["one"]},
                m1h AS {frame("merchant", STEPS["1h"] - 1)},
                m1d AS {frame("merchant", STEPS["1d"] - 1)}
        ), places AS (
            SELECT *, round(2.0 * 6371008.8 * asin(sqrt(
                power(sin((radians(old_latitude) - radians(latitude)) / 2.0), 2)
                + cos(radians(latitude)) * cos(radians(old_latitude))
                * power(sin(radians(old_longitude - longitude) / 2.0), 2)))) AS metres
            FROM windows
        )
        SELECT n, {bits} AS bits FROM places ORDER BY n
    """
