"""Opens what is to be decided, whatever it is: CSV, JSON lines or Parquet, a path or stdin, gzip or not.

What a file is, is told by its first bytes, then by its name. Each way in which it cannot be used is a sentence that
says what to do. The SHA-256 is taken over the bytes as they lie there, before anything is read from them.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, cast

from fraudline.adapters.embedded.delimited import Delimited
from fraudline.adapters.embedded.jsonlines import JsonLines
from fraudline.adapters.embedded.lines import legible
from fraudline.adapters.embedded.parquet import Parquet
from fraudline.domain.errors import SystemFailure, UnusableInput
from fraudline.domain.transaction import Records

_ENDINGS: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_NAMED: Final = {"csv": "CSV", "jsonl": "JSON lines", "parquet": "Parquet"}
_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"
_FOREIGN: Final = (
    (b"PK\x03\x04", "it is an Excel workbook (.xlsx) or a zip archive; save the sheet as CSV, or unpack the archive"),
    (b"\xd0\xcf\x11\xe0", "it is an old Excel workbook (.xls); save the sheet as CSV"),
    (b"%PDF", "it is a PDF; export the transactions as CSV instead"),
    (b"SQLite format 3\0", "it is an SQLite database; export the table as CSV"),
    (b"ORC", "it is an ORC file; convert it to Parquet"),
    (b"Obj\x01", "it is an Avro file; convert it to Parquet or JSON lines"),
    (b"BZh", "it is compressed with bzip2; unpack it, or use gzip"),
    (b"\xfd7zXZ", "it is compressed with xz; unpack it, or use gzip"),
    (b"\x28\xb5\x2f\xfd", "it is compressed with Zstandard; unpack it, or use gzip"),
)


class _Format(Protocol):
    columns: tuple[str, ...]

    def __iter__(self) -> Iterator[Records]:
        """Blocks of records."""
        ...


class FileSource:
    """An opened file: a Source, with what a receipt and a progress bar need to know. Close it, or use `with`."""

    def __init__(self, name: str, raw: BinaryIO, closing: contextlib.ExitStack) -> None:
        self.name = legible(name, len(name))  # a name may hold bytes that are no text, and is written into receipts
        self._raw = raw
        self._closing = closing
        self.sha256 = hashlib.file_digest(raw, "sha256").hexdigest()  # type: ignore[arg-type]  # any seekable reader
        self.bytes_total = raw.tell()
        raw.seek(0)
        self.format = ""
        self._records: _Format

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns; of JSON lines, those of the first records."""
        return self._records.columns

    @property
    def bytes_read(self) -> int:
        """How much of `bytes_total` has been read: for Parquet, as much as of its rows."""
        if isinstance(self._records, Parquet):
            return self.bytes_total * self._records.rows_read // max(1, self._records.rows_total)
        return self._raw.tell()

    def __iter__(self) -> Iterator[Records]:
        with _sentences(self.name):
            yield from self._records

    def open(
        self,
        *,
        encoding: str,
        delimiter: str | None,
        declared: str | None,
        required: Sequence[str],
        wanted: Sequence[str] | None,
    ) -> None:
        """Find out what it is, and read its header."""
        stream, ending = self._raw, _ending(self.name)
        start = _start(stream)
        if start.startswith(_GZIP):
            stream = cast(BinaryIO, self._closing.enter_context(gzip.GzipFile(fileobj=stream)))
            ending, start = _ending(self.name.removesuffix(".gz")), _start(stream)
        self.format = _format(start, ending, declared)
        if self.format == "parquet":
            self._records = Parquet(_seekable(stream, self._raw, self._closing), wanted=wanted)
        elif self.format == "jsonl":
            self._records = JsonLines(stream, encoding=encoding, wanted=wanted)
        else:
            self._records = Delimited(stream, encoding=encoding, delimiter=delimiter, required=required, wanted=wanted)

    def close(self) -> None:
        """Close the file, and remove the copy that was made of it, if one was."""
        self._closing.close()

    def __enter__(self) -> FileSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(
    path: str | Path,
    *,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    format: str | None = None,  # noqa: A002  # the caller's word for it
    required: Sequence[str] = (),
    wanted: Sequence[str] | None = None,
    stdin: BinaryIO | None = None,
) -> FileSource:
    """Open a path, or stdin for "-", and read its header.

    `required` are columns by which the delimiter of a CSV is found; `wanted` those that are read, all where it is None;
    `format` is csv, jsonl or parquet where the name does not tell. Raises UnusableInput.
    """
    name = str(path)
    closing = contextlib.ExitStack()
    try:
        with _sentences(name):
            source = FileSource(name, _open(name, closing, stdin), closing)
            source.open(encoding=encoding, delimiter=delimiter, declared=format, required=required, wanted=wanted)
            return source
    except BaseException:
        closing.close()
        raise


