"""A start from a snapshot knows what a start from the log knows; a snapshot that does not fit is passed over."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from fraudline.adapters.embedded import histories
from fraudline.adapters.embedded.histories import MemoryHistories
from fraudline.adapters.embedded.snapshots import Snapshots
from fraudline.domain.transaction import Batch
from fraudline.engine.compile import Program
from fraudline.pipeline import Run, process
from fraudline.testing import MemoryStore
from tests.deciding import batch, programmed

RULE = 'count(by=account, last="1h") > 2 and is_new(merchant, by=account, last="1d")'


@pytest.fixture
def made() -> Program:
    return programmed(RULE)


@pytest.fixture(autouse=True)
def every_row_is_worth_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "WORTH_ROWS", 1)


def rows(first: int, count: int, **values: Any) -> list[dict[str, Any]]:
    shops = ("A", "B", "C")
    return [
        {"id": f"T{n}", "occurred_at": 1_747_778_400_000 + 60_000 * n, "merchant": shops[n * n % 3], **values}
        for n in range(first, first + count)
    ]


def decided(made: Program, store: MemoryStore, known: MemoryHistories, part: Batch) -> list[bytes]:
    revision = store.activate(made.ruleset, 1)
    process(part, Run(made, store, known, revision, 1_800_000_000_000, "file:1", "test"))
    found = store.decisions(part.ids)
    return [found[name].facts for name in part.ids]


def started(made: Program, store: MemoryStore, file: Path) -> MemoryHistories:
    return MemoryHistories(store, made, snapshots=Snapshots(file))


def test_a_start_from_a_snapshot_goes_on_as_if_nothing_had_been(made: Program, tmp_path: Path) -> None:
    whole = batch(made, rows(0, 30))
    reference = MemoryStore("small")
    expected = decided(made, reference, MemoryHistories(reference, made), whole)
    store, facts = MemoryStore("small"), []
    for at in range(0, 30, 6):
        known = started(made, store, tmp_path / "s")
        facts += decided(made, store, known, whole.slice(at, at + 6))
        if at != 12:  # once the process ends without saving: the tail of the log is replayed
            known.save()
    assert facts == expected
    assert started(made, store, tmp_path / "s").load(whole) is not None


def test_the_snapshot_is_used_and_the_log_before_it_is_not_read(made: Program, tmp_path: Path) -> None:
    store = MemoryStore("small")
    known = started(made, store, tmp_path / "s")
    decided(made, store, known, batch(made, rows(0, 10)))
    known.save()
    again = started(made, store, tmp_path / "s")
    again.load(Batch())
    assert again.covered == 10


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "other log", "gone"])
def test_a_snapshot_that_does_not_fit_is_passed_over(damage: str, made: Program, tmp_path: Path) -> None:
    store, file = MemoryStore("small"), tmp_path / "s"
    known = started(made, store, file)
    decided(made, store, known, batch(made, rows(0, 10)))
    known.save()
    data = file.read_bytes()
    if damage == "flip":
        file.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    elif damage == "cut":
        file.write_bytes(data[:-7])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "gone":
        file.unlink()
    else:
        store = MemoryStore("small")
        decided(made, store, MemoryHistories(store, made), batch(made, rows(0, 10, account="B")))
    again = started(made, store, file)
    reference = MemoryHistories(store, made)
    again.load(Batch())
    assert again.covered == 0
    part = batch(made, rows(10, 5))
    expected = decided(made, _copy(store), reference, part)
    assert decided(made, store, again, part) == expected


def _copy(store: MemoryStore) -> MemoryStore:
    """Another store with the same log, so that the same rows can be decided in both."""

    return copy.deepcopy(store)


def test_a_snapshot_that_cannot_be_read_is_passed_over(made: Program, tmp_path: Path) -> None:
    blocked = tmp_path / "snapshot"
    blocked.mkdir()
    assert Snapshots(blocked).load(made, compiled=False) is None
