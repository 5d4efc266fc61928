"""Compiled rule functions: kept on disk once per source, and told apart where the kernel they call differs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fraudline.adapters.embedded import compiled
from tests.deciding import programmed


def test_without_numba_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "compiled_kernel", lambda: None)
    made = programmed("amount > 1.11")
    assert not compiled.compile_program(made)
    assert made.rules.fast is None


def test_a_source_has_one_file_and_a_file_that_was_changed_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = compiled._source_file("x = 1\n")
    assert compiled._source_file("x = 1\n") == file
    assert compiled._source_file("x = 2\n") != file
    file.write_text("x = 3\n")
    assert compiled._source_file("x = 1\n").read_text() == "x = 1\n"
    assert {path.suffix for path in (tmp_path / "fraudline").iterdir()} == {".py"}


def test_kernels_of_other_sources_are_told_apart(tmp_path: Path) -> None:
    """Numba's cache would hand out a rule function with an old kernel's distances compiled into it."""
    prints = []
    for source in ("one", "other"):
        (tmp_path / source).write_text(source)
        kernel: Any = SimpleNamespace(__file__=str(tmp_path / source))
        prints.append(compiled._fingerprint.__wrapped__(kernel))
    assert prints[0] != prints[1]


def test_a_program_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = programmed("distance_km(latitude, longitude, 0, 0) > 1")
    assert compiled.compile_program(made)
    function = made.rules.fast
    assert compiled.compile_program(made)
    assert made.rules.fast is function
    assert {path.suffix for path in (tmp_path / "fraudline").iterdir() if path.is_file()} == {".py"}
