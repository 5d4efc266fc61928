"""Raw records -> a Batch of typed columns, and every record that cannot become a transaction, with its reason.

Column by column: the ruleset says which column is which field and of what kind, and nothing is guessed. Ids are kept
exactly as given. A record has one ending, so the first fault in the order of the ruleset's fields is reported.

The fingerprint is SHA-256 over the names and the values of the fields that have one, sorted by name, as MessagePack:
after parsing, and after card numbers became tokens; before anything is added to them, and without the id (what is
compared has the same id). A field that the input never had does not change it. An amount in another currency counts
with the minor units of that currency.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from itertools import compress
from typing import Any, Final

import msgspec

from fraudline.domain.errors import UnusableInput
from fraudline.domain.money import DECIMALS
from fraudline.domain.ruleset import IN_YOUR_COPY, FieldSpec, Ruleset
from fraudline.domain.transaction import KEYS, REQUIRED, Batch, Records, Rejected
from fraudline.engine import places, zones
from fraudline.engine.cards import Tokens, forbidden, pan_of, suspects
from fraudline.engine.expression import trees
from fraudline.engine.features import fields_read
from fraudline.engine.moments import Clockwork, unusable_format
from fraudline.engine.values import (
    ID_BYTES_MAX,
    Exact,
    Fault,
    Faults,
    Parsed,
    booleans,
    declaration,
    floats,
    present,
    texts,
)

FUTURE_MS: Final = 300_000  # clocks differ; what is stamped later than this is a mistake
SHOWN_CHARACTERS: Final = 80
_PREFIXES_MAX: Final = 4_096
_RANGES: Final = {"latitude": 90.0, "longitude": 180.0}
_CURRENCY: Final = FieldSpec(name="currency", kind="text", column="currency")
_encode: Final = msgspec.msgpack.Encoder().encode


class Intake:
    """Turns the records of one source, block by block, into transactions.

    `received_at` is stamped once by the app; `file_sha` names the file where rows need ids.

    >>> from fraudline.domain.transaction import REQUIRED, FIELDS
    >>> ruleset = Ruleset("demo", "USD", tuple(FieldSpec(name, FIELDS[name], name) for name in REQUIRED), ())
    >>> intake = Intake(ruleset, received_at=1_750_000_000_000, tokens=Tokens(b"0123456789abcdef"))
    >>> batch, rejected = intake.read(Records([2], {"id": ["T1"], "occurred_at": ["2025-05-20"], "amount": ["1,5"]}))
    >>> rejected[0].code, len(batch)
    ('thousands', 0)
    """

    def __init__(self, ruleset: Ruleset, *, received_at: int, tokens: Tokens, file_sha: str = "") -> None:
        self.ruleset = ruleset
        self.received_at = received_at
        self.tokens = tokens
        self._file_sha = file_sha
        self.fields = _fields(ruleset)
        self.order = _order(self.fields)
        self.decimals = DECIMALS[ruleset.currency]
        self.money = [spec.name for spec in ruleset.fields if spec.kind == "money"]
        self.cities = [spec.name for spec in ruleset.fields if spec.geocode == "city"]
        self._looked_at: tuple[str, ...] | None = None
        self._copies: dict[bytes, int] = {}
        self._prefixes: dict[tuple[str, ...], bytes] = {}
        for spec in self.fields:
            problem = unusable_format(spec.format) if spec.format else None
            if problem:
                raise UnusableInput(f"field {spec.name}: the format {spec.format!r} {problem}")

    def read(self, records: Records) -> tuple[Batch, list[Rejected]]:
        """The transactions of one block, in its order, and the records that are none (the source's own included)."""
        self._refuse_forbidden(records)
        block = _Block(self, records)
        block.parse()
        rejected = [self.shown(problem) for problem in records.problems] + block.rejected()
        rejected.sort(key=lambda entry: entry.line)
        return block.batch(), rejected

    def fingerprints(self, columns: dict[str, list[Any]], day_only: list[bool]) -> list[bytes]:
        """The fingerprint of each row of these typed columns."""
        count = len(day_only)
        held = {name: column for name, column in columns.items() if name != "id" and column.count(None) < count}
        if True in day_only:
            held["occurred_at.day"] = [day or None for day in day_only]
        names = tuple(sorted(held))
        prefix, sha256 = self._prefix(names), hashlib.sha256
        digests = []
        for row in zip(*(held[name] for name in names), strict=True):
            if None in row:
                kept = tuple(name for name, value in zip(names, row, strict=True) if value is not None)
                values = [value for value in row if value is not None]
                digests.append(sha256(self._prefix(kept) + _encode(values)).digest())
            else:
                digests.append(sha256(prefix + _encode(row)).digest())
        return digests

    def _prefix(self, names: tuple[str, ...]) -> bytes:
        found = self._prefixes.get(names)
        if found is None:
            if len(self._prefixes) >= _PREFIXES_MAX:
                self._prefixes.clear()
            found = self._prefixes[names] = hashlib.sha256(_encode(names)).digest()[:16]
        return found

    def ids(self, given: list[Any], fingerprints: list[bytes], lines: list[int]) -> list[str]:
        """The ids as given, or those the ruleset has generated: by place in the file, or by content."""
        generate = self.fields[0].generate
        if generate == "row":
            return [f"{self._file_sha}:{line:012d}" for line in lines]
        if generate == "content":
            return [f"{fingerprint.hex()}:{self._copy(fingerprint)}" for fingerprint in fingerprints]
        return list(given)

    def _copy(self, fingerprint: bytes) -> int:
        """Which of the identical rows of this source it is, from 1."""
        count = self._copies[fingerprint] = self._copies.get(fingerprint, 0) + 1
        return count

    def _refuse_forbidden(self, records: Records) -> None:
        names = tuple(records.columns)
        if names != self._looked_at:
            refuse_forbidden(names)
            self._looked_at = names

    def shown(self, problem: Rejected) -> Rejected:
        """A fault as it may be written down: without card numbers, and short."""
        return msgspec.structs.replace(problem, value=self.tokens.scrub(problem.value)[:SHOWN_CHARACTERS])


class _Block:
    """The work on one block of records: typed columns and faults by field, both in the ruleset's order."""

    def __init__(self, intake: Intake, records: Records) -> None:
        self._of = intake
        self._records = records
        self._count = len(records)
        self._columns: dict[str, list[Any]] = {}
        self._faults: dict[str, Faults] = {}
        self._day_only: list[bool] = []
        self._pans: dict[int, str] = {}
        self._foreign: dict[int, int] = {}  # position -> decimals of its own currency

    # Parsing

    def parse(self) -> None:
        """Fill the columns, and note what is wrong with which record."""
        had = self._records.columns
        for spec in self._of.order:
            if spec.column not in had and spec.name not in REQUIRED:
                self._columns[spec.name] = [None] * self._count
                continue
            values, faults = self._field(spec)
            self._columns[spec.name] = values
            if spec.name in REQUIRED and not spec.generate:
                _refuse_missing(values, faults)
            if faults:
                self._faults[spec.name] = faults

    def _raw(self, spec: FieldSpec) -> list[Any]:
        return self._records.columns.get(spec.column) or [None] * self._count

    def _field(self, spec: FieldSpec) -> Parsed:
        raw = self._raw(spec)
        if spec.name == "id":
            return present(raw, lambda values: texts(values, ID_BYTES_MAX)) if not spec.generate else ([], {})
        if spec.kind == "time":
            return self._times(spec, raw)
        if spec.kind == "money":
            return self._amounts(spec, raw)
        if spec.kind == "number":
            return self._numbers(spec, raw)
        if spec.kind == "boolean":
            return present(raw, booleans)
        return self._texts(spec, raw)

    def _times(self, spec: FieldSpec, raw: list[Any]) -> Parsed:
        where = [place for place, value in enumerate(raw) if value is not None and value != ""]
        whole = len(where) == self._count
        named = self._columns.get("timezone")
        zone_of = [named[place] for place in where] if named and named.count(None) < self._count else None
        times = Clockwork(spec, self._of.ruleset.timezone).column(raw if whole else [raw[i] for i in where], zone_of)
        faults = times.faults if whole else {where[place]: fault for place, fault in times.faults.items()}
        instants, day_only = times.instants, times.day_only
        if not whole:
            instants, day_only = [None] * self._count, [False] * self._count
            for place, instant, day in zip(where, times.instants, times.day_only, strict=True):
                instants[place], day_only[place] = instant, day
        if spec.name == "occurred_at":
            self._day_only = day_only
            self._refuse_future(instants, faults)
        return instants, faults

    def _refuse_future(self, instants: list[int | None], faults: Faults) -> None:
        latest = self._of.received_at + FUTURE_MS
        if max((instant for instant in instants if instant is not None), default=latest) <= latest:
            return
        for place, instant in enumerate(instants):
            if instant is not None and instant > latest:
                faults[place] = ("future_time", "is more than 5 minutes later than it was received")

    def _amounts(self, spec: FieldSpec, raw: list[Any]) -> Parsed:
        reader = Exact(spec, self._of.decimals, self._of.ruleset.currency)
        if not self._foreign:
            return present(raw, reader.column)
        own = [None if place in self._foreign else value for place, value in enumerate(raw)]
        values, faults = present(own, reader.column)
        codes = self._columns["currency"]
        for place, decimals in self._foreign.items():
            if raw[place] is not None and raw[place] != "":
                found = Exact(spec, decimals, codes[place].strip().upper()).one(raw[place])
                values[place], fault = (None, found) if isinstance(found, tuple) else (found, None)
                if fault:
                    faults[place] = fault
        return values, faults

    def _numbers(self, spec: FieldSpec, raw: list[Any]) -> Parsed:
        if spec.decimals is not None:
            return present(raw, Exact(spec, spec.decimals, f"the field {spec.name}").column)
        values, faults = present(raw, lambda present_values: floats(present_values, spec))
        limit = _RANGES.get(spec.name)
        if limit is not None:
            for place, value in enumerate(values):
                if value is not None and abs(value) > limit:
                    faults[place] = ("out_of_range", f"lies outside -{limit:g} to {limit:g}")
        return values, faults

    def _texts(self, spec: FieldSpec, raw: list[Any]) -> Parsed:
        values, faults = present(raw, texts)
        if spec.name == "timezone":
            values = self._known(values, faults, _zone_fault)
        elif spec.name == "currency":
            values = self._known(values, faults, _currency_fault)
            self._note_foreign(values)
        elif spec.name == "card" or spec.name not in KEYS:
            values = self._without_cards(spec.name, values)
        return values, faults

    def _known(self, values: list[Any], faults: Faults, fault_of: Callable[[str], Fault | None]) -> list[Any]:
        wrong = {value: fault for value in set(values) - {None} if (fault := fault_of(value))}
        if not wrong:
            return values
        faults |= {place: wrong[value] for place, value in enumerate(values) if value in wrong}
        return [None if value in wrong else value for value in values]

    def _note_foreign(self, values: list[Any]) -> None:
        own = self._of.ruleset.currency
        others = {value: DECIMALS[value.strip().upper()] for value in set(values) - {None}}
        others = {value: decimals for value, decimals in others.items() if value.strip().upper() != own}
        if others:
            self._foreign = {place: others[value] for place, value in enumerate(values) if value in others}

    def _without_cards(self, name: str, values: list[Any]) -> list[Any]:
        suspicious = suspects(set(values) - {None})
        if not suspicious:
            return values
        tokens = self._of.tokens
        safe = {value: tokens.scrub(value) for value in suspicious}
        if name == "card":
            pans = {value: pan for value in suspicious if (pan := pan_of(value))}
            safe |= {value: tokens.card(pan) for value, pan in pans.items()}
            self._pans = {place: pans[value] for place, value in enumerate(values) if value in pans}
        return [safe.get(value, value) for value in values]

    # What comes out

    def rejected(self) -> list[Rejected]:
        """One entry for each record with a fault: the first, in the order of the fields."""
        entries: dict[int, Rejected] = {}
        for spec in self._of.fields if self._faults else ():
            for place, (code, reason) in self._faults.get(spec.name, {}).items():
                if place not in entries:
                    shown = self._raw(spec)[place]
                    entry = Rejected(
                        line=self._records.lines[place],
                        column=spec.column,
                        code=code,
                        reason=f"{spec.column} {reason}",
                        value="" if shown is None else str(shown)[: 4 * SHOWN_CHARACTERS],
                    )
                    entries[place] = self._of.shown(entry)
        return list(entries.values())

    def batch(self) -> Batch:
        """The records without fault as transactions."""
        lines, columns, day_only, keep = self._records.lines, self._columns, self._day_only, None
        if self._faults:
            bad = {place for faults in self._faults.values() for place in faults}
            keep = [place not in bad for place in range(self._count)]
            lines, day_only = list(compress(lines, keep)), list(compress(day_only, keep))
            columns = {name: list(compress(column, keep)) for name, column in columns.items()}
        fingerprints = self._of.fingerprints(columns, day_only)
        ids = self._of.ids(columns["id"], fingerprints, lines)
        self._complete(columns, keep)
        ruleset = self._of.ruleset
        named = {spec.name: columns[spec.name] for spec in ruleset.fields if spec.name not in ("id", "occurred_at")}
        return Batch(ids, columns["occurred_at"], day_only, named, fingerprints, list(lines))

    def _complete(self, columns: dict[str, list[Any]], keep: list[bool] | None) -> None:
        """What follows from the fields: no amount without a rate, the BIN of a card, the coordinates of a city."""
        position = {old: new for new, old in enumerate(compress(range(self._count), keep))} if keep else None
        for name in self._of.money if self._foreign else ():
            _set(columns[name], dict.fromkeys(self._foreign), position)
        if self._pans and "bin" in columns:
            columns["bin"] = list(columns["bin"])  # it may still be the source's own list
            _set(columns["bin"], {place: pan[:6] for place, pan in self._pans.items()}, position, only_missing=True)
        for name in self._of.cities:
            _locate(columns, columns[name])


def _refuse_missing(values: list[Any], faults: Faults) -> None:
    for place, value in enumerate(values) if None in values else ():
        if value is None:
            faults.setdefault(place, ("missing", "is missing, and a transaction needs it"))


def _set(column: list[Any], found: dict[int, Any], position: dict[int, int] | None, only_missing: bool = False) -> None:
    for old, value in found.items():
        place = old if position is None else position.get(old)
        if place is not None and (not only_missing or column[place] is None):
            column[place] = value


def _locate(columns: dict[str, list[Any]], names: list[Any]) -> None:
    latitudes, longitudes = columns.get("latitude"), columns.get("longitude")
    if latitudes is None or longitudes is None:
        return
    found = {name: places.locate(name) for name in set(names) - {None}}
    for place, name in enumerate(names):
        spot = found.get(name)
        if spot is not None and latitudes[place] is None and longitudes[place] is None:
            latitudes[place], longitudes[place] = spot


def _zone_fault(name: str) -> Fault | None:
    return None if zones.known(name) else ("unknown_timezone", "is no time zone such as Asia/Kolkata")


def _currency_fault(code: str) -> Fault | None:
    known = code.strip().upper() in DECIMALS
    return None if known else ("unknown_currency", "is no currency of ISO 4217 such as USD")


def _fields(ruleset: Ruleset) -> tuple[FieldSpec, ...]:
    """The ruleset's fields, and the currency whether it is named or not: an amount in euros is none in dollars."""
    taken = any(spec.name == "currency" or spec.column == "currency" for spec in ruleset.fields)
    return ruleset.fields if taken else (*ruleset.fields, _CURRENCY)


def _order(fields: tuple[FieldSpec, ...]) -> list[FieldSpec]:
    """The order in which columns are parsed: the zone and the currency first, because times and amounts need them."""
    first = [spec for spec in fields if spec.name in ("timezone", "currency")]
    return [*first, *(spec for spec in fields if spec not in first)]


# Before the first record: the columns of the whole input --------------------------------------------------------------


def wanted_columns(ruleset: Ruleset) -> tuple[str, ...]:
    """The columns that are read; a source may leave out all others."""
    return tuple(dict.fromkeys(spec.column for spec in _fields(ruleset) if not spec.generate))


def required_columns(ruleset: Ruleset) -> tuple[str, ...]:
    """The columns no input can do without."""
    return tuple(spec.column for spec in ruleset.fields if spec.name in REQUIRED and not spec.generate)


def absent_columns(ruleset: Ruleset, columns: Iterable[str]) -> tuple[str, ...]:
    """The columns that a rule needs and this input has not: their fields are missing throughout."""
    had, used = set(columns), fields_read(trees(ruleset))
    wanted = (spec for spec in ruleset.fields if spec.name in used and not spec.generate)
    return tuple(dict.fromkeys(spec.column for spec in wanted if spec.column not in had))


def check_columns(ruleset: Ruleset, columns: Sequence[str]) -> None:
    """Raise UnusableInput where an input of these columns cannot be used: nothing of it is read then."""
    doubled = sorted(name for name, count in Counter(columns).items() if name and count > 1)
    if doubled:
        raise UnusableInput(f"two columns are called {_listed(doubled)}; rename one of them in the header")
    refuse_forbidden(columns)
    had = set(columns)
    needed = [spec for spec in ruleset.fields if spec.name in REQUIRED and not spec.generate]
    missing = [spec for spec in needed if spec.column not in had]
    if missing:
        sentences = " ".join(_missing(spec, columns) for spec in missing)
        raise UnusableInput(f"{sentences} Its columns are {_listed(columns) or 'none'}.")


def refuse_forbidden(columns: Iterable[str]) -> None:
    """Raise UnusableInput where a column holds what nobody may store after a payment was authorised."""
    found = [name for name in columns if forbidden(name)]
    if found:
        raise UnusableInput(
            f"the column {_listed(found)} holds card verification, track or PIN data, which must never be stored; "
            "remove it from the input and send it again"
        )


def _missing(spec: FieldSpec, columns: Sequence[str]) -> str:
    said = f"The column {spec.column!r} is missing, which the field {spec.name} is read from."
    by_lower = {name.strip().lower(): name for name in reversed(columns)}
    close = get_close_matches(spec.column.lower(), by_lower, n=1, cutoff=0.6)
    close = close or get_close_matches(spec.name, by_lower, n=1, cutoff=0.6)
    if not close:
        return said
    there = by_lower[close[0]]
    suggested = declaration(msgspec.structs.replace(spec, column=there))
    return f"{said} The input has {there!r}: if that is it, declare {suggested} {IN_YOUR_COPY}."


def _listed(names: Iterable[str]) -> str:
    shown = [repr(name) for name in names]
    return ", ".join(shown[:40]) + (f" and {len(shown) - 40} more" if len(shown) > 40 else "")
