"""Every record becomes a transaction of typed columns or is rejected with one reason; nothing is guessed."""

from __future__ import annotations

import datetime as dt
import doctest
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraudline.domain.errors import UnusableInput
from fraudline.domain.ruleset import FieldSpec, Rule, Ruleset
from fraudline.domain.transaction import FIELDS, Batch, Records, Rejected
from fraudline.engine import intake as intake_module
from fraudline.engine.cards import Tokens
from fraudline.engine.intake import Intake, absent_columns, check_columns, required_columns, wanted_columns

NOW = int(dt.datetime(2025, 6, 1, tzinfo=dt.UTC).timestamp() * 1000)
TOKENS = Tokens(b"a key for these tests only")
PAN = "4111111111111111"
ROW: dict[str, Any] = {"id": "T1", "occurred_at": "2025-05-20T23:30:00Z", "amount": "12.50"}


def ruleset(*names: str, currency: str = "USD", timezone: str = "UTC", **specs: FieldSpec) -> Ruleset:
    fields = [
        specs.get(name) or FieldSpec(name=name, kind=FIELDS.get(name, "text"), column=name)
        for name in ("id", "occurred_at", "amount", *names)
    ]
    return Ruleset(name="test", currency=currency, fields=tuple(fields), rules=(), timezone=timezone)


def records(*rows: dict[str, Any]) -> Records:
    names = dict.fromkeys(name for row in rows for name in row)
    return Records(list(range(2, 2 + len(rows))), {name: [row.get(name) for row in rows] for name in names})


def read(
    rules: Ruleset, *rows: dict[str, Any], received_at: int = NOW, file_sha: str = ""
) -> tuple[Batch, list[Rejected]]:
    return Intake(rules, received_at=received_at, tokens=TOKENS, file_sha=file_sha).read(records(*rows))


def fault(rules: Ruleset, row: dict[str, Any]) -> tuple[str, str]:
    batch, rejected = read(rules, ROW | row)
    assert not len(batch)
    (entry,) = rejected
    assert entry.line == 2
    return entry.column, entry.code


def test_a_record_becomes_typed_columns_in_the_order_of_the_ruleset() -> None:
    rules = ruleset(
        "account",
        "balance",
        "latitude",
        "items",
        "vip",
        "opened_at",
        items=FieldSpec(name="items", kind="number", column="Items", decimals=1, attribute=True),
        vip=FieldSpec(name="vip", kind="boolean", column="vip", attribute=True),
        opened_at=FieldSpec(name="opened_at", kind="time", column="opened", format="%d/%m/%Y", attribute=True),
    )
    row = ROW | {
        "account": " A1",
        "latitude": "51.5",
        "Items": "2.5",
        "vip": "yes",
        "opened": "01/02/2030",
        "other": "x",
    }
    batch, rejected = read(rules, row)
    assert not rejected
    assert list(batch.columns) == ["amount", "account", "balance", "latitude", "items", "vip", "opened_at"]
    assert batch.row(0) == {
        "id": "T1",
        "occurred_at": int(dt.datetime(2025, 5, 20, 23, 30, tzinfo=dt.UTC).timestamp() * 1000),
        "day_only": False,
        "amount": 1250,
        "account": " A1",
        "balance": None,
        "latitude": 51.5,
        "items": 25,
        "vip": True,
        "opened_at": int(dt.datetime(2030, 2, 1, tzinfo=dt.UTC).timestamp() * 1000),
    }
    assert batch.rows == [2]
    assert len(batch.fingerprints[0]) == 32


@pytest.mark.parametrize("given_id", ["007", "NA", "1E5", " x ", "null", "é" * 256, "\u200b"])
def test_ids_are_exactly_as_given(given_id: str) -> None:
    assert read(ruleset(), ROW | {"id": given_id})[0].ids == [given_id]


@pytest.mark.parametrize(
    ("given_id", "kept"), [(7, "7"), (12345678901234567890, "12345678901234567890"), (Decimal("1.50"), "1.50")]
)
def test_numbers_as_ids_are_their_digits(given_id: Any, kept: str) -> None:
    assert read(ruleset(), ROW | {"id": given_id})[0].ids == [kept]


FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"id": ""}, "id", "missing"),
    ({"id": None}, "id", "missing"),
    ({"id": "x" * 513}, "id", "too_long"),
    ({"id": "a\0"}, "id", "nul"),
    ({"amount": ""}, "amount", "missing"),
    ({"amount": "NaN"}, "amount", "not_finite"),
    ({"amount": "1_000"}, "amount", "thousands"),
    ({"occurred_at": ""}, "occurred_at", "missing"),
    ({"occurred_at": "12/05/2025"}, "occurred_at", "ambiguous_date"),
    ({"occurred_at": "9999-05-20T10:00:00Z"}, "occurred_at", "future_time"),
    ({"occurred_at": "2025-06-01T00:05:00.001Z"}, "occurred_at", "future_time"),
    ({"currency": "XXX"}, "currency", "unknown_currency"),
    ({"currency": "Euro"}, "currency", "unknown_currency"),
    ({"currency": "JPY", "amount": "12.5"}, "amount", "decimals"),
    ({"timezone": "+05:30"}, "timezone", "unknown_timezone"),
    ({"timezone": "Europe/Berlin", "occurred_at": "2025-03-30T02:30:00"}, "occurred_at", "nonexistent_time"),
    ({"latitude": "90.01"}, "latitude", "out_of_range"),
    ({"longitude": "-180.5"}, "longitude", "out_of_range"),
    ({"latitude": "nan"}, "latitude", "not_finite"),
    ({"balance": "1,000"}, "balance", "thousands"),
    ({"description": "x" * 70_000}, "description", "too_long"),
    ({"description": {"a": 1}}, "description", "nested"),
    ({"merchant": "\ud800"}, "merchant", "encoding"),
]
EVERYTHING = ruleset("currency", "timezone", "latitude", "longitude", "balance", "description", "merchant")


@pytest.mark.parametrize(("row", "column", "code"), FAULTS)
def test_a_bad_record_is_rejected_with_its_column_and_code(row: dict[str, Any], column: str, code: str) -> None:
    assert fault(EVERYTHING, row) == (column, code)


def test_five_minutes_ahead_is_a_clock_and_not_a_mistake() -> None:
    assert read(ruleset(), ROW | {"occurred_at": "2025-06-01T00:05:00Z"})[0].ids == ["T1"]


def test_a_record_is_reported_once_for_its_first_field_and_good_ones_stay_in_order() -> None:
    rows = [ROW | {"id": f"T{i}"} for i in range(4)]
    rows[1] |= {"amount": "x", "occurred_at": "y"}
    rows[2] |= {"id": "", "amount": "x"}
    batch, rejected = read(ruleset(), *rows)
    assert (batch.ids, batch.rows) == (["T0", "T3"], [2, 5])
    assert [(entry.line, entry.column, entry.value) for entry in rejected] == [(3, "occurred_at", "y"), (4, "id", "")]


def test_what_the_source_could_not_read_is_rejected_too_in_order_of_lines() -> None:
    block = records(ROW, ROW | {"id": ""})
    block.problems = [Rejected(1, "", "ragged", "the row has 2 fields", f"a,{PAN}," + "x" * 500)]
    _, rejected = Intake(ruleset(), received_at=NOW, tokens=TOKENS).read(block)
    assert [entry.line for entry in rejected] == [1, 3]
    assert rejected[0].value == f"a,{TOKENS.card(PAN)},".ljust(80, "x")


def test_another_currency_is_kept_without_its_amounts() -> None:
    rules = ruleset("currency", "balance")
    rows = [ROW | {"currency": code, "balance": "5"} for code in ("USD", " usd ", "", "EUR", "jpy")]
    rows[4]["amount"] = "1250"
    batch, rejected = read(rules, *rows)
    assert not rejected
    assert batch.columns["amount"] == [1250, 1250, 1250, None, None]
    assert batch.columns["balance"] == [500, 500, 500, None, None]
    assert batch.columns["currency"] == ["USD", " usd ", None, "EUR", "jpy"]
    assert batch.fingerprints[0] != batch.fingerprints[3]


