"""Exports: cells that no spreadsheet runs, and files larger than a block."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from fraudline.adapters.embedded.exports import BLOCK_ROWS, formula_safe, write_csv, write_parquet

KINDS: dict[str, type] = {"id": str, "amount": Decimal, "at": datetime, "alert": bool, "score": int}
ROW = ("T1", Decimal("-12.50"), datetime(2025, 5, 20, 10, tzinfo=UTC), True, 7)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\uff1d1", "'\uff1d1"),
        ("-5", "-5"),
        ("+44.20", "+44.20"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_text_that_begins_like_a_formula_gets_an_apostrophe(text: str, written: str) -> None:
    assert formula_safe(text) == written


def test_csv_writes_values_as_programs_read_them() -> None:
    file = io.BytesIO()
    write_csv([ROW, ("a,\n=b", None, None, False, 0)], KINDS, file)
    found = list(csv.reader(io.StringIO(file.getvalue().decode(), newline="")))
    assert found[1] == ["T1", "-12.50", "2025-05-20T10:00:00Z", "true", "7"]
    assert found[2] == ["a,\n=b", "", "", "false", "0"]


def test_every_row_is_written_once_whatever_the_blocks() -> None:
    file = io.BytesIO()
    rows = [(f"T{n}", *ROW[1:]) for n in range(2 * BLOCK_ROWS + 3)]
    write_csv(iter(rows), KINDS, file)
    assert [line.split(",")[0] for line in file.getvalue().decode().splitlines()[1:]] == [row[0] for row in rows]


def test_parquet_is_typed() -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = io.BytesIO()
    write_parquet([ROW, ("T2", None, None, None, None)] * BLOCK_ROWS, KINDS, file)
    found = parquet.read_table(io.BytesIO(file.getvalue())).to_pylist()
    assert len(found) == 2 * BLOCK_ROWS
    assert found[0] == dict(zip(KINDS, ROW, strict=True))
    assert found[1]["amount"] is None
