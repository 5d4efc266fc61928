"""The placeholders of a reason: `{name}` is a value seen, `{name:limit}` what it was compared with, `{{` a brace."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)(:limit)?\}")
_BRACE = re.compile(r"[{}]")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One `{name}` or `{name:limit}` and where it stands in the reason."""

    name: str
    limit: bool
    start: int
    end: int


def placeholders(reason: str) -> list[Placeholder]:
    """The placeholders of a reason, in order.

    >>> [(p.name, p.limit) for p in placeholders("{amount} is above {amount:limit}")]
    [('amount', False), ('amount', True)]
    """
    found = _PLACEHOLDER.finditer(reason)
    return [Placeholder(f[1], f[2] is not None, f.start(), f.end()) for f in found if f[1]]


def stray_brace(reason: str) -> int | None:
    """Where a brace stands that belongs to no placeholder, or None."""
    bare = _PLACEHOLDER.sub(lambda found: " " * len(found.group()), reason)
    found = _BRACE.search(bare)
    return found.start() if found else None
