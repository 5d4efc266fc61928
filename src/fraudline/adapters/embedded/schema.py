"""The tables of a workspace's database, and the numbered steps that bring an older file up to date."""

from __future__ import annotations

import sqlite3

from fraudline.domain.errors import NewerStore, StoreError

APPLICATION_ID = 0x46524C4E  # "FRLN" in the file's header: tells our files from other SQLite databases
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables

# What people look for: `find` repeats this condition word for word, else SQLite would not use the partial index.
FLAGGED = "(level > 0 OR outcome > 0 OR raised > 0)"

# Step n (counted from 1) makes version n out of version n - 1. A step that was released is never changed; it therefore
# spells out what it means and uses no constant that might move.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # Facts about the workspace itself.
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
        # A log belongs to a tenant and a ruleset's name.
        "CREATE TABLE logs (log INTEGER PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (tenant, name))"
        " STRICT",
        # Control entries: revisions are numbered across the workspace, so that one alone says which ruleset decided.
        # `after` is the sequence of the log's last decision before the entry.
        "CREATE TABLE control (revision INTEGER PRIMARY KEY, log INTEGER NOT NULL, after INTEGER NOT NULL,"
        " at INTEGER NOT NULL, kind TEXT NOT NULL, sha256 TEXT NOT NULL, body BLOB NOT NULL) STRICT",
        "CREATE INDEX control_log ON control (log)",
        # Where decisions came from, written once instead of in every row.
        "CREATE TABLE origins (origin INTEGER PRIMARY KEY, source TEXT NOT NULL, path TEXT NOT NULL,"
        " engine TEXT NOT NULL, data TEXT NOT NULL, UNIQUE (source, path, engine, data)) STRICT",
        # The log. The columns before `fingerprint` are what people filter and sort by. An amount in another currency
        # has no rate, so it is missing.
        "CREATE TABLE decisions (sequence INTEGER PRIMARY KEY, log INTEGER NOT NULL, id TEXT NOT NULL,"
        " occurred_at INTEGER NOT NULL, received_at INTEGER NOT NULL, revision INTEGER NOT NULL,"
        ' origin INTEGER NOT NULL, "row" INTEGER NOT NULL, account TEXT, amount INTEGER, location TEXT,'
        " merchant TEXT, description TEXT, level INTEGER NOT NULL, outcome INTEGER NOT NULL, score INTEGER NOT NULL,"
        " raised INTEGER NOT NULL, fingerprint BLOB NOT NULL, hash BLOB NOT NULL, facts BLOB NOT NULL,"
        " payload BLOB NOT NULL) STRICT",
        "CREATE UNIQUE INDEX decisions_id ON decisions (id, log)",
        "CREATE INDEX decisions_score ON decisions (score)",
        "CREATE INDEX decisions_time ON decisions (occurred_at)",
        "CREATE INDEX decisions_account ON decisions (account, occurred_at)",
        "CREATE INDEX decisions_flagged ON decisions (occurred_at) WHERE (level > 0 OR outcome > 0 OR raised > 0)",
        # Alerts wait here until the relay has sent them.
        "CREATE TABLE alerts (number INTEGER PRIMARY KEY, log INTEGER NOT NULL, id TEXT NOT NULL,"
        " transaction_id TEXT NOT NULL, body BLOB NOT NULL, sent_at INTEGER, UNIQUE (id, log)) STRICT",
        "CREATE INDEX alerts_unsent ON alerts (number) WHERE sent_at IS NULL",
        "CREATE TABLE receipts (number INTEGER PRIMARY KEY, log INTEGER NOT NULL, sha256 TEXT NOT NULL,"
        " ruleset TEXT NOT NULL, finished INTEGER NOT NULL, body BLOB NOT NULL) STRICT",
        "CREATE INDEX receipts_unfinished ON receipts (sha256, ruleset) WHERE finished = 0",
    ),
)


def version_of(connection: sqlite3.Connection) -> int:
    """The schema version of an open file, 0 where it is new and empty.

    Raises StoreError where the file is some other program's database.
    """
    application, version = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("application_id", "user_version")
    )
    if application == APPLICATION_ID:
        return version
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if application or version or not empty:
        raise StoreError("It is an SQLite database, but not one that fraudline wrote; name another --workspace.")
    return 0


def require_current(version: int, *, writable: bool) -> None:
    """Refuse a file this fraudline would not understand: a newer one always, an older one where it must not write."""
    newest = len(MIGRATIONS)
    if version > newest:
        raise NewerStore(
            f"It was written by a newer fraudline (schema version {version}; this one knows up to {newest}). "
            "Upgrade fraudline to open it, or use another --workspace; the file was not touched."
        )
    if version == 0 and not writable:
        raise StoreError("It is empty: nothing was decided in this workspace yet. Begin with fraudline score FILE.")
    if version < newest and not writable:
        raise StoreError(
            f"It was written by an older fraudline (schema version {version}; this one needs {newest}). "
            "The next command that writes, such as fraudline score, brings it up to date."
        )


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Run the steps that are missing, each in a transaction of its own: a crash leaves a whole version behind."""
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
