"""Bugs that are planted into the real code, one at a time, to see that the simulator catches each of them.

A bug is a few replacements in the source text of real functions; the changed function is compiled in its own module.
Where the text is not found any more the bug must be planted anew, and the simulator says so instead of passing.
"""

from __future__ import annotations
import __future__

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from fraudline import pipeline, testing
from fraudline.adapters.embedded import histories, lock, sorting, store
from tests.simulation import processes


@dataclass(frozen=True, slots=True)
class Change:
    """Other text in the source of one function; `where` is a module or a class of it."""

    where: Any
    function: str
    old: str
    new: str


FUTURE = __future__.annotations.compiler_flag


def _pipeline(function: str, old: str, new: str) -> Change:
    return Change(pipeline, function, old, new)


# A chunk that the store refuses to overwrite, or finds stale: what the stores check.
_UNCHECKED = (
    Change(store.EmbeddedStore, "_require_current", "if commit.after is None:", "if True:"),
    Change(
        testing.MemoryStore, "commit", "if commit.after is not None and commit.after != len(self._rows):", "if False:"
    ),
)
_OVERWRITING = (
    *_UNCHECKED,
    Change(testing.MemoryStore, "commit", "if taken or", "if"),
    Change(
        store.EmbeddedStore, "commit", "_INSERT_DECISION", '_INSERT_DECISION.replace("INSERT", "INSERT OR REPLACE")'
    ),
)

