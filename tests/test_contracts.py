"""Each import contract of pyproject.toml bites: one violation is planted in a copy of the package, and it is named."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONTRACTS: dict[str, str] = {
    contract["id"]: contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
}

# what is planted -> the files it needs, and the contracts that must break (all of them, and no other)
PLANTED: dict[str, tuple[dict[str, str], set[str]]] = {
    "a module without a layer": ({"utils.py": ""}, {"layers"}),
    "the engine calls up": ({"engine/planted.py": "import fraudline.ports"}, {"layers"}),
    "the domain calls up": ({"domain/planted.py": "import fraudline.engine.tree"}, {"layers"}),
    "adapters call sideways": ({"adapters/planted.py": "import fraudline.pipeline"}, {"layers"}),
    "the engine reads the clock": ({"engine/planted.py": "import time"}, {"purity"}),
    "the engine opens a database": ({"engine/planted.py": "def late():\n    import sqlite3"}, {"purity"}),
    "the engine draws chance": ({"engine/planted.py": "from random import random"}, {"purity"}),
    "the domain reads files": ({"domain/planted.py": "from pathlib import Path"}, {"purity"}),
    "the domain takes a dependency": ({"domain/planted.py": "import numpy"}, {"domain"}),
    "an app names an adapter": ({"apps/planted.py": "from fraudline.adapters import embedded"}, {"adapters"}),
    "one adapter family knows another": (
        {"adapters/planted/__init__.py": "from fraudline.adapters import embedded"},
        {"families"},
    ),
    "one app knows another": (
        {"apps/planted.py": "import fraudline.apps.other", "apps/other.py": ""},
        {"doors"},
    ),
    "two modules need each other": (
        {"domain/one.py": "import fraudline.domain.two", "domain/two.py": "import fraudline.domain.one"},
        {"cycles"},
    ),
}


def broken(root: Path) -> set[str]:
    """The ids of the contracts that lint-imports calls broken for the package under this folder."""
    run = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / "src"), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = dict(re.findall(r"^(.+) (KEPT|BROKEN)\b", run.stdout, re.MULTILINE))
    assert set(said) == set(CONTRACTS.values()), run.stdout + run.stderr
    assert (run.returncode == 0) == ("BROKEN" not in said.values()), run.stdout
    return {name for name, title in CONTRACTS.items() if said[title] == "BROKEN"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package and its contracts, to be spoiled."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_package_keeps_every_contract(copy: Path) -> None:
    assert broken(copy) == set()


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_violation_is_named(copy: Path, planted: str) -> None:
    files, expected = PLANTED[planted]
    for name, text in files.items():
        path = copy / "src" / "fraudline" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n", "utf-8")
    assert broken(copy) == expected


def test_every_contract_is_broken_once() -> None:
    assert set().union(*(expected for _, expected in PLANTED.values())) == set(CONTRACTS)
