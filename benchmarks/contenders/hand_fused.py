"""The ceiling: W's twelve features and twelve rules fused by hand into one Numba function. It can do nothing else.

Integer columns in, rule bits out. Each account and each merchant owns a ring whose capacity doubles when it is full of
rows that are still inside its longest window. Positions count from the account's first row and never wrap, so the
beginning of a window is stale neither after a long pause nor when a ring grows (the ring-buffer trap). Amounts are at
most 10,000.00, so the totals of their squares fit into 64 bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np

from benchmarks.workload import Integers, Workload, is_risky

Function = TypeVar("Function")
_compiler: Any = numba  # it is typed in newer versions only
fused: Callable[[Function], Function] = _compiler.njit(cache=True, boundscheck=False)

MINUTE, HOUR, DAY, MONTH = 60_000, 3_600_000, 86_400_000, 30 * 86_400_000
EARTH_RADIUS_M = 6_371_008.8

# What is known of an account, side by side so that it takes two cache lines: where its ring is, and running totals.
BASE, SIZE, TAIL, M1, H1, D1, D30, SUM_D1, SUM_D30, SQUARES = range(10)
WIDTH = 16
# What is known of a merchant.
B_BASE, B_SIZE, B_TAIL, B_H1, B_D1, B_SUM = range(6)
B_WIDTH = 8


@fused
def metres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Great-circle distance in whole metres (haversine)."""
    a, b = math.radians(latitude), math.radians(other_latitude)
    x = math.sin((b - a) / 2.0)
    y = math.sin(math.radians(other_longitude - longitude) / 2.0)
    return float(
        round(2.0 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, x * x + math.cos(a) * math.cos(b) * y * y))))
    )


