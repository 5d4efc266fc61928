"""The progress of long work: on a terminal, on stderr, with rate and time left; nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID

T = TypeVar("T")

WORTH_SHOWING_BYTES = 400_000  # smaller files are done before a bar could be read


class Bar:
    """One bar for one stretch of work, or none where nobody would see it."""

    def __init__(self, what: str, total: int | None, *, unit: str, shown: bool) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        if shown:
            self._progress = _progress()
            self._task = self._progress.add_task(what, total=total, unit=unit)

    def __enter__(self) -> Bar:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()

    def advance(self, amount: int) -> None:
        """So much more is done."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, amount)

    def reach(self, amount: int) -> None:
        """So much is done altogether."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=amount)

    def each(self, things: Iterable[T]) -> Iterator[T]:
        """The same things, each counted as it passes."""
        for thing in things:
            yield thing
            self.advance(1)

    def turn(self, what: str, total: int | None, unit: str = "rows") -> None:
        """Begin the next stretch."""
        if self._progress is not None and self._task is not None:
            self._progress.reset(self._task, description=what, total=total, unit=unit)


@contextmanager
def bar(what: str, total: int | None, *, unit: str = "rows", quiet: bool, worth: bool = True) -> Iterator[Bar]:
    """A bar on stderr, where that is a terminal and the work is long."""
    with Bar(what, total, unit=unit, shown=worth and not quiet and _seen()) as made:
        yield made


def _seen() -> bool:
    return sys.stderr.isatty()


def _progress() -> Progress:
    from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    from fraudline.apps.cli.screen import err

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            if not speed:
                return Text("")
            unit = task.fields["unit"]
            return Text(f"{speed / 1e6:,.1f} MB/s" if unit == "bytes" else f"{speed:,.0f} {unit}/s")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        Rate(),
        TimeRemainingColumn(compact=True),
        console=err(),
        transient=True,
    )
