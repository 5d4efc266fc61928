"""CSV and its relatives -> blocks of records. Made for files nobody checked.

Lines without a quotation mark are cut at the delimiter, whole pieces at a time. Where there is one, Python's strict csv
reader decides, one record at a time: a quotation mark that is never closed, text after a closing one, a record of more
than 100 lines or 64 KiB, or several lines that together have the wrong number of fields lose their first line only,
and reading goes on with the next line. So a quotation mark opened by mistake never swallows the rows below it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import BinaryIO, Final

from fraudline.adapters.embedded.lines import RECORD_BYTES_MAX, Piece, Pieces, is_damaged, legible
from fraudline.domain.errors import UnusableInput
from fraudline.domain.ruleset import IN_YOUR_COPY
from fraudline.domain.transaction import Records, Rejected

RECORD_LINES_MAX: Final = 100
DELIMITERS: Final = (",", ";", "\t", "|")

Row = tuple[int, list[str]]  # line, fields


class Delimited:
    """A delimited text file. `required` names the columns by which the delimiter is found where none is declared;
    `wanted` those that are read (all, where it is None)."""

    def __init__(
        self,
        stream: BinaryIO,
        *,
        encoding: str = "utf-8",
        delimiter: str | None = None,
        required: Sequence[str] = (),
        wanted: Sequence[str] | None = None,
    ) -> None:
        self._encoding = encoding
        self._source = Pieces(stream, encoding)
        self._pieces = iter(self._source)
        self._line = 1
        self._held: list[str] = []  # lines of a record whose end has not been read yet
        header = self._header_lines()
        self._delimiter = delimiter or _delimiter(header, required)
        self.columns = self._read_header(header)
        self._places = {name: self.columns.index(name) for name in self.columns}
        self._wanted = [name for name in self._places if wanted is None or name in wanted]

    # The header

    def _header_lines(self) -> list[str]:
        """The lines of the first piece that is not blank."""
        for piece in self._pieces:
            if piece.overlong:
                raise UnusableInput(
                    "its first line is longer than 64 KiB, which is no header; is it a CSV file at all?"
                )
            lines = _lines(piece.text)
            blank = next((place for place, line in enumerate(lines) if line.strip()), len(lines))
            self._line += blank
            if blank < len(lines):
                self._refuse_unreadable(lines[blank])
                return lines[blank:]
        raise UnusableInput("it is empty: there is not even a header")

    def _refuse_unreadable(self, header: str) -> None:
        if "\0" in header:
            order = "utf-16-be" if header.startswith("\0") else "utf-16-le"
            raise UnusableInput(
                "its header holds NUL characters, as UTF-16 without a byte order mark does; "
                f"if that is what it is, declare `encoding: {order}` {IN_YOUR_COPY}"
            )
        if is_damaged(header):
            raise UnusableInput(f"its header {_not_text(self._encoding)}")

    def _read_header(self, lines: list[str]) -> tuple[str, ...]:
        feed = _Feed(lines, 0)
        try:
            row = next(csv.reader(feed, delimiter=self._delimiter, strict=True))
        except (csv.Error, _Unfinished, _TooLong):
            raise UnusableInput("its header has a quotation mark that is not closed; correct the first line") from None
        self._held = lines[feed.next :]
        self._line += feed.next
        return tuple(row)

    # The records

    def __iter__(self) -> Iterator[Records]:
        if self._held:
            held, self._held = self._held, []
            yield from self._blocks(Piece("".join(held), damaged=any(map(is_damaged, held))))
        for piece in self._pieces:
            yield from self._blocks(piece)
        if self._held:
            yield self._quoted([], damaged=True, final=True)

    def _blocks(self, piece: Piece) -> Iterator[Records]:
        if piece.overlong:
            if self._held:
                yield self._quoted([], damaged=True, final=True)
            problem = Rejected(self._line, "", "too_long", "a record has at most 64 KiB", legible(piece.text))
            self._line += 1
            yield Records(problems=[problem])
        elif self._held or '"' in piece.text:
            yield self._quoted(_lines(piece.text), damaged=piece.damaged, final=False)
        else:
            yield self._plain(piece)

    def _plain(self, piece: Piece) -> Records:
        """Lines without any quotation mark."""
        text = piece.text
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        text = text.removesuffix("\n")
        lines, first, width, delimiter = text.split("\n"), self._line, len(self.columns), self._delimiter
        self._line += len(lines)
        even = set(map(str.count, lines, repeat(delimiter))) == {width - 1}
        if (
            even
            and not piece.damaged
            and (width > 1 or "" not in lines)
            and max(map(len, lines)) * 4 <= RECORD_BYTES_MAX
        ):
            fields = text.replace("\n", delimiter).split(delimiter)
            columns = {name: fields[self._places[name] :: width] for name in self._wanted}
            return Records(list(range(first, first + len(lines))), columns)
        rows = [(first + place, line.split(delimiter)) for place, line in enumerate(lines) if line.strip(" ")]
        return self._records(rows, [], piece.damaged)

    def _records(self, rows: list[Row], problems: list[Rejected], damaged: bool) -> Records:
        """Rows that can be records as columns, the others as problems."""
        good = []
        for row in rows:
            problem = self._problem(row, damaged)
            if problem:
                problems.append(problem)
            else:
                good.append(row)
        table = list(zip(*(fields for _, fields in good), strict=True)) or [()] * len(self.columns)
        columns = {name: list(table[self._places[name]]) for name in self._wanted}
        return Records([line for line, _ in good], columns, problems)

    def _problem(self, row: Row, damaged: bool) -> Rejected | None:
        line, fields = row
        if len(fields) != len(self.columns):
            said = f"the row has {len(fields)} field{'s'[: len(fields) != 1]}, the header has {len(self.columns)}"
            return Rejected(line, "", "ragged", said, legible(self._delimiter.join(fields)))
        size = sum(map(len, fields))
        if size * 4 > RECORD_BYTES_MAX and len("".join(fields).encode("utf-8", "replace")) > RECORD_BYTES_MAX:
            return Rejected(line, "", "too_long", "a record has at most 64 KiB", legible(self._delimiter.join(fields)))
        if damaged:
            for name, field in zip(self.columns, fields, strict=True):
                if is_damaged(field):
                    return Rejected(line, name, "encoding", f"{name} {_not_text(self._encoding)}", legible(field))
        return None

    # Records with quotation marks

    def _quoted(self, lines: list[str], *, damaged: bool, final: bool) -> Records:
        """Lines with quotation marks somewhere, after those that were held back."""
        lines, first = self._held + lines, self._line - len(self._held)
        damaged = damaged or any(map(is_damaged, self._held))
        self._line = first + len(lines)
        self._held = []
        rows: list[Row] = []
        problems: list[Rejected] = []
        start = 0
        while start < len(lines):
            feed = _Feed(lines, start)
            try:
                self._read(feed, first, rows)
                start = len(lines)
            except _Unfinished:
                if not final:
                    self._held = lines[feed.record :]
                    break
                start = _give_up(feed, first, problems, "opens a quotation mark that is never closed")
            except _TooLong:
                said = "opens a quotation mark that is not closed within 100 lines or 64 KiB"
                start = _give_up(feed, first, problems, said)
            except _Uneven:
                said = "opens a quotation mark, and the lines up to the closing one do not make a record"
                start = _give_up(feed, first, problems, said)
            except csv.Error:
                said = "has text after a closing quotation mark; inside quotation marks they are written twice"
                start = _give_up(feed, first, problems, said)
        return self._records(rows, problems, damaged)

    def _read(self, feed: _Feed, first: int, rows: list[Row]) -> None:
        """Append records until the lines end, or one of them is not as it should be."""
        width = len(self.columns)
        for fields in csv.reader(feed, delimiter=self._delimiter, strict=True):
            count = feed.next - feed.record
            if len(fields) != width and count > 1:
                raise _Uneven
            if len(fields) > 1 or (fields and fields[0].strip(" ")):
                rows.append((first + feed.record, fields))
            feed.record, feed.size = feed.next, 0


class _Feed:
    """Lines for a csv reader, one at a time. `record` is where the record began that it is reading."""

    def __init__(self, lines: list[str], start: int) -> None:
        self.lines = lines
        self.next = self.record = start
        self.size = 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if self.next == len(self.lines):
            raise _Unfinished if self.next > self.record else StopIteration
        if self.next - self.record >= RECORD_LINES_MAX or self.size > RECORD_BYTES_MAX:
            raise _TooLong
        line = self.lines[self.next]
        self.next += 1
        self.size += len(line)
        return line


class _Unfinished(Exception):
    """The lines end inside a record."""


class _TooLong(Exception):
    """A record has more lines or bytes than a record may have."""


class _Uneven(Exception):
    """A record of several lines has the wrong number of fields: they never were one record."""


def _give_up(feed: _Feed, first: int, problems: list[Rejected], said: str) -> int:
    """Reject the first line of a record; reading goes on with the line below it."""
    problems.append(Rejected(first + feed.record, "", "quote", f"the row {said}", legible(feed.lines[feed.record])))
    return feed.record + 1


def _lines(text: str) -> list[str]:
    """Physical lines with their ends; only what ends lines in files does, not every separator of Unicode."""
    return list(io.StringIO(text, newline=""))


def _not_text(encoding: str) -> str:
    other = "utf-8" if encoding.lower().replace("_", "-") in {"windows-1252", "cp1252"} else "windows-1252"
    said = f"holds bytes that are not {encoding}; if the file is in another encoding, declare"
    return f"{said} `encoding: {other}` {IN_YOUR_COPY}"


def _delimiter(lines: list[str], required: Sequence[str]) -> str:
    """The one under which the header has the most required columns, then the most columns; the first of equals."""
    return max(DELIMITERS, key=lambda delimiter: _fit(lines, delimiter, required))


def _fit(lines: list[str], delimiter: str, required: Sequence[str]) -> tuple[int, int]:
    try:
        names = next(csv.reader(_Feed(lines, 0), delimiter=delimiter, strict=True))
    except (csv.Error, _Unfinished, _TooLong):
        return 0, len(lines[0].split(delimiter))  # the header will be refused; it is still cut where it should be
    return len(set(names) & set(required)), len(names)
