"""`demo`: a workspace of its own, honest numbers, and next commands that work."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.apps.cli.conftest import Type


@pytest.mark.parametrize("ruleset", ["cards", "payments", "expenses"])
def test_the_demo_ends_with_levels_rules_alerts_and_precision(fraudline: Type, ruleset: str) -> None:
    said = fraudline("demo", "--transactions", "1200", "--ruleset", ruleset)
    assert said.code == 0, said.err
    for part in ("1,200 decided", "high", "top rules", "alerts", "precision", "recall", "kind of fraud"):
        assert part in said.out


def test_every_command_it_suggests_works(fraudline: Type) -> None:
    said = fraudline("demo", "--transactions", "1200")
    suggested = [line.split() for line in said.err.splitlines() if line.startswith("  fraudline --workspace")]
    assert {words[3] for words in suggested} == {"decisions", "rules", "replay"}
    for words in suggested:
        assert fraudline(*words[1:]).code == 0, words


def test_the_workspace_is_fresh_each_time_and_only_its_own_files_are_removed(fraudline: Type, workspace: Path) -> None:
    fraudline("demo", "--transactions", "200")
    mine = workspace / "demo" / "mine.txt"
    mine.write_text("kept", "utf-8")
    said = fraudline("demo", "--transactions", "300")
    assert "300 decided" in said.out
    assert mine.read_text("utf-8") == "kept"


def test_a_folder_that_no_demo_made_is_left_alone(fraudline: Type, workspace: Path) -> None:
    folder = workspace / "demo"
    folder.mkdir(parents=True)
    (folder / "fraudline.db").write_text("precious", "utf-8")
    said = fraudline("demo", "--transactions", "200")
    assert said.code == 2
    assert (folder / "fraudline.db").read_text("utf-8") == "precious"


def test_what_it_makes_is_for_its_owner_only(fraudline: Type, workspace: Path) -> None:
    fraudline("demo", "--transactions", "200")
    assert os.name != "posix" or [
        stat.S_IMODE(folder.stat().st_mode) for folder in (workspace, workspace / "demo")
    ] == [0o700, 0o700]


def test_a_world_that_nobody_invented(fraudline: Type) -> None:
    said = fraudline("demo", "--ruleset", "loans")
    assert said.code == 2
    assert "cards, payments, expenses" in said.err
