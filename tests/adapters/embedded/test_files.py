"""Files nobody checked: the good rows are read, the bad ones reported, and what cannot be used says what to do."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudline.adapters.embedded import lines
from fraudline.adapters.embedded.delimited import Delimited
from fraudline.adapters.embedded.files import open_source
from fraudline.domain.errors import SystemFailure, UnusableInput
from fraudline.domain.transaction import Rejected

HEADER = "id,amount,note\n"
Read = tuple[list[tuple[int, tuple[Any, ...]]], list[Rejected]]


def read(path: Path | str, **options: Any) -> Read:
    rows: list[tuple[int, tuple[Any, ...]]] = []
    problems: list[Rejected] = []
    with open_source(path, required=("id", "amount"), **options) as source:
        for records in source:
            nothing = [None] * len(records)
            columns = [records.columns.get(name, nothing) for name in source.columns]
            rows += zip(records.lines, zip(*columns, strict=True), strict=True)
            problems += records.problems
    return rows, problems


def written(tmp_path: Path, content: bytes | str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def codes(problems: list[Rejected]) -> list[tuple[int, str]]:
    return [(problem.line, problem.code) for problem in problems]


GOOD: list[tuple[str, bytes, list[tuple[int, tuple[str, ...]]]]] = [
    ("plain", b"id,amount,note\nA,1,x\nB,2,\n", [(2, ("A", "1", "x")), (3, ("B", "2", ""))]),
    ("no newline at the end", b"id,amount,note\nA,1,x", [(2, ("A", "1", "x"))]),
    ("CRLF", b"id,amount,note\r\nA,1,x\r\nB,2,y\r\n", [(2, ("A", "1", "x")), (3, ("B", "2", "y"))]),
    ("lone CR", b"id,amount,note\rA,1,x\rB,2,y\r", [(2, ("A", "1", "x")), (3, ("B", "2", "y"))]),
    ("BOM", b"\xef\xbb\xbfid,amount,note\nA,1,x\n", [(2, ("A", "1", "x"))]),
    ("semicolons", b"id;amount;note\nA;1,5;x\n", [(2, ("A", "1,5", "x"))]),
    ("tabs", b"id\tamount\tnote\nA\t1\tx,y\n", [(2, ("A", "1", "x,y"))]),
    ("bars", b"id|amount|note\nA|1|x\n", [(2, ("A", "1", "x"))]),
    ("semicolons, and a header with commas", b"id;amount;note, or, rather, remark\nA;1;x\n", [(2, ("A", "1", "x"))]),
    ("blank lines", b"\n\nid,amount,note\n\nA,1,x\n   \n\nB,2,y\n\n", [(5, ("A", "1", "x")), (8, ("B", "2", "y"))]),
    ("quotes", b'id,amount,note\n"A","1","say ""hi"", then"\n', [(2, ("A", "1", 'say "hi", then'))]),
    ("quoted header", b'"id","amount","no\nte"\nA,1,x\n', [(3, ("A", "1", "x"))]),
    (
        "embedded newline",
        b'id,amount,note\nA,1,"two\r\nlines"\nB,2,y\n',
        [(2, ("A", "1", "two\r\nlines")), (4, ("B", "2", "y"))],
    ),
    ("a quotation mark within", b'id,amount,note\nA,1,a 5" pipe\n', [(2, ("A", "1", 'a 5" pipe'))]),
    ("spaces stay", b"id,amount,note\n A ,1, x\n", [(2, (" A ", "1", " x"))]),
    (
        "other separators of Unicode are text",
        "id,amount,note\nA,1,x\u2028y\x0b\x85z\n".encode(),
        [(2, ("A", "1", "x\u2028y\x0b\x85z"))],
    ),
    ("UTF-16", "id,amount,note\nA,1,é\n".encode("utf-16"), [(2, ("A", "1", "é"))]),
    (
        "UTF-16 big",
        b"\xfe\xff" + "id,amount,note\r\nA,1,\U0001f600\r\n".encode("utf-16-be"),
        [(2, ("A", "1", "\U0001f600"))],
    ),
    ("UTF-32", "id,amount,note\nA,1,é\n".encode("utf-32"), [(2, ("A", "1", "é"))]),
    ("header only", b"id,amount,note\n", []),
    ("header only, without its newline", b"id,amount,note", []),
    ("NUL in a field is for the intake to say", b"id,amount,note\nA,1,x\0y\n", [(2, ("A", "1", "x\0y"))]),
]


@pytest.mark.parametrize(("content", "expected"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_every_way_to_write_a_table_is_read(content: bytes, expected: list[Any], tmp_path: Path) -> None:
    rows, problems = read(written(tmp_path, content))
    assert rows == expected
    assert not problems


AFTER = "has text after a closing quotation mark; inside quotation marks they are written twice"
NEVER = "opens a quotation mark that is never closed"
LATE = "opens a quotation mark that is not closed within 100 lines or 64 KiB"
APART = "opens a quotation mark, and the lines up to the closing one do not make a record"
COPY = "in your own copy of the ruleset (fraudline rules show NAME --format yaml prints it)"
OTHER = f"if the file is in another encoding, declare `encoding: windows-1252` {COPY}"
BYTES = f"note holds bytes that are not utf-8; {OTHER}"
HOSTILE: list[tuple[str, bytes, list[str], list[tuple[int, str, str]]]] = [
    ("too few fields", b"A,1,x\nB,2\nC,3,z\n", ["A", "C"], [(3, "ragged", "the row has 2 fields, the header has 3")]),
    ("too many fields", b"A,1,x,\nB,2,y\n", ["B"], [(2, "ragged", "the row has 4 fields, the header has 3")]),
    (
        "too many here, too few there",
        b"A,1,x,y\nB,2\n",
        [],
        [
            (2, "ragged", "the row has 4 fields, the header has 3"),
            (3, "ragged", "the row has 2 fields, the header has 3"),
        ],
    ),
    ("one field", b"A\n", [], [(2, "ragged", "the row has 1 field, the header has 3")]),
    ("a quote opened in row 2", b'A,1,"gift\nB,2,y\nC,3,z\n', ["B", "C"], [(2, "quote", f"the row {NEVER}")]),
    ("closed by the next quote", b'A,1,"gift\nB,2,"lunch"\nC,3,z\n', ["B", "C"], [(2, "quote", f"the row {AFTER}")]),
    (
        "closed, but no record",
        b'A,"1,x\nB,2",y,z\nC,3,z\n',
        ["C"],
        [
            (2, "quote", f"the row {APART}"),
            (3, "ragged", "the row has 4 fields, the header has 3"),
        ],
    ),
    ("text after a quote", b'A,1,"x" y\nB,2,y\n', ["B"], [(2, "quote", f"the row {AFTER}")]),
    ("the last row opens one", b'A,1,x\nB,2,"y', ["A"], [(3, "quote", f"the row {NEVER}")]),
    ("bytes that are no text", b"A,1,caf\xe9\nB,2,y\n", ["B"], [(2, "encoding", BYTES)]),
    ("such bytes between quotes", b'A,1,"caf\xe9"\nB,2,"y"\n', ["B"], [(2, "encoding", BYTES)]),
    ("half a character at the end", b"A,1,x\nB,2,y\xc3", ["A"], [(3, "encoding", BYTES)]),
    (
        "a line of 100 KiB",
        b"A,1," + b"x" * 100_000 + b"\nB,2,y\n",
        ["B"],
        [(2, "too_long", "a record has at most 64 KiB")],
    ),
    (
        "a line of 1 MB",
        b"A,1," + b"x" * 1_000_000 + b"\r\nB,2,y\n",
        ["B"],
        [(2, "too_long", "a record has at most 64 KiB")],
    ),
    (
        "never a newline again",
        b"A,1,x\nB,2," + b"y" * 1_000_000,
        ["A"],
        [(3, "too_long", "a record has at most 64 KiB")],
    ),
]


@pytest.mark.parametrize(("content", "kept", "expected"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_a_bad_row_is_reported_and_loses_nothing_else(
    content: bytes, kept: list[str], expected: list[tuple[int, str, str]], tmp_path: Path
) -> None:
    rows, problems = read(written(tmp_path, HEADER.encode() + content))
    assert [values[0] for _, values in rows] == kept
    assert [(problem.line, problem.code, problem.reason) for problem in problems] == expected


def test_a_quote_far_from_its_end_costs_one_row(tmp_path: Path) -> None:
    below = "".join(f"T{i},1,x\n" for i in range(5000))
    rows, problems = read(written(tmp_path, f'{HEADER}A,1,"gift\n{below}B,2,"fine"\n'))
    assert len(rows) == 5001
    assert [(problem.line, problem.reason) for problem in problems] == [(2, f"the row {LATE}")]


def test_a_record_of_a_hundred_lines_is_one_and_of_more_is_none(tmp_path: Path) -> None:
    rows, problems = read(written(tmp_path, f'{HEADER}A,1,"{"x" + chr(10) * 99}"\nB,2,y\n'))
    assert [values[0] for _, values in rows] == ["A", "B"]
    assert not problems
    rows, problems = read(written(tmp_path, f'{HEADER}A,1,"{"x" + chr(10) * 100}"\nB,2,y\n'))
    assert [values[0] for _, values in rows] == ["B"]
    assert codes(problems)[0] == (2, "quote")


def test_a_wrong_quote_on_every_line_stays_quick(tmp_path: Path) -> None:
    count = 20_000
    rows, problems = read(written(tmp_path, HEADER + 'A,1,"x"y\n' * count))
    assert not rows
    assert len(problems) == count


def test_utf_16_with_half_a_pair_loses_that_row(tmp_path: Path) -> None:
    content = (
        b"\xff\xfe" + f"{HEADER}A,1,".encode("utf-16-le") + b"\x00\xd8" + "\nB,2,y\n".encode("utf-16-le") + b"\x41"
    )
    rows, problems = read(written(tmp_path, content))
    assert [values[0] for _, values in rows] == ["B"]
    assert codes(problems) == [(2, "encoding"), (4, "ragged")]


def test_a_declared_encoding_is_used(tmp_path: Path) -> None:
    path = written(tmp_path, (HEADER + "A,1,caf\u00e9 \u20ac\n").encode("windows-1252"))
    assert read(path, encoding="windows-1252") == ([(2, ("A", "1", "café €"))], [])
    path = written(tmp_path, (HEADER + "A,1,\u8868\u793a\n").encode("shift_jis"))
    assert read(path, encoding="shift_jis") == ([(2, ("A", "1", "表示"))], [])


def test_a_declared_delimiter_wins(tmp_path: Path) -> None:
    path = written(tmp_path, "id,amount;x,note\nA,1;y,z\n")
    with open_source(path, delimiter=";", required=("id", "amount")) as source:
        assert source.columns == ("id,amount", "x,note")


def test_only_wanted_columns_are_read(tmp_path: Path) -> None:
    with open_source(written(tmp_path, HEADER + "A,1,x\n"), wanted=("note", "other")) as source:
        assert source.columns == ("id", "amount", "note")
        assert [records.columns for records in source] == [{"note": ["x"]}]


XLSX = "it is an Excel workbook (.xlsx) or a zip archive; save the sheet as CSV, or unpack the archive"
UNUSABLE: list[tuple[str, str, bytes, str]] = [
    ("empty", "t.csv", b"", "it is empty"),
    ("only blank lines", "t.csv", b"\n\r\n  \n", "it is empty: there is not even a header"),
    ("xlsx", "t.csv", b"PK\x03\x04rest", XLSX),
    ("xlsx by its name too", "t.xlsx", b"PK\x03\x04rest", XLSX),
    ("xls", "t.csv", b"\xd0\xcf\x11\xe0\xa1\xb1", "it is an old Excel workbook (.xls); save the sheet as CSV"),
    ("pdf", "t.csv", b"%PDF-1.7", "it is a PDF; export the transactions as CSV instead"),
    ("parquet named csv", "t.csv", b"PAR1....PAR1", "it is Parquet, but its name says CSV; call it .parquet"),
    (
        "csv named parquet",
        "t.parquet",
        b"id,amount\n",
        "its name says Parquet, but it is not; give it the ending of what it is",
    ),
    (
        "header of another encoding",
        "t.csv",
        b"id,amount,caf\xe9\nA,1,x\n",
        f"its header holds bytes that are not utf-8; {OTHER}",
    ),
    (
        "UTF-16 without a mark",
        "t.csv",
        "id,amount\n".encode("utf-16-le"),
        "its header holds NUL characters, as UTF-16 without a byte order mark does; "
        f"if that is what it is, declare `encoding: utf-16-le` {COPY}",
    ),
    (
        "header with an open quote",
        "t.csv",
        b'id,"amount\nA,1\n',
        "its header has a quotation mark that is not closed; correct the first line",
    ),
    (
        "no line ends",
        "t.csv",
        b"x" * 1_000_000,
        "its first line is longer than 64 KiB, which is no header; is it a CSV file at all?",
    ),
    (
        "a JSON array",
        "t.json",
        b'[{"id": 1}]',
        "it is JSON, but not one object a line; `jq -c '.[]' FILE` makes lines of one array, `jq -c . FILE` of objects",
    ),
    (
        "JSON over lines",
        "t.jsonl",
        b'{\n "id": 1\n}',
        "it is JSON, but not one object a line; `jq -c '.[]' FILE` makes lines of one array, `jq -c . FILE` of objects",
    ),
    ("damaged parquet", "t.parquet", b"PAR1" + b"x" * 50 + b"PAR1", "it cannot be read as Parquet: "),
]


@pytest.mark.parametrize(
    ("name", "content", "sentence"), [row[1:] for row in UNUSABLE], ids=[row[0] for row in UNUSABLE]
)
def test_what_cannot_be_used_says_what_to_do(name: str, content: bytes, sentence: str, tmp_path: Path) -> None:
    path = written(tmp_path, content, name)
    with pytest.raises(UnusableInput) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {sentence}")
    assert sentence.endswith(": ") or str(caught.value) == f"{path}: {sentence}"


def test_what_is_not_there_or_no_file_says_so(tmp_path: Path) -> None:
    for path, sentence in (
        (tmp_path / "missing.csv", "there is no such file; check the name and the folder"),
        (tmp_path, "it is a folder; name the files in it"),
    ):
        with pytest.raises(UnusableInput) as caught:
            read(path)
        assert str(caught.value) == f"{path}: {sentence}"


def test_what_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path, HEADER)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnusableInput, match="you may not read it; ask for permission, or copy it"):
        read(path)


@pytest.mark.parametrize("encoding", ["utf-9", "zlib", "rot13", "idna", "undefined"])
def test_what_is_no_encoding_of_text_is_refused(encoding: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match=f"unknown encoding '{encoding}'; declare one such as utf-8"):
        read(written(tmp_path, HEADER), encoding=encoding)


# JSON lines


def test_json_lines_keep_numbers_exact_and_columns_together(tmp_path: Path) -> None:
    content = b'{"id": "A", "amount": 1.10}\n\n'
    content += b'{"amount": 12345678901234567890123, "id": 7, "note": null}\r\n{"amount": 1e5, "id": true}'
    rows, problems = read(written(tmp_path, content, "t.jsonl"))
    assert rows == [
        (1, ("A", Decimal("1.10"), None)),
        (3, (7, 12345678901234567890123, None)),
        (4, (True, Decimal("1E+5"), None)),  # a JSON number is a number however it is written
    ]
    assert not problems


JSON_FAULTS: list[tuple[str, bytes, str, str]] = [
    ("no JSON", b"{'id': 1}", "json", "the line is no JSON object: "),
    ("no object", b"[1]", "json", "the line is JSON, but no object"),
    ("a number", b"5", "json", "the line is JSON, but no object"),
    ("a huge number", b'{"id": ' + b"9" * 5000 + b"}", "json", "the line holds a number that is too long"),
    ("NaN", b'{"id": NaN}', "json", "the line is no JSON object: "),
    ("two objects", b'{"id": 1}{"id": 2}', "json", "the line is no JSON object: "),
    ("deep", b'{"id": ' + b"[" * 5000 + b"]" * 5000 + b"}", "json", "the line is no JSON object: nested too deeply"),
    ("a name twice", b'{"amount": 1, "id": 2, "amount": 3}', "doubled", "the name amount stands in the object twice"),
    (
        "a name twice, hidden",
        b'{"amount": 1, "id": 2, "amount" : 3}',
        "doubled",
        "the name amount stands in the object twice",
    ),
    ("no text", b'{"id": "\xff"}', "encoding", "the line holds bytes that are not UTF-8"),
    ("too long", b'{"id": "' + b"x" * 70_000 + b'"}', "too_long", "a record has at most 64 KiB"),
    ("far too long", b'{"id": "' + b"x" * 700_000 + b'"}', "too_long", "a record has at most 64 KiB"),
]


@pytest.mark.parametrize(
    ("line", "code", "reason"), [row[1:] for row in JSON_FAULTS], ids=[row[0] for row in JSON_FAULTS]
)
def test_a_bad_line_of_json_is_reported_and_loses_nothing_else(
    line: bytes, code: str, reason: str, tmp_path: Path
) -> None:
    rows, problems = read(written(tmp_path, b'{"id": "A"}\n' + line + b'\n{"id": "a:\\":b"}\n', "t.jsonl"))
    assert [place for place, _ in rows] == [1, 3]
    assert codes(problems) == [(2, code)]
    assert problems[0].reason.startswith(reason)
    assert problems[0].value == ""


# Parquet


def test_parquet_is_read_with_its_own_types(tmp_path: Path) -> None:
    import datetime as dt

    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(
        {
            "id": pa.array([7, None], pa.int64()),
            "amount": pa.array([25.499999999999996, None]),
            "small": pa.array([0.1, None], pa.float32()),
            "exact": pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)),
            "kind": pa.array(["a", None]).dictionary_encode(),
            "at": pa.array([1_500_000_000_123_456_789, None], pa.timestamp("ns")),
            "aware": pa.array([1_500_000_000_123, None], pa.timestamp("ms", tz="Asia/Kolkata")),
            "day": pa.array([dt.date(2025, 5, 20), None]),
        }
    )
    path = tmp_path / "t.parquet"
    parquet.write_table(table, path)
    rows, problems = read(path)
    naive = dt.datetime(2017, 7, 14, 2, 40, 0, 123456)  # noqa: DTZ001  # that column has no zone
    aware = dt.datetime(2017, 7, 14, 2, 40, 0, 123000, tzinfo=dt.UTC)
    first = (7, 25.499999999999996, Decimal("0.1"), Decimal("1.10"), "a", naive, aware, dt.date(2025, 5, 20))
    assert rows == [(1, first), (2, (None,) * 8)]
    assert not problems


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnusableInput, match=r"pyarrow is not installed: pip install 'fraudline\[parquet\]'"):
        read(written(tmp_path, b"PAR1....PAR1", "t.parquet"))


# gzip, stdin, receipts


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv"])
def test_gzip_is_unpacked_and_the_checksum_is_of_the_file_itself(name: str, tmp_path: Path) -> None:
    packed = gzip.compress((HEADER + "A,1,x\n").encode(), mtime=0)
    path = written(tmp_path, packed, name)
    assert read(path)[0] == [(2, ("A", "1", "x"))]
    with open_source(path) as source:
        assert source.sha256 == hashlib.sha256(packed).hexdigest()
        assert source.bytes_total == len(packed)


def test_gzip_of_json_lines_and_of_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    assert read(written(tmp_path, gzip.compress(b'{"id": "A"}\n', mtime=0), "t.jsonl.gz"))[0] == [(1, ("A",))]
    buffer = io.BytesIO()
    parquet.write_table(pa.table({"id": ["A"]}), buffer)
    assert read(written(tmp_path, gzip.compress(buffer.getvalue(), mtime=0), "t.parquet.gz"))[0] == [(1, ("A",))]


def test_broken_gzip_says_so(tmp_path: Path) -> None:
    packed = gzip.compress((HEADER + "A,1,x\n" * 100_000).encode(), mtime=0)
    with pytest.raises(UnusableInput, match="its gzip data ends or breaks too early; fetch it again"):
        read(written(tmp_path, packed[:-20], "t.csv.gz"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"id,amount\nA,1\n", [(2, ("A", "1"))]),
        (b'\n {"id": "A", "amount": 1}\n', [(2, ("A", 1))]),
        (gzip.compress(b"id,amount\nA,1\n", mtime=0), [(2, ("A", "1"))]),
    ],
)
def test_stdin_is_known_by_its_first_bytes(content: bytes, expected: list[Any]) -> None:
    assert read("-", stdin=io.BytesIO(content))[0] == expected


def test_progress_ends_at_the_size_of_the_file(tmp_path: Path) -> None:
    with open_source(written(tmp_path, HEADER + "A,1,x\n" * 200_000)) as source:
        seen = [source.bytes_read for _ in source]
        assert seen == sorted(seen)
        assert seen[0] < source.bytes_total // 2
        assert source.bytes_read == source.bytes_total


# Laws

FIELD = st.text(st.sampled_from('abé ,;"\n\r\t\U0001f600x'), max_size=8)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.lists(FIELD, min_size=3, max_size=3), max_size=8),
    chunk=st.integers(1, 40),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_python_writes_is_read_back_whatever_the_chunks(
    rows: list[list[str]], chunk: int, ends: str, encoding: str
) -> None:
    text = io.StringIO(newline="")
    breaks = any(letter in field for row in rows for field in row for letter in "\r\n")  # the writer forgets lone ones
    table = csv.writer(text, lineterminator=ends, quoting=csv.QUOTE_ALL if breaks else csv.QUOTE_MINIMAL)
    table.writerow(["id", "amount", "note"])
    table.writerows(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "CHUNK_BYTES", chunk)
        source = Delimited(io.BytesIO(text.getvalue().encode(encoding)), required=("id", "amount"))
        found = [
            values
            for records in source
            for values in zip(*records.columns.values(), strict=True)
            if not records.problems
        ]
    assert found == [tuple(row) for row in rows]


@settings(max_examples=200, deadline=None)
@given(body=st.text(st.sampled_from('ab,"\n\r'), max_size=60), chunk=st.integers(1, 30))
def test_chunks_never_matter_and_every_line_is_accounted_for(body: str, chunk: int) -> None:
    def outcome(size: int) -> tuple[list[Any], list[Any]]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lines, "CHUNK_BYTES", size)
            rows: list[Any] = []
            problems: list[Any] = []
            for records in Delimited(io.BytesIO(f"id,amount\n{body}".encode()), required=("id", "amount")):
                rows += zip(records.lines, zip(*records.columns.values(), strict=True), strict=True)
                problems += records.problems
            return sorted(rows), sorted((p.line, p.code, p.reason) for p in problems)

    assert outcome(chunk) == outcome(100_000)


@pytest.mark.parametrize("encoding", ["utf-7", "hz", "unicode_escape"])
def test_what_is_no_text_in_an_encoding_with_shifts_loses_its_own_row_only(tmp_path: Path, encoding: str) -> None:
    broken = {"utf-7": b"+\0", "hz": b"~x", "unicode_escape": b"\\x"}[encoding]
    path = written(tmp_path, b"id,amount,note\nA,1," + broken + b"\nB,2,y\n")
    rows, problems = read(path, encoding=encoding)
    assert (3, ("B", "2", "y")) in rows
    assert codes(problems) == [(2, "encoding")]


@settings(max_examples=300, deadline=None)
@given(
    content=st.binary(max_size=200) | st.text('id,amount\n"{}:;1é\0', max_size=80).map(str.encode),
    encoding=st.sampled_from(["utf-8", "windows-1252", "utf-16", "shift_jis", "utf-7", "gb18030"]),
    form=st.sampled_from([None, "csv", "jsonl", "parquet"]),
)
def test_no_bytes_whatever_make_reading_fail_in_another_way(content: bytes, encoding: str, form: str | None) -> None:
    try:
        with open_source("-", stdin=io.BytesIO(content), encoding=encoding, format=form) as source:
            for records in source:
                assert all(len(column) == len(records) for column in records.columns.values())
    except UnusableInput as error:
        assert str(error).startswith("standard input: ")


BOUNDED = """
import io, os, resource, sys
from fraudline.adapters.embedded.files import open_source

