"""One contender in a process of its own: prepares, then answers every line "go" with the time of one run.

Processes are separate so that memory is each contender's own, and stay alive so that runs can be interleaved.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.contenders import ALL
from benchmarks.workload import folder, workload


def processor_seconds() -> float:
    """The processor time of this process and of those it started (Spark's Java is one)."""
    ticks, parents, used = os.sysconf("SC_CLK_TCK"), {}, {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            after = file.read_text("utf-8").rpartition(")")[2].split()
            pid = int(file.parent.name)
            parents[pid], used[pid] = int(after[1]), (int(after[11]) + int(after[12])) / ticks
    mine, found = {os.getpid()}, time.process_time()
    while started := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= started
        found += sum(used[pid] for pid in started)
    return found


def main(module: str, rows: int) -> None:
    """Serve until the input ends."""
    contender = next(one for one in ALL if one.module == module)
    if missing := contender.missing():
        raise SystemExit(missing)
    contender.prepared(workload(2_000))()  # compiled code is loaded, libraries are warm
    compute = contender.prepared(workload(rows))
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() != "go":
            break
        wall, cpu = time.perf_counter(), processor_seconds()
        bits = compute()
        cpu, wall = processor_seconds() - cpu, time.perf_counter() - wall
        file = folder() / f"bits-{module}-{rows}.npy"
        np.save(file, bits)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"cpu": cpu, "wall": wall, "bits": str(file), "peak_kib": peak}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
