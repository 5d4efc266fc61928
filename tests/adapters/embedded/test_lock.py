"""One process writes to a workspace at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fraudline.adapters.embedded.lock import WriterLock
from fraudline.domain.errors import StoreError, WorkspaceBusy

HOLDER = """
import sys
from pathlib import Path
from fraudline.adapters.embedded.lock import WriterLock
lock = WriterLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_writer_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "fraudline.lock")
    with pytest.raises(WorkspaceBusy, match=f"process {os.getpid()} is writing .* --workspace"):
        WriterLock(tmp_path / "fraudline.lock")
    lock.release()
    lock.release()
    WriterLock(tmp_path / "fraudline.lock").release()


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "fraudline.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(WorkspaceBusy, match=f"process {holder.pid} "):
            WriterLock(path)
        holder.kill()
    WriterLock(path).release()
    assert path.exists()


def test_a_lock_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened: No such file"):
        WriterLock(tmp_path / "nowhere" / "fraudline.lock")