def test_the_amount_of_another_currency_is_part_of_what_was_sent() -> None:
    rows = [ROW | {"currency": "EUR", "amount": amount} for amount in ("1", "2")]
    batch, _ = read(ruleset("currency"), *rows)
    assert batch.fingerprints[0] != batch.fingerprints[1]


def test_a_currency_column_counts_even_where_no_rule_speaks_of_it() -> None:
    batch, rejected = read(ruleset(), ROW | {"currency": "EUR"}, ROW | {"currency": "Taler"})
    assert batch.columns == {"amount": [None]}
    assert [entry.code for entry in rejected] == ["unknown_currency"]


def test_a_currency_column_that_is_something_else_is_left_alone() -> None:
    rules = ruleset("note", note=FieldSpec(name="note", kind="text", column="currency"))
    assert read(rules, ROW | {"currency": "Taler"})[0].columns == {"amount": [1250], "note": ["Taler"]}


def test_a_naive_time_is_read_in_the_zone_of_its_row_or_of_the_ruleset() -> None:
    rules = ruleset("timezone", timezone="Asia/Kolkata")
    naive = ROW | {"occurred_at": "2025-05-20T23:30:00"}
    batch, _ = read(
        rules, naive | {"timezone": ""}, naive | {"timezone": "America/New_York"}, naive | {"timezone": None}
    )
    at = [dt.datetime.fromtimestamp(ms / 1000, dt.UTC).hour for ms in batch.occurred_at]
    assert at == [18, 3, 18]


def test_a_date_is_the_start_of_its_day_and_says_so() -> None:
    batch, _ = read(ruleset(timezone="Asia/Kolkata"), ROW | {"occurred_at": "2025-05-20"}, ROW)
    assert batch.day_only == [True, False]
    assert batch.occurred_at[0] == int(dt.datetime(2025, 5, 19, 18, 30, tzinfo=dt.UTC).timestamp() * 1000)


# Card numbers


def test_card_numbers_leave_at_the_door() -> None:
    rules = ruleset("card", "bin", "description", "account")
    row = ROW | {"card": "4111-1111-1111-1111", "description": f"paid {PAN}", "account": "plain"}
    batch, _ = read(rules, row, ROW | {"card": "token-7", "bin": "999999"}, row | {"bin": "123456"})
    token = TOKENS.card(PAN)
    assert batch.columns["card"] == [token, "token-7", token]
    assert batch.columns["bin"] == ["411111", "999999", "123456"]
    assert batch.columns["description"][0] == f"paid {token}"
    assert PAN not in repr(batch)


def test_the_bin_goes_to_the_right_row_when_others_were_rejected() -> None:
    rules = ruleset("card", "bin")
    batch, _ = read(rules, ROW | {"id": ""}, ROW | {"card": PAN}, ROW | {"amount": ""}, ROW | {"id": "T4"})
    assert batch.columns["bin"] == ["411111", None]


def test_ids_and_keys_are_never_taken_for_card_numbers() -> None:
    batch, _ = read(ruleset("account", "device"), ROW | {"id": PAN, "account": PAN, "device": PAN})
    assert batch.ids == [PAN]
    assert batch.columns["account"] == batch.columns["device"] == [PAN]


def test_a_rejected_value_shows_no_card_number() -> None:
    _, (entry,) = read(ruleset(), ROW | {"amount": f"{PAN} EUR"})
    assert PAN not in entry.value
    assert PAN not in entry.reason


@pytest.mark.parametrize("column", ["cvv", "CVC2", "Track1", "pin_block"])
def test_columns_nobody_may_store_refuse_the_whole_input(column: str) -> None:
    with pytest.raises(UnusableInput, match="remove it from the input"):
        read(ruleset(), ROW | {column: None})
    with pytest.raises(UnusableInput, match="must never be stored"):
        check_columns(ruleset(), ["id", "occurred_at", "amount", column])


# Identity


