"""Seeded streams of transactions that are hard to get right, and seeded rulesets that use the whole language.

A stream is a list of dicts of typed values in order of arrival, as `tests.oracle` takes them; a ruleset the plain dict
that its YAML file would hold. The same seed gives the same stream on every machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

Transaction = dict[str, Any]
Stream = list[Transaction]

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
START = int(datetime(2025, 3, 28, 21, 0, tzinfo=UTC).timestamp()) * 1000  # two days before Europe's clocks change
RECEIVED_AT = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()) * 1000
RETENTION, LONGEST, LATENESS = 45 * DAY, 30 * DAY, 10 * DAY
WINDOW_LENGTHS = (1, SECOND, 90 * SECOND, MINUTE, HOUR, DAY, 7 * DAY, LONGEST)

ACCOUNTS = ["A1", "a1", " A1", "B", "007", "é"]
PLACES = ["delhi", "Delhi", " DELHI ", "mumbai", "Straße", "STRASSE", "london", None]
MERCHANTS = ["M1", "m1", "M2", "delhi", "Delhi", None]
TEXTS = [
    "Amazon GIFT card", "a gifted colleague", "lunch", "BITCOIN casino!", "gift-card for two", "Straße 5", "delhi",
    "Delhi", "A1", "asha@Example.org", None,
]  # fmt: skip
STATUSES = ["approved", "declined", " Declined", "reversed", None]
ZONES = [None, None, "UTC", "Asia/Kolkata", "Europe/London", "Africa/Cairo", "America/Havana", "Australia/Lord_Howe"]
COORDINATES = [(0.0, 0.0), (0.0, 0.0), (51.5, -0.12), (28.61, 77.21), (-90.0, 0.0), (0.0, 180.0), (89.999, 179.999)]
AMOUNTS = [0, 1, -1, 99, 100, 5_000, 10_000, 10_000, 1_000_000, 1_000_001, 2**40, -(2**40), 2**40 - 1, None]
EDGES = [edge for length in WINDOW_LENGTHS for edge in (length - 1, length, length + 1)]
IDS = ["", "0", "a", "é", "\uffee", "\U0001f600", "A", "~"]

ATTRIBUTES: dict[str, Any] = {
    "department": "text",
    "opened_at": "time",
    "flag": "boolean",
    "ratio": "number",
    "weight": {"type": "number", "decimals": 3},
}


def ids(random: Random) -> Iterator[str]:
    """Ids that never repeat: both byte orders, prefixes of each other, letters that UTF-16 orders otherwise."""
    for number in itertools.count():
        tail = str(number) if random.random() < 0.5 else str(10**6 - number)
        yield random.choice(IDS) + tail + "x" * random.choice((0, 0, 0, 1))


def transaction(random: Random, name: str, occurred_at: int, **known: Any) -> Transaction:
    """A transaction at this time with everything else drawn, from few values, so that they meet again."""
    latitude, longitude = random.choice(COORDINATES)
    account = random.choice(ACCOUNTS)
    drawn = {
        "id": name,
        "occurred_at": occurred_at,
        "day_only": False,
        "amount": random.choice(AMOUNTS) if random.random() < 0.3 else random.randrange(-500, 200_000),
        "balance": random.choice(AMOUNTS),
        "account": account if random.random() < 0.95 else None,
        "payee": random.choice([*ACCOUNTS, None]),
        "merchant": random.choice(MERCHANTS),
        "status": random.choice(STATUSES),
        "location": random.choice(PLACES),
        "country": random.choice(["IN", "in", "GB", None]),
        "home_country": random.choice(["IN", "GB ", None]),
        "latitude": latitude if random.random() < 0.9 else None,
        "longitude": longitude,
        "description": random.choice(TEXTS),
        "timezone": random.choice(ZONES),
        "department": random.choice(["Sales", "sales", "ops", None]),
        "opened_at": random.choice([occurred_at - 3 * DAY, occurred_at - 7 * DAY, START, None]),
        "flag": random.choice([True, False, None]),
        "ratio": random.choice([0.1, 0.30000000000000004, -2.5, 0.0, 1e9, None]),
        "weight": random.choice([0, 1, -1, 125, 2_500, 10**9, None]),
    }
    return drawn | known


def at_times(random: Random, times: list[int], **known: Any) -> Stream:
    """One transaction at each of these times, in this order."""
    return [transaction(random, name, moment, **known) for name, moment in zip(ids(random), times, strict=False)]


# --- shapes of time ---------------------------------------------------------------------------------------------------


def ordinary(random: Random, n: int) -> Stream:
    """In order of time, gaps of all sizes."""
    gaps = [random.choice((0, SECOND, 20 * SECOND, MINUTE, HOUR, DAY)) + random.randrange(2) for _ in range(n)]
    return at_times(random, list(itertools.accumulate(gaps, initial=START))[:n])


def bursts(random: Random, n: int) -> Stream:
    """2**k transactions of one account (and one less, one more), then silence longer than the longest window."""
    times: list[int] = []
    moment = START
    while len(times) < n:
        for _ in range(2 ** random.randrange(1, 6) + random.randrange(-1, 2)):
            moment += random.choice((0, 1, SECOND))
            times.append(moment)
        moment += random.choice((LONGEST - 1, LONGEST, LONGEST + 1, RETENTION, RETENTION + 1, 3 * RETENTION))
    return at_times(random, times[:n], account=random.choice(ACCOUNTS), merchant="M1")


def ties(random: Random, n: int) -> Stream:
    """Many transactions at few instants, and some of them late."""
    instants = [START + k * random.choice((1, SECOND, HOUR)) for k in range(max(2, n // 12))]
    times = sorted(random.choice(instants) for _ in range(n))
    for _ in range(n // 8):
        one, other = random.randrange(n), random.randrange(n)
        times[one], times[other] = times[other], times[one]
    return at_times(random, times)


def late(random: Random, n: int) -> Stream:
    """Arriving out of order by anything from a millisecond to twice the retention."""
    delays = (0, 0, 0, 1, MINUTE, HOUR, DAY, LONGEST, RETENTION - LONGEST, RETENTION - 1, RETENTION, RETENTION + 1)
    moment, times = START, []
    for _ in range(n):
        moment += random.choice((0, 1, MINUTE, HOUR, DAY))
        times.append(moment - random.choice((*delays, 2 * RETENTION)) * random.choice((0, 1)))
    return at_times(random, times)


def edges(random: Random, n: int) -> Stream:
    """Each one exactly a window's length after an earlier one, or a millisecond more or less."""
    times = [START]
    while len(times) < n:
        times.append(random.choice(times[-8:]) + random.choice(EDGES))
    return at_times(random, times if random.random() < 0.3 else sorted(times), account="A1")