BUGS: dict[str, tuple[Change, ...]] = {
    # Acknowledging, positions, sending
    "acknowledged before the commit": (
        Change(
            processes.Worker,
            "follow",
            "self.handle(records(messages))\n            source.acknowledge(offsets)",
            "source.acknowledge(offsets)\n            self.handle(records(messages))",
        ),
    ),
    "position first": (
        Change(
            processes.Worker,
            "follow",
            "self.handle(records(messages))",
            "source.position = max(offsets); self.handle(records(messages))",
        ),
    ),
    "acknowledged although the commit failed": (
        Change(
            processes.Worker,
            "handle",
            "report = pipeline.process(batch, self.run_of(self.world.now, STREAM))",
            "try:\n        report = pipeline.process(batch, self.run_of(self.world.now, STREAM))\n"
            "    except FraudlineError:\n        return",
        ),
    ),
    "marked before sent": (
        Change(
            processes.Relay,
            "run",
            "self.notifier.send(alert)\n        store.mark_sent(alert.id, self.world.now)",
            "store.mark_sent(alert.id, self.world.now)\n        self.notifier.send(alert)",
        ),
    ),
    "all alerts marked with the first": (
        Change(store.EmbeddedStore, "mark_sent", "WHERE id = ?4", "WHERE ?4 = ?4"),
        Change(
            testing.MemoryStore,
            "mark_sent",
            "self._sent.setdefault(alert_id, at)",
            "self._sent.update(dict.fromkeys(self._alerts, at))",
        ),
    ),
    "an alert's id depends on the attempt": (
        _pipeline("_alert", "{program.ruleset.name}:", "{program.ruleset.name}:{facts.hex()}:"),
    ),
    "one alert for a chunk": (_pipeline("_commit_of", "if raised\n", "if raised and not any(decisions.raised[:i])\n"),),
    "alerts written after the transaction": (
        Change(
            store.EmbeddedStore,
            "commit",
            'connection.executemany("INSERT INTO alerts',
            'connection.execute("COMMIT"); connection.execute("BEGIN IMMEDIATE")\n'
            '            connection.executemany("INSERT INTO alerts',
        ),
    ),
    # What is known already
    "ids are not looked up": (_pipeline("_known", "known = run.store.decided(batch.ids)", "known = {}"),),
    "looked up once and remembered": (
        _pipeline(
            "_known",
            "known = run.store.decided(batch.ids)",
            'memory = run.histories.__dict__.setdefault("memory", {})\n'
            "    new = [name for name in batch.ids if name not in memory]\n"
            "    found = run.store.decided(new)\n"
            "    memory.update((name, found.get(name)) for name in new)\n"
            "    known = {name: memory[name] for name in batch.ids if memory[name] is not None}",
        ),
    ),
    "the batch itself is not looked up": (_pipeline("_sort_out", "else seen.get(name)", "else None"),),
    "the last of a batch decides": (
        _pipeline("_sort_out", "enumerate(zip(batch.ids", "reversed(list(enumerate(zip(batch.ids"),
        _pipeline("_sort_out", "strict=True)):", "strict=True)))):"),
        _pipeline(
            "_sort_out",
            "return fresh",
            "for one in (report.endings, report.levels, report.outcomes, report.raised):\n"
            "        one.reverse()\n    return sorted(fresh)",
        ),
    ),
    "fingerprints are ignored": (_pipeline("_sort_out", "elif first != fingerprint:", "elif False:"),),
    "a conflict overwrites": (
        _pipeline("_sort_out", "if first is None:", "if first is None or first != fingerprint:"),
        *_OVERWRITING,
    ),
    "the last writer's marker wins": (
        _pipeline("_known", "known = run.store.decided(batch.ids)", "known = {}"),
        *_OVERWRITING,
    ),
    "a duplicate counts as decided": (_pipeline("_sort_out", 'ending = "duplicate"', 'ending = "decided"'),),
    "a resumed row counts as duplicate": (_pipeline("_sort_out", "elif stored and (", "elif False and ("),),
    "a resumed row is known by its number alone": (
        _pipeline("_sort_out", "(stored.source, stored.row) == (source, batch.rows[i])", "stored.row == batch.rows[i]"),
    ),
    "a resumed row loses its outcome": (
        _pipeline("_sort_out", "level, outcome, raised = stored.level, stored.outcome, stored.alert", "pass"),
    ),
    # Histories
    "a failed commit is not forgotten": (
        _pipeline("_decide_and_commit", "BaseException:\n        run.histories.forget()", "BaseException:"),
    ),
    "a failed engine is not forgotten": (
        _pipeline("_decide_and_commit", "as failure:\n        run.histories.forget()", "as failure:"),
    ),
    "forgetting forgets nothing": (Change(histories.MemoryHistories, "forget", "self.state = None", "pass"),),
    "history is forgotten on the duplicate path": (
        Change(
            histories.MemoryHistories,
            "_replayed",
            "remember(self.program, record.batch_of(rows, self.program.ruleset), state)",
            "seen = [row for row, entry in zip(rows, entries) if not 0 < self.position < entry.sequence]\n"
            "        remember(self.program, record.batch_of(seen, self.program.ruleset), state)",
        ),
    ),
    "only one page of the log is replayed": (
        Change(
            histories.MemoryHistories,
            "_replayed",
            "while entries := self.store.log(after, REPLAY_ROWS):",
            "for entries in filter(None, [self.store.log(after, REPLAY_ROWS)]):",
        ),
        *_UNCHECKED,
    ),
    "a snapshot is said to hold more than it does": (
        Change(histories.MemoryHistories, "_replayed", "after = self.covered\n", "after = 2 * self.covered\n"),
    ),
    # Commits
    "stale read": (_pipeline("_commit_of", "after=run.histories.position", "after=None"),),
    "a zombie is allowed": _UNCHECKED,
    "a zombie goes back to its own ruleset": (
        Change(store.EmbeddedStore, "_require_current", "if found and found[0][1] > commit.revision:", "if False:"),
        Change(testing.MemoryStore, "commit", "].revision > commit.revision:", "].revision > 99:"),
    ),
    "position runs ahead": (_pipeline("_decide_and_commit", "first + len(fresh) - 1", "first + len(fresh) + 99"),),
    "an unknown result is taken for success": (
        _pipeline(
            "_decide_and_commit",
            "except BaseException:\n        run.histories.forget()",
            "except Unanswered:\n        first = run.histories.position + 1\n"
            "    except BaseException:\n        run.histories.forget()",
        ),
    ),
    "an unknown result is taken for failure": (
        _pipeline(
            "_decide_and_commit",
            "except BaseException:\n        run.histories.forget()",
            "except Unanswered:\n        run.histories.forget()\n"
            '        for at in positions: report.endings[at] = "dead_letter"\n        return\n'
            "    except BaseException:\n        run.histories.forget()",
        ),
    ),
    "tried again without looking the ids up": (
        _pipeline("process", "for _ in", "known = _known(batch, run)\n    for _ in"),
        _pipeline("process", "_attempt(batch, run)\n        except", "_attempt(batch, run, known)\n        except"),
        _pipeline(
            "process", "continue\n    return _attempt(batch, run)", "continue\n    return _attempt(batch, run, known)"
        ),
        _pipeline("_attempt", "(batch: Batch, run: Run)", "(batch, run, known=None)"),
        _pipeline("_attempt", "_known(batch, run)", "_known(batch, run) if known is None else known"),
    ),
    "a retry reports twice": (
        _pipeline(
            "_attempt",
            "report = Report(batch)",
            'report = run.histories.__dict__.setdefault("report", Report(batch))\n'
            "    if report.batch is not batch:\n        report = run.histories.report = Report(batch)",
        ),
    ),
    "half a chunk is committed": (
        Change(
            store.EmbeddedStore,
            "commit",
            "connection.executemany(_INSERT_DECISION, rows)",
            'connection.execute("COMMIT"); connection.executemany(_INSERT_DECISION, rows);'
            ' connection.execute("BEGIN IMMEDIATE")',
        ),
    ),
    "a chunk is written last row first": (
        Change(store, "_decision_rows", "range(first, first + size)", "range(first + size - 1, first - 1, -1)"),
    ),
    "the revision is not recorded": (_pipeline("_commit_of", "revision=run.revision", "revision=1"),),
    "the lock is ignored": (Change(lock.WriterLock, "__init__", "_try_lock(self._file)", "pass"),),
    # Dead letters
    "a dead letter is dropped": (_pipeline("_halve", 'report.endings[at] = "dead_letter"', "pass"),),
    "a dead letter is not reported": (_pipeline("_halve", "report.problems.append(", "str("),),
    "a dead letter takes its neighbours along": (
        _pipeline(
            "_halve",
            "if len(positions) > 1:",
            "for at in positions[1:]:\n"
            '        report.endings[at] = "dead_letter"\n    positions = positions[:1]\n    if False:',
        ),
    ),
    "the half behind a dead letter is dropped": (
        _pipeline("_halve", "_decide_and_commit(batch, positions[middle:], run, report)", "pass"),
    ),
    "the next in line stays undecided": (_pipeline("_attempt", "_decide_next_in_line(batch, run, report)", "pass"),),
    # Files and receipts
    "a receipt is finished early": (
        _pipeline("process_file", "    for batch in", "    run.store.finish(receipt)\n    for batch in"),
    ),
    "a receipt is never resumed": (
        Change(store.EmbeddedStore, "begin", "if row:", "if False:"),
        Change(testing.MemoryStore, "begin", "if not known.finished and", "if False and"),
    ),
    "a file is stamped anew when it is resumed": (
        Change(processes.Scorer, "score", "self.run_of(receipt.received_at,", "self.run_of(self.world.now,"),
    ),
    "a resumed receipt is stamped anew": (
        Change(
            store.EmbeddedStore,
            "begin",
            "return _receipt(row[0])",
            "return msgspec.structs.replace(_receipt(row[0]), received_at=receipt.received_at)",
        ),
        Change(
            testing.MemoryStore,
            "begin",
            "return _copy(known)",
            "return _copy(msgspec.structs.replace(known, received_at=receipt.received_at))",
        ),
    ),
    "a file is decided in the order of its rows": (
        Change(sorting, "_sorted", "return batch.take(", "return batch or ("),
    ),
    "ties are decided in the order of their rows": (Change(sorting, "_with_ties", "if len(ties):", "if False:"),),
    "the last batch of a file is dropped": (_pipeline("_rebatched", "if held:", "if False:"),),
    "rejected records are not counted": (_pipeline("_accepted", "receipt.counts.rejected +=", "_ ="),),
    "conflicts are not counted": (
        _pipeline("account", "setattr(counts", 'ending != "id_conflict" and setattr(counts'),
    ),
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The code with this bug in it."""
    functions: dict[tuple[Any, str], list[Change]] = {}
    for change in BUGS[name]:
        functions.setdefault((change.where, change.function), []).append(change)
    with ExitStack() as patches:
        for (where, function), changes in functions.items():
            patches.enter_context(patch.object(where, function, _changed(where, function, changes)))
        yield


def _changed(where: Any, name: str, changes: list[Change]) -> Any:
    """The function with other text in it, compiled in the module it came from."""
    found = inspect.getattr_static(where, name)
    function = getattr(found, "__func__", found)
    source = textwrap.dedent(inspect.getsource(function))
    for change in changes:
        if source.count(change.old) != 1:
            raise LookupError(f"{name} does not say {change.old!r} once: plant this bug anew")
        source = source.replace(change.old, change.new)
    names: dict[str, Any] = {}
    code = compile(source, f"<{name}, with a bug>", "exec", FUTURE)
    exec(code, function.__globals__, names)  # noqa: S102 - our own source text, changed by the table above
    return names[name]
