"""One contender in a process of its own: prepares, then answers every line "go" with the time of one run.

Processes are separate so that memory is each contender's own, and stay alive so that runs can be interleaved.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np

from benchmarks.contenders import ALL
from benchmarks.workload import folder, workload


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
        wall, cpu = time.perf_counter(), time.process_time()
        bits = compute()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        file = folder() / f"bits-{module}-{rows}.npy"
        np.save(file, bits)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"cpu": cpu, "wall": wall, "bits": str(file), "peak_kib": peak}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
