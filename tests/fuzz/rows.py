"""Typed transactions at the edges of what is allowed, for programs that were made from fuzzed texts."""

from __future__ import annotations

import random
from typing import Any

from fraudline.domain.ruleset import FieldSpec
from fraudline.domain.transaction import MAX_MINOR, Batch
from fraudline.engine import decide, explain
from fraudline.engine.compile import Program

START = 1_747_778_400_000
TEXTS = ("", "a", "A", "AB", "US", "0742", "\u0130", "a\x00b", "x" * 300, "{amount}", "Europe/London")
NUMBERS = (0.0, -0.0, 1.0, -1.5, 51.5, 89.999, 1e15, -1e15, 5e-324, 1.7e308)
WHOLE = (0, 1, -1, 99, 100, MAX_MINOR, -MAX_MINOR, 123_456)
STEPS = (0, 0, 1, 1_000, 60_000, 3_600_000, -7_200_000, 86_400_000, 40 * 86_400_000, 400 * 86_400_000)


def batch(program: Program, count: int, chance: random.Random) -> Batch:
    """So many transactions that this program may be given."""
    specs = [spec for spec in program.ruleset.fields if spec.name not in ("id", "occurred_at")]
    moment = START
    times = []
    for _ in range(count):
        moment += chance.choice(STEPS)
        times.append(moment)
    return Batch(
        ids=[f"T{n}" for n in range(count)],
        occurred_at=times,
        day_only=[chance.random() < 0.1 for _ in range(count)],
        columns={spec.name: [_value(spec, chance) for _ in range(count)] for spec in specs},
        fingerprints=[bytes([n]) * 32 for n in range(count)],
        rows=list(range(1, count + 1)),
    )


def _value(spec: FieldSpec, chance: random.Random) -> Any:
    if spec.name != "amount" and chance.random() < 0.2:
        return None
    if spec.kind == "money" or spec.decimals is not None:
        return chance.choice(WHOLE)
    if spec.name in ("latitude", "longitude"):
        return chance.choice((0.0, -0.0, 51.5, -33.9, 89.999, -90.0))
    kinds: dict[str, tuple[Any, ...]] = {"number": NUMBERS, "boolean": (True, False), "time": (0, START, -START)}
    if spec.name == "timezone":
        return chance.choice(("UTC", "Asia/Kolkata", "America/New_York"))
    return chance.choice(kinds.get(spec.kind, TEXTS))


def decided(program: Program, count: int, chance: random.Random) -> None:
    """Decide some transactions and say what was decided; whatever is raised is a find."""
    whole = batch(program, count, chance)
    answers = decide.decide(program, whole, decide.state_for(program), received_at=2 * START)
    assert len(answers.facts) == count
    last = count - 1
    explain.body(program, whole.row(last), answers.facts[last], 2 * START)
    explain.compact(program, whole.row(last), answers.facts[last])
