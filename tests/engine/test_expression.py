"""Expressions: what is understood, what is refused and exactly where, and that hostile text does nothing."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fraudline.domain.errors import RulesetError
from fraudline.domain.ruleset import FieldSpec, Rule, Ruleset
from fraudline.domain.transaction import FIELDS
from fraudline.engine import syntax
from fraudline.engine.expression import Scope, parse, trees, unparse
from fraudline.engine.tree import (
    And,
    Arithmetic,
    Call,
    Compare,
    Current,
    Feature,
    Field,
    Literal,
    Member,
    Negative,
    Node,
    Not,
    Or,
    Special,
    Type,
    Window,
)

SCOPE = Scope(
    kinds={**FIELDS, "opened_at": "time", "is_cash": "boolean", "grade": "text", "items": "number", "weight": "number"},
    decimals={"items": 0},
    lists={"offices": ("delhi", "mumbai"), "sizes": ("100", "250.50"), "nobody": ()},
    tables={"monthly_limit": {"junior": Decimal(5000)}},
    features={"usual_amount": Window(type=Type.NUMBER, function="avg", value="amount", by=("account",))},
)

# what is written -> its canonical text
GOOD = {
    "amount > 10_000": "amount > 10000",
    "amount>10000.50": "amount > 10000.5",
    "(amount > 1)": "amount > 1",
    "0 < amount <= 10": "0 < amount and amount <= 10",
    "not amount > 1 or is_cash": "not amount > 1 or is_cash",
    "is_cash == True": "is_cash == True",
    "(is_cash or amount > 1) and not(is_cash and amount > 2)": (
        "(is_cash or amount > 1) and not (is_cash and amount > 2)"
    ),
    "amount > -5": "amount > -5",
    "amount - (balance - 3) * 2 > 0": "amount - (balance - 3) * 2 > 0",
    "(amount + 3) * 2 > 0": "(amount + 3) * 2 > 0",
    "amount / balance > .9": "amount / balance > 0.9",
    "-(amount - balance) > 0": "-(amount - balance) > 0",
    "country == 'US'": 'country == "US"',
    'description == "it\'s \\"x\\""': 'description == "it\'s \\"x\\""',
    "country in ('US',)": 'country in ("US",)',
    "country not in ['US', 'DE']": 'country not in ("US", "DE")',
    "location in offices": "location in offices",
    "amount in sizes": "amount in sizes",
    "hour() in (1, 2, 3)": "hour() in (1, 2, 3)",
    "not location in offices": "not location in offices",
    "since(opened_at) < days(7)": "since(opened_at) < days(7)",
    "occurred_at - opened_at < hours(2)": "occurred_at - opened_at < hours(2)",
    "since(opened_at) > minutes(90)": "since(opened_at) > minutes(90)",
    "since(opened_at) > minutes(120)": "since(opened_at) > hours(2)",
    "since(opened_at) * 2 > days(1) + hours(1)": "since(opened_at) * 2 > days(1) + hours(1)",
    "since(opened_at) / days(1) > 3": "since(opened_at) / days(1) > 3",
    "occurred_at > opened_at": "occurred_at > opened_at",
    "usual_amount * 3 < amount": "usual_amount * 3 < amount",
    "amount - usual_amount > 500": "amount - usual_amount > 500",
    "probability > 0.8": "probability > 0.8",
    "max(amount, 3) > min(balance, 2, 1)": "max(amount, 3) > min(balance, 2, 1)",
    "coalesce(country, 'none') == 'none'": 'coalesce(country, "none") == "none"',
    "is_missing(balance)": "is_missing(balance)",
    "is_round(amount, 100) and abs(amount) > log10(amount)": "is_round(amount, 100) and abs(amount) > log10(amount)",
    "lookup(monthly_limit, grade) < amount": "lookup(monthly_limit, grade) < amount",
    "has_word(description, offices)": "has_word(description, offices)",
    "contains_any(lower(description), ['a', 'b'])": 'contains_any(lower(description), ("a", "b"))',
    "starts_with(mcc, '49')": 'starts_with(mcc, ("49",))',
    r"matches(description, r'\bgift\b')": r'matches(description, "\\bgift\\b")',
    r"matches(description, '\d+')": r'matches(description, "\\d+")',
    "distance_km(latitude, longitude, 1.5, 2) > 3": "distance_km(latitude, longitude, 1.5, 2) > 3",
    "count(by=account, last='60s') > 3": 'count(by=account, last="1m") > 3',
    "count(by=account, last='2w') > 3": 'count(by=account, last="14d") > 3',
    "count(by=account, last='1d') > 3": 'count(by=account, last="24h") > 3',
    "count(by=(account, merchant)) > 3": "count(by=(account, merchant)) > 3",
    "count(by=(account,)) > 3": "count(by=account) > 3",
    "count(by=[account, amount], this='day') > 3": 'count(by=(account, amount), this="day") > 3',
    "sum(amount, by=payee, of=account, last='24h') > 3": 'sum(amount, by=payee, of=account, last="24h") > 3',
    "sum(items, by=account) > 3": "sum(items, by=account) > 3",
    "max(amount, by=account, prior=True) < 3": "max(amount, by=account, prior=True) < 3",
    "max(amount, by=account, prior=False) < 3": "max(amount, by=account) < 3",
    "distance_km(by=card) > 300 and speed_kmh(by=card) > 9": "distance_km(by=card) > 300 and speed_kmh(by=card) > 9",
    "zscore(amount, by=account, min_samples=10) > 4": "zscore(amount, by=account, min_samples=10) > 4",
    "stddev(amount, by=account, min_samples=5) > 4": "stddev(amount, by=account) > 4",
    "is_new(device, by=account, first=True)": "is_new(device, by=account, first=True)",
    "location != previous(location, by=account)": "location != previous(location, by=account)",
    "since_last(by=account) > days(90)": "since_last(by=account) > days(90)",
    "count(by=card, where=amount < 5 and merchant != current(merchant)) > 2": (
        "count(by=card, where=amount < 5 and merchant != current(merchant)) > 2"
    ),
    "\n  amount > 1\n  and amount < 2\n": "amount > 1 and amount < 2",
}


@pytest.mark.parametrize(("text", "canonical"), GOOD.items())
def test_what_is_understood(text: str, canonical: str) -> None:
    node, problems = parse(text, SCOPE, Type.BOOLEAN)
    assert problems == []
    assert node is not None
    assert unparse(node) == canonical
    assert parse(canonical, SCOPE) == (node, [])


# Text with its fault underlined on the second line, what is said, and what is suggested.
BAD = [
    ("acount > 3", "^^^^^^", "unknown field 'acount'", "did you mean 'account'?"),
    ('count(by=acount, last="1m") > 3', "         ^^^^^^", "unknown field 'acount'", "did you mean 'account'?"),
    ("cuont(by=account) > 3", "^^^^^", "unknown function 'cuont'", "did you mean 'count'?"),
    (
        "count(by=account, lst='1m') > 3",
        "                  ^^^",
        "count() has no argument 'lst'",
        "did you mean 'last'?",
    ),
    ("count(last='1m') > 3", "^^^^^^^^^^^^^^^^", "a window with no key", "say whose history: count(..., by=account)"),
    ("sum(amount) > 3", "^^^^^^^^^^^", "a window with no key", "say whose history: sum(..., by=account)"),
    ("max(amount, last='1d') > 3", "^^^^^^^^^^^^^^^^^^^^^^", "a window with no key", ""),
    ("max(amount) > 3", "^^^^^^^^^^^", "max() takes two or more values", "max(amount, by=account)"),
    ("count(by='account') > 3", "         ^^^^^^^^^", "by= takes names of fields", "write by=account"),
    ("count(by=balance) > 3", "         ^^^^^^^", "by= takes text fields, and 'balance' is money", ""),
    ("count(by=(card, card)) > 3", "                ^^^^", "'card' stands twice in by=", ""),
    ("count(by=()) > 3", "         ^^", "by= names no field", ""),
    (
        "count(by=card, of=(card, payee)) > 3",
        "                  ^^^^^^^^^^^^^",
        "of= names 2 fields and by= names 1",
        "",
    ),
    ("count(by=card, last='1x') > 3", "                    ^^^^", "last= takes a length of time", "24h"),
    ("count(by=card, last='0s') > 3", "                    ^^^^", "last= takes a length of time", "24h"),
    ("count(by=card, last='9999w') > 3", "                    ^^^^^^^", "a window looks back ten years at most", ""),
    ("count(by=card, this='dya') > 3", "                    ^^^^^", 'this= takes "day", "week" or "month"', "'day'?"),
    (
        "count(by=card, last='1d', this='day') > 3",
        "                               ^^^^^",
        "last= or this=, not both",
        "",
    ),
    ("count(card, by=card) > 3", "      ^^^^", "count() as a window looks at no field", "write count(by=card)"),
    ("sum(amount * 2, by=card) > 3", "    ^^^^^^^^^^", "sum() looks at a field, not at an expression", ""),
    ("sum(weight, by=card) > 3", "    ^^^^^^", "does not say how many decimals it has", "declare decimals"),
    ("sum(country, by=card) > 3", "    ^^^^^^^", "sum() takes money or number, and 'country' is text", ""),
    ("distinct(opened_at, by=card) > 3", "         ^^^^^^^^^", "'opened_at' is a time", ""),
    ("sum(usual_amount, by=card) > 3", "    ^^^^^^^^^^^^", "is a named feature, and a window looks at fields", ""),
    ("is_new(card, by=account, prior=True)", "                         ^^^^^", "no argument 'prior'", "leave it out"),
    ("stddev(amount, by=card, min_samples=1) > 3", "                                    ^", "from 2 to 10000", ""),
    ("count(by=card, prior=1) > 3", "                     ^", "prior= takes True or False", ""),
    ("count(by=card, where=amount) > 3", "                     ^^^^^^", "money is no condition", "amount > 3"),
    (
        "count(by=card, where=probability > 1) > 3",
        "                     ^^^^^^^^^^^",
        "'probability' cannot stand here",
        "",
    ),
    (
        "count(by=card, where=usual_amount > 1) > 3",
        "                     ^^^^^^^^^^^^",
        "cannot stand inside where=",
        "",
    ),
    (
        "count(by=card, where=count(by=card) > 1) > 3",
        "                     ^^^^^^^^^^^^^^",
        "cannot stand inside where=",
        "",
    ),
    ("current(amount) > 3", "^^^^^^^^^^^^^^^", "current(x) stands only inside where=", ""),
    ("median(amount, by=account) > 3", "^^^^^^", "median() is not there yet", ""),
    ("similarity(merchant, payee) > 3", "^^^^^^^^^^", "similarity() is not there yet", ""),
    ("country > 5", "          ^", "text cannot be compared with a number", 'write "5" in quotes'),
    ("amount > '5'", "         ^^^", "money cannot be compared with text", "write 5 without quotes"),
    ("country > 'US'", "^^^^^^^^^^^^^^", "texts are compared by == and != only", ""),
    ("country == ''", "           ^^", "a text is never empty", "is_missing"),
    ("'a' == 'b'", "^^^^^^^^^^", "two constants are compared", ""),
    ("since(opened_at) > 90", "                   ^^", "a duration cannot be compared with a number", "write days(90)"),
    ("opened_at > '2025-01-01'", "            ^^^^^^^^^^^^", "a time cannot be compared with text", "since"),
    ("is_cash > True", "^^^^^^^^^^^^^^", "compared by == and != only", ""),
    ("amount > 0.001", "         ^^^^^", "the currency has 2 decimals, this amount has more", "round it"),
    ("amount in (1.234, 2)", "          ^^^^^^^^^^", "the currency has 2 decimals", ""),
    ("count(by=card) and is_cash", "^^^^^^^^^^^^^^", "a number is no condition", "count(by=card) > 3"),
    ("country", "^^^^^^^", "text is no condition", 'country == "..."'),
    ("not amount", "    ^^^^^^", "money is no condition", ""),
    ("is_cash + 1 > 2", "^^^^^^^^^^^", "'+' does not go with a boolean and a number", ""),
    ("amount * balance > 2", "^^^^^^^^^^^^^^^^", "money cannot be multiplied by money", ""),
    ("opened_at - 7 > 2", "^^^^^^^^^^^^^", "'-' does not go with a time and a number", "since(x)"),
    ("'a' * 99999 == 'b'", "^^^^^^^^^^^", "'*' does not go with text and a number", ""),
    ("-country == 'b'", "^^^^^^^^", "text has no negative", ""),
    ("+amount > 1", "^^^^^^^", "'+' before a value is not allowed", ""),
    ("offices == 'delhi'", "^^^^^^^", "'offices' is a list", "write: field in offices"),
    ("location in ofices", "            ^^^^^^", "unknown list 'ofices'", "did you mean 'offices'?"),
    ("location in country", "            ^^^^^^^", "'country' is no list", ""),
    ("location in 'delhi'", "            ^^^^^^^", "a single text is no list", "write == 'delhi'"),
    ("location in ()", "            ^^", "an empty list holds nothing", ""),
    ("location in (country, 'a')", "             ^^^^^^^", "a list holds constants only", ""),
    ("location in (1, 2)", "            ^^^^^^", "this list holds numbers", 'write "1" in quotes'),
    ("amount in offices", "          ^^^^^^^", "this list holds text ('delhi')", ""),
    ("is_cash in (1, 2)", "^^^^^^^", "'in' looks for text, numbers and money", ""),
    ("monthly_limit > 3", "^^^^^^^^^^^^^", "'monthly_limit' is a table", "lookup"),
    ("lookup(montly_limit, grade) > 3", "       ^^^^^^^^^^^^", "unknown table 'montly_limit'", "'monthly_limit'?"),
    ("hour > 3", "^^^^", "'hour' is a function", "write: hour(...)"),
    ("hour(1) > 3", "^^^^^^^", "hour() takes no argument, not 1", ""),
    ("hour(x=1) > 3", "     ^^^", "hour() has no argument 'x'", ""),
    ("length(amount) > 3", "       ^^^^^^", "length() takes text, and this is money", ""),
    ("round(amount) > 3", "      ^^^^^^", "round() takes a number, and this is money", ""),
    ("max(amount, usual_amount) > 3", "            ^^^^^^^^^^^^", "values of one type, not money and a number", ""),
    ("is_round(amount, 0)", "                 ^", "is_round() takes a number above 0", ""),
    ("days(items) < days(2)", "     ^^^^^", "days() takes a plain number", ""),
    ("matches(description, '(')", "                     ^^^", "not a pattern that RE2 accepts: missing )", ""),
    ("matches(description, country)", "                     ^^^^^^^", "takes its pattern as a text constant", ""),
    ("has_word('gift', offices)", "         ^^^^^^", "has_word() of a constant", ""),
    ("has_word(description, (1, 2))", "                      ^^^^^^", "looks for texts", ""),
    ("points > 3", "^^^^^^", "'points' cannot stand here", "it stands only in score:"),
    ("level == 'high'", "^^^^^", "'level' cannot stand here", "it stands only in alert:"),
    ("balance == None", "           ^^^^", "None is not allowed", "use is_missing(x)"),
    ("balance is None", "           ^^^^", "'is' is not allowed", "use is_missing(x)"),
    ("is_cash == true", "           ^^^^", "unknown field 'true'", "write True"),
    ("amount > 1e5", "         ^^^", "'1e5' is no plain number", ""),
    ("amount > 0x10", "         ^^^^", "'0x10' is no plain number", ""),
    ("amount > 3j", "         ^^", "'3j' is no plain number", ""),
    ("amount > 1000000000000", "         ^^^^^^^^^^^^^", "numbers stay below", ""),
    ("amount = 3", "       ^", "'=' is not understood here", "write '==' to compare"),
    ("amount > 3 && is_cash", "           ^^", "'&&' is not understood here", "write 'and'"),
    ("amount > 5k", "         ^^", "'5k' is not understood here", "write the number out: 5_000"),
    ("amount > 1.5M", "         ^^^^", "'1.5M' is not understood here", "1_500_000"),
    ("count(by=card, last=7d) > 3", "                    ^^", "'7d' is not understood here", "days(7)"),
    ("amount := 3", "       ^^", "':=' is not understood here", "write '==' to compare"),
    ("amount > 3; is_cash", "          ^", "';' is not understood here", "join two with and/or"),
    ("hour() > 'x'", "         ^^^", "a number cannot be compared with text", "without quotes"),
    ("is_cash > 3", "          ^", "a boolean cannot be compared with a number", "write is_cash or not is_cash alone"),
    ("amount > hours(2)", "^^^^^^^^^^^^^^^^^", "money cannot be compared with a duration", "a length of time"),
    ("description * 3 > 4", "^^^^^^^^^^^^^^^", "'*' does not go with text and a number", "lookup(table, description)"),
    ("amount + '4' > 3", "^^^^^^^^^^^^", "'+' does not go with money and text", "without quotes"),
    ("matches(description, '(?=a)b')", "                     ^^^^^^^^", "not a pattern", "no lookahead"),
    ("matches(description, '(?<!a)b')", "                     ^^^^^^^^^", "not a pattern", "no lookahead"),
    ("matches(description, r'(a)\\1')", "                     ^^^^^^^^", "not a pattern", "no back references"),
    ("amount > 10,000", "         ^^^^^^", "'10,000' is not understood here", "10_000 is allowed"),
    ("amount > $5", "         ^", "'$' is not understood here", "without a currency sign"),
    ("mcc == 0742", "       ^^^^", "'0742' is not understood here", "in quotes"),
    ("(amount > 3", "^", "this '(' is never closed", ""),
    ("amount > 3)", "          ^", "this ')' closes nothing", ""),
    ("country == 'US", "           ^^^", "this text has no closing quote", ""),
    ("amount > 3 # why", "           ^^^^^", "comments are not allowed", ""),
    ("amount >", "       ^", "the expression ends too early", ""),
    ("amount >> or 3", "          ^^", "cannot be read from here on", ""),
    ("count(by=card last='1d') > 3", "         ^^^^^^^^^", "cannot be read from here on", "put a comma"),
    ("", "^", "the expression is empty", ""),
    ("'é' == description and acount > 3", "                       ^^^^^^", "unknown field 'acount'", "'account'?"),
    (
        "country == 'ünïcödé \U0001d518' or lenght(city) > 3",
        "                          ^^^^^^",
        "unknown function 'lenght'",
        "'length'?",
    ),
]


@pytest.mark.parametrize(("text", "carets", "message", "suggestion"), BAD, ids=[case[0] for case in BAD])
def test_what_is_refused_and_where(text: str, carets: str, message: str, suggestion: str) -> None:
    node, problems = parse(text, SCOPE, Type.BOOLEAN)
    assert node is None
    first = problems[0]
    assert message in first.message
    assert suggestion in first.suggestion
    if text:
        assert " " * first.start + "^" * (first.end - first.start) == carets


def test_all_errors_of_an_expression_are_told_at_once() -> None:
    _, problems = parse("acount == 1 and count(by=crd, last='x') > 3 or foo(bar) and country > 'a'", SCOPE)
    assert [p.message for p in problems] == [
        "unknown field 'acount'",
        "unknown field 'crd'",
        "last= takes a length of time",
        "unknown function 'foo'",
        "texts are compared by == and != only",
    ]


def test_a_problem_shows_the_line_the_carets_and_the_suggestion() -> None:
    _, (problem,) = parse('count(by=acount, last="1m") > 3', SCOPE)
    assert str(problem).splitlines()[1:] == [
        '    count(by=acount, last="1m") > 3',
        "             ^^^^^^  did you mean 'account'?",
    ]


@pytest.mark.parametrize(
    ("text", "context", "fine"),
    [
        ("max(points, round(100 * probability)) > 3", "score", True),
        ("score > 3", "score", False),
        ("level == 'high' or outcome != 'approve'", "alert", True),
        ("level in ('medium', 'high')", "alert", True),
        ("level == 'hihg'", "alert", False),
        ("outcome in ('review', 'declined')", "alert", False),
        ("level > 'medium'", "alert", False),
        ("score > 80", "alert", True),
        ("points > 3", "alert", False),
    ],
)
def test_what_stands_only_in_score_or_alert(text: str, context: str, fine: bool) -> None:
    assert (parse(text, SCOPE.within(context), Type.BOOLEAN)[1] == []) is fine


def test_a_misspelt_level_is_corrected() -> None:
    _, (problem,) = parse("level == 'hihg'", SCOPE.within("alert"))
    assert (problem.start, problem.end, problem.suggestion) == (9, 15, "did you mean 'high'?")


def test_numbers_are_exactly_what_is_written() -> None:
    node, _ = parse("probability > 0.1", SCOPE)
    assert isinstance(node, Compare)
    assert node.right == Literal(type=Type.NUMBER, value=Decimal("0.1"))


def test_a_number_beside_money_is_money() -> None:
    node, _ = parse("amount > 10 and 2 * amount > 3 and amount + 1 > balance", SCOPE)
    literals = {str(n.value): n.type for n in node.walk() if isinstance(n, Literal)} if node else {}
    assert literals == {"10": Type.MONEY, "2": Type.NUMBER, "3": Type.NUMBER, "1": Type.MONEY}


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("amount - balance", Type.MONEY),
        ("amount - 5", Type.MONEY),
        ("amount - usual_amount", Type.NUMBER),
        ("amount * 2", Type.NUMBER),
        ("amount / balance", Type.NUMBER),
        ("opened_at - occurred_at", Type.DURATION),
        ("days(1) + hours(2)", Type.DURATION),
        ("days(2) / hours(1)", Type.NUMBER),
        ("days(2) / 3", Type.DURATION),
        ("avg(amount, by=card)", Type.NUMBER),
        ("sum(amount, by=card)", Type.MONEY),
        ("sum(items, by=card)", Type.NUMBER),
        ("min(opened_at, by=card)", Type.TIME),
        ("previous(country, by=card)", Type.TEXT),
        ("previous(amount, by=card)", Type.MONEY),
        ("lookup(monthly_limit, grade)", Type.NUMBER),
        ("max(amount, 5)", Type.MONEY),
        ("coalesce(balance, 0)", Type.MONEY),
        ("abs(since(opened_at))", Type.DURATION),
    ],
)
def test_types(text: str, type_: Type) -> None:
    node, problems = parse(text, SCOPE)
    assert problems == []
    assert node is not None
    assert node.type is type_


# -- hostile text ------------------------------------------------------------------------------------------------------

HOSTILE = [
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "amount.__class__ == 1",
    "open('x') == 1",
    "exec('1') or print(1)",
    "getattr(amount, 'x') > 1",
    "9**9**9**9 > amount",
    "amount > 10**10000000",
    "'a' * 10**10 == description",
    "'a' * 1000000000 == description",
    "amount > " + "9" * 4000,
    "amount > 1" + "0" * 5000,
    "amount > " + "9" * 20,
    "amount << 100000000 > 1",
    "amount % 2 == 1",
    "amount // 2 == 1",
    "f'{amount}' == description",
    "f'{__import__(\"os\")}' == description",
    "(x := amount) > 1",
    "lambda: amount",
    "(lambda: amount)() > 1",
    "[x for x in (1,2,3)] == 1",
    "amount > 1 if is_cash else amount > 2",
    "{'a': amount}['a'] > 1",
    "{amount} == 1",
    "country[0] == 'U'",
    "country[::-1] == 'U'",
    "max(*(1, 2)) > 1",
    "max(**{'a': 1}) > 1",
    "await amount > 1",
    "(yield amount) > 1",
    "amount > ...",
    "country == b'US'",
    "amount\x00> 1",
    "amount > 1\x1b[31m",
    "country == '\ud800'",
    r"country == '\ud800'",
    r"country == '\x00'",
    "\uff41mount > 1",
    "\U0001d41a\U0001d426\U0001d428\U0001d42e\U0001d427\U0001d42d > 1",
    "\ufb01eld > 1",
    "\u0430mount > 1",
    "\uff4dax(amount, 2) > 1",
    "(" * 5000 + "amount > 1" + ")" * 5000,
    "(" * 2000 + "1" + ")" * 2000,
    "(" * 190 + "1" + ")" * 190,
    "[" * 1000 + "]" * 1000,
    "not " * 1000 + "is_cash",
    "not " * 21 + "is_cash",
    "-" * 4000 + "1 > amount",
    "- " * 40 + "amount > 1",
    "~" * 3000 + "1 > amount",
    "(not (" * 40 + "is_cash" + "))" * 40,
    "max(1, " * 300 + "1" + ")" * 300 + " > 1",
    "amount" + " + amount" * 400 + " > 1",
    "amount" + ".a" * 1500,
    "is_cash" + " and is_cash" * 300,
    "amount" + " < amount" * 300,
    "country in (" + "'a', " * 700 + ")",
    "lambda: " * 500 + "1",
    "1 if 1 else " * 300 + "1",
    "amount ** " * 300 + "1",
    "x" * 4097,
    "x" * 4096,
    "'" + "x" * 4000 + "' == country",
    "'" + "x" * 5_000_000 + "' == country",
    "matches(description, '(a+)+$' * 9)",
    "matches(description, '((a{100}){100}){100}')",
    "matches(description, '(((((a{30}){30}){30}){30}){30})')",
    "matches(description, '(?=a)')",
    r"matches(description, '(a)\\1')",
    "matches(description, '" + "(" * 1500 + ")" * 1500 + "')",
    "matches(description, '" + "(a?){200}" * 300 + "')",
    "'''a''' == country",
    '"""' + "a" * 100,
    "amount > 1 \\\n and is_cash",
    "amount > 1; is_cash",
    "import os",
    "print 1",
    "amount > 1\n# and\nis_cash",
    "a" + "\N{COMBINING ACUTE ACCENT}" * 2000,
    "\u202eamount > 1",
    "",
    "   \n ",
    "\ufeffamount > 1",
]


