"""What all commands share: options anywhere, exit codes, failures as sentences, a quick start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fraudline import __version__
from fraudline.apps.cli import score
from fraudline.apps.cli.root import Options, called, hoisted
from fraudline.apps.cli.screen import safe
from tests.apps.cli.conftest import Type

HEAVY = ("numpy", "yaml", "msgspec", "re2", "rich.console", "fraudline.wiring", "fraudline.engine")


def test_nothing_heavy_is_imported_before_a_command_runs() -> None:
    program = f"import sys, fraudline.apps.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]"


def test_help_shows_the_groups(fraudline: Type) -> None:
    said = fraudline("--help")
    assert said.code == 0
    everyday, _, operations = said.out.partition("Everyday")[2].partition("Operations")
    assert all(name in everyday for name in ("demo", "score", "decisions", "rules"))
    assert all(name in operations for name in ("replay", "doctor"))


def test_the_version(fraudline: Type) -> None:
    assert fraudline("--version").out == f"fraudline {__version__}\n"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["score", "x", "--workspace", "w"], ["--workspace", "w", "score", "x"]),
        (["score", "x", "--workspace=w", "-q"], ["--workspace=w", "-q", "score", "x"]),
        (["-w", "w", "score", "x"], ["-w", "w", "score", "x"]),
        (["decisions", "show", "--", "-q"], ["decisions", "show", "--", "-q"]),
        (["score", "x", "--strict"], ["score", "x", "--strict"]),
    ],
)
def test_options_of_fraudline_count_wherever_they_stand(given: list[str], found: list[str]) -> None:
    assert hoisted(given) == found


def test_the_workspace_may_be_named_after_the_command(fraudline: Type, two: Path, tmp_path: Path) -> None:
    assert fraudline("score", two, "-r", "expenses", "--workspace", tmp_path / "other").code == 0
    assert (tmp_path / "other" / "fraudline.db").exists()


@pytest.mark.parametrize("words", [("scroe", "x"), ("score",), ("score", "x", "--format", "xml"), ("rules", "tset")])
def test_wrong_usage_is_exit_code_2(fraudline: Type, words: tuple[str, ...]) -> None:
    assert fraudline(*words).code == 2


def test_a_busy_workspace_is_exit_code_4(fraudline: Type, two: Path, workspace: Path) -> None:
    from fraudline.adapters.embedded.workspace import Workspace

    with Workspace(workspace).open_store("expenses"):
        said = fraudline("score", two, "-r", "expenses")
    assert said.code == 4
    assert "in use" in said.err


def test_an_unexpected_failure_is_short_unless_debugging(
    fraudline: Type, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(score, "_exit_code", broken)
    said = fraudline("score", two, "-r", "expenses")
    assert said.code == 4
    assert "nobody thought of this" in said.err
    assert "Traceback" not in said.err
    assert "Traceback" in fraudline("--debug", "score", two, "-r", "expenses").err


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in the current folder, with the command in its .venv, and nothing on PATH."""
    command = tmp_path / "project" / ".venv" / "bin" / "fraudline"
    command.parent.mkdir(parents=True)
    command.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(command)])
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.chdir(tmp_path / "project")
    return command


def test_a_suggested_command_can_be_typed_as_it_stands(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert called() == ".venv/bin/fraudline"
    assert Options(Path("w")).command("replay") == ".venv/bin/fraudline --workspace w replay"
    monkeypatch.setattr(sys, "argv", [".venv/bin/fraudline"])
    assert called() == ".venv/bin/fraudline"
    monkeypatch.chdir(installed.parent)
    monkeypatch.setattr(sys, "argv", [str(installed)])
    assert called() == "./fraudline"
    monkeypatch.setenv("PATH", str(installed.parent))
    assert called() == "fraudline"


def test_another_installation_on_the_path_is_not_meant(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = installed.parents[3] / "bin" / "fraudline"
    other.parent.mkdir()
    other.touch(0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    assert called() == ".venv/bin/fraudline"
    other.unlink()
    other.symlink_to(installed)
    assert called() == "fraudline"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("दिल्ली — café", "दिल्ली — café"),
        ("a\x1b[31mb", "a\ufffd[31mb"),
        ("a\u202eb\tc", "a\ufffdb\ufffdc"),
        ("👩‍🍳", "👩‍🍳"),
    ],
)
def test_text_of_strangers_is_made_harmless(text: str, shown: str) -> None:
    assert safe(text) == shown
