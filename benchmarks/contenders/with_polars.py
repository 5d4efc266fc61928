"""Polars on one thread: rolling groups over the whole table at once."""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np

from benchmarks.contenders import Compute
from benchmarks.workload import EPOCH_WEEKDAY, RISKY_PATTERN, Integers, Workload, texts

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # read when it is imported


def prepared(whole: Workload) -> Compute:
    """The workload lies in a frame in memory."""
    pl: Any = importlib.import_module("polars")
    frame = pl.DataFrame(
        {
            "n": np.arange(len(whole)),
            "moment": whole.occurred_at,
            "amount": whole.amount,
            "balance": whole.balance,
            "latitude": whole.latitude,
            "longitude": whole.longitude,
            **texts(whole),
        }
    )

    def compute() -> Integers:
        found = _bits(pl, frame)
        return np.asarray(found, dtype=np.int64)

    return compute


def _bits(pl: Any, frame: Any) -> Any:
    by_account = frame.sort("account", "moment").with_columns(
        pl.col(name).shift(1).over("account").alias(f"old_{name}") for name in ("moment", "latitude", "longitude")
    )
    parts = [by_account, *_windows(pl, by_account, "account", _ACCOUNT)]
    whole = pl.concat(parts, how="horizontal")
    by_merchant = frame.select("n", "merchant", "moment", "amount").sort("merchant", "moment")
    sales = pl.concat([by_merchant.select("n"), *_windows(pl, by_merchant, "merchant", _MERCHANT)], how="horizontal")
    whole = whole.sort("n").hstack(sales.sort("n").drop("n"))
    return whole.select(bits=_rules(pl))["bits"].to_numpy()


# name of the feature -> window, what is computed, of which column, whether the row itself counts
_ACCOUNT = {
    "in_a_minute": ("1m", "len", "amount", True),
    "in_an_hour": ("1h", "len", "amount", True),
    "countries_in_an_hour": ("1h", "n_unique", "country", True),
    "in_a_day": ("24h", "len", "amount", True),
    "spent_in_a_day": ("24h", "sum", "amount", True),
    "merchants_in_a_day": ("24h", "n_unique", "merchant", True),
    "usual": ("720h", "mean", "amount", False),
    "spread": ("720h", "std", "amount", False),
    "samples": ("720h", "len", "amount", False),
}
_MERCHANT = {
    "sales_in_an_hour": ("1h", "len", "amount", True),
    "sold_in_a_day": ("24h", "sum", "amount", True),
}


def _windows(pl: Any, ordered: Any, key: str, wanted: dict[str, tuple[str, str, str, bool]]) -> list[Any]:
    """One frame per length of window; rows stay in the order of `ordered`."""
    timed = ordered.with_columns(pl.col("moment").cast(pl.Datetime("ms")))
    found = []
    for span, own in dict.fromkeys((span, own) for span, _, _, own in wanted.values()):
        asked = [
            (pl.len() if function == "len" else getattr(pl.col(column), function)()).alias(name)
            for name, (window, function, column, itself) in wanted.items()
            if (window, itself) == (span, own)
        ]
        rolled = timed.rolling("moment", period=span, group_by=key, closed="right" if own else "none").agg(asked)
        found.append(rolled.drop(key, "moment"))
    return found


def _rules(pl: Any) -> Any:
    c = pl.col
    pause = c("moment") - c("old_moment")
    clock = c("moment") % 86_400_000
    weekday = (c("moment") // 86_400_000 + EPOCH_WEEKDAY) % 7
    one, other = c("latitude").radians(), c("old_latitude").radians()
    chord = ((other - one) / 2).sin() ** 2 + one.cos() * other.cos() * (
        ((c("old_longitude") - c("longitude")).radians() / 2).sin() ** 2
    )
    metres = (2 * 6371008.8 * chord.sqrt().arcsin()).round()
    odd = (clock >= 79_200_000) | (clock < 21_600_000) | (weekday >= 5)
    rules = [
        c("amount") > 90000,
        (c("in_a_minute") > 5) | ((c("in_an_hour") > 12) & (pause < 60_000)),
        (c("country") != c("home_country")) & (c("amount") > 6000),
        (c("balance") < 15000) & (c("amount") > 8000),
        metres / 1000 / (pause / 3_600_000) > 907.3,  # not 900, met exactly at times: Polars divides inexactly
        odd & (c("amount") > 20000),
        c("description").str.contains(RISKY_PATTERN),
        (c("samples") >= 5) & (c("spread") > 0) & ((c("amount") - c("usual")) / c("spread") > 3),
        c("merchants_in_a_day") > 40,
        c("countries_in_an_hour") > 2,
        (c("in_a_day") > 60) | (c("spent_in_a_day") > 600_000),
        (c("sales_in_an_hour") > 50) & (c("sold_in_a_day") > 3_000_000),
    ]
    return pl.sum_horizontal(rule.fill_null(False).cast(pl.Int64) * (1 << r) for r, rule in enumerate(rules))
