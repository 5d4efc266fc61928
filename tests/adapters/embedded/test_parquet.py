"""Parquet files that hold what Python cannot, or not what they say: rows are rejected, nothing wraps."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from fraudline.adapters.embedded.parquet import Parquet
from fraudline.domain.errors import UnusableInput

pa = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402 - only where it is installed

WRAPS = 18_446_744_073_709 + 1_747_778_400  # seconds which, as microseconds of 64 bits, would look like May 2025


def written(**columns: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink, version="2.6")
    return sink.getvalue()


def read(content: bytes) -> dict[str, list[Any]]:
    (records,) = Parquet(io.BytesIO(content))
    return records.columns


def test_times_beyond_any_calendar_are_text_that_no_ruleset_takes_for_a_time() -> None:
    moment = datetime(1970, 1, 1, 0, 0, 5)  # noqa: DTZ001 - a time without a zone is what is tested
    columns = read(
        written(
            seconds=pa.array([WRAPS, None, 5], pa.timestamp("s", "UTC")),
            millis=pa.array([2**62, None, 5_000], pa.timestamp("ms")),
            micros=pa.array([2**62, None, 5_000_000], pa.timestamp("us")),
            nanos=pa.array([5_000_000_999, None, 5_000_000_000], pa.timestamp("ns")),
            days=pa.array([2**31 - 1, None, 5], pa.date32()),
            spans=pa.array([2**63 - 1, None, 5], pa.duration("s")),
        )
    )
    assert columns["seconds"] == [f"({WRAPS * 1000} ms since 1970)", None, moment.replace(tzinfo=UTC)]
    assert columns["millis"] == [f"({2**62} ms since 1970)", None, moment]
    assert columns["micros"][1:] == [None, moment]
    assert columns["nanos"] == [moment, None, moment]
    assert all(columns[name][0].startswith("(") for name in ("micros", "days", "spans"))


def test_a_footer_that_says_another_number_of_rows_is_a_damaged_file() -> None:
    file = Parquet(io.BytesIO(written(amount=[1, 2, 3])))
    file.rows_total = 1_000
    with pytest.raises(UnusableInput, match="it says that it has 1000 rows and holds 3"):
        list(file)


def test_a_name_that_is_no_text_is_a_sentence() -> None:
    content = written(amountamount=[1, 2, 3])
    with pytest.raises(UnusableInput, match="cannot be read as Parquet"):
        Parquet(io.BytesIO(content.replace(b"amountamount", b"amount\xffmount")))
