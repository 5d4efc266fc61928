"""Every error fraudline raises on purpose, and the exit code each one means.

    FraudlineError
    +-- UsageError          2  the command or call was put together wrongly
    +-- UnusableInput       3  the input as a whole cannot be used; nothing was stored
    |   +-- RulesetError    3  the ruleset has problems; all of them are listed
    +-- SystemFailure       4  a store, disk or network failed
        +-- StoreError      4
        |   +-- NewerStore  4  written by a newer fraudline
        |   +-- Conflict    4  somebody else decided in between; nothing was written
        |   +-- Unanswered  4  whether a commit was written is not known
        +-- WorkspaceBusy   4  another process writes to this workspace

Bad *records* are no errors: they are `Rejected` values (see `transaction`).
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class FraudlineError(Exception):
    """Base of all errors raised on purpose. The message is a sentence: what happened, to what, what to do."""

    exit_code: ClassVar[int] = 4


class UsageError(FraudlineError):
    """The command or call was put together wrongly."""

    exit_code = 2


class UnusableInput(FraudlineError):
    """The input as a whole cannot be used: nothing of it was stored."""

    exit_code = 3


class Problem(msgspec.Struct, frozen=True):
    """One fault of a ruleset, with its place. `severity` is "error" (refused) or "warning" (lint)."""

    message: str
    file: str = ""
    line: int = 0
    where: str = ""
    text: str = ""
    start: int = 0
    end: int = 0
    suggestion: str = ""
    severity: str = "error"

    def __str__(self) -> str:
        place = f"{self.file or 'ruleset'}:{self.line}: " if self.line else f"{self.file or 'ruleset'}: "
        said = f"{place}{'warning: ' if self.severity == 'warning' else ''}{self.where + ': ' if self.where else ''}"
        said += self.message
        if not self.text:
            return said + (f" ({self.suggestion})" if self.suggestion else "")
        carets = " " * self.start + "^" * max(1, self.end - self.start)
        hint = f"  {self.suggestion}" if self.suggestion else ""
        return f"{said}\n    {self.text}\n    {carets}{hint}"


class RulesetError(UnusableInput):
    """A ruleset was refused. `problems` lists everything that is wrong with it, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class SystemFailure(FraudlineError):
    """A store, disk or network failed. Nothing was acknowledged that is not stored."""

    exit_code = 4


class StoreError(SystemFailure):
    """The store could not be opened, read or written."""


class NewerStore(StoreError):
    """The store was written by a newer fraudline; this one would not understand it."""


class Conflict(StoreError):
    """A commit was overtaken: one of its ids is stored already, or the log moved on since it was read. Nothing of it
    was written: look the ids up and decide again."""


class Unanswered(StoreError):
    """A commit was sent and no answer came: all of it was written, or nothing. Look the ids up again."""


class WorkspaceBusy(SystemFailure):
    """Another process holds the writer's lock of this workspace."""
