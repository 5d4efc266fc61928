"""kill -9 at every kind of moment, again and again in one workspace, until the file is decided; then the accounts."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from fraudline.adapters.embedded.store import EmbeddedStore
from fraudline.domain.errors import StoreError
from fraudline.domain.receipt import Receipt
from tests.crashes import sample

ROOT = Path(__file__).parents[2]
ROWS = 250
KILLS = 5  # in one workspace, at most
# All that may lie in a workspace when nobody works in it.
BELONGS = re.compile(r"fraudline\.db(-wal|-shm)?|fraudline\.lock|card\.key|\.gitignore|receipts|snapshots?.*")


@dataclass
class Told:
    """What became of some workspaces."""

    rounds: int = 0
    kills: int = 0
    places: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        at = f" at {len(self.places)} places" if self.places else ""
        return f"{self.rounds} workspaces, {self.kills} kills{at}, {len(self.wrong)} wrong"


def environment() -> dict[str, str]:
    """A child's environment: this project, and no settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FRAUDLINE_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


class Victims:
    """Children of `victim.py`, one at a time."""

    def __init__(self, folder: Path) -> None:
        self._out = folder / "out"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crashes.victim"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
        )

    def run(self, words: list[str], place: str | None = None, time: int = 1) -> tuple[int, str]:
        """The exit code and what was said; minus nine for one that was killed."""
        asked = {"words": words, "place": place, "time": time, "out": str(self._out)}
        _pipe(self._process.stdin).write(json.dumps(asked) + "\n")
        _pipe(self._process.stdin).flush()
        code = json.loads(_pipe(self._process.stdout).readline())["code"]
        return code, self._out.read_text("utf-8", "replace")

    def places(self) -> dict[str, int]:
        """Where the last run came by that was let live, and how often."""
        found: dict[str, int] = json.loads(Path(f"{self._out}.places").read_text())
        return found

    def close(self) -> None:
        """No more of them."""
        _pipe(self._process.stdin).close()
        self._process.wait(10)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@contextmanager
def victims(folder: Path) -> Iterator[Victims]:
    """A source of children to kill."""
    made = Victims(folder)
    try:
        yield made
    finally:
        made.close()


def score_words(workspace: Path, file: Path) -> list[str]:
    """The command, with a file for its summary beside the workspace."""
    summary = workspace.parent / f"{workspace.name}.json"
    return ["-w", str(workspace), "-q", "score", str(file), "-r", sample.LOG, "-f", "json", "-o", str(summary)]


def at_places(seeds: range, only: tuple[str, ...] = ("",)) -> Told:
    """Workspaces in which runs are killed at chosen places of the code; `only` says how their names begin."""
    told = Told()
    with tempfile.TemporaryDirectory() as name, victims(Path(name)) as source:
        folder = Path(name)
        file = folder / "file.csv"
        file.write_bytes(sample.file_bytes(ROWS))
        code, said = source.run(score_words(folder / "reference", file))
        assert code == 0, said
        expected = accounts(folder / "reference")
        places = {place: times for place, times in source.places().items() if place.startswith(only)}
        for seed in seeds:
            chance = random.Random(seed)
            told.rounds += 1
            workspace = folder / f"w{seed}"
            words = score_words(workspace, file)
            code = -signal.SIGKILL
            died = []
            for _ in range(KILLS):
                place = chance.choice(sorted(places))
                code, said = source.run(words, place, 1 + chance.randrange(places[place]) * chance.randrange(2))
                if code != -signal.SIGKILL:
                    break
                told.kills += 1
                told.places.add(place)
                died.append(place)
                told.wrong += [
                    f"seed {seed}, after {died}: {fault}" for fault in unfinished_faults(workspace, expected)
                ]
            if code == -signal.SIGKILL:
                code, said = source.run(words)
            told.wrong += [f"seed {seed}, after {died}: {f}" for f in faults(workspace, expected, code, said)]
    return told


def at_moments(seeds: range, rows: int) -> Told:
    """Workspaces in which real processes are killed at random moments."""
    told = Told()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "file.csv"
        file.write_bytes(sample.file_bytes(rows))
        began = time.monotonic()
        code, said = _whole(score_words(folder / "reference", file), None)
        assert code == 0, said
        whole = time.monotonic() - began
        expected = accounts(folder / "reference")
        for seed in seeds:
            chance = random.Random(seed)
            told.rounds += 1
            workspace = folder / f"w{seed}"
            words = score_words(workspace, file)
            code = -signal.SIGKILL
            for _ in range(KILLS):
                code, said = _whole(words, whole * (0.1 + 0.8 * chance.random()))
                if code != -signal.SIGKILL:
                    break
                told.kills += 1
                told.wrong += [f"seed {seed}: {fault}" for fault in unfinished_faults(workspace, expected)]
            if code == -signal.SIGKILL:
                code, said = _whole(words, None)
            told.wrong += [f"seed {seed}: {fault}" for fault in faults(workspace, expected, code, said)]
    return told


