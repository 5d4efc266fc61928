"""What every command inherits: the options before it, and what becomes of failures, Ctrl-C and a closed pipe."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from fraudline.settings import Settings

# Options of `fraudline` itself that people also type after a command, and how many words each takes.
_ANYWHERE = {"--workspace": 2, "-w": 2, "--quiet": 1, "-q": 1, "--debug": 1}
INTERRUPTED = 130  # 128 + the number of SIGINT, as shells have it


@dataclass(frozen=True, slots=True)
class Options:
    """What stands before the command."""

    workspace: Path
    quiet: bool = False
    debug: bool = False

    def settings(self) -> Settings:
        """The settings of the workspace and the environment."""
        from fraudline.settings import load

        return load(self.workspace, os.environ)

    def command(self, rest: str) -> str:
        """How to type another command on the same workspace."""
        import shlex

        given = "" if self.workspace == Path(".fraudline") else f"--workspace {shlex.quote(str(self.workspace))} "
        return f"{called()} {given}{rest}"


def called() -> str:
    """How the command can be typed here: its name where that finds this installation, else the path to it."""
    import shlex
    import shutil

    own = Path(sys.argv[0])
    if own.stem != "fraudline" or not own.exists():  # started by other means than its script
        own = Path(sys.executable).with_name("fraudline")
    found = shutil.which("fraudline")
    if not own.exists() or (found is not None and Path(found).resolve() == own.resolve()):
        return "fraudline"
    whole = str(own.absolute())  # not resolved: a link to the command is how people call it
    return shlex.quote(min(_from_here(whole), whole, key=len))


def _from_here(path: str) -> str:
    try:
        near = os.path.relpath(path)
    except ValueError:  # another drive of Windows
        return path
    return near if os.sep in near else f"{os.curdir}{os.sep}{near}"


class Root(TyperGroup):
    """The outermost group. Every failure becomes its sentence and its exit code here, in one place."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Options of `fraudline` count wherever they stand."""
        return super().parse_args(ctx, hoisted(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; end with the exit code that says what happened."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            reached = f" {stop}" if str(stop) else ""
            say(
                f"Interrupted{reached}. The store is consistent: everything it holds is complete. "
                "The same command goes on where this one stopped."
            )
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            silence_stdout()
            raise typer.Exit(0) from None
        except Exception as error:  # the last place: told as a sentence, with its traceback under --debug
            raise typer.Exit(_told(error, ctx)) from error


def hoisted(args: list[str]) -> list[str]:
    """The same words with the options of `fraudline` itself in front."""
    front: list[str] = []
    rest = list(args)
    at = 0
    while at < len(rest) and rest[at] != "--":
        word = rest[at]
        length = 1 if word.startswith("--workspace=") else _ANYWHERE.get(word, 0)
        front += rest[at : at + length]
        del rest[at : at + length]
        at += not length
    return front + rest


def _told(error: Exception, ctx: Any) -> int:
    """Say what went wrong; the exit code it means."""
    from fraudline.domain.errors import FraudlineError

    if isinstance(error, typer.TyperException | typer.Exit | typer.Abort):
        raise error
    options = ctx.obj if isinstance(ctx.obj, Options) else Options(Path(".fraudline"))
    if options.debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, FraudlineError):
        say(str(error))
        return error.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        say(f"{error.filename}: {error.strerror}.")
        return 4
    say(f"An unexpected failure: {type(error).__name__}: {error}")
    if not options.debug:
        say("This is a fault of fraudline, not of your data. Run it again with --debug to see where, and report that.")
    return 4


def say(sentence: str) -> None:
    """A message for people, on stderr."""
    from fraudline.apps.cli.screen import safe

    typer.echo("\n".join(safe(line) for line in sentence.split("\n")), err=True)


def silence_stdout() -> None:
    """Nobody reads any more: whatever is still written, and Python's own flush at the end, goes nowhere."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # not a real file, as in tests
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
