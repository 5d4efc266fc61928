"""Power cuts below SQLite: what was acknowledged is there afterwards, and a resumed file ends as if nothing was."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from fraudline.adapters.embedded import store as store_module
from fraudline.adapters.embedded.store import EmbeddedStore
from fraudline.domain.errors import StoreError
from fraudline.pipeline import Report
from tests.crashes import sample
from tests.crashes.disk import Disk, StoreOnDisk

ROWS, BATCH = 240, 20
CHECKPOINTS = (3, 20, 60, store_module.CHECKPOINT_PAGES)  # pages after which the log is copied back; the last is ours


@dataclass
class Told:
    """What became of some power cuts."""

    rounds: int = 0
    cuts: int = 0
    lost: int = 0  # cuts after which something acknowledged was gone
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.rounds} files, {self.cuts} power cuts, {self.lost} lost acknowledged data, {len(self.wrong)} wrong"
        )


def cut_and_resume(seeds: range, *, pragmas: tuple[str, ...] = ()) -> Told:
    """For each seed: decide a file, cut the power at random moments, and resume from what the disk held."""
    told = Told()
    content = sample.file_bytes(ROWS)
    with tempfile.TemporaryDirectory() as folder, sample.batches_of(BATCH):
        expected = sample.undisturbed(content, Path(folder))
        for seed in seeds:
            told.rounds += 1
            with tempfile.TemporaryDirectory() as own:
                _round(random.Random(seed), content, expected, Path(own), pragmas, told, f"seed {seed}")
    return told


def _round(
    chance: random.Random,
    content: bytes,
    expected: sample.Expected,
    folder: Path,
    pragmas: tuple[str, ...],
    told: Told,
    name: str,
) -> None:
    before = store_module.CHECKPOINT_PAGES
    store_module.CHECKPOINT_PAGES = chance.choice(CHECKPOINTS)
    try:
        for number in range(chance.randrange(1, 4)):
            after = folder / f"{number}"
            after.mkdir()
            acknowledged = _until_the_cut(chance, content, folder, after, pragmas)
            told.cuts += 1
            folder = after
            if lost := _lost(folder, acknowledged, expected):
                told.lost += 1
                told.wrong += [] if pragmas else [f"{name}, cut {number + 1}: {lost}"]
                return
        with EmbeddedStore(folder / "fraudline.db", log=sample.LOG) as store:
            finished = [receipt for receipt in store.receipts() if receipt.finished]
            receipt = finished[-1] if finished else sample.score(store, content, lambda _: None)
            if (sample.stored(store), sample.alerts(store)) != (expected.decisions, expected.alerts):
                told.wrong.append(f"{name}: the resumed log differs from that of an undisturbed run")
            if receipt != expected.receipt:
                told.wrong.append(f"{name}: the resumed receipt differs: {receipt.counts}")
    finally:
        store_module.CHECKPOINT_PAGES = before


@dataclass
class Acknowledged:
    """What the store said was stored."""

    ids: list[str] = field(default_factory=list)
    finished: bool = False


def _until_the_cut(
    chance: random.Random, content: bytes, folder: Path, after: Path, pragmas: tuple[str, ...]
) -> Acknowledged:
    disk = Disk(cut_at=chance.randrange(1, 550))
    said = Acknowledged()

    def follow(report: Report) -> None:
        said.ids.extend(report.batch.ids)

    try:
        with StoreOnDisk(folder / "fraudline.db", disk, sample.LOG, pragmas) as store:
            sample.score(store, content, follow)
            said.finished = True
            disk.dead = True
    except StoreError as error:
        if not disk.dead:
            raise AssertionError("the store failed before the power did") from error
    disk.image(after, chance)
    return said


def _lost(folder: Path, said: Acknowledged, expected: sample.Expected) -> str:
    """What is not as it was acknowledged, or not whole; nothing, where all is well."""
    try:
        with EmbeddedStore(folder / "fraudline.db", log=sample.LOG) as store:
            if store._connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                return "the database is damaged"
            log = sample.stored(store)
            if missing := set(said.ids) - {name for name, *_ in log}:
                return f"{len(missing)} acknowledged decisions are gone"
            if log != expected.decisions[: len(log)] or (len(log) % BATCH and len(log) < len(expected.decisions)):
                return "a chunk is half there"
            if sample.alerts(store) != expected.alerts[: len(sample.alerts(store))]:
                return "the alerts are not those of the decisions"
            if said.finished and not [receipt for receipt in store.receipts() if receipt.finished]:
                return "the finished receipt is gone"
    except (StoreError, sqlite3.Error) as error:
        return str(error)
    return ""