def dates(random: Random, n: int) -> Stream:
    """Dates without a time among ordinary ones."""
    stream = []
    for name, day in zip(ids(random), sorted(random.randrange(60) for _ in range(n)), strict=False):
        whole = random.random() < 0.5
        moment = START // DAY * DAY + day * DAY + (0 if whole else random.randrange(DAY))
        stream.append(transaction(random, name, moment, day_only=whole, timezone="UTC"))
    return stream


def clocks(random: Random, n: int) -> Stream:
    """Around local midnights and around the hours that summer time takes or gives."""
    changes = ["2025-03-30T01:00", "2025-04-24T22:00", "2025-10-26T01:00", "2025-11-02T05:00", "2025-04-05T15:00",
               "2025-03-31T00:00", "2025-04-01T00:00", "2025-04-30T18:30", "2025-10-30T21:00"]  # fmt: skip
    instants = [int(datetime.fromisoformat(change + "+00:00").timestamp()) * 1000 for change in changes]
    near = [-12 * HOUR, -5 * HOUR, -HOUR, -1800 * SECOND, -1, 0, 1, 1800 * SECOND, HOUR - 1, HOUR, 4 * HOUR, DAY]
    return at_times(random, sorted(random.choice(instants) + random.choice(near) for _ in range(n)))


def sparse(random: Random, n: int) -> Stream:
    """Any field may be missing."""
    stream = ordinary(random, n)
    for row in stream:
        for name in row:
            if name not in ("id", "occurred_at", "day_only") and random.random() < 0.4:
                row[name] = None
    return stream


