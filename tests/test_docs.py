"""The documentation and the code say the same: commands, options, rules, links, settings and generated parts."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
import urllib.parse
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^ *```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\((?P<target>[^)\s]+)[^)]*\)")


@cache
def docs() -> ModuleType:
    """The script that writes the generated parts."""
    spec = importlib.util.spec_from_file_location("fraudline_docs_script", ROOT / "scripts" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def pages() -> list[Path]:
    """Every page a reader may open."""
    found: list[Path] = docs().pages()
    return found


@cache
def commands() -> dict[tuple[str, ...], Any]:
    """Every command of the real command line by its path."""
    return dict(docs().walk(docs().application()))


@cache
def targets() -> set[str]:
    """What `make` can be asked for."""
    return set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def rules_of(ruleset: str) -> list[str] | None:
    """The rules of a shipped ruleset; None for what is not shipped."""
    document = dict(docs().shipped()).get(ruleset)
    return [rule["id"] for rule in document["rules"]] if document else None


def problem_with(line: str) -> str | None:
    """Why this command line could not be typed; None where it could. Nothing is run."""
    words = shlex.split(line, comments=True)
    stop = next((i for i, word in enumerate(words) if word in {"|", ">", ">>", "&&", ";", "2>", "<"}), len(words))
    words = words[:stop]
    path: tuple[str, ...] = (words[0],)
    given = words[1:]
    positional: list[str] = []
    while given:
        word = given.pop(0)
        command = commands()[path]
        if word.startswith("-") and word != "-":
            option = word.partition("=")[0]
            everywhere = docs().options(commands()[path[:1]])  # options of `fraudline` itself count wherever they stand
            known = {name: p for p in (*everywhere, *docs().options(command)) for name in (*p.opts, *p.secondary_opts)}
            if option not in {*known, "--help", "--version"}:
                return f"{line}: `{' '.join(path)}` has no option {option}"
            if option in known and not known[option].is_flag and "=" not in word:
                if not given:
                    return f"{line}: {option} wants a value"
                given.pop(0)
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return f"{line}: `{' '.join(path)}` has no command {word}"
            path = (*path, word)
        else:
            positional.append(word)
    return problem_with_arguments(line, path, positional)


def problem_with_arguments(line: str, path: tuple[str, ...], positional: list[str]) -> str | None:
    """Too many or too few arguments, a shipped ruleset that is not, a rule that it has not."""
    arguments = docs().arguments(commands()[path])
    most = None if any(a.nargs == -1 for a in arguments) else len(arguments)
    least = sum(1 for a in arguments if a.required)
    if "--help" not in line and (len(positional) < least or (most is not None and len(positional) > most)):
        return f"{line}: {path[-1]} takes {least} to {most or 'many'} arguments, not {len(positional)}"
    if path[-2:] == ("rules", "explain") and len(positional) == 2:
        rules = rules_of(positional[0])
        if rules is not None and positional[1] not in rules:
            return f"{line}: {positional[0]} has no rule {positional[1]}"
    return None


def command_lines() -> Iterator[tuple[Path, str]]:
    """Lines of fenced blocks that begin with `fraudline` or `make`, a prompt and a .venv/bin aside."""
    for page in pages():
        for fence in FENCE.finditer(page.read_text("utf-8")):
            if fence["language"] in {"bash", "console", "sh", "shell"}:
                for line in fence["body"].replace("\\\n", " ").splitlines():
                    typed = re.sub(r"^\s*(\$ )?(\.venv/bin/)?", "", line)
                    if re.match(r"(fraudline|make)\b", typed):
                        yield page, typed


def anchors(page: Path) -> set[str]:
    """The anchors that headings of a page make."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_generated_parts_are_fresh() -> None:
    assert docs().stale() == [], "run `make docs`"


def test_every_generated_part_stands_on_some_page() -> None:
    marked = {name for page in pages() for name in re.findall(r"<!-- generated: ([\w-]+) -->", page.read_text("utf-8"))}
    assert marked == set(docs().PARTS)


