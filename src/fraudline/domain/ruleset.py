"""One immutable version of fields, lists, features, rules and thresholds, as data.

A `Ruleset` holds the text of its expressions; `engine.check` makes it from YAML, `engine.compile` turns it into
something that decides. It is known by the SHA-256 of its canonical JSON.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import msgspec

from fraudline.domain.errors import UsageError
from fraudline.domain.transaction import FIELDS, Kind

DAY_MS = 86_400_000
IN_YOUR_COPY = "in your own copy of the ruleset (fraudline rules show NAME --format yaml prints it)"


class FieldSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one column of the input becomes a field or attribute of the transaction.

    `column` is the input's name for it; `format` a strptime pattern for times; `generate` is "content" or "row" for
    ids the input does not carry; `geocode` "city" adds latitude and longitude; `decimals` makes a number exact.
    `thousands` and `strip` say what an amount may be written with, for instance "," and "₹ ".
    """

    name: str
    kind: Kind
    column: str
    format: str | None = None
    generate: str | None = None
    geocode: str | None = None
    decimals: int | None = None
    thousands: str = ""
    strip: str = ""
    attribute: bool = False


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Transactions in order, and whether the rule fires on each (None: unknown)."""

    stream: tuple[dict[str, Any], ...]
    fires: tuple[bool | None, ...]
    line: int = 0


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Condition + points or a forced outcome + reason. `expires` is UTC milliseconds."""

    id: str
    when: str
    reason: str = ""
    points: int = 0
    outcome: str | None = None
    typology: str = ""
    owner: str = ""
    expires: int | None = None
    suppresses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    line: int = 0


class Ruleset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole ruleset. `fields` lists every field and attribute it declares or its expressions use, id first.

    `weekend` holds ISO weekdays (Monday 1); `night` minutes of the day (start, end), wrapping midnight;
    `levels` is (medium, high), `outcomes` (review, decline), both least scores; durations are milliseconds.
    `shared` are entities that are not the partition key. Tables map text to exact numbers.
    """

    name: str
    currency: str
    fields: tuple[FieldSpec, ...]
    rules: tuple[Rule, ...]
    description: str = ""
    timezone: str = "UTC"
    weekend: tuple[int, ...] = (6, 7)
    night: tuple[int, int] = (22 * 60, 6 * 60)
    lists: dict[str, tuple[str, ...]] = {}
    tables: dict[str, dict[str, Decimal]] = {}
    features: dict[str, str] = {}
    levels: tuple[int, int] = (30, 60)
    outcomes: tuple[int, int] = (40, 90)
    score: str = "max(points, round(100 * probability))"
    alert: str = 'level == "high"'
    on_degraded: str = "review"
    retention_ms: int = 200 * DAY_MS
    lateness_ms: int = 2 * DAY_MS
    shared: tuple[str, ...] = ()
    encoding: str = "utf-8"
    delimiter: str | None = None
    example_defaults: dict[str, Any] = {}

    def canonical(self) -> bytes:
        """Canonical JSON: sorted keys, no source lines; what the version's hash is taken over."""
        plain = msgspec.structs.replace(
            self,
            rules=tuple(
                msgspec.structs.replace(
                    rule, line=0, examples=tuple(msgspec.structs.replace(e, line=0) for e in rule.examples)
                )
                for rule in self.rules
            ),
        )
        return msgspec.json.encode(plain, order="deterministic")

    def sha256(self) -> str:
        """The version's identity, in hex."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def version(self) -> str:
        """`name@sha256`, the sha cut to 12 characters: for people."""
        return f"{self.name}@{self.sha256()[:12]}"

    def spec(self, name: str) -> FieldSpec | None:
        """How this field or attribute is declared; None where it is not."""
        return next((spec for spec in self.fields if spec.name == name), None)

    def kind(self, name: str) -> Kind | None:
        """The kind of a field or attribute: declared, or that of the standard field."""
        spec = self.spec(name)
        return spec.kind if spec else FIELDS.get(name)


def require_readable(before: Ruleset, ruleset: Ruleset) -> None:
    """Refuse a version that could not read what `before` stored: a log has one currency, and each field one kind.

    Raises UsageError.
    """
    if before.currency != ruleset.currency:
        raise UsageError(
            f"The log of {ruleset.name} holds amounts in {before.currency}, so a version in {ruleset.currency} cannot "
            "decide in it. Give the ruleset another name, or use another --workspace."
        )
    for spec in ruleset.fields:
        stored = before.spec(spec.name)
        if stored is not None and (stored.kind, stored.decimals) != (spec.kind, spec.decimals):
            raise UsageError(
                f"The log of {ruleset.name} holds {spec.name} as {_stored_as(stored)}, so a version that has it as "
                f"{_stored_as(spec)} cannot decide in it. Give {spec.name} another name, or the ruleset."
            )


def _stored_as(spec: FieldSpec) -> str:
    return spec.kind if spec.decimals is None else f"{spec.kind} of {spec.decimals} decimals"


def from_canonical(body: bytes) -> Ruleset:
    """The ruleset that `canonical` wrote.

    Raises msgspec.ValidationError where the bytes are not such a document.
    """
    return msgspec.json.decode(body, type=Ruleset)
