"""A file of results: whole or not at all, and nothing is left of writers that were killed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fraudline.apps.cli.sink import Sink

HOSTILE = "a,\x1b[31mred\u202e,\u0939\nb,\x9b2J\n"


def test_nothing_in_data_steers_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.openpty()
    with os.fdopen(writer, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        with Sink() as sink:
            sink.write(HOSTILE.encode())
            sink.line("\u202e")
        terminal.flush()
        shown = os.read(reader, 1000).decode()
    os.close(reader)
    assert shown.replace("\r\n", "\n") == 'a,\ufffd[31mred\ufffd,\u0939\nb,\ufffd2J\n"\ufffd"\n'


def test_a_file_keeps_every_byte_of_the_data(tmp_path: Path) -> None:
    with Sink(tmp_path / "out.csv") as sink:
        sink.write(HOSTILE.encode())
    assert (tmp_path / "out.csv").read_bytes() == HOSTILE.encode()


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    with Sink(file) as sink:
        sink.write(b"all of it")
        assert not file.exists()
    with pytest.raises(ValueError, match="stop"), Sink(file) as sink:
        sink.write(b"half of it")
        raise ValueError("stop")
    assert file.read_bytes() == b"all of it"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_drafts_of_killed_writers_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    (tmp_path / ".out.json.999.part").write_bytes(b"half")
    (tmp_path / ".out.json.part").write_bytes(b"somebody else's")
    with Sink(file) as living:
        assert living._draft is not None
        living._draft.rename(tmp_path / ".out.json.998.part")  # as if another process wrote it
        with Sink(file) as sink:
            sink.write(b"later")
        assert sorted(path.name for path in tmp_path.iterdir()) == [".out.json.998.part", ".out.json.part", "out.json"]
        (tmp_path / ".out.json.998.part").rename(living._draft)