def test_the_fingerprint_is_of_the_values_and_not_of_how_they_were_written() -> None:
    rules = ruleset("account", "latitude", "opened", opened=FieldSpec(name="opened", kind="boolean", column="opened"))
    text = ROW | {"account": "7", "latitude": "5", "opened": "yes"}
    typed = {
        "opened": True,
        "amount": Decimal("12.5"),
        "id": "T1",
        "account": 7,
        "latitude": 5.0,
        "occurred_at": dt.datetime(2025, 5, 20, 23, 30, tzinfo=dt.UTC),
    }
    (first, second), _ = read(rules, text, typed)[0].fingerprints, None
    assert first == second


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "12.51"},
        {"occurred_at": "2025-05-20T23:30:00.001Z"},
        {"occurred_at": "2025-05-20"},
        {"account": "B"},
        {"account": None},
        {"account": None, "payee": "A"},
        {"description": "A"},
    ],
)
def test_any_other_value_is_another_fingerprint(change: dict[str, Any]) -> None:
    rules = ruleset("account", "payee", "description")
    prints = read(rules, ROW | {"account": "A"}, ROW | {"account": "A"} | change)[0].fingerprints
    assert prints[0] != prints[1]


def test_midnight_and_the_day_are_not_the_same() -> None:
    prints = read(ruleset(), ROW | {"occurred_at": "2025-05-20"}, ROW | {"occurred_at": "2025-05-20T00:00:00Z"})[
        0
    ].fingerprints
    assert prints[0] != prints[1]


def test_the_fingerprint_does_not_depend_on_neighbours_order_of_fields_or_time_of_arrival() -> None:
    row = ROW | {"account": "A"}
    alone = read(ruleset("account"), row)[0].fingerprints[0]
    assert read(ruleset("account"), row, ROW)[0].fingerprints[0] == alone
    assert read(ruleset("device", "account"), row)[0].fingerprints[0] == alone
    assert read(ruleset("account"), row, received_at=NOW + 1)[0].fingerprints[0] == alone
    assert read(ruleset("account"), row | {"id": "other"})[0].fingerprints[0] == alone


def test_coordinates_of_the_city_table_are_no_part_of_it() -> None:
    located = FieldSpec(name="location", kind="text", column="location", geocode="city")
    row = ROW | {"location": "Delhi"}
    with_place = read(ruleset("location", "latitude", "longitude", location=located), row)[0]
    without = read(ruleset("location"), row)[0]
    assert with_place.fingerprints == without.fingerprints
    assert with_place.columns["latitude"] != [None]


def test_generated_ids_by_row_sort_as_the_rows_do() -> None:
    rules = ruleset(id=FieldSpec(name="id", kind="text", column="id", generate="row"))
    batch, _ = read(rules, {k: v for k, v in ROW.items() if k != "id"}, ROW | {"amount": "x"}, ROW, file_sha="ab12")
    assert batch.ids == ["ab12:000000000002", "ab12:000000000004"]


def test_generated_ids_by_content_tell_identical_rows_apart_across_blocks() -> None:
    rules = ruleset(id=FieldSpec(name="id", kind="text", column="id", generate="content"))
    intake = Intake(rules, received_at=NOW, tokens=TOKENS)
    first, _ = intake.read(records(ROW, ROW | {"amount": "1"}, ROW))
    second, _ = intake.read(records(ROW))
    prints = [fingerprint.hex() for fingerprint in first.fingerprints]
    assert first.ids == [f"{prints[0]}:1", f"{prints[1]}:1", f"{prints[0]}:2"]
    assert second.ids == [f"{prints[0]}:3"]
    assert read(rules, ROW)[0].ids == [f"{prints[0]}:1"]


# Cities


