"""Runs seeds of the simulator, plants bugs into the code, and prints the score. See docs/reliability.md."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.bugs import BUGS, planted
from tests.simulation.run import Outcome, simulate

CATCHING = 300  # seeds within which a planted bug is to be caught
SHOWN = 10
PART_SEEDS = 250


def say(text: str) -> None:
    """A line for whoever watches."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def first_broken(seeds: Iterable[int]) -> Outcome | None:
    """The first of these seeds under which something was broken."""
    return next((outcome for outcome in map(simulate, seeds) if outcome.broken), None)


def command(outcome: Outcome, bug: str | None = None) -> str:
    """What to type to see this seed again."""
    planted_too = f" --bug {bug!r}" if bug else ""
    return f"python -m tests.simulation --seed {outcome.seed}{planted_too}"


def sound(first: int, count: int, jobs: int = 1) -> int:
    """Run the seeds over the code as it is; the number that broke something."""
    began = time.perf_counter()
    parts = [range(at, min(at + PART_SEEDS, first + count)) for at in range(first, first + count, PART_SEEDS)]
    faults: Counter[str] = Counter()
    calls = broken = 0
    for outcomes in _mapped(parts, jobs):
        for outcome in outcomes:
            faults += outcome.faults
            calls += outcome.calls
            broken += bool(outcome.broken)
            if outcome.broken and broken <= SHOWN:
                say(f"seed {outcome.seed}: {outcome.broken}\n    {command(outcome)}")
    seconds = time.perf_counter() - began
    struck = ", ".join(f"{kind} {times:,}" for kind, times in sorted(faults.items()))
    say(f"{count:,} seeds, {broken:,} broken, {calls:,} calls, {faults.total():,} faults, {seconds:.1f} s")
    say(f"faults: {struck or 'none'}")
    return broken


def _mapped(parts: list[range], jobs: int) -> Iterator[list[Outcome]]:
    if jobs == 1:
        yield from map(_simulated, parts)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_simulated, parts)


def _simulated(seeds: range) -> list[Outcome]:
    return [simulate(seed) for seed in seeds]


def score(names: Iterable[str], first: int = 0) -> int:
    """Plant each bug and look for a seed that catches it; the number that none caught."""
    caught = tried = 0
    for name in names:
        tried += 1
        with planted(name):
            outcome = first_broken(range(first, first + CATCHING))
        if outcome is None:
            say(f"SURVIVED {CATCHING} seeds: {name}")
            continue
        caught += 1
        say(f"seed {outcome.seed:>3}  {name}: {outcome.broken}")
    say(f"planted {tried}, caught {caught}")
    return tried - caught


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 where no seed broke anything and every planted bug was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, help="run so many seeds over the code as it is")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; alone: this one only")
    parser.add_argument("--bug", choices=sorted(BUGS), help="with this bug planted, look for the first seed it breaks")
    parser.add_argument("--planted", action="store_true", help="plant every bug, one after the other")
    parser.add_argument("--jobs", type=int, default=1, help="run seeds in so many processes")
    given = parser.parse_args(arguments)
    if given.bug and given.seeds is None and given.seed:
        with planted(given.bug):
            return sound(given.seed, 1)
    if given.bug or given.planted:
        return 1 if score([given.bug] if given.bug else BUGS, given.seed) else 0
    return 1 if sound(given.seed, 1 if given.seeds is None else given.seeds, given.jobs) else 0


if __name__ == "__main__":
    sys.exit(main())
