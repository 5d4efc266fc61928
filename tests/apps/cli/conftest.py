"""A command line to type at, with a workspace of its own for each test."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fraudline.apps.cli import app

TWO = """\
transaction_id,employee_id,amount,location,description,timestamp
TXN001,EMP001,12000,delhi,gift card,2025-05-20T23:30:00Z
TXN002,EMP002,5000,london,lunch,2025-05-21T14:10:00Z
"""
HEADER = TWO.splitlines()[0]


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Type = Callable[..., Said]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder the commands of a test work in."""
    for name in ("FRAUDLINE_RULESET", "FRAUDLINE_TENANT", "FRAUDLINE_ENGINE", "FRAUDLINE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FRAUDLINE_WORKSPACE", str(tmp_path / "work"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "work"


@pytest.fixture
def fraudline(workspace: Path) -> Type:  # noqa: ARG001 - it sets the environment the commands run in
    """Type a command: `fraudline("score", file)`."""

    def typed(*words: object, stdin: str | bytes | None = None) -> Said:
        result = CliRunner().invoke(app, [str(word) for word in words], input=stdin, prog_name="fraudline")
        return Said(result.exit_code, result.stdout, result.stderr)

    return typed


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """The file of two claims that everything begins with."""
    file = tmp_path / "two.csv"
    file.write_text(TWO, "utf-8")
    return file


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Path]:
    """A file of claims: `rows("T1,E1,100,delhi,lunch,2025-05-20T10:00:00Z", ...)`."""

    def written(*lines: str, name: str = "rows.csv") -> Path:
        file = tmp_path / name
        file.write_text("\n".join([HEADER, *lines, ""]), "utf-8")
        return file

    return written
