"""A ruleset's YAML becomes a Ruleset, or the list of everything that is wrong with it, each with its line."""

from __future__ import annotations

import time
from decimal import Decimal
from importlib import resources

import pytest

from fraudline.domain.errors import Problem, RulesetError
from fraudline.domain.ruleset import DAY_MS, Example, FieldSpec, Ruleset, from_canonical
from fraudline.domain.transaction import FIELDS
from fraudline.engine import check
from fraudline.engine.expression import trees

HEAD = "ruleset: test\ncurrency: USD\n"
RULES = "rules:\n  - {id: big, when: amount > 10, points: 5}\n"

EVERYTHING = """\
ruleset: employee-expenses
description: Suspicious spending
currency: INR
timezone: Asia/Kolkata
weekend: [Saturday, sunday]
night: "22:00-06:00"
encoding: CP1252
delimiter: tab
fields:
  id: {generate: content}
  account: employee_id
  occurred_at: {from: Date, format: "%d/%m/%Y"}
  amount: {from: Amount, thousands: ",", strip: "₹ "}
  location: {geocode: city}
attributes:
  department: text
  opened_at: {type: time, from: "Opened at"}
  items: {type: number, decimals: 0}
lists:
  words: ["gift*", gaming, NO, 0742]
tables:
  monthly_limit: {junior: 5000, senior: 20_000.50}
features:
  usual_amount: avg(amount, by=account, last="90d", prior=True)
rules:
  - id: high_amount
    when: amount > 10000
    points: 40
    reason: "{amount} is above {amount:limit}"
    typology: high_amount
    tags: [amount, simple]
    suppresses: [rapid]
    examples:
      - {amount: 10000.01, fires: true}
      - {amount: 0010000, device: NO, fires: false}
  - id: rapid
    when: >-
      count(by=account, last="1m") > 3
      and items > 0
    points: 40
    reason: "{count} in a minute, at {local_time}"
    examples:
      - stream: [{occurred_at: "10:00:00"}, {occurred_at: 10:00:20, probability: 0.5}]
        fires: [false, unknown]
  - id: trusted
    when: has_word(description, words) and is_new(payee, by=card, of=device)
    outcome: approve
    owner: Ann
    expires: 2026-12-31
    reason: "{matched} for {merchant}"
example_defaults: {account: E1, amount: 100}
levels: {medium: 20, high: 50}
outcomes: {review: 30, decline: 101}
score: max(points, round(100 * probability))
alert: level == "high" or amount > 10000
on_degraded: decline
retention: 300d
lateness: 12h
shared: [merchant]
"""


def errors(text: str) -> list[Problem]:
    """The errors of a ruleset that must be refused."""
    ruleset, problems = check.read(text, "r.yaml")
    assert ruleset is None
    return [problem for problem in problems if problem.severity == "error"]


def said(text: str) -> list[str]:
    """The errors with their lines, as `line: where: message (suggestion)`, place of the caret left out."""
    return [f"{p.line}: {p.where + ': ' if p.where else ''}{p.message} ({p.suggestion})" for p in errors(text)]


