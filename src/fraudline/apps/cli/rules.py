"""`fraudline rules`: check, test, read and explain rulesets."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from fraudline.apps.cli.choices import choice
from fraudline.apps.cli.root import Options, say

app = typer.Typer(help="Check, test, read and explain rulesets.", no_args_is_help=True)


class ShowFormat(StrEnum):
    """How a ruleset is written."""

    table = "table"
    yaml = "yaml"


RulesetArgument = Annotated[
    str, typer.Argument(metavar="RULESET", help="A YAML file, a name in the workspace's rulesets/, or a shipped one.")
]


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the rulesets that can be called by name: the workspace's own, then the shipped ones."""
    from fraudline import wiring
    from fraudline.apps.cli import rulebook
    from fraudline.apps.cli.sink import Sink

    options: Options = context.obj
    with Sink() as sink:
        sink.print(rulebook.listing(wiring.rulesets(options.workspace)))
    if not options.quiet:
        say("Next: " + options.command("rules show expenses"))


@app.command()
def check(context: typer.Context, ruleset: RulesetArgument) -> None:
    """Find everything that is wrong with a ruleset, each fault with its line, a caret and a suggestion.

    Exit code 1 says that there are errors; warnings alone do not stop anybody.
    """
    from fraudline import wiring

    options: Options = context.obj
    listed = wiring.named_ruleset(ruleset, options.workspace)
    checked, problems = wiring.check_ruleset(listed)
    for problem in problems:
        typer.echo(_harmless(str(problem)))
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    if checked is None:
        say(f"{listed.file}: {_count(errors, 'error')}, {_count(warnings, 'warning')}.")
        raise typer.Exit(1)
    found = f", {_count(warnings, 'warning')}" if warnings else ""
    typer.echo(f"{checked.version()}: {_count(len(checked.rules), 'rule')}, no errors{found}.")


@app.command()
def test(context: typer.Context, ruleset: RulesetArgument) -> None:
    """Run the examples that stand beside each rule, on fresh histories.

    Exit code 1 says that a rule did not do what its example says. A rule without examples is only a warning.
    """
    from fraudline import wiring
    from fraudline.apps.cli import rulebook
    from fraudline.apps.cli.sink import Sink
    from fraudline.engine import examples

    options: Options = context.obj
    found = wiring.find_ruleset(ruleset, options.workspace)
    results = examples.run(found)
    failed = [result for result in results if not result.passed]
    with Sink() as sink:
        sink.print(rulebook.examples_table(found, results))
        for result in failed:
            sink.print(_harmless(str(result)))
    without = [rule.id for rule in found.rules if not rule.examples]
    if without:
        say(f"warning: no examples for {', '.join(without)}.")
    if failed:
        say(f"{found.name}: {len(failed)} of {_count(len(results), 'example')} failed.")
        raise typer.Exit(1)
    typer.echo(
        f"{found.version()}: {_count(len(results), 'example')} of {_count(len(found.rules), 'rule')}, all as expected."
    )


@app.command()
def show(
    context: typer.Context,
    ruleset: RulesetArgument,
    format: Annotated[  # noqa: A002 - it is the name of the option
        ShowFormat, choice(ShowFormat, "--format", "-f", help="Tables for people, or the YAML as it stands, to copy.")
    ] = ShowFormat.table,
) -> None:
    """Show a ruleset as tables: the ladder of scores, fields, lists, features and rules.

    A ruleset of one's own begins as a copy: `fraudline rules show expenses --format yaml > my_rules.yaml`.
    """
    from fraudline import wiring
    from fraudline.apps.cli import rulebook
    from fraudline.apps.cli.sink import Sink

    options: Options = context.obj
    if format is ShowFormat.yaml:
        with Sink() as sink:
            sink.write(wiring.named_ruleset(ruleset, options.workspace).text.encode())
        return
    found = wiring.find_ruleset(ruleset, options.workspace)
    with Sink() as sink:
        sink.print(*rulebook.shown(found))
    if not options.quiet:
        say("Next: " + options.command(f"rules explain {ruleset} {found.rules[0].id}"))


@app.command()
def explain(
    context: typer.Context,
    ruleset: RulesetArgument,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule's id.")],
) -> None:
    """Explain one rule: its condition as a tree, the histories and windows it looks at, and what that costs."""
    from difflib import get_close_matches

    from fraudline import wiring
    from fraudline.apps.cli import rulebook
    from fraudline.apps.cli.sink import Sink
    from fraudline.domain.errors import UsageError

    options: Options = context.obj
    found = wiring.find_ruleset(ruleset, options.workspace)
    ids = [known.id for known in found.rules]
    if rule not in ids:
        close = get_close_matches(rule, ids, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"It has {', '.join(ids)}."
        raise UsageError(f"{found.name} has no rule {rule!r}. {hint}")
    with Sink() as sink:
        sink.print(*rulebook.explained(found, ids.index(rule)))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _harmless(text: str) -> str:
    from fraudline.apps.cli.screen import safe

    return "\n".join(safe(line) for line in text.split("\n"))
