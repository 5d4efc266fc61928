"""A fast fuzzer: takes an input that means something and damages it a little, in ways that hurt parsers."""

from __future__ import annotations

import random
from collections.abc import Sequence

MAX_BYTES = 8_192
NASTY = tuple(
    piece.encode()
    for piece in (
        *(
            "0",
            "-0",
            "1",
            "-1",
            "0.0",
            "1e400",
            "-1e-400",
            "1e999999999",
            "NaN",
            "inf",
            "2147483648",
            "-9223372036854775809",
        ),
        *(
            "9007199254740993",
            "1099511627776",
            "10995116277.76",
            "10995116277.77",
            "0.001",
            "1_000",
            "1,234.56",
            "\u0967\u0968",
        ),
        *(
            "null",
            "true",
            "false",
            "None",
            "''",
            '""',
            '"',
            "'",
            "`",
            "\\",
            "\\\\",
            "\\u0000",
            "\\ud800",
            "\x00",
            "\x1f",
            "\x7f",
        ),
        *(
            "\n",
            "\r",
            "\r\n",
            "\n\n",
            "\t",
            "\u2028",
            "\x85",
            "\ufeff",
            "\u200b",
            "\u0130",
            "\u00df",
            "\ufb01",
            "\U0001f600",
        ),
        *(
            ",",
            ";",
            "|",
            ":",
            "=",
            "==",
            "{",
            "}",
            "[",
            "]",
            "(",
            ")",
            "{{",
            "}}",
            "#",
            "&a",
            "*a",
            "!!python/object:os.system",
        ),
        *(
            "9999-12-31T23:59:59Z",
            "0001-01-01",
            "2025-02-30",
            "2025-03-30T02:30:00",
            "2025-05-20T24:00:00",
            "1e10",
            "now",
        ),
        *(
            "2025-05-20T10:00:00+14:00",
            "2025-05-20T10:00:00.999999999Z",
            "20/05/2025",
            "2016-12-31T23:59:60Z",
            "12:30:00",
        ),
        *("4111111111111111", "4111-1111-1111-1111", "00742", "NA", "=1+1", "@SUM(A1)", "<script>", "../../etc/passwd"),
        *(
            "__import__('os').system('true')",
            "eval",
            "exec",
            "lambda: 0",
            "().__class__",
            "{0.__class__}",
            "%s%n",
            "${jndi:x}",
        ),
        *(
            " and ",
            " or ",
            " not ",
            " in ",
            " if ",
            " is ",
            " > ",
            " < ",
            " != ",
            " ** ",
            " % ",
            " // ",
            " @ ",
            ":=",
            "-",
            "+",
            "*",
            "/",
        ),
        *(
            '"1h"',
            '"30d"',
            '"0s"',
            '"99999999d"',
            "last=",
            "by=",
            "of=",
            "where=",
            "prior=True",
            "min_samples=",
            "first=True",
        ),
    )
)


class Mutator:
    """Makes inputs out of others. The same seed makes the same inputs."""

    def __init__(self, seeds: Sequence[bytes], words: Sequence[bytes], seed: int) -> None:
        self._seeds = list(seeds)
        self._words = [*words, *NASTY]
        self._random = random.Random(seed)
        self._kinds = (self._flip, self._cut, self._double, self._put, self._put, self._swap, self._cross, self._long)

    def next(self) -> bytes:
        """One more input: a known one with one to six things done to it."""
        draw = self._random
        data = draw.choice(self._seeds)
        for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 6))):
            data = draw.choice(self._kinds)(data)
        return data[:MAX_BYTES]

    def _span(self, data: bytes, longest: int = 64) -> tuple[int, int]:
        start = self._random.randrange(len(data) + 1)
        return start, min(len(data), start + self._random.randrange(1, longest))

    def _flip(self, data: bytes) -> bytes:
        at = self._random.randrange(len(data) + 1)
        return data[:at] + bytes([self._random.randrange(256)]) + data[at + 1 :]

    def _cut(self, data: bytes) -> bytes:
        start, end = self._span(data)
        return data[:start] + data[end:] if self._random.random() < 0.9 else data[:start]

    def _double(self, data: bytes) -> bytes:
        start, end = self._span(data)
        return data[:start] + data[start:end] * self._random.choice((2, 2, 3, 20)) + data[end:]

    def _put(self, data: bytes) -> bytes:
        start, end = self._span(data, 8)
        keep = start if self._random.random() < 0.6 else end
        return data[:start] + self._random.choice(self._words) + data[keep:]

    def _swap(self, data: bytes) -> bytes:
        """One field or word in place of another."""
        mark = self._random.choice((b",", b"\n", b" ", b'"', b":"))
        pieces = data.split(mark)
        one, other = self._random.randrange(len(pieces)), self._random.randrange(len(pieces))
        pieces[one] = self._random.choice((pieces[other], self._random.choice(self._words)))
        return mark.join(pieces)

    def _cross(self, data: bytes) -> bytes:
        other = self._random.choice(self._seeds)
        return data[: self._random.randrange(len(data) + 1)] + other[self._random.randrange(len(other) + 1) :]

    def _long(self, data: bytes) -> bytes:
        if self._random.random() < 0.8:
            return self._put(data)
        start, _ = self._span(data)
        piece = self._random.choice((*self._words, b"(", b"[", b"x", b"9", b"- ", b"{a: ", b"a,"))
        return data[:start] + piece * self._random.choice((50, 500, 3000)) + data[start:]
