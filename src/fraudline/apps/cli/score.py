"""`fraudline score`: decide files of transactions, store the decisions, and say what was found."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.apps.cli.choices import choice
from fraudline.apps.cli.root import Options

if TYPE_CHECKING:
    from fraudline.apps.cli.scoring import Scored


class Format(StrEnum):
    """What is printed: a summary for people, one summary object, or one decision a line."""

    table = "table"
    json = "json"
    jsonl = "jsonl"


def score(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="CSV, JSON lines or Parquet, also .gz; - reads standard input."),
    ],
    ruleset: Annotated[
        str | None,
        typer.Option("--ruleset", "-r", metavar="NAME_OR_FILE", help="What decides: a shipped or own ruleset."),
    ] = None,
    format: Annotated[  # noqa: A002 - it is the name of the option
        Format, choice(Format, "--format", "-f", help="A summary for people, one JSON summary, or one decision a line.")
    ] = Format.table,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write there instead of to the screen, whole or not at all."
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 when a row was rejected or in conflict.")] = False,
) -> None:
    """Decide files of transactions, store every decision, and print what was found.

    A row that cannot be read as a transaction is reported with its line, column and reason; all others are decided.
    Scoring a file again finds duplicates and counts nothing twice, so an interrupted run is simply started again.
    """
    from fraudline.apps.cli import scoring, summary
    from fraudline.apps.cli.sink import Sink

    options: Options = context.obj
    settings = options.settings()
    rules = scoring.chosen(ruleset, settings, options.workspace)
    with Sink(output) as sink:
        decisions = sink if format is Format.jsonl else None
        scored = scoring.score_files(files, rules, settings, options, decisions=decisions)
        if format is Format.table:
            summary.print_tables(scored, rules, sink)
        elif format is Format.json:
            sink.json(summary.as_json(scored))
    summary.print_messages(scored, options, tables=format is Format.table)
    raise typer.Exit(_exit_code(scored, strict))


def _exit_code(scored: list[Scored], strict: bool) -> int:
    """The worst of what happened: a file that could not be used, then rows to look at.

    Bad data counts where --strict asks for it; a dead letter is a failure of ours and always counts.
    """
    unusable = max((file.failure.exit_code for file in scored if file.failure), default=0)
    dead = any(file.receipt and file.receipt.counts.dead_letter for file in scored)
    return unusable or int(dead or (strict and any(file.to_be_looked_at for file in scored)))
