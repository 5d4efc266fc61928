"""A file of results: whole or not at all, and nothing is left of writers that were killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fraudline.apps.cli.sink import Sink


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