@pytest.mark.parametrize("text", HOSTILE, ids=[f"{n}-{t[:24]!r}" for n, t in enumerate(HOSTILE)])
def test_hostile_text_is_refused_quickly_with_its_place(text: str) -> None:
    began = time.perf_counter()
    node, problems = parse(text, SCOPE, Type.BOOLEAN)
    assert time.perf_counter() - began < 0.5
    assert node is None
    for problem in problems:
        assert problem.message
        assert len(str(problem)) < 20_000
        assert 0 <= problem.start <= problem.end <= max(len(problem.text), 1)


def test_hostile_text_executes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def forbidden(name: str) -> Callable[..., object]:
        return lambda *_, **__: called.append(name)

    with monkeypatch.context() as patch:
        for name in ("eval", "exec", "open", "print", "getattr_", "input"):
            patch.setattr(builtins, name, forbidden(name), raising=False)
        for text in HOSTILE:
            parse(text, SCOPE)
    assert called == []


@pytest.mark.parametrize("text", ["matches(description, '(a+)+$')", "matches(description, '(a|a)*b')"])
def test_patterns_that_hang_other_engines_are_harmless_to_re2(text: str) -> None:
    assert parse(text, SCOPE)[1] == []


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
@example("0" * 80)
@example("amount > 1" + "\u2028" + "and")
def test_any_text_gets_an_answer(text: str) -> None:
    node, problems = parse(text, SCOPE)
    assert (node is None) == bool(problems)


