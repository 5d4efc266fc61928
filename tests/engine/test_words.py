"""Words in text: tables of what each function finds."""

from __future__ import annotations

import pytest
import re2

from fraudline.engine import words

WORDS = [
    ("Amazon GIFT card", "gift*", True),
    ("Amazon GIFT card", "gift", True),
    ("a gifted colleague", "gift*", True),  # the star stands for any ending, "ed" too
    ("a gifted colleague", "gift", False),
    ("a regift", "gift*", False),
    ("a regift", "*gift", True),
    ("regifted", "*gift*", True),
    ("gift-card for two", "gift card", True),  # what joins words is no letter
    ("card gift", "gift card", False),
    ("gift for a card", "gift card", False),
    ("prepaid gift cards", "gift card*", True),
    ("gift_card", "gift", True),  # an underscore joins words, as a hyphen does
    ("BITCOIN casino!", "*coin", True),
    ("coins", "*coin", False),
    ("Straße 5", "strasse", True),
    ("STRASSE", "straße", True),
    ("İstanbul", "i̇stanbul", True),
    ("gift", "  Gift ", True),
    ("4ever", "4*", True),
    ("4 ever", "4ever", False),
    ("", "gift", False),
    ("!!!", "gift", False),
    ("gift", "***", False),  # an entry without a letter stands for nothing
    ("gift", "", False),
    ("подарок", "Подарок", True),
]


@pytest.mark.parametrize(("text", "entry", "found"), WORDS)
def test_has_word(text: str, entry: str, found: bool) -> None:
    assert (words.matched_word(text, ["nothing", entry]) == entry) is found
    assert words.WordList(["nothing", entry]).stands_in(text) is found


def test_the_first_entry_that_matches_is_told() -> None:
    assert words.matched_word("casino gift", ["gift", "casino"]) == "gift"
    assert words.contained("casino gift", ["GIFT", "casino"]) == "GIFT"
    assert words.prefixed(" casino gift", ["gift", "CAS"]) == "CAS"


CONTAINED = [
    ("Shift work", "IFT", True),
    ("a b", "a b", True),
    ("ab", "a b", False),
    ("Straße", "SS", True),
    ("", "x", False),
]


@pytest.mark.parametrize(("text", "entry", "found"), CONTAINED)
def test_contains_any(text: str, entry: str, found: bool) -> None:
    assert (words.contained(text, [entry]) == entry) is found


PREFIXED = [("  Delhi", "del", True), ("New Delhi", "del", False), ("Straße", "STRASS", True), ("", "a", False)]


@pytest.mark.parametrize(("text", "entry", "found"), PREFIXED)
def test_starts_with(text: str, entry: str, found: bool) -> None:
    assert (words.prefixed(text, [entry]) == entry) is found


MATCHES = [
    ("Gift or Coin", "gift|coin", "Gift"),
    ("order 0742", "[0-9]+", "0742"),
    ("two\nlines", "two.lines", None),  # a dot is no line break
    ("delhi", "^d.*i$", "delhi"),
    ("", "^$", ""),
    ("é", "^.$", "é"),
    ("a\0b", "a.b", "a\0b"),
]


@pytest.mark.parametrize(("text", "pattern", "found"), MATCHES)
def test_matches(text: str, pattern: str, found: str | None) -> None:
    assert words.found(text, pattern) == found


def test_a_pattern_that_is_none_is_refused() -> None:
    for pattern in ("(", "(?<=a)b", r"(a)\1", "a{2000}"):
        with pytest.raises(re2.error):
            words.expression(pattern)


def test_a_catastrophic_pattern_is_linear() -> None:
    assert words.found("a" * 50_000 + "!", "(a+)+$") is None


DOMAINS = [
    ("Asha@Example.ORG ", "example.org"),
    ("a@b@c.d", "c.d"),
    ("asha", None),
    ("@example.org", None),
    ("asha@", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "domain"), DOMAINS)
def test_email_domain(text: str, domain: str | None) -> None:
    assert words.email_domain(text) == domain


FOLDED = [(" Delhi ", "delhi"), ("STRASSE", "strasse"), ("Straße", "strasse"), ("\tA  B\n", "a  b")]


@pytest.mark.parametrize(("text", "folded"), FOLDED)
def test_text_is_compared_without_case_and_outer_spaces(text: str, folded: str) -> None:
    assert words.fold(text) == folded
    assert words.fold(words.fold(text)) == words.fold(text)