def used() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()

class Endless(io.RawIOBase):
    left = 300
    def readable(self): return True
    def readinto(self, buffer):
        self.left -= 1
        size = min(len(buffer), 1 << 20)
        buffer[:size] = (b"id,amount\\nA,1\\n" + b"x" * size)[:size] if self.left == 299 else b"x" * size
        return size if self.left > 0 else 0

limit = used() + 40_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
with open_source("-", stdin=Endless()) as source:
    found = [(len(records), [p.code for p in records.problems]) for records in source]
assert (1, []) in found and (0, ["too_long"]) in found, found
"""


def test_a_line_of_hundreds_of_megabytes_is_read_in_little_memory() -> None:
    found = subprocess.run([sys.executable, "-c", BOUNDED], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file name is always text")
def test_a_file_whose_name_is_no_text_is_read_and_called_by_a_name_that_is(tmp_path: Path) -> None:
    path = tmp_path / "may\udcff.csv"
    path.write_bytes(b"id,amount,note\nA,1,x\n")
    with open_source(path) as source:
        assert source.name.encode().endswith("may\N{REPLACEMENT CHARACTER}.csv".encode())
        assert source.columns == ("id", "amount", "note")


class _Full(io.BytesIO):
    def write(self, data: Any, /) -> int:  # noqa: ARG002 - a full disk takes nothing
        raise OSError(28, "No space left on device")


def test_a_copy_that_does_not_fit_is_a_failure_of_the_system_and_not_of_the_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", _Full)
    with pytest.raises(SystemFailure, match=r"could not be written to .*: No space left on device"):
        open_source("-", stdin=io.BytesIO(b"id,amount\n"))