WORDS = sorted(
    {"amount", "country", "count", "by", "=", "(", ")", "==", ">", "and", "not", "in", "3", "'a'", ",", "-", "."}
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join))
def test_any_row_of_words_gets_an_answer_and_what_is_understood_is_stable(text: str) -> None:
    node, problems = parse(text, SCOPE)
    assert (node is None) == bool(problems)
    if node is not None:
        assert parse(unparse(node), SCOPE) == (node, [])


def test_the_limits_are_where_they_are_said_to_be() -> None:
    nodes = "is_cash" + " and is_cash" * (syntax.MAX_NODES - 2)
    assert parse(nodes, SCOPE)[1] == []
    assert "200 parts" in parse(nodes + " and is_cash", SCOPE)[1][0].message
    deep = "not " * (syntax.MAX_DEPTH - 1) + "is_cash"
    assert parse(deep, SCOPE)[1] == []
    assert "20 levels" in parse("not " + deep, SCOPE)[1][0].message
    long = "is_cash" + " " * (syntax.MAX_CHARACTERS - 11) + "or 1"
    assert "4096" not in parse(long, SCOPE)[1][0].message
    assert "4096" in parse(long + "1", SCOPE)[1][0].message


# -- text -> tree -> text ----------------------------------------------------------------------------------------------

