"""A disk whose power can be cut: an SQLite VFS that keeps apart what was synced and what was only written.

Writes go through to real files, so that SQLite reads what it wrote. Beside them stands, for each file, what a disk
without power would hold: its content at the last sync, and the writes since then. After a cut, `image` writes another
folder from it: of the unsynced writes none, all, or any of them in any combination survive, and one may be torn
between two sectors. The store runs its own code and its own SQL; only the connection under it is another.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from fraudline.adapters.embedded.store import EmbeddedStore

SECTOR = 512


@dataclass
class _Content:
    """One file: what is safe, and what was done to it since: (offset, bytes), or (size, None) where it was cut."""

    durable: bytes = b""
    changes: list[tuple[int, bytes | None]] = field(default_factory=list)
    exists: bool = False  # for certain; a file that was never synced may be gone
    deleted: bool = False  # but perhaps not for certain


class Disk(apsw.VFS):
    """Gives SQLite its files. At step number `cut_at` (a write, sync, truncation or deletion) the power goes."""

    def __init__(self, cut_at: int | None = None, full_at: int | None = None) -> None:
        self.name = f"disk{id(self)}"
        self.contents: dict[str, _Content] = {}
        self.steps = 0
        self.cut_at = cut_at
        self.full_at = full_at  # bytes the main files may have together; None where space never ends
        self.dead = False
        super().__init__(self.name, "")

    def step(self) -> None:
        """One more thing was asked of the disk. Raises where there is no power (any more)."""
        self.steps += 1
        self.dead = self.dead or self.steps == self.cut_at
        if self.dead:
            raise apsw.exception_for(apsw.SQLITE_IOERR)

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is not None and path not in self.contents:
            here = Path(path)
            known = here.read_bytes() if here.exists() else None
            self.contents[path] = _Content(known or b"", exists=known is not None)
        elif path is not None and self.contents[path].deleted:
            self.contents[path] = _Content()
        return _File(self, name, path, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:
        self.step()
        super().xDelete(name, syncdir)
        if name in self.contents:
            self.contents[name].deleted = True
            if syncdir:
                del self.contents[name]

    def sync_folder(self) -> None:
        """What was deleted is gone for certain."""
        for name in [name for name, content in self.contents.items() if content.deleted]:
            del self.contents[name]

    def image(self, folder: Path, chance: random.Random) -> None:
        """Write what a disk holds whose power went now."""
        survival = chance.choice((0.0, 1.0, 0.5, 0.9, 0.1))
        for path, content in self.contents.items():
            if content.deleted and chance.random() < 0.5:
                continue
            left = _survivors(content, survival, chance)
            if content.exists or left or chance.random() < 0.5:
                (folder / Path(path).name).write_bytes(left)


def _survivors(content: _Content, survival: float, chance: random.Random) -> bytes:
    """The safe content and such of the later changes as the disk got round to."""
    data = bytearray(content.durable)
    for offset, change in content.changes:
        if chance.random() >= survival:
            continue
        if change is None:
            del data[offset:]
            continue
        kept, at = change, offset
        if chance.random() < 0.2:  # torn: some of its sectors only
            start = SECTOR * chance.randrange(len(change) // SECTOR + 1)
            kept, at = (change[:start], offset) if chance.random() < 0.5 else (change[start:], offset + start)
        if len(data) < at:
            data.extend(bytes(at - len(data)))
        data[at : at + len(kept)] = kept
    return bytes(data)


class _File(apsw.VFSFile):
    """An open file of a `Disk`."""

    def __init__(self, disk: Disk, name: Any, path: str | None, flags: list[int]) -> None:
        self._disk = disk
        self._path = path
        super().__init__("", name, flags)

    def _content(self) -> _Content:
        return self._disk.contents.get(self._path, _Content()) if self._path else _Content()

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.step()
        if self._disk.full_at is not None and offset + len(data) > self._disk.full_at:
            raise apsw.exception_for(apsw.SQLITE_FULL)
        super().xWrite(data, offset)
        self._content().changes.append((offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        self._disk.step()
        super().xTruncate(size)
        self._content().changes.append((size, None))

    def xSync(self, flags: int) -> None:
        del flags  # full or with the data only: the same here
        self._disk.step()
        content = self._content()
        if not content.exists and self._path and self._path.endswith(("-wal", "-journal")):
            self._disk.sync_folder()  # as SQLite does at the first sync of a file it made
        content.durable = _survivors(_Content(content.durable, content.changes), 1.0, _Whole())
        content.changes = []
        content.exists = True


class _Whole(random.Random):
    """A chance that never tears anything."""

    def random(self) -> float:
        return 0.9


class Cursor:
    """The rows of a statement as `sqlite3` gives them."""

    def __init__(self, rows: list[tuple[Any, ...]], rowcount: int) -> None:
        self._rows = iter(rows)
        self.rowcount = rowcount

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(self._rows, None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._rows)

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        return [row for _, row in zip(range(size), self._rows, strict=False)]

    def __iter__(self) -> Any:
        return self._rows


class Connection:
    """What the store asks of a `sqlite3.Connection`, answered by apsw."""

    def __init__(self, path: Path, disk: Disk) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        self._inner = _translated(apsw.Connection, str(path), flags=flags, vfs=disk.name)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Cursor:
        rows = _translated(lambda: list(self._inner.execute(sql, tuple(values))))
        return Cursor(rows, self._inner.changes())

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        _translated(lambda: list(self._inner.executemany(sql, rows)))

    def create_function(self, name: str, count: int, function: Any, *, deterministic: bool) -> None:
        self._inner.create_scalar_function(name, function, count, deterministic=deterministic)

    @property
    def in_transaction(self) -> bool:
        return bool(self._inner.in_transaction)

    def close(self) -> None:
        with contextlib.suppress(apsw.Error):  # like `sqlite3`, which closes whatever SQLite says to it
            self._inner.close(True)


def _translated(function: Any, *values: Any, **named: Any) -> Any:
    """Call apsw; its errors become those of `sqlite3`."""
    try:
        return function(*values, **named)
    except apsw.Error as error:
        kind = sqlite3.IntegrityError if isinstance(error, apsw.ConstraintError) else sqlite3.OperationalError
        raised = kind(str(error))
        raised.sqlite_errorname = str(apsw.mapping_result_codes[getattr(error, "result", apsw.SQLITE_ERROR)])
        raise raised from error


class StoreOnDisk(EmbeddedStore):
    """The embedded store, on a disk that can fail. `pragmas` are run after its own, to see what they would lose."""

    def __init__(self, path: Path, disk: Disk, log: str, pragmas: Sequence[str] = ()) -> None:
        self._disk = disk
        self._pragmas = pragmas
        super().__init__(path, log=log)

    def _connect(self, mode: str) -> sqlite3.Connection:
        del mode
        with self._translated("opened"):
            connection: Any = Connection(self._path, self._disk)
        connection.create_function("fired", 3, self._fired, deterministic=True)
        made: sqlite3.Connection = connection
        return made

    def _prepare(self, connection: sqlite3.Connection) -> None:
        super()._prepare(connection)
        for pragma in self._pragmas:
            connection.execute(pragma)
