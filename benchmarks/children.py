"""Commands run in processes of their own: how long they took, and the most memory they held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.workload import folder

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished process."""

    wall: float
    cpu: float
    peak_mib: float
    out: str


def environment() -> dict[str, str]:
    """As a user has it: Python keeps what it compiled, here in a folder of the benchmarks."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**given, "PYTHONPYCACHEPREFIX": str(folder() / "bytecode")}


def ran(command: Sequence[str]) -> Ran:
    """Run a command to its end.

    Raises RuntimeError with what it said where it fails.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    )
    out = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {out[-2000:]}")
    return Ran(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out)


def fraudline(*arguments: str) -> Ran:
    """Run our own command line."""
    return ran([sys.executable, "-c", "from fraudline.apps.cli import main; main()", *arguments])


def probe(name: str, *arguments: object) -> dict[str, Any]:
    """What `benchmarks.probe` measured in a process of its own."""
    out = ran([sys.executable, "-m", "benchmarks.probe", name, *map(str, arguments)]).out
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found
