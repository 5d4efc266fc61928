"""The checks of `doctor`, each a finding: ok, warn or fail, and what mends it."""

from __future__ import annotations

import importlib.metadata
import os
import shlex
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fraudline import __version__, wiring
from fraudline.apps.cli.root import Options, called
from fraudline.domain.errors import FraudlineError
from fraudline.settings import Settings

OLDEST_PYTHON = (3, 11)
LOW_DISK_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination."""

    verdict: str
    what: str
    said: str
    mend: str = ""


def examined(options: Options) -> Iterator[Finding]:
    """Every finding, the installation first."""
    yield _python()
    yield Finding("ok", "fraudline", f"version {__version__}")
    yield _extra("numba", "fast", "large files are decided some ten times faster with it")
    yield _extra("pyarrow", "parquet", "Parquet files need it")
    yield _time_zones()
    yield _folder(options)
    yield _disk(options.workspace)
    settings = None
    try:
        settings = options.settings()
        yield Finding("ok", "settings", _said_settings(settings))
    except FraudlineError as error:
        yield Finding(
            "fail", "settings", str(error), f"Edit {options.workspace / 'fraudline.toml'} or the environment."
        )
    if settings is not None:
        yield _ruleset(settings, options)
        yield from _store(settings, options)
    yield from _card_key(options.workspace)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return Finding("fail", "Python", found, "fraudline needs Python 3.11 or newer.")
    return Finding("ok", "Python", f"{found} at {sys.executable}")


def _extra(package: str, extra: str, why: str) -> Finding:
    try:
        return Finding("ok", package, f"version {importlib.metadata.version(package)}")
    except importlib.metadata.PackageNotFoundError:
        return Finding("warn", package, f"not installed; {why}", f"pip install 'fraudline[{extra}]'")


def _time_zones() -> Finding:
    from fraudline.engine.zones import tz_version

    return Finding("ok", "time zones", tz_version())


def _folder(options: Options) -> Finding:
    path = options.workspace
    if not path.exists():
        parent = next((above for above in path.absolute().parents if above.exists()), Path("/"))
        if os.access(parent, os.W_OK):
            return Finding(
                "ok", "workspace", f"{path} is not there yet; the first score makes it", options.command("demo")
            )
        return Finding(
            "fail",
            "workspace",
            f"{path} cannot be made: {parent} is read-only",
            f"Name another: {called()} --workspace DIR",
        )
    if not os.access(path, os.W_OK | os.X_OK):
        return Finding("fail", "workspace", f"{path} cannot be written", f"chmod u+rwx {path}")
    return Finding("ok", "workspace", str(path))


def _disk(workspace: Path) -> Finding:
    there = next(path for path in (workspace.absolute(), *workspace.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    said = f"{free / (1 << 30):,.1f} GB free"
    if free < LOW_DISK_BYTES:
        return Finding("warn", "disk", said, "Free some space, or name a --workspace on another disk.")
    return Finding("ok", "disk", said)


def _said_settings(settings: Settings) -> str:
    return f"ruleset {settings.ruleset or 'none'}, tenant {settings.tenant}, engine {settings.engine}"


def _ruleset(settings: Settings, options: Options) -> Finding:
    def check() -> Finding:
        if settings.ruleset is None:
            toml = options.workspace / "fraudline.toml"
            return Finding("ok", "ruleset", f'none set; score needs --ruleset, or `ruleset = "expenses"` in {toml}')
        return Finding("ok", "ruleset", wiring.find_ruleset(settings.ruleset, options.workspace).version())

    return _tried("ruleset", check, options.command(f"rules check {settings.ruleset}"))


def _store(settings: Settings, options: Options) -> Iterator[Finding]:
    if not wiring.has_store(options.workspace):
        yield Finding("ok", "store", "nothing was decided in this workspace yet")
        return

    def check() -> Finding:
        with wiring.reading(options.workspace, settings) as store:
            store.check()
            size = wiring.store_bytes(options.workspace) / 1e6
            return Finding(
                "ok", "store", f"{store.count():,} decisions, {size:,.1f} MB, schema version {store.version()}, sound"
            )

    yield _tried("store", check, "Restore the workspace from a backup, or use another --workspace.")
    yield from _unfinished(settings, options)


def _unfinished(settings: Settings, options: Options) -> Iterator[Finding]:
    try:
        with wiring.reading(options.workspace, settings) as store:
            receipts = [receipt for receipt in store.receipts(100) if not receipt.finished]
    except FraudlineError:  # told by the finding about the store already
        return
    for receipt in receipts:
        name = receipt.ruleset.partition("@")[0]
        mend = options.command(f"score {shlex.quote(receipt.file)} --ruleset {name}")
        yield Finding("warn", "file", f"{receipt.file} was begun and not finished", mend)


def _tried(what: str, check: Callable[[], Finding], mend: str) -> Finding:
    try:
        return check()
    except FraudlineError as error:
        return Finding("fail", what, str(error), mend)


def _card_key(workspace: Path) -> Iterator[Finding]:
    file = workspace / "card.key"
    if not file.exists():
        if wiring.has_store(workspace):
            yield Finding(
                "fail", "card key", f"{file} is missing", "Restore it from a backup: no card is recognised without it."
            )
        return
    mode = stat.S_IMODE(file.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        yield Finding("fail", "card key", f"{file} can be read by others (mode {mode:o})", f"chmod 600 {file}")
    else:
        yield Finding("ok", "card key", f"{file}, for this user only")
