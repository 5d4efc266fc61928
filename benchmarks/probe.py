"""One measurement in a process of its own, printed as JSON: `python -m benchmarks.probe NAME ARGUMENTS`."""

from __future__ import annotations

import contextlib
import gc
import json
import resource
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import engine
from benchmarks.engine import as_text
from benchmarks.workload import RECEIVED_AT, SHAPES, folder, workload
from fraudline import wiring
from fraudline.domain.transaction import Batch, Records
from fraudline.engine.cards import Tokens
from fraudline.engine.decide import decide
from fraudline.engine.intake import Intake
from fraudline.settings import Settings


def resident_mib() -> float:
    """What this process holds in memory now."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - a path of Linux, there is no other way
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def fold(shape: str, rows: str, seconds: str) -> dict[str, Any]:
    """Decide a shape of the workload, compiled; stop after so many CPU seconds."""
    made = engine.ruleset()
    _warm("w", compiled=True)
    whole = workload(int(rows)) if shape == "W" else SHAPES[shape](int(rows))
    state = engine.ready(made, compiled=True)
    gc.collect()
    before, spent, done = resident_mib(), 0.0, 0
    for part in engine.batches(whole):
        began = time.process_time()
        decide(made, part, state, received_at=RECEIVED_AT)
        spent += time.process_time() - began
        done += len(part)
        if spent > float(seconds):
            break
    gc.collect()
    account = next(role for role in state.roles if role.plan.by == ("account",))
    retained = sum(int(t) - int(h) for h, t in zip(account.head, account.tail, strict=True))
    return {"rows": done, "cpu": spent, "retained": retained, "mib": resident_mib() - before}


def _warm(name: str, *, compiled: bool) -> None:
    """Load compiled code, with every signature it will be called with."""
    made = engine.ruleset(name)
    for _ in engine.decided(made, engine.batches(workload(2_000), 1_000), engine.ready(made, compiled=compiled)):
        pass


def single(mode: str, warm: str, times: str) -> dict[str, Any]:
    """One decision at a time, under 30 rules, in histories of `warm` transactions: microseconds, sorted."""
    made = engine.ruleset("wide")
    compiled = mode == "compiled"
    _warm("wide", compiled=compiled)
    state = engine.ready(made, compiled=compiled)
    count = int(times)
    whole = workload(int(warm) + count)
    for _ in engine.decided(made, engine.batches(whole.take(slice(0, int(warm)))), state):
        pass
    reader = Intake(made.ruleset, received_at=RECEIVED_AT, tokens=Tokens(bytes(32)))
    rest = whole.take(slice(int(warm), None))
    (later,) = engine.batches(rest, count)
    gc.collect()
    whole_way, deciding, cpu = [], [], []
    for n in range(count):
        records = Records(lines=[n + 1], columns={name: [value] for name, value in as_text(later.row(n)).items()})
        used = time.thread_time_ns()
        began = time.perf_counter_ns()
        one, _ = reader.read(records)
        taken = time.perf_counter_ns()
        decide(made, one, state, received_at=RECEIVED_AT)
        ended = time.perf_counter_ns()
        cpu.append((time.thread_time_ns() - used) / 1000)
        whole_way.append((ended - began) / 1000)
        deciding.append((ended - taken) / 1000)
    return {"with_intake": _percentiles(whole_way), "deciding": _percentiles(deciding), "cpu": _percentiles(cpu)}


def _percentiles(values: list[float]) -> dict[str, float]:
    values = sorted(values)
    return {"p50": values[len(values) // 2], "p99": values[len(values) * 99 // 100]}


def restart(workspace: str, ruleset: str) -> dict[str, Any]:
    """Open a workspace for deciding, until its histories are in memory."""
    _warm("w", compiled=True)
    path = Path(workspace)
    rules = wiring.find_ruleset(ruleset, path)
    began = time.perf_counter()
    with wiring.deciding(path, rules, Settings(engine="compiled"), 0) as desk:
        opened = time.perf_counter()
        desk.histories.load(Batch())
        return {"open": opened - began, "load": time.perf_counter() - opened}


def bare(database: str, size: str) -> dict[str, Any]:
    """Insert the decisions of a workspace again: WAL, FULL, one commit per batch; without indexes, and with all."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source:
        about = "SELECT sql FROM sqlite_master WHERE tbl_name = 'decisions' AND type = ?"
        (statement,) = source.execute(about, ("table",)).fetchone()
        indexes = [sql for (sql,) in source.execute(about, ("index",))]
        rows = source.execute("SELECT * FROM decisions ORDER BY sequence").fetchall()
    found: dict[str, Any] = {"rows": len(rows)}
    for name, extra in (("bare", list[str]()), ("indexed", indexes)):
        file = folder() / f"{name}.db"
        with _fresh(file) as target:
            target.execute(statement)
            for sql in extra:
                target.execute(sql)
            marks = ",".join("?" * len(rows[0]))
            wall, cpu = time.perf_counter(), time.process_time()
            for at in range(0, len(rows), int(size)):
                target.execute("BEGIN")
                target.executemany(f"INSERT INTO decisions VALUES ({marks})", rows[at : at + int(size)])
                target.execute("COMMIT")
            found[name] = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return found


@contextlib.contextmanager
def _fresh(file: Path) -> Iterator[sqlite3.Connection]:
    def forget() -> None:
        for left in file.parent.glob(f"{file.name}*"):
            left.unlink()

    forget()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        yield connection
    forget()


PROBES: dict[str, Callable[..., dict[str, Any]]] = {"fold": fold, "single": single, "restart": restart, "bare": bare}

if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[1]](*sys.argv[2:])))