BOOL, NUM, MONEY, TEXT, DUR = Type.BOOLEAN, Type.NUMBER, Type.MONEY, Type.TEXT, Type.DURATION
DECIMALS = st.decimals(min_value=-99999, max_value=99999, places=2)
CONSTANT_TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8)
SPANS = st.sampled_from([90_000, 60_000, 300_000, 3_600_000, 86_400_000, 30 * 86_400_000])
KEYS = st.sampled_from([("account",), ("account", "merchant"), ("card", "amount")])


def literal(type_: Type, values: st.SearchStrategy[Decimal]) -> st.SearchStrategy[Node]:
    return values.map(lambda value: Literal(type=type_, value=value))


def field_of(type_: Type, *names: str) -> st.SearchStrategy[Node]:
    return st.sampled_from(names).map(lambda name: Field(type=type_, name=name))


@st.composite
def windows(draw: st.DrawFn, function: str, type_: Type, value: str | None = None, depth: int = 0) -> Node:
    """A window with arguments that it may have."""
    length = draw(st.one_of(st.none(), SPANS))
    current = function in ("count", "sum", "avg", "min", "max", "distinct", "stddev")
    this = draw(st.sampled_from([None, "day", "month"])) if length is None and current else None
    by = draw(KEYS)
    return Window(
        type=type_,
        function=function,
        value=value,
        by=by,
        of=draw(st.sampled_from([(), ("payee", "merchant")[: len(by)]])),
        last_ms=length,
        this=this,
        where=draw(st.one_of(st.none(), conditions(depth - 1, inside=True))) if depth > 0 else None,
        prior=draw(st.booleans()) if current else False,
        min_samples=draw(st.sampled_from([5, 12])) if function in ("stddev", "zscore") else None,
        first=draw(st.booleans()) if function == "is_new" else False,
    )


