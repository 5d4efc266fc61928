"""chDB (ClickHouse inside the process) on one thread: RANGE windows."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from benchmarks.contenders import Compute, sql
from benchmarks.workload import Integers, Workload

WORDS = {
    "distinct": "uniqExact({})",
    "stddev": "stddevSamp",
    "before": "lagInFrame(toNullable({}))",
    "one": "(PARTITION BY account ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
    "matches": "match({}, '{}')",
    "day": "(({}) % 7)",
}


def prepared(whole: Workload) -> Compute:
    """The workload lies in a table in memory."""
    import pyarrow

    session: Any = importlib.import_module("chdb.session").Session()
    given = pyarrow.table({name: np.asarray(column) for name, column in sql.columns(whole).items()})
    session.query("CREATE DATABASE IF NOT EXISTS bench; USE bench")
    session.query("CREATE TABLE w ENGINE = Memory AS SELECT * FROM Python(given)")
    statement = sql.query(WORDS).replace("step // 8640000", "intDiv(step, 8640000)")

    def compute() -> Integers:
        answer = session.query(statement + " SETTINGS max_threads = 1", "Arrow")
        table = pyarrow.ipc.open_file(pyarrow.py_buffer(answer.bytes())).read_all()
        return np.asarray(table.column("bits")).astype(np.int64)

    del given
    return compute