def _open(name: str, closing: contextlib.ExitStack, stdin: BinaryIO | None) -> BinaryIO:
    if name == "-":
        return _copied(stdin or sys.stdin.buffer, closing)
    path = Path(name)
    if path.is_dir():
        raise UnusableInput("it is a folder; name the files in it")
    file = closing.enter_context(path.open("rb"))
    return file if path.is_file() else _copied(file, closing)


def _copied(stream: BinaryIO, closing: contextlib.ExitStack) -> BinaryIO:
    """What can be read only once, as a temporary file that vanishes when it is closed."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115  # it is closed with the source
    closing.callback(copy.close)
    while piece := stream.read(1 << 20):
        try:
            copy.write(piece)
        except OSError as error:
            raise SystemFailure(
                f"A copy of the input could not be written to {tempfile.gettempdir()}: {error.strerror}. "
                "Free some space there, or set TMPDIR to a folder that has some."
            ) from error
    copy.seek(0)
    return cast(BinaryIO, copy)


def _seekable(stream: BinaryIO, raw: BinaryIO, closing: contextlib.ExitStack) -> BinaryIO:
    return stream if stream is raw else _copied(stream, closing)


def _start(stream: BinaryIO) -> bytes:
    start = stream.read(512)
    stream.seek(0)
    return start


def _ending(name: str) -> str:
    return Path(name).suffix.lower()


def _format(start: bytes, ending: str, declared: str | None) -> str:
    """csv, jsonl or parquet: as declared, by the name, by the first bytes."""
    if not start:
        raise UnusableInput("it is empty")
    for magic, sentence in _FOREIGN:
        if start.startswith(magic):
            raise UnusableInput(sentence)
    named = declared or _ENDINGS.get(ending)
    is_parquet = start.startswith(_PARQUET)
    if named is None:
        return "parquet" if is_parquet else "jsonl" if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "csv"
    if is_parquet and named != "parquet":
        raise UnusableInput(f"it is Parquet, but its name says {_NAMED[named]}; call it .parquet")
    if named == "parquet" and not is_parquet:
        raise UnusableInput("its name says Parquet, but it is not; give it the ending of what it is")
    return named


@contextlib.contextmanager
def _sentences(name: str) -> Iterator[None]:
    """Say of which file a sentence speaks, and make sentences of what the system says."""
    shown = "standard input" if name == "-" else name
    try:
        yield
    except UnusableInput as error:
        raise UnusableInput(f"{shown}: {error}") from error
    except FileNotFoundError:
        raise UnusableInput(f"{shown}: there is no such file; check the name and the folder") from None
    except PermissionError:
        raise UnusableInput(f"{shown}: you may not read it; ask for permission, or copy it") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnusableInput(f"{shown}: its gzip data ends or breaks too early; fetch it again ({error})") from error
    except OSError as error:
        raise UnusableInput(f"{shown}: it cannot be read: {error.strerror or error}") from error
