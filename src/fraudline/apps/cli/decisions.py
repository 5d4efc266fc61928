"""`fraudline decisions`: find stored decisions, explain one, take them elsewhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.apps.cli.choices import choice
from fraudline.apps.cli.root import Options, say

if TYPE_CHECKING:
    from fraudline.apps.cli.looking import Filters

app = typer.Typer(help="Find decisions, explain one, export them.", no_args_is_help=True)


class Level(StrEnum):
    """A level, as one types it."""

    low = "low"
    medium = "medium"
    high = "high"


class Outcome(StrEnum):
    """An outcome, as one types it."""

    approve = "approve"
    review = "review"
    decline = "decline"


class Sort(StrEnum):
    """What comes first; a minus means the largest or newest."""

    score_down = "-score"
    score = "score"
    time_down = "-time"
    time = "time"
    amount_down = "-amount"
    amount = "amount"


class ListFormat(StrEnum):
    """How a list is written."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


class ShowFormat(StrEnum):
    """How one decision is written."""

    text = "text"
    json = "json"


class ExportFormat(StrEnum):
    """How an export is written."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


LevelOption = Annotated[Level | None, choice(Level, "--level", help="Only this level.")]
OutcomeOption = Annotated[Outcome | None, choice(Outcome, "--outcome", help="Only this outcome.")]
LocationOption = Annotated[
    str | None, typer.Option("--location", metavar="NAME", help="Only this location, whatever its case.")
]
RuleOption = Annotated[str | None, typer.Option("--rule", metavar="ID", help="Only where this rule fired.")]
AccountOption = Annotated[str | None, typer.Option("--account", metavar="ID", help="Only this account, exactly.")]
TextOption = Annotated[
    str | None,
    typer.Option(
        "--text", metavar="WORDS", help="Only where id, account, merchant, location or description holds this."
    ),
]
AmountOption = Annotated[
    str | None, typer.Option("--min-amount", metavar="AMOUNT", help="Only this amount or more, such as 10000.50.")
]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="Not earlier; a date or time, in the ruleset's zone.")
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="Earlier than this time; a date includes its day.")
]
SortOption = Annotated[Sort, choice(Sort, "--sort", help="What comes first; a minus means the largest or newest.")]
RulesetOption = Annotated[
    str | None, typer.Option("--ruleset", "-r", metavar="NAME", help="Only what this ruleset decided, by its name.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to the screen, whole or not at all."),
]


@app.command("list")
def list_(
    context: typer.Context,
    level: LevelOption = None,
    outcome: OutcomeOption = None,
    location: LocationOption = None,
    rule: RuleOption = None,
    account: AccountOption = None,
    text: TextOption = None,
    min_amount: AmountOption = None,
    since: FromOption = None,
    until: ToOption = None,
    ruleset: RulesetOption = None,
    sort: SortOption = Sort.score_down,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    format: Annotated[  # noqa: A002 - it is the name of the option
        ListFormat, choice(ListFormat, "--format", "-f", help="A table for people; JSON or CSV for programs.")
    ] = ListFormat.table,
) -> None:
    """List decisions, the highest scores first. Filters combine: all of them must hold."""
    from fraudline.apps.cli import looking, rows
    from fraudline.apps.cli.sink import Sink

    options: Options = context.obj
    filters = _filters(level, outcome, location, rule, account, text, min_amount, since, until)
    with looking.looking(options, ruleset) as look, Sink() as sink:
        found = list(look.find(filters, sort, limit))
        if format is ListFormat.table and found:
            sink.print(rows.table(look, found))
        elif format is ListFormat.json:
            sink.json([look.document(decision) for decision in found])
        elif format is not ListFormat.table:
            rows.write(look, found, format.value, sink)
        if options.quiet:
            return
        if not found:
            say("No decision matches. Drop a filter, or see all: " + options.command("decisions list"))
        elif len(found) == limit and format is ListFormat.table:
            say(
                f"These are the first {limit}; --limit shows more, and {options.command('decisions export')} takes all."
            )


@app.command()
def show(
    context: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="The transaction's id.")],  # noqa: A002 - it is the name of the argument
    ruleset: RulesetOption = None,
    format: Annotated[  # noqa: A002 - it is the name of the option
        ShowFormat, choice(ShowFormat, "--format", "-f", help="Sentences for people, or the JSON document.")
    ] = ShowFormat.text,
) -> None:
    """Explain one decision: what was decided, why, what was not known, and what would change it."""
    from fraudline.apps.cli import looking, story
    from fraudline.apps.cli.sink import Sink

    options: Options = context.obj
    with looking.looking(options, ruleset) as look, Sink() as sink:
        decision = look.decision(id)
        if format is ShowFormat.json:
            sink.json(look.document(decision))
        else:
            sink.print(*story.told(look, decision, options))


@app.command()
def export(
    context: typer.Context,
    level: LevelOption = None,
    outcome: OutcomeOption = None,
    location: LocationOption = None,
    rule: RuleOption = None,
    account: AccountOption = None,
    text: TextOption = None,
    min_amount: AmountOption = None,
    since: FromOption = None,
    until: ToOption = None,
    ruleset: RulesetOption = None,
    sort: SortOption = Sort.time,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="How many at most; without it, all.")
    ] = None,
    format: Annotated[  # noqa: A002 - it is the name of the option
        ExportFormat | None,
        choice(
            ExportFormat,
            "--format",
            "-f",
            help="Safe CSV, whole decisions as JSON lines, or Parquet; without it by the ending of --output, else CSV.",
        ),
    ] = None,
    output: OutputOption = None,
) -> None:
    """Write all decisions that pass the filters, the same as of `decisions list`, to a file or to standard output."""
    from fraudline.apps.cli import looking, progress, rows
    from fraudline.apps.cli.sink import Sink

    options: Options = context.obj
    chosen = _format(format, output)
    filters = _filters(level, outcome, location, rule, account, text, min_amount, since, until)
    with looking.looking(options, ruleset) as look, Sink(output) as sink:
        found = look.find(filters, sort, limit)
        with progress.bar("exporting", None, quiet=options.quiet or output is None) as bar:
            written = rows.write(look, bar.each(found), chosen.value, sink)
    if not options.quiet:
        say(f"{written:,} decision{'' if written == 1 else 's'} written" + (f" to {output}" if output else ""))


ENDINGS = {
    ".csv": ExportFormat.csv,
    ".jsonl": ExportFormat.jsonl,
    ".ndjson": ExportFormat.jsonl,
    ".parquet": ExportFormat.parquet,
    ".pq": ExportFormat.parquet,
}


def _format(asked: ExportFormat | None, output: Path | None) -> ExportFormat:
    """The format of an export: the one asked for, else that of the file's ending; never one that the name denies.

    Raises UsageError where neither says it, or both say different things.
    """
    from fraudline.domain.errors import UsageError

    if output is None:
        if asked is ExportFormat.parquet:
            raise UsageError("Parquet is not for a screen: add --output FILE.")
        return asked or ExportFormat.csv
    named = ENDINGS.get(output.suffix.lower())
    if asked is None and named is None:
        ending = f"the ending {output.suffix}" if output.suffix else "no ending"
        raise UsageError(
            f"{output} has {ending}, which says no format: let it end in .csv, .jsonl or .parquet, "
            "or add --format csv, jsonl or parquet."
        )
    if asked is not None and named not in (None, asked):
        raise UsageError(f"--format {asked.value} and the ending of {output} disagree: leave one of them out.")
    return asked or named or ExportFormat.csv


def _filters(
    level: Level | None,
    outcome: Outcome | None,
    location: str | None,
    rule: str | None,
    account: str | None,
    text: str | None,
    min_amount: str | None,
    since: str | None,
    until: str | None,
) -> Filters:
    from fraudline.apps.cli.looking import Filters

    return Filters(
        level=level.value if level else None,
        outcome=outcome.value if outcome else None,
        location=location,
        rule=rule,
        account=account,
        text=text,
        min_amount=min_amount,
        since=since,
        until=until,
    )
