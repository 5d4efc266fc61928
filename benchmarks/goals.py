"""What is promised, what was measured, and whether the promise is kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `met` is None where nothing was promised, or where it could not be measured."""

    what: str
    goal: str
    measured: str
    ratio: float | None = None  # measured / wanted, so that 1 or more is good; both from the same run
    met: bool | None = None

    @property
    def verdict(self) -> str:
        """The last word of the line."""
        return {True: "met", False: "NOT MET", None: "-"}[self.met]


def at_least(what: str, goal: str, measured: str, value: float, wanted: float) -> Line:
    """More is better."""
    return Line(what, goal, measured, value / wanted, value >= wanted)


def at_most(what: str, goal: str, measured: str, value: float, allowed: float) -> Line:
    """Less is better."""
    return Line(what, goal, measured, allowed / value if value else None, value <= allowed)


def note(what: str, measured: str, goal: str = "") -> Line:
    """A figure without a promise, or a promise that could not be measured."""
    return Line(what, goal, measured)


def table(lines: list[Line]) -> str:
    """The lines as text, in columns."""
    head = ("what", "goal", "measured", "of goal", "")
    rows = [head] + [
        (one.what, one.goal, one.measured, f"{one.ratio:.2f} x" if one.ratio is not None else "", one.verdict)
        for one in lines
    ]
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
