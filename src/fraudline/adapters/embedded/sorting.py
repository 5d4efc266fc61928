"""Transactions of a file in the order in which they are decided, in bounded memory, whatever order its rows have.

The order is (occurred_at, id, fingerprint), then the row: Python compares text by code points, which for UTF-8 is the
order of its bytes. Sorted runs go to a temporary folder, as MessagePack blocks, and are merged block by block:

    the smallest of the last keys of all blocks in memory is a bound; up to it nothing can come from the disk any more,
    so everything up to it is taken from all runs, sorted, and given away; at least one block is used up each time.

A run is opened only when the bound reaches its first key, so runs that do not overlap are just read one after another.
A file that fits into one run never touches the disk.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np

from fraudline.domain.errors import SystemFailure
from fraudline.domain.transaction import Batch

RUNS: Final = "fraudline-sort-"  # what the temporary folders are called
RUN_ROWS: Final = 100_000
BLOCK_ROWS: Final = 2_048
FAN_IN: Final = 32  # runs that are merged at a time: so many blocks are in memory

Key = tuple[int, str, bytes, int]

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(
    tuple[list[str], list[int], list[bool], dict[str, list[Any]], list[bytes], list[int]]
)


class InOrder:
    """The transactions of these batches in order, as batches of bounded size. Iterate it once.

    `unsorted` says, from the first batch on, whether any transaction stood behind a later one.
    """

    def __init__(self, batches: Iterable[Batch], folder: str | Path | None = None, run_rows: int = RUN_ROWS) -> None:
        self.unsorted = False
        self._batches = batches
        self._folder = folder
        self._run_rows = run_rows
        self._newest: int | None = None

    def __iter__(self) -> Iterator[Batch]:
        with ExitStack() as closing:
            runs = _Runs(self._folder, closing)
            held: list[Batch] = []
            rows = 0
            for batch in self._batches:
                if not len(batch):
                    continue
                self._look(batch)
                held.append(batch)
                rows += len(batch)
                if rows >= self._run_rows:
                    runs.write(_blocks(_sorted(held)))
                    held, rows = [], 0
            last = _sorted(held)
            held.clear()
            if not runs.files:
                yield from _blocks(last)
                return
            runs.write(_blocks(last))
            del last
            yield from runs.merged()

    def _look(self, batch: Batch) -> None:
        times = np.array(batch.occurred_at, dtype=np.int64)
        if (self._newest is not None and int(times[0]) < self._newest) or bool((times[1:] < times[:-1]).any()):
            self.unsorted = True
        self._newest = max(self._newest or int(times[0]), int(times.max()))


def in_order(batches: Iterable[Batch], folder: str | Path | None = None, run_rows: int = RUN_ROWS) -> InOrder:
    """The transactions of these batches in the order in which they are decided; `folder` is where runs may lie."""
    return InOrder(batches, folder, run_rows)


class _Runs:
    """Sorted runs in a temporary folder, which goes with `closing`, whatever happens."""

    def __init__(self, folder: str | Path | None, closing: ExitStack) -> None:
        self.files: list[tuple[Key, Path]] = []
        self._folder = folder
        self._closing = closing
        self._own: Path | None = None
        self._count = 0

    def write(self, blocks: Iterable[Batch]) -> None:
        """Keep sorted blocks as one run. Raises SystemFailure where there is no room for it."""
        try:
            self._write(blocks)
        except OSError as error:
            raise SystemFailure(
                f"The file is too large to be sorted in memory, and {self._folder or tempfile.gettempdir()} could not "
                f"take its sorted parts: {error.strerror}. Free some space and run the same command again."
            ) from error

    def _write(self, blocks: Iterable[Batch]) -> None:
        if self._own is None:
            made = tempfile.TemporaryDirectory(prefix=RUNS, dir=self._folder)
            self._own = Path(self._closing.enter_context(made))
        path = self._own / f"{self._count:06d}"
        self._count += 1
        first: Key | None = None
        with path.open("wb") as file:
            for block in blocks:
                first = first or _key(block, 0)
                payload = _encode(
                    (block.ids, block.occurred_at, block.day_only, block.columns, block.fingerprints, block.rows)
                )
                file.write(len(payload).to_bytes(8, "big"))
                file.write(payload)
        if first is not None:
            self.files.append((first, path))

    def merged(self) -> Iterator[Batch]:
        """All runs as one. Where there are too many for one go, the oldest are merged first, no more than needed."""
        self.files.sort()
        while len(self.files) > FAN_IN:
            count = min(FAN_IN, len(self.files) - FAN_IN + 1)
            group, self.files = self.files[:count], self.files[count:]
            self.write(_merge(group))
            for _, path in group:
                path.unlink()
        yield from _merge(self.files)


def _merge(files: list[tuple[Key, Path]]) -> Iterator[Batch]:
    with ExitStack() as closing:
        waiting = sorted(files, reverse=True)
        open_runs: list[_Run] = []
        while waiting or open_runs:
            if not open_runs:
                open_runs.append(_Run(closing.enter_context(waiting.pop()[1].open("rb"))))
            bound = min(run.last for run in open_runs)
            while waiting and waiting[-1][0] <= bound:
                run = _Run(closing.enter_context(waiting.pop()[1].open("rb")))
                open_runs.append(run)
                bound = min(bound, run.last)
            yield from _blocks(_sorted([run.take(bound) for run in open_runs]))
            open_runs = [run for run in open_runs if run.refill()]


class _Run:
    """One run that is being read: a block of it, and how far that is used up."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._block = Batch()
        self._used = 0
        self.last: Key = (0, "", b"", 0)
        self.refill()

    def refill(self) -> bool:
        """Read the next block where this one is used up; False where there is none."""
        if self._used < len(self._block):
            return True
        size = int.from_bytes(self._file.read(8), "big")
        if not size:
            self._file.close()
            return False
        self._block, self._used = Batch(*_decode.decode(self._file.read(size))), 0
        self.last = _key(self._block, len(self._block) - 1)
        return True

    def take(self, bound: Key) -> Batch:
        """What is left of the block up to and including this key."""
        start = self._used
        self._used = bisect_right(range(len(self._block)), bound, lo=start, key=lambda place: _key(self._block, place))
        return self._block.slice(start, self._used)


def _key(batch: Batch, place: int) -> Key:
    return batch.occurred_at[place], batch.ids[place], batch.fingerprints[place], batch.rows[place]


def _blocks(batch: Batch) -> Iterator[Batch]:
    for start in range(0, len(batch), BLOCK_ROWS):
        yield batch.slice(start, start + BLOCK_ROWS)


def _sorted(batches: list[Batch]) -> Batch:
    """These batches as one, in order."""
    batch = Batch.joined(batches)
    times = np.array(batch.occurred_at, dtype=np.int64)
    order = np.argsort(times, kind="stable")
    at = times[order]
    ties = np.flatnonzero(at[1:] == at[:-1])
    if not len(ties) and bool((order[1:] > order[:-1]).all()):
        return batch
    return batch.take(_with_ties(batch, order.tolist(), ties))


def _with_ties(batch: Batch, order: list[int], ties: np.ndarray[Any, Any]) -> list[int]:
    """Order the groups of equal times by the rest of the key. `ties` are places equal to the place behind them."""
    if len(ties):
        breaks = np.flatnonzero(np.diff(ties) > 1) + 1
        for group in np.split(ties, breaks):
            first, behind = int(group[0]), int(group[-1]) + 2
            order[first:behind] = sorted(
                order[first:behind], key=lambda i: (batch.ids[i], batch.fingerprints[i], batch.rows[i])
            )
    return order
