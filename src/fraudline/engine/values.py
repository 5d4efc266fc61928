"""One column of raw values -> typed values, and what is wrong with those that have none.

Every parser takes the values that are present (no None, no empty text) and gives back as many typed ones, with the
faults by position. Whole columns are tried first, by one regular expression or one array; value by value is for small
batches and for columns in which something is wrong, and says the same.

Numbers follow one strict grammar: an optional sign, digits 0 to 9, at most one decimal point with digits on both
sides. Nothing is trimmed, rounded or guessed. Numbers that are numbers already (JSON, Parquet) are taken exactly; a
double of Parquet stands for the decimal number next to it where that is within two units in its last place, so that
25.499999999999996 is 25.50.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np

from fraudline.domain.money import to_minor
from fraudline.domain.ruleset import FieldSpec
from fraudline.domain.transaction import MAX_MINOR

Fault = tuple[str, str]  # code for machines, sentence for people
Faults = dict[int, Fault]
Parsed = tuple[list[Any], Faults]

WHOLE_COLUMN_MIN: Final = 32  # fewer values than this are quicker one by one
TEXT_BYTES_MAX: Final = 65_536
ID_BYTES_MAX: Final = 512
_DIGITS_MAX: Final = 40
_TRUTH: Final = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
_NUMBER: Final = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?")
_NUMBERS: Final = re.compile(r"(?:[+-]?[0-9]{1,300}(?:\.[0-9]{1,300})?\n)*+")
_MARKS: Final = ",._' \N{RIGHT SINGLE QUOTATION MARK}\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
_AROUND: Final = re.compile(r"[+-]?([^0-9+\r\n-]{0,5})[+-]?[0-9](?:.*[0-9])?([^0-9\r\n]{0,5})")
_SIGNS: Final = re.compile(r"[A-Za-z]{2,3}[.]?|[^A-Za-z0-9.,()_\s]|")  # "Rs.", "EUR", one sign, or only spaces
_NEGATIVE: Final = re.compile(r"\(\s*[^()]{0,9}[0-9][^()]*\)|[^-()]*[0-9]\s?-")  # (500) and 500-, as books are kept
_SPACED: Final = re.compile(r"[+-]?[0-9]{1,3}(?:[ '_\u00a0\u202f\u2019][0-9]{3})+,[0-9]+")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]*")

TOO_LARGE: Final[Fault] = ("too_large", f"is beyond the largest number kept exactly, {MAX_MINOR} in its smallest unit")
NOT_FINITE: Final[Fault] = ("not_finite", "is no number; leave the value empty where it is unknown")


def present(raw: Sequence[Any], parse: Callable[[list[Any]], Parsed]) -> Parsed:
    """Parse what is there and leave None where nothing is (None and empty text)."""
    if None not in raw and "" not in raw:
        return parse(raw if isinstance(raw, list) else list(raw))
    where = [place for place, value in enumerate(raw) if value is not None and value != ""]
    typed: list[Any] = [None] * len(raw)
    if not where:
        return typed, {}
    values, faults = parse([raw[place] for place in where])
    for place, value in zip(where, values, strict=True):
        typed[place] = value
    return typed, {where[place]: fault for place, fault in faults.items()}


def one_by_one(values: list[Any], parse: Callable[[Any], Any]) -> Parsed:
    """Parse each value by itself; a `Fault` that comes back is put aside."""
    typed = [parse(value) for value in values]
    faults = {place: value for place, value in enumerate(typed) if type(value) is tuple}
    for place in faults:
        typed[place] = None
    return typed, faults


# Text -----------------------------------------------------------------------------------------------------------------


def texts(values: list[Any], bytes_max: int = TEXT_BYTES_MAX) -> Parsed:
    """Text as received. Whole numbers of JSON and Parquet become their digits."""
    kinds = set(map(type, values))
    if kinds == {str} and _clean("".join(values), max(map(len, values)), bytes_max):
        return values, {}
    if kinds == {int} and max(map(abs, values)) < 10**_DIGITS_MAX:
        return list(map(str, values)), {}
    return one_by_one(values, lambda value: _text(value, bytes_max))


def _clean(joined: str, longest: int, bytes_max: int) -> bool:
    """True where none of the texts can be at fault, whatever it is made of (a character has four bytes at most)."""
    return longest * 4 <= bytes_max and "\0" not in joined and _encodable(joined)


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(value: Any, bytes_max: int) -> str | Fault:
    text = _as_text(value)
    if isinstance(text, tuple):
        return text
    if "\0" in text:
        return "nul", "holds a NUL character, which is no text"
    if not _encodable(text):
        return "encoding", "holds half of a surrogate pair, which is no text"
    if len(text) * 4 > bytes_max and len(text.encode()) > bytes_max:
        return "too_long", f"is longer than {bytes_max:,} bytes"
    return text


def _as_text(value: Any) -> str | Fault:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**_DIGITS_MAX else TOO_LARGE
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < _DIGITS_MAX:
        return format(value, "f")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, dict | list):
        return "nested", "holds a list or an object; a field holds one value"
    return "not_text", f"is a {type(value).__name__}, and the field is text"


# Booleans -------------------------------------------------------------------------------------------------------------


def booleans(values: list[Any]) -> Parsed:
    """true, false, yes, no, 1, 0 in any case."""
    return one_by_one(values, _boolean)


def _boolean(value: Any) -> bool | Fault:
    if isinstance(value, bool):
        return value
    known = _TRUTH.get(value.lower() if isinstance(value, str) else str(value) if isinstance(value, int) else "")
    return ("not_boolean", "is none of true, false, yes, no, 1, 0") if known is None else known


# Numbers --------------------------------------------------------------------------------------------------------------


def floats(values: list[Any], spec: FieldSpec) -> Parsed:
    """Numbers without declared decimals, as the nearest double."""
    if len(values) >= WHOLE_COLUMN_MIN and not spec.strip and not spec.thousands:
        found = _float_column(values)
        if found is not None:
            return found, {}
    return one_by_one(values, lambda value: _float(value, spec))


def _float_column(values: list[Any]) -> list[float] | None:
    kinds = set(map(type, values))
    try:
        if kinds == {str} and not _NUMBERS.fullmatch("\n".join(values) + "\n"):
            return None
        if not kinds <= {str} and not kinds <= {int, float}:
            return None
        array = np.array(list(map(float, values)), dtype=np.float64)
    except (ValueError, OverflowError):  # a line break inside a value, an integer beyond any double: each is looked at
        return None
    return list((array + 0.0).tolist()) if bool(np.isfinite(array).all()) else None


def _float(value: Any, spec: FieldSpec) -> float | Fault:
    if isinstance(value, str):
        plain = plain_number(value, spec)
        if not _NUMBER.fullmatch(plain):
            return number_fault(value, spec)
        value = plain
    elif isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return _no_number(value)
    try:
        number = float(value)
    except OverflowError:
        return "too_large", "is beyond the largest number there is"
    if math.isfinite(number):
        return number + 0.0  # no minus zero
    return ("too_large", "is beyond the largest number there is") if isinstance(value, str) else NOT_FINITE


def _no_number(value: Any) -> Fault:
    if isinstance(value, dict | list):
        return "nested", "holds a list or an object; a field holds one value"
    return "not_a_number", f"is a {type(value).__name__}, not a number"


# Exact numbers: amounts and what declares `decimals:` -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exact:
    """Reads numbers as integers of their smallest unit. `unit` names who has so many decimals, for sentences."""

    spec: FieldSpec
    decimals: int
    unit: str

    def column(self, values: list[Any]) -> Parsed:
        """All values at once where they are of one kind and without fault, else one by one."""
        if len(values) >= WHOLE_COLUMN_MIN and not self.spec.strip and not self.spec.thousands:
            kinds = set(map(type, values))
            found = self._texts(values) if kinds == {str} else self._doubles(values) if kinds == {float} else None
            if found is not None:
                return found, {}
        return one_by_one(values, self.one)

    def _texts(self, values: list[str]) -> list[int] | None:
        if not _amounts(self.decimals).fullmatch("\n".join(values) + "\n"):
            return None
        try:
            array = np.array(list(map(float, values)), dtype=np.float64)
        except ValueError:  # a line break inside a value: it matched as two
            return None
        return self._whole(np.rint(array * 10**self.decimals))

    def _doubles(self, values: list[float]) -> list[int] | None:
        array = np.array(values, dtype=np.float64)
        if not np.isfinite(array).all() or float(np.abs(array).max()) > MAX_MINOR:
            return None
        scaled = np.rint(array * 10**self.decimals)
        near = np.abs(scaled / 10**self.decimals - array) <= 2 * np.spacing(np.abs(array))
        return self._whole(scaled) if bool(near.all()) else None

    def _whole(self, scaled: np.ndarray[Any, np.dtype[np.float64]]) -> list[int] | None:
        """Doubles are exact up to 2**53, and what is kept ends at 2**40: rounding to the nearest is reading exactly."""
        return list(scaled.astype(np.int64).tolist()) if float(np.abs(scaled).max()) <= MAX_MINOR else None

    def one(self, value: Any) -> int | Fault:
        """One value in smallest units, or what is wrong with it."""
        found = self._read(value)
        return TOO_LARGE if isinstance(found, int) and abs(found) > MAX_MINOR else found

    def _read(self, value: Any) -> int | Fault:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return _no_number(value)
        if isinstance(value, int):
            exact: int = value * 10**self.decimals
            return exact
        if isinstance(value, Decimal):
            return self._decimal(value) if value.is_finite() else NOT_FINITE
        return self._double(value) if math.isfinite(value) else NOT_FINITE

    def _text(self, value: str) -> int | Fault:
        match = _NUMBER.fullmatch(plain_number(value, self.spec))
        if not match:
            return number_fault(value, self.spec)
        sign, whole, fraction = match[1], match[2], match[3] or ""
        if len(fraction) > self.decimals:
            return self._too_many(len(fraction))
        if len(whole) > _DIGITS_MAX:
            return TOO_LARGE
        minor = int(whole + fraction.ljust(self.decimals, "0"))
        return -minor if sign == "-" else minor

    def _decimal(self, value: Decimal) -> int | Fault:
        if value and value.adjusted() > _DIGITS_MAX:
            return TOO_LARGE
        minor = None if value and value.adjusted() < -_DIGITS_MAX else to_minor(value, self.decimals)
        exponent = value.as_tuple().exponent
        return self._too_many(-int(exponent)) if minor is None else minor

    def _double(self, value: float) -> int | Fault:
        if abs(value) > MAX_MINOR:
            return TOO_LARGE
        minor = round(value * 10**self.decimals)
        near = abs(minor / 10**self.decimals - value) <= 2 * math.ulp(value)
        return minor if near else self._too_many(None)

    def _too_many(self, count: int | None) -> Fault:
        has = f"{count} decimal{'s' if count > 1 else ''}" if count else "more decimals"
        return "decimals", f"has {has}, {self.unit} has {self.decimals or 'none'}"


def _amounts(decimals: int) -> re.Pattern[str]:
    """Any number of lines, each an amount of this many decimals at most, small enough for a double to hold exactly."""
    return re.compile(rf"(?:[+-]?[0-9]{{1,13}}{rf'(?:[.][0-9]{{1,{decimals}}})?' if decimals else ''}\n)*+")


# How numbers may be written, and what to say where they are not -------------------------------------------------------


def plain_number(value: str, spec: FieldSpec) -> str:
    """A number as the strict grammar has it, without the separators and signs its ruleset declares.

    Separators must stand where separators stand: in front of three digits, or of two in Indian numbers. Where they
    are declared as points, the decimal sign is the comma.
    """
    if spec.strip:
        value = value.strip(spec.strip)
        if value[:1] in {"-", "+"}:
            value = value[0] + value[1:].lstrip(spec.strip)
    mark = spec.thousands
    if not mark:
        return value
    point = "," if mark == "." else "."
    whole, comma, fraction = value.partition(point)
    if not re.fullmatch(
        rf"[+-]?(?:[0-9]+|[0-9]{{1,3}}(?:{re.escape(mark)}[0-9]{{2,3}})*{re.escape(mark)}[0-9]{{3}})", whole
    ):
        return ""
    return whole.replace(mark, "") + ("." if comma else "") + fraction


def number_fault(value: str, spec: FieldSpec) -> Fault:
    """Why a text is no number, and the line of the ruleset that would make it one, where there is such a line."""
    bare = value.strip().lower().lstrip("+-")
    if bare in {"nan", "inf", "infinity", "null", "none", "na", "n/a"}:
        return NOT_FINITE
    if re.fullmatch(r"[+-]?[0-9.]+[eE][+-]?[0-9]+", value):
        return "exponent", "is written with an exponent; write the number out"
    if not value.isascii() and any(letter.isdigit() and not letter.isascii() for letter in value):
        return "digits", "is written in digits other than 0 to 9"
    if _NEGATIVE.fullmatch(value):
        return "sign", "is no number; negatives are written with a minus sign in front, as -500: correct the source"
    options = _accepted_with(value, spec)
    if options:
        return _declarable(spec, options)
    if _SPACED.fullmatch(value):
        said = "has a decimal comma behind thousands that no points separate"
        return "thousands", f"{said}, which cannot be declared: take the separators out before"
    if spec.thousands and spec.thousands in value:
        return "thousands", _unlike_declared(spec.thousands)
    return "not_a_number", "is no number: a sign, digits, and a decimal point between digits are what may stand in one"


def _declarable(spec: FieldSpec, options: dict[str, str]) -> Fault:
    """The fault of a text that would be a number with these options."""
    mark = options.get("thousands", "")
    changed = mark != spec.thousands
    said = "has more around it than a number" if "strip" in options else "is written with separators"
    instead = f" instead of thousands: {_quoted(spec.thousands)}" if spec.thousands and changed else ""
    comma = "; with a point for thousands the comma is the decimal sign" if mark == "." and changed else ""
    meant = f"if that is meant, declare {declaration(spec, **options)}{instead}{comma}"
    return "strip" if "strip" in options else "thousands", f"{said}; {meant}"


def _unlike_declared(mark: str) -> str:
    """What is wrong with a number whose separators stand where none can."""
    point = " and makes the comma the decimal sign" if mark == "." else ""
    other = "point" if mark == "." else "comma" if mark == "," else "sign"
    return (
        f"is not written as the ruleset declares: thousands: {_quoted(mark)} stands in front of three digits{point}; "
        f"leave it out of the ruleset where the {other} is the decimal sign"
    )


def _accepted_with(value: str, spec: FieldSpec) -> dict[str, str]:
    """The options that would make this text a number. Currency signs, spaces and separators, and nothing cleverer."""
    match = _AROUND.fullmatch(value)
    if not match or not all(_SIGNS.fullmatch(side.strip()) for side in match.groups()):
        return {}
    strip = "".join(dict.fromkeys(spec.strip + match[1] + match[2]))
    others = (mark for mark in _MARKS if mark in value or (mark == "." and "," in value))
    for mark in dict.fromkeys((spec.thousands, *others)):
        tried = FieldSpec(name=spec.name, kind=spec.kind, column=spec.column, strip=strip, thousands=mark)
        if _NUMBER.fullmatch(plain_number(value, tried)):
            options = {"thousands": mark, "strip": strip}
            return {name: text for name, text in options.items() if text}
    return {}


def declaration(spec: FieldSpec, **options: str) -> str:
    """The line of a ruleset that declares this field with these options."""
    column = spec.column if _PLAIN_NAME.fullmatch(spec.column) else _quoted(spec.column)
    given = "".join(f", {name}: {_quoted(text)}" for name, text in options.items())
    return f"`{spec.name}: {{from: {column}{given}}}`"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
