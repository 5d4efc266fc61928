"""The command line: one file per group of commands, this one for what all of them share.

Nothing heavy is imported before a command runs, so that `--help` answers at once: each command imports what it needs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fraudline.apps.cli import decisions, demo, doctor, replay, rules, score
from fraudline.apps.cli.root import Options, Root

EVERYDAY, OPERATIONS = "Everyday", "Operations"

app = typer.Typer(
    name="fraudline",
    cls=Root,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("demo", rich_help_panel=EVERYDAY)(demo.demo)
app.command("score", rich_help_panel=EVERYDAY)(score.score)
app.add_typer(decisions.app, name="decisions", rich_help_panel=EVERYDAY)
app.add_typer(rules.app, name="rules", rich_help_panel=EVERYDAY)
app.command("replay", rich_help_panel=OPERATIONS)(replay.replay)
app.command("doctor", rich_help_panel=OPERATIONS)(doctor.doctor)


def _print_version(asked: bool) -> None:
    if asked:
        from fraudline import __version__

        typer.echo(f"fraudline {__version__}")
        raise typer.Exit


@app.callback()
def fraudline(
    context: typer.Context,
    workspace: Annotated[
        Path,
        typer.Option(
            "--workspace",
            "-w",
            metavar="DIR",
            envvar="FRAUDLINE_WORKSPACE",
            help="The folder that holds the log, rulesets and settings.",
        ),
    ] = Path(".fraudline"),
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no hints, only data and errors.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="FRAUDLINE_DEBUG", help="Show the traceback of an unexpected failure.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - its callback answers before anything else runs
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Decide which transactions are fraud, and say why."""
    context.obj = Options(workspace, quiet, debug)


def main() -> None:
    """The entry point of the command `fraudline`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name in Hindi must not stop a terminal in ASCII
    app()
