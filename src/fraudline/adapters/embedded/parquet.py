"""Parquet -> blocks of records, with pyarrow, which is an extra and imported here alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC
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
        self._failures = (pyarrow.ArrowException, OSError)
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


def _values(column: Any) -> list[Any]:
    """A column as Python values: times cut to microseconds, and floats of 32 bits as the decimal they are short for."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _values(column.dictionary_decode())
    if pa.types.is_timestamp(kind):
        naive = column.cast(pa.timestamp("us", tz=kind.tz), safe=False).cast(pa.int64()).cast(pa.timestamp("us"))
        values: list[Any] = naive.to_pylist()
        return values if kind.tz is None else [value and value.replace(tzinfo=UTC) for value in values]
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):
        return [None if value is None else Decimal(str(value)) for value in _narrow(column)]
    plain: list[Any] = column.to_pylist()
    return plain


def _narrow(column: Any) -> list[Any]:
    nulls = column.is_null().to_pylist()
    return [None if null else value for null, value in zip(nulls, column.to_numpy(zero_copy_only=False), strict=True)]
