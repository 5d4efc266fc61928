"""Reference workload W: card payments from a fixed seed, as integer and float columns, at any size.

2,000,000 transactions of 100,000 accounts at 5,000 merchants in 60 countries over 45 days, so that windows of 30 days
really lose rows. Activity is Zipf-like (Zipf-Mandelbrot: the head is flattened, as no card pays a thousand times a
day), days have nights, and one transaction in sixteen belongs to a burst.

Times are distinct hundredths of a second. Distinct, because SQL's RANGE frames count rows of the same instant that
arrived later; hundredths, because some contenders cannot express 30 days in milliseconds. Neither is a limit of ours:
ties are tested elsewhere, and in the shape `instant` below.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

VERSION = 3  # part of the cache's name: raise it when the generator changes
SEED = 20_251_122
ROWS, ACCOUNTS, MERCHANTS, COUNTRIES, DAYS = 2_000_000, 100_000, 5_000, 60, 45
DESCRIPTIONS = 2_000
START = 1_735_689_600_000  # 2025-01-01T00:00:00Z, a Wednesday
DAY = 86_400_000
GRAIN = 10  # milliseconds
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0
RECEIVED_AT = START + 400 * DAY

RISKY = ("gift card", "crypto", "wire transfer", "bail")
RISKY_PATTERN = "(" + "|".join(RISKY) + ")"  # as they stand in the texts: lower case, whole words
_PLAIN = (
    "coffee",
    "groceries",
    "fuel",
    "rent",
    "books",
    "shoes",
    "train",
    "hotel",
    "repair",
    "music",
    "garden",
    "tools",
)


@dataclass(frozen=True, slots=True)
class Workload:
    """The columns, all of one length and in order of arrival. Money is in cents, times in UTC milliseconds."""

    occurred_at: Integers
    account: Integers
    merchant: Integers
    country: Integers
    home_country: Integers
    amount: Integers
    balance: Integers
    description: Integers
    latitude: Floats
    longitude: Floats

    def __len__(self) -> int:
        return len(self.occurred_at)

    def take(self, positions: Any) -> Workload:
        """The transactions at these positions (a slice or indices), in that order."""
        return Workload(**{field.name: getattr(self, field.name)[positions] for field in fields(self)})

    def batches(self, size: int = 10_000) -> Iterator[Workload]:
        """Stretches of this many transactions."""
        for at in range(0, len(self), size):
            yield self.take(slice(at, at + size))


@cache
def descriptions() -> tuple[str, ...]:
    """What payers wrote: one text in two hundred is risky."""
    texts = []
    for number in range(DESCRIPTIONS):
        word = RISKY[number // 200 % len(RISKY)] if number % 200 == 7 else _PLAIN[number % len(_PLAIN)]
        texts.append(f"Payment {number:04d} for {word}")
    return tuple(texts)


def is_risky() -> npt.NDArray[np.bool_]:
    """Whether each description holds a risky word: known once per text, as every contender may know it."""
    return np.array([any(word in text for word in RISKY) for text in descriptions()])


def workload(rows: int = ROWS, accounts: int | None = None) -> Workload:
    """W at this size, from the cache where it was made before. Accounts and merchants grow with the rows."""
    accounts = accounts or max(20, rows * ACCOUNTS // ROWS)
    file = folder() / f"w{VERSION}-{rows}-{accounts}.npz"
    if file.exists():
        with np.load(file) as held:
            return Workload(**{name: held[name] for name in held.files})
    made = generated(rows, accounts, min(MERCHANTS, max(20, rows * MERCHANTS // ROWS)))
    partial = file.with_suffix(f".{os.getpid()}.tmp.npz")
    np.savez(partial, **{field.name: getattr(made, field.name) for field in fields(made)})
    partial.replace(file)
    return made


def folder() -> Path:
    """Where workloads and results of contenders are kept between runs; FRAUDLINE_BENCHMARKS names another place."""
    base = os.environ.get("FRAUDLINE_BENCHMARKS")
    place = Path(base) if base else Path(tempfile.gettempdir()) / "fraudline-benchmarks"
    place.mkdir(parents=True, exist_ok=True)
    return place


def generated(rows: int, accounts: int, merchants: int) -> Workload:
    """The transactions of this seed and size."""
    draw = np.random.default_rng([SEED, rows, accounts, merchants])
    account, moment = _arrivals(draw, rows, accounts)
    home_country = draw.integers(0, COUNTRIES, accounts)
    centres = np.stack([draw.uniform(-50, 60, COUNTRIES), draw.uniform(-150, 150, COUNTRIES)])
    offsets = draw.normal(0, 2, (2, accounts))
    abroad = draw.random(rows) < 0.015
    country = np.where(abroad, draw.integers(0, COUNTRIES, rows), home_country[account])
    place = centres[:, country] + np.where(abroad, 0.0, offsets[:, account]) + draw.normal(0, 0.05, (2, rows))
    usual = np.exp(draw.normal(3.4, 0.8, accounts))
    amount = np.exp(draw.normal(0, 0.7, rows)) * usual[account] * np.where(draw.random(rows) < 0.004, 12, 1)
    return Workload(
        occurred_at=moment,
        account=account,
        merchant=_zipf(draw, rows, merchants, max(1, merchants // 500)),
        country=country,
        home_country=home_country[account],
        amount=np.clip(np.round(amount * 100), 1, 1_000_000).astype(np.int64),
        balance=np.round(np.exp(draw.normal(7.2, 1.6, rows)) * 100).astype(np.int64),
        description=draw.integers(0, DESCRIPTIONS, rows),
        latitude=np.round(place[0], 5),
        longitude=np.round(place[1], 5),
    )


def _zipf(draw: np.random.Generator, rows: int, kinds: int, flat: int) -> Integers:
    weights = 1.0 / (np.arange(kinds) + flat)
    order = draw.permutation(kinds)  # a number says nothing about activity
    chosen = np.searchsorted(np.cumsum(weights) / weights.sum(), draw.random(rows), side="right")
    return order[np.minimum(chosen, kinds - 1)].astype(np.int64)


def _arrivals(draw: np.random.Generator, rows: int, accounts: int) -> tuple[Integers, Integers]:
    """Who pays when: single payments by day more than by night, and bursts of 4 to 32 within minutes."""
    lengths = 2 ** draw.integers(2, 6, max(1, rows // 240))
    lengths = lengths[np.cumsum(lengths) <= rows // 4]
    starts = rows - int(lengths.sum())
    account = _zipf(draw, starts, accounts, max(1, accounts // 1000))
    clock = np.round(draw.normal(14.5, 4.5, starts) * 3_600_000).astype(np.int64) % DAY
    moment = draw.integers(0, DAYS, starts) * DAY + clock
    first = draw.integers(0, starts, len(lengths))
    gaps = draw.exponential(12_000, int(lengths.sum())).astype(np.int64)
    since = np.cumsum(gaps)
    before = np.repeat(np.concatenate([[0], since[np.cumsum(lengths)[:-1] - 1]]), lengths) if len(lengths) else since
    account = np.concatenate([account, np.repeat(account[first], lengths)])
    moment = np.concatenate([moment, np.repeat(moment[first], lengths) + since - before])
    order = np.argsort(moment, kind="stable")
    ticks = moment[order] // GRAIN
    steps = np.arange(rows)
    ticks = np.maximum.accumulate(ticks - steps) + steps  # each later than the one before
    return account[order], START + ticks * GRAIN


@cache
def names(prefix: str, count: int) -> tuple[str, ...]:
    """The names behind the numbers 0, 1, 2 ... of accounts, merchants and countries."""
    return tuple(f"{prefix}{number:06d}" for number in range(count))


def texts(whole: Workload) -> dict[str, list[str]]:
    """The columns that are text to everybody but the hand-fused kernel."""
    size = 1 << int(max(whole.account.max(), MERCHANTS)).bit_length()
    named = {
        "account": (whole.account, names("A", size)),
        "merchant": (whole.merchant, names("M", size)),
        "country": (whole.country, names("C", COUNTRIES)),
        "home_country": (whole.home_country, names("C", COUNTRIES)),
        "description": (whole.description, descriptions()),
    }
    return {name: [known[k] for k in numbers.tolist()] for name, (numbers, known) in named.items()}


# ---- hot and hostile shapes ------------------------------------------------------------------------------------------


def one_merchant(rows: int) -> Workload:
    """Everybody buys at the same merchant."""
    whole = workload(rows)
    return replace(whole, merchant=np.zeros(rows, dtype=np.int64))


def backwards(rows: int) -> Workload:
    """The newest transaction arrives first: every other one is late."""
    return workload(rows).take(slice(None, None, -1))


def strangers(rows: int) -> Workload:
    """Every transaction is the first and only one of its account."""
    whole = workload(rows)
    return replace(whole, account=np.random.default_rng(SEED).permutation(rows).astype(np.int64))


def one_instant(rows: int) -> Workload:
    """One account, one millisecond."""
    whole = workload(rows)
    same = np.zeros(rows, dtype=np.int64)
    return replace(whole, account=same, occurred_at=np.full(rows, START, dtype=np.int64))


SHAPES: dict[str, Callable[[int], Workload]] = {
    "one merchant": one_merchant,
    "reversed arrival": backwards,
    "accounts with one row": strangers,
    "one instant": one_instant,
}
