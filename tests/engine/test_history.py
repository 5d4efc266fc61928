"""Histories: wherever the arena is small, grows or is repacked, whatever is evicted, windows say the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from fraudline.engine import decide, explain, history, kernel
from fraudline.engine.compile import Program
from fraudline.engine.history import Codes, Entities, RolePlan, State
from tests import streams
from tests.deciding import DAY, HOUR, START, batch, decided, named, programmed
from tests.test_differential import batched
from tests.test_differential import programmed as programmed_from

PLAN = RolePlan(by=("account",), looks=(("account",),), features=(), prefixes=(), values=(), exact=True)
WINDOWS = {
    "rows": "count(by=account)",
    "today": 'count(by=account, last="1d")',
    "total": 'sum(amount, by=account, last="30d")',
    "spread": 'stddev(amount, by=account, last="30d", min_samples=2)',
    "least": 'min(amount, by=account, last="30d")',
    "places": 'distinct(location, by=account, last="30d")',
    "big": 'count(by=account, last="30d", where=amount > 100)',
    "like": 'count(by=account, last="30d", where=amount >= current(amount))',
    "before": "previous(id, by=account)",
    "gap": "since_last(by=account)",
}
RETENTION = {"retention": "40d", "lateness": "10d"}


def windows(**given: Any) -> Program:
    return programmed("amount > 1", features=WINDOWS, **RETENTION, **given)


def facts_of(made: Program, rows: Sequence[dict[str, Any]], state: State, size: int = 1000) -> list[bytes]:
    whole, packed = batch(made, rows), []
    for at in range(0, len(whole), size):
        packed += decide.decide(made, whole.slice(at, at + size), state, received_at=streams.RECEIVED_AT).facts
    return packed


def crowd(seed: int, rows: int = 240) -> list[dict[str, Any]]:
    """Few accounts, all kinds of gaps, some late, some far too late, many ties."""
    random, moment, made = Random(seed), START, []
    for n in range(rows):
        moment += random.choice((0, 0, 1, HOUR, DAY, 3 * DAY))
        made.append(
            {
                "id": f"{random.choice('xyz')}{n}",
                "occurred_at": moment - random.choice((0, 0, 0, 1, HOUR, 9 * DAY, 39 * DAY, 41 * DAY)),
                "account": random.choice("AAAABC"),
                "amount": random.choice((0, -1, 100, 20_000, 2**40, 10_000 + n)),
                "location": random.choice(("delhi", "Delhi ", "pune", None)),
            }
        )
    return made


# One arena for all entities ------------------------------------------------------------------------------------------


def test_an_entity_has_one_number_for_ever_and_a_missing_key_has_none() -> None:
    entities = Entities()
    assert [entities[key] for key in ("A", "B", "A", None, ("A", 1), "B")] == [0, 1, 0, -1, 2, 1]
    assert entities.count == 3


def test_a_text_has_one_code_for_ever_and_texts_are_told_from_numbers() -> None:
    codes = Codes()
    assert [codes[value] for value in ("delhi", "pune", "delhi", 1.0, "1.0", 1.0)] == [0, 1, 0, 2, 3, 2]
    assert math.isnan(codes[None])
    assert codes.texts == ["delhi", "pune", 1.0, "1.0"]


@pytest.mark.parametrize("seed", range(4))
def test_where_the_arena_is_repacked_makes_no_difference(seed: int) -> None:
    """Before every row the arena is packed as tightly as it can be, so that every insertion has to move its block."""
    made, rows = windows(), crowd(seed)
    tight = decide.state_for(made)
    packed = []
    for n in range(len(rows)):
        for role in tight.roles:
            role.grow(0, kernel)
            used = int(role.top[0])
            for label in ("when", "name"):
                setattr(role, label, getattr(role, label)[:used])
        packed += facts_of(made, rows[n : n + 1], tight)
    assert packed == facts_of(made, rows, decide.state_for(made))


@pytest.mark.parametrize("seed", range(4))
def test_repacking_now_and_then_makes_no_difference_to_the_compiled_kernel(seed: int) -> None:
    made, rows, random = windows(), crowd(seed), Random(seed)
    state, engine = decide.state_for(made), history.compiled_kernel()
    assert state.compile()
    packed = []
    for n in range(0, len(rows), 7):
        for role in state.roles:
            if random.random() < 0.4:
                role.grow(0, engine)
        packed += facts_of(made, rows[n : n + 7], state)
    assert packed == facts_of(made, rows, decide.state_for(made))


def test_repacking_drops_what_was_evicted_and_only_that() -> None:
    made = windows()
    state = decide.state_for(made)
    rows = [{"occurred_at": START + n * DAY} for n in range(200)]
    before = facts_of(made, rows, state)
    (role,) = state.roles
    role.grow(0, kernel)
    assert role.tail[0] - role.head[0] == 40  # (H - 40 d, H]
    assert role.when[role.head[0]] == START + 160 * DAY
    assert [role.prefix[role.head[0] * role.prefix_count + p] for p in range(role.prefix_count)] == [
        0
    ] * 6  # begin anew
    later = [{"id": "later", "occurred_at": START + 200 * DAY}]
    assert facts_of(made, later, state) == facts_of(made, [*rows, *later], decide.state_for(made))[-1:]
    assert len(before) == 200


def test_the_newest_row_of_an_entity_is_kept_for_ever() -> None:
    """So that the horizon never goes back: what comes years late is still known to be late."""
    made = windows()
    rows = [{"id": "new", "occurred_at": START}, {"id": "next", "occurred_at": START + 4000 * DAY}]
    state = decide.state_for(made)
    facts_of(made, rows, state)
    (role,) = state.roles
    role.grow(0, kernel)
    assert [role.when[k] for k in range(role.head[0], role.tail[0])][-1] == START + 4000 * DAY
    (late,) = decided_after(made, state, {"id": "late", "occurred_at": START + 10 * DAY})
    assert late.degraded == ("window_expired",)
    assert late.late_ms == 3990 * DAY


def decided_after(made: Program, state: State, *rows: dict[str, Any]) -> list[Any]:
    return [explain.unpack(made, row) for row in facts_of(made, rows, state)]


def test_a_growing_block_keeps_its_rows_in_place_order_and_sum() -> None:
    """One account with a thousand rows among a thousand accounts with one: blocks are moved again and again."""
    made = programmed("amount > 1", features={"rows": "count(by=account)", "total": "sum(amount, by=account)"})
    rows = []
    for n in range(1000):
        rows += [{"id": f"a{n}", "account": "A", "amount": n}, {"id": f"o{n}", "account": f"other{n}", "amount": 1}]
    facts = decided(made, [{**row, "occurred_at": START + n} for n, row in enumerate(rows)])
    assert facts[-2].features == (1000.0, float(sum(range(1000))))
    assert {fact.features for fact in facts[1::2]} == {(1.0, 1.0)}


# Order ---------------------------------------------------------------------------------------------------------------


def test_rows_of_one_instant_stand_in_the_order_of_their_ids_whatever_their_arrival() -> None:
    made = windows()
    state = decide.state_for(made)
    names = ["b", "a", "é", "", "aa", "B"]
    facts_of(made, [{"id": name, "occurred_at": START} for name in names], state)
    (late,) = decided_after(made, state, {"id": "0", "occurred_at": START + 1})
    assert named(made, late)["before"] == "é"
    (role,) = state.roles
    stored = []
    for k in range(role.head[0], role.tail[0] - 1):
        place = role.name[k]
        size = state.ids[place] * 256 + state.ids[place + 1]
        stored.append(bytes(state.ids[place + 2 : place + 2 + size]).decode())
    assert stored == sorted(names, key=str.encode)


def test_at_the_same_instant_a_window_holds_every_row_that_arrived_earlier() -> None:
    made = programmed("amount > 1", features={"rows": 'count(by=account, last="1s", prior=True)'})
    facts = decided(made, [{"id": name, "occurred_at": START} for name in ("z", "a", "m")])
    assert [fact.features for fact in facts] == [(0.0,), (1.0,), (2.0,)]


def test_a_late_row_sees_the_window_that_ends_at_its_own_time_and_takes_its_place() -> None:
    before = {"before": "previous(id, by=account)", "today": 'count(by=account, last="1d")'}
    made = programmed("amount > 1", features=before)
    rows = [
        {"id": "first", "occurred_at": START},
        {"id": "third", "occurred_at": START + 2 * HOUR},
        {"id": "late", "occurred_at": START + HOUR},
        {"id": "again", "occurred_at": START + HOUR + 1},
        {"id": "now", "occurred_at": START + 2 * HOUR + 1},
    ]
    facts = decided(made, rows)
    assert [fact.features for fact in facts] == [
        (None, 1.0), ("first", 2.0), ("first", 2.0), ("late", 3.0), ("third", 5.0),
    ]  # fmt: skip
    assert [fact.late_ms for fact in facts] == [0, 0, HOUR, HOUR - 1, 0]


EDGES = [(HOUR - 1, 2.0), (HOUR, 1.0), (HOUR + 1, 1.0)]


@pytest.mark.parametrize(("gap", "rows"), EDGES)
def test_what_happened_exactly_an_hour_ago_is_outside_the_hour(gap: int, rows: float) -> None:
    made = programmed("amount > 1", features={"lately": 'count(by=account, last="1h")'})
    assert decided(made, [{"occurred_at": START}, {"occurred_at": START + gap}])[1].features == (rows,)


RETAINED = [(40 * DAY - 1, False, 1.0), (40 * DAY, False, 1.0), (40 * DAY + 1, True, None)]


@pytest.mark.parametrize(("late_by", "expired", "rows"), RETAINED)
def test_a_window_that_begins_below_the_horizon_is_missing(late_by: int, expired: bool, rows: float | None) -> None:
    made = programmed("amount > 1", features={"rows": "count(by=account)"}, **RETENTION)
    fact = decided(made, [{"occurred_at": START}, {"occurred_at": START - late_by}])[1]
    assert (fact.degraded == ("window_expired",)) is expired
    assert fact.features == (rows,)


def test_what_lies_below_the_horizon_is_decided_and_not_inserted() -> None:
    made = programmed(
        "amount > 1", features={"ever": "since_first(by=account)", "rows": "count(by=account)"}, **RETENTION
    )
    rows = [{"occurred_at": START}, {"occurred_at": START - 50 * DAY}, {"occurred_at": START + 1}]
    facts = decided(made, rows)
    assert facts[1].features == (None, None)
    assert facts[2].features == (1.0, 2.0)


# Speeds --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", streams.SHAPES)
@pytest.mark.parametrize("switch", [0, 37, 99])
def test_compiling_in_the_middle_of_a_stream_makes_no_difference(shape: Any, switch: int) -> None:
    random = Random(7 + switch)
    made = programmed_from(streams.rulesets(random, rules=3, windows=12))
    whole = batched(made, shape(random, 120))
    plain, both = decide.state_for(made), decide.state_for(made)
    expected = decide.decide(made, whole, plain, received_at=streams.RECEIVED_AT).facts
    first = decide.decide(made, whole.slice(0, switch), both, received_at=streams.RECEIVED_AT).facts
    assert both.compile()
    second = decide.decide(made, whole.slice(switch, len(whole)), both, received_at=streams.RECEIVED_AT).facts
    assert first + second == expected


def test_without_numba_there_is_no_compiled_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "compiled_kernel", lambda: None)
    state = State((PLAN,), DAY)
    assert not state.compile()
    assert not state.compiled