def extreme(random: Random, n: int) -> Stream:
    """Amounts at the limits, of both signs, in one history."""
    stream = ordinary(random, n)
    for row in stream:
        row["amount"] = random.choice((2**40, -(2**40), 2**40 - 1, 2**20, 2**20 - 1, -(2**20) - 1, 0, 1, None))
        row["account"] = "A1"
    return stream


SHAPES: tuple[Callable[[Random, int], Stream], ...] = (
    ordinary, bursts, ties, late, edges, dates, clocks, sparse, extreme,
)  # fmt: skip


# --- rulesets ---------------------------------------------------------------------------------------------------------

TEXT_FIELDS = ["location", "country", "home_country", "description", "status", "department"]
KEY_FIELDS = ["account", "payee", "merchant"]
ROLES = ["account", "account", "account", "account", "payee", "merchant", "location", "(account, merchant)",
         "(account, location)", "amount", "(account, amount)", "department"]  # fmt: skip
LENGTHS = ["90s", "1m", "1h", "24h", "1d", "7d", "30d", "1s"]
LISTS = {"words": ["gift*", "*coin", "casino", "gift card", "straße"], "offices": ["DELHI", " mumbai"], "vips": ["A1"]}
LONDON_OR_SALES = '("London", "sales")'
TABLES = {"limits": {"Delhi": 5000, "mumbai": "0.5", "sales": 100}}


