"""What survives a crash: a model of a durable store in memory, or a real workspace database in a folder of its own.

A disk is opened for writing by one process at a time, if the lock holds. A process that dies leaves what was committed
and nothing else; on the real database a crash, or the end of the space, may also strike between two SQL statements.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from fraudline.adapters.embedded.snapshots import Snapshots
from fraudline.adapters.embedded.store import EmbeddedStore
from fraudline.domain.errors import WorkspaceBusy
from fraudline.ports import Store
from fraudline.testing import MemoryStore
from tests.simulation.world import LOG, Crash, World


class Disk(Protocol):
    """Where the log of a run is kept."""

    truth: Store  # what is durable now, for those who check
    snapshots: Snapshots | None

    def open(self) -> Any:
        """A store for a process that starts. Raises WorkspaceBusy where another one writes."""
        ...

    def died(self, store: Any) -> None:
        """The process that held this store is gone, or has closed it."""
        ...

    def remove(self) -> None:
        """The run is over."""
        ...


class MemoryDisk:
    """A durable store that keeps its promises: a commit happens whole, or not at all."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.durable = MemoryStore(LOG)
        self.truth: Store = self.durable
        self.snapshots: Snapshots | None = None
        self.writers = 0

    def open(self) -> Any:
        """The same store again: nothing of it is volatile."""
        if self.world.locked and self.writers:
            raise WorkspaceBusy("another process is writing")
        self.writers += 1
        return self.durable

    def died(self, store: Any) -> None:  # noqa: ARG002 - all handles are the same object
        """One writer less."""
        self.writers -= 1

    def remove(self) -> None:
        """Nothing was left anywhere."""


class EmbeddedDisk:
    """The store of a workspace itself, over a file. Its connection fails where the world says so."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.folder = tempfile.TemporaryDirectory(prefix="fraudline-simulation-")
        self.path = Path(self.folder.name) / "fraudline.db"
        EmbeddedStore(self.path, log=LOG).close()
        self.snapshots: Snapshots | None = Snapshots(Path(self.folder.name) / "snapshot")
        self.truth: Store = EmbeddedStore(self.path, log=LOG, read_only=True)

    def open(self) -> Any:
        """A connection and the lock of its own. Where locks do not hold, it is lost as soon as it is taken."""
        store = _Workspace(self.path, self.world)
        if not self.world.locked:
            store.lose_the_lock()
        return store

    def died(self, store: Any) -> None:
        """The operating system closes files and frees locks; what was not committed is rolled back."""
        store.close()

    def remove(self) -> None:
        """Close what checks were made with, and delete the folder."""
        self.truth.close()
        self.folder.cleanup()


class _Workspace(EmbeddedStore):
    def __init__(self, path: Path, world: World) -> None:
        self.world = world
        super().__init__(path, log=LOG)

    def _connect(self, mode: str) -> Any:
        return _Connection(super()._connect(mode), self.world)

    def lose_the_lock(self) -> None:
        """As on a drive that grants a lock to everybody."""
        self._release()


class _Connection:
    """An SQLite connection on which a process can die, or the disk be full, at any statement of a transaction."""

    def __init__(self, real: sqlite3.Connection, world: World) -> None:
        self.real = real
        self.world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def execute(self, sql: str, *values: Any) -> Any:
        if sql == "PRAGMA synchronous = FULL":  # processes die here, power does not fail: tests/crashes cuts that
            sql = "PRAGMA synchronous = OFF"
        if self.real.in_transaction and sql != "ROLLBACK":
            self._strike()
        return self.real.execute(sql, *values)

    def executemany(self, sql: str, rows: Iterable[Any]) -> Any:
        for row in rows:
            self._strike()
            self.real.execute(sql, row)

    def _strike(self) -> None:
        kind = self.world.strikes("dies in a statement", "disk full in a statement", weight=0.5)
        if kind == "dies in a statement":
            raise Crash
        if kind:
            full = sqlite3.OperationalError("database or disk is full")
            full.sqlite_errorname = "SQLITE_FULL"
            raise full
