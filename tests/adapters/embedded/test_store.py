"""What the embedded store promises beyond the port: durability, several logs in a file, sentences, query plans."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fraudline.adapters.embedded import store as store_module
from fraudline.adapters.embedded.store import EmbeddedStore
from fraudline.domain.decision import Alert
from fraudline.domain.errors import StoreError, UsageError
from fraudline.ports import Query
from fraudline.testing import commit_of
from tests.ports.samples import REORDERED, RULESET, put

ROOT = Path(__file__).parents[3]
CHUNK = 50


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed database with one active ruleset."""
    path = tmp_path / "fraudline.db"
    with EmbeddedStore(path, log="payments") as store:
        store.activate(RULESET, at=5)
    return path


def ids(store: EmbeddedStore, **filters: Any) -> list[str]:
    return [decision.transaction_id for decision in store.find(Query(**filters))]


# What is stored stays


def test_everything_is_there_after_a_restart(path: Path) -> None:
    with EmbeddedStore(path, log="payments") as store:
        put(store, {"id": "T1", "score": 70}, alerts=[Alert("a", "T1", b"{}"), Alert("b", "T1", b"{}")])
        store.mark_sent("a", at=1)
        store.activate(REORDERED, at=6)
        before = store.log(), store.decided(["T1"]), store.unsent(), store.revision(), store.ruleset(2)
    with EmbeddedStore(path, log="payments") as store:
        assert (store.log(), store.decided(["T1"]), store.unsent(), store.revision(), store.ruleset(2)) == before
        assert put(store, {"id": "T2"}, revision=2) == before[0][-1].sequence + 1


def test_control_entries_stand_in_the_log_after_a_sequence(path: Path) -> None:
    with EmbeddedStore(path, log="payments") as store:
        last = put(store, {"id": "T1"}, {"id": "T2"}) + 1
        store.activate(REORDERED, at=9)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT revision, after, at, kind FROM control ORDER BY revision").fetchall()
    assert rows == [(1, 0, 5, "ruleset activated"), (2, last, 9, "ruleset activated")]


def test_commits_survive_a_power_cut(path: Path) -> None:
    """WAL alone is not enough: with `synchronous` below FULL the last commits may be gone."""
    with EmbeddedStore(path, log="payments") as store:
        connection = store._connection
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


