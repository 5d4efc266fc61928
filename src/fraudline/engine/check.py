"""YAML text -> Ruleset, or everything that is wrong with it, each with file, line, caret and suggestion.

Sections are read one by one and keep going after a fault, so that the author sees all faults at once. Whatever a
section could not read is replaced by its default for the rest of the check only; a ruleset with an error is never
returned.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from fraudline.domain.decision import LEVELS, OUTCOMES
from fraudline.domain.errors import Problem, RulesetError
from fraudline.domain.money import DECIMALS
from fraudline.domain.ruleset import DAY_MS, Example, FieldSpec, Rule, Ruleset
from fraudline.domain.transaction import FIELDS, REQUIRED
from fraudline.engine import lint, rulefile, zones
from fraudline.engine.canonical import span_ms
from fraudline.engine.expression import NAME, SPECIALS, Trees, alike, analyse
from fraudline.engine.features import fields_read
from fraudline.engine.rulefile import Entry, Mapping, Scalar, Sequence
from fraudline.engine.template import placeholders
from fraudline.engine.tree import FUNCTIONS, WINDOWS, Node, Window

KINDS = ("text", "number", "money", "boolean", "time")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MAX_ENTRIES = 10_000
MAX_RULES = 1_000
MAX_POINTS = 1_000

_RULESET_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_EXACT = re.compile(r"-?[0-9]{1,12}(?:_[0-9]{1,3})*(?:\.[0-9]{1,9})?")
_NIGHT = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]) ?- ?([01][0-9]|2[0-3]):([0-5][0-9])")
_DATE_PARTS = (("%Y", "%y"), ("%m", "%b", "%B"), ("%d",))
_FIELD_KEYS = ("from", "format", "geocode", "decimals", "thousands", "strip", "generate")
_ATTRIBUTE_KEYS = ("type", "from", "format", "decimals", "thousands", "strip")
_RULE_KEYS = (
    "id",
    "when",
    "points",
    "reason",
    "typology",
    "examples",
    "outcome",
    "owner",
    "expires",
    "suppresses",
    "tags",
)
_RESERVED = frozenset({*FUNCTIONS, *WINDOWS, *SPECIALS, "current", "matched", "local_time", *keyword.kwlist})
_PLACES = frozenset({"distance_km", "speed_kmh"})  # windows that look at where the transaction was


def load(text: str, file: str = "") -> Ruleset:
    """The ruleset of a YAML text.

    Raises RulesetError with all its errors; warnings are left to `read`.
    """
    ruleset, problems = read(text, file)
    if ruleset is None:
        raise RulesetError([problem for problem in problems if problem.severity == "error"])
    return ruleset


def read(text: str, file: str = "") -> tuple[Ruleset | None, list[Problem]]:
    """The ruleset of a YAML text (None where it has an error), and all errors and warnings by line."""
    top, problems = rulefile.read(text)
    if top is None:
        return None, _sorted(problems, file)
    reader = _Reader(top, problems)
    draft = reader.ruleset()
    trees, faults = analyse(draft)
    problems.extend(reader.located(fault) for fault in faults)
    if trees is None or any(problem.severity == "error" for problem in problems):
        return None, _sorted(problems, file)
    ruleset = reader.finished(draft, trees)
    advice = lint.lint(ruleset, trees)
    problems.extend(problem if problem.line else reader.located(problem) for problem in advice)
    errors = any(problem.severity == "error" for problem in problems)
    return (None if errors else ruleset), _sorted(problems, file)


def _sorted(problems: Iterable[Problem], file: str) -> list[Problem]:
    named = (msgspec.structs.replace(problem, file=file) for problem in problems)
    return sorted(named, key=lambda problem: (problem.severity != "error", problem.line))


class _Reader:
    """Reads the sections of one document. `problems` grows; `lines` says where each expression and reason stands."""

    def __init__(self, top: Mapping, problems: list[Problem]) -> None:
        self.top = top
        self.problems = problems
        self.lines: dict[str, int] = {}
        self.declared: dict[str, FieldSpec] = {}
        self.attributes: dict[str, FieldSpec] = {}
        self.taken: dict[str, str] = {}

    def fault(self, line: int, message: str, suggestion: str = "", where: str = "") -> None:
        """Note what is wrong in this line."""
        self.problems.append(Problem(message=message, line=line, suggestion=suggestion, where=where))

    def located(self, problem: Problem) -> Problem:
        """The problem with the line of the text it is about."""
        return msgspec.structs.replace(problem, line=self.lines.get(problem.where, problem.line))

    # -- the whole -------------------------------------------------------------------------------------------------

    def ruleset(self) -> Ruleset:
        """The document as a ruleset, its fields not yet complete; defaults stand where something is wrong."""
        self._keys(self.top, _SECTIONS)
        for name in ("ruleset", "currency", "rules"):
            if name not in self.top.items:
                self.fault(1, f"'{name}:' is missing", _MISSING[name])
        self._read_fields()
        self._read_attributes()
        lists, tables, features = self._lists(), self._tables(), self._features()
        self.timezone = self._chosen("timezone", "UTC", self._timezone)
        lateness = self._chosen("lateness", 2 * DAY_MS, self._duration)
        return Ruleset(
            name=self._chosen("ruleset", "unnamed", self._ruleset_name),
            currency=self._chosen("currency", "USD", self._currency),
            fields=tuple(self._specs(())),
            rules=self._rules(),
            description=self._chosen("description", "", self._text),
            timezone=self.timezone,
            weekend=self._chosen("weekend", (6, 7), self._weekend),
            night=self._chosen("night", (22 * 60, 6 * 60), self._night),
            lists=lists,
            tables=tables,
            features=features,
            levels=self._ladder("levels", LEVELS[1:], (30, 60)),
            outcomes=self._ladder("outcomes", OUTCOMES[1:], (40, 90)),
            score=self._expression("score", "max(points, round(100 * probability))"),
            alert=self._expression("alert", 'level == "high"'),
            on_degraded=self._chosen("on_degraded", "review", self._on_degraded),
            retention_ms=self._chosen("retention", 0, self._duration),
            lateness_ms=lateness,
            shared=self._chosen("shared", (), self._shared),
            encoding=self._chosen("encoding", "utf-8", self._encoding),
            delimiter=self._chosen("delimiter", None, self._delimiter),
            example_defaults=self._chosen(
                "example_defaults", {}, lambda entry: self._values(entry, "example_defaults")
            ),
        )

    def finished(self, draft: Ruleset, trees: Trees) -> Ruleset:
        """The draft with all fields it uses and its retention settled."""
        used = set(_used(draft, trees))
        ruleset = msgspec.structs.replace(draft, fields=tuple(self._specs(used)))
        longest, open_ended = _longest(trees)
        needed = longest + draft.lateness_ms
        if not draft.retention_ms:
            least = 200 * DAY_MS if open_ended else DAY_MS
            return msgspec.structs.replace(ruleset, retention_ms=max(needed, least))
        if draft.retention_ms < needed:
            days = -(-needed // DAY_MS)
            line = self.top.lines["retention"]
            message = "retention is shorter than the longest window plus lateness"
            self.fault(line, message, f"write: retention: {days}d")
        return ruleset

    def _chosen(self, key: str, default: Any, reader: Callable[[Entry], Any]) -> Any:
        """What a section says, or its default where it is absent or wrong."""
        entry = self.top.items.get(key)
        found = reader(entry) if entry is not None else None
        return default if found is None else found

    # -- small pieces ----------------------------------------------------------------------------------------------

    def _keys(self, mapping: Mapping, allowed: tuple[str, ...], where: str = "") -> None:
        for key in mapping.items:
            if key in allowed:
                continue
            if key in _NOT_YET_KEYS:
                self.fault(mapping.lines[key], f"'{key}:' is not there yet", "leave it out", where)
            else:
                hint = _meant(key, allowed) or alike(key, allowed) or f"allowed are: {', '.join(allowed)}"
                self.fault(mapping.lines[key], f"unknown key '{_cut(key)}'", hint, where)

    def _text(self, entry: Entry, where: str = "") -> str | None:
        if isinstance(entry, Scalar):
            return entry.text
        meant = rulefile.unquoted_braces(entry)
        hint = f'write it in quotes: "{meant}"' if meant else "write it in quotes if it has braces or brackets"
        self.fault(entry.line, "this must be a text", hint, where)
        return None

    def _integer(self, entry: Entry, low: int, high: int, where: str) -> int | None:
        text = entry.text if isinstance(entry, Scalar) else ""
        if _INTEGER.fullmatch(text) and low <= int(text) <= high:
            return int(text)
        self.fault(entry.line, f"this must be a whole number from {low} to {high}", where=where)
        return None

    def _mapping(self, key: str) -> Mapping:
        """A section of names; empty where it is absent or none."""
        entry = self.top.items.get(key)
        if isinstance(entry, Mapping):
            return entry
        if entry is not None and not (isinstance(entry, Scalar) and not entry.text):
            self.fault(entry.line, f"{key}: must be a mapping of names", "for example  name: value")
        return Mapping({}, 0)

    def _texts(self, entry: Entry, where: str = "") -> tuple[str, ...] | None:
        """A list of texts."""
        if not isinstance(entry, Sequence):
            self.fault(entry.line, "this must be a list", "write it in brackets: [one, two]", where)
            return None
        texts = [self._text(item, where) for item in entry.items]
        return tuple(text for text in texts if text is not None)

    def _one_of(self, entry: Entry, allowed: Iterable[str], where: str = "") -> str | None:
        text = self._text(entry, where)
        if text is None or text in allowed:
            return text
        hint = alike(text, allowed) or f"one of {', '.join(allowed)}"
        self.fault(entry.line, f"'{_cut(text)}' is not known here", hint, where)
        return None

    def _free_name(self, name: str, line: int, what: str) -> bool:
        """Take a name; names mean one thing in a ruleset."""
        if not NAME.fullmatch(name):
            self.fault(line, f"'{_cut(name)}' is no name", "names have small letters a-z, digits and _", what)
        elif name in _RESERVED:
            self.fault(line, f"'{name}' means something in the language already", "choose another name", what)
        elif name in FIELDS:
            self.fault(line, f"'{name}' is the name of a field already", "choose another name", what)
        elif name in self.taken:
            self.fault(line, f"'{name}' is the name of {self.taken[name]} already", "choose another name", what)
        else:
            self.taken[name] = what
            return True
        return False

    # -- head ------------------------------------------------------------------------------------------------------

    def _ruleset_name(self, entry: Entry) -> str | None:
        text = self._text(entry)
        if text is None or _RULESET_NAME.fullmatch(text):
            return text
        self.fault(entry.line, f"'{_cut(text)}' is no name for a ruleset", "use small letters, digits, - and _")
        return None

    def _currency(self, entry: Entry) -> str | None:
        text = self._text(entry)
        if text is None or text in DECIMALS:
            return text
        hint = f"did you mean '{text.upper()}'?" if text.upper() in DECIMALS else "for example USD"
        self.fault(entry.line, f"'{_cut(text)}' is no currency of ISO 4217", hint)
        return None

    def _timezone(self, entry: Entry) -> str | None:
        text = self._text(entry)
        if text is None or zones.known(text):
            return text
        by_lower = {name.lower(): name for name in zones.names()}
        close = alike(text, by_lower)
        hint = by_lower[close.split("'")[1]] if close else "Asia/Kolkata"
        self.fault(
            entry.line,
            f"unknown time zone '{_cut(text)}'",
            f"did you mean '{hint}'?" if close else f"for example {hint}",
        )
        return None

    def _weekend(self, entry: Entry) -> tuple[int, ...] | None:
        names = self._texts(entry)
        if names is None:
            return None
        for name in names:
            if name.lower() not in DAYS:
                self.fault(
                    entry.line, f"'{_cut(name)}' is no day of the week", alike(name, DAYS) or "for example saturday"
                )
        return tuple(sorted({DAYS.index(name.lower()) + 1 for name in names if name.lower() in DAYS}))

    def _night(self, entry: Entry) -> tuple[int, int] | None:
        found = _NIGHT.fullmatch(entry.text) if isinstance(entry, Scalar) else None
        if found is None or found[1] + found[2] == found[3] + found[4]:
            self.fault(entry.line, "night: is a span of hours and minutes", 'for example "22:00-06:00"')
            return None
        return int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])

    def _duration(self, entry: Entry) -> int | None:
        length = span_ms(entry.text) if isinstance(entry, Scalar) else None
        if length is None or length > 3660 * DAY_MS:
            self.fault(entry.line, "this must be a length of time of ten years at most", "for example 200d, 12h, 2w")
            return None
        return length

    def _on_degraded(self, entry: Entry) -> str | None:
        return self._one_of(entry, ("review", "decline", "continue"))

    def _encoding(self, entry: Entry) -> str | None:
        text = self._text(entry)
        if text is None:
            return None
        try:
            "a".encode(text)
        except (LookupError, ValueError):
            self.fault(entry.line, f"unknown encoding '{_cut(text)}'", "for example utf-8, utf-16, cp1252, latin-1")
            return None
        return text.lower()

    def _delimiter(self, entry: Entry) -> str | None:
        text = self._text(entry)
        text = "\t" if text in ("tab", "\\t") else text
        if text is None or (len(text) == 1 and text not in "\"'\n\r\0" and not text.isalnum()):
            return text
        self.fault(entry.line, "a delimiter is one character", "for example ';', '|' or tab")
        return None

    def _shared(self, entry: Entry) -> tuple[str, ...] | None:
        names = self._texts(entry)
        known = self._kinds()
        for name in names or ():
            if known.get(name) != "text":
                hint = alike(name, known) if name not in known else "an entity is a text field, as merchant"
                self.fault(entry.line, f"shared: '{_cut(name)}' is no text field", hint)
        return names

    def _ladder(self, key: str, steps: tuple[str, ...], default: tuple[int, int]) -> tuple[int, int]:
        """Two least scores in rising order."""
        mapping = self._mapping(key)
        if key not in self.top.items:
            return default
        self._keys(mapping, steps, key)
        found = []
        for step in steps:
            entry = mapping.items.get(step)
            if entry is None:
                self.fault(
                    mapping.line or self.top.lines[key], f"{key}: '{step}' is missing", _ladder_hint(key, default)
                )
            else:
                found.append(self._integer(entry, 0, 1_000, key))
        first, second = (*found, None, None)[:2]
        if first is None or second is None:
            return default
        if first >= second:
            message = f"{key}: '{steps[0]}' must be below '{steps[1]}'"
            self.fault(mapping.line, message, _ladder_hint(key, default))
            return default
        return first, second

    def _expression(self, key: str, default: str) -> str:
        text = self._chosen(key, default, self._text)
        self.lines[key] = self.top.lines.get(key, 0)
        return str(text)

    # -- fields ----------------------------------------------------------------------------------------------------

    def _kinds(self) -> dict[str, str]:
        return {**FIELDS, **{name: spec.kind for name, spec in self.attributes.items()}}

    def _read_fields(self) -> None:
        mapping = self._mapping("fields")
        for name, entry in mapping.items.items():
            where = f"field {name}"
            if name not in FIELDS:
                hint = alike(name, FIELDS) or "columns of your own are declared under attributes:"
                self.fault(mapping.lines[name], f"unknown field '{_cut(name)}'", hint)
            elif isinstance(entry, Mapping):
                self._keys(entry, _FIELD_KEYS, where)
                self.declared[name] = self._spec(name, FIELDS[name], entry, where, attribute=False)
            else:
                column = self._column(entry, where)
                self.declared[name] = FieldSpec(name=name, kind=FIELDS[name], column=column or name)

    def _read_attributes(self) -> None:
        mapping = self._mapping("attributes")
        for name, entry in mapping.items.items():
            line, where = mapping.lines[name], f"attribute {name}"
            if not self._free_name(name, line, where):
                continue
            if isinstance(entry, Mapping):
                self._keys(entry, _ATTRIBUTE_KEYS, where)
                if "type" not in entry.items:
                    self.fault(line, "its type is missing", f"type: one of {', '.join(KINDS)}", where)
                kind = self._one_of(entry.items["type"], KINDS, where) if "type" in entry.items else None
                self.attributes[name] = self._spec(name, kind or "text", entry, where, attribute=True)
            else:
                kind = self._one_of(entry, KINDS, where)
                self.attributes[name] = FieldSpec(name=name, kind=kind or "text", column=name, attribute=True)

    def _column(self, entry: Entry, where: str) -> str | None:
        """The one column that a field is read from."""
        if isinstance(entry, Sequence):
            hint = "join them before, in the program that writes the file"
            self.fault(entry.line, "a field is read from one column", hint, where)
            return None
        return self._text(entry, where)

    def _spec(self, name: str, kind: str, entry: Mapping, where: str, attribute: bool) -> FieldSpec:
        """One field or attribute that says more than its column."""

        def text(key: str) -> str | None:
            return self._text(entry.items[key], where) if key in entry.items else None

        for key, kinds in _FOR_KINDS.items():
            if key in entry.items and kind not in kinds:
                self.fault(entry.lines[key], f"'{key}:' is for {' and '.join(kinds)}, and this is {kind}", where=where)
        for key, value, only in (("geocode", ("city",), "location"), ("generate", ("content", "row"), "id")):
            if key in entry.items and (name != only or attribute):
                self.fault(entry.lines[key], f"'{key}:' is for {only} only", where=where)
            elif key in entry.items:
                self._one_of(entry.items[key], value, where)
        form = text("format")
        if form is not None and form not in ("epoch_s", "epoch_ms") and not _dates(form):
            hint = 'for example "%d/%m/%Y", "%Y-%m-%d %H:%M:%S", or epoch_s'
            self.fault(entry.lines["format"], f"format '{_cut(form)}' does not give day, month and year", hint, where)
        decimals = self._integer(entry.items["decimals"], 0, 9, where) if "decimals" in entry.items else None
        return FieldSpec(
            name=name,
            kind=kind,
            column=(self._column(entry.items["from"], where) if "from" in entry.items else None) or name,
            format=form,
            generate=text("generate"),
            geocode=text("geocode"),
            decimals=decimals,
            thousands=text("thousands") or "",
            strip=text("strip") or "",
            attribute=attribute,
        )

    def _specs(self, used: Iterable[str]) -> list[FieldSpec]:
        """Required fields, declared ones, all others of the standard, attributes: in this order, each once.

        Histories hold what transactions said, not what today's rules ask, so that tomorrow's rule finds it there. Only
        a field that no rule uses, and whose column another one is read from, is left out.
        """
        declared = {*self.declared.values(), *self.attributes.values()}
        taken = {spec.column for spec in declared}
        others = (name for name in FIELDS if name in used or name not in taken)
        names = dict.fromkeys((*REQUIRED, *self.declared, *others))
        standard = [self.declared.get(name) or FieldSpec(name=name, kind=FIELDS[name], column=name) for name in names]
        return [*standard, *self.attributes.values()]

    # -- lists, tables, features -------------------------------------------------------------------------------------

    def _lists(self) -> dict[str, tuple[str, ...]]:
        mapping = self._mapping("lists")
        found: dict[str, tuple[str, ...]] = {}
        for name, entry in mapping.items.items():
            where = f"list {name}"
            self._free_name(name, mapping.lines[name], where)
            found[name] = ()
            if isinstance(entry, Scalar) and entry.text == "live":
                self.fault(entry.line, "live lists are not there yet", "write its values: [one, two]", where)
                continue
            values = self._texts(entry, where) or ()
            if len(values) > MAX_ENTRIES:
                self.fault(entry.line, f"a list has at most {MAX_ENTRIES} entries, this one {len(values)}", where=where)
            elif any(not value.strip() for value in values):
                self.fault(entry.line, "an entry is empty", where=where)
            else:
                found[name] = values
        self.lines.update({f"list {name}": line for name, line in mapping.lines.items()})
        return found

    def _tables(self) -> dict[str, dict[str, Decimal]]:
        mapping, found = self._mapping("tables"), {}
        for name, entry in mapping.items.items():
            where = f"table {name}"
            self._free_name(name, mapping.lines[name], where)
            found[name] = self._table(entry, where)
        self.lines.update({f"table {name}": line for name, line in mapping.lines.items()})
        return found

    def _table(self, entry: Entry, where: str) -> dict[str, Decimal]:
        if not isinstance(entry, Mapping) or len(entry.items) > MAX_ENTRIES:
            message = f"a table maps texts to numbers, at most {MAX_ENTRIES}"
            self.fault(entry.line, message, "for example {junior: 5000, senior: 20000}", where)
            return {}
        table = {}
        for key, value in entry.items.items():
            text = value.text if isinstance(value, Scalar) else ""
            if _EXACT.fullmatch(text):
                table[key] = Decimal(text.replace("_", ""))
            else:
                self.fault(
                    value.line, f"'{_cut(text)}' under '{_cut(key)}' is no plain number", "for example 5000.50", where
                )
        return table

    def _features(self) -> dict[str, str]:
        mapping, found = self._mapping("features"), {}
        for name, entry in mapping.items.items():
            where = f"feature {name}"
            self._free_name(name, mapping.lines[name], where)
            self.lines[where] = entry.line
            text = self._text(entry, where)
            if text is not None:
                found[name] = text
        return found

    # -- rules -----------------------------------------------------------------------------------------------------

    def _rules(self) -> tuple[Rule, ...]:
        entry = self.top.items.get("rules")
        if entry is None:
            return ()
        if not isinstance(entry, Sequence) or not entry.items or len(entry.items) > MAX_RULES:
            message = f"rules: is a list of one to {MAX_RULES} rules"
            self.fault(entry.line, message, "each begins with '- id: name'")
            return ()
        rules = [rule for item in entry.items if (rule := self._rule(item)) is not None]
        known = {rule.id for rule in rules}
        seen: set[str] = set()
        for rule in rules:
            where = f"rule {rule.id}"
            if rule.id in seen and rule.id != "?":
                self.fault(rule.line, f"another rule is called '{rule.id}' already", where=where)
            seen.add(rule.id)
            for other in rule.suppresses:
                if other not in known or other == rule.id:
                    what = "itself" if other == rule.id else f"unknown rule '{_cut(other)}'"
                    self.fault(rule.line, f"suppresses {what}", alike(other, known - {rule.id}), where)
        return tuple(rules)

    def _rule(self, entry: Entry) -> Rule | None:
        if not isinstance(entry, Mapping):
            self.fault(entry.line, "a rule is a mapping", "it begins with '- id: name'")
            return None
        items = entry.items
        id_ = self._rule_id(entry)
        where = f"rule {id_ or '?'}"
        self._keys(entry, _RULE_KEYS, where)
        when = self._text(items["when"], where) if "when" in items else None
        if "when" not in items:
            self.fault(entry.line, "its condition is missing", "write: when: amount > 10000", where)
        for key in ("when", "reason"):
            if key in items:
                self.lines.setdefault(where if key == "when" else f"{where}, reason", items[key].line)

        def text(key: str) -> str:
            return (self._text(items[key], where) or "") if key in items else ""

        outcome = self._one_of(items["outcome"], OUTCOMES, where) if "outcome" in items else None
        expires = self._instant(items["expires"], where) if "expires" in items else None
        rule = Rule(
            id=id_ or "?",
            when=when if when is not None else "True",
            reason=text("reason"),
            points=(self._integer(items["points"], -MAX_POINTS, MAX_POINTS, where) or 0) if "points" in items else 0,
            outcome=outcome,
            typology=text("typology"),
            owner=text("owner"),
            expires=expires,
            suppresses=(self._texts(items["suppresses"], where) or ()) if "suppresses" in items else (),
            tags=(self._texts(items["tags"], where) or ()) if "tags" in items else (),
            examples=self._examples(items["examples"], where) if "examples" in items else (),
            line=entry.line,
        )
        if outcome == "approve" and (not rule.owner or "expires" not in items):
            hint = "add owner: who answers for it, and expires: 2026-12-31"
            self.fault(entry.line, "a rule that forces approve needs an owner and an expiry", hint, where)
        return rule

    def _rule_id(self, entry: Mapping) -> str | None:
        if "id" not in entry.items:
            self.fault(entry.line, "a rule has no id", "begin it with '- id: name'")
            return None
        text = self._text(entry.items["id"])
        if text is not None and NAME.fullmatch(text):
            return text
        if text is not None:
            self.fault(entry.line, f"'{_cut(text)}' is no id", "ids have small letters a-z, digits and _")
        return None

    def _instant(self, entry: Entry, where: str) -> int | None:
        """UTC milliseconds of a date (its first moment) or time; naive ones are read in the ruleset's zone."""
        text = self._text(entry, where)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fault(
                entry.line, f"'{_cut(text)}' is no date", "for example 2026-12-31 or 2026-12-31T18:00:00Z", where
            )
            return None
        if moment.tzinfo is not None:
            return int(moment.astimezone(UTC).timestamp() * 1000)
        found = zones.utc_ms(moment, self.timezone)
        if found is None:
            self.fault(entry.line, f"'{_cut(text)}' does not exist in {self.timezone}", "clocks skipped it", where)
        return found

    # -- examples --------------------------------------------------------------------------------------------------

    def _examples(self, entry: Entry, where: str) -> tuple[Example, ...]:
        if not isinstance(entry, Sequence):
            self.fault(entry.line, "examples: is a list", "for example  - {amount: 12000, fires: true}", where)
            return ()
        found = (self._example(item, where) for item in entry.items)
        return tuple(example for example in found if example is not None)

    def _example(self, entry: Entry, where: str) -> Example | None:
        if not isinstance(entry, Mapping):
            self.fault(
                entry.line, "an example is a mapping of fields", "for example {amount: 12000, fires: true}", where
            )
            return None
        if "fires" not in entry.items:
            self.fault(
                entry.line, "this example does not say whether the rule fires", "add fires: true or false", where
            )
            return None
        fires = entry.items["fires"]
        if "stream" not in entry.items:
            fields = Mapping({k: v for k, v in entry.items.items() if k != "fires"}, entry.line, entry.lines)
            return Example(stream=(self._values(fields, where),), fires=(self._fires(fires, where),), line=entry.line)
        self._keys(entry, ("stream", "fires"), where)
        stream = entry.items["stream"]
        if not isinstance(stream, Sequence) or not isinstance(fires, Sequence) or len(stream.items) != len(fires.items):
            message = "stream: and fires: are two lists of the same length"
            self.fault(entry.line, message, "one true, false or unknown for each transaction", where)
            return None
        rows = tuple(self._values(row, where) for row in stream.items)
        return Example(stream=rows, fires=tuple(self._fires(item, where) for item in fires.items), line=entry.line)

    def _fires(self, entry: Entry, where: str) -> bool | None:
        text = self._one_of(entry, ("true", "false", "unknown", "True", "False"), where)
        return None if text in (None, "unknown") else text in ("true", "True")

    def _values(self, entry: Entry, where: str) -> dict[str, Any]:
        """What an example says about a transaction: text by field, typed later as any input is."""
        if not isinstance(entry, Mapping):
            self.fault(entry.line, "a transaction is a mapping of fields", "for example {amount: 12000}", where)
            return {}
        known = {*self._kinds(), "probability"}
        values: dict[str, Any] = {}
        for name, value in entry.items.items():
            if name not in known:
                line = entry.lines.get(name, entry.line)
                self.fault(line, f"the example names an unknown field '{_cut(name)}'", alike(name, known), where)
            text = self._text(value, where)
            if text is not None:
                values[name] = text
        return values


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _meant(key: str, allowed: tuple[str, ...]) -> str:
    """What to write instead of a key that other systems have."""
    for names, key_meant, hint in _ELSEWHERE:
        if key in names and key_meant in allowed:
            return hint
    return ""


