"""Disks that are full or read-only, below a whole `fraudline score`: a sentence now, and all of the file later.

Where this user may mount (root on Linux), a tmpfs of a few hundred KiB is the disk; elsewhere the limit on the size of
files stands in for it.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.crashes import kills, sample

STARTED = "from fraudline.apps.cli import main; main()"


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Path | None]:
    """A folder with so much space; None where this user may not mount one."""
    folder.mkdir()
    mounted = _mount("-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder))
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def resize(folder: Path, options: str) -> None:
    """Give a small disk another size (`size=9m`), or make it read-only (`ro`) or writable (`rw`)."""
    assert _mount("-o", f"remount,{options}", str(folder))


def _mount(*words: str) -> bool:
    try:
        return subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def run(words: list[str], file_bytes: int | None = None) -> tuple[int, str, str]:
    """Run the command line in a process whose files may not grow beyond this: exit code, output, messages."""

    def limit() -> None:
        if file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    done = subprocess.run(
        [sys.executable, "-c", STARTED, *words],
        capture_output=True,
        text=True,
        check=False,
        env=kills.environment(),
        preexec_fn=limit,
    )
    return done.returncode, done.stdout, done.stderr


def score_words(workspace: Path, file: Path) -> list[str]:
    """The command, without a file of results."""
    return ["-w", str(workspace), "-q", "score", str(file), "-r", sample.LOG]


def is_sentence(said: str) -> bool:
    """Whether a failure was told as one: no traceback, no fault of ours, and something to do."""
    return bool(said.strip()) and not re.search(r"Traceback|unexpected failure|fault of fraudline", said)
