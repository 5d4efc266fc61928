"""The engine as the benchmarks use it: rulesets, workloads as batches, decisions as rule bits."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workload import RECEIVED_AT, VERSION, Integers, Workload, folder, texts, workload
from fraudline.adapters.embedded.compiled import compile_program
from fraudline.domain.transaction import Batch
from fraudline.engine import check
from fraudline.engine.compile import Program, program
from fraudline.engine.decide import Decided, decide, state_for
from fraudline.engine.facts import HEADER_SIZE
from fraudline.engine.history import State
from fraudline.engine.record import rfc3339

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


def as_text(row: dict[str, Any]) -> dict[str, str]:
    """A transaction as a sender would write it, every value as text."""
    money = {name: f"{row[name] // 100}.{row[name] % 100:02d}" for name in ("amount", "balance")}
    place = {name: f"{row[name]:.5f}" for name in ("latitude", "longitude")}
    told = {**row, **money, **place, "occurred_at": rfc3339(row["occurred_at"])}
    return {name: str(value) for name, value in told.items() if name != "day_only"}


def csv_file(rows: int) -> Path:
    """W as a CSV file of this many rows."""
    file = folder() / f"w{VERSION}-{rows}.csv"
    if not file.exists():
        partial = file.with_suffix(".tmp")
        with partial.open("w", newline="") as out:
            writer: Any = None
            for part in batches(workload(rows)):
                told = [as_text(part.row(n)) for n in range(len(part))]
                if writer is None:
                    writer = csv.DictWriter(out, told[0])
                    writer.writeheader()
                writer.writerows(told)
        partial.replace(file)
    return file


def parquet_file(rows: int) -> Path:
    """W as a Parquet file of this many rows, amounts as exact decimals."""
    import pyarrow
    from pyarrow import parquet

    file = folder() / f"w{VERSION}-{rows}.parquet"
    if not file.exists():
        whole = workload(rows)
        cents = {name: getattr(whole, name).tolist() for name in ("amount", "balance")}
        columns = {
            "id": [f"T{n:09d}" for n in range(rows)],
            "occurred_at": pyarrow.array(whole.occurred_at, type=pyarrow.timestamp("ms", tz="UTC")),
            **{name: [Decimal(value).scaleb(-2) for value in column] for name, column in cents.items()},
            "latitude": whole.latitude,
            "longitude": whole.longitude,
            **texts(whole),
        }
        partial = file.with_suffix(".tmp")
        parquet.write_table(pyarrow.table(columns), partial)
        partial.replace(file)
    return file


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
