"""One column of raw times -> UTC milliseconds: ISO 8601, a declared format, or the datetimes of Parquet.

Read is what says its own order: `2025-05-20`, `2025-05-20T23:30`, with seconds, with a fraction (cut to milliseconds),
with `Z`, ` UTC` or an offset such as `+05:30`, `+0530`, `+05`; a space may stand for the T. Whatever else there is
needs a `format:` in the ruleset, a strptime pattern, `epoch_s` or `epoch_ms`. The order of day and month is never
guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np

from fraudline.domain.ruleset import FieldSpec
from fraudline.engine import zones
from fraudline.engine.values import WHOLE_COLUMN_MIN, Fault, Faults, declaration

YEAR_MIN: Final = 1900
_ISO: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?( UTC|[Zz]| ?[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_DATE: Final = re.compile(  # 25/06/2025, 25.6.25, 2025/06/25, 20250625, and the rest of it
    r"(?:(?P<first>[0-9]{1,2})(?P<mark>[/.-])(?P<second>[0-9]{1,2})(?P=mark)(?P<year>[0-9]{4}|[0-9]{2})"
    r"|[0-9]{4}(?P<between>[/.-]?)[0-9]{1,2}(?P=between)[0-9]{1,2})(?P<rest>(?![0-9]).*)?"
)
_TIME_OF_DAY: Final = re.compile(
    r"(?P<gap>,? |T)[0-9]{1,2}(?P<mark>[:.])[0-9]{2}(?P<second>(?P=mark)[0-9]{2})?(?P<fraction>\.[0-9]{1,6})?"
    r"(?P<half> ?[AaPp][Mm])?(?P<offset> ?(?:Z|[+-][0-9]{2}:?[0-9]{2}))?"
)
_EPOCH_NUMBER: Final = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,9})?")
_CLOCK_DIRECTIVES: Final = ("%H", "%I")
_YEAR_DIRECTIVES: Final = ("%Y", "%y", "%G")
_HOST_DIRECTIVES: Final = ("%Z", "%c", "%x", "%X")  # these mean what the host's settings say
_FIRST_MS: Final = (date(YEAR_MIN, 1, 1).toordinal() - date(1970, 1, 1).toordinal()) * zones.DAY_MS
_LAST_MS: Final = (date(9999, 12, 31).toordinal() + 1 - date(1970, 1, 1).toordinal()) * zones.DAY_MS - 1
_DAYS_BEFORE_MONTH: Final = np.array([0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334], dtype=np.int64)
_DAYS_OF_MONTH: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)

NOT_A_TIME: Final[Fault] = ("not_a_time", "is no time such as 2025-05-20T23:30:00Z")
NO_SUCH_DATE: Final[Fault] = ("not_a_time", "is a day or time that no calendar or clock has")
NONEXISTENT: Final[Fault] = ("nonexistent_time", "is a local time that the clocks skipped")
OUT_OF_RANGE: Final[Fault] = ("out_of_range", f"is before {YEAR_MIN} or after 9999")

# What one text or datetime says: the wall clock as UTC milliseconds, whether that is UTC already, whether it is a day.
Wall = tuple[int, bool, bool]


def unusable_format(pattern: str) -> str | None:
    """What is wrong with a declared `format:`, or None. `engine.check` asks, and so does `engine.intake`."""
    if pattern in {"epoch_s", "epoch_ms"}:
        return None
    for directive in _HOST_DIRECTIVES:
        if directive in pattern:
            return f"{directive} means what the computer's settings say; write the format out"
    if not any(directive in pattern for directive in _YEAR_DIRECTIVES):
        return "a format needs the year, %Y or %y"
    try:
        datetime.strptime("", pattern)  # noqa: DTZ007  # asked only whether the pattern is one
    except ValueError as error:
        return str(error) if "bad directive" in str(error) or "stray" in str(error) else None
    except re.error:
        return "names one directive twice"
    return None


@dataclass(frozen=True, slots=True)
class Times:
    """What a column of times became; all three lists have its length."""

    instants: list[int | None]
    day_only: list[bool]
    faults: Faults


@dataclass(frozen=True, slots=True)
class Clockwork:
    """Reads the times of one field; `zone` is where times without offset are read."""

    spec: FieldSpec
    zone: str

    def column(self, values: list[Any], zone_of: Sequence[str | None] | None) -> Times:
        """The instants of these values. `zone_of` names the zone of each where the transactions carry one."""
        count = len(values)
        if count >= WHOLE_COLUMN_MIN and self.spec.format is None and set(map(type, values)) == {str}:
            found = _column_of_one_shape(values)
            if found is not None:
                return self._resolve(found[0], [found[1]] * count, [found[2]] * count, {}, zone_of)
        if count >= WHOLE_COLUMN_MIN and _naive(values):
            local = np.array(values, dtype="datetime64[ms]").astype(np.int64).tolist()
            return self._resolve(local, [False] * count, [False] * count, {}, zone_of)
        read = [self._read(value) for value in values]
        faults: Faults = {place: (wall[0], wall[1]) for place, wall in enumerate(read) if len(wall) == 2}
        walls: list[Wall] = [wall if len(wall) == 3 else (0, True, False) for wall in read]
        local, aware, day_only = (list(part) for part in zip(*walls, strict=True)) if walls else ([], [], [])
        return self._resolve(local, aware, day_only, faults, zone_of)

    def _resolve(
        self,
        local: list[int],
        aware: list[bool],
        day_only: list[bool],
        faults: Faults,
        zone_of: Sequence[str | None] | None,
    ) -> Times:
        """Walls to instants: a day begins at its first instant, a naive time is read in its zone."""
        instants: list[int | None] = list(local)
        where = [place for place, known in enumerate(aware) if not known]
        if where and (zone_of is not None or self.zone != "UTC"):
            chosen = self.zone if zone_of is None else [zone_of[place] for place in where]
            found = zones.utc_of_locals([local[place] for place in where], chosen, self.zone)
            for place, instant in zip(where, found, strict=True):
                name = (zone_of[place] if zone_of is not None else None) or self.zone
                if day_only[place]:
                    instant = zones.start_of_day(local[place] // zones.DAY_MS, name)  # noqa: PLW2901  # the day's own
                if instant is None:
                    faults[place] = (NONEXISTENT[0], f"{NONEXISTENT[1]} in {name}")
                instants[place] = instant
        for place, instant in enumerate(instants):
            if instant is not None and not _FIRST_MS <= instant <= _LAST_MS:
                faults.setdefault(place, OUT_OF_RANGE)
        for place in faults:
            instants[place] = None
        return Times(instants, day_only, faults)

    def _read(self, value: Any) -> Wall | Fault:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, datetime):
            return _datetime(value)
        if isinstance(value, date):
            return (value.toordinal() - _EPOCH_DAY) * zones.DAY_MS, False, True
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return self._number(value)
        if isinstance(value, dict | list):
            return "nested", "holds a list or an object; a field holds one value"
        return NOT_A_TIME

    def _text(self, value: str) -> Wall | Fault:
        pattern = self.spec.format
        if pattern in {"epoch_s", "epoch_ms"}:
            return _epoch(Decimal(value), pattern) if _EPOCH_NUMBER.fullmatch(value) else self._fault(value)
        if pattern is None:
            return iso(value) or self._fault(value)
        if not value.isascii() and any(letter.isdigit() and not letter.isascii() for letter in value):
            return "digits", "is written in digits other than 0 to 9"
        try:
            at = datetime.strptime(value, pattern)  # noqa: DTZ007  # it is read in its zone right below
        except ValueError:
            return "not_a_time", f"is not written as the ruleset declares, {pattern}{_other_format(value, pattern)}"
        wall = _datetime(at)
        return wall if any(part in pattern for part in _CLOCK_DIRECTIVES) else (wall[0], False, True)

    def _number(self, value: int | float | Decimal) -> Wall | Fault:
        if self.spec.format in {"epoch_s", "epoch_ms"}:
            exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
            return _epoch(exact, self.spec.format) if exact.is_finite() and exact.adjusted() < 20 else NOT_A_TIME
        text = str(value) if isinstance(value, int) else ""
        return self._fault(text) if len(text) > 8 else NOT_A_TIME  # a format reads texts only

    def _fault(self, value: str) -> Fault:
        """Why a text is no time, and the line of the ruleset that would accept it, where one can be named."""
        if _ISO.fullmatch(value):
            return NO_SUCH_DATE
        formats = formats_of(value) if self.spec.format is None else []
        if formats:
            declared = [declaration(self.spec, format=form) for form in formats]
            if len(declared) > 1:
                return "ambiguous_date", f"could be day or month first; declare {declared[0]} or {declared[1]}"
            return "not_a_time", f"{_order(value)}; declare {declared[0]}"
        if self.spec.format is None and re.fullmatch(r"[0-9]{9,10}(\.[0-9]+)?|[0-9]{12,13}", value):
            unit = "epoch_ms" if len(value) in {12, 13} and "." not in value else "epoch_s"
            return "not_a_time", f"is a number; if it counts from 1970, declare {declaration(self.spec, format=unit)}"
        return NOT_A_TIME


# The format somebody should have declared -----------------------------------------------------------------------------


def formats_of(value: str) -> list[str]:
    """The formats that read this text: two where day and month could change places, none where none is known.

    >>> formats_of("25/06/2025 10:00"), formats_of("5.6.25")
    (['%d/%m/%Y %H:%M'], ['%d.%m.%y', '%m.%d.%y'])
    """
    match = _DATE.fullmatch(value)
    clock = _clock_format(match["rest"] or "") if match else None
    if match is None or clock is None:
        return []
    if match["first"] is None:
        dates = [match["between"].join(("%Y", "%m", "%d"))]
    else:
        year = "%Y" if len(match["year"]) == 4 else "%y"
        dates = [match["mark"].join((*order, year)) for order in (("%d", "%m"), ("%m", "%d"))]
    return [date_format + clock for date_format in dates if _reads(date_format + clock, value)]


def _clock_format(rest: str) -> str | None:
    """The part of a format that reads the time of day, "" where there is none, None where none is known."""
    if not rest:
        return ""
    match = _TIME_OF_DAY.fullmatch(rest)
    if match is None:
        return None
    second = f"{match['mark']}%S" if match["second"] else ""
    fraction = ".%f" if match["fraction"] else ""
    half = match["half"] and match["half"].startswith(" ")
    offset = match["offset"] and match["offset"].startswith(" ")
    return (
        f"{match['gap']}{'%I' if match['half'] else '%H'}{match['mark']}%M{second}{fraction}"
        f"{' %p' if half else '%p' if match['half'] else ''}{' %z' if offset else '%z' if match['offset'] else ''}"
    )


def _reads(pattern: str, value: str) -> bool:
    try:
        datetime.strptime(value, pattern)  # noqa: DTZ007  # asked only whether it can be read
    except ValueError:
        return False
    return True


def _order(value: str) -> str:
    """How a date that can be read in one way only shows its order."""
    match = _DATE.fullmatch(value)
    first, second = (int(match["first"] or 0), int(match["second"] or 0)) if match else (0, 0)
    if max(first, second) > 12:
        return f"has the {'day' if first > 12 else 'month'} first, as {max(first, second)} is no month"
    return "is not written as ISO 8601 has it"


def _other_format(value: str, pattern: str) -> str:
    """The format that would read the text, where it has the declared order of day and month or the only one."""
    formats = formats_of(value)
    day_first = pattern.find("%d") < pattern.find("%m")
    alike = [form for form in formats if (form.find("%d") < form.find("%m")) == day_first]
    found = alike or formats
    return f'; format: "{found[0]}" would read it' if found else ""


_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


def iso(value: str) -> Wall | None:
    """One ISO 8601 time; None where it is none."""
    match = _ISO.fullmatch(value)
    if not match:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    if hour is None:
        return days * zones.DAY_MS, False, True
    if hour > "23" or minute > "59" or (second or "0") > "59":
        return None
    seconds = int(hour) * 3600 + int(minute) * 60 + int(second or 0)
    wall = days * zones.DAY_MS + seconds * 1000 + int((fraction or "0")[:3].ljust(3, "0"))
    if offset is None:
        return wall, False, False
    ahead = _offset_ms(offset.strip())
    return None if ahead is None else (wall - ahead, True, False)


def _offset_ms(offset: str) -> int | None:
    if offset in {"Z", "z", "UTC"}:
        return 0
    hours, minutes = int(offset[1:3]), int(offset[-2:]) if len(offset) > 3 else 0
    if hours > 15 or minutes > 59:
        return None
    return (hours * 3600 + minutes * 60) * (-1000 if offset[0] == "-" else 1000)


def _naive(values: list[Any]) -> bool:
    return set(map(type, values)) == {datetime} and {value.tzinfo for value in values} == {None}


def _datetime(value: datetime) -> Wall:
    if value.tzinfo is None:
        return zones.naive_ms(value), False, False
    ahead = value.utcoffset() or timedelta(0)
    return zones.naive_ms(value.replace(tzinfo=None)) - (ahead.days * 86_400 + ahead.seconds) * 1000, True, False


def _epoch(value: Decimal, unit: str) -> Wall:
    return int((value * 1000 if unit == "epoch_s" else value) // 1), True, False


# A whole column of one shape ------------------------------------------------------------------------------------------


def _column_of_one_shape(values: list[str]) -> tuple[list[int], bool, bool] | None:
    """All the texts at once, as arrays of digits, where they all have the shape of the first; else None."""
    first = values[0]
    match = _ISO.fullmatch(first)
    length = len(first)
    if not match or set(map(len, values)) != {length} or (length != 10 and match[6] is None):
        return None
    joined = "".join(values)
    if not joined.isascii():
        return None
    table = np.frombuffer(joined.encode("ascii"), dtype=np.uint8).reshape(len(values), length).T
    digit_places = np.array([letter.isdigit() for letter in first])
    digits = table.astype(np.int64) - 48
    if bool(((digits < 0) | (digits > 9))[digit_places].any()) or not _same_marks(table, first, digit_places):
        return None
    days = _days(digits)
    if days is None:
        return None
    if length == 10:
        return list((days * zones.DAY_MS).tolist()), False, True
    clock = _clock(digits, match)
    if clock is None:
        return None
    return list((days * zones.DAY_MS + clock).tolist()), match[8] is not None, False


def _same_marks(table: np.ndarray[Any, Any], first: str, digit_places: np.ndarray[Any, Any]) -> bool:
    marks = np.frombuffer(first.encode("ascii"), dtype=np.uint8)[:, None]
    return bool((table == marks)[~digit_places].all())


def _days(digits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """Days since 1970 from the year, month and day of each column of digits; None where any has no such date."""
    year = digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3]
    month, day = digits[5] * 10 + digits[6], digits[8] * 10 + digits[9]
    if int(year.min()) < 1 or int(month.min()) < 1 or int(month.max()) > 12 or int(day.min()) < 1:
        return None
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    if bool((day > _DAYS_OF_MONTH[month] + (leap & (month == 2))).any()):
        return None
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 + _DAYS_BEFORE_MONTH[month] + day
    found: np.ndarray[Any, Any] = days + (leap & (month > 2)) - _EPOCH_DAY
    return found


def _clock(digits: np.ndarray[Any, Any], match: re.Match[str]) -> np.ndarray[Any, Any] | None:
    """Milliseconds of the day, the offset (of one sign and shape, as all marks are the same) taken off."""
    hour, minute, second = (digits[place] * 10 + digits[place + 1] for place in (11, 14, 17))
    if int(hour.max()) > 23 or int(minute.max()) > 59 or int(second.max()) > 59:
        return None
    clock: np.ndarray[Any, Any] = hour * 3_600_000 + minute * 60_000 + second * 1000
    for place, weight in zip(range(match.start(7), min(match.end(7), match.start(7) + 3)), (100, 10, 1), strict=False):
        clock = clock + digits[place] * weight
    offset = (match[8] or "").strip()
    if offset[:1] not in {"+", "-"}:
        return clock
    start = match.end(8) - len(offset) + 1
    hours, minutes = digits[start] * 10 + digits[start + 1], np.int64(0)
    if len(offset) > 3:
        minutes = digits[-2] * 10 + digits[-1]
    if int(hours.max()) > 15 or int(np.max(minutes)) > 59:
        return None
    ahead: np.ndarray[Any, Any] = (hours * 3600 + minutes * 60) * 1000
    clock += ahead if offset[0] == "-" else -ahead
    return clock