def numbers(depth: int, inside: bool = False) -> st.SearchStrategy[Node]:
    simple = [field_of(NUM, "items", "latitude"), st.just(Call(type=NUM, function="hour", arguments=()))]
    simple += [texts(0).map(lambda text: Call(type=NUM, function="lookup", arguments=(text,), table="monthly_limit"))]
    if not inside:
        simple += [st.just(Special(type=NUM, name="probability")), windows("count", NUM, None, depth)]
        simple += [windows("zscore", NUM, "amount", depth), windows("distinct", NUM, "merchant", depth)]
        body = SCOPE.features["usual_amount"]
        simple += [st.just(Feature(type=NUM, name="usual_amount", body=body))]
    if depth <= 0:
        return st.one_of(simple)
    below = numbers(depth - 1, inside)
    either = st.one_of(below, literal(NUM, DECIMALS))
    return st.one_of(
        *simple,
        st.builds(lambda o, a, b: Arithmetic(type=NUM, op=o, left=a, right=b), st.sampled_from("+-*/"), below, either),
        st.builds(lambda o, a, b: Arithmetic(type=NUM, op=o, left=a, right=b), st.sampled_from("+-*/"), either, below),
        st.builds(lambda a, b: Arithmetic(type=NUM, op="/", left=a, right=b), money(depth - 1, inside), below),
        below.map(lambda inner: Negative(type=NUM, operand=inner)),
        st.builds(lambda a, b: Call(type=NUM, function="max", arguments=(a, b)), below, either),
    )


