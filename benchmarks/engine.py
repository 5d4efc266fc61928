"""The engine as the benchmarks use it: rulesets, workloads as batches, decisions as rule bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.workload import RECEIVED_AT, Integers, Workload, texts
from fraudline.adapters.embedded.compiled import compile_program
from fraudline.domain.transaction import Batch
from fraudline.engine import check
from fraudline.engine.compile import Program, program
from fraudline.engine.decide import Decided, decide, state_for
from fraudline.engine.facts import HEADER_SIZE
from fraudline.engine.history import State

HERE = Path(__file__).parent
BATCH_ROWS = 10_000


def ruleset(name: str = "w") -> Program:
    """A ruleset of this folder: `w` (12 rules, 12 features) or `wide` (30 rules, 20 windows)."""
    file = HERE / f"{name}.yaml"
    return program(check.load(file.read_text("utf-8"), str(file)))


def ready(made: Program, *, compiled: bool) -> State:
    """Empty histories; compiled ones, and a compiled program, where asked for."""
    state = state_for(made)
    if compiled and not (compile_program(made) and state.compile()):
        raise RuntimeError("Numba is not installed: pip install 'fraudline[fast]'")
    return state


def batch(part: Workload, first: int = 0) -> Batch:
    """These transactions as the engine takes them; ids are the positions from `first` on."""
    n = len(part)
    columns = {
        "amount": part.amount.tolist(),
        "balance": part.balance.tolist(),
        "latitude": part.latitude.tolist(),
        "longitude": part.longitude.tolist(),
        **texts(part),
    }
    return Batch(
        ids=[f"T{first + k:09d}" for k in range(n)],
        occurred_at=part.occurred_at.tolist(),
        day_only=[False] * n,
        columns=columns,
        fingerprints=[b""] * n,
        rows=list(range(first + 1, first + n + 1)),
    )


def batches(whole: Workload, size: int = BATCH_ROWS) -> Iterator[Batch]:
    """The whole workload, stretch by stretch."""
    for number, part in enumerate(whole.batches(size)):
        yield batch(part, number * size)


def decided(made: Program, stream: Iterable[Batch], state: State) -> Iterator[Decided]:
    """Decide batch after batch."""
    for part in stream:
        yield decide(made, part, state, received_at=RECEIVED_AT)


def bits(facts: Sequence[bytes], rules: int) -> Integers:
    """Which rules fired on each transaction: bit r for rule r."""
    width = (rules + 3) // 4
    table = np.frombuffer(b"".join(row[HEADER_SIZE : HEADER_SIZE + width] for row in facts), dtype=np.uint8)
    table = table.reshape(len(facts), width)
    found = np.zeros(len(facts), dtype=np.int64)
    for rule in range(rules):
        found |= ((table[:, rule // 4] >> (rule % 4 * 2) & 3) == 2).astype(np.int64) << rule
    return found
