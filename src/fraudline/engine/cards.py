"""Card numbers leave at the door: a keyed token, the BIN and the last four digits are all that is kept of one.

A card number (PAN) is 13 to 19 digits whose Luhn digit is right, perhaps with one or two of what people write between
them: spaces (hard ones and tabs too), hyphens, dashes, dots, underscores.
Its token is HMAC-SHA-256 under the workspace's key, so that the same card is the same token on every path, and nobody
without the key can try all numbers.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from typing import Final

import numpy as np

_DIGITS_MIN: Final = 13
_FEW: Final = 1_000  # characters that the regular expression reads sooner than the array is made
_BETWEEN: Final = "[ \\t\u00a0\u2013._-]{0,2}"
_BETWEEN_BYTES: Final = " \t\u00a0\u2013._-".encode()
_RUN: Final = re.compile(rf"(?<![0-9])[0-9](?:{_BETWEEN}[0-9]){{12,}}(?![0-9])")
_GROUP: Final = re.compile(r"[0-9]+")
_WHOLE: Final = re.compile(rf"[0-9](?:{_BETWEEN}[0-9]){{12,18}}")
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_VERIFICATION: Final = {"cvv", "cvc", "cvv2", "cvc2", "cav2", "cvvcode", "cvccode", "cardcvv", "cardcvc"}
_SECURITY: Final = {"securitycode", "cardsecuritycode", "cardverificationvalue", "pinblock", "magstripe"}
_TRACKS: Final = {"track1", "track2", "track1data", "track2data", "trackdata"}
_FORBIDDEN: Final = _VERIFICATION | _SECURITY | _TRACKS


class Tokens:
    """Turns card numbers into tokens under one key of at least 16 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError("the key for card tokens needs at least 16 bytes")
        self._key = key

    def card(self, pan: str) -> str:
        """The token of a card number given as digits: `card_`, 32 hex digits, `_`, the last four."""
        return f"card_{hmac.digest(self._key, pan.encode(), 'sha256').hex()[:32]}_{pan[-4:]}"

    def scrub(self, text: str) -> str:
        """The text with every card number in it replaced by its token."""
        return _RUN.sub(self._replace, text)

    def _replace(self, run: re.Match[str]) -> str:
        """The run with its card numbers replaced. One begins and ends where a group of digits does, so that the
        date before it and the amount after it stay, and a long reference number is not cut to pieces."""
        text, done, out = run.group(), 0, []
        groups = [(group.start(), group.end()) for group in _GROUP.finditer(text)]
        first = 0
        while first < len(groups):
            last, digits = _longest_pan(text, groups, first)
            if digits:
                out += [text[done : groups[first][0]], self.card(digits)]
                done = groups[last][1]
            first = last + 1
        return "".join([*out, text[done:]])


def _longest_pan(text: str, groups: list[tuple[int, int]], first: int) -> tuple[int, str]:
    """The last group and the digits of the longest card number that begins with this group; digits "" for none."""
    found, digits = (first, ""), ""
    for last in range(first, len(groups)):
        digits += text[groups[last][0] : groups[last][1]]
        if len(digits) > 19:
            break
        if is_pan(digits):
            found = (last, digits)
    return found


def is_pan(digits: str) -> bool:
    """True for 13 to 19 digits whose Luhn digit is right (all zeros are no card)."""
    if not _DIGITS_MIN <= len(digits) <= 19 or not digits.strip("0"):
        return False
    numbers = [ord(digit) - 48 for digit in reversed(digits)]
    return (sum(numbers[::2]) + sum(_DOUBLED[number] for number in numbers[1::2])) % 10 == 0


def pan_of(value: str) -> str | None:
    """The digits of a value that is a card number as a whole, else None."""
    if not _WHOLE.fullmatch(value):
        return None
    digits = "".join(_GROUP.findall(value))
    return digits if is_pan(digits) else None


def suspects(values: Iterable[str]) -> list[str]:
    """Which of these texts have a run of 13 digits or more, what stands between left out: few, and quickly found."""
    kept = list(values)
    joined = "\n".join(kept)
    if len(joined) < _DIGITS_MIN or (len(joined) > _FEW and not may_hold_pan(joined)):
        return []
    return [value for value in kept if _RUN.search(value)]


def may_hold_pan(text: str) -> bool:
    """True where the text has such a run anywhere. Looks at bytes, all at once."""
    data = np.frombuffer(text.encode("utf-8", "surrogatepass").translate(None, _BETWEEN_BYTES), dtype=np.uint8)
    others = np.flatnonzero((data < 48) | (data > 57))
    if not len(others):
        return len(data) >= _DIGITS_MIN
    longest = max(int(others[0]), len(data) - 1 - int(others[-1]))
    if len(others) > 1:
        longest = max(longest, int(np.diff(others).max()) - 1)
    return longest >= _DIGITS_MIN


def forbidden(column: str) -> bool:
    """True for a column that says it holds what nobody may store: card verification values, tracks, PIN blocks."""
    return re.sub(r"[^a-z0-9]", "", column.lower()) in _FORBIDDEN