def money(depth: int, inside: bool = False) -> st.SearchStrategy[Node]:
    simple = [field_of(MONEY, "amount", "balance")]
    simple += [st.just(Current(type=MONEY, name="amount"))] if inside else [windows("sum", MONEY, "amount", depth)]
    if depth <= 0:
        return st.one_of(simple)
    below = money(depth - 1, inside)
    either = st.one_of(below, literal(MONEY, DECIMALS))
    return st.one_of(
        *simple,
        st.builds(lambda o, a, b: Arithmetic(type=MONEY, op=o, left=a, right=b), st.sampled_from("+-"), below, either),
        st.builds(lambda a, b: Call(type=MONEY, function="coalesce", arguments=(a, b)), below, either),
    )


def durations(depth: int) -> st.SearchStrategy[Node]:
    since: Node = Call(type=DUR, function="since", arguments=(Field(type=Type.TIME, name="opened_at"),))
    if depth <= 0:
        return st.just(since)
    halves = st.integers(-10_000, 10_000).map(lambda n: Literal(type=DUR, value=n * 30_000))
    return st.one_of(st.just(since), st.builds(lambda a: Arithmetic(type=DUR, op="-", left=since, right=a), halves))


def texts(depth: int) -> st.SearchStrategy[Node]:
    simple = field_of(TEXT, "country", "account", "grade")
    if depth <= 0:
        return simple
    return st.one_of(simple, texts(depth - 1).map(lambda inner: Call(type=TEXT, function="lower", arguments=(inner,))))


