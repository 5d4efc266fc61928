"""Snapshots of histories beside the database: a start reads one and replays only what came after it."""

from __future__ import annotations

import hashlib
import mmap
import os
from pathlib import Path

from fraudline.engine import snapshot
from fraudline.engine.compile import Program
from fraudline.engine.history import State

_CHECK_BYTES = 32


class Snapshots:
    """The snapshot of one log, in a file that is replaced whole and ends with the SHA-256 of what stands before."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def save(self, program: Program, state: State, sequence: int, mark: str) -> None:
        """Replace the snapshot. Raises OSError where it cannot be written; the old one then stands."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        draft = self.file.with_suffix(".part")
        check = hashlib.sha256()
        try:
            with draft.open("wb") as file:
                for piece in snapshot.dump(program, state, sequence, mark):
                    check.update(piece)
                    file.write(piece)
                file.write(check.digest())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.file)
        finally:
            draft.unlink(missing_ok=True)

    def load(self, program: Program, *, compiled: bool) -> tuple[snapshot.Header, State] | None:
        """What the snapshot is of, and the state; None where there is nothing to be used.

        A snapshot is a cache: one that is missing, damaged, or of another version is passed over for the log itself.
        """
        try:
            with (
                self.file.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
                memoryview(mapped) as data,
                data[:-_CHECK_BYTES] as body,
            ):
                if hashlib.sha256(body).digest() != bytes(data[-_CHECK_BYTES:]):
                    return None
                return snapshot.restore(program, body, compiled=compiled)
        except (OSError, ValueError):  # ValueError: an empty file cannot be mapped
            return None
