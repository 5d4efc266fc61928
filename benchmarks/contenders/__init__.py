"""Who is measured, one module each: `prepared(workload)` does what is not counted, its result computes rule bits."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.workload import Integers, Workload

Compute = Callable[[], Integers]


@dataclass(frozen=True, slots=True)
class Contender:
    """How a contender is called, what it needs, and how much of W it is given in a full and in a quick run."""

    name: str
    module: str
    needs: tuple[str, ...]
    install: str
    rows: int
    quick: int
    goal: float = 0.0  # how many times its speed the engine is to reach
    extra: bool = False

    def missing(self) -> str:
        """What is not installed, as a sentence; empty where everything is."""
        absent = [name for name in self.needs if importlib.util.find_spec(name) is None]
        return f"{self.name} is skipped: {', '.join(absent)} is not installed ({self.install})" if absent else ""

    def prepared(self, whole: Workload) -> Compute:
        """The work on this workload, ready to be timed."""
        module = importlib.import_module(f"benchmarks.contenders.{self.module}")
        compute: Compute = module.prepared(whole)
        return compute


_GROUP = "pip install --group bench"

ALL = (
    Contender("engine, compiled", "engine_compiled", ("numba",), "pip install 'fraudline[fast]'", 2_000_000, 200_000),
    Contender("hand-fused kernel", "hand_fused", ("numba",), "pip install 'fraudline[fast]'", 2_000_000, 200_000, 0.4),
    Contender("Polars", "with_polars", ("polars",), _GROUP, 2_000_000, 100_000, 3),
    Contender("DuckDB", "with_duckdb", ("duckdb",), _GROUP, 2_000_000, 100_000, 5),
    Contender("chDB", "with_chdb", ("chdb",), _GROUP, 2_000_000, 100_000, 3),
    Contender("engine, plain", "engine_plain", (), "", 100_000, 20_000),
    Contender("PySpark", "with_pyspark", ("pyspark",), "pip install pyspark, with Java", 500_000, 100_000, 25, True),
    Contender("Bytewax", "with_bytewax", ("bytewax",), "pip install bytewax", 100_000, 20_000, 35, True),
)
ENGINE = ALL[0]
