"""Wall clocks come from tzdata, exactly, through gaps, repeats and clocks with odd seconds."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraudline.engine import zones

KOLKATA = "Asia/Kolkata"
SAMPLE = (
    "UTC",
    KOLKATA,
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Asuncion",
)
# From 1900, so that local mean times and one-minute transitions are among them, to long after the last known rule.
INSTANTS = st.integers(-2_208_988_800_000, 7_258_118_400_000)


def ms(text: str) -> int:
    at = datetime.fromisoformat(text)
    return zones.naive_ms(at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at)


def transitions(name: str) -> list[int]:
    """The explicit transition times of a zone file, in seconds, read from its second block."""
    data = resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).read_bytes()
    counts = struct.unpack(">6l", data[20:44])
    isutc, isstd, leap, times, types, chars = counts
    second = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isutc
    times = struct.unpack(">6l", data[second + 20 : second + 44])[3]
    return list(struct.unpack(f">{times}q", data[second + 44 : second + 44 + 8 * times]))


def reference(instant: int, name: str) -> int:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant)
    offset = at.astimezone(zones.zone(name)).utcoffset()
    assert offset is not None
    return int(offset.total_seconds() * 1000)


@given(INSTANTS, st.sampled_from(SAMPLE))
def test_offsets_are_those_of_the_zone(instant: int, name: str) -> None:
    assert zones.offset_ms(instant, name) == reference(instant, name)


@pytest.mark.parametrize("name", SAMPLE[1:])
def test_offsets_are_exact_around_every_transition(name: str) -> None:
    for second in transitions(name):
        if second < -5_000_000_000:
            continue
        for at in (second * 1000 - 1, second * 1000, second * 1000 + 1, second * 1000 - 60_000, second * 1000 + 60_000):
            offset = zones.offset_ms(at, name)
            assert offset == reference(at, name)
            back = zones.utc_of_local(at + offset, name)
            assert back is not None
            assert back <= at
            assert back + reference(back, name) == at + offset


def test_no_quarter_of_an_hour_holds_two_transitions() -> None:
    """What lets one look-up at each end of a quarter speak for all of it."""
    for name in zones.names():
        quarters = [second // 900 for second in transitions(name)]
        assert len(quarters) == len(set(quarters)), name


@pytest.mark.parametrize(
    ("local", "name", "utc"),
    [
        ("2025-05-20T23:30:00", KOLKATA, "2025-05-20T18:00:00"),
        ("2025-05-20T23:30:00", "UTC", "2025-05-20T23:30:00"),
        ("2025-03-30T02:30:00", "Europe/Berlin", None),
        ("2025-03-30T03:00:00", "Europe/Berlin", "2025-03-30T01:00:00"),
        ("2025-03-30T01:59:59.999", "Europe/Berlin", "2025-03-30T00:59:59.999"),
        ("2025-10-26T02:30:00", "Europe/Berlin", "2025-10-26T00:30:00"),
        ("2011-12-30T12:00:00", "Pacific/Apia", None),
        ("9999-12-31T00:00:00", "America/New_York", "9999-12-31T05:00:00"),
    ],
)
def test_local_times_become_instants(local: str, name: str, utc: str | None) -> None:
    instant = zones.utc_ms(datetime.fromisoformat(local), zones.zone(name))
    assert instant == (ms(utc) if utc else None)


def test_local_ms_reads_one_zone_or_one_for_each() -> None:
    at = ms("2025-05-20T18:00:00")
    assert zones.local_ms([at], KOLKATA, "UTC") == [ms("2025-05-20T23:30:00")]
    assert zones.local_ms([at, at, at], [KOLKATA, None, ""], "UTC") == [ms("2025-05-20T23:30:00"), at, at]
    assert zones.local_ms([at, at], [None, None], KOLKATA) == [ms("2025-05-20T23:30:00")] * 2
    assert zones.local_ms([], [], "UTC") == []


def test_the_last_moment_of_the_calendar_has_an_instant() -> None:
    last = ms("9999-12-31T23:59:59.999")
    assert zones.utc_of_local(last, "America/New_York") == last + 5 * 3_600_000
    assert zones.offset_ms(last + 5 * 3_600_000, "America/New_York") == -5 * 3_600_000


@pytest.mark.parametrize(
    ("at", "name", "period", "start"),
    [
        ("2025-05-20T18:00:00", KOLKATA, "day", "2025-05-19T18:30:00"),
        ("2025-05-20T18:29:59.999", KOLKATA, "day", "2025-05-19T18:30:00"),
        ("2025-05-20T18:30:00", KOLKATA, "day", "2025-05-20T18:30:00"),
        ("2025-05-20T12:00:00", "UTC", "week", "2025-05-19T00:00:00"),
        ("2025-05-19T00:00:00", "UTC", "week", "2025-05-19T00:00:00"),
        ("2025-05-18T23:59:59", "UTC", "week", "2025-05-12T00:00:00"),
        ("2025-03-31T12:00:00", "Europe/Berlin", "month", "2025-02-28T23:00:00"),
        ("1969-12-31T23:00:00", "UTC", "week", "1969-12-29T00:00:00"),
        # Midnight did not exist: Asuncion went from 23:59:59 on the fifth to 01:00 on the sixth.
        ("2024-10-06T12:00:00", "America/Asuncion", "day", "2024-10-06T04:00:00"),
        # Midnight came twice in Havana: the first one counts.
        ("2024-11-03T12:00:00", "America/Havana", "day", "2024-11-03T04:00:00"),
        # A day, and with it a midnight, was skipped: the week still starts on its Monday.
        ("2011-12-30T22:00:00", "Pacific/Apia", "week", "2011-12-26T10:00:00"),
    ],
)
def test_periods_start_at_local_midnight(at: str, name: str, period: zones.Period, start: str) -> None:
    assert zones.period_start_ms(ms(at), name, period) == ms(start)


@given(INSTANTS, st.sampled_from(SAMPLE), st.sampled_from(["day", "week", "month"]))
def test_a_period_holds_the_instant_and_starts_its_own_day(instant: int, name: str, period: zones.Period) -> None:
    start = zones.period_start_ms(instant, name, period)
    assert start <= instant
    assert zones.period_start_ms(start, name, "day") == start
    local, opened = instant + zones.offset_ms(instant, name), start + zones.offset_ms(start, name)
    assert opened // zones.DAY_MS <= local // zones.DAY_MS
    before = (start - 1 + zones.offset_ms(start - 1, name)) // zones.DAY_MS
    assert before < opened // zones.DAY_MS


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Asia/Calcuta", "unknown time zone 'Asia/Calcuta', did you mean 'Asia/Calcutta'?"),
        ("europe/berlin", "unknown time zone 'europe/berlin', did you mean 'Europe/Berlin'?"),
        ("+05:30", "'+05:30' is an offset, not a time zone; name a place, such as 'Asia/Kolkata', or 'UTC'"),
        ("UTC+2", "'UTC+2' is an offset, not a time zone; name a place, such as 'Asia/Kolkata', or 'UTC'"),
        ("../../etc/passwd", "unknown time zone '../../etc/passwd'"),
        ("", "unknown time zone ''"),
    ],
)
def test_unknown_zones_get_a_sentence(name: str, sentence: str) -> None:
    assert not zones.known(name)
    with pytest.raises(ValueError) as caught:
        zones.zone(name)
    assert str(caught.value) == sentence


def test_every_zone_loads_and_the_release_is_named() -> None:
    assert all(zones.zone(name).key == name for name in zones.names())
    assert zones.tz_version().startswith("tzdata 20")