def test_a_city_adds_coordinates_where_there_are_none() -> None:
    located = FieldSpec(name="location", kind="text", column="location", geocode="city")
    rules = ruleset("location", "latitude", "longitude", location=located)
    rows = [
        ROW | {"location": "delhi"},
        ROW | {"location": "Atlantis"},
        ROW | {"location": "delhi", "latitude": "1", "longitude": "2"},
        ROW | {"location": None},
    ]
    batch, _ = read(rules, *rows)
    assert [latitude and round(latitude) for latitude in batch.columns["latitude"]] == [29, None, 1, None]
    assert [longitude and round(longitude) for longitude in batch.columns["longitude"]] == [77, None, 2, None]


# Columns


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            ["id", "occurred_at", "Amount"],
            "The column 'amount' is missing, which the field amount is read from. "
            "The input has 'Amount': if that is it, declare `amount: {from: Amount}` "
            "in your own copy of the ruleset (fraudline rules show NAME --format yaml prints it). "
            "Its columns are 'id', 'occurred_at', 'Amount'.",
        ),
        (
            ["id", "when", "amount"],
            "The column 'occurred_at' is missing, which the field occurred_at is read from. "
            "Its columns are 'id', 'when', 'amount'.",
        ),
        (["id", "id", "occurred_at", "amount"], "two columns are called 'id'; rename one of them in the header"),
    ],
)
def test_columns_that_cannot_be_used(columns: list[str], sentence: str) -> None:
    with pytest.raises(UnusableInput) as caught:
        check_columns(ruleset("account"), columns)
    assert str(caught.value) == sentence


def test_columns_that_can_be_used() -> None:
    rules = ruleset("account", amount=FieldSpec(name="amount", kind="money", column="Betrag"))
    check_columns(rules, ["Betrag", "", "id", "", "occurred_at", "more"])
    assert required_columns(rules) == ("id", "occurred_at", "Betrag")
    assert wanted_columns(rules) == ("id", "occurred_at", "Betrag", "account", "currency")
    assert absent_columns(rules, ["id", "occurred_at", "Betrag"]) == ()  # no rule asks for the account
    asking = msgspec.structs.replace(rules, rules=(Rule(id="r", when='account == "A1"'),))
    assert absent_columns(asking, ["id", "occurred_at", "Betrag"]) == ("account",)
    generated = ruleset(id=FieldSpec(name="id", kind="text", column="id", generate="row"))
    check_columns(generated, ["occurred_at", "amount"])


def test_a_format_that_means_something_else_elsewhere_is_refused() -> None:
    rules = ruleset(occurred_at=FieldSpec(name="occurred_at", kind="time", column="occurred_at", format="%c"))
    with pytest.raises(UnusableInput, match="field occurred_at: the format '%c' %c means what the computer's settings"):
        read(rules, ROW)


def test_the_example_in_the_documentation_is_true() -> None:
    assert doctest.testmod(intake_module).failed == 0


# Laws

VALUES = st.sampled_from(
    ["", "1", "12.50", "x", "EUR", "2025-05-20", "2025-05-20T10:00:00", "Europe/Berlin", PAN, None]
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "id": VALUES,
                "amount": VALUES | st.just("5"),
                "occurred_at": VALUES,
                "currency": VALUES,
                "timezone": VALUES,
                "card": VALUES,
                "balance": VALUES,
                "description": VALUES,
            },
        ),
        max_size=40,
    ),
    st.integers(1, 7),
)
def test_block_size_never_matters_and_every_record_has_one_ending(changes: list[dict[str, Any]], size: int) -> None:
    rules = ruleset("currency", "timezone", "card", "bin", "balance", "description")
    rows = [ROW | change for change in changes]
    intake = Intake(rules, received_at=NOW, tokens=TOKENS)
    whole, rejected = intake.read(records(*rows))
    assert sorted(whole.rows + [entry.line for entry in rejected]) == list(range(2, 2 + len(rows)))
    pieces, others = [], []
    for start in range(0, len(rows), size):
        block = records(*rows[start : start + size])
        block.lines = list(range(2 + start, 2 + start + len(block)))
        batch, bad = intake.read(block)
        pieces += [(batch.row(i), batch.fingerprints[i]) for i in range(len(batch))]
        others += bad
    assert pieces == [(whole.row(i), whole.fingerprints[i]) for i in range(len(whole))]
    assert others == rejected
