"""Files of other versions and other programs: brought up to date, or refused with a sentence and left alone."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fraudline.adapters.embedded import schema
from fraudline.adapters.embedded.store import EmbeddedStore
from fraudline.domain.errors import NewerStore, StoreError
from tests.ports.samples import RULESET, put

NEXT_VERSION = len(schema.MIGRATIONS) + 1
A_STEP = ("ALTER TABLE meta ADD COLUMN note TEXT", "UPDATE meta SET note = 'was ' || value")
A_BROKEN_STEP = (*A_STEP, "ALTER TABLE nobody ADD COLUMN note TEXT")


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A closed database of the present version, which a test makes the older one by adding a step."""
    path = tmp_path / "fraudline.db"
    with EmbeddedStore(path, log="payments") as store:
        store.activate(RULESET, at=1)
        put(store, {"id": "T1"}, {"id": "T2"})
        store.set_meta("name", "books")
    return path


def pragma(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_new_file_is_marked_as_ours(older: Path) -> None:
    assert pragma(older, "application_id") == schema.APPLICATION_ID
    assert pragma(older, "user_version") == len(schema.MIGRATIONS)


def test_an_older_file_is_migrated_and_keeps_its_log(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, A_STEP))
    with EmbeddedStore(older, log="payments") as store:
        assert [d.transaction_id for d in store.log()] == ["T1", "T2"]
        assert store.meta("name") == "books"
    assert pragma(older, "user_version") == NEXT_VERSION
    with closing(sqlite3.connect(older)) as connection:
        assert connection.execute("SELECT note FROM meta").fetchall() == [("was books",)]
    EmbeddedStore(older, log="payments").close()


def test_a_step_that_fails_leaves_the_older_version_whole(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, A_BROKEN_STEP))
        with pytest.raises(StoreError, match="nobody"):
            EmbeddedStore(older, log="payments")
    assert pragma(older, "user_version") == len(schema.MIGRATIONS)
    with EmbeddedStore(older, log="payments") as store:
        assert store.meta("name") == "books"


def test_a_reader_leaves_an_older_file_to_the_next_writer(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, A_STEP))
    with pytest.raises(StoreError, match=r"older fraudline \(schema version 1; this one needs 2\).*fraudline score"):
        EmbeddedStore(older, read_only=True)


def test_a_reader_of_an_empty_file_is_told_how_to_begin(tmp_path: Path) -> None:
    path = tmp_path / "fraudline.db"
    path.touch()
    with pytest.raises(StoreError, match="nothing was decided in this workspace yet"):
        EmbeddedStore(path, read_only=True)
    EmbeddedStore(path, log="payments").close()
    EmbeddedStore(path, read_only=True).close()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_file_is_refused_and_not_touched(older: Path, read_only: bool) -> None:
    with closing(sqlite3.connect(older)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = digest(older)
    with pytest.raises(NewerStore, match=r"newer fraudline \(schema version 99; this one knows up to 1\).*Upgrade"):
        EmbeddedStore(older, log="payments", read_only=read_only)
    assert digest(older) == before


def _other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (id INTEGER PRIMARY KEY)")


def _other_application(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 77")


def _text(path: Path) -> None:
    path.write_text("transaction_id,amount\n" * 100)


def _truncated(path: Path) -> None:
    with EmbeddedStore(path, log="payments") as store:
        store.activate(RULESET, at=1)
    path.write_bytes(path.read_bytes()[:1_000])


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_other_database, "not one that fraudline wrote"),
        (_other_application, "not one that fraudline wrote"),
        (_text, "not an SQLite database"),
        (_truncated, "damaged|not an SQLite database"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_not_touched(
    tmp_path: Path, make: Callable[[Path], None], sentence: str, read_only: bool
) -> None:
    path = tmp_path / "fraudline.db"
    make(path)
    before = digest(path)
    with pytest.raises(StoreError, match=f"{path}.*({sentence}).*--workspace"):
        EmbeddedStore(path, log="payments", read_only=read_only)
    assert digest(path) == before
