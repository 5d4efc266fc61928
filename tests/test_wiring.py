"""Wiring: which engine decides, where rulesets are found, what a killed process left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fraudline import wiring
from fraudline.adapters.embedded.sorting import RUNS
from fraudline.domain.errors import UsageError
from fraudline.settings import Settings

LARGE = wiring.COMPILE_FROM_ROWS


@pytest.mark.parametrize(
    ("engine", "rows", "installed", "compiled"),
    [
        ("auto", LARGE, True, True),
        ("auto", LARGE - 1, True, False),
        ("auto", LARGE, False, False),
        ("plain", 10 * LARGE, True, False),
        ("compiled", 1, True, True),
    ],
)
def test_large_work_is_compiled_where_numba_is(
    monkeypatch: pytest.MonkeyPatch, engine: Any, rows: int, installed: bool, compiled: bool
) -> None:
    monkeypatch.setattr(wiring, "has_numba", lambda: installed)
    assert wiring.compiles(Settings(engine=engine), rows) is compiled


def test_compiled_without_numba_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "has_numba", lambda: False)
    with pytest.raises(UsageError, match=r"fraudline\[fast\]"):
        wiring.compiles(Settings(engine="compiled"), 1)


def test_rows_are_estimated_by_size(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    for file in (plain, packed):
        file.write_bytes(b"x" * 1_000_000)
    assert 0 < wiring.rows_about(str(plain)) < wiring.rows_about(str(packed))
    assert wiring.rows_about("-") == 0


def test_shipped_rulesets_can_be_named(tmp_path: Path) -> None:
    assert [entry.name for entry in wiring.rulesets(tmp_path)] == ["cards", "expenses", "payments"]
    assert wiring.find_ruleset("cards", tmp_path).name == "cards"


def test_sorted_runs_of_a_killed_process_are_swept_and_nothing_else(tmp_path: Path) -> None:
    left = tmp_path / f"{RUNS}abc"
    left.mkdir()
    (left / "run").write_bytes(b"x")
    (tmp_path / "inbox").mkdir()
    with wiring.deciding(tmp_path, wiring.find_ruleset("cards", tmp_path), Settings(), 1):
        assert not left.exists()
    assert (tmp_path / "inbox").exists()
