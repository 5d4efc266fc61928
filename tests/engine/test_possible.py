"""What is called impossible really is: constants against every value a small world has."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudline.domain.transaction import FIELDS
from fraudline.engine.expression import Scope, parse
from fraudline.engine.possible import always, never
from fraudline.engine.tree import And, Compare, Field, Literal, Member, Node, Not, Or, Type

SCOPE = Scope(kinds={**FIELDS, "is_cash": "boolean", "opened_at": "time"})

NEVER = [
    "amount > 10 and amount < 5",
    "amount > 10 and amount <= 10",
    "amount >= 10 and amount <= 10 and amount != 10",
    "not (amount <= 10 or amount >= 5)",
    "amount > 2 * 10 and amount < 60 / 4",
    "10 < amount < 5",
    "amount > 10 and (amount < 5 or amount < 3)",
    "amount != amount",
    "hour() > 24",
    "hour() >= 24 or weekday() == 0",
    "count(by=account, last='1h') < 0",
    "count(by=account, last='1h') < 1",
    "distinct(merchant, by=account) < 0",
    "is_cash and not is_cash",
    "is_weekend() == False and is_weekend()",
    "country == 'US' and country == 'DE'",
    "country == 'US' and country != 'us'",
    "country in ('US', 'DE') and country not in ('DE', 'US')",
    "country in ('US', 'DE') and country in ('FR',)",
    "account == 'a' and account == 'A'",
    "hour() in (24, 25)",
    "is_missing(amount)",
    "probability > 80",
    "since_last(by=account) < -days(1)",
    "latitude > 90",
    "False",
]
ALWAYS = [
    "True",
    "hour() < 24",
    "amount > 10 or amount <= 10",
    "amount < 10 or amount > 5",
    "not (amount > 10 and amount < 5)",
    "count(by=account) >= 1",
    "country == country",
    "country == 'US' or country != 'US'",
    "is_cash or not is_cash",
    "abs(amount) >= 0",
]
NEITHER = [
    "amount > 5 and amount < 10",
    "amount >= 10 and amount <= 10",
    "count(by=account, where=amount > 5) < 1",
    "count(by=account, prior=True) < 1",
    "count(by=payee, of=account) < 1",
    "count(by=account) > 1 and count(by=card) < 2",
    "country == 'US' and country == 'us'",
    "account == 'a' and account != 'A'",
    "country == 'US' and home_country == 'DE'",
    "lower(account) == 'a' and lower(account) != 'A'",
    "is_missing(balance)",
    "amount > balance and amount < balance",
    "since(opened_at) < -days(1)",
    "hour() == 23 or hour() == 24",
    "country in ('US', 'DE') and country != 'DE'",
    "(amount > 10 or is_cash) and amount < 5",
]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        *((t, (True, False)) for t in NEVER),
        *((t, (False, True)) for t in ALWAYS),
        *((t, (False, False)) for t in NEITHER),
    ],
)
def test_verdicts(text: str, verdict: tuple[bool, bool]) -> None:
    node, problems = parse(text, SCOPE)
    assert problems == []
    assert node is not None
    assert (never(node), always(node)) == verdict


X, Y = Field(type=Type.NUMBER, name="longitude"), Field(type=Type.NUMBER, name="latitude")
C = Field(type=Type.TEXT, name="country")
VALUES = [Decimal(n) / 2 for n in range(-1, 8)]
COUNTRIES = ["a", "b", "c"]


def atoms() -> st.SearchStrategy[Node]:
    numbers = st.integers(0, 3).map(lambda n: Literal(type=Type.NUMBER, value=Decimal(n)))
    signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    term = st.sampled_from([X, Y])
    some = st.lists(st.sampled_from(COUNTRIES), min_size=1, max_size=2).map(tuple)
    return st.one_of(
        st.builds(lambda o, t, n: Compare(type=Type.BOOLEAN, op=o, left=t, right=n), signs, term, numbers),
        st.builds(lambda o, t, n: Compare(type=Type.BOOLEAN, op=o, left=n, right=t), signs, term, numbers),
        st.builds(
            lambda v, n: Member(type=Type.BOOLEAN, item=C, values=v, source=None, negated=n), some, st.booleans()
        ),
    )


CONDITIONS = st.recursive(
    atoms(),
    lambda inner: st.one_of(
        inner.map(lambda node: Not(type=Type.BOOLEAN, operand=node)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(type=Type.BOOLEAN, operands=tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(type=Type.BOOLEAN, operands=tuple(parts))),
    ),
    max_leaves=6,
)


def truth(node: Node, row: dict[str, Decimal | str]) -> bool:
    """The condition on one row, the plain way."""

    def value(side: Node) -> Decimal:
        found = row[side.name] if isinstance(side, Field) else getattr(side, "value", None)
        assert isinstance(found, Decimal)
        return found

    match node:
        case And(operands=operands):
            return all(truth(operand, row) for operand in operands)
        case Or(operands=operands):
            return any(truth(operand, row) for operand in operands)
        case Not(operand=operand):
            return not truth(operand, row)
        case Member(values=values, negated=negated):
            return (row["country"] in values) != negated
        case Compare(op=op, left=left, right=right):
            a, b = value(left), value(right)
            return {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]
    raise AssertionError(node)


@settings(max_examples=300, deadline=None)
@given(CONDITIONS)
def test_never_and_always_are_true_of_every_row(condition: Node) -> None:
    rows = [
        truth(condition, {"longitude": x, "latitude": y, "country": c})
        for x, y, c in itertools.product(VALUES, VALUES, COUNTRIES)
    ]
    assert not (never(condition) and any(rows))
    assert not (always(condition) and not all(rows))


@settings(max_examples=200, deadline=None)
@given(st.lists(atoms(), min_size=1, max_size=5))
def test_contradictions_of_bounds_on_one_term_are_all_found(parts: list[Node]) -> None:
    parts = [part for part in parts if isinstance(part, Compare) and X in (part.left, part.right)]
    condition = And(type=Type.BOOLEAN, operands=tuple(parts))
    rows = [truth(condition, {"longitude": x, "latitude": x, "country": "a"}) for x in VALUES]
    assert never(condition) == (not any(rows))