class Writer:
    """Writes random expressions of each type. `row` is true inside `where=`, where no window may stand."""

    def __init__(self, random: Random, row: bool = False) -> None:
        self.random, self.row = random, row

    def pick(self, *choices: Callable[[], str]) -> str:
        return self.random.choice(choices)()

    def of(self, *texts: str) -> str:
        return self.random.choice(texts)

    # conditions

    def condition(self, depth: int) -> str:
        if depth > 0 and self.random.random() < 0.6:
            left, right = self.condition(depth - 1), self.condition(depth - 1)
            both = self.of("({}) and ({})", "({}) or ({})", "({}) and not ({})", "({}) == ({})", "({}) != ({})")
            return both.format(left, right)
        choices = [self.amounts, self.amounts, self.numbers, self.texts, self.spans, self.clock, self.words]
        choices += [self.missing] if self.row else [self.missing, self.amounts, self.numbers, self.fresh]
        return self.random.choice(choices)()

    def sign(self) -> str:
        return self.of("<", "<=", ">", ">=", "==", "!=")

    def amounts(self) -> str:
        left = self.money()
        return self.of(
            f"{left} {self.sign()} {self.literal_money()}",
            f"{left} {self.sign()} {self.money()}",
            f"{left} {self.sign()} {self.number()}",
            f"{self.literal_money()} < {left} <= {self.literal_money()}",
            f"{left} in (0, 100, 0.01, 10000)",
            f"{left} not in (0, -5, 1)",
            f"is_round({left}, {self.of('100', '0.5', '1', '1000')})",
        )

    def numbers(self) -> str:
        return self.of(
            f"{self.number()} {self.sign()} {self.literal()}",
            f"{self.number()} {self.sign()} {self.number()}",
            f"{self.number()} in (0, 1, 2, 0.1)",
        )

    def spans(self) -> str:
        return f"{self.span()} {self.sign()} {self.of(self.span(), 'days(7)', 'hours(1)', 'minutes(1)', 'days(0.5)')}"

    def texts(self) -> str:
        left, equal = self.text(), self.of("==", "!=")
        key, other = self.random.choice(KEY_FIELDS), self.random.choice(KEY_FIELDS)
        return self.of(
            f"{left} {equal} {self.text()}",
            f"{left} {equal} {self.of(repr('delhi'), repr('STRASSE '), repr('in'), repr('declined'))}",
            f"{left} {self.of('in', 'not in')} {self.of('offices', LONDON_OR_SALES)}",
            f"{key} {equal} {other}",
            f"{key} {equal} {self.of(repr('A1'), repr('a1'), repr('Delhi'))}",
            f"{key} {equal} {self.random.choice(TEXT_FIELDS)}",
            f"{key} {self.of('in', 'not in')} vips",
        )

    def words(self) -> str:
        text = self.text()
        return self.of(
            f"has_word({text}, words)",
            f"contains_any({text}, {self.of('words', 'offices', repr('IFT'))})",
            f"starts_with({text}, {self.of('offices', repr('a'), repr('Del'))})",
            f"matches({text}, {self.of(repr('gift|coin'), repr('^d.*i$'), repr('[0-9]'))})",
        )

    def clock(self) -> str:
        return self.of(
            "is_night()", "is_weekend()", "hour() >= 22", "weekday() in (1, 7)", "day_of_month() < 2", "flag"
        )

    def missing(self) -> str:
        anything = self.pick(self.money, self.number, self.text, self.span, self.clock)
        return self.of(f"is_missing({anything})", f"coalesce({self.clock()}, {self.clock()})")

    # values

    def literal(self) -> str:
        return self.of("0", "1", "2", "3", "0.1", "-1", "0.5", "100", "1_000")

    def literal_money(self) -> str:
        return self.of("0", "100", "50.00", "0.01", "-1", "10_000", "1000.01")

    def money(self, depth: int = 1) -> str:
        if depth > 0 and self.random.random() < 0.3:
            one, other = self.money(depth - 1), self.money(depth - 1)
            return self.of(
                f"({one} - {other})", f"({one} + {self.literal_money()})", f"max({one}, {other})", f"abs({one})",
                f"min({one}, {self.literal_money()})", f"coalesce({one}, {other})", f"-{one}",
                f"coalesce({one}, {self.literal_money()})",
            )  # fmt: skip
        plain = ["amount", "balance"]
        if self.row:
            return self.of(*plain, "current(amount)", "current(balance)")
        return self.of(*plain, *(self.window(self.of("sum", "min", "max", "previous"), "amount") for _ in range(3)))

    def number(self, depth: int = 1) -> str:
        if depth > 0 and self.random.random() < 0.4:
            one, other = self.number(depth - 1), self.number(depth - 1)
            return self.of(
                f"({one} {self.of('+', '-', '*', '/')} {other})", f"{self.money(0)} / {self.money(0)}", f"abs({one})",
                f"({self.money(0)} * {one})", f"({self.money(0)} / {one})", f"round({one})", f"log10({self.money(0)})",
                f"max({one}, {other})", f"min({one}, {other})", f"coalesce({one}, {other})", f"-{one}",
                f"(amount + {one})", f"{self.span()} / days(1)",
            )  # fmt: skip
        plain = ["ratio", "weight", "hour()", "weekday()", f"length({self.text()})", f"lookup(limits, {self.text()})"]
        plain += ["distance_km(latitude, longitude, 51.5, 0)"]
        if self.row:
            return self.of(*plain, "current(ratio)", "current(weight)")
        return self.of(*plain, *(self.any_number_window() for _ in range(6)), "named", "probability")

    def span(self) -> str:
        if self.row:
            return self.of("since(opened_at)", "(occurred_at - opened_at)", "(current(occurred_at) - occurred_at)")
        return self.of(
            "since(opened_at)",
            self.window(self.of("since_last", "since_first"), None),
            f"({self.window('since_last', None)} - minutes(1))",
            f"({self.window('since_last', None)} * 2)",
            f"max(since(opened_at), {self.window('since_last', None)})",
        )

    def text(self) -> str:
        name = self.random.choice(TEXT_FIELDS)
        plain = [name, name, f"lower({name})", "email_domain(description)", f"coalesce({name}, location)"]
        if self.row:
            return self.of(*plain, f"current({name})")
        return self.of(*plain, self.window("previous", name))

    # windows

    def fresh(self) -> str:
        return self.window("is_new", self.random.choice([*TEXT_FIELDS, *KEY_FIELDS, "amount", "ratio", "weight"]))

    def any_number_window(self) -> str:
        function = self.of("count", "count", "avg", "stddev", "zscore", "distinct", "distance_km", "speed_kmh", "min")
        value: str | None = self.of("amount", "weight", "balance")
        if function in ("count", "distance_km", "speed_kmh"):
            value = None
        elif function == "distinct":
            value = self.random.choice([*TEXT_FIELDS, *KEY_FIELDS, "amount", "ratio"])
        elif function == "min":
            function, value = self.of("min", "max", "previous", "sum"), "weight"
        return self.window(function, value)

    def window(self, function: str, value: str | None) -> str:
        """A window with any of the arguments that its function takes."""
        chance = self.random.random
        aggregate = function not in ("previous", "since_last", "since_first", "distance_km", "speed_kmh")
        by = self.random.choice(ROLES)
        parts = [value] if value else []
        parts.append(f"by={by}")
        if by in ("payee", "account", "location") and chance() < 0.3:
            parts.append(f"of={self.random.choice(('account', 'payee', 'merchant', 'description'))}")
        if chance() < 0.7:
            parts.append(f'last="{self.random.choice(LENGTHS)}"')
        elif aggregate and chance() < 0.6:
            parts.append(f'this="{self.random.choice(("day", "week", "month"))}"')
        if chance() < 0.3:
            parts.append(f"where={Writer(self.random, row=True).condition(1)}")
        if aggregate and function not in ("zscore", "is_new") and chance() < 0.4:
            parts.append("prior=True")
        if function in ("stddev", "zscore") and chance() < 0.7:
            parts.append(f"min_samples={self.random.choice((2, 3, 5))}")
        if function == "is_new" and chance() < 0.4:
            parts.append("first=True")
        return f"{function}({', '.join(parts)})"


