"""A transaction survives being stored, and is shown in units people read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraudline.domain.ruleset import FieldSpec, Ruleset
from fraudline.domain.transaction import Batch
from fraudline.engine.record import batch_of, decode, encode, present, rfc3339

RULES = Ruleset(
    name="test",
    currency="INR",
    timezone="Asia/Kolkata",
    rules=(),
    fields=(
        FieldSpec("id", "text", "id"),
        FieldSpec("account", "text", "account"),
        FieldSpec("occurred_at", "time", "at"),
        FieldSpec("amount", "money", "amount"),
        FieldSpec("latitude", "number", "latitude"),
        FieldSpec("items", "number", "items", decimals=1),
        FieldSpec("vip", "boolean", "vip"),
        FieldSpec("opened_at", "time", "opened"),
    ),
)
ROWS = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1),
        "occurred_at": st.integers(0, 2**43),
        "day_only": st.booleans(),
        "account": st.none() | st.text(),
        "amount": st.none() | st.integers(-(2**40), 2**40),
        "latitude": st.none() | st.floats(-90, 90),
        "items": st.none() | st.integers(-(2**40), 2**40),
        "vip": st.none() | st.booleans(),
        "opened_at": st.none() | st.integers(-(2**40), 2**43),
    }
)
ROW: dict[str, Any] = {
    "id": "T1",
    "occurred_at": 1747763999999,
    "day_only": False,
    "account": "E1",
    "amount": 1200050,
    "latitude": 51.0,
    "items": 25,
    "vip": False,
    "opened_at": -1000,
}


@given(st.lists(ROWS, max_size=5))
def test_what_is_stored_comes_back(rows: list[dict[str, Any]]) -> None:
    batch = batch_of(rows, RULES, fingerprints=[b"f" * 32] * len(rows), positions=list(range(len(rows))))
    assert [decode(payload, RULES) for payload in encode(batch, RULES)] == rows
    again = batch_of([decode(payload, RULES) for payload in encode(batch, RULES)], RULES)
    assert [again.row(i) for i in range(len(rows))] == [batch.row(i) for i in range(len(rows))] == rows
    assert list(batch.columns) == ["account", "amount", "latitude", "items", "vip", "opened_at"]
    assert len(again.fingerprints) == len(again.rows) == len(rows)


def test_a_field_the_row_was_stored_without_is_missing() -> None:
    older = {name: value for name, value in ROW.items() if name != "vip"}
    assert batch_of([older], RULES).columns["vip"] == [None]


def test_a_row_is_shown_in_units_and_missing_values_are_left_out() -> None:
    assert present(ROW | {"account": None}, RULES) == {
        "id": "T1",
        "occurred_at": "2025-05-20T17:59:59.999Z",
        "amount": 12000.5,
        "latitude": 51,
        "items": 2.5,
        "vip": False,
        "opened_at": "1969-12-31T23:59:59Z",
    }


def test_a_date_is_shown_as_the_date_of_its_zone() -> None:
    assert present(ROW | {"occurred_at": 1747679400000, "day_only": True}, RULES)["occurred_at"] == "2025-05-20"


@pytest.mark.parametrize(
    ("instant", "text"),
    [(0, "1970-01-01T00:00:00Z"), (1, "1970-01-01T00:00:00.001Z"), (-2_208_988_800_000, "1900-01-01T00:00:00Z")],
)
def test_times_are_rfc_3339(instant: int, text: str) -> None:
    assert rfc3339(instant) == text


def test_an_empty_batch_has_no_payloads() -> None:
    assert encode(batch_of([], RULES), RULES) == []
    assert len(batch_of([], RULES)) == len(Batch()) == 0
