"""The engine without Numba: the same source as plain Python."""

from __future__ import annotations

from benchmarks.contenders import Compute, engine_compiled
from benchmarks.workload import Workload


def prepared(whole: Workload) -> Compute:
    """As for the compiled engine."""
    return engine_compiled.prepared(whole, compiled=False)
