"""The engine against the naive oracle: no difference in any fact, over random and adversarial streams and rulesets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from fraudline.domain.decision import Facts
from fraudline.domain.transaction import Batch
from fraudline.engine import check, decide, facts, kernel
from fraudline.engine.compile import Program, program
from fraudline.engine.features import slot_of
from fraudline.engine.tree import Window
from tests import oracle, streams

SEEDS = range(504)
LENGTH = 100
SIZES = (1, 7, 1000)


def programmed(given: dict[str, Any]) -> Program:
    """The engine's program for a ruleset; YAML understands JSON."""
    return program(check.load(json.dumps(given, ensure_ascii=False)))


def batched(made: Program, stream: Sequence[streams.Transaction]) -> Batch:
    """A stream as the engine takes it."""
    names = [spec.name for spec in made.ruleset.fields if spec.name not in ("id", "occurred_at")]
    return Batch(
        ids=[row["id"] for row in stream],
        occurred_at=[row["occurred_at"] for row in stream],
        day_only=[row["day_only"] for row in stream],
        columns={name: [row.get(name) for row in stream] for name in names},
        fingerprints=[b""] * len(stream),
        rows=list(range(1, len(stream) + 1)),
    )


def decided(made: Program, stream: Sequence[streams.Transaction], size: int) -> list[Facts]:
    """The engine's facts, in batches of this size."""
    state, whole = decide.state_for(made), batched(made, stream)
    texts = [n for n, slot in enumerate(made.slots) if slot.op == kernel.PREVIOUS and is_text(made, slot.value)]
    packed: list[bytes] = []
    for start in range(0, len(whole), size):
        part = whole.slice(start, start + size)
        packed += decide.decide(made, part, state, received_at=streams.RECEIVED_AT).facts
    return [facts.unpack(row, len(made.ruleset.rules), len(made.slots), texts) for row in packed]


def is_text(made: Program, name: str | None) -> bool:
    return name is not None and made.ruleset.kind(name) == "text"


def told(made: Program, fact: Facts) -> dict[str, Any]:
    """The engine's facts in the oracle's words."""
    names = [rule.id for rule in made.ruleset.rules]
    return {
        "outcome": fact.outcome,
        "level": fact.level,
        "score": fact.score,
        "fired": [names[r] for r in fact.fired],
        "unknown": [names[r] for r in fact.unknown],
        "suppressed": [names[r] for r in fact.suppressed],
        "alert": fact.alert,
        "degraded": list(fact.degraded),
        "late_ms": fact.late_ms,
        "covered_ms": fact.covered_ms,
        "features": windows_told(made, fact),
    }


def windows_told(made: Program, fact: Facts) -> dict[str, Any]:
    """The values of named features that are one window, which the engine stores as they are."""
    values: dict[str, Any] = {}
    for name, tree in made.trees.features.items():
        if not isinstance(tree, Window) or tree.function in ("avg", "zscore"):
            continue
        value = fact.features[made.slots.index(slot_of(tree))]
        number = tree.value is not None and made.ruleset.kind(tree.value) == "number"
        if isinstance(value, float) and (tree.function == "stddev" or (tree.function == "sum" and number)):
            spec = made.ruleset.spec(tree.value or "")
            value /= 10 ** (spec.decimals if number and spec and spec.decimals else 2)
        values[name] = value
    return values


def expected(decision: oracle.Decision, names: Sequence[str]) -> dict[str, Any]:
    """What the oracle said, of these features."""
    return vars(decision) | {"features": {name: decision.features[name] for name in names}}


def differences(
    given: dict[str, Any], stream: Sequence[streams.Transaction], size: int, only: set[int] | None = None
) -> list[str]:
    """Where engine and oracle do not say the same, one line each; of `only` these positions, where given."""
    made = programmed(given)
    found = []
    looked_at = range(len(stream)) if only is None else sorted(only)
    facts_made = decided(made, stream, size)
    decisions = oracle.decisions(given, stream, streams.RECEIVED_AT, only)
    for n, decision in zip(looked_at, decisions, strict=True):
        fact = facts_made[n]
        got = told(made, fact)
        wanted = expected(decision, list(got["features"]))
        found += [f"#{n} {key}: engine {got[key]!r}, oracle {wanted[key]!r}" for key in got if got[key] != wanted[key]]
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_engine_and_oracle_agree(seed: int) -> None:
    random = Random(seed)
    given = streams.rulesets(random)
    stream = streams.SHAPES[seed % len(streams.SHAPES)](random, LENGTH)
    assert differences(given, stream, SIZES[seed % len(SIZES)])[:10] == []


def test_there_are_fifty_thousand_transactions() -> None:
    assert len(SEEDS) * LENGTH >= 50_000


@pytest.mark.parametrize("seed", range(9))
def test_they_agree_on_long_histories(seed: int) -> None:
    """Hundreds of rows of one entity: blocks move, old rows are evicted, totals grow; looked at here and there."""
    random = Random(-1 - seed)
    given = streams.rulesets(random, rules=3, windows=12)
    stream = streams.SHAPES[seed](random, 1500)
    looked_at = set(random.sample(range(len(stream)), 60)) | {len(stream) - 1}
    assert differences(given, stream, random.choice((64, 1000)), looked_at)[:10] == []


def test_they_agree_where_sums_pass_what_a_float_holds() -> None:
    """8,192 times the largest amount is 2**53: the last sum that is told."""
    random = Random(53)
    given = streams.rulesets(random) | {
        "features": {
            "total": "sum(amount, by=account)",
            "usual": "avg(amount, by=account)",
            "spread": "stddev(amount, by=account)",
            "before": "sum(amount, by=account, prior=True)",
            "named": "zscore(amount, by=account)",
        }
    }
    times = [streams.START + n for n in range(8200)]
    stream = streams.at_times(random, times, amount=2**40, account="A1")
    assert differences(given, stream, 1000, {1, 8190, 8191, 8192, 8193, 8199}) == []


def test_the_compiled_kernel_gives_the_same_bytes() -> None:
    """Whether histories are compiled from the start, from the middle on, or not at all."""
    for seed in range(45):
        random = Random(seed)
        made = programmed(streams.rulesets(random))
        batch = batched(made, streams.SHAPES[seed % len(streams.SHAPES)](random, LENGTH))
        answers: list[list[bytes]] = []
        for compiled_from in (0, 2, 4):
            state = decide.state_for(made)
            answers.append([])
            for n, start in enumerate(range(0, LENGTH, 27)):
                if n == compiled_from:
                    assert state.compile(), "Numba belongs to the development environment"
                part = batch.slice(start, start + 27)
                answers[-1] += decide.decide(made, part, state, received_at=streams.RECEIVED_AT).facts
        assert answers[0] == answers[1] == answers[2], seed
