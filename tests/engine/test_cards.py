"""Card numbers become tokens wherever they stand, other numbers stay, and forbidden columns are known by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraudline.engine.cards import Tokens, forbidden, is_pan, may_hold_pan, pan_of, suspects

PAN = "4111111111111111"
TOKENS = Tokens(b"a key for these tests only")
TOKEN = TOKENS.card(PAN)


def with_luhn_digit(body: str) -> str:
    return next(body + digit for digit in "0123456789" if is_pan(body + digit))


def test_a_token_shows_the_last_four_and_depends_on_the_key() -> None:
    assert TOKEN.startswith("card_")
    assert TOKEN.endswith("_1111")
    assert len(TOKEN) == len("card_") + 32 + len("_1111")
    assert Tokens(b"a key for these tests only").card(PAN) == TOKEN
    assert Tokens(b"another key for these tests").card(PAN) != TOKEN


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Tokens(b"short")


@pytest.mark.parametrize(
    ("value", "pan"),
    [
        (PAN, PAN),
        ("4111 1111 1111 1111", PAN),
        ("4111-1111-1111-1111", PAN),
        ("378282246310005", "378282246310005"),
        ("4222222222222", "4222222222222"),
        ("4111111111111112", None),
        ("4111  1111 1111 1111", "4111111111111111"),
        ("0000000000000000", None),
        ("411111111111", None),
        ("card 4111111111111111", None),
        ("٤١١١١١١١١١١١١١١١", None),
        ("", None),
    ],
)
def test_a_card_number_is_known_by_length_and_luhn_digit(value: str, pan: str | None) -> None:
    assert pan_of(value) == pan


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        (f"paid with {PAN}", f"paid with {TOKEN}"),
        (f"{PAN}, {PAN}", f"{TOKEN}, {TOKEN}"),
        (f"{PAN} {PAN}", f"{TOKEN} {TOKEN}"),
        ("on 12-05 4111 1111 1111 1111 for 25", f"on 12-05 {TOKEN} for 25"),
        ("4111-1111-1111-1111 12 25", f"{TOKEN} 12 25"),
        ("order 4111111111111112", "order 4111111111111112"),
        ("reference 41111111111111110000000001", "reference 41111111111111110000000001"),
        ("+1-021-436-2616-2085 is a telephone", "+1-021-436-2616-2085 is a telephone"),
        ("lunch", "lunch"),
    ],
)
def test_card_numbers_in_text_are_replaced_and_nothing_else(text: str, scrubbed: str) -> None:
    assert TOKENS.scrub(text) == scrubbed


@given(
    st.text(st.characters(exclude_characters="0123456789 -"), max_size=20),
    st.text("0123456789", min_size=14, max_size=17),
)
def test_any_card_number_in_any_text_is_found(around: str, body: str) -> None:
    if not body.strip("0"):
        return
    pan = with_luhn_digit(body)
    text = f"{around} {pan}{around}"
    assert suspects(["x", text]) == [text]
    assert pan not in TOKENS.scrub(text)
    assert TOKENS.card(pan) in TOKENS.scrub(text)


@given(st.text("01234 -x\n", max_size=60))
def test_the_quick_look_misses_nothing(text: str) -> None:
    longest = max(len(run) for run in "".join(c if c in "01234" else "" if c in " -" else "x" for c in text).split("x"))
    assert may_hold_pan(text) == (longest >= 13)


@pytest.mark.parametrize(
    "column", ["cvv", "CVV2", "Card CVV", "track_1", "Track2", "PIN_BLOCK", "security code", "cvc"]
)
def test_columns_of_what_nobody_may_store_are_forbidden(column: str) -> None:
    assert forbidden(column)


@pytest.mark.parametrize("column", ["pin", "pincode", "card", "tracking", "track", "id", "amount", ""])
def test_other_columns_are_not(column: str) -> None:
    assert not forbidden(column)


@pytest.mark.parametrize("between", ["", " ", "-", ".", "_", "\t", "\u00a0", "\u2013", "  ", " - "[:2]])
def test_whatever_people_write_between_the_digits(between: str) -> None:
    tokens = Tokens(b"0123456789abcdef")
    written = between.join(("4111", "1111", "1111", "1111"))
    assert pan_of(written) == "4111111111111111"
    assert tokens.scrub(f"paid with {written} today") == f"paid with {tokens.card('4111111111111111')} today"
    assert suspects([f"x {written} y"]) == [f"x {written} y"]
    assert suspects(["x" * 2_000, f"x {written} y"]) == [f"x {written} y"]