def test_everything_a_ruleset_can_say_is_read() -> None:
    ruleset = check.load(EVERYTHING)
    assert (ruleset.name, ruleset.currency, ruleset.timezone) == ("employee-expenses", "INR", "Asia/Kolkata")
    assert (ruleset.weekend, ruleset.night) == ((6, 7), (22 * 60, 6 * 60))
    assert (ruleset.encoding, ruleset.delimiter) == ("cp1252", "\t")
    assert (ruleset.levels, ruleset.outcomes) == ((20, 50), (30, 101))
    assert (ruleset.retention_ms, ruleset.lateness_ms) == (300 * DAY_MS, DAY_MS // 2)
    assert (ruleset.on_degraded, ruleset.shared) == ("decline", ("merchant",))
    assert ruleset.tables == {"monthly_limit": {"junior": Decimal(5000), "senior": Decimal("20000.50")}}
    assert ruleset.example_defaults == {"account": "E1", "amount": "100"}
    high, rapid, trusted = ruleset.rules
    assert (high.points, high.typology, high.tags, high.suppresses) == (
        40,
        "high_amount",
        ("amount", "simple"),
        ("rapid",),
    )
    assert rapid.when == 'count(by=account, last="1m") > 3 and items > 0'
    assert (trusted.outcome, trusted.owner, trusted.expires) == ("approve", "Ann", 1798655400000)  # midnight in India
    assert trees(ruleset).rules


def test_values_that_yaml_would_guess_stay_text() -> None:
    ruleset = check.load(EVERYTHING)
    assert ruleset.lists == {"words": ("gift*", "gaming", "NO", "0742")}
    high, rapid, _ = ruleset.rules
    assert high.examples[1] == Example(stream=({"amount": "0010000", "device": "NO"},), fires=(False,), line=35)
    stream = ({"occurred_at": "10:00:00"}, {"occurred_at": "10:00:20", "probability": "0.5"})
    assert rapid.examples == (Example(stream=stream, fires=(False, None), line=43),)


def test_fields_are_the_required_the_declared_the_standard_and_the_attributes() -> None:
    ruleset = check.load(EVERYTHING)
    first = ("id", "occurred_at", "amount", "account", "location")  # required, declared
    own = ("department", "opened_at", "items")
    standard = tuple(name for name in FIELDS if name not in first)
    assert tuple(spec.name for spec in ruleset.fields) == (*first, *standard, *own)
    specs = {spec.name: spec for spec in ruleset.fields}
    assert specs["id"].generate == "content"
    assert specs["occurred_at"] == FieldSpec(name="occurred_at", kind="time", column="Date", format="%d/%m/%Y")
    assert specs["amount"] == FieldSpec(name="amount", kind="money", column="Amount", thousands=",", strip="₹ ")
    assert specs["location"] == FieldSpec(name="location", kind="text", column="location", geocode="city")
    assert specs["device"] == FieldSpec(name="device", kind="text", column="device")
    assert specs["opened_at"] == FieldSpec(name="opened_at", kind="time", column="Opened at", attribute=True)
    assert specs["items"].decimals == 0


def test_a_column_that_another_field_is_read_from_is_read_once() -> None:
    text = HEAD + "attributes: {shop: {type: text, from: merchant}}\nrules: [{id: big, when: amount > 1}]\n"
    assert "merchant" not in {spec.name for spec in check.load(text).fields}
    used = text.replace("amount > 1", "is_missing(merchant)")
    assert "merchant" in {spec.name for spec in check.load(used).fields}


def test_the_canonical_form_of_what_was_read_is_read_again() -> None:
    ruleset = check.load(EVERYTHING)
    assert from_canonical(ruleset.canonical()).sha256() == ruleset.sha256()
    assert check.load("# a comment moves every line\n" + EVERYTHING).sha256() == ruleset.sha256()


@pytest.mark.parametrize("name", ["expenses", "payments", "cards"])
def test_shipped_rulesets_have_no_error_and_no_warning(name: str) -> None:
    text = resources.files("fraudline.rulesets").joinpath(f"{name}.yaml").read_text("utf-8")
    ruleset, problems = check.read(text, f"{name}.yaml")
    assert isinstance(ruleset, Ruleset)
    assert [str(problem) for problem in problems] == []


def test_all_errors_are_told_at_once_with_file_line_caret_and_suggestion() -> None:
    text = """\
ruleset: test
currency: USD
levles: {medium: 30, high: 60}
rules:
  - id: rapid
    points: 5
    when: count(by=acount, last="1m") > 3
  - id: big
    when: amuont > 10000
    reason: "{amount}"
    examples: [{acount: E1, fires: true}]
"""
    with pytest.raises(RulesetError) as refused:
        check.load(text, "rulesets/test.yaml")
    assert (
        str(refused.value)
        == """\
rulesets/test.yaml:3: unknown key 'levles' (did you mean 'levels'?)
rulesets/test.yaml:7: rule rapid: unknown field 'acount'
    count(by=acount, last="1m") > 3
             ^^^^^^  did you mean 'account'?
rulesets/test.yaml:9: rule big: unknown field 'amuont'
    amuont > 10000
    ^^^^^^  did you mean 'amount'?
rulesets/test.yaml:11: rule big: the example names an unknown field 'acount' (did you mean 'account'?)"""
    )


@pytest.mark.parametrize("form", ["epoch_s", "epoch_ms", "%d.%m.%y", "%b %d, %Y %I:%M %p", "%Y%m%d"])
def test_formats_of_times(form: str) -> None:
    ruleset = check.load(HEAD + RULES + f'fields: {{occurred_at: {{from: at, format: "{form}"}}}}\n')
    spec = ruleset.spec("occurred_at")
    assert (spec and spec.format) == form


# What is put after HEAD and RULES (four lines) -> what is said.
WRONG = {
    "model: m1": ["5: 'model:' is not there yet (leave it out)"],
    "timezone: Asia/Kolkatta": ["5: unknown time zone 'Asia/Kolkatta' (did you mean 'Asia/Kolkata'?)"],
    "timezone: +05:30": ["5: unknown time zone '+05:30' (for example Asia/Kolkata)"],
    "weekend: [saturday, sonday]": ["5: 'sonday' is no day of the week (did you mean 'sunday'?)"],
    "weekend: saturday": ["5: this must be a list (write it in brackets: [one, two])"],
    "night: 22-06": ['5: night: is a span of hours and minutes (for example "22:00-06:00")'],
    'night: "22:00-22:00"': ['5: night: is a span of hours and minutes (for example "22:00-06:00")'],
    "retention: long": ["5: this must be a length of time of ten years at most (for example 200d, 12h, 2w)"],
    "levels: {medium: 60, high: 30}": [
        "5: levels: 'medium' must be below 'high' (for example levels: {medium: 30, high: 60})"
    ],
    "levels: {medium: 60}": ["5: levels: 'high' is missing (for example levels: {medium: 30, high: 60})"],
    "levels: {medium: 60, hihg: 70, high: 80}": ["5: levels: unknown key 'hihg' (did you mean 'high'?)"],
    "outcomes: {review: 4.5, decline: 90}": ["5: outcomes: this must be a whole number from 0 to 1000 ()"],
    "on_degraded: ignore": ["5: 'ignore' is not known here (one of review, decline, continue)"],
    "shared: [merchnt]": ["5: shared: 'merchnt' is no text field (did you mean 'merchant'?)"],
    "shared: [amount]": ["5: shared: 'amount' is no text field (an entity is a text field, as merchant)"],
    "encoding: utf-9": ["5: unknown encoding 'utf-9' (for example utf-8, utf-16, cp1252, latin-1)"],
    "encoding: base64": ["5: unknown encoding 'base64' (for example utf-8, utf-16, cp1252, latin-1)"],
    "delimiter: ab": ["5: a delimiter is one character (for example ';', '|' or tab)"],
    "score: level": ["5: score: 'level' cannot stand here (it stands only in alert:)"],
    "score: amount": ["5: score: this is money, but a number is needed ()"],
    'alert: level == "hihg"': ["5: alert: level is never 'hihg' (did you mean 'high'?)"],
    "fields: {acount: a}": ["5: unknown field 'acount' (did you mean 'account'?)"],
    "fields: {department: a}": ["5: unknown field 'department' (columns of your own are declared under attributes:)"],
    "fields: {account: {formt: a}}": ["5: field account: unknown key 'formt' (did you mean 'format'?)"],
    "fields: {account: {geocode: city}}": ["5: field account: 'geocode:' is for location only ()"],
    "fields: {account: {generate: row}}": ["5: field account: 'generate:' is for id only ()"],
    "fields: {id: {generate: hash}}": ["5: field id: 'hash' is not known here (one of content, row)"],
    "fields: {account: {decimals: 2}}": ["5: field account: 'decimals:' is for number, and this is text ()"],
    'fields: {occurred_at: {format: "%H:%M"}}': [
        "5: field occurred_at: format '%H:%M' does not give day, month and year"
        ' (for example "%d/%m/%Y", "%Y-%m-%d %H:%M:%S", or epoch_s)'
    ],
    'fields: {amount: {decimal: ","}}': [
        "5: field amount: unknown key 'decimal' "
        '(thousands: "." makes the comma the decimal sign; decimals: says how many digits there are behind it)'
    ],
    "fields: {occurred_at: {from: [Date, Time]}}": [
        "5: field occurred_at: a field is read from one column (join them before, in the program that writes the file)"
    ],
    "fields: {account: [A, B]}": [
        "5: field account: a field is read from one column (join them before, in the program that writes the file)"
    ],
    "fields: {account: {column: A}}": ["5: field account: unknown key 'column' (write from: and the column's name)"],
    "separator: ;": ["5: unknown key 'separator' (write delimiter: \";\")"],
    "attributes: {grade: string}": [
        "5: attribute grade: 'string' is not known here (one of text, number, money, boolean, time)"
    ],
    "attributes: {grade: {from: x}}": [
        "5: attribute grade: its type is missing (type: one of text, number, money, boolean, time)"
    ],
    "attributes: {Grade: text}": [
        "5: attribute Grade: 'Grade' is no name (names have small letters a-z, digits and _)"
    ],
    "attributes: {account: text}": [
        "5: attribute account: 'account' is the name of a field already (choose another name)"
    ],
    "attributes: {count: text}": [
        "5: attribute count: 'count' means something in the language already (choose another name)"
    ],
    "attributes: {a: text}\nlists: {a: [b]}": [
        "6: list a: 'a' is the name of attribute a already (choose another name)"
    ],
    "lists: {blocked: live}": ["5: list blocked: live lists are not there yet (write its values: [one, two])"],
    'lists: {blocked: [""]}': ["5: list blocked: an entry is empty ()"],
    "lists: {blocked: [" + "a, " * 10_001 + "]}": [
        "5: list blocked: a list has at most 10000 entries, this one 10001 ()"
    ],
    "lists: [a]": ["5: lists: must be a mapping of names (for example  name: value)"],
    "tables: {limits: {junior: 1e5}}": [
        "5: table limits: '1e5' under 'junior' is no plain number (for example 5000.50)"
    ],
    "tables: {limits: [a]}": [
        "5: table limits: a table maps texts to numbers, at most 10000 (for example {junior: 5000, senior: 20000})"
    ],
    "features: {a: b + 1, b: a + 1}": ["5: feature a: features use each other in a circle: a -> b -> a ()"],
    "currency: EUR": ["5: 'currency' stands twice, first in line 2 ()"],
    "example_defaults: {acount: E1}": [
        "5: example_defaults: the example names an unknown field 'acount' (did you mean 'account'?)"
    ],
}


@pytest.mark.parametrize(("line", "expected"), WRONG.items(), ids=[text[:50] for text in WRONG])
def test_what_is_wrong_in_a_section(line: str, expected: list[str]) -> None:
    assert said(HEAD + RULES + line + "\n") == expected


# What is put into the one rule, besides its id and condition -> what is said.
WRONG_RULES = {
    "poinst: 5": "unknown key 'poinst' (did you mean 'points'?)",
    "points: many": "this must be a whole number from -1000 to 1000 ()",
    "outcome: reject": "'reject' is not known here (one of approve, review, decline)",
    "outcome: approve": (
        "a rule that forces approve needs an owner and an expiry"
        " (add owner: who answers for it, and expires: 2026-12-31)"
    ),
    "expires: soon": "'soon' is no date (for example 2026-12-31 or 2026-12-31T18:00:00Z)",
    "suppresses: [bgi]": "suppresses unknown rule 'bgi' ()",
    "suppresses: [big]": "suppresses itself ()",
    "reason: {amount}": 'this must be a text (write it in quotes: "{amount}")',
    'reason: "{amuont}"': "unknown value 'amuont' (did you mean 'amount'?)",
    'reason: "{count}"': (
        "the condition has no count(...) (a window inside a named feature is said by the feature's name)"
    ),
    'reason: "{matched}"': "the condition searches no text, so nothing is matched ()",
    'reason: "{account:limit}"': "the condition compares 'account' with no constant (write {account} alone)",
    'reason: "{amount"': "this brace belongs to no {name} or {name:limit} ()",
    "examples: {amount: 3}": "examples: is a list (for example  - {amount: 12000, fires: true})",
    "examples: [{amount: 3}]": "this example does not say whether the rule fires (add fires: true or false)",
    "examples: [{amount: 3, fires: maybe}]": "'maybe' is not known here (one of true, false, unknown, True, False)",
    "examples: [{stream: [{amount: 3}], fires: true}]": (
        "stream: and fires: are two lists of the same length (one true, false or unknown for each transaction)"
    ),
    "examples: [{stream: [{amount: 3}], fires: [true, false]}]": (
        "stream: and fires: are two lists of the same length (one true, false or unknown for each transaction)"
    ),
}


@pytest.mark.parametrize(("line", "expected"), WRONG_RULES.items())
def test_what_is_wrong_in_a_rule(line: str, expected: str) -> None:
    (found,) = errors(HEAD + f"rules:\n  - id: big\n    when: amount > 10\n    {line}\n")
    assert found.where in ("rule big", "rule big, reason")
    assert f"{found.message} ({found.suggestion})" == expected


def test_a_fault_in_a_reason_is_underlined() -> None:
    (found,) = errors(HEAD + 'rules:\n  - id: big\n    when: amount > 10\n    reason: "Is {amuont} ok?"\n')
    assert (found.line, found.start, found.end) == (6, 3, 11)


def test_what_a_ruleset_must_have() -> None:
    assert said("description: nothing else\n") == [
        "1: 'ruleset:' is missing (begin with: ruleset: name)",
        "1: 'currency:' is missing (for example currency: USD)",
        "1: 'rules:' is missing (for example  rules: [{id: high_amount, when: amount > 10000, points: 40}])",
    ]
    assert said("ruleset: Test One\ncurrency: usd\nrules: []\n") == [
        "1: 'Test One' is no name for a ruleset (use small letters, digits, - and _)",
        "2: 'usd' is no currency of ISO 4217 (did you mean 'USD'?)",
        "3: rules: is a list of one to 1000 rules (each begins with '- id: name')",
    ]
    assert [
        p.message for p in errors(HEAD + "rules: [{when: amount > 1}, {id: a}, {id: A, when: amount > 1}, b]\n")
    ] == [
        "a rule has no id",
        "its condition is missing",
        "'A' is no id",
        "a rule is a mapping",
    ]
    twice = "rules: [{id: a, when: amount > 1}, {id: a, when: amount > 2}]\n"
    assert said(HEAD + twice) == ["3: rule a: another rule is called 'a' already ()"]


@pytest.mark.parametrize(
    ("window", "said_retention", "expected_days"),
    [
        ('last="30d"', "", 32),
        ('last="30s"', "lateness: 1h\n", 1),
        ("prior=True", "", 200),
        ('last="300d"', "", 302),
        ('this="month"', "retention: 34d\n", 34),
        ('last="30d"', "retention: 32d\n", 32),
    ],
)
def test_retention_is_enough_for_the_longest_window_and_lateness(
    window: str, said_retention: str, expected_days: int
) -> None:
    text = HEAD + f"rules: [{{id: r, when: 'count(by=account, {window}) > 3'}}]\n" + said_retention
    assert check.load(text).retention_ms == expected_days * DAY_MS


def test_a_retention_that_is_too_short_is_refused() -> None:
    text = HEAD + "rules: [{id: r, when: 'count(by=account, last=\"30d\") > 3'}]\nretention: 31d\n"
    assert said(text) == ["4: retention is shorter than the longest window plus lateness (write: retention: 32d)"]


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ("2026-12-31", 1798655400000),
        ("2026-12-31T18:00:00Z", 1798740000000),
        ("2026-12-31 18:00", 1798720200000),
        ("2026-12-31T18:00:00+01:00", 1798736400000),
    ],
)
def test_expiry_is_read_in_the_zone_of_the_ruleset(value: str, milliseconds: int) -> None:
    text = HEAD + f"timezone: Asia/Kolkata\nrules: [{{id: r, when: amount > 1, expires: '{value}'}}]\n"
    assert check.load(text).rules[0].expires == milliseconds


def test_hostile_documents_are_refused_quickly() -> None:
    began = time.perf_counter()
    hostile = [
        "a: " + "[" * 20_000,
        "{" * 20_000,
        "- " * 20_000,
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "a: !!python/object/apply:os.system ['true']\n",
        "a" * 1_000_001,
        "? " * 3000,
        "\x00",
        "\ud800",
        HEAD + "rules:\n" + "".join(f"  - {{id: r{n}, when: amount > {n}}}\n" for n in range(1_001)),
        HEAD + f"rules: [{{id: r, when: '{'(' * 5000}'}}]",
    ]
    for text in hostile:
        ruleset, problems = check.read(text)
        assert ruleset is None
        assert problems
        assert all(len(str(problem)) < 10_000 for problem in problems)
    assert time.perf_counter() - began < 3
