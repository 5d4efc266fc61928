"""Currencies have the decimals ISO 4217 gives them, and minor units go to text and back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraudline.domain.money import DECIMALS, format_minor, from_minor, to_minor

MINOR = st.integers(-(2**40), 2**40)


@pytest.mark.parametrize(
    ("code", "decimals"),
    [
        *(("USD", 2), ("INR", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("XOF", 0)),
        # CLDR gives these fewer, because cash has fewer.
        *(("AFN", 2), ("HUF", 2), ("IDR", 2), ("IQD", 3), ("LBP", 2), ("MGA", 2), ("PKR", 2), ("UYW", 4)),
    ],
)
def test_decimals_are_those_of_iso(code: str, decimals: int) -> None:
    assert DECIMALS[code] == decimals


@pytest.mark.parametrize("code", ["XXX", "XTS", "XAU", "XDR", "usd", "", "US", "NAN"])
def test_codes_nobody_can_pay_in_are_no_currencies(code: str) -> None:
    assert code not in DECIMALS


def test_every_code_is_three_capitals_and_there_are_as_many_as_iso_lists() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in DECIMALS)
    assert 165 <= len(DECIMALS) <= 180


@pytest.mark.parametrize(
    ("minor", "decimals", "text", "number"),
    [
        (1200050, 2, "12000.50", 12000.5),
        (1200000, 2, "12000.00", 12000),
        (-5, 2, "-0.05", -0.05),
        (0, 3, "0.000", 0),
        (-700, 0, "-700", -700),
        (1, 4, "0.0001", 0.0001),
    ],
)
def test_minor_units_read_as_numbers(minor: int, decimals: int, text: str, number: float) -> None:
    assert format_minor(minor, decimals) == text
    assert from_minor(minor, decimals) == number


@given(MINOR, st.integers(0, 4))
def test_minor_units_survive_the_way_to_text_and_back(minor: int, decimals: int) -> None:
    assert to_minor(Decimal(format_minor(minor, decimals)), decimals) == minor
    assert round(from_minor(minor, decimals) * 10**decimals) == minor


def test_more_decimals_than_the_currency_has_are_no_amount() -> None:
    assert to_minor(Decimal("0.005"), 2) is None
    assert to_minor(Decimal("0.50"), 0) is None
    assert to_minor(Decimal("0.1" + "0" * 40 + "1"), 2) is None
    assert to_minor(Decimal("5.00"), 0) == 5
