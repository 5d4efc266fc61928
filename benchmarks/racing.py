"""Contenders in processes of their own, run in turns (A B A B), their decisions compared before any time counts."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks.contenders import Contender
from benchmarks.workload import Integers

ROOT = Path(__file__).parent.parent


class WrongDecisions(Exception):
    """A contender decides otherwise: its time means nothing."""


@dataclass(slots=True)
class Racer:
    """One contender's process and the times of its runs."""

    contender: Contender
    rows: int
    process: subprocess.Popen[str]
    errors: IO[str]
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    peak_mib: float = 0.0
    decided: Integers | None = None

    @property
    def per_second(self) -> float:
        """Transactions per CPU second, the median run."""
        return self.rows / statistics.median(self.cpu)

    def bits(self) -> Integers:
        """The rule bits of the last run."""
        if self.decided is None:
            raise RuntimeError(f"{self.contender.name} has not run")
        return self.decided

    def run(self) -> None:
        """One run, timed by the process itself."""
        said = self._ask("go\n")
        self.cpu.append(said["cpu"])
        self.wall.append(said["wall"])
        self.peak_mib = said["peak_kib"] / 1024
        self.decided = np.load(said["bits"])

    def wait(self) -> None:
        """Until its columns are loaded and its code is warm."""
        if self._line() != "ready":
            raise RuntimeError(f"{self.contender.name} did not start: {self._complaint()}")

    def stop(self) -> None:
        """End the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(timeout=60)
        self.errors.close()

    def _ask(self, line: str) -> dict[str, Any]:
        if self.process.stdin is None:
            raise RuntimeError("the process has no input")
        self.process.stdin.write(line)
        self.process.stdin.flush()
        answer = self._line()
        if not answer.startswith("{"):
            raise RuntimeError(f"{self.contender.name} failed: {self._complaint()}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def _line(self) -> str:
        return self.process.stdout.readline().strip() if self.process.stdout else ""

    def _complaint(self) -> str:
        self.process.kill()
        self.errors.seek(0)
        return self.errors.read()[-2000:]


def racer(contender: Contender, rows: int) -> Racer:
    """A contender's process, started."""
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the process runs
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.worker", contender.module, str(rows)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    return Racer(contender, rows, process, errors)


def race(contenders: Sequence[Contender], rows: int, rounds: int) -> list[Racer]:
    """All of these on the same rows, `rounds` times in turns.

    Raises WrongDecisions where one of them decides otherwise than the first.
    """
    racers = []
    try:
        for contender in contenders:  # one after the other: they would disturb each other's warm-up
            racers.append(racer(contender, rows))
            racers[-1].wait()
        for _ in range(rounds):
            for one in racers:
                one.run()
                agree(racers[0], one)
    finally:
        for one in racers:
            one.stop()
    return racers


def agree(first: Racer, other: Racer) -> None:
    """Raise WrongDecisions where two contenders fired other rules on any transaction."""
    wrong = np.flatnonzero(first.bits() != other.bits())
    if len(wrong):
        raise WrongDecisions(
            f"{other.contender.name} and {first.contender.name} differ on {len(wrong)} of {first.rows} transactions, "
            f"first on #{wrong[0]}: {other.bits()[wrong[0]]:012b}, {first.bits()[wrong[0]]:012b}"
        )
