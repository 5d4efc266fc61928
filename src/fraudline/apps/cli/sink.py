"""Where a command's data goes: standard output, or a file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from fraudline.apps.cli.root import silence_stdout
from fraudline.domain.errors import SystemFailure, UsageError

if TYPE_CHECKING:
    from rich.console import Console

if sys.platform == "win32":

    def _hold(file: IO[bytes]) -> None:
        """Nothing: what is open cannot be removed there."""

else:
    import fcntl

    def _hold(file: IO[bytes]) -> None:
        """Lock a draft as long as it is open, so that no other process takes it for one that was left behind."""
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


class Sink:
    """Takes bytes. A file gets its name when everything is written; a closed pipe is noticed once and then ignored."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._draft = None if path is None else path.with_name(f".{path.name}.{os.getpid()}.part")
        self._file: IO[bytes] | None = None
        self._deaf = False

    def __enter__(self) -> Sink:
        if self._draft is None:
            sys.stdout.flush()
            return self
        self._require_place(self._draft.parent)
        try:
            self._file = self._draft.open("wb")
            _hold(self._file)
            self._sweep(self._draft)
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written: {error.strerror}.") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._file is None or self._draft is None or self.path is None:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            if kind is None:
                self._draft.replace(self.path)
        except OSError as failure:
            raise SystemFailure(f"{self.path} could not be written: {failure.strerror}.") from failure
        finally:
            self._draft.unlink(missing_ok=True)

    def _require_place(self, folder: Path) -> None:
        """Raise UsageError where a file of this name cannot be."""
        if self.path is not None and self.path.is_dir():
            raise UsageError(f"{self.path} is a folder: name a file, such as {self.path / 'decisions.csv'}.")
        if not folder.is_dir():
            raise UsageError(f"{self.path} cannot be written: there is no folder {folder}. Make it first.")

    def _sweep(self, own: Path) -> None:
        """Remove drafts of this file whose writers were killed. Nobody holds them any more."""
        wanted = re.compile(rf"\.{re.escape(own.name[1:].rsplit('.', 2)[0])}\.[0-9]+\.part")
        for left in own.parent.iterdir():
            if left != own and wanted.fullmatch(left.name):
                with contextlib.suppress(OSError), left.open("r+b") as file:  # of another user, or just finished
                    _hold(file)
                    left.unlink()

    def write(self, data: bytes) -> None:
        """Write some bytes, whole lines of UTF-8 where they may reach a terminal: what would steer it is replaced."""
        if self.path is None and sys.stdout.isatty():
            from fraudline.apps.cli.screen import safe

            data = "\n".join(safe(line) for line in data.decode("utf-8", "replace").split("\n")).encode()
        self._put(data)

    def _put(self, data: bytes) -> None:
        if self._deaf:
            return
        try:
            (self._file or sys.stdout.buffer).write(data)
        except BrokenPipeError:
            self._stop_listening()
        except OSError as error:
            raise SystemFailure(f"{self.path or 'standard output'} could not be written: {error.strerror}.") from error

    def flush(self) -> None:
        """Hand over what was written so far."""
        try:
            (self._file or sys.stdout.buffer).flush()
        except BrokenPipeError:
            self._stop_listening()

    def _stop_listening(self) -> None:
        self._deaf = True
        silence_stdout()

    def line(self, value: Any) -> None:
        """Write one value as one line of JSON."""
        import msgspec

        self.write(msgspec.json.encode(value) + b"\n")

    def json(self, value: Any) -> None:
        """Write one value as JSON that people can read too."""
        import msgspec

        self.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")

    def print(self, *things: Any) -> None:
        """Write tables and text as they look on a screen."""
        from fraudline.apps.cli import screen

        if self.path is None:
            console = screen.out()
            with console.capture() as capture:
                _print_all(console, things)
            text, encoding = capture.get(), sys.stdout.encoding or "utf-8"
        else:
            paper = io.StringIO()
            _print_all(screen.plain(paper), things)
            text, encoding = paper.getvalue(), "utf-8"
        lines = (line.rstrip(" ") for line in text.split("\n"))  # tables fill their width; pipes need no such blanks
        self._put("\n".join(lines).encode(encoding, "backslashreplace"))


def _print_all(console: Console, things: tuple[Any, ...]) -> None:
    for thing in things:
        console.print(thing)
