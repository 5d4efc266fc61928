"""Finding words in text: what `has_word`, `contains_any`, `starts_with` and `matches` mean, case set aside."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import re2

_WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Text as rules compare it: without regard to case and outer spaces."""
    return text.strip().casefold()


def words_of(text: str) -> list[str]:
    """The words of a text in order, folded: unbroken runs of letters and digits."""
    return _WORD.findall(text.casefold())


def matched_word(text: str, entries: Iterable[str]) -> str | None:
    """The first entry found in the text as whole words in a row; `*` at an end of an entry stands for any ending.

    >>> matched_word("Amazon GIFT card", ["gift*"]), matched_word("a regift", ["gift*"])
    ('gift*', None)
    """
    words = words_of(text)
    return next((entry for entry in entries if _stands_in(_pattern(entry), words)), None)


class WordList:
    """A list of words to be looked for in many texts: the same answer as `matched_word`, without saying which.

    >>> WordList(["gift*", "late fee"]).stands_in("a LATE fee")
    True
    """

    def __init__(self, entries: Iterable[str]) -> None:
        patterns = [pattern for pattern in map(_pattern, entries) if pattern[0]]
        plain = [words for words, open_start, open_end in patterns if not open_start and not open_end]
        self._single = frozenset(words[0] for words in plain if len(words) == 1)
        self._others = [pattern for pattern in patterns if pattern[1] or pattern[2] or len(pattern[0]) > 1]

    def stands_in(self, text: str) -> bool:
        """Whether any entry is found in the text."""
        words = words_of(text)
        return not self._single.isdisjoint(words) or any(_stands_in(pattern, words) for pattern in self._others)


@lru_cache(maxsize=20_000)
def _pattern(entry: str) -> tuple[tuple[str, ...], bool, bool]:
    folded = entry.casefold().strip()
    return tuple(words_of(folded)), folded.startswith("*"), folded.endswith("*")


def _stands_in(pattern: tuple[tuple[str, ...], bool, bool], words: list[str]) -> bool:
    wanted, open_start, open_end = pattern
    if not wanted:
        return False
    for at in range(len(words) - len(wanted) + 1):
        if all(
            _word_is(words[at + k], want, open_start and k == 0, open_end and k == len(wanted) - 1)
            for k, want in enumerate(wanted)
        ):
            return True
    return False


def _word_is(word: str, want: str, open_start: bool, open_end: bool) -> bool:
    if open_start and open_end:
        return want in word
    if open_start:
        return word.endswith(want)
    return word.startswith(want) if open_end else word == want


def contained(text: str, entries: Iterable[str]) -> str | None:
    """The first entry that stands anywhere in the text."""
    folded = text.casefold()
    return next((entry for entry in entries if entry.casefold() in folded), None)


def prefixed(text: str, entries: Iterable[str]) -> str | None:
    """The first entry that the text begins with, outer spaces set aside."""
    folded = fold(text)
    return next((entry for entry in entries if folded.startswith(entry.casefold())), None)


@lru_cache(maxsize=1_000)
def expression(pattern: str) -> re2._Regexp:
    """A compiled RE2 pattern that looks anywhere and sets case aside: linear time, whatever the text.

    Raises re2.error where the pattern is none.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = 1 << 20
    return re2.compile(pattern, options)


def found(text: str, pattern: str) -> str | None:
    """What the pattern matches first, or None."""
    match = expression(pattern).search(text)
    return None if match is None else str(match.group())


def email_domain(text: str) -> str | None:
    """What stands after the last @, folded; None where there is no @ with something on both sides."""
    name, at, domain = fold(text).rpartition("@")
    return domain if name and at and domain else None
