"""`fraudline replay`: decide the log again and compare it, byte for byte, with what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.apps.cli.root import Options, say

if TYPE_CHECKING:
    from fraudline.domain.decision import Decision
    from fraudline.replay import Difference

DIFFERENCES_SHOWN = 5
FIELDS_SHOWN = 8


def replay(
    context: typer.Context,
    id: Annotated[  # noqa: A002 - it is the name of the argument
        str | None, typer.Argument(metavar="ID", help="Only this transaction; without it, the whole log.")
    ] = None,
    ruleset: Annotated[
        str | None, typer.Option("--ruleset", "-r", metavar="NAME", help="Only the log of this ruleset, by its name.")
    ] = None,
) -> None:
    """Decide the stored log again, each decision under the ruleset of its time, and compare every byte.

    Exit code 1 says that at least one decision came out differently; the first few are shown field by field.
    """
    from fraudline.apps.cli import looking

    options: Options = context.obj
    with looking.looking(options, ruleset) as look:
        only = look.decision(id) if id is not None else None
        names = sorted({found.name for found in look.rulesets})
        if only is not None:
            names = [look.store.ruleset(only.revision).name]
    if not names:
        say("Nothing was decided in this workspace yet, so there is nothing to replay.")
        return
    different = [_replayed(options, name, only) for name in names]
    raise typer.Exit(int(any(different)))


def _replayed(options: Options, name: str, only: Decision | None) -> bool:
    """Replay one log and say how it went; whether there was a difference."""
    from fraudline import wiring
    from fraudline.apps.cli import looking, progress
    from fraudline.replay import replay as repeated

    rows = wiring.stored_rows(options.workspace)
    settings = options.settings()
    compared, count = 0, 0
    shown: list[Difference] = []
    with looking.looking(options, name) as look:
        with progress.bar("replaying", None, quiet=options.quiet, worth=rows > 10_000) as bar:
            bar.turn("replaying", look.store.count())
            for stretch in repeated(look.store, lambda found: wiring.fresh(found, settings, rows), only=only):
                compared += stretch.compared
                count += len(stretch.differences)
                shown += stretch.differences[: DIFFERENCES_SHOWN - len(shown)]
                bar.advance(stretch.passed)
        _tell(name, only, compared, count, shown)
    return count > 0


def _tell(name: str, only: Decision | None, compared: int, count: int, shown: list[Difference]) -> None:
    from fraudline.apps.cli.screen import safe

    for difference in shown:
        typer.echo(f"{safe(difference.decision.transaction_id)} (number {difference.decision.sequence}) differs:")
        for field, stored, again in difference.fields()[:FIELDS_SHOWN]:
            typer.echo(safe(f"  {field}: stored {stored}, now {again}"))
    if count > len(shown):
        typer.echo(f"and {count - len(shown):,} more")
    if count:
        typer.echo(f"{name}: {count:,} of {compared:,} decisions came out differently.")
    elif only is not None:
        typer.echo(f"{safe(only.transaction_id)}: decided again from the log, identical byte for byte.")
    else:
        typer.echo(
            f"{name}: {compared:,} decision{'' if compared == 1 else 's'} repeated, all identical byte for byte."
        )
