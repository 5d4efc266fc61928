"""Parquet -> blocks of records, with pyarrow, which is an extra and imported here alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, BinaryIO, Final

from fraudline.domain.errors import UnusableInput
from fraudline.domain.transaction import Records

BLOCK_ROWS: Final = 4096


class Parquet:
    """A Parquet file. Lines are rows, counted from 1."""

    def __init__(self, stream: BinaryIO, *, wanted: Sequence[str] | None = None) -> None:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise UnusableInput(
                "it is Parquet, and pyarrow is not installed: pip install 'fraudline[parquet]'"
            ) from None
        self._failures = (pyarrow.ArrowException, OSError, UnicodeError)  # the last of names that are no text
        try:
            self._file = parquet.ParquetFile(stream)
        except self._failures as error:
            raise UnusableInput(f"it cannot be read as Parquet: {error}") from error
        self.columns: tuple[str, ...] = tuple(self._file.schema_arrow.names)
        self._wanted = [name for name in dict.fromkeys(self.columns) if wanted is None or name in wanted]
        self.rows_total: int = self._file.metadata.num_rows
        self.rows_read = 0

    def __iter__(self) -> Iterator[Records]:
        try:
            for block in self._file.iter_batches(batch_size=BLOCK_ROWS, columns=self._wanted):
                first, self.rows_read = self.rows_read + 1, self.rows_read + block.num_rows
                columns = {name: _values(block.column(name)) for name in self._wanted}
                yield Records(list(range(first, self.rows_read + 1)), columns)
        except self._failures as error:
            raise UnusableInput(f"it is damaged after row {self.rows_read}: {error}") from error
        if self.rows_read != self.rows_total:
            raise UnusableInput(f"it is damaged: it says that it has {self.rows_total} rows and holds {self.rows_read}")


def _values(column: Any) -> list[Any]:
    """A column as Python values: times cut to microseconds, and floats of 32 bits as the decimal they are short for."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _values(column.dictionary_decode())
    if pa.types.is_timestamp(kind):
        values = _moments(column, kind)
        return values if kind.tz is None else [_in_utc(value) for value in values]
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):
        return [None if value is None else Decimal(str(value)) for value in _narrow(column)]
    return _listed(column)


def _moments(column: Any, kind: Any) -> list[Any]:
    """Times without a zone, cut to microseconds. Finer ones always fit; coarser ones may lie beyond what is counted."""
    import pyarrow as pa

    try:
        cut = column.cast(pa.timestamp("us", tz=kind.tz), safe=kind.unit != "ns")
    except pa.ArrowInvalid:
        if len(column) == 1:
            return [f"({column.cast(pa.int64())[0]} {kind.unit} since 1970)"]
        return [value for place in range(len(column)) for value in _moments(column.slice(place, 1), kind)]
    return _listed(cut.cast(pa.int64()).cast(pa.timestamp("us")))


def _listed(column: Any) -> list[Any]:
    """The values; in place of one that Python cannot hold, a year beyond 9999 for instance, a text that says so."""
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):  # bytes that are no text are a ValueError too
        values = [_one(value) for value in column]
    return values


def _one(value: Any) -> Any:
    try:
        return value.as_py()
    except (OverflowError, ValueError) as error:
        return f"({error})"


def _in_utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _narrow(column: Any) -> list[Any]:
    nulls = column.is_null().to_pylist()
    return [None if null else value for null, value in zip(nulls, column.to_numpy(zero_copy_only=False), strict=True)]
