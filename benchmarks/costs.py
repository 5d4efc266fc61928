"""Where the time of one decision goes: CPU time of each part of the engine on W, without a profiler's own cost.

Run it with `python -m benchmarks.costs [ROWS] [--plain] [--single]`.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks import engine
from benchmarks.workload import RECEIVED_AT, workload
from fraudline.engine import decide, facts, history, kernel
from fraudline.engine.compile import Generated
from fraudline.engine.features import Frame
from fraudline.engine.history import Role, State


class Stopwatch:
    """CPU nanoseconds by part; a part inside another is taken off the outer one."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._inside: list[int] = []

    def timed(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, its time kept under this label."""

        def run(*given: Any, **named: Any) -> Any:
            self._inside.append(0)
            began = time.process_time_ns()
            try:
                return function(*given, **named)
            finally:
                spent = time.process_time_ns() - began
                self.spent[label] += spent - self._inside.pop()
                if self._inside:
                    self._inside[-1] += spent

        return run


class _Kernel:
    """A kernel whose fold and repack are timed."""

    def __init__(self, inner: Any, watch: Stopwatch) -> None:
        self._inner = inner
        self.fold = watch.timed("kernel.fold", inner.fold)
        self.repack = watch.timed("kernel.repack", inner.repack)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def instrument(watch: Stopwatch) -> None:
    """Put the stopwatch around every part, for the life of this process."""
    parts: list[tuple[Any, str, str]] = [
        (State, "fold", "State.fold: entities, arrays, results"),
        (State, "_append_ids", "State._append_ids"),
        (State, "_reserve_codes", "State._reserve_codes"),
        (Role, "grow", "Role.grow"),
        (Frame, "keys", "Frame.keys"),
        (Frame, "fill", "Frame.fill: rest"),
        (Frame, "_set", "Frame._set: list -> array"),
        (decide, "_evaluate", "decide._evaluate"),
        (decide, "_without_codes", "decide._without_codes"),
        (decide, "_covered", "decide._covered"),
        (facts, "pack", "facts.pack"),
        (facts, "digest", "facts.digest (sha256)"),
    ]
    for owner, name, label in parts:
        if hasattr(owner, name):
            setattr(owner, name, watch.timed(label, getattr(owner, name)))
    for name in ("value", "scaled", "moment", "day_only", "code", "truth", "size", "clock", "start"):
        method = f"_{name}"
        if hasattr(Frame, method):
            setattr(Frame, method, watch.timed(f"Frame.fill: {name}", getattr(Frame, method)))
    wrapped = {False: _Kernel(kernel, watch)}
    compiled = history.compiled_kernel()
    if compiled is not None:
        wrapped[True] = _Kernel(compiled, watch)
    parts_of: Any = history
    parts_of.compiled_kernel = lambda: wrapped.get(True)
    parts_of.kernel = wrapped[False]


def rules_timed(generated: Generated, label: str, watch: Stopwatch) -> None:
    """Put the stopwatch around a generated function."""
    if generated.fast is not None:
        generated.fast = watch.timed(label, generated.fast)
    generated.plain = watch.timed(label, generated.plain)


def main() -> None:
    """Print the parts, the costliest first."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=0, help="how much of W is measured")
    parser.add_argument("--plain", action="store_true", help="without Numba")
    parser.add_argument("--single", action="store_true", help="one decision at a time, 30 rules, after a warm-up")
    asked = parser.parse_args()
    rows = asked.rows or (3_000 if asked.single else 50_000 if asked.plain else 1_000_000)
    made = engine.ruleset("wide" if asked.single else "w")
    for _ in engine.decided(made, engine.batches(workload(2_000), 1_000), engine.ready(made, compiled=not asked.plain)):
        pass
    state = engine.ready(made, compiled=not asked.plain)
    before = 20_000 if asked.single else 0
    whole = workload(before + rows)
    for _ in engine.decided(made, engine.batches(whole.take(slice(0, before))), state):
        pass
    watch = Stopwatch()
    instrument(watch)
    rules_timed(made.rules, "rule function", watch)
    rules_timed(made.masks, "masks function", watch)
    decided = watch.timed("decide: rest", decide.decide)
    stream = engine.batches(whole.take(slice(before, None)), 1 if asked.single else engine.BATCH_ROWS)
    for part in stream:
        decided(made, part, state, received_at=RECEIVED_AT)
    total = sum(watch.spent.values())
    for name, spent in watch.spent.most_common():
        print(f"{spent / rows / 1000:8.3f} us/row  {spent / total:6.1%}  {name}")
    print(f"{total / rows / 1000:8.3f} us/row  {1e9 * rows / total:,.0f} transactions/s")


if __name__ == "__main__":
    main()
