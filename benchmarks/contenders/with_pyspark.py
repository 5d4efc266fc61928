"""PySpark on one core, warm: RANGE windows in batch. Its Java process is counted by the worker."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from benchmarks.contenders import Compute, sql
from benchmarks.workload import Integers, Workload

WORDS = {
    "distinct": "collect_set({})",
    "stddev": "stddev_samp",
    "before": "lag({})",
    "one": "(PARTITION BY account ORDER BY step)",
    "matches": "{} RLIKE '{}'",
    "day": "(({}) % 7)",
}


def prepared(whole: Workload) -> Compute:
    """The workload lies in a cached table."""
    import pyarrow

    session: Any = importlib.import_module("pyspark.sql").SparkSession
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "8g",
        "spark.driver.maxResultSize": "2g",
        "spark.driver.host": "localhost",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.log.level": "ERROR",
    }
    builder = session.builder.master("local[1]").appName("w")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    table = pyarrow.table({name: np.asarray(column) for name, column in sql.columns(whole).items()})
    given = spark.createDataFrame(table).cache()
    given.count()
    given.createOrReplaceTempView("w")
    statement = sql.query(WORDS).replace("step // 8640000", "step div 8640000")
    for name in ("merchants_in_a_day", "countries_in_an_hour"):  # COUNT(DISTINCT ...) OVER does not exist there
        statement = statement.replace(f"{name} >", f"size({name}) >")

    def compute() -> Integers:
        return np.asarray(spark.sql(statement).toArrow()["bits"]).astype(np.int64)

    return compute
