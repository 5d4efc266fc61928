"""The one module that names concrete adapters: it turns a workspace and settings into things that decide."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from fraudline.adapters.embedded.exports import Kinds, Row, Writable, write_csv, write_parquet
from fraudline.adapters.embedded.files import FileSource, open_source
from fraudline.adapters.embedded.histories import MemoryHistories
from fraudline.adapters.embedded.snapshots import Snapshots
from fraudline.adapters.embedded.sorting import RUNS, in_order
from fraudline.adapters.embedded.store import EmbeddedStore
from fraudline.adapters.embedded.workspace import Workspace
from fraudline.domain.errors import Problem, UnusableInput, UsageError
from fraudline.domain.ruleset import Ruleset
from fraudline.domain.transaction import Batch
from fraudline.engine import check
from fraudline.engine.cards import Tokens
from fraudline.engine.compile import Program
from fraudline.engine.compile import program as program_of
from fraudline.engine.decide import state_for
from fraudline.engine.history import State
from fraudline.engine.intake import Intake, check_columns, required_columns, wanted_columns
from fraudline.ports import Histories
from fraudline.settings import Settings

COMPILE_FROM_ROWS = 30_000  # loading compiled code takes a second or two; so many rows repay it
BYTES_PER_ROW, BYTES_PER_PACKED_ROW = 100, 25
PACKED = frozenset({".gz", ".parquet", ".pq"})
BYTES_PER_STORED_ROW = 500  # about what a decision takes in the database, its indexes included


File = FileSource
Reader = EmbeddedStore  # what looking at decisions needs


class Sorting:
    """Puts a file's transactions into the order of event time; sorted runs lie in the workspace, not in memory."""

    def __init__(self, folder: Path) -> None:
        self.unsorted = False
        self._folder = folder

    def __call__(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """These batches in order."""
        ordered = in_order(batches, self._folder)
        for batch in ordered:
            self.unsorted = ordered.unsorted
            yield batch


# ---- rulesets --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """A ruleset that can be named: where it is, and whether it came with fraudline."""

    name: str
    file: str
    text: str
    shipped: bool


def rulesets(workspace: Path) -> list[Listed]:
    """The rulesets that can be called by name: the workspace's own first, which hide shipped ones of the same name."""
    found: dict[str, Listed] = {}
    for file in sorted((workspace / "rulesets").glob("*.yaml")):
        found[file.stem] = Listed(file.stem, str(file), _read(file), shipped=False)
    for entry in sorted(resources.files("fraudline.rulesets").iterdir(), key=lambda entry: entry.name):
        name = entry.name.removesuffix(".yaml")
        if name != entry.name and name not in found:
            found[name] = Listed(name, entry.name, entry.read_text("utf-8"), shipped=True)
    return list(found.values())


def named_ruleset(name_or_file: str, workspace: Path) -> Listed:
    """The text of a ruleset: of this file, or of this name.

    Raises UsageError with the choices where there is no such ruleset.
    """
    path = Path(name_or_file)
    if path.is_file():
        return Listed(path.stem, name_or_file, _read(path), shipped=False)
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        raise UsageError(f"There is no ruleset file {name_or_file}. {choices(workspace)}")
    listed = rulesets(workspace)
    for entry in listed:
        if entry.name == name_or_file:
            return entry
    close = get_close_matches(name_or_file, [entry.name for entry in listed], n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise UsageError(f"There is no ruleset {name_or_file!r}.{hint} {choices(workspace)}")


def choices(workspace: Path) -> str:
    """A sentence that lists the rulesets one may name."""
    names = ", ".join(entry.name for entry in rulesets(workspace))
    return f"Choose one of {names}, or the path of a YAML file."


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableInput(f"{file} is not UTF-8 text, so it cannot be a ruleset. Save it as UTF-8.") from error
    except OSError as error:
        raise UnusableInput(f"{file} cannot be read: {error.strerror}.") from error


def find_ruleset(name_or_file: str, workspace: Path) -> Ruleset:
    """The checked ruleset of this file or name.

    Raises RulesetError with all its problems, and UsageError where there is none.
    """
    listed = named_ruleset(name_or_file, workspace)
    return check.load(listed.text, listed.file)


def check_ruleset(listed: Listed) -> tuple[Ruleset | None, list[Problem]]:
    """A ruleset and everything that is to be said about it, warnings included."""
    return check.read(listed.text, listed.file)


# ---- speed -----------------------------------------------------------------------------------------------------------


def has_numba() -> bool:
    """Whether the extra `fast` is installed."""
    return importlib.util.find_spec("numba") is not None


def compiles(settings: Settings, rows: int) -> bool:
    """Whether this many rows are decided by compiled code.

    Raises UsageError where compiled code is asked for and Numba is not installed.
    """
    if settings.engine == "compiled" and not has_numba():
        raise UsageError("engine is 'compiled', but Numba is not installed. Install it: pip install 'fraudline[fast]'")
    return settings.engine == "compiled" or (settings.engine == "auto" and rows >= COMPILE_FROM_ROWS and has_numba())


def _prepared(ruleset: Ruleset, compiled: bool) -> Program:
    program = program_of(ruleset)
    if compiled:
        from fraudline.adapters.embedded.compiled import compile_program  # imports Numba, which takes its time

        compile_program(program)
    return program


def fresh(ruleset: Ruleset, settings: Settings, rows: int) -> tuple[Program, State]:
    """A ruleset ready to decide about this many rows, with empty histories."""
    compiled = compiles(settings, rows)
    program = _prepared(ruleset, compiled)
    state = state_for(program)
    if compiled:
        state.compile()
    return program, state


# ---- workspaces ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Desk:
    """A log opened for deciding, and everything that decides into it."""

    store: EmbeddedStore
    program: Program
    histories: Histories
    tokens: Tokens
    workspace: Workspace
    tenant: str

    def open(self, file: str) -> FileSource:
        """A file, or stdin for "-", whose header has what the ruleset needs.

        Raises UnusableInput with a sentence that says what to do.
        """
        ruleset = self.program.ruleset
        source = open_source(
            file,
            encoding=ruleset.encoding,
            delimiter=ruleset.delimiter,
            required=required_columns(ruleset),
            wanted=wanted_columns(ruleset),
        )
        try:
            check_columns(ruleset, source.columns)
        except UnusableInput as error:
            source.close()
            raise UnusableInput(f"{source.name}: {error}") from error
        return source

    def reader(self, received_at: int, file_sha: str) -> Intake:
        """What turns this file's records into transactions."""
        return Intake(self.program.ruleset, received_at=received_at, tokens=self.tokens, file_sha=file_sha)

    def ordering(self) -> Sorting:
        """What puts a file's transactions into the order of event time, in bounded memory."""
        return Sorting(self.workspace.path)


@contextmanager
def deciding(
    path: Path, ruleset: Ruleset, settings: Settings, rows: int, told: Callable[[str], None] = lambda _: None
) -> Iterator[Desk]:
    """The log of a ruleset, opened for writing and held until the end. `rows` is about how many are to be decided.

    Raises WorkspaceBusy where another process writes.
    """
    workspace = Workspace(path)
    compiled = compiles(settings, rows + stored_rows(path))
    program = _prepared(ruleset, compiled)
    with workspace.open_store(ruleset.name, tenant=settings.tenant) as store:
        _sweep(path)
        snapshots = Snapshots(workspace.folder("snapshots") / f"{_plain(settings.tenant)}-{_plain(ruleset.name)}")
        histories = MemoryHistories(store, program, compiled=compiled, snapshots=snapshots)
        yield Desk(store, program, histories, Tokens(workspace.card_key()), workspace, settings.tenant)
        try:
            histories.save()
        except OSError as error:
            told(f"The snapshot of the histories could not be written ({error}); the next start reads the log instead.")


def _plain(name: str) -> str:
    """A name as a file can have it, different for different names."""
    return name if re.fullmatch(r"[a-z0-9_-]{1,60}", name) else hashlib.sha256(name.encode()).hexdigest()[:32]


def _sweep(path: Path) -> None:
    """Remove sorted runs that a process left behind that was killed; nobody else writes here now."""
    for left in path.glob(f"{RUNS}*"):
        shutil.rmtree(left, ignore_errors=True)


def reading(path: Path, settings: Settings, log: str | None = None) -> EmbeddedStore:
    """The store for looking: of one log, or of all of the tenant's."""
    return Workspace(path).open_store(log, tenant=settings.tenant, read_only=True)


def has_store(path: Path) -> bool:
    """Whether anything was decided in this workspace."""
    return Workspace(path).exists()


def store_bytes(path: Path) -> int:
    """How large the database of a workspace is, what it has written ahead included."""
    return sum(file.stat().st_size for file in path.glob("fraudline.db*"))


def stored_rows(path: Path) -> int:
    """About how many decisions a workspace holds."""
    return store_bytes(path) // BYTES_PER_STORED_ROW


def rows_about(file: str) -> int:
    """About how many rows a file has; stdin counts as few."""
    try:
        size = Path(file).stat().st_size
    except OSError:  # it is opened later, and told then
        return 0
    return size // (BYTES_PER_PACKED_ROW if Path(file).suffix in PACKED else BYTES_PER_ROW)


def folder(path: Path, name: str) -> Path:
    """A folder of the workspace, made where it is missing."""
    return Workspace(path).folder(name)


def logs(store: Reader) -> dict[str, Ruleset]:
    """The logs that a store sees, each with its newest ruleset."""
    found = {}
    for revision in store.revisions():
        ruleset = store.ruleset(revision)
        found[ruleset.name] = ruleset
    return found


def logs_of(path: Path, settings: Settings) -> dict[str, Ruleset]:
    """The logs of a workspace, each with its newest ruleset."""
    with reading(path, settings) as store:
        return logs(store)


def write_rows(rows: Iterable[Row], kinds: Kinds, format: str, file: Writable) -> None:  # noqa: A002 - what people call it
    """Write rows as csv or parquet."""
    writers = {"csv": write_csv, "parquet": write_parquet}
    writers[format](rows, kinds, file)
