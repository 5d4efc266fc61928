"""DuckDB on one thread: RANGE windows."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from benchmarks.contenders import Compute, sql
from benchmarks.workload import Integers, Workload

WORDS = {
    "distinct": "count(DISTINCT {})",
    "stddev": "stddev_samp",
    "before": "lag({})",
    "one": "(PARTITION BY account ORDER BY step)",
    "matches": "regexp_matches({}, '{}')",
    "day": "(({}) % 7)",
}


def prepared(whole: Workload) -> Compute:
    """The workload lies in a table of the database."""
    duckdb: Any = importlib.import_module("duckdb")
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    given = {name: np.asarray(column) for name, column in sql.columns(whole).items()}
    connection.register("given", given)
    connection.execute("CREATE TABLE w AS SELECT * FROM given")
    statement = sql.query(WORDS)

    def compute() -> Integers:
        found = connection.execute(statement).fetchnumpy()["bits"]
        return np.asarray(found).astype(np.int64)

    return compute
