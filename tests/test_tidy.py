"""The repository keeps itself tidy: what is tracked is small, portable, explained, and where a stranger looks."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import fraudline

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "fraudline"
LARGEST = 1_500_000
HERE = Path(__file__).name

# The words are put together here, so that this file does not find itself.
OPEN_ENDS = re.compile(
    "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X:", "NotImplemented" + "Error", r"\bx" + r"fail\b"))
)
MACHINE = re.compile(
    "|".join(("/" + "work/", "/" + "farm/", "/" + "tmp/", "/" + "root/", "/" + "home/", r"\." + "library"))
)
SILENCED = re.compile(
    r"#\s*(noqa|type:\s*ignore|ruff:\s*noqa|pragma)\b(?:[\[:][^\]#]*?[\]]|:\s*[A-Z0-9, ]+)?(?P<rest>.*)$"
)
ONE_DOOR_FOR_GENERATED_CODE = PACKAGE / "engine" / "compile.py"
LOCKS = ("*.lock", "*-lock.json", "*-lock.yaml", "*.lock.txt")


@cache
def tracked() -> tuple[Path, ...]:
    """Every file git knows or would take; in an unpacked archive, every file that is not hidden."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode:
        found = (path for path in ROOT.rglob("*") if not any(p.startswith(".") for p in path.relative_to(ROOT).parts))
    else:
        found = (ROOT / name for name in listing.stdout.decode().split("\0") if name)
    return tuple(sorted(path for path in found if path.is_file()))


@cache
def texts() -> tuple[tuple[Path, str], ...]:
    """Tracked text files with their content. Files with a NUL are data, not text."""
    found = ((path, path.read_bytes()) for path in tracked())
    return tuple((path, content.decode("utf-8")) for path, content in found if b"\0" not in content)


@cache
def parsed(text: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(text)


def modules(*folders: Path) -> Iterator[tuple[Path, str]]:
    """Python files below these folders."""
    yield from ((p, text) for p, text in texts() if p.suffix == ".py" and any(p.is_relative_to(f) for f in folders))


def place(path: Path, line: int | None = None) -> str:
    """How a finding is named."""
    return f"{path.relative_to(ROOT)}" + (f":{line}" if line else "")


def lines_matching(pattern: re.Pattern[str]) -> list[str]:
    """Where a pattern stands in tracked text, this file and the lock aside."""
    return [
        f"{place(path, number)}: {line.strip()[:100]}"
        for path, text in texts()
        if path.name != HERE and path.suffix != ".lock"
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def comments(text: str) -> Iterator[tuple[int, str]]:
    """The comments of a Python file with their lines."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def test_nothing_tracked_is_large() -> None:
    assert [place(path) for path in tracked() if path.stat().st_size > LARGEST] == []


def test_no_path_of_a_machine_stands_in_the_repository() -> None:
    assert lines_matching(MACHINE) == []


def test_nothing_is_left_open_or_skipped_for_later() -> None:
    assert lines_matching(OPEN_ENDS) == []


def test_lock_files_name_no_address() -> None:
    locks = [path for path in tracked() if any(path.match(pattern) for pattern in LOCKS)]
    assert ROOT / "requirements.lock" in locks
    assert ROOT / "uv.lock" not in locks, "uv.lock names the index it was made from: requirements.lock is the one"
    for path in locks:
        addresses = re.findall(
            r"\S*(?:://|index-url|find-links|trusted-host|pypi|pythonhosted)\S*", path.read_text("utf-8")
        )
        assert addresses == [], place(path)


def test_every_locked_package_has_a_hash() -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text("utf-8").strip())
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_uv_lock_is_ignored() -> None:
    assert "uv.lock" in (ROOT / ".gitignore").read_text("utf-8").split()


def test_text_is_utf_8_with_unix_line_ends_and_a_last_newline() -> None:
    wrong = [place(path) for path, text in texts() if "\r" in text or (text and not text.endswith("\n"))]
    assert wrong == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        place(path)
        for path, text in modules(ROOT / "src", ROOT / "tests", ROOT / "scripts")
        if not ast.get_docstring(parsed(text))
    ]
    assert silent == []


def test_every_silenced_check_gives_its_reason_on_the_line() -> None:
    bare = []
    for path, text in modules(ROOT / "src", ROOT / "tests", ROOT / "scripts"):
        for line, comment in comments(text):
            silenced = SILENCED.search(comment)
            if silenced and len(re.findall(r"[A-Za-z]{2,}", silenced["rest"])) < 2:
                bare.append(f"{place(path, line)}: {comment}")
    assert bare == []


def test_generated_code_is_made_in_one_place_only() -> None:
    for path, text in modules(PACKAGE):
        for node in ast.walk(parsed(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}:
                assert path == ONE_DOOR_FOR_GENERATED_CODE, f"{place(path, node.lineno)} runs text as code"


def test_nothing_loads_a_pickle() -> None:
    forbidden = {"pickle", "joblib", "cloudpickle", "dill", "marshal", "shelve"}
    for path, text in modules(ROOT / "src", ROOT / "scripts"):
        for node in ast.walk(parsed(text)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not forbidden & {name.partition(".")[0] for name in names}, place(
                path, getattr(node, "lineno", None)
            )


def test_only_the_doors_print() -> None:
    for path, text in modules(PACKAGE):
        if path.is_relative_to(PACKAGE / "apps"):
            continue
        for node in ast.walk(parsed(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", place(path, node.lineno)


def test_no_exception_is_swallowed_without_a_word() -> None:
    for path, text in modules(ROOT / "src", ROOT / "scripts"):
        for node in ast.walk(parsed(text)):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{place(path, node.lineno)} catches everything"


def test_tests_sit_where_the_code_sits() -> None:
    """Every tests/<folder>/test_x.py has its <folder>/x.py. Suites of ports and of whole paths have no such twin."""
    lonely = []
    for path, _ in modules(ROOT / "tests"):
        inside = path.relative_to(ROOT / "tests")
        if (
            len(inside.parts) == 1
            or not path.name.startswith("test_")
            or inside.parts[0] in {"ports", "golden", "laws"}
        ):
            continue
        twin = PACKAGE / inside.parent / path.name.removeprefix("test_")
        if not (twin.exists() or twin.with_suffix("").is_dir()):
            lonely.append(place(path))
    assert lonely == []


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    newest = re.search(r"^## (\d+\.\d+\.\d+)\b", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert project["version"] == fraudline.__version__ == newest[1]


def test_every_range_is_bounded_above() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(name for extra in project["project"]["optional-dependencies"].values() for name in extra),
        *(name for group in project["dependency-groups"].values() for name in group),
    ]
    assert [requirement for requirement in wanted if "<" not in requirement] == []


def test_every_ignored_lint_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    part = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.flake8-tidy-imports]")]
    part = re.sub(r"select = \[.*?\]", "", part, flags=re.DOTALL)
    bare = [line for line in part.splitlines() if re.search(r'"[A-Z]+\d+"', line) and "#" not in line]
    assert bare == []