COMMITTER = """
import sys
from pathlib import Path
from fraudline.domain.decision import Alert
from fraudline.adapters.embedded.store import EmbeddedStore
from fraudline.testing import commit_of
from tests.ports.samples import RULESET, put
store = EmbeddedStore(Path(sys.argv[1]), log="payments")
store.activate(RULESET, at=1)
for chunk in range(100_000):
    put(store, *({"id": f"{chunk}:{n}"} for n in range(50)), alerts=[Alert(str(chunk), "T", b"")])
    print(chunk, flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_writer_leaves_whole_chunks_and_all_it_acknowledged(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "fraudline.db"
    chance = random.Random(seed)
    with subprocess.Popen(
        [sys.executable, "-c", COMMITTER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as committer:
        assert committer.stdout is not None
        said = [committer.stdout.readline() for _ in range(chance.randrange(1, 30))]
        time.sleep(chance.random() / 50)
        committer.kill()
        said += committer.stdout.readlines()
    assert said[0] == "0\n"
    with EmbeddedStore(path, log="payments", read_only=True) as reader:
        assert len(reader.log(limit=1_000_000)) >= len(said) * CHUNK
    with EmbeddedStore(path, log="payments") as store:
        stored = [decision.transaction_id for decision in store.log(limit=1_000_000)]
        chunks = len(stored) // CHUNK
        assert chunks in (len(said), len(said) + 1)
        assert stored == [f"{chunk}:{n}" for chunk in range(chunks) for n in range(CHUNK)]
        assert len(store.unsent(limit=1_000_000)) == chunks
        assert store._connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# Several logs in one file


@pytest.fixture
def three(path: Path) -> Path:
    """Two logs of one tenant and one of another, all of them with a transaction T1."""
    with EmbeddedStore(path, log="payments") as store:
        put(store, {"id": "T1", "score": 10, "fired": ["large"]}, alerts=[Alert("a", "T1", b"{}")])
    with EmbeddedStore(path, log="cards") as store:
        revision = store.activate(msgspec.structs.replace(REORDERED, name="cards"), at=6)
        put(store, {"id": "T1", "score": 20, "fired": ["large"]}, {"id": "T2"}, revision=revision)
    with EmbeddedStore(path, tenant="other", log="payments") as store:
        revision = store.activate(RULESET, at=7)
        put(store, {"id": "T1", "score": 30}, revision=revision, alerts=[Alert("a", "T1", b"{}")])
    return path


def test_a_log_knows_its_own_transactions_only(three: Path) -> None:
    with EmbeddedStore(three, log="cards") as store:
        assert set(store.decided(["T1", "T2"])) == {"T1", "T2"}
        assert [d.sequence for d in store.log()] == [2, 3]
        assert store.revision() == 2
        assert store.unsent() == []
    with EmbeddedStore(three, log="payments", read_only=True) as store:
        assert set(store.decided(["T1", "T2"])) == {"T1"}
        assert ids(store) == ["T1"]
        with pytest.raises(StoreError, match="revision 2"):
            store.ruleset(2)


def test_a_reader_without_a_log_sees_all_logs_of_its_tenant(three: Path) -> None:
    with EmbeddedStore(three, read_only=True) as store:
        assert [(d.sequence, d.revision) for d in store.log()] == [(1, 1), (2, 2), (3, 2)]
        assert [d.sequence for d in store.find(Query(sort="score"))] == [3, 1, 2]
        assert [d.sequence for d in store.find(Query(rule="large", sort="score"))] == [1, 2]
        assert store.decisions(["T1"])["T1"].sequence == 2
        assert [store.ruleset(d.revision).name for d in store.log()] == ["payments", "cards", "cards"]
        assert len(store.unsent()) == 1
        with pytest.raises(UsageError, match="name the ruleset's log"):
            store.decided(["T1"])


def test_alerts_are_marked_in_their_own_tenants_outbox(three: Path) -> None:
    with EmbeddedStore(three, log="payments") as store:
        store.mark_sent("a", at=1)
        assert store.unsent() == []
    with EmbeddedStore(three, tenant="other", read_only=True) as store:
        assert [alert.id for alert in store.unsent()] == ["a"]


def test_a_log_nobody_wrote_is_empty(path: Path) -> None:
    with EmbeddedStore(path, log="cards", read_only=True) as store:
        assert (store.log(), store.decided(["T1"]), store.revision(), ids(store)) == ([], {}, 0, [])


# Failing


def test_a_reader_cannot_write(path: Path) -> None:
    with EmbeddedStore(path, log="payments", read_only=True) as store:
        for write in (lambda: put(store, {"id": "T1"}), lambda: store.set_meta("a", "b")):
            with pytest.raises(StoreError, match="opened for reading only"):
                write()


def test_a_full_disk_writes_nothing_of_the_chunk(path: Path) -> None:
    with EmbeddedStore(path, log="payments") as store:
        put(store, {"id": "T1"})
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        chunk = [{"id": f"U{n}", "description": "x" * 500} for n in range(200)]
        with pytest.raises(StoreError, match=r"the disk is full.*nothing is left half-written"):
            put(store, *chunk, alerts=[Alert("a", "U1", b"{}")])
        assert [d.transaction_id for d in store.log()] == ["T1"]
        assert store.unsent() == []
        store._connection.execute("PRAGMA max_page_count = 1000000")
        assert put(store, *chunk) == 2
    with EmbeddedStore(path, log="payments") as store:
        assert len(store.log()) == 201


def test_a_file_that_became_read_only_is_a_sentence(path: Path) -> None:
    with EmbeddedStore(path, log="payments") as store:
        store._connection.execute("PRAGMA query_only = 1")
        with pytest.raises(StoreError, match="it is read-only here"):
            put(store, {"id": "T1"})
        assert store.log() == []


def test_a_lock_of_another_program_is_a_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "BUSY_SECONDS", 0.05)
    with EmbeddedStore(path, log="payments") as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program holds it locked"):
            put(store, {"id": "T1"})
        other.rollback()
        assert put(store, {"id": "T1"}) == 1


@pytest.mark.parametrize("replaced", [False, True])
def test_a_deleted_database_takes_no_more_commits(path: Path, replaced: bool) -> None:
    """SQLite would write on into the deleted file, and what was acknowledged would be gone."""
    with EmbeddedStore(path, log="payments") as store:
        put(store, {"id": "T1"})
        path.unlink()
        if replaced:
            path.write_bytes(b"")
        with pytest.raises(StoreError, match="deleted or replaced while it was in use"):
            put(store, {"id": "T2"})


def test_damaged_pages_are_a_sentence(path: Path) -> None:
    with EmbeddedStore(path, log="payments") as store:
        put(store, *({"id": f"T{n}", "description": "x" * 200} for n in range(500)))
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    with (
        pytest.raises(StoreError, match=r"damaged.*backup"),
        EmbeddedStore(path, log="payments", read_only=True) as store,
    ):
        store.log()


def test_a_value_of_the_wrong_type_writes_nothing(path: Path) -> None:
    with EmbeddedStore(path, log="payments") as store:
        with pytest.raises(StoreError, match="refused a chunk of 2 decisions, nothing of it"):
            put(store, {"id": "T1"}, {"id": "T2", "amount": "12.50"})
        assert store.log() == []


def test_columns_of_unequal_length_write_nothing(path: Path) -> None:
    with EmbeddedStore(path, log="payments") as store:
        commit = commit_of(RULESET, 1, [{"id": f"T{n}", "occurred_at": n, "amount": n} for n in range(3)])
        commit.scores.pop()
        with pytest.raises(ValueError, match="shorter"):
            store.commit(commit)
        assert store.log() == []
        assert put(store, {"id": "T1"}) == 1


def test_an_old_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "OLDEST_SQLITE", (99, 0, 0))
    with pytest.raises(StoreError, match=r"needs SQLite 99\.0\.0"):
        EmbeddedStore(path, log="payments")
    monkeypatch.undo()
    EmbeddedStore(path, log="payments").close()


# How questions are answered


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "decisions_score"),
        ({"sort": "score"}, "decisions_score"),
        ({"level": "high"}, "decisions_score"),
        ({"sort": "-time"}, "decisions_time"),
        ({"sort": "time", "since": 5, "until": 9}, "decisions_time"),
        ({"account": "A1"}, "decisions_account"),
        ({"account": "A1", "sort": "-time", "since": 5}, "decisions_account"),
        ({"level": "high", "sort": "-time"}, "decisions_flagged"),
        ({"outcome": "review", "sort": "time"}, "decisions_flagged"),
        ({"outcome": "decline", "sort": "-time", "since": 5}, "decisions_flagged"),
    ],
    ids=str,
)
def test_lists_people_look_at_are_read_from_an_index(path: Path, filters: dict[str, Any], index: str) -> None:
    with EmbeddedStore(path, log="payments") as store:
        put(store, *({"id": f"T{n}", "score": n % 100, "account": f"A{n}"} for n in range(1_000)))
        plan = store.plan(Query(**filters))
    assert any(index in step for step in plan), plan
    sorted_apart = any("TEMP B-TREE" in step for step in plan)
    assert sorted_apart == (filters == {"account": "A1"}), plan


def test_ids_are_looked_up_in_the_unique_index(path: Path) -> None:
    with EmbeddedStore(path, log="payments") as store:
        traced: list[str] = []
        store._connection.set_trace_callback(traced.append)
        store.decided(["T1", "T2"])
        store._connection.set_trace_callback(None)
        (sql,) = (text for text in traced if "fingerprint" in text)
        plan = [row[3] for row in store._connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert any("decisions_id (id=? AND log=?)" in step for step in plan), plan