def conditions(depth: int, inside: bool = False) -> st.SearchStrategy[Node]:
    signs, both = st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), st.sampled_from(["==", "!="])
    less = depth - 1
    simple: list[st.SearchStrategy[Node]] = [
        field_of(BOOL, "is_cash"),
        st.builds(
            lambda o, a, b: Compare(type=BOOL, op=o, left=a, right=b),
            signs,
            numbers(less, inside),
            literal(NUM, DECIMALS),
        ),
        st.builds(
            lambda o, a, b: Compare(type=BOOL, op=o, left=b, right=a),
            signs,
            money(less, inside),
            literal(MONEY, DECIMALS),
        ),
        st.builds(
            lambda o, a, b: Compare(type=BOOL, op=o, left=a, right=b), signs, money(less, inside), numbers(less, inside)
        ),
        st.builds(lambda o, a, b: Compare(type=BOOL, op=o, left=a, right=b), signs, durations(depth), durations(0)),
        st.builds(
            lambda o, a, v: Compare(type=BOOL, op=o, left=a, right=Literal(type=TEXT, value=v)),
            both,
            texts(depth),
            CONSTANT_TEXTS,
        ),
        st.builds(
            lambda a, v, n: Member(type=BOOL, item=a, values=tuple(v), source=None, negated=n),
            texts(less),
            st.lists(CONSTANT_TEXTS, min_size=1, max_size=3),
            st.booleans(),
        ),
        st.builds(
            lambda a, n: Member(type=BOOL, item=a, values=("delhi", "mumbai"), source="offices", negated=n),
            texts(less),
            st.booleans(),
        ),
        st.builds(
            lambda a, v: Call(type=BOOL, function="has_word", arguments=(a,), values=tuple(v)),
            texts(less),
            st.lists(CONSTANT_TEXTS, min_size=1, max_size=3),
        ),
        money(less, inside).map(
            lambda a: Call(type=BOOL, function="is_round", arguments=(a, Literal(type=MONEY, value=Decimal(100))))
        ),
    ]
    if not inside:
        simple.append(windows("is_new", BOOL, "device", depth))
    if depth <= 0:
        return st.one_of(simple)
    below = conditions(less, inside)
    parts = st.lists(below, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        *simple,
        below.map(lambda inner: Not(type=BOOL, operand=inner)),
        parts.map(lambda operands: And(type=BOOL, operands=operands)),
        parts.map(lambda operands: Or(type=BOOL, operands=operands)),
    )


