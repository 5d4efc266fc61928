"""A ruleset proves itself: each rule's examples are typed, folded and decided like any input, on fresh histories.

An example's values are text by field name. What it does not name comes from `example_defaults`; a time alone
("10:00:20") is that time on the defaults' day; ids are made up; `probability` stands for what a model would say.
`fires: false` means the rule does not fire, whatever keeps it from it; `fires: unknown` that something is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite
from typing import Any

import msgspec

from fraudline.domain.ruleset import Example, FieldSpec, Rule, Ruleset
from fraudline.domain.transaction import Records
from fraudline.engine import facts
from fraudline.engine.cards import Tokens
from fraudline.engine.compile import Program, program
from fraudline.engine.decide import decide, state_for
from fraudline.engine.intake import Intake

UNKNOWN, FIRED, SUPPRESSED = 1, 2, 3  # states of a rule in the facts; 0 is false

_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?")
_DAY = re.compile(r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ][0-9:.]+)?(?P<zone>Z|[+-][0-9:]+)?")
_TOKENS = Tokens(b"examples hold no secrets")
_NO_END = 2**62  # examples may lie in any year


class ExampleResult(msgspec.Struct, frozen=True):
    """How one example of a rule went. `got` holds None for unknown; `problem` says why nothing could be run."""

    rule: str
    number: int
    line: int
    expected: tuple[bool | None, ...]
    got: tuple[bool | None, ...] = ()
    problem: str = ""

    def wrong(self) -> list[int]:
        """Positions of the transactions on which the rule did not do what the example says, from 0."""
        pairs = zip(self.expected, self.got, strict=False)
        return [at for at, (wanted, got) in enumerate(pairs) if not _agree(wanted, got)]

    @property
    def passed(self) -> bool:
        """True where the rule did what the example says, on every transaction."""
        return not self.problem and not self.wrong()

    def __str__(self) -> str:
        place = f"rule {self.rule}, example {self.number}" + (f" (line {self.line})" if self.line else "")
        if self.problem:
            return f"{place}: {self.problem}"
        wrong = self.wrong()
        if not wrong:
            return f"{place}: as expected"
        said = [_said(at, self.expected[at], self.got[at], len(self.expected)) for at in wrong]
        return f"{place}: " + "; ".join(said)


def run(ruleset: Ruleset) -> list[ExampleResult]:
    """The result of every example, rule by rule.

    Raises RulesetError where the ruleset's expressions are not valid.
    """
    compiled = program(ruleset)
    intake = Intake(_by_name(ruleset), received_at=_NO_END, tokens=_TOKENS)
    return [
        _result(compiled, intake, position, rule, number, example)
        for position, rule in enumerate(ruleset.rules)
        for number, example in enumerate(rule.examples, start=1)
    ]


def _result(
    compiled: Program, intake: Intake, position: int, rule: Rule, number: int, example: Example
) -> ExampleResult:
    result = ExampleResult(rule=rule.id, number=number, line=example.line, expected=example.fires)
    rows = list(_rows(example, compiled.ruleset.example_defaults))
    names = sorted({name for row in rows for name in row})
    records = Records(list(range(1, len(rows) + 1)), {name: [row.get(name) for row in rows] for name in names})
    batch, rejected = intake.read(records)
    if rejected:
        first = rejected[0]
        at = f"transaction {first.line}: " if len(rows) > 1 else ""
        value = f", not {first.value!r}" if first.value else ""
        return msgspec.structs.replace(result, problem=f"{at}{first.reason}{value}")
    try:
        probability = [_probability(row.get("probability")) for row in rows]
    except ValueError as error:
        return msgspec.structs.replace(result, problem=str(error))
    # Received before time began: a rule that has expired since still shows what it meant.
    decided = decide(compiled, batch, state_for(compiled), received_at=-_NO_END, probability=probability)
    return msgspec.structs.replace(result, got=tuple(_state(row, position) for row in decided.facts))


def _by_name(ruleset: Ruleset) -> Ruleset:
    """The same ruleset for input whose columns are already named like its fields, in plain form."""

    def plain(spec: FieldSpec) -> FieldSpec:
        return msgspec.structs.replace(spec, column=spec.name, format=None, generate=None, thousands="", strip="")

    return msgspec.structs.replace(ruleset, fields=tuple(plain(spec) for spec in ruleset.fields))


def _rows(example: Example, defaults: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each transaction of an example, complete."""
    for number, values in enumerate(example.stream, start=1):
        row = {"id": f"example-{number:04}", **defaults, **values}
        if "occurred_at" in row:
            row["occurred_at"] = _moment(str(row["occurred_at"]), str(defaults.get("occurred_at", "")))
        yield row


def _moment(text: str, default: str) -> str:
    """A time alone is put on the defaults' day, in the defaults' zone."""
    day = _DAY.fullmatch(default)
    if day is None or not _TIME.fullmatch(text):
        return text
    seconds = "" if text.count(":") > 1 else ":00"
    return f"{day['day']}T{text}{seconds}{day['zone'] or ''}"


def _probability(text: Any) -> float | None:
    if text is None or text == "":
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value) or not 0 <= value <= 1:
        raise ValueError(f"probability is a number from 0 to 1, not {text!r}")
    return value


def _state(row: bytes, position: int) -> bool | None:
    state = facts.state_of(row, position)
    return None if state == UNKNOWN else state in (FIRED, SUPPRESSED)


def _agree(wanted: bool | None, got: bool | None) -> bool:
    return wanted == got or (wanted is False and got is None)


def _said(at: int, wanted: bool | None, got: bool | None, of: int) -> str:
    where = f"on transaction {at + 1} " if of > 1 else ""
    should = {True: "should fire", False: "should not fire", None: "should be unknown"}[wanted]
    does = {True: "fires", False: "does not fire", None: "is unknown, something it looks at is missing"}[got]
    return f"{where}it {should}, but {does}"
