"""The engine with Numba: typed batches in, decisions with their facts and digests out."""

from __future__ import annotations

import gc

import numpy as np

from benchmarks import engine
from benchmarks.contenders import Compute
from benchmarks.workload import Integers, Workload


def prepared(whole: Workload, *, compiled: bool = True) -> Compute:
    """Batches are made beforehand, as intake would have."""
    made = engine.ruleset()
    stream = list(engine.batches(whole))
    gc.freeze()  # what is prepared is no garbage, and should not be looked through again and again

    def compute() -> Integers:
        state = engine.ready(made, compiled=compiled)
        rules = len(made.ruleset.rules)
        return np.concatenate([engine.bits(one.facts, rules) for one in engine.decided(made, stream, state)])

    return compute
