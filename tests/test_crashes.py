"""Crashes that really happen to a real workspace: power cuts, kill -9, full and read-only disks, two writers.

A few of each here; `python -m tests.crashes --rounds 300` for hundreds. docs/reliability.md says what came of them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fraudline import wiring
from fraudline.adapters.embedded.store import EmbeddedStore
from fraudline.settings import Settings
from tests.crashes import kills, sample, space

WITHOUT_APSW = "the package apsw is missing, so no power was cut: pip install apsw (it is in the group dev)"


# Power cuts below SQLite


def test_no_power_cut_loses_what_was_acknowledged() -> None:
    pytest.importorskip("apsw", reason=WITHOUT_APSW)
    from tests.crashes import powercut

    told = powercut.cut_and_resume(range(8))
    assert told.wrong == []
    assert told.cuts >= told.rounds


def test_the_same_power_cuts_lose_data_where_sqlite_syncs_less() -> None:
    pytest.importorskip("apsw", reason=WITHOUT_APSW)
    from tests.crashes import powercut

    assert powercut.cut_and_resume(range(5), pragmas=("PRAGMA synchronous = NORMAL",)).lost > 0


# kill -9


BESIDE_THE_STORE = ("scoring.py", "sink.py", "workspace.py", "tempfile.py")


@pytest.mark.parametrize("where", [("",), BESIDE_THE_STORE], ids=["anywhere", "where files are written"])
def test_whatever_line_a_process_is_killed_at_the_next_one_finishes_the_file(where: tuple[str, ...]) -> None:
    told = kills.at_places(range(1), only=where)
    assert told.wrong == []
    assert told.kills > 0


# Full and read-only disks


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of payments."""
    path = tmp_path / "file.csv"
    path.write_bytes(sample.file_bytes(1_000))
    return path


def decided(workspace: Path) -> int:
    with EmbeddedStore(workspace / "fraudline.db", log=sample.LOG, read_only=True) as store:
        assert store._connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return store.count()


def test_a_full_disk_is_a_sentence_and_with_space_again_the_file_is_finished(tmp_path: Path, file: Path) -> None:
    with space.small_disk(tmp_path / "disk", kib=350) as disk:
        if disk is None:
            pytest.skip(
                "this user may not mount a tmpfs: run as root on Linux; the limit on file sizes is tested anyway"
            )
        code, _, said = space.run(space.score_words(disk / "work", file))
        assert (code, space.is_sentence(said)) == (4, True), said
        assert "full" in said
        space.resize(disk, "size=20m")
        code, out, said = space.run(space.score_words(disk / "work", file))
        assert code == 0, said
        assert "980 decided, 20 rejected" in out
        assert decided(disk / "work") == 980
        space.resize(disk, "ro")
        code, out, said = space.run(space.score_words(disk / "work", file))
        assert (code, space.is_sentence(said)) == (4, True), said
        code, _, said = space.run(["-w", str(disk / "work"), "decisions", "list"])
        assert code == 0 or space.is_sentence(said), said


@pytest.mark.parametrize("limit", [120_000])
def test_files_that_may_not_grow_are_a_sentence_and_later_the_file_is_finished(
    tmp_path: Path, file: Path, limit: int
) -> None:
    work = tmp_path / "work"
    code, _, said = space.run(space.score_words(work, file), file_bytes=limit)
    assert (code, space.is_sentence(said)) == (4, True), said
    code, out, said = space.run(space.score_words(work, file))
    assert code == 0, said
    assert "980 decided, 20 rejected" in out
    assert decided(work) == 980


# Two processes


WRITER = """
import sys
from pathlib import Path
from fraudline import wiring
from fraudline.settings import Settings
with wiring.deciding(Path(sys.argv[1]), wiring.find_ruleset("payments", Path(sys.argv[1])), Settings(), 1):
    print("writing", flush=True)
    sys.stdin.readline()
"""


def test_one_process_writes_the_other_is_told_and_readers_work_beside_them(tmp_path: Path, file: Path) -> None:
    work = tmp_path / "work"
    with wiring.deciding(work, sample.payments().ruleset, Settings(), 1) as desk:
        sample.score(desk.store, file.read_bytes(), lambda _: None)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(work)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=kills.environment(),
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        code, _, said = space.run(space.score_words(work, file))
        assert code == 4
        assert f"process {writer.pid} is writing to it. Wait for it to finish" in said
        assert space.run(["-w", str(work), "decisions", "list", "-f", "jsonl", "-n", "3"])[1].count("\n") == 3
        writer.stdin.close()
    with wiring.deciding(work, sample.payments().ruleset, Settings(), 1) as desk:
        assert desk.store.count() == 980