@fused
def run(
    moments: Any,
    account: Any,
    merchant: Any,
    country: Any,
    home: Any,
    amount: Any,
    balance: Any,
    risky: Any,
    latitude: Any,
    longitude: Any,
    accounts: int,
    merchants: int,
    bits: Any,
) -> None:
    """Write the rule bits of every transaction, in order of arrival; times never go back."""
    known = np.zeros((accounts, WIDTH), dtype=np.int64)
    last_place = np.zeros((accounts, 2))
    ring = np.zeros((1 << 16, 4), dtype=np.int64)  # moment, amount, merchant, country
    ring_top = 0
    seller = np.zeros((merchants, B_WIDTH), dtype=np.int64)
    till = np.zeros((1 << 16, 2), dtype=np.int64)  # moment, amount
    till_top = 0
    stamp = np.full(merchants, -1, dtype=np.int64)
    for i in range(len(moments)):
        t = moments[i]
        paid = amount[i]
        a = known[account[i]]
        # forget what left each window
        base = a[BASE]
        mask = a[SIZE] - 1
        tail = a[TAIL]
        k = a[M1]
        while k < tail and ring[base + (k & mask), 0] <= t - MINUTE:
            k += 1
        a[M1] = k
        k = a[H1]
        while k < tail and ring[base + (k & mask), 0] <= t - HOUR:
            k += 1
        a[H1] = k
        k = a[D1]
        while k < tail and ring[base + (k & mask), 0] <= t - DAY:
            a[SUM_D1] -= ring[base + (k & mask), 1]
            k += 1
        a[D1] = k
        k = a[D30]
        while k < tail and ring[base + (k & mask), 0] <= t - MONTH:
            old = ring[base + (k & mask), 1]
            a[SUM_D30] -= old
            a[SQUARES] -= old * old
            k += 1
        a[D30] = k
        in_a_minute = tail - a[M1] + 1
        in_an_hour = tail - a[H1] + 1
        in_a_day = tail - a[D1] + 1
        spent_in_a_day = a[SUM_D1] + paid
        merchants_in_a_day = 1
        stamp[merchant[i]] = i
        for k in range(a[D1], tail):
            other = ring[base + (k & mask), 2]
            if stamp[other] != i:
                stamp[other] = i
                merchants_in_a_day += 1
        seen = 1 << int(country[i])
        for k in range(a[H1], tail):
            seen |= 1 << ring[base + (k & mask), 3]
        countries = 0
        while seen != 0:
            seen &= seen - 1
            countries += 1
        # against what is usual: exact integers, rounded once
        z = 0.0
        n = tail - a[D30]
        if n >= 5:
            total = a[SUM_D30]
            spread = math.sqrt(float(n * a[SQUARES] - total * total) / float(n * (n - 1))) / 100.0
            if spread != 0.0:
                z = (paid / 100.0 - total / (n * 100.0)) / spread
        # since last
        pause = MONTH * 2
        speed = 0.0
        if tail > a[D30]:
            pause = t - ring[base + ((tail - 1) & mask), 0]
            far = metres(last_place[account[i], 0], last_place[account[i], 1], latitude[i], longitude[i])
            speed = far / 1000.0 / (pause / 3600000.0)
        # the merchant
        b = seller[merchant[i]]
        b_base = b[B_BASE]
        b_mask = b[B_SIZE] - 1
        b_tail = b[B_TAIL]
        k = b[B_H1]
        while k < b_tail and till[b_base + (k & b_mask), 0] <= t - HOUR:
            k += 1
        b[B_H1] = k
        sales = b_tail - k + 1
        k = b[B_D1]
        while k < b_tail and till[b_base + (k & b_mask), 0] <= t - DAY:
            b[B_SUM] -= till[b_base + (k & b_mask), 1]
            k += 1
        b[B_D1] = k
        sold = b[B_SUM] + paid
        # the rules
        clock = t % DAY
        weekday = (t // DAY + 3) % 7
        odd = clock >= 22 * HOUR or clock < 6 * HOUR or weekday >= 5
        fired = 0
        fired |= int(paid > 90000) << 0
        fired |= int(in_a_minute > 5 or (in_an_hour > 12 and pause < MINUTE)) << 1
        fired |= int(country[i] != home[i] and paid > 6000) << 2
        fired |= int(balance[i] < 15000 and paid > 8000) << 3
        fired |= int(speed > 907.3) << 4
        fired |= int(odd and paid > 20000) << 5
        fired |= int(risky[i] != 0) << 6
        fired |= int(z > 3.0) << 7
        fired |= int(merchants_in_a_day > 40) << 8
        fired |= int(countries > 2) << 9
        fired |= int(in_a_day > 60 or spent_in_a_day > 600000) << 10
        fired |= int(sales > 50 and sold > 3000000) << 11
        bits[i] = fired
        # remember
        if tail - a[D30] == a[SIZE]:
            size = max(8, a[SIZE] * 2)
            if ring_top + size > len(ring):
                wider = np.zeros((len(ring) * 2 + size, 4), dtype=np.int64)
                wider[:ring_top] = ring[:ring_top]
                ring = wider
            for k in range(a[D30], tail):
                ring[ring_top + (k & (size - 1))] = ring[base + (k & mask)]
            base = ring_top
            mask = size - 1
            ring_top += size
            a[BASE] = base
            a[SIZE] = size
        row = ring[base + (tail & mask)]
        row[0] = t
        row[1] = paid
        row[2] = merchant[i]
        row[3] = country[i]
        a[TAIL] = tail + 1
        a[SUM_D1] += paid
        a[SUM_D30] += paid
        a[SQUARES] += paid * paid
        last_place[account[i], 0] = latitude[i]
        last_place[account[i], 1] = longitude[i]
        if b_tail - b[B_D1] == b[B_SIZE]:
            size = max(8, b[B_SIZE] * 2)
            if till_top + size > len(till):
                longer = np.zeros((len(till) * 2 + size, 2), dtype=np.int64)
                longer[:till_top] = till[:till_top]
                till = longer
            for k in range(b[B_D1], b_tail):
                till[till_top + (k & (size - 1))] = till[b_base + (k & b_mask)]
            b_base = till_top
            b_mask = size - 1
            till_top += size
            b[B_BASE] = b_base
            b[B_SIZE] = size
        till[b_base + (b_tail & b_mask), 0] = t
        till[b_base + (b_tail & b_mask), 1] = paid
        b[B_TAIL] = b_tail + 1
        b[B_SUM] += paid


def prepared(whole: Workload) -> Callable[[], Integers]:
    """Everything that is not counted is done here; the result computes the rule bits of the whole workload."""
    risky = is_risky()[whole.description].astype(np.int64)
    accounts, merchants = int(whole.account.max()) + 1, int(whole.merchant.max()) + 1

    def compute() -> Integers:
        bits = np.zeros(len(whole), dtype=np.int64)
        run(
            whole.occurred_at, whole.account, whole.merchant, whole.country, whole.home_country, whole.amount,
            whole.balance, risky, whole.latitude, whole.longitude, accounts, merchants, bits,
        )  # fmt: skip
        return bits

    return compute
