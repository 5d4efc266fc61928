"""Numbers, booleans and text are read strictly, whole columns as single values, and a fault says what would help."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraudline.domain.ruleset import FieldSpec
from fraudline.domain.transaction import MAX_MINOR
from fraudline.engine.values import WHOLE_COLUMN_MIN, Exact, booleans, floats, one_by_one, present, texts

AMOUNT = FieldSpec(name="amount", kind="money", column="amount")
MEANT = "if that is meant, declare `amount: {from: amount, "
COMMA = "; with a point for thousands the comma is the decimal sign"
MINUS = "negatives are written with a minus sign in front, as -500: correct the source"


def exact(value: Any, spec: FieldSpec = AMOUNT, decimals: int = 2) -> Any:
    return Exact(spec, decimals, "USD").one(value)


@pytest.mark.parametrize(
    ("value", "minor"),
    [
        ("12000", 1200000),
        ("12000.5", 1200050),
        ("-0.05", -5),
        ("+3.10", 310),
        ("007", 700),
        ("0", 0),
        ("-0.00", 0),
        ("10995116277.76", MAX_MINOR),
        (12, 1200),
        (Decimal("12.30"), 1230),
        (Decimal("1E+3"), 100_000),
        (Decimal("12.300"), 1230),
        (0.1, 10),
        (25.499999999999996, 2550),
        (np.nextafter(np.nextafter(0.29, 1), 1).item(), 29),
        (-12.0, -1200),
    ],
)
def test_amounts_are_exact_minor_units(value: Any, minor: int) -> None:
    assert exact(value) == minor


@pytest.mark.parametrize(
    ("value", "code", "said"),
    [
        ("12,000.00", "thousands", f'is written with separators; {MEANT}thousands: ","}}`'),
        ("1,00,000", "thousands", f'is written with separators; {MEANT}thousands: ","}}`'),
        ("1_000", "thousands", f'is written with separators; {MEANT}thousands: "_"}}`'),
        ("12'000.50", "thousands", f'is written with separators; {MEANT}thousands: "\'"}}`'),
        ("1.234,56", "thousands", f'is written with separators; {MEANT}thousands: "."}}`{COMMA}'),
        ("12,50", "thousands", f'is written with separators; {MEANT}thousands: "."}}`{COMMA}'),
        ("1.234,56 €", "strip", f'has more around it than a number; {MEANT}thousands: ".", strip: " €"}}`{COMMA}'),
        (
            "1 234,56",
            "thousands",
            "has a decimal comma behind thousands that no points separate, which cannot be declared: "
            "take the separators out before",
        ),
        ("(500)", "sign", f"is no number; {MINUS}"),
        ("(€5.00)", "sign", f"is no number; {MINUS}"),
        ("500-", "sign", f"is no number; {MINUS}"),
        ("₹12000", "strip", f'has more around it than a number; {MEANT}strip: "₹"}}`'),
        ("₹ 12,000", "strip", f'has more around it than a number; {MEANT}thousands: ",", strip: "₹ "}}`'),
        ("Rs. 500", "strip", f'has more around it than a number; {MEANT}strip: "Rs. "}}`'),
        ("5 EUR", "strip", f'has more around it than a number; {MEANT}strip: " EUR"}}`'),
        ("-$5", "strip", f'has more around it than a number; {MEANT}strip: "$"}}`'),
        (" 5", "strip", f'has more around it than a number; {MEANT}strip: " "}}`'),
        ("1e5", "exponent", "is written with an exponent; write the number out"),
        ("NaN", "not_finite", "is no number; leave the value empty where it is unknown"),
        ("-inf", "not_finite", "is no number; leave the value empty where it is unknown"),
        (float("nan"), "not_finite", "is no number; leave the value empty where it is unknown"),
        (Decimal("Infinity"), "not_finite", "is no number; leave the value empty where it is unknown"),
        ("١٢٣", "digits", "is written in digits other than 0 to 9"),
        ("\N{FULLWIDTH DIGIT ONE}2", "digits", "is written in digits other than 0 to 9"),
        ("12.345", "decimals", "has 3 decimals, USD has 2"),
        (Decimal("0.001"), "decimals", "has 3 decimals, USD has 2"),
        (Decimal("1E-999999"), "decimals", "has 999999 decimals, USD has 2"),
        (25.505, "decimals", "has more decimals, USD has 2"),
        ("10995116277.77", "too_large", f"is beyond the largest number kept exactly, {MAX_MINOR} in its smallest unit"),
        ("9" * 60_000, "too_large", f"is beyond the largest number kept exactly, {MAX_MINOR} in its smallest unit"),
        (
            Decimal("1E+999999"),
            "too_large",
            f"is beyond the largest number kept exactly, {MAX_MINOR} in its smallest unit",
        ),
        (1e300, "too_large", f"is beyond the largest number kept exactly, {MAX_MINOR} in its smallest unit"),
        (True, "not_a_number", "is a bool, not a number"),
        ([1], "nested", "holds a list or an object; a field holds one value"),
        *(
            (text, "not_a_number", None)
            for text in ("5.", ".5", "--5", "1.2.3", "0x10", "()", "1-2", "five", "5\n", "1,2,3")
        ),
    ],
)
def test_what_is_no_amount_says_why_and_what_would_accept_it(value: Any, code: str, said: str | None) -> None:
    found = exact(value)
    assert found[0] == code
    assert said is None or found[1] == said


@pytest.mark.parametrize(
    ("value", "declared", "said"),
    [
        (
            "12.50",
            ".",
            'is not written as the ruleset declares: thousands: "." stands in front of three digits and makes the '
            "comma the decimal sign; leave it out of the ruleset where the point is the decimal sign",
        ),
        (
            "1,2,3",
            ",",
            'is not written as the ruleset declares: thousands: "," stands in front of three digits; '
            "leave it out of the ruleset where the comma is the decimal sign",
        ),
        (
            "1,234.56",
            ".",
            f'is written with separators; {MEANT}thousands: ","}}` instead of thousands: "."',
        ),
        (
            "12,50",
            ",",
            f'is written with separators; {MEANT}thousands: "."}}` instead of thousands: ","{COMMA}',
        ),
        ("12,50 €", ".", f'has more around it than a number; {MEANT}thousands: ".", strip: " €"}}`'),
    ],
)
def test_what_is_declared_already_is_not_suggested_again(value: str, declared: str, said: str) -> None:
    spec = FieldSpec(name="amount", kind="money", column="amount", thousands=declared)
    assert exact(value, spec)[1] == said


@pytest.mark.parametrize(
    ("value", "options", "minor"),
    [
        ("12,000.00", {"thousands": ","}, 1200000),
        ("12000", {"thousands": ","}, 1200000),
        ("1,00,000", {"thousands": ","}, 10_000_000),
        ("-1,234.50", {"thousands": ","}, -123450),
        ("1.234,56", {"thousands": "."}, 123456),
        ("12,50", {"thousands": "."}, 1250),
        ("1.234", {"thousands": "."}, 123400),
        ("₹ 12,000", {"thousands": ",", "strip": "₹ "}, 1200000),
        ("-₹5", {"strip": "₹"}, -500),
        ("₹-5", {"strip": "₹"}, -500),
    ],
)
def test_what_the_ruleset_declares_is_accepted(value: str, options: dict[str, str], minor: int) -> None:
    assert exact(value, FieldSpec(name="amount", kind="money", column="amount", **options)) == minor  # type: ignore[arg-type]  # two texts


@pytest.mark.parametrize("value", ["1,2", "12,34", "1,2345", ",123", "123,", "1,,234", "1.234,56"])
def test_separators_stand_where_separators_stand(value: str) -> None:
    assert exact(value, FieldSpec(name="amount", kind="money", column="amount", thousands=","))[0] != "decimals"
    assert isinstance(exact(value, FieldSpec(name="amount", kind="money", column="amount", thousands=",")), tuple)


@pytest.mark.parametrize("value", ["12,000.00", "₹12,000", "1_000", "12,50", "5 EUR", "Rs. 500", "-$5", " 5 "])
def test_the_line_that_is_suggested_accepts_the_value(value: str) -> None:
    said = exact(value)[1]
    options = dict(part.split(": ") for part in said.split("{from: amount, ")[1].split("}`")[0].split('", '))
    spec = FieldSpec(name="amount", kind="money", column="amount", **{k: v.strip('"') for k, v in options.items()})
    assert isinstance(exact(value, spec), int)


NUMERALS = st.one_of(
    st.decimals(-(10**8), 10**8, places=2).map(str),
    st.integers(-(10**11), 10**12).map(str),
    st.floats(allow_nan=False).map(str),
    st.text("0123456789.-+,e \n", max_size=8),
)


@given(st.lists(NUMERALS, min_size=1, max_size=6), st.integers(0, 4), st.booleans())
def test_a_whole_column_says_what_its_values_say(values: list[str], decimals: int, clean: bool) -> None:
    reader = Exact(AMOUNT, decimals, "USD")
    if clean:
        values = [value for value in values if isinstance(reader.one(value), int)]
    column = values * (WHOLE_COLUMN_MIN if values else 0)
    assert reader.column(column) == one_by_one(column, reader.one)


@given(st.lists(st.floats(-1e12, 1e12) | st.decimals(-(10**8), 10**8, places=2).map(float), min_size=1, max_size=5))
def test_a_whole_column_of_doubles_says_what_its_values_say(values: list[float]) -> None:
    reader = Exact(AMOUNT, 2, "USD")
    column = values * WHOLE_COLUMN_MIN
    assert reader.column(column) == one_by_one(column, reader.one)


@given(st.lists(NUMERALS, min_size=1, max_size=6))
def test_a_whole_column_of_free_numbers_says_what_its_values_say(values: list[str]) -> None:
    column = values * WHOLE_COLUMN_MIN
    singles = [floats([value], AMOUNT) for value in column]
    assert floats(column, AMOUNT)[0] == [typed[0] for typed, _ in singles]
    assert set(floats(column, AMOUNT)[1]) == {place for place, (_, faults) in enumerate(singles) if faults}


@pytest.mark.parametrize(
    ("value", "number"), [("1.5", 1.5), ("-0", 0.0), ("-0.0", 0.0), (3, 3.0), (Decimal("0.1"), 0.1), (2.5, 2.5)]
)
def test_free_numbers_are_doubles(value: Any, number: float) -> None:
    typed, faults = floats([value], AMOUNT)
    assert (str(typed[0]), faults) == (str(number), {})


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("1" * 400, "too_large"),
        (10**400, "too_large"),
        ("nan", "not_finite"),
        (float("inf"), "not_finite"),
        (True, "not_a_number"),
    ],
)
def test_free_numbers_have_an_end(value: Any, code: str) -> None:
    assert floats([value], AMOUNT)[1][0][0] == code


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        ("true", True),
        ("YES", True),
        ("1", True),
        ("False", False),
        ("no", False),
        ("0", False),
        (True, True),
        (0, False),
    ],
)
def test_booleans(value: Any, truth: bool) -> None:
    assert booleans([value]) == ([truth], {})


@pytest.mark.parametrize("value", ["y", "on", "2", 2, "", " true", 1.0, None])
def test_what_is_no_boolean(value: Any) -> None:
    assert booleans([value])[1][0][0] == "not_boolean"


@pytest.mark.parametrize(
    ("value", "text"),
    [(" as received ", " as received "), ("NA", "NA"), (7, "7"), (Decimal("7.10"), "7.10"), (7.0, "7"), (True, "true")],
)
def test_text_is_as_received_and_whole_numbers_are_their_digits(value: Any, text: str) -> None:
    assert texts([value]) == ([text], {})


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("a\0b", "nul"),
        ("\ud800", "encoding"),
        ("x" * 65_537, "too_long"),
        ("é" * 32_769, "too_long"),
        (7.5, "not_text"),
        (b"x", "not_text"),
        ({"a": 1}, "nested"),
        (10**50, "too_large"),
    ],
)
def test_what_is_no_text(value: Any, code: str) -> None:
    typed, faults = texts(["fine", value, "fine"])
    assert typed == ["fine", None, "fine"]
    assert {place: fault[0] for place, fault in faults.items()} == {1: code}


def test_text_may_be_as_long_as_the_limit() -> None:
    assert texts(["x" * 65_536, "é" * 32_768])[1] == {}


def test_missing_values_stay_missing_and_faults_keep_their_place() -> None:
    typed, faults = present([None, "5", "", "x"], Exact(AMOUNT, 2, "USD").column)
    assert typed == [None, 500, None, None]
    assert list(faults) == [3]
    assert present([None, ""], texts) == ([None, None], {})
