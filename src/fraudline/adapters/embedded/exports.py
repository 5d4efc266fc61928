"""Writes rows of plain values as CSV or Parquet, a block at a time, for whoever downloads decisions.

CSV is opened by spreadsheets, and a spreadsheet runs text that begins like a formula. Such text gets an apostrophe in
front; numbers, signed ones too, stay numbers.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any, Final, Protocol, cast

from fraudline.domain.errors import UsageError

BLOCK_ROWS: Final = 2_000

Value = str | int | Decimal | bool | datetime | None
Row = Sequence[Value]
Kinds = dict[str, type]  # column -> str, int, Decimal, bool or datetime (aware)

_FORMULA: Final = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


class Writable(Protocol):
    """Whatever takes bytes."""

    def write(self, data: bytes, /) -> Any:
        """Write some bytes."""
        ...


def formula_safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula.

    >>> formula_safe("=HYPERLINK(1)"), formula_safe("-12.50"), formula_safe("lunch")
    ("'=HYPERLINK(1)", '-12.50', 'lunch')
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def write_csv(rows: Iterable[Row], kinds: Kinds, file: Writable) -> None:
    """Comma-separated, UTF-8, with a header."""
    for block in _blocks(chain([tuple(kinds)], rows)):
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in block)
        file.write(text.getvalue().encode())


def _blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    waiting = iter(rows)
    while block := list(islice(waiting, BLOCK_ROWS)):
        yield block


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return formula_safe(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(".000Z", "Z")
    return str(value)


def write_parquet(rows: Iterable[Row], kinds: Kinds, file: Writable) -> None:
    """Typed columns: amounts are exact decimals, times are UTC.

    Raises UsageError where pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise UsageError("Parquet needs pyarrow, which is not installed: pip install 'fraudline[parquet]'") from None
    types = {
        str: pa.string(),
        int: pa.int64(),
        Decimal: pa.decimal128(20, 4),
        bool: pa.bool_(),
        datetime: pa.timestamp("ms", "UTC"),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    with parquet.ParquetWriter(_Counting(file), schema) as writer:
        for block in _blocks(rows):
            columns = [
                pa.array(column, field.type) for column, field in zip(zip(*block, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


class _Counting(io.RawIOBase):
    """A file of which pyarrow wants to know how far it has come."""

    def __init__(self, file: Writable) -> None:
        super().__init__()
        self._file = file
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any, /) -> int:
        content = bytes(cast("bytes", data))
        self._file.write(content)
        self._written += len(content)
        return len(content)