def test_a_stale_part_is_noticed() -> None:
    page = "before\n<!-- generated: causes -->\nold\n<!-- end of generated part -->\nafter\n"
    made = docs().generated(page)
    assert "old" not in made
    assert "histories_unavailable" in made
    assert made.startswith("before\n")
    assert made.endswith("after\n")
    assert docs().generated(made) == made


def test_every_command_and_option_has_its_help_and_its_place() -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    for path, command in commands().items():
        assert f"`{' '.join(path)}`" in page
        assert command.help, f"{' '.join(path)} has no help"
        for option in docs().options(command):
            assert f"`{option.opts[0]}`" in page
            assert option.help, f"{' '.join(path)} {option.opts[0]} has no help"


def test_command_lines_in_the_documentation_can_be_typed() -> None:
    wrong = []
    for page, line in command_lines():
        if line.startswith("make"):
            asked = [word for word in line.split("#")[0].split()[1:] if "=" not in word]
            problem = next((f"{line}: no such target" for word in asked if word not in targets()), None)
        else:
            problem = problem_with(line)
        if problem:
            wrong.append(f"{page.relative_to(ROOT)}: {problem}")
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("fraudline scroe x.csv", "no command"),
        ("fraudline score x.csv --rulset expenses", "no option"),
        ("fraudline score x.csv --ruleset", "wants a value"),
        ("fraudline decisions show", "takes 1 to 1"),
        ("fraudline rules explain expenses no_such_rule", "no rule"),
    ],
)
def test_a_wrong_command_line_is_noticed(line: str, says: str) -> None:
    assert says in (problem_with(line) or "nothing")


def test_every_relative_link_leads_somewhere() -> None:
    dead = []
    for page in pages():
        for link in LINK.finditer(FENCE.sub("", page.read_text("utf-8"))):
            target, _, anchor = urllib.parse.unquote(link["target"]).partition("#")
            if "://" in target or target.startswith("mailto:"):
                continue
            there = (page.parent / target).resolve() if target else page
            if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
                dead.append(f"{page.relative_to(ROOT)}: {link['target']}")
    assert dead == []


def test_every_page_can_be_reached_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    seen, open_pages = {index}, [index]
    while open_pages:
        page = open_pages.pop()
        for link in LINK.finditer(page.read_text("utf-8")):
            there = (page.parent / link["target"].partition("#")[0]).resolve()
            if there.suffix == ".md" and there.exists() and there not in seen:
                seen.add(there)
                open_pages.append(there)
    assert [page.relative_to(ROOT) for page in pages() if page.is_relative_to(ROOT / "docs") and page not in seen] == []


def test_every_shipped_rule_is_listed() -> None:
    page = (ROOT / "docs" / "reference" / "rulesets.md").read_text("utf-8")
    shipped = dict(docs().shipped())
    assert {"expenses", "payments", "cards"} <= set(shipped)
    assert sum(len(document["rules"]) for document in shipped.values()) >= 30
    for document in shipped.values():
        for rule in document["rules"]:
            assert f"`{rule['id']}`" in page


def test_every_function_and_field_of_the_language_is_explained() -> None:
    from fraudline.domain.transaction import FIELDS
    from fraudline.engine.tree import FUNCTIONS, WINDOWS

    page = docs().MARKED.sub("", (ROOT / "docs" / "reference" / "language.md").read_text("utf-8"))
    explained = set(re.findall(r"`(\w+)", page))
    assert {*FUNCTIONS, *WINDOWS} - explained == set()
    assert {"id", "occurred_at", "amount"} <= set(FIELDS) & explained


KEYS_OF = {
    "Top level": "_SECTIONS",
    "A field": "_FIELD_KEYS",
    "An attribute": "_ATTRIBUTE_KEYS",
    "A rule": "_RULE_KEYS",
}


SMALLEST = {"ruleset": "ruleset: t", "currency": "currency: USD", "rules": "rules: [{id: r, when: amount > 1}]"}


