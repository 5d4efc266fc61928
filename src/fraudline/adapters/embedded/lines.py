"""Bytes of a file -> pieces of whole lines, of bounded size whatever the file holds, as text of a known encoding.

Everything behind this module sees UTF-8 or a single-byte friend of ASCII; UTF-16 and UTF-32 are recoded on the way,
because their line ends cannot be found in bytes. A line without end is cut out, so that a gigabyte without a line break
costs no more memory than a thousand rows.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

from fraudline.domain.errors import UnusableInput

CHUNK_BYTES: Final = 1 << 18
RECORD_BYTES_MAX: Final = 65_536
SHOWN_CHARACTERS: Final = 200  # of a line that could not be read; `engine.intake` makes it safe and shorter
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ANY_END: Final = re.compile(rb"\r\n|\n|\r(?!\Z)")
_LINE_FEED: Final = re.compile(rb"\n")
_ESCAPED: Final = re.compile("[\udc80-\udcff]")


class Readable(Protocol):
    """Anything that gives its next bytes."""

    def read(self, size: int, /) -> bytes:
        """At most this many bytes; none at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines as text. `damaged`: some bytes were no text, and stand in it as lone surrogates.

    `overlong`: this is the beginning of one line that is longer than any record may be; its rest was left out.
    """

    text: str
    damaged: bool = False
    overlong: bool = False


class Pieces:
    """The whole lines of a stream, piece by piece."""

    def __init__(self, stream: BinaryIO, encoding: str, *, line_ends: bytes = b"\r\n") -> None:
        start = stream.read(4)
        bom, found = next(((bom, name) for bom, name in _BOMS if start.startswith(bom)), (b"", encoding))
        self.encoding = _known(found)
        self.start = start
        rest: Readable = _Joined(start[len(bom) :], stream)
        self.recoded = self.encoding.startswith(("utf-16", "utf-32"))
        if self.recoded:
            rest, self.encoding = _Recoded(rest, self.encoding), "utf-8"
        self._stream = rest
        self._carriage = b"\r" in line_ends

    def __iter__(self) -> Iterator[Piece]:
        carry = b""
        while read := self._stream.read(CHUNK_BYTES):
            data = carry + read
            cut = self._last_end(data)
            if cut:
                yield self._piece(data[:cut])
            carry = data[cut:]
            if len(carry) > RECORD_BYTES_MAX:
                yield Piece(self._piece(carry[:SHOWN_CHARACTERS]).text, overlong=True)
                carry = self._behind_line(carry[-1:])
        if carry:
            yield self._piece(carry)

    def _last_end(self, data: bytes) -> int:
        """Behind the last whole line. A carriage return at the very end may have its line feed in the next read."""
        line_feed = data.rfind(b"\n")
        return (max(line_feed, data.rfind(b"\r", 0, len(data) - 1)) if self._carriage else line_feed) + 1

    def _behind_line(self, last: bytes) -> bytes:
        """Read on to the end of a line, and give what was read behind it."""
        end = _ANY_END if self._carriage else _LINE_FEED
        while read := self._stream.read(CHUNK_BYTES):
            data = last + read
            match = end.search(data)
            if match:
                return data[match.end() :]
            last = data[-1:]
        return b""

    def _piece(self, data: bytes) -> Piece:
        try:
            return Piece(data.decode(self.encoding))
        except UnicodeDecodeError:
            return Piece(self._damaged(data), damaged=True)

    def _damaged(self, data: bytes) -> str:
        try:
            return data.decode(self.encoding, "surrogateescape")
        except UnicodeDecodeError:  # of encodings with shifts, such as utf-7, an ASCII byte may be what is wrong
            return data.decode(self.encoding, "replace").replace("\N{REPLACEMENT CHARACTER}", "\udc80")


def is_damaged(text: str) -> bool:
    """True where some of this text was no text."""
    return _ESCAPED.search(text) is not None


def legible(text: str, characters: int = SHOWN_CHARACTERS) -> str:
    """The beginning of a text for people, with what was no text shown as such."""
    return _ESCAPED.sub("\N{REPLACEMENT CHARACTER}", text[:characters]).rstrip("\r\n")


def _known(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
        b"\xff\xff\xff\xff".decode(name, "surrogateescape" if not name.startswith(("utf-16", "utf-32")) else "replace")
    except (LookupError, UnicodeError):
        raise UnusableInput(f"unknown encoding {encoding!r}; declare one such as utf-8 or windows-1252") from None
    return {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}.get(name, name)


class _Joined:
    """Bytes that were read ahead, then the stream they came from."""

    def __init__(self, ahead: bytes, stream: BinaryIO) -> None:
        self._ahead, self._stream = ahead, stream

    def read(self, size: int, /) -> bytes:
        ahead, self._ahead = self._ahead, b""
        return ahead + self._stream.read(size)


class _Recoded:
    """A stream of UTF-16 or UTF-32 as UTF-8. What is no character becomes bytes that are none in UTF-8 either."""

    def __init__(self, stream: Readable, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._done = False

    def read(self, size: int, /) -> bytes:
        while not self._done:
            data = self._stream.read(size)
            self._done = not data
            text = self._decode(data)
            if text:
                return text.encode("utf-8", "surrogatepass")
        return b""

    def _decode(self, data: bytes) -> str:
        try:
            return self._decoder.decode(data, final=not data)
        except UnicodeDecodeError:
            self._decoder.errors = "replace"
            text = self._decoder.decode(data, final=not data).replace("\N{REPLACEMENT CHARACTER}", "\udc80")
            self._decoder.errors = "surrogatepass"
            return text