def _ladder_hint(key: str, default: tuple[int, int]) -> str:
    first, second = (LEVELS if key == "levels" else OUTCOMES)[1:]
    return f"for example {key}: {{{first}: {default[0]}, {second}: {default[1]}}}"


def _dates(form: str) -> bool:
    """Whether a strptime format names day, month and year, and can be read at all."""
    if not all(any(part in form for part in parts) for parts in _DATE_PARTS):
        return False
    moment = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    try:
        datetime.strptime(moment.strftime(form), form)  # noqa: DTZ007  # only whether it can be read is asked
    except (ValueError, re.error):  # the second where a part stands twice
        return False
    return True


def _every_node(trees: Trees) -> Iterable[Node]:
    for root in (*trees.rules, *trees.features.values(), trees.score, trees.alert):
        yield from root.walk()


def _used(ruleset: Ruleset, trees: Trees) -> Iterable[str]:
    """Names of fields that expressions, reasons and examples use."""
    yield from fields_read(trees)
    yield from ruleset.shared
    yield from ruleset.example_defaults
    for rule in ruleset.rules:
        yield from (placeholder.name for placeholder in placeholders(rule.reason))
        yield from (name for example in rule.examples for row in example.stream for name in row)


_PERIODS_MS = {"day": 25 * 3_600_000, "week": 7 * DAY_MS + 3_600_000, "month": 31 * DAY_MS + 3_600_000}


