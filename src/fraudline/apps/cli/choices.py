"""Options that can only be some words: in any case, and with the nearest word where one was misspelt."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

import typer

Words = TypeVar("Words", bound=StrEnum)


def choice(words: type[Words], *names: str, help: str) -> Any:  # noqa: A002 - typer calls it so. Any: as typer.Option
    """An option that is one of these words."""
    return typer.Option(*names, help=help, metavar=f"[{'|'.join(words)}]", parser=_reader(words))


def _reader(words: type[Words]) -> Callable[[str], Words]:
    def read(text: str) -> Words:
        from difflib import get_close_matches

        folded = str(text).strip().casefold()
        if folded in {*words}:
            return words(folded)
        close = get_close_matches(folded, list(words), n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise typer.BadParameter(f"{text!r} is none of {', '.join(words)}.{hint}")

    return read