def _whole(words: list[str], seconds: float | None) -> tuple[int, str]:
    """Run the command line in a process of its own, which is killed after so many seconds."""
    command = [sys.executable, "-c", "from fraudline.apps.cli import main; main()", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    ) as run:
        try:
            said, _ = run.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            run.kill()
            said, _ = run.communicate()
    return run.returncode, said


# What must be true


@dataclass
class Accounts:
    """What a workspace holds."""

    decisions: list[tuple[str, bytes, bytes]]
    alerts: list[tuple[str, bytes]]
    receipts: list[Receipt]


def accounts(workspace: Path) -> Accounts:
    """Everything that must come out the same."""
    with EmbeddedStore(workspace / "fraudline.db", log=sample.LOG, read_only=True) as store:
        return Accounts(sample.stored(store), sample.alerts(store), store.receipts(100)[::-1])


def unfinished_faults(workspace: Path, expected: Accounts) -> Iterator[str]:
    """What is wrong directly after a kill, as somebody sees it who only reads."""
    if not (workspace / "fraudline.db").exists() or (workspace / "fraudline.db").stat().st_size == 0:
        return
    try:
        with EmbeddedStore(workspace / "fraudline.db", log=sample.LOG, read_only=True) as store:
            found = sample.stored(store)
        if found != expected.decisions[: len(found)]:
            yield "a reader sees something half-written"
    except StoreError as error:
        if "nothing was decided in this workspace yet" not in str(error):
            yield f"a reader is told: {error}"
    summary = workspace.parent / f"{workspace.name}.json"
    if summary.exists() and not msgspec.json.decode(summary.read_bytes()):
        yield "the summary is half-written"
    for file in (workspace / "receipts").glob("*.json"):
        if not msgspec.json.decode(file.read_bytes(), type=Receipt).finished:
            yield f"{file.name} says that it is not finished"


def faults(workspace: Path, expected: Accounts, code: int, said: str) -> Iterator[str]:
    """What is wrong when the last run has ended by itself."""
    if code:
        yield f"it ended with {code}: {said}"
        return
    if said.strip():
        yield f"it said, without need: {said}"
    with EmbeddedStore(workspace / "fraudline.db", log=sample.LOG) as store:
        if store._connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            yield "the database is damaged"
    found = accounts(workspace)
    if found.decisions != expected.decisions:
        yield f"{len(found.decisions)} decisions, not those {len(expected.decisions)} of an undisturbed run"
    if found.alerts != expected.alerts:
        yield "other alerts than those of an undisturbed run"
    yield from _receipt_faults(found.receipts, expected)
    yield from _leftovers(workspace, found.receipts)


def _receipt_faults(receipts: list[Receipt], expected: Accounts) -> Iterator[str]:
    (wanted,) = expected.receipts
    if not all(receipt.finished and receipt.counts.add_up() for receipt in receipts):
        yield "a receipt is not finished or does not add up"
    first, *later = receipts
    if (first.counts, first.outcomes, first.levels, first.alerts, first.rejected) != (
        *(wanted.counts, wanted.outcomes, wanted.levels, wanted.alerts, wanted.rejected),
    ):
        yield f"the receipt says {first.counts}"
    for receipt in later:  # killed between the receipt and the last word: all of it is known by then
        if receipt.counts.decided or receipt.counts.duplicate != wanted.counts.decided:
            yield f"a later receipt says {receipt.counts}"


def _leftovers(workspace: Path, receipts: list[Receipt]) -> Iterator[str]:
    for path in workspace.iterdir():
        if not BELONGS.fullmatch(path.name):
            yield f"{path.name} was left behind"
    for path in workspace.parent.glob(f".{workspace.name}*"):
        yield f"{path.name} was left behind"
    if "*" not in (workspace / ".gitignore").read_text().split("\n"):
        yield ".gitignore is half-written"
    files = {path.name: path for path in (workspace / "receipts").iterdir()}
    for receipt in receipts:
        name = next((name for name in files if name.startswith(receipt.source.removeprefix("file:") + "-")), None)
        if name is None:
            yield f"{receipt.source} has no file"
        elif msgspec.json.decode(files.pop(name).read_bytes(), type=Receipt) != receipt:
            yield f"{name} is not the receipt that is stored"
    yield from (f"receipts/{name} was left behind" for name in files)
