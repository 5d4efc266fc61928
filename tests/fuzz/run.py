"""Runs a target over many inputs and keeps what was found."""

from __future__ import annotations

import hashlib
import json
import random
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tests.fuzz.guard import Breach, watched
from tests.fuzz.mutate import MAX_BYTES, Mutator
from tests.fuzz.targets import REACHED, TARGETS, Target, known, warm

GZIP = b"\x1f\x8b"  # packed rows of the corpus are large inside


@dataclass
class Told:
    """What came of some inputs. `finds` maps what went wrong to the shortest input that does it."""

    target: str
    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    finds: dict[str, bytes] = field(default_factory=dict)
    traces: dict[str, str] = field(default_factory=dict)
    reached: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        rate = self.inputs / max(self.seconds, 1e-9)
        return (
            f"{self.target}: {self.inputs:,} inputs in {self.seconds:.1f} s ({rate:,.0f} a second), "
            f"slowest {1000 * self.slowest:.0f} ms, {len(self.finds)} finds; "
            + ", ".join(f"{count:,} {what}" for what, count in sorted(self.reached.items()))
        )


def inputs(target: Target, seed: int) -> Iterator[bytes]:
    """Damaged inputs without end."""
    short = [data for data in known(target.name) if len(data) <= MAX_BYTES and not data.startswith(GZIP)]
    mutator = Mutator([*target.seeds(), *short], target.words(), seed)
    chance = random.Random(seed)
    while True:
        yield mutator.next()
        if target.grown is not None:
            yield target.grown(chance)


def fuzz(name: str, count: int, seed: int) -> Told:
    """So many inputs of one target."""
    target = TARGETS[name]
    return over(target, islice(inputs(target, seed), count))


def over(target: Target, given: Iterable[bytes]) -> Told:
    """These inputs, each watched; everything that is raised is a find."""
    told = Told(target.name)
    warm(target)
    REACHED.clear()
    began = time.perf_counter()
    for data in given:
        told.inputs += 1
        before = time.thread_time()
        try:
            with watched():
                target.run(data)
        except (Exception, Breach) as error:  # noqa: BLE001 - whatever an input makes the code raise is a find
            kind = _kind(error)
            if kind not in told.finds or len(data) < len(told.finds[kind]):
                told.finds[kind] = data
                told.traces[kind] = "".join(traceback.format_exception(error))
        told.slowest = max(told.slowest, time.thread_time() - before)
    told.reached = dict(REACHED)
    told.seconds = time.perf_counter() - began
    return told


def _kind(error: BaseException) -> str:
    """What tells finds apart: the error, and the deepest line of ours it came from."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/fraudline/" in f.filename]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "-"
    return (
        f"{type(error).__name__} at {place}: {str(error)[:60]}" if not frames else f"{type(error).__name__} at {place}"
    )


def save(told: Told, folder: Path) -> list[Path]:
    """Write the finds as files; the first line of each .txt is its row for the corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, data in told.finds.items():
        path = folder / f"{told.target}-{hashlib.sha256(data).hexdigest()[:8]}"
        path.write_bytes(data)
        row = json.dumps({"what": kind, "input": data.decode("latin-1")})
        path.with_suffix(".txt").write_text(f"{row}\n\n{told.traces[kind]}", "utf-8")
        written.append(path)
    return written
