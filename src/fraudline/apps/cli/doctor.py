"""`fraudline doctor`: what is installed, what is misconfigured, and the command that mends it."""

from __future__ import annotations

import typer

from fraudline.apps.cli.root import Options

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(context: typer.Context) -> None:
    """Look at the installation and the workspace; say what is wrong and the command that mends it.

    Exit code 1 says that something must be mended.
    """
    from rich.text import Text

    from fraudline.apps.cli import examination, screen
    from fraudline.apps.cli.sink import Sink

    options: Options = context.obj
    findings = list(examination.examined(options))
    made = screen.table("", "what", "found", wrap="found")
    for finding in findings:
        said = finding.said + (f"\n{finding.mend}" if finding.mend else "")
        made.add_row(
            Text(finding.verdict, style=STYLES[finding.verdict]),
            finding.what,
            Text("\n".join(map(screen.safe, said.split("\n")))),
        )
    made.show_header = False
    with Sink() as sink:
        sink.print(made)
    raise typer.Exit(int(any(finding.verdict == "fail" for finding in findings)))
