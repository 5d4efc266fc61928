"""Bytewax: a keyed stage per entity in pure Python, one transaction at a time (in batches, stages would reorder)."""

from __future__ import annotations

import importlib
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.contenders import Compute
from benchmarks.workload import EPOCH_WEEKDAY, RISKY, Integers, Workload, texts

MINUTE, HOUR, DAY, MONTH = 60_000, 3_600_000, 86_400_000, 30 * 86_400_000
Row = dict[str, Any]


@dataclass(slots=True)
class Account:
    """What is remembered of an account: the rows of each window, and running totals."""

    minute: deque[int] = field(default_factory=deque)
    hour: deque[tuple[int, str]] = field(default_factory=deque)
    day: deque[tuple[int, str, int]] = field(default_factory=deque)
    month: deque[tuple[int, int]] = field(default_factory=deque)
    spent: int = 0
    total: int = 0
    squares: int = 0
    last: tuple[int, float, float] | None = None


@dataclass(slots=True)
class Merchant:
    """What is remembered of a merchant."""

    hour: deque[int] = field(default_factory=deque)
    day: deque[tuple[int, int]] = field(default_factory=deque)
    sold: int = 0


def of_account(known: Account | None, row: Row) -> tuple[Account, Row]:
    """The account's features join the row."""
    a, t, amount = known or Account(), row["moment"], row["amount"]
    while a.minute and a.minute[0] <= t - MINUTE:
        a.minute.popleft()
    while a.hour and a.hour[0][0] <= t - HOUR:
        a.hour.popleft()
    while a.day and a.day[0][0] <= t - DAY:
        a.spent -= a.day.popleft()[2]
    while a.month and a.month[0][0] <= t - MONTH:
        old = a.month.popleft()[1]
        a.total -= old
        a.squares -= old * old
    n = len(a.month)
    row["z"] = 0.0
    if n >= 5:
        spread = math.sqrt((n * a.squares - a.total * a.total) / (n * (n - 1))) / 100
        row["z"] = (amount / 100 - a.total / (n * 100)) / spread if spread else 0.0
    row["pause"], row["speed"] = 2 * MONTH, 0.0
    if a.last is not None:
        row["pause"] = t - a.last[0]
        far = metres(a.last[1], a.last[2], row["latitude"], row["longitude"])
        row["speed"] = far / 1000 / (row["pause"] / HOUR)
    a.minute.append(t)
    a.hour.append((t, row["country"]))
    a.day.append((t, row["merchant"], amount))
    a.month.append((t, amount))
    a.spent += amount
    a.total += amount
    a.squares += amount * amount
    a.last = (t, row["latitude"], row["longitude"])
    row["in_a_minute"], row["in_an_hour"], row["in_a_day"] = len(a.minute), len(a.hour), len(a.day)
    row["spent"] = a.spent
    row["merchants"] = len({merchant for _, merchant, _ in a.day})
    row["countries"] = len({country for _, country in a.hour})
    return a, row


def of_merchant(known: Merchant | None, row: Row) -> tuple[Merchant, int]:
    """The merchant's features, and then the rules."""
    m, t, amount = known or Merchant(), row["moment"], row["amount"]
    while m.hour and m.hour[0] <= t - HOUR:
        m.hour.popleft()
    while m.day and m.day[0][0] <= t - DAY:
        m.sold -= m.day.popleft()[1]
    m.hour.append(t)
    m.day.append((t, amount))
    m.sold += amount
    clock, weekday = t % DAY, (t // DAY + EPOCH_WEEKDAY) % 7
    fired = (
        amount > 90000,
        row["in_a_minute"] > 5 or (row["in_an_hour"] > 12 and row["pause"] < MINUTE),
        row["country"] != row["home_country"] and amount > 6000,
        row["balance"] < 15000 and amount > 8000,
        row["speed"] > 907.3,
        (clock >= 22 * HOUR or clock < 6 * HOUR or weekday >= 5) and amount > 20000,
        any(word in row["description"] for word in RISKY),
        row["z"] > 3,
        row["merchants"] > 40,
        row["countries"] > 2,
        row["in_a_day"] > 60 or row["spent"] > 600000,
        len(m.hour) > 50 and m.sold > 3000000,
    )
    return m, row["n"] << 12 | sum(1 << place for place, hit in enumerate(fired) if hit)


def metres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> int:
    """Great-circle distance in whole metres (haversine)."""
    a, b = math.radians(latitude), math.radians(other_latitude)
    x = math.sin((b - a) / 2)
    y = math.sin(math.radians(other_longitude - longitude) / 2)
    return round(2 * 6371008.8 * math.asin(math.sqrt(min(1.0, x * x + math.cos(a) * math.cos(b) * y * y))))


def prepared(whole: Workload) -> Compute:
    """The transactions are dictionaries already."""
    dataflow, operators, testing = (
        importlib.import_module(f"bytewax.{name}") for name in ("dataflow", "operators", "testing")
    )
    given = {
        "n": list(range(len(whole))),
        "moment": whole.occurred_at.tolist(),
        "amount": whole.amount.tolist(),
        "balance": whole.balance.tolist(),
        "latitude": whole.latitude.tolist(),
        "longitude": whole.longitude.tolist(),
        **texts(whole),
    }
    rows = [dict(zip(given, values, strict=True)) for values in zip(*given.values(), strict=True)]

    def compute() -> Integers:
        out: list[Any] = []
        op: Any = operators
        flow = dataflow.Dataflow("w")
        stream = op.input("in", flow, testing.TestingSource((dict(row) for row in rows), batch_size=1))
        stream = op.stateful_map("account", op.key_on("by_account", stream, lambda row: row["account"]), of_account)
        stream = op.map("rekey", stream, lambda pair: (pair[1]["merchant"], pair[1]))
        stream = op.stateful_map("merchant", stream, of_merchant)
        op.output("out", stream, testing.TestingSink(out))
        testing.run_main(flow)
        found = np.sort(np.array([number for _, number in out], dtype=np.int64))
        return found & 0xFFF

    return compute
