"""Facts as bytes: what goes in comes out, the same bytes for the same facts, and a few things read in place."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudline.domain.decision import DEGRADED, LEVELS, OUTCOMES, Facts
from fraudline.engine import facts

NAN = math.nan
OTHER_NAN = struct.unpack("<d", bytes.fromhex("010000000000f87f"))[0]  # missing as well, with other bits


def columns(n: int = 1, **given: Any) -> dict[str, Any]:
    plain = {"outcome": 0, "level": 0, "score": 0, "alert": False, "degraded": 0, "late_ms": 0, "covered_ms": -1}
    return {name: [value] * n for name, value in {**plain, "probability": NAN, **given}.items()}


@st.composite
def whole_facts(draw: st.DrawFn) -> tuple[Facts, int, list[int]]:
    """Any facts, with the number of rules and the places of the slots that are text."""
    states = draw(st.lists(st.integers(0, 3), max_size=11))
    values: list[float | str | None] = draw(
        st.lists(st.one_of(st.none(), st.floats(allow_nan=False), st.text()), max_size=7)
    )
    texts = [at for at, value in enumerate(values) if isinstance(value, str)]
    texts += [at for at, value in enumerate(values) if value is None and draw(st.booleans())]
    causes = draw(st.sets(st.sampled_from(DEGRADED)))
    return (
        Facts(
            outcome=draw(st.sampled_from(OUTCOMES)),
            level=draw(st.sampled_from(LEVELS)),
            score=draw(st.integers(0, 100)),
            probability=draw(st.one_of(st.none(), st.floats(0, 1))),
            fired=tuple(r for r, state in enumerate(states) if state == 2),
            unknown=tuple(r for r, state in enumerate(states) if state == 1),
            suppressed=tuple(r for r, state in enumerate(states) if state == 3),
            features=tuple(values),
            degraded=tuple(cause for cause in DEGRADED if cause in causes),
            alert=draw(st.booleans()),
            late_ms=draw(st.integers(0, 2**62)),
            covered_ms=draw(st.one_of(st.none(), st.integers(0, 2**62))),
        ),
        len(states),
        sorted(texts),
    )


def packed(known: Facts, rules: int, texts: list[int]) -> bytes:
    states = [
        [2 if r in known.fired else 1 if r in known.unknown else 3 * (r in known.suppressed)] for r in range(rules)
    ]
    given = columns(
        outcome=OUTCOMES.index(known.outcome),
        level=LEVELS.index(known.level),
        score=known.score,
        alert=known.alert,
        degraded=sum(1 << DEGRADED.index(cause) for cause in known.degraded),
        probability=NAN if known.probability is None else known.probability,
        late_ms=known.late_ms,
        covered_ms=-1 if known.covered_ms is None else known.covered_ms,
    )
    values = [[0.0 if isinstance(value, str) else NAN if value is None else value] for value in known.features]
    told = [value if isinstance(value, str) else None for value in known.features]
    (row,) = facts.pack(states, given, values, [[told[at]] for at in texts])
    return row


@given(whole_facts())
def test_what_is_packed_is_unpacked(given_facts: tuple[Facts, int, list[int]]) -> None:
    known, rules, texts = given_facts
    row = packed(known, rules, texts)
    assert facts.unpack(row, rules, len(known.features), texts) == known


@given(whole_facts())
def test_states_and_score_are_read_in_place(given_facts: tuple[Facts, int, list[int]]) -> None:
    known, rules, texts = given_facts
    row = packed(known, rules, texts)
    assert tuple(r for r in range(rules) if facts.has_fired(row, r)) == known.fired
    assert tuple(r for r in range(rules) if facts.state_of(row, r) == 1) == known.unknown
    assert tuple(r for r in range(rules) if facts.state_of(row, r) == 3) == known.suppressed
    assert facts.score_of(row) == known.score


@settings(max_examples=20)
@given(st.lists(whole_facts().filter(lambda one: one[1] > 0 and not one[2]), min_size=1, max_size=4))
def test_a_batch_is_its_rows_one_by_one(many: list[tuple[Facts, int, list[int]]]) -> None:
    (first, rules, _), slots = many[0], len(many[0][0].features)
    same = [one for one, count, _ in many if count == rules and len(one.features) == slots]
    rows = [packed(one, rules, []) for one in same]
    states = [[facts.state_of(row, r) for row in rows] for r in range(rules)]
    given_columns = {name: [np.frombuffer(row[:31], facts._dtype(0, 0))[0][name] for row in rows] for name in columns()}
    values = [[value if isinstance(value := one.features[s], float) else NAN for one in same] for s in range(slots)]
    assert facts.pack(states, given_columns, values, []) == rows
    assert first in same


def test_the_layout_is_what_the_module_says() -> None:
    """A change of layout needs a new number, and a reader of the old one: stored facts are hashed for ever."""
    (row,) = facts.pack(
        [[2], [0], [1], [3], [2]],
        columns(outcome=1, level=2, score=77, alert=True, degraded=16, probability=0.25, late_ms=5, covered_ms=9),
        [[1.5], [NAN]],
        [["delhi"]],
    )
    expected = bytes([1, 1, 2, 77, 1]) + struct.pack("<Hdqq", 16, 0.25, 5, 9)
    expected += bytes([0b11_01_00_10, 0b10]) + struct.pack("<d", 1.5) + bytes.fromhex("000000000000f87f")
    assert row == expected + b"\x91\xa5delhi"
    assert len(expected) == facts.HEADER_SIZE + 2 + 16


def test_missing_has_one_form_only() -> None:
    rows = [facts.pack([], columns(), [[value]], [])[0] for value in (NAN, -NAN, OTHER_NAN, math.inf - math.inf)]
    assert len(set(rows)) == 1
    assert rows[0] != facts.pack([], columns(), [[math.inf]], [])[0]


def test_facts_without_rules_or_slots_are_a_header() -> None:
    (row,) = facts.pack([], columns(), [], [])
    assert len(row) == facts.HEADER_SIZE
    assert facts.unpack(row, 0, 0).fired == ()


def test_an_empty_batch_packs_to_nothing() -> None:
    assert facts.pack([[], []], columns(0), [[]], []) == []


@pytest.mark.parametrize("cut", [0, 1, facts.HEADER_SIZE - 1, facts.HEADER_SIZE])
def test_bytes_of_another_shape_are_refused(cut: int) -> None:
    (row,) = facts.pack([[2]], columns(), [[1.0]], [])
    with pytest.raises(ValueError, match="were not written under this ruleset"):
        facts.unpack(row[:cut], 1, 1)


def test_a_layout_of_the_future_is_refused() -> None:
    (row,) = facts.pack([[2]], columns(), [[1.0]], [])
    with pytest.raises(ValueError, match="were not written under this ruleset"):
        facts.unpack(bytes([facts.LAYOUT + 1]) + row[1:], 1, 1)


def test_rules_are_counted_over_many_facts() -> None:
    states = [[2, 2, 0], [1, 3, 2], [0, 0, 0], [3, 3, 3], [2, 2, 2]]
    assert facts.fired_counts(facts.pack(states, columns(3), [], []), 5) == [2, 1, 0, 0, 3]


def test_the_digest_is_sha256_of_the_bytes() -> None:
    assert facts.digest(b"").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
