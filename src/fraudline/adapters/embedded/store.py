"""The log of a workspace in one SQLite file: decisions, control entries, outbox and receipts.

Durability is WAL with `synchronous=FULL`: a commit that returned survives a power cut. There is one writer, held by a
lock; readers open the file beside it and see whole chunks only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import msgspec

from fraudline.adapters.embedded.lock import WriterLock
from fraudline.adapters.embedded.schema import FLAGGED, OLDEST_SQLITE, migrate, require_current, version_of
from fraudline.domain.decision import LEVELS, OUTCOMES, Alert, Decided, Decision
from fraudline.domain.errors import Conflict, StoreError, UsageError
from fraudline.domain.receipt import MAX_LISTED, Receipt
from fraudline.domain.ruleset import Ruleset, from_canonical, require_readable
from fraudline.engine.facts import has_fired
from fraudline.engine.record import decode
from fraudline.ports import Commit, Query

BUSY_SECONDS = 10.0
SUPERSEDED = "Another version of the ruleset was activated and has decided meanwhile. Run the same command again."
PAGE_ROWS = 500  # rows a streamed query holds in memory
IDS_PER_QUERY = 1024
CACHE_KIB = 65_536  # at most, per connection: large enough for the inner pages of the indexes of some 10 M decisions
CHECKPOINT_PAGES = 16_000  # 64 MB: pages of the indexes that many chunks touch are then copied back once, not each time

ORDERS = {
    "score": "score, sequence",
    "-score": "score DESC, sequence DESC",
    "time": "occurred_at, sequence",
    "-time": "occurred_at DESC, sequence DESC",
    "amount": "amount, sequence",
    "-amount": "amount DESC, sequence DESC",
}

# The rows of the logs a store sees. The plus sign keeps SQLite from searching by log: the other conditions select more.
VISIBLE = "+log IN (SELECT log FROM logs WHERE tenant = ?1 AND name = ifnull(?2, name))"

_INSERT_DECISION = (
    "INSERT INTO decisions (sequence, log, id, occurred_at, received_at, revision, origin, row, account, amount,"
    " location, merchant, description, level, outcome, score, raised, fingerprint, hash, facts, payload)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_SELECT_DECISION = (
    "SELECT sequence, id, fingerprint, received_at, occurred_at, revision, row, origin, facts, hash, payload"
    " FROM decisions"
)
# What a search by text looks through, as one text: Python is then called once a row, not once a column.
_SEARCHED = " || char(31) || ".join(
    ("id", *(f"ifnull({column}, '')" for column in ("account", "merchant", "location", "description")))
)

# What SQLite's error names mean, as the end of a sentence and what to do about it.
_MEANINGS = {
    "SQLITE_FULL": "the disk is full. Free some space and run the same command again; nothing is left half-written.",
    "SQLITE_READONLY": "it is read-only here, and SQLite writes beside a file even to read it. Copy the workspace"
    " to a folder this user may write to, or name another with --workspace.",
    "SQLITE_IOERR": "the disk reported an input/output error. Check the disk and its free space, then try again.",
    "SQLITE_BUSY": "another program holds it locked. Close what has it open, then try again.",
    "SQLITE_LOCKED": "another program holds it locked. Close what has it open, then try again.",
    "SQLITE_CORRUPT": "its content is damaged. Restore it from a backup, or use another --workspace.",
    "SQLITE_NOTADB": "it is not an SQLite database. Restore it from a backup, or use another --workspace.",
    "SQLITE_CANTOPEN": "it cannot be opened. Check that the folder exists and that this user may read and write it.",
    "SQLITE_PERM": "this user may not open it. Check the permissions of the file and its folder.",
}


class EmbeddedStore:
    """A `ports.Store` over one SQLite file.

    A store with a `log` (the ruleset's name) sees that log; a reader without one sees all logs of its tenant. The
    writer takes the workspace's lock and keeps it until `close`.
    """

    def __init__(self, path: Path, *, tenant: str = "default", log: str | None = None, read_only: bool = False) -> None:
        self._path = path
        self._tenant = tenant
        self._name = log
        self._read_only = read_only
        self._rulesets: dict[int, Ruleset] = {}
        self._origins: dict[int, tuple[str, str, str, str]] = {}
        self._rule_positions: dict[int, dict[str, int]] = {}
        self._lock = None if read_only else WriterLock(path.with_suffix(".lock"))
        try:
            self._connection = self._open()
        except BaseException:
            self._release()
            raise
        self._identity = self._file_identity()

    # Opening and closing

    def _open(self) -> sqlite3.Connection:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            needed = ".".join(map(str, OLDEST_SQLITE))
            raise StoreError(
                f"fraudline needs SQLite {needed} or newer, this Python brings {sqlite3.sqlite_version}. "
                "Use a Python with a newer SQLite."
            )
        connection = self._connect("ro" if self._read_only else "rwc")
        try:
            with self._translated("opened"):
                self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        if mode == "ro" and not self._path.exists():
            raise StoreError(
                f"There is no database {self._path}: nothing was decided in this workspace yet. "
                "Begin with fraudline score FILE, or name another --workspace."
            )
        with self._translated("opened"):
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS, isolation_level=None
            )
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.create_function("fired", 3, self._fired, deterministic=True)
        connection.create_function("folded", 1, _folded, deterministic=True)
        connection.create_function("mentions", 2, _mentions, deterministic=True)
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        try:
            version = version_of(connection)
            require_current(version, writable=not self._read_only)
        except StoreError as error:
            raise type(error)(f"{self._path} cannot be opened. {error}") from error
        if self._read_only:
            return
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        migrate(connection, version)
        if self._name is not None:
            connection.execute("INSERT OR IGNORE INTO logs (tenant, name) VALUES (?, ?)", (self._tenant, self._name))

    def close(self) -> None:
        """Release the writer's lock and the files."""
        self._connection.close()
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> EmbeddedStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Failing

    @contextmanager
    def _translated(self, done: str) -> Iterator[None]:
        """Turn SQLite's errors into sentences that name the file."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "") or ""
            meaning = next((text for start, text in _MEANINGS.items() if name.startswith(start)), f"{error}.")
            raise StoreError(f"{self._path} could not be {done}: {meaning}") from error

    def _file_identity(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block is written, or nothing of it."""
        if self._read_only:
            raise StoreError(f"{self._path} was opened for reading only.")
        # SQLite would go on writing into a deleted file, and everything would be gone with the process.
        if self._file_identity() != self._identity:
            raise StoreError(f"{self._path} was deleted or replaced while it was in use; nothing was written to it.")
        with self._translated("written"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    # Logs

    def _own_log(self) -> int:
        if self._name is None:
            raise UsageError("This store was opened over all logs; name the ruleset's log to look up or write in it.")
        row = self._connection.execute(
            "SELECT log FROM logs WHERE tenant = ? AND name = ?", (self._tenant, self._name)
        ).fetchone()
        return int(row[0]) if row else 0

    def _seen(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Run a statement over the logs this store sees: `{visible}` stands for them, other values count from ?3."""
        return self._connection.execute(sql.replace("{visible}", VISIBLE), (self._tenant, self._name, *values))

    # Decisions

    def decided(self, ids: Sequence[str]) -> dict[str, Decided]:
        """Which of these ids are decided already, and with what content."""
        sql = (
            "SELECT id, fingerprint, sequence, revision, source, row, level, outcome, raised"
            " FROM decisions JOIN origins USING (origin) WHERE log = ? AND id IN ({})"
        )
        found = {}
        with self._translated("read"):
            log = self._own_log()
            for marks, values in _chunks(ids):
                for id_, *columns in self._connection.execute(sql.format(marks), (log, *values)):
                    columns[-1] = bool(columns[-1])
                    found[id_] = Decided(*columns)
        return found

    def commit(self, commit: Commit) -> int:
        """Write one chunk atomically and durably; the sequence of its first decision."""
        self.ruleset(commit.revision)
        with self._transaction() as connection:
            log = self._own_log()
            self._require_current(connection, log, commit)
            first = _next(connection, "SELECT max(sequence) FROM decisions")
            rows = _decision_rows(commit, first, log, self._origin(commit))
            alerts = [(log, alert.id, alert.transaction_id, alert.body) for alert in commit.alerts]
            try:
                connection.executemany(_INSERT_DECISION, rows)
                connection.executemany("INSERT INTO alerts (log, id, transaction_id, body) VALUES (?, ?, ?, ?)", alerts)
            except sqlite3.IntegrityError as error:
                connection.execute("ROLLBACK")
                raise self._refusal(commit, error) from error
        return first

    @staticmethod
    def _require_current(connection: sqlite3.Connection, log: int, commit: Commit) -> None:
        """The lock keeps other writers out; where it was lost (a network drive), a stale decision is refused here."""
        if commit.after is None:
            return
        sql = "SELECT sequence, revision FROM decisions WHERE sequence >= ? AND +log = ? ORDER BY sequence LIMIT 2"
        found = connection.execute(sql, (commit.after, log)).fetchall()
        if [sequence for sequence, _ in found] != ([commit.after] if commit.after else []):
            raise Conflict(
                f"A chunk of {len(commit.batch)} decisions was not written: the log moved on since its histories were "
                "read. Look the ids up and decide again."
            )
        if found and found[0][1] > commit.revision:
            raise StoreError(SUPERSEDED)

    def _origin(self, commit: Commit) -> int:
        values = (commit.source, commit.path, commit.engine, commit.data)
        sql = "SELECT origin FROM origins WHERE source = ? AND path = ? AND engine = ? AND data = ?"
        row = self._connection.execute(sql, values).fetchone()
        if row is None:
            sql = "INSERT INTO origins (source, path, engine, data) VALUES (?, ?, ?, ?) RETURNING origin"
            row = self._connection.execute(sql, values).fetchone()
        return int(row[0])

    def _refusal(self, commit: Commit, error: sqlite3.IntegrityError) -> StoreError:
        if not str(error).startswith("UNIQUE"):
            return StoreError(f"{self._path} refused a chunk of {len(commit.batch)} decisions, nothing of it: {error}.")
        ids = commit.batch.ids
        stored = next(iter(self.decided(ids)), None)
        if stored is not None:
            what = f"transaction {stored!r} is stored already"
        elif len(set(ids)) < len(ids):
            what = f"transaction {next(i for n, i in enumerate(ids) if i in ids[:n])!r} stands in it twice"
        else:
            what = "one of its alerts is stored already"
        return Conflict(f"A chunk of {len(ids)} decisions was not written: {what}. Look the ids up and decide again.")

    def decisions(self, ids: Sequence[str]) -> dict[str, Decision]:
        """The stored decisions of these ids; the newest one where several logs hold an id."""
        found = {}
        with self._translated("read"):
            for marks, values in _chunks(ids):
                sql = f"{_SELECT_DECISION} WHERE {{visible}} AND id IN ({marks}) ORDER BY sequence"
                for row in self._seen(sql, *values):
                    found[row[1]] = self._decision(row)
        return found

    def log(self, after: int = 0, limit: int = 10_000) -> list[Decision]:
        """Stored decisions in order of sequence, after this one."""
        sql = f"{_SELECT_DECISION} WHERE {{visible}} AND sequence > ? ORDER BY sequence LIMIT ?"
        with self._translated("read"):
            return [self._decision(row) for row in self._seen(sql, after, limit)]

    def find(self, query: Query) -> Iterator[Decision]:
        """Decisions by filter, a page at a time, as they stood when the first one was asked for."""
        sql, values = self._question(query)
        if query.rule is not None:
            self._learn_rules()
        return self._stream(sql, values)

    def plan(self, query: Query) -> list[str]:
        """How SQLite answers a query: which indexes it reads, what it sorts. For tests and for slow lists."""
        sql, values = self._question(query)
        with self._translated("read"):
            return [str(row[3]) for row in self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]

    def _question(self, query: Query) -> tuple[str, list[Any]]:
        where, values = conditions(query)
        order = _order(query.sort)
        sql = f"{_SELECT_DECISION} WHERE {' AND '.join([VISIBLE, *where])} ORDER BY {order} LIMIT ? OFFSET ?"
        limit = -1 if query.limit is None else query.limit
        return sql, [self._tenant, self._name, *values, limit, query.offset]

    def _stream(self, sql: str, values: list[Any]) -> Iterator[Decision]:
        # A connection of its own: a slow reader keeps its snapshot and never stands in the way of a commit.
        with closing(self._connect("ro")) as connection, self._translated("read"):
            cursor = connection.execute(sql, values)
            while rows := cursor.fetchmany(PAGE_ROWS):
                yield from map(self._decision, rows)

    def _decision(self, row: tuple[Any, ...]) -> Decision:
        sequence, id_, fingerprint, received_at, occurred_at, revision, position, origin, facts, digest, payload = row
        source, path, engine, data = self._origins.get(origin) or self._learn_origin(origin)
        return Decision(
            sequence=sequence,
            transaction_id=id_,
            fingerprint=fingerprint,
            received_at=received_at,
            occurred_at=occurred_at,
            revision=revision,
            source=source,
            row=position,
            path=path,
            engine=engine,
            transaction=decode(payload, self._rulesets.get(revision) or self.ruleset(revision)),
            facts=facts,
            hash=digest,
            data=data,
        )

    def _learn_origin(self, origin: int) -> tuple[str, str, str, str]:
        sql = "SELECT source, path, engine, data FROM origins WHERE origin = ?"
        source, path, engine, data = self._connection.execute(sql, (origin,)).fetchone()
        self._origins[origin] = (source, path, engine, data)
        return self._origins[origin]

    def _learn_rules(self) -> None:
        """Know where each rule stands in each revision, before SQLite asks `_fired` about it."""
        with self._translated("read"):
            revisions = self._seen("SELECT revision FROM control WHERE {visible}").fetchall()
        for (revision,) in revisions:
            if revision not in self._rule_positions:
                rules = self.ruleset(revision).rules
                self._rule_positions[revision] = {rule.id: position for position, rule in enumerate(rules)}

    def _fired(self, facts: bytes, revision: int, rule: str) -> bool:
        position = self._rule_positions.get(revision, {}).get(rule)
        return position is not None and has_fired(facts, position)

    def count(self, source: str | None = None) -> int:
        """How many decisions this store sees, all of them or those of one source."""
        everything = "SELECT count(*) FROM decisions WHERE {visible}"
        of_source = "SELECT count(*) FROM decisions JOIN origins USING (origin) WHERE {visible} AND source = ?"
        with self._translated("read"):
            found = self._seen(everything) if source is None else self._seen(of_source, source)
            return int(found.fetchone()[0])

    def check(self) -> None:
        """Raise StoreError where the file is damaged."""
        with self._translated("checked"):
            said = [str(row[0]) for row in self._connection.execute("PRAGMA quick_check(3)")]
        if said != ["ok"]:
            raise StoreError(f"{self._path} is damaged: {'; '.join(said)}. Restore it from a backup.")

    def version(self) -> int:
        """The schema version of the file."""
        with self._translated("read"):
            return version_of(self._connection)

    # Control entries

    def activate(self, ruleset: Ruleset, at: int) -> int:
        """The revision under which this ruleset decides; a new control entry where it was not the active one."""
        sha256 = ruleset.sha256()
        with self._transaction() as connection:
            log = self._own_log()
            active = connection.execute(
                "SELECT revision, sha256 FROM control WHERE log = ? ORDER BY revision DESC LIMIT 1", (log,)
            ).fetchone()
            if active and active[1] == sha256:
                return int(active[0])
            for revision in self._used(connection, log):
                require_readable(self.ruleset(revision), ruleset)
            if ruleset.name != self._name:
                raise UsageError(f"The ruleset {ruleset.name} cannot be activated in the log of {self._name}.")
            sql = (
                "INSERT INTO control (log, after, at, kind, sha256, body) VALUES"
                " (?, (SELECT ifnull(max(sequence), 0) FROM decisions), ?, 'ruleset activated', ?, ?)"
                " RETURNING revision"
            )
            return int(connection.execute(sql, (log, at, sha256, ruleset.canonical())).fetchone()[0])

    @staticmethod
    def _used(connection: sqlite3.Connection, log: int) -> list[int]:
        """The revisions of a log under which something may have been decided: after whose entry the log went on."""
        sql = (
            "SELECT revision FROM control AS own WHERE log = ? AND after < ifnull((SELECT min(after) FROM control"
            " WHERE log = own.log AND revision > own.revision), (SELECT ifnull(max(sequence), 0) FROM decisions))"
        )
        return [int(revision) for (revision,) in connection.execute(sql, (log,))]

    def ruleset(self, revision: int) -> Ruleset:
        """The ruleset of a revision. Revisions are numbered across the workspace, so a number is never ambiguous."""
        if revision not in self._rulesets:
            with self._translated("read"):
                row = self._seen("SELECT body FROM control WHERE {visible} AND revision = ?", revision).fetchone()
            if row is None:
                raise StoreError(f"{self._path} holds no revision {revision}; nothing was decided under it.")
            self._rulesets[revision] = from_canonical(row[0])
        return self._rulesets[revision]

    def revision(self) -> int:
        """The newest revision, 0 where there is none."""
        with self._translated("read"):
            return int(self._seen("SELECT ifnull(max(revision), 0) FROM control WHERE {visible}").fetchone()[0])

    def revisions(self) -> list[int]:
        """All revisions this store sees, oldest first."""
        with self._translated("read"):
            found = self._seen("SELECT revision FROM control WHERE {visible} ORDER BY revision").fetchall()
        return [int(revision) for (revision,) in found]

    # Receipts

    def begin(self, receipt: Receipt) -> Receipt:
        """Open the receipt of a file; the unfinished one of the same file and ruleset where there is one."""
        with self._transaction() as connection:
            log = self._own_log()
            row = connection.execute(
                "SELECT body FROM receipts WHERE finished = 0 AND sha256 = ? AND ruleset = ? AND log = ?",
                (receipt.sha256, receipt.ruleset, log),
            ).fetchone()
            if row:
                return _receipt(row[0])
            number = _next(connection, "SELECT max(number) FROM receipts")
            opened = msgspec.structs.replace(receipt, source=f"file:{number}", finished=False)
            connection.execute(
                "INSERT INTO receipts VALUES (?, ?, ?, ?, 0, ?)",
                (number, log, receipt.sha256, receipt.ruleset, msgspec.json.encode(opened)),
            )
        return opened

    def finish(self, receipt: Receipt) -> None:
        """Store a receipt whose file is accounted for, with at most MAX_LISTED of its rejected rows."""
        number = receipt.source.removeprefix("file:")
        final = msgspec.structs.replace(receipt, finished=True, rejected=receipt.rejected[:MAX_LISTED])
        with self._transaction() as connection:
            changed = connection.execute(
                "UPDATE receipts SET finished = 1, body = ? WHERE number = ? AND log = ?",
                (msgspec.json.encode(final), number, self._own_log()),
            ).rowcount
            if changed == 0:
                raise StoreError(f"{self._path} holds no receipt {receipt.source!r}; begin it before finishing it.")

    def receipt(self, source: str) -> Receipt | None:
        """The receipt that decisions name as their source, None where there is none."""
        with self._translated("read"):
            number = source.removeprefix("file:")
            row = self._seen("SELECT body FROM receipts WHERE {visible} AND number = ?", number).fetchone()
        return _receipt(row[0]) if row else None

    def receipts(self, limit: int = 20) -> list[Receipt]:
        """Receipts, newest first."""
        with self._translated("read"):
            rows = self._seen("SELECT body FROM receipts WHERE {visible} ORDER BY number DESC LIMIT ?", limit)
            return [_receipt(body) for (body,) in rows]

    # The outbox

    def unsent(self, limit: int = 100) -> list[Alert]:
        """Alerts of the outbox that were not sent, oldest first."""
        sql = "SELECT id, transaction_id, body FROM alerts WHERE {visible} AND sent_at IS NULL ORDER BY number LIMIT ?"
        with self._translated("read"):
            return [Alert(*row) for row in self._seen(sql, limit)]

    def mark_sent(self, alert_id: str, at: int) -> None:
        """Note that an alert went out; doing it twice changes nothing, the first time stays."""
        sql = "UPDATE alerts SET sent_at = ifnull(sent_at, ?3) WHERE id = ?4 AND {visible}"
        with self._transaction():
            if self._seen(sql, at, alert_id).rowcount == 0:
                raise StoreError(f"{self._path} holds no alert {alert_id!r}, so it cannot be marked as sent.")

    # The workspace's own facts

    def meta(self, key: str) -> str | None:
        """What the workspace notes about itself under this key."""
        with self._translated("read"):
            row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else None

    def set_meta(self, key: str, value: str) -> None:
        """Note something about the workspace, in place of what was there."""
        with self._transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def conditions(query: Query) -> tuple[list[str], list[Any]]:
    """The SQL conditions of a query and the values they bind, in order.

    Raises UsageError where a level or outcome does not exist.
    """
    where: list[str] = []
    values: list[Any] = []

    def add(condition: str, *bound: Any) -> None:
        where.append(condition)
        values.extend(bound)

    for column, names, name in (("level", LEVELS, query.level), ("outcome", OUTCOMES, query.outcome)):
        if name is not None:
            position = _position(column, names, name)
            add(f"{column} = ?", position)
            if position and query.sort in ("time", "-time"):
                add(FLAGGED)
    if query.account is not None:
        add("account = ?", query.account)
    if query.location is not None:
        add("folded(location) = ?", _folded(query.location))
    if query.min_amount is not None:
        add("amount >= ?", query.min_amount)
    if query.since is not None:
        add("occurred_at >= ?", query.since)
    if query.until is not None:
        add("occurred_at < ?", query.until)
    if query.text:
        add(f"mentions(?, {_SEARCHED})", query.text.casefold())
    if query.rule is not None:
        add("fired(facts, revision, ?)", query.rule)
    return where, values


def _position(what: str, names: tuple[str, ...], name: str) -> int:
    if name not in names:
        raise UsageError(f"There is no {what} {name!r}; choose {', '.join(names[:-1])} or {names[-1]}.")
    return names.index(name)


def _order(sort: str) -> str:
    if sort not in ORDERS:
        raise UsageError(f"Decisions cannot be sorted by {sort!r}; choose {', '.join(ORDERS)}.")
    return ORDERS[sort]


def _decision_rows(commit: Commit, first: int, log: int, origin: int) -> Iterable[tuple[Any, ...]]:
    """The rows of a chunk, in the order of _INSERT_DECISION's columns."""
    batch = commit.batch
    size = len(batch)
    columns = batch.columns
    absent: list[None] = [None] * size

    def column(name: str) -> list[Any]:
        return columns.get(name, absent)

    return zip(
        range(first, first + size),
        repeat(log, size),
        batch.ids,
        batch.occurred_at,
        repeat(commit.received_at, size),
        repeat(commit.revision, size),
        repeat(origin, size),
        batch.rows,
        column("account"),
        column("amount"),
        column("location"),
        column("merchant"),
        column("description"),
        commit.levels,
        commit.outcomes,
        commit.scores,
        commit.raised,
        batch.fingerprints,
        commit.hashes,
        commit.facts,
        commit.payloads,
        strict=True,
    )


def _chunks(ids: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Placeholders and ids, some at a time. Sizes are powers of two, so that few statements are ever prepared."""
    for start in range(0, len(ids), IDS_PER_QUERY):
        chunk = list(ids[start : start + IDS_PER_QUERY])
        size = 1 << (len(chunk) - 1).bit_length()
        chunk.extend(repeat(chunk[-1], size - len(chunk)))
        yield ",".join(repeat("?", size)), chunk


def _next(connection: sqlite3.Connection, newest: str) -> int:
    return int(connection.execute(newest).fetchone()[0] or 0) + 1


def _receipt(body: bytes) -> Receipt:
    return msgspec.json.decode(body, type=Receipt)


def _folded(text: str | None) -> str | None:
    return None if text is None else text.strip().casefold()


def _mentions(wanted: str, text: str) -> bool:
    return wanted in text.casefold()
