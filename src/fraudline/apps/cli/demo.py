"""`fraudline demo`: invented, labelled transactions, decided before your eyes, and how many frauds were found."""

from __future__ import annotations

from typing import Annotated

import typer

from fraudline.apps.cli.root import Options


def demo(
    context: typer.Context,
    transactions: Annotated[
        int, typer.Option("--transactions", "-n", min=100, max=5_000_000, help="How many transactions to invent.")
    ] = 10_000,
    ruleset: Annotated[
        str, typer.Option("--ruleset", "-r", metavar="NAME", help="Whose world: cards, payments or expenses.")
    ] = "cards",
    seed: Annotated[int, typer.Option("--seed", help="Another number invents another world.")] = 1,
) -> None:
    """Invent realistic, labelled transactions, decide them, and compare with the labels.

    Everything happens in a folder of its own, the workspace's `demo`, which is made anew each time.
    """
    from fraudline.apps.cli import showcase

    options: Options = context.obj
    showcase.run(options, transactions, ruleset, seed)
