"""The kernel's arithmetic and searches, plain and compiled: exact integers, binary searches, distances."""

from __future__ import annotations

import math
from bisect import bisect_right
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraudline.engine import kernel
from fraudline.engine.history import compiled_kernel

SPEEDS = ["plain", "compiled"]
LARGEST = 2**40
ROWS_MAX = 2**23  # as many rows as totals of squares are exact for


def engine(speed: str) -> ModuleType:
    found = kernel if speed == "plain" else compiled_kernel()
    assert found is not None
    return found


def totals(values: list[int]) -> tuple[int, int, int, int, int]:
    """What `variance_numerator` takes: rows, sum, and the three parts of the sum of squares."""
    kinds = (kernel.HIGH_SQUARE, kernel.CROSS, kernel.LOW_SQUARE)
    high, cross, low = (sum(kernel.increment(kind, float(x)) for x in values) for kind in kinds)
    return len(values), sum(values), high, cross, low


def exact_variance_numerator(values: list[int]) -> int:
    return len(values) * sum(x * x for x in values) - sum(values) ** 2


def nearest_float(value: int) -> float:
    return float(Fraction(value))  # int and Fraction round half even, whatever the size


amounts = st.one_of(
    st.integers(-LARGEST, LARGEST),
    st.integers(-1000, 1000),
    st.sampled_from([0, 1, -1, LARGEST, -LARGEST, LARGEST - 1, 2**20, 2**20 - 1, -(2**20), -(2**20) - 1]),
)


@pytest.mark.parametrize("speed", SPEEDS)
@given(values=st.lists(amounts, min_size=1, max_size=60))
def test_the_variance_is_formed_in_integers_and_rounded_once(speed: str, values: list[int]) -> None:
    found = engine(speed).variance_numerator(*totals(values))
    assert found == nearest_float(exact_variance_numerator(values))


@pytest.mark.parametrize("speed", SPEEDS)
@given(one=amounts, other=amounts, ones=st.integers(1, ROWS_MAX // 2), others=st.integers(0, ROWS_MAX // 2))
def test_as_many_rows_as_a_history_may_hold(speed: str, one: int, other: int, ones: int, others: int) -> None:
    """Totals of many equal rows, without the rows."""
    first, second = totals([one]), totals([other])
    n, total, high, cross, low = (ones * a + others * b for a, b in zip(first, second, strict=True))
    exact = n * (ones * one * one + others * other * other) - total * total
    if abs(total) <= kernel.LARGEST_EXACT:
        assert engine(speed).variance_numerator(n, total, high, cross, low) == nearest_float(exact)


@pytest.mark.parametrize("speed", SPEEDS)
def test_equal_values_have_no_variance_at_all(speed: str) -> None:
    for x in (0, 1, -7, 333_333, 2**20 + 1, LARGEST // 8192):
        assert engine(speed).variance_numerator(*totals([x] * 100)) == 0.0


def test_the_parts_of_a_square_make_the_square() -> None:
    for x in (0, 1, -1, 2**20, -(2**20) - 1, LARGEST, -LARGEST, 123_456_789_012):
        n, total, high, cross, low = totals([x])
        assert (n, total) == (1, x)
        assert high * 2**40 + cross * 2**21 + low == x * x


@pytest.mark.parametrize("speed", SPEEDS)
@given(
    times=st.lists(st.integers(0, 40), max_size=70).map(sorted),
    moment=st.integers(-1, 41),
    cut=st.tuples(st.integers(0, 70), st.integers(0, 70)),
)
def test_the_first_row_after_a_moment_is_found(speed: str, times: list[int], moment: int, cut: tuple[int, int]) -> None:
    low, high = sorted(min(end, len(times)) for end in cut)
    column: Any = times if speed == "plain" else np.array(times, dtype=np.int64)
    assert engine(speed).first_after(column, moment, low, high) == bisect_right(times, moment, low, high)


@pytest.mark.parametrize("speed", SPEEDS)
@given(one=st.text(max_size=5), other=st.text(max_size=5))
def test_ids_are_ordered_by_their_bytes(speed: str, one: str, other: str) -> None:
    stored, places = bytearray(), []
    for text in (one, other):
        places.append(len(stored))
        data = text.encode()
        stored += len(data).to_bytes(2, "big") + data
    column: Any = stored if speed == "plain" else np.frombuffer(bytes(stored), dtype=np.uint8)
    precedes = engine(speed).precedes
    assert precedes(column, places[0], places[1]) == (one.encode() < other.encode())
    assert precedes(column, places[1], places[0]) == (other.encode() < one.encode())


def test_an_id_of_more_than_a_byte_of_length_keeps_its_length() -> None:
    stored = bytearray()
    for text in ("a" * 300, "a" * 301):
        stored += len(text).to_bytes(2, "big") + text.encode()
    assert kernel.precedes(stored, 0, 302)
    assert not kernel.precedes(stored, 302, 0)


# kilometres as published for these pairs on a sphere of the mean radius
DISTANCES = [
    ((0.0, 0.0), (0.0, 0.0), 0.0),
    ((51.5074, -0.1278), (48.8566, 2.3522), 343_556.0),  # London to Paris
    ((0.0, 0.0), (0.0, 180.0), 20_015_115.0),  # half the equator
    ((90.0, 0.0), (-90.0, 123.0), 20_015_115.0),  # pole to pole, whatever the longitude
    ((0.0, 179.5), (0.0, -179.5), 111_195.0),  # across the date line
]


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize(("here", "there", "metres"), DISTANCES)
def test_distances(speed: str, here: tuple[float, float], there: tuple[float, float], metres: float) -> None:
    distance = engine(speed).distance_m
    assert distance(*here, *there) == pytest.approx(metres, abs=1)
    assert distance(*here, *there) == distance(*there, *here)
    assert distance(*here, *there) == int(distance(*here, *there))


@given(st.lists(st.floats(-90, 90), min_size=2, max_size=2), st.lists(st.floats(-180, 180), min_size=2, max_size=2))
def test_compiled_distances_are_the_plain_ones_bit_for_bit(latitudes: list[float], longitudes: list[float]) -> None:
    places = latitudes[0], longitudes[0], latitudes[1], longitudes[1]
    assert engine("compiled").distance_m(*places) == kernel.distance_m(*places)


def test_no_two_places_are_further_apart_than_half_the_globe() -> None:
    half = math.pi * kernel.EARTH_RADIUS_M
    for latitude in (-90.0, -45.0, 0.0, 1e-9, 45.0, 90.0):
        assert kernel.distance_m(latitude, 10.0, -latitude, -170.0) == round(half)
