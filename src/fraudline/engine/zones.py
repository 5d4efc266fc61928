"""Time zones from the tzdata package alone, never from the operating system: every host reads the same clocks.

Instants are UTC milliseconds; a *local* time is a wall clock written as if it were UTC milliseconds. Offsets are
looked up once per quarter of an hour, the grid on which today's transitions lie; a quarter that holds a transition is
worked out instant by instant, so the answers are exact on the odd seconds of older clocks too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from typing import Final, Literal
from zoneinfo import ZoneInfo

import tzdata  # type: ignore[import-untyped]  # it carries data and no types

Period = Literal["day", "week", "month"]

QUARTER_MS: Final = 900_000
DAY_MS: Final = 86_400_000
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # wall clocks are naive on purpose
_EPOCH_DAY: Final = _EPOCH.toordinal()
_CACHED_QUARTERS_MAX: Final = 200_000
# Python's calendar ends on both sides; the last days of it have no transitions, so their neighbours answer for them.
_FIRST_MS: Final = (2 - _EPOCH_DAY) * DAY_MS
_LAST_MS: Final = (date.max.toordinal() - 2 - _EPOCH_DAY) * DAY_MS


class _Clock:
    """One time zone and what was looked up in it."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.fixed: int | None = 0 if zone.key in {"UTC", "Etc/UTC"} else None
        self._offsets: dict[int, int | None] = {}
        self._local_offsets: dict[int, int | None] = {}

    def exact_offset(self, instant_ms: int) -> int:
        """How far local time is ahead of UTC at this instant, in milliseconds."""
        instant = datetime.fromtimestamp(min(max(instant_ms, _FIRST_MS), _LAST_MS) // 1000, UTC)
        return _milliseconds(instant.astimezone(self.zone).utcoffset())

    def offset(self, instant_ms: int) -> int:
        """The same, remembered per quarter of an hour."""
        quarter = instant_ms // QUARTER_MS
        known = self._offsets.get(quarter, -1)
        if known == -1:
            first = self.exact_offset(quarter * QUARTER_MS)
            last = self.exact_offset(quarter * QUARTER_MS + QUARTER_MS - 1)
            known = _remember(self._offsets, quarter, first if first == last else None)
        return self.exact_offset(instant_ms) if known is None else known

    def exact_utc(self, local_ms: int) -> int | None:
        """The first instant at which the wall clock reads this; None where it never does."""
        wall = _EPOCH + timedelta(milliseconds=min(max(local_ms, _FIRST_MS), _LAST_MS))
        instant = local_ms - _milliseconds(wall.replace(tzinfo=self.zone).utcoffset())
        return instant if instant + self.exact_offset(instant) == local_ms else None

    def utc(self, local_ms: int) -> int | None:
        """The same, remembered per quarter of an hour."""
        quarter = local_ms // QUARTER_MS
        known = self._local_offsets.get(quarter, -1)
        if known == -1:
            first, last = self.exact_utc(quarter * QUARTER_MS), self.exact_utc(quarter * QUARTER_MS + QUARTER_MS - 1)
            constant = first is not None and last is not None and last - first == QUARTER_MS - 1
            offset = quarter * QUARTER_MS - first if constant and first is not None else None
            known = _remember(self._local_offsets, quarter, offset)
        return self.exact_utc(local_ms) if known is None else local_ms - known


def _remember(cache: dict[int, int | None], quarter: int, offset: int | None) -> int | None:
    if len(cache) >= _CACHED_QUARTERS_MAX:
        cache.clear()
    cache[quarter] = offset
    return offset


def _milliseconds(offset: timedelta | None) -> int:
    return 0 if offset is None else (offset.days * 86_400 + offset.seconds) * 1000


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """Every zone the tzdata package has."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@lru_cache(maxsize=1024)
def _clock(name: str) -> _Clock:
    if not known(name):
        raise ValueError(_unknown(name))
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return _Clock(ZoneInfo.from_file(file, key=name))


def _unknown(name: str) -> str:
    if name[:1] in {"+", "-"} or name[:3].upper() in {"UTC", "GMT"}:
        return f"{name!r} is an offset, not a time zone; name a place, such as 'Asia/Kolkata', or 'UTC'"
    by_lower = {known_name.lower(): known_name for known_name in names()}
    close = get_close_matches(name.lower(), by_lower, n=1)
    return f"unknown time zone {name!r}" + (f", did you mean {by_lower[close[0]]!r}?" if close else "")


def known(name: str) -> bool:
    """True for the name of a zone that tzdata has. Names are case-sensitive."""
    return name in names()


def zone(name: str) -> ZoneInfo:
    """The zone of this name.

    Raises ValueError, with a sentence, where tzdata has none.
    """
    return _clock(name).zone


def offset_ms(instant_ms: int, zone: str | ZoneInfo) -> int:
    """How far the wall clock of a zone is ahead of UTC at an instant."""
    return _clock(_name(zone)).offset(instant_ms)


def local_ms(instants: Sequence[int], zones: str | Sequence[str | None], default: str) -> list[int]:
    """What the wall clock reads at each instant, as if it were UTC milliseconds.

    `zones` is one zone for all, or one for each instant; None, and the empty string, mean `default`.
    """
    if isinstance(zones, str):
        return _local_of(instants, _clock(zones or default))
    distinct = set(zones)
    if len(distinct) == 1:
        return _local_of(instants, _clock(distinct.pop() or default))
    clocks = {name: _clock(name or default) for name in distinct}
    return [at + clocks[name].offset(at) for at, name in zip(instants, zones, strict=True)]


def _local_of(instants: Iterable[int], clock: _Clock) -> list[int]:
    if clock.fixed == 0:
        return list(instants)
    offset = clock.offset
    return [at + offset(at) for at in instants]


def utc_ms(naive: datetime, zone: str | ZoneInfo) -> int | None:
    """The instant a wall clock without offset means in a zone, cut to milliseconds.

    None where the clock skipped that time; where it showed it twice, the first of the two.
    """
    return utc_of_local(naive_ms(naive), _name(zone))


def utc_of_local(local: int, zone: str) -> int | None:
    """`utc_ms` for a wall clock given as if it were UTC milliseconds."""
    clock = _clock(zone)
    return local if clock.fixed == 0 else clock.utc(local)


def utc_of_locals(locals_: Sequence[int], zones: str | Sequence[str | None], default: str) -> list[int | None]:
    """`utc_of_local` for many wall clocks. `zones` as in `local_ms`."""
    if isinstance(zones, str) or len(set(zones)) == 1:
        clock = _clock((zones if isinstance(zones, str) else zones[0]) or default)
        if clock.fixed == 0:
            return list(locals_)
        utc = clock.utc
        return [utc(local) for local in locals_]
    return [utc_of_local(local, name or default) for local, name in zip(locals_, zones, strict=True)]


def naive_ms(naive: datetime) -> int:
    """A wall clock as if it were UTC milliseconds."""
    since = naive - _EPOCH
    return since.days * DAY_MS + since.seconds * 1000 + since.microseconds // 1000


def start_of_day(day: int, zone: str) -> int:
    """The first instant of a day of the zone's calendar, the day counted from 1970-01-01."""
    return _start_of_day(day, zone)


def period_start_ms(instant_ms: int, zone_name: str, period: Period) -> int:
    """When the day, the week (from Monday) or the month that holds this instant began in a zone."""
    day = (instant_ms + _clock(zone_name).offset(instant_ms)) // DAY_MS
    if period == "week":
        day -= (day + 3) % 7
    elif period == "month":
        day -= (_EPOCH + timedelta(days=day)).day - 1
    return _start_of_day(day, zone_name)


@lru_cache(maxsize=8192)
def _start_of_day(day: int, name: str) -> int:
    clock = _clock(name)
    midnight = day * DAY_MS
    exact = midnight if clock.fixed == 0 else clock.exact_utc(midnight)
    return _first_after_gap(midnight, clock) if exact is None else exact


def _first_after_gap(local: int, clock: _Clock) -> int:
    """The first instant whose wall clock is past a local time that was skipped: a search between the two offsets."""
    before, after = local - DAY_MS * 2, local + DAY_MS * 2
    while after - before > 1:
        middle = (before + after) // 2
        if middle + clock.exact_offset(middle) >= local:
            after = middle
        else:
            before = middle
    return after


def tz_version() -> str:
    """Which release of the time zone data answers, for a decision's `versions`."""
    return f"tzdata {tzdata.IANA_VERSION}"


def _name(zone: str | ZoneInfo) -> str:
    return zone if isinstance(zone, str) else zone.key
