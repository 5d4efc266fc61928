"""`replay`: what it says when all is well, and when a decision was touched."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest

from tests.apps.cli.conftest import Type


@pytest.fixture
def scored(fraudline: Type, two: Path) -> Type:
    assert fraudline("score", two, "-r", "expenses").code == 0
    return fraudline


def touch(workspace: Path, *, hash_too: bool) -> None:
    """Change the score that is stored for TXN001."""
    with sqlite3.connect(workspace / "fraudline.db") as database:
        (facts,) = database.execute("SELECT facts FROM decisions WHERE id = 'TXN001'").fetchone()
        changed = facts[:3] + bytes([20]) + facts[4:]
        database.execute("UPDATE decisions SET facts = ? WHERE id = 'TXN001'", (changed,))
        if hash_too:
            digest = hashlib.sha256(changed).digest()
            database.execute("UPDATE decisions SET hash = ? WHERE id = 'TXN001'", (digest,))
    database.close()


def test_an_untouched_log_repeats_byte_for_byte(scored: Type) -> None:
    assert "2 decisions repeated, all identical" in scored("replay").out
    assert "identical" in scored("replay", "TXN002").out


def test_a_touched_decision_is_named_field_by_field(scored: Type, workspace: Path) -> None:
    touch(workspace, hash_too=True)
    said = scored("replay")
    assert said.code == 1
    assert "TXN001 (number 1) differs" in said.out
    assert "score: stored 20, now 85" in said.out
    assert "1 of 2" in said.out
    assert scored("replay", "TXN001").code == 1
    assert scored("replay", "TXN002").code == 0


def test_facts_that_do_not_match_their_hash_are_a_difference(scored: Type, workspace: Path) -> None:
    touch(workspace, hash_too=False)
    said = scored("replay")
    assert said.code == 1
    assert "hash: stored" in said.out


def test_an_unknown_id_is_wrong_usage(scored: Type) -> None:
    assert scored("replay", "TXN009").code == 2