def _longest(trees: Trees) -> tuple[int, bool]:
    """The length of the longest window, and whether one reaches back as far as there is history."""
    windows = [node for node in _every_node(trees) if isinstance(node, Window)]
    lengths = [w.last_ms or _PERIODS_MS.get(w.this or "", 0) for w in windows]
    return max(lengths, default=0), 0 in lengths


_SECTIONS = (
    "ruleset",
    "description",
    "currency",
    "timezone",
    "weekend",
    "night",
    "encoding",
    "delimiter",
    "fields",
    "attributes",
    "lists",
    "tables",
    "features",
    "rules",
    "example_defaults",
    "levels",
    "outcomes",
    "score",
    "alert",
    "on_degraded",
    "retention",
    "lateness",
    "shared",
)
_MISSING = {
    "ruleset": "begin with: ruleset: name",
    "currency": "for example currency: USD",
    "rules": "for example  rules: [{id: high_amount, when: amount > 10000, points: 40}]",
}
_ELSEWHERE = (  # keys that people try, the key that serves here, and what to write
    (
        ("decimal", "decimal_separator", "decimal_sign", "decimal_point", "decimal_comma"),
        "thousands",
        'thousands: "." makes the comma the decimal sign; decimals: says how many digits there are behind it',
    ),
    (("column", "columns", "source", "header"), "from", "write from: and the column's name"),
    (("date_format", "datetime_format", "pattern", "strptime"), "format", 'write format: "%d/%m/%Y %H:%M"'),
    (("separator", "sep"), "delimiter", 'write delimiter: ";"'),
    (("condition", "if", "expression"), "when", "write when: amount > 10000"),
    (("score", "weight"), "points", "write points: 40"),
)
_NOT_YET_KEYS = frozenset({"model", "rates"})
_FOR_KINDS = {
    "format": ("time",),
    "decimals": ("number",),
    "thousands": ("money", "number"),
    "strip": ("money", "number"),
}