@settings(max_examples=250, deadline=None)
@given(conditions(2))
def test_a_tree_written_as_text_is_read_as_the_same_tree(tree: Node) -> None:
    text = unparse(tree)
    node, problems = parse(text, SCOPE, Type.BOOLEAN)
    assert problems == [], text
    assert node == tree
    assert unparse(node) == text


# -- whole rulesets ----------------------------------------------------------------------------------------------------


def ruleset(features: dict[str, str], *rules: str) -> Ruleset:
    names = ("id", "occurred_at", "amount", "account")
    return Ruleset(
        name="test",
        currency="USD",
        fields=tuple(FieldSpec(name=name, kind=FIELDS[name], column=name) for name in names),
        rules=tuple(Rule(id=f"r{n}", when=when) for n, when in enumerate(rules)),
        features=features,
    )


def test_features_may_use_features_in_any_order_and_carry_their_trees() -> None:
    found = trees(ruleset({"b": "a * 2", "a": "count(by=account)"}, "b > 3"))
    assert list(found.features) == ["b", "a"]
    condition = found.rules[0]
    assert isinstance(condition, Compare)
    assert isinstance(condition.left, Feature)
    assert unparse(condition.left.body) == "a * 2"
    assert unparse(found.score) == "max(points, round(100 * probability))"


def test_a_circle_of_features_is_told_once_with_its_way() -> None:
    with pytest.raises(RulesetError) as refused:
        trees(ruleset({"a": "b + 1", "b": "c + 1", "c": "a + 1", "d": "a * 2", "e": "e + 1"}, "d > 3"))
    assert [p.message for p in refused.value.problems] == [
        "features use each other in a circle: a -> b -> c -> a",
        "features use each other in a circle: e -> e",
    ]


def test_a_broken_feature_is_told_where_it_is_written_and_not_where_it_is_used() -> None:
    with pytest.raises(RulesetError) as refused:
        trees(ruleset({"a": "cuont(by=account)"}, "a > 3", "a > 4", "amuont > 3"))
    assert [(p.where, p.suggestion) for p in refused.value.problems] == [
        ("feature a", "did you mean 'count'?"),
        ("rule r2", "did you mean 'amount'?"),
    ]


def test_features_cannot_be_piled_up_until_they_burst() -> None:
    began = time.perf_counter()
    doubling = {f"f{n}": f"f{n + 1} + f{n + 1}" for n in range(40)} | {"f40": "count(by=account)"}
    chain = {f"g{n}": f"g{n + 1} + 1" for n in range(900)} | {"g900": "count(by=account)"}
    with pytest.raises(RulesetError) as refused:
        trees(ruleset(doubling | chain, "f0 > 3", "g0 > 3"))
    assert {p.message for p in refused.value.problems} == {"this grows too large through the features it uses"}
    assert time.perf_counter() - began < 1


def test_features_of_features_are_fine_to_a_depth() -> None:
    chain = {f"g{n}": f"g{n + 1} + 1" for n in range(18)} | {"g18": "count(by=account)"}
    assert len(trees(ruleset(chain, "g0 > 3")).features) == 19