def rulesets(random: Random, rules: int = 5, windows: int = 5) -> dict[str, Any]:
    """A random valid ruleset. Its features `w0`, `w1` ... are single windows, `named` a number for the rules to use."""
    writer = Writer(random)
    kinds: list[Callable[[], str]] = [
        writer.any_number_window,
        writer.fresh,
        lambda: writer.window("previous", "location"),
        lambda: writer.window("since_last", None),
        lambda: writer.window("sum", "amount"),
    ]
    features = {f"w{n}": random.choice(kinds)() for n in range(windows)}
    features["named"] = random.choice(["count(by=account)", 'avg(amount, by=account, last="7d")', "amount / 3"])
    return {
        "ruleset": "random",
        "description": "drawn from a seed",
        "currency": "INR",
        "timezone": random.choice([zone for zone in ZONES if zone]),
        "weekend": random.choice([["saturday", "sunday"], ["friday", "saturday"], ["monday"]]),
        "night": random.choice(["22:00-06:00", "00:30-05:15"]),
        "attributes": ATTRIBUTES,
        "lists": LISTS,
        "tables": TABLES,
        "features": features,
        "rules": [rule(random, writer, number, rules) for number in range(rules)],
        "levels": {"medium": 30, "high": 60},
        "outcomes": {"review": 40, "decline": 90},
        "score": random.choice(
            ["max(points, round(100 * probability))", "points / 2", "points + named", "points * 1.5 - hour()"]
        ),
        "alert": random.choice(['level == "high"', 'outcome != "approve" and amount > 10', "score >= 50 or named > 3"]),
        "on_degraded": random.choice(["review", "decline", "continue"]),
        "retention": f"{RETENTION // DAY}d",
        "lateness": f"{LATENESS // DAY}d",
        "shared": random.choice([[], ["merchant"]]),
    }


def rule(random: Random, writer: Writer, number: int, rules: int) -> dict[str, Any]:
    """One random rule, which may force an outcome and suppress others."""
    told: dict[str, Any] = {
        "id": f"r{number}",
        "when": writer.condition(random.choice((0, 1, 2, 3))),
        "reason": "drawn",
        "points": 0,
    }
    told["points"] = random.choice((0, 5, 15, 25, 40, -10))
    if random.random() < 0.2:
        told["outcome"] = random.choice(("review", "decline", "approve"))
    if told.get("outcome") == "approve" or random.random() < 0.1:
        told |= {"owner": "Asha", "expires": random.choice(("2026-12-31", "2027-01-01", "2027-01-02"))}
    if random.random() < 0.3:
        told["suppresses"] = sorted({f"r{random.randrange(rules)}" for _ in range(2)} - {told["id"]})
    return told
