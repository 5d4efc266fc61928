"""Times are read exactly and strictly, alone and as a whole column, and the order of day and month is never guessed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraudline.domain.ruleset import FieldSpec
from fraudline.engine.moments import Clockwork, formats_of, unusable_format
from fraudline.engine.values import WHOLE_COLUMN_MIN


def ms(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).timestamp() * 1000)


def clockwork(zone: str = "UTC", format: str | None = None) -> Clockwork:  # noqa: A002  # the ruleset's word
    return Clockwork(FieldSpec(name="occurred_at", kind="time", column="when", format=format), zone)


def one(value: Any, zone: str = "UTC", format: str | None = None, named: str | None = None) -> Any:  # noqa: A002  # the ruleset's word
    times = clockwork(zone, format).column([value], [named] if named else None)
    return times.faults.get(0) or (times.instants[0], times.day_only[0])


BASE = ms("2025-05-20T23:30:00+00:00")
ISO: list[tuple[str, int]] = [
    ("2025-05-20T23:30:00Z", BASE),
    ("2025-05-20T23:30:00z", BASE),
    ("2025-05-20 23:30:00Z", BASE),
    ("2025-05-20 23:30:00 UTC", BASE),
    ("2025-05-20T23:30Z", BASE),
    ("2025-05-20T23:30:00.5Z", BASE + 500),
    ("2025-05-20T23:30:00,123Z", BASE + 123),
    ("2025-05-20T23:30:00.123999Z", BASE + 123),
    ("2025-05-20T23:30:00.123456789Z", BASE + 123),
    ("2025-05-21T05:00:00+05:30", BASE),
    ("2025-05-21T05:00:00+0530", BASE),
    ("2025-05-21 05:00:00 +05:30", BASE),
    ("2025-05-20 19:30:00-04", BASE),
    ("2025-05-20T19:30:00.250-04:00", BASE + 250),
    ("2025-05-20T23:30:00", BASE),
]


@pytest.mark.parametrize(("text", "instant"), ISO)
@pytest.mark.parametrize("count", [1, WHOLE_COLUMN_MIN])
def test_iso_8601_in_its_variants(text: str, instant: int, count: int) -> None:
    times = clockwork().column([text] * count, None)
    assert times.instants == [instant] * count
    assert times.day_only == [False] * count
    assert not times.faults


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("12/05/2025", "ambiguous_date"),
        ("5.12.25 10:00:00", "ambiguous_date"),
        ("1747783800", "not_a_time"),
        ("2025-13-01", "not_a_time"),
        ("2025-02-29", "not_a_time"),
        ("2025-05-20T24:00:00Z", "not_a_time"),
        ("2025-05-20T23:60:00Z", "not_a_time"),
        ("2025-05-20T23:59:60Z", "not_a_time"),
        ("2025-05-20T23:30:00+16:00", "not_a_time"),
        ("20250520T233000Z", "not_a_time"),
        ("2025-5-20", "not_a_time"),
        ("٢٠٢٥-05-20", "not_a_time"),
        (" 2025-05-20", "not_a_time"),
        ("2025-05-20T23:30:00.1234567890Z", "not_a_time"),
        ("yesterday", "not_a_time"),
        ("1899-12-31T23:59:59Z", "out_of_range"),
        ("0000-01-01", "not_a_time"),
        (1747783800, "not_a_time"),
        (True, "not_a_time"),
        ([1], "nested"),
    ],
)
@pytest.mark.parametrize("count", [1, WHOLE_COLUMN_MIN])
def test_what_is_no_time(text: Any, code: str, count: int) -> None:
    times = clockwork().column(["2025-05-20T23:30:00Z"] * count + [text], None)
    assert {place: fault[0] for place, fault in times.faults.items()} == {count: code}
    assert times.instants == [BASE] * count + [None]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            "12/05/2025",
            'could be day or month first; declare `occurred_at: {from: when, format: "%d/%m/%Y"}` '
            'or `occurred_at: {from: when, format: "%m/%d/%Y"}`',
        ),
        (
            "12.05.25 10:00:00",
            'could be day or month first; declare `occurred_at: {from: when, format: "%d.%m.%y %H:%M:%S"}` '
            'or `occurred_at: {from: when, format: "%m.%d.%y %H:%M:%S"}`',
        ),
        (
            "25/06/2025 10:00",
            'has the day first, as 25 is no month; declare `occurred_at: {from: when, format: "%d/%m/%Y %H:%M"}`',
        ),
        (
            "06-25-25",
            'has the month first, as 25 is no month; declare `occurred_at: {from: when, format: "%m-%d-%y"}`',
        ),
        (
            "2025/06/25T10:00:00",
            'is not written as ISO 8601 has it; declare `occurred_at: {from: when, format: "%Y/%m/%dT%H:%M:%S"}`',
        ),
        (
            "1747783800",
            'is a number; if it counts from 1970, declare `occurred_at: {from: when, format: "epoch_s"}`',
        ),
        (
            1747783800000,
            'is a number; if it counts from 1970, declare `occurred_at: {from: when, format: "epoch_ms"}`',
        ),
    ],
)
def test_the_line_that_would_accept_it_is_printed(value: Any, said: str) -> None:
    assert one(value)[1] == said


@pytest.mark.parametrize("date_", ["25/06/2025", "25.6.25", "06-25-2025", "2025/06/25", "2025.6.25", "20250625"])
@pytest.mark.parametrize(
    "clock",
    ["", " 10:00", " 9:05:30", ", 10.00", "T10:00:00.25", " 10:00 PM", " 10:00:00pm", " 10:00:00 +0200", "T10:00Z"],
)
def test_the_format_that_is_suggested_reads_the_text(date_: str, clock: str) -> None:
    (suggested,) = formats_of(date_ + clock)
    instant, day_only = one(date_ + clock, format=suggested)
    assert (instant // 86_400_000, day_only) == (ms("2025-06-25T00:00:00+00:00") // 86_400_000, clock == "")


def test_nothing_is_suggested_where_nothing_fits() -> None:
    for text in ("25/06-2025", "32/13/2025", "25/06/2025 ten", "25/06/2025 25:00", "99999999", "1/2/345"):
        assert formats_of(text) == []


@pytest.mark.parametrize(
    ("value", "pattern", "found"),
    [
        ("12/05/2025", "%d/%m/%Y", (ms("2025-05-12T00:00:00+00:00"), True)),
        ("05/12/2025 1:30 PM", "%m/%d/%Y %I:%M %p", (ms("2025-05-12T13:30:00+00:00"), False)),
        ("12/05/2025 10:00 +0530", "%d/%m/%Y %H:%M %z", (ms("2025-05-12T04:30:00+00:00"), False)),
        ("1747783800", "epoch_s", (BASE, False)),
        ("1747783800.5", "epoch_s", (BASE + 500, False)),
        (1747783800, "epoch_s", (BASE, False)),
        (Decimal("1747783800.25"), "epoch_s", (BASE + 250, False)),
        (1747783800000, "epoch_ms", (BASE, False)),
        ("-1", "epoch_s", (-1000, False)),
        (
            "13/06/2025 10:00",
            "%d/%m/%Y",
            ("not_a_time", 'is not written as the ruleset declares, %d/%m/%Y; format: "%d/%m/%Y %H:%M" would read it'),
        ),
        (
            "12/06/2025",
            "%m/%d/%y",
            ("not_a_time", 'is not written as the ruleset declares, %m/%d/%y; format: "%m/%d/%Y" would read it'),
        ),
        ("13/13/2025", "%d/%m/%Y", ("not_a_time", "is not written as the ruleset declares, %d/%m/%Y")),
        ("١٢/05/2025", "%d/%m/%Y", ("digits", "is written in digits other than 0 to 9")),
        (10**30, "epoch_s", ("not_a_time", "is no time such as 2025-05-20T23:30:00Z")),
        (10**15, "epoch_s", ("out_of_range", "is before 1900 or after 9999")),
    ],
)
def test_declared_formats(value: Any, pattern: str, found: Any) -> None:
    assert one(value, format=pattern) == found


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("%d/%m/%Y", None),
        ("epoch_s", None),
        ("%d/%m", "a format needs the year, %Y or %y"),
        ("%d/%m/%Y %Z", "%Z means what the computer's settings say; write the format out"),
        ("%c %Y", "%c means what the computer's settings say; write the format out"),
        ("%Y-%Q", "'Q' is a bad directive in format '%Y-%Q'"),
        ("%Y %", "stray %"),
        ("%Y %Y", "names one directive twice"),
    ],
)
def test_formats_that_cannot_be_used(pattern: str, said: str | None) -> None:
    found = unusable_format(pattern)
    assert found == said or (said is not None and found is not None and found.startswith(said))


@pytest.mark.parametrize(
    ("value", "zone", "named", "found"),
    [
        ("2025-05-20T23:30:00", "Asia/Kolkata", None, (ms("2025-05-20T18:00:00+00:00"), False)),
        ("2025-05-20T23:30:00", "UTC", "Asia/Kolkata", (ms("2025-05-20T18:00:00+00:00"), False)),
        ("2025-05-20T23:30:00Z", "Asia/Kolkata", None, (BASE, False)),
        ("2025-05-20", "Asia/Kolkata", None, (ms("2025-05-19T18:30:00+00:00"), True)),
        ("2024-10-06", "America/Asuncion", None, (ms("2024-10-06T04:00:00+00:00"), True)),
        (
            "2025-03-30T02:30:00",
            "Europe/Berlin",
            None,
            ("nonexistent_time", "is a local time that the clocks skipped in Europe/Berlin"),
        ),
        ("2025-10-26T02:30:00", "Europe/Berlin", None, (ms("2025-10-26T00:30:00+00:00"), False)),
        (dt.datetime(2025, 5, 20, 23, 30), "Asia/Kolkata", None, (ms("2025-05-20T18:00:00+00:00"), False)),  # noqa: DTZ001  # naive as in Parquet
        (dt.datetime(2025, 5, 20, 23, 30, tzinfo=dt.UTC), "Asia/Kolkata", None, (BASE, False)),
        (dt.date(2025, 5, 20), "Asia/Kolkata", None, (ms("2025-05-19T18:30:00+00:00"), True)),
    ],
)
@pytest.mark.parametrize("count", [1, WHOLE_COLUMN_MIN])
def test_times_without_offset_are_read_in_their_zone(
    value: Any, zone: str, named: str | None, found: Any, count: int
) -> None:
    times = clockwork(zone).column([value] * count, [named] * count if named else None)
    assert {times.faults.get(i) or (times.instants[i], times.day_only[i]) for i in range(count)} == {found}


SHAPES = st.sampled_from(
    [
        "%Y-%m-%d",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%SZ",
        "%Y-%m-%dT%H:%M:%S.%f",
        "%Y-%m-%dT%H:%M:%S+05:30",
        "%Y-%m-%dT%H:%M:%S-0345",
    ]
)


@given(
    st.lists(st.datetimes(dt.datetime(1850, 1, 1), dt.datetime(2250, 1, 1)), min_size=1, max_size=4),  # noqa: DTZ001  # they become texts
    SHAPES,
    st.sampled_from(["UTC", "Europe/Berlin"]),
    st.text("0123456789T:-Z ", max_size=20),
    st.booleans(),
)
def test_a_whole_column_says_what_its_values_say(
    times: list[dt.datetime], shape: str, zone: str, noise: str, noisy: bool
) -> None:
    values = [at.strftime(shape).rjust(len(at.strftime(shape)), "0") for at in times] * WHOLE_COLUMN_MIN
    if noisy:
        values[1] = (noise + values[1])[-len(values[1]) :] if noise else values[1]
    found = clockwork(zone).column(values, None)
    singles = [one(value, zone) for value in values]
    together = [found.faults.get(i) or (found.instants[i], found.day_only[i]) for i in range(len(values))]
    assert together == singles
