"""`doctor`: every finding with its verdict, and the command that mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.cli.conftest import Type


def finding(said: str, what: str) -> str:
    """The line about this thing, its verdict first."""
    lines = (" ".join(line.split()) for line in said.splitlines())
    return next(line for line in lines if line.partition(" ")[2].startswith(f"{what} "))


def test_a_new_installation_is_well(fraudline: Type) -> None:
    said = fraudline("doctor")
    assert said.code == 0, said.out
    for what in ("Python", "fraudline", "time zones", "workspace", "disk", "settings", "ruleset", "store"):
        assert finding(said.out, what).startswith("ok"), what


def test_a_workspace_in_use_is_counted(fraudline: Type, two: Path) -> None:
    fraudline("score", two, "-r", "expenses")
    said = fraudline("doctor")
    assert said.code == 0
    assert "2 decisions" in finding(said.out, "store")
    assert finding(said.out, "card key").startswith("ok")


@pytest.mark.parametrize(
    ("toml", "what", "says"),
    [
        ("rulset = 'cards'\n", "settings", "did you mean 'ruleset'?"),
        ("ruleset = 'crads'\n", "ruleset", "Did you mean cards?"),
        ("ruleset =\n", "settings", "cannot be read"),
    ],
)
def test_wrong_settings_fail_with_what_was_meant(
    fraudline: Type, workspace: Path, toml: str, what: str, says: str
) -> None:
    workspace.mkdir()
    (workspace / "fraudline.toml").write_text(toml, "utf-8")
    said = fraudline("doctor")
    assert said.code == 1
    assert finding(said.out, what).startswith("fail")
    assert says in " ".join(said.out.split())  # wherever the screen broke the line


def test_a_card_key_that_others_may_read_fails(fraudline: Type, workspace: Path, two: Path) -> None:
    fraudline("score", two, "-r", "expenses")
    (workspace / "card.key").chmod(0o644)
    said = fraudline("doctor")
    assert said.code == 1
    assert "chmod 600" in said.out


def test_a_damaged_store_fails(fraudline: Type, workspace: Path, two: Path) -> None:
    fraudline("score", two, "-r", "expenses")
    (workspace / "fraudline.db").write_bytes(b"no database at all" * 100)
    said = fraudline("doctor")
    assert said.code == 1
    assert finding(said.out, "store").startswith("fail")
