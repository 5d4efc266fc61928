"""Writes the generated parts of the documentation: commands, shipped rulesets, the rule language, exit codes.

A page marks where a part goes, and everything between the two marks is replaced:

    <!-- generated: commands -->
    <!-- end of generated part -->

`python scripts/docs.py` writes, `--check` only says what is stale and exits with 1.
"""

from __future__ import annotations

import enum
import json
import os
import re
import subprocess
import sys
import tempfile
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MARKED = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n).*?(<!-- end of generated part -->)", re.DOTALL)


def pages() -> list[Path]:
    """Every page of the documentation, the README first."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table; bars inside cells are escaped."""
    lines: list[tuple[str, ...]] = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


# ---- commands ------------------------------------------------------------------------------------------------------


def application() -> Any:
    """The command line as a tree of commands. Any: typer carries its own copy of click, which has no stable type."""
    import typer

    from fraudline.apps.cli import app

    return typer.main.get_command(app)


def walk(command: Any, path: tuple[str, ...] = ("fraudline",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every visible command below this one with its path, the groups included, in order of `--help`."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield from walk(child, (*path, name))


def options(command: Any) -> list[Any]:
    """The visible options of a command, without those that every shell completion adds."""
    hidden = {"install_completion", "show_completion", "help"}
    return [p for p in command.params if p.opts[0].startswith("-") and p.name not in hidden and not p.hidden]


def arguments(command: Any) -> list[Any]:
    """The positional arguments of a command."""
    return [p for p in command.params if not p.opts[0].startswith("-") and not p.hidden]


def usage(path: tuple[str, ...], command: Any) -> str:
    """How a command is typed."""
    words = [*path]
    for argument in arguments(command):
        name = (argument.metavar or argument.name).upper() + ("..." if argument.nargs == -1 else "")
        words.append(name if argument.required else f"[{name}]")
    if hasattr(command, "commands"):
        words.append("COMMAND")
    return " ".join(words)


def sentence(text: str | None) -> str:
    """Help text as one line of Markdown."""
    return " ".join((text or "").replace("\b", "").split())


def default_of(parameter: Any) -> str:
    """What an option is when it is not given, as a reader would type it."""
    value = parameter.default.value if isinstance(parameter.default, enum.Enum) else parameter.default
    if value is None or value is False or callable(value) or value in ((), []):
        return ""
    return f"`{value}`" if value is not True else "yes"


def choices(parameter: Any) -> str:
    """The words an option can be, where it can only be some."""
    written = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    for kind in (written, *typing.get_args(written)):
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return ": " + ", ".join(f"`{member.value}`" for member in kind)
        if typing.get_origin(kind) is typing.Literal:
            return ": " + ", ".join(f"`{word}`" for word in typing.get_args(kind))
    return ""


def parameter_rows(command: Any) -> list[tuple[str, str, str]]:
    """One row for each argument and option: how it is written, what it does, its default."""
    rows = []
    for parameter in [*arguments(command), *options(command)]:
        positional = not parameter.opts[0].startswith("-")
        names = [parameter.metavar or parameter.name.upper()] if positional else parameter.opts
        written = ", ".join(f"`{name}`" for name in (*names, *parameter.secondary_opts))
        environment = f" (or `{parameter.envvar}`)" if isinstance(parameter.envvar, str) else ""
        does = sentence(getattr(parameter, "help", "")).rstrip(".") + choices(parameter) + environment
        rows.append((written, does, default_of(parameter)))
    return rows


def commands() -> str:
    """The whole command line: usage, help and options of each command."""
    parts = []
    for path, command in walk(application()):
        parts.append(f"{'#' * min(4, len(path) + 1)} `{' '.join(path)}`\n")
        parts.append(f"    {usage(path, command)}\n")
        parts.append("\n\n".join(sentence(paragraph) for paragraph in (command.help or "").split("\n\n")) + "\n")
        if rows := parameter_rows(command):
            parts.append(table(("", "what it does", "default"), rows))
    return "\n".join(parts)


# ---- rulesets and their language -----------------------------------------------------------------------------------


def shipped() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and document of each shipped ruleset, every scalar as the text that stands in the file."""
    import yaml

    for file in sorted((ROOT / "src" / "fraudline" / "rulesets").glob("*.yaml")):
        document = yaml.load(file.read_text("utf-8"), yaml.BaseLoader)  # noqa: S506 - BaseLoader makes text only
        yield file.stem, document


def rulesets() -> str:
    """Every rule of every shipped ruleset with its condition, its points and its reason."""
    parts = []
    for name, document in shipped():
        rules = document["rules"]
        parts.append(f"## `{name}`\n")
        parts.append(f"{document['description']}. Currency {document['currency']}, {len(rules)} rules.\n")
        parts.append(
            table(
                ("rule", "fires when", "points", "it says"),
                [
                    (
                        f"`{rule['id']}`",
                        f"`{' '.join(rule['when'].split())}`",
                        rule.get("points", "") + (f" {rule['outcome']}" if "outcome" in rule else ""),
                        f"{rule['reason']}",
                    )
                    for rule in rules
                ],
            )
        )
    return "\n".join(parts)


def functions() -> str:
    """What may be called in a rule, as the parser itself knows it."""
    from fraudline.engine.tree import FUNCTIONS, WINDOWS, WITHOUT_VALUE

    windows = [(f"`{n}({'' if n in WITHOUT_VALUE else 'x, '}by=...)`", f"`{t}`") for n, t in WINDOWS.items()]
    scalars = [(f"`{name}`", f"`{signature}`") for name, signature in FUNCTIONS.items()]
    return f"{table(('window', 'gives'), windows)}\n{table(('function', 'takes and gives'), scalars)}"


def fields() -> str:
    """The fields every ruleset may use, by kind."""
    from fraudline.domain.transaction import FIELDS

    kinds: dict[str, list[str]] = {}
    for name, kind in FIELDS.items():
        kinds.setdefault(kind, []).append(f"`{name}`")
    return table(("kind", "fields"), [(kind, ", ".join(names)) for kind, names in kinds.items()])


def causes() -> str:
    """Why a decision may be degraded."""
    from fraudline.domain.decision import DEGRADED

    return ", ".join(f"`{cause}`" for cause in DEGRADED) + "\n"


SAMPLE = ROOT / "examples" / "sample_transactions.csv"
ENVELOPE = frozenset({"schema", "tenant", "sequence", "received_at", "source", "row", "path"}) | frozenset(
    {"consistency", "engine", "hash"}
)


def decision() -> str:
    """The body of a real decision: the first row of the sample file, through the real command."""
    first = SAMPLE.read_text("utf-8").splitlines()[:2]
    with tempfile.TemporaryDirectory() as workspace:
        said = fraudline(workspace, "score", "-", "--ruleset", "expenses", "--format", "jsonl", given="\n".join(first))
    body = {key: value for key, value in json.loads(said).items() if key not in ENVELOPE}
    return f"```json\n{json.dumps(body, indent=2, ensure_ascii=False)}\n```\n"


def explained() -> str:
    """What a person reads about the first row of the sample file: the verdict, why, and what could not be known."""
    with tempfile.TemporaryDirectory() as workspace:
        fraudline(workspace, "score", str(SAMPLE), "--ruleset", "expenses")
        said = fraudline(workspace, "decisions", "show", "TXN001")
    return f"```text\n{said.split('What went before')[0].rstrip()}\n```\n"


def fraudline(workspace: str, *command: str, given: str = "") -> str:
    """What a command prints, in this workspace, on a screen of 100 columns."""
    folder = Path(sys.executable).parent
    path = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"  # so that it calls itself by its name
    run = subprocess.run(
        [folder / "fraudline", *command],
        input=given + "\n",
        env={**os.environ, "PATH": path, "FRAUDLINE_WORKSPACE": workspace, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "rulesets": rulesets,
    "functions": functions,
    "fields": fields,
    "causes": causes,
    "decision": decision,
    "explained": explained,
}


def generated(text: str) -> str:
    """A page with all its generated parts made anew."""
    return MARKED.sub(lambda mark: f"{mark[1]}\n{PARTS[mark['name']]()}\n{mark[3]}", text)


def stale() -> list[Path]:
    """Pages that are not what this script would write."""
    return [page for page in pages() if generated(page.read_text("utf-8")) != page.read_text("utf-8")]


def main(given: list[str]) -> int:
    """Write the stale pages, or with --check only name them."""
    found = stale()
    for page in found:
        if "--check" not in given:
            page.write_text(generated(page.read_text("utf-8")), "utf-8")
        print(f"{page.relative_to(ROOT)}: {'stale; run `make docs`' if '--check' in given else 'written'}")
    return 1 if found and "--check" in given else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
