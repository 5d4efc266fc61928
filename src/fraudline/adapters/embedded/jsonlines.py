"""JSON lines -> blocks of records: one object a line, numbers exactly as written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, BinaryIO, Final

import msgspec

from fraudline.adapters.embedded.lines import RECORD_BYTES_MAX, Piece, Pieces
from fraudline.domain.errors import UnusableInput
from fraudline.domain.transaction import Records, Rejected

_decode: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
_LATE_COLON: Final = re.compile(r'"\s+:')
_NOT_LINES: Final = (
    "it is JSON, but not one object a line; `jq -c '.[]' FILE` makes lines of one array, `jq -c . FILE` of objects"
)

Line = tuple[int, dict[str, Any]]


class JsonLines:
    """A file of JSON lines. `columns` are the names that its first records have; later records may have others."""

    def __init__(self, stream: BinaryIO, *, encoding: str = "utf-8", wanted: Sequence[str] | None = None) -> None:
        self._wanted = None if wanted is None else frozenset(wanted)
        self._pieces = iter(Pieces(stream, encoding, line_ends=b"\n"))
        self._line = 1
        first = next(self._pieces, None)
        if first is None or not (first.text.strip() or first.overlong):
            raise UnusableInput("it is empty")
        if first.text.lstrip().startswith("[") or first.text.lstrip().split("\n", 1)[0].strip() == "{":
            raise UnusableInput(_NOT_LINES)
        self._first = self._records(first)
        self.columns = tuple(self._first.columns)

    def __iter__(self) -> Iterator[Records]:
        yield self._first
        for piece in self._pieces:
            yield self._records(piece)

    def _records(self, piece: Piece) -> Records:
        if piece.overlong:
            self._line += 1
            return Records(problems=[Rejected(self._line - 1, "", "too_long", "a record has at most 64 KiB")])
        lines = piece.text.removesuffix("\n").split("\n")
        rows: list[Line] = []
        problems: list[Rejected] = []
        for line, text in enumerate(lines, self._line):
            if text and not text.isspace():
                _read(line, text, rows, problems)
        self._line += len(lines)
        return Records([line for line, _ in rows], self._columns([row for _, row in rows]), problems)

    def _columns(self, rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
        """Every name that occurs, in order; those nobody wants hold nothing, and are only there to be seen."""
        names: dict[str, None] = {}
        for row in rows:
            names |= dict.fromkeys(row)
        nothing: list[Any] = [None] * len(rows)
        wanted = self._wanted
        return {
            name: [row.get(name) for row in rows] if wanted is None or name in wanted else nothing for name in names
        }


def _read(line: int, text: str, rows: list[Line], problems: list[Rejected]) -> None:
    """One line, as a record or as a problem. What stood in it is not repeated: nobody knows which field it was."""
    if len(text) * 4 > RECORD_BYTES_MAX and len(text.encode("utf-8", "surrogatepass")) > RECORD_BYTES_MAX:
        problems.append(Rejected(line, "", "too_long", "a record has at most 64 KiB"))
        return
    try:
        row = _decode(text)
    except UnicodeEncodeError:
        problems.append(Rejected(line, "", "encoding", "the line holds bytes that are not UTF-8"))
    except msgspec.ValidationError as error:
        number = str(error).startswith("Integer")
        said = "the line holds a number that is too long" if number else "the line is JSON, but no object"
        problems.append(Rejected(line, "", "json", said))
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
        said = (
            "nested too deeply" if isinstance(error, RecursionError) else str(error).removeprefix("JSON is malformed: ")
        )
        problems.append(Rejected(line, "", "json", f"the line is no JSON object: {said}"))
    else:
        doubled = _doubled(text, row)
        if doubled is None:
            rows.append((line, row))
        else:
            problems.append(Rejected(line, doubled, "doubled", f"the name {doubled} stands in the object twice"))


def _doubled(text: str, row: dict[str, Any]) -> str | None:
    """A name that an object has twice: which value is meant, no reader can know. Looked for only where it may be."""
    if text.count('":') == len(row) and not _LATE_COLON.search(text):
        return None
    found: list[str] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        found[:] = [name for name in names if names.count(name) > 1] if len(set(names)) < len(names) else []
        return dict(pairs)

    json.loads(text, object_pairs_hook=keep)
    return found[0] if found else None
