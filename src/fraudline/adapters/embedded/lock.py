"""The writer's lock of a workspace: one process writes at a time, the others are told which one it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO

from fraudline.domain.errors import StoreError, WorkspaceBusy

if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: BinaryIO) -> None:
        # A lock on Windows also hides the locked bytes from readers, so it lies beyond the process number.
        file.seek(1024)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)

else:
    import fcntl

    def _try_lock(file: BinaryIO) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


class WriterLock:
    """Held from construction to `release`, or until the process dies: the operating system frees it then.

    The file stays behind; what counts is the lock on it, not that it exists.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise StoreError(
                f"The lock file {path} cannot be opened: {error.strerror}. "
                "Writing needs a folder this user may write to; name another with --workspace."
            ) from error
        try:
            _try_lock(self._file)
        except OSError as error:
            holder = self._holder()
            self._file.close()
            raise WorkspaceBusy(
                f"The workspace {path.parent} is in use: {holder} is writing to it. "
                "Wait for it to finish, or use another --workspace."
            ) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()).encode())

    def _holder(self) -> str:
        self._file.seek(0)
        pid = self._file.read(20).decode("ascii", "replace").strip()
        return f"process {pid}" if pid.isdigit() else "another process"

    def release(self) -> None:
        """Let another writer in. Doing it twice changes nothing."""
        self._file.close()
