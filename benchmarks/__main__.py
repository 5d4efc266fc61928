"""`python -m benchmarks`: every goal of the engine, what was measured, and whether it is met.

Figures drift by a factor of two between machines and minutes; the ratios within one run are what counts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import time
from pathlib import Path

import msgspec

from benchmarks import chart
from benchmarks.goals import Line, table
from benchmarks.measures import MEASURES, Size

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run what is asked for and print the table; 1 where a measurement failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, in about five minutes")
    parser.add_argument("--only", action="append", choices=sorted(MEASURES), metavar="NAME", help=", ".join(MEASURES))
    parser.add_argument("--extra", action="store_true", help="also PySpark, Bytewax and growth by another factor of 10")
    parser.add_argument("--write", action="store_true", help=f"keep the results in {RESULTS.name}/")
    asked = parser.parse_args()
    size = Size(quick=asked.quick, extra=asked.extra)
    busy, processors = os.getloadavg()[0], os.cpu_count() or 1
    if busy > processors / 2:
        print(f"The machine is busy (load {busy:.1f} on {processors} processors): wall times will look worse.\n")
    lines: list[Line] = []
    failed = []
    for name, measure in MEASURES.items():
        if asked.only and name not in asked.only:
            continue
        began = time.perf_counter()
        try:
            found = measure(size)
        except Exception as failure:  # noqa: BLE001 - the others are still worth measuring; the run ends with 1
            failed.append(name)
            print(f"{name} FAILED: {type(failure).__name__}: {failure}", file=sys.stderr)
            continue
        print(f"[{name}, {time.perf_counter() - began:.0f} s]\n{table(found)}\n", flush=True)
        lines += found
    promised = [line for line in lines if line.met is not None]
    missed = [line for line in promised if not line.met]
    print(f"{len(promised) - len(missed)} of {len(promised)} goals met.")
    for line in missed:
        print(f"  not met: {line.what.strip()}: {line.measured} (goal {line.goal})")
    if asked.write:
        _write(lines, asked.quick)
    return 1 if failed else 0


def _write(lines: list[Line], quick: bool) -> None:
    RESULTS.mkdir(exist_ok=True)
    about = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "processor": _processor(),
        "quick": quick,
    }
    kept = {"about": about, "lines": [{**msgspec.to_builtins(line), "verdict": line.verdict} for line in lines]}
    (RESULTS / "results.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    (RESULTS / "goals.svg").write_text(chart.svg(lines), "utf-8")
    print(f"Written to {RESULTS.name}/results.json and {RESULTS.name}/goals.svg.")


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    sys.exit(main())