def rows_of(heading: str) -> list[tuple[str, str]]:
    """The keys of one table of the page about the ruleset file, with their examples."""
    page = (ROOT / "docs" / "reference" / "ruleset-file.md").read_text("utf-8")
    section = re.split(r"^##+ ", page.split(f"\n## {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^\| `(\w+)` \| \S[^|]+ \| `(\S[^|]*)` \|$", section, re.MULTILINE)


def document_with(heading: str, key: str, example: str) -> str:
    """A ruleset that holds one example of that page."""
    if heading == "Top level":
        return "\n".join({**SMALLEST, key: example}.values())
    if heading == "A rule":
        rule = "\n    ".join({"id": "id: r", "when": "when: amount > 1", key: example}.values())
        others = {**SMALLEST, "rules": "rules:\n  - {id: weekend, when: is_weekend()}"}
        return "\n".join(others.values()) + f"\n  - {rule}\n"
    section = "fields" if heading == "A field" else "attributes"
    return "\n".join([*SMALLEST.values(), f"{section}:", f"  {example}"])


@pytest.mark.parametrize(("heading", "known"), KEYS_OF.items())
def test_every_key_of_a_ruleset_file_stands_on_its_page_with_an_example_that_is_right(heading: str, known: str) -> None:
    from fraudline.engine import check

    rows = rows_of(heading)
    assert sorted(key for key, _ in rows) == sorted(getattr(check, known))
    for key, example in rows:
        assert re.search(rf"\b{key}:", example), example
        _, problems = check.read(document_with(heading, key, example))
        assert [str(problem) for problem in problems if problem.severity == "error"] == []


def test_rulesets_in_the_documentation_are_right_and_their_examples_hold() -> None:
    from fraudline.engine import check, examples

    tried = 0
    for page in pages():
        for fence in FENCE.finditer(page.read_text("utf-8")):
            if fence["language"] == "yaml" and fence["body"].startswith("ruleset:"):
                ruleset, problems = check.read(fence["body"])
                assert ruleset is not None, [str(problem) for problem in problems]
                assert [str(result) for result in examples.run(ruleset) if not result.passed] == []
                tried += 1
    assert tried


def test_the_bank_export_of_the_documentation_is_read_as_it_stands(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from fraudline.apps.cli import app

    page = (ROOT / "docs" / "reference" / "ruleset-file.md").read_text("utf-8").split("## A bank export from Europe")[1]
    blocks = {fence["language"]: fence["body"] for fence in FENCE.finditer(page)}
    (tmp_path / "bank.csv").write_text(blocks["text"], "windows-1252")
    (tmp_path / "bank.yaml").write_text(blocks["yaml"], "utf-8")
    words = [
        "--workspace",
        tmp_path,
        "score",
        tmp_path / "bank.csv",
        "--ruleset",
        tmp_path / "bank.yaml",
        "-f",
        "jsonl",
    ]
    said = CliRunner().invoke(app, [str(word) for word in words])
    decisions = [json.loads(line) for line in said.stdout.splitlines()]
    read = [decision["transaction"] for decision in decisions]
    assert [(row["amount"], row["balance"], row["booking_text"]) for row in read] == [
        (-80, 2000, "Lastschrift"),
        (-1234.56, 765.44, "Überweisung"),
    ]
    assert [[reason["text"] for reason in decision["reasons"]] for decision in decisions] == [
        [],
        ["-1,234.56 EUR to DE89 3704, who was never paid before"],
    ]


def test_every_setting_is_documented() -> None:
    from fraudline.settings import ELSEWHERE, NAMES, PREFIX

    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    for name in NAMES:
        assert f"| `{name}` | `{PREFIX}{name.upper()}` |" in page
    for variable in ELSEWHERE:
        assert f"| `{variable}` |" in page


def test_every_decision_record_is_complete() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text("utf-8")
        assert text.startswith(f"# {record.name[:4]} "), record.name
        for part in ("## Decided", "## Measured or rejected", "## What would change our mind"):
            assert part in text, f"{record.name} lacks {part}"
        assert len(text.splitlines()) <= 60, f"{record.name} is longer than a page"
