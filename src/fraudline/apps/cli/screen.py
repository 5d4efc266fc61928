"""How things look on a terminal: money, times, levels and tables; and the same without colour when piped."""

from __future__ import annotations

import sys
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOM_FOR_SENTENCES = 40  # columns; with fewer, a sentence beside a row becomes a tower of words
PIPED_WIDTH = 160  # a pipe has no width; wide enough that no id is cut
LEVEL_STYLES = {"low": "green", "medium": "yellow", "high": "bold red"}
LEVEL_SIGNS = {"low": "○", "medium": "◑", "high": "●"}
OUTCOME_STYLES = {"approve": "green", "review": "yellow", "decline": "bold red"}


def out() -> Console:
    """Where data goes."""
    return _console(stderr=False)


def err() -> Console:
    """Where messages go."""
    return _console(stderr=True)


def plain(file: IO[str]) -> Console:
    """A page of a file: without colour, wide enough that no id is cut."""
    return Console(file=file, width=PIPED_WIDTH, color_system=None, highlight=False, markup=False, emoji=False)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in console._environ:
        console.width = PIPED_WIDTH
    return console


def safe(text: str) -> str:
    """Text of a stranger without what would steer a terminal: control characters and changes of direction."""
    if text.isprintable():
        return text
    return "".join(letter if _harmless(letter) else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _harmless(letter: str) -> bool:
    return unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or letter == "\N{ZERO WIDTH JOINER}"


def money(amount: float | None, currency: str, decimals: int = 2) -> str:
    """An amount as people write it: 12,000.00 INR."""
    return "" if amount is None else f"{amount:,.{decimals}f} {currency}"


def number(value: float) -> str:
    """A count with separators."""
    return f"{value:,.0f}"


def level(name: str) -> Text:
    """A level as sign and word, coloured on a terminal."""
    sign = LEVEL_SIGNS[name] + " " if (sys.stdout.encoding or "").lower().startswith("utf") else ""
    return Text(f"{sign}{name}", style=LEVEL_STYLES[name])


def outcome(name: str) -> Text:
    """An outcome, coloured on a terminal."""
    return Text(name, style=OUTCOME_STYLES[name])


def local(instant_ms: int, zone: str) -> datetime:
    """An instant as the wall clock of a zone shows it."""
    from fraudline.engine.zones import local_ms

    return datetime.fromtimestamp(local_ms([instant_ms], zone, zone)[0] / 1000, UTC).replace(tzinfo=None)


def clock(instant_ms: int, zone: str) -> str:
    """An instant on a zone's wall clock, to the second."""
    return f"{local(instant_ms, zone):%Y-%m-%d %H:%M:%S}"


def table(*columns: str, right: Sequence[str] = (), wrap: str | None = None, title: str = "") -> Table:
    """An empty table. `right` are columns of figures, `wrap` the one that may take several lines."""
    made = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    made.show_edge = False
    for name in columns:
        made.add_column(
            Text(name),
            justify="right" if name in right else "left",
            no_wrap=name != wrap,
            overflow="fold" if name == wrap else "ellipsis",
        )
    return made


@dataclass(slots=True)
class Told:
    """A table whose last column is sentences: beside each row where they have room, else below it."""

    columns: tuple[str, ...]
    right: tuple[str, ...] = ()
    title: str = ""
    rows: list[list[Text]] = field(default_factory=list)

    def add_row(self, *values: Text) -> None:
        """One more row, as of a table."""
        self.rows.append(list(values))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """What rich asks of things it can print."""
        *names, last = self.columns
        short = table(*names, right=self.right, title=self.title)
        whole = table(*names, last, right=self.right, wrap=last, title=self.title)
        for row in self.rows:
            short.add_row(*row[:-1])
            whole.add_row(*row)
        if options.max_width - Measurement.get(console, options, short).maximum >= ROOM_FOR_SENTENCES:
            yield whole
            return
        lines = console.render_lines(short, options, pad=False)
        head = len(lines) - len(self.rows)
        for at, line in enumerate(lines):
            yield from line
            yield Segment.line()
            if at >= head and self.rows[at - head][-1]:
                yield Padding(self.rows[at - head][-1], (0, 0, 0, 4))


def cells(*values: Any) -> list[Text]:
    """Values ready for a table's row: text of strangers made harmless."""
    return [value if isinstance(value, Text) else Text(safe(str(value))) for value in values]


def heading(text: str) -> Text:
    """The name of a section."""
    return Text(text, style="bold")
