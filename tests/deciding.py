"""A small ruleset written in a line, transactions written as dicts, and what the engine says about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from fraudline.domain.decision import Facts
from fraudline.domain.transaction import Batch
from fraudline.engine import check, decide, explain
from fraudline.engine.compile import Program, program
from fraudline.engine.features import slot_of
from fraudline.engine.tree import Window

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = 1_747_778_400_000  # 2025-05-20T22:00:00Z
RECEIVED_AT = 1_800_000_000_000  # 2027-01-15


def rule(when: str, points: int = 10, **more: Any) -> dict[str, Any]:
    """One rule; its id is `r` and a number where none is given."""
    return {"when": when, "points": points, "reason": "because", **more}


def programmed(*rules: dict[str, Any] | str, **given: Any) -> Program:
    """A program of these rules in US dollars. YAML understands JSON."""
    told = [rule(one) if isinstance(one, str) else one for one in rules]
    told = [{"id": f"r{number}", **one} for number, one in enumerate(told)]
    whole = {"ruleset": "small", "description": "of a test", "currency": "USD", "rules": told, **given}
    return program(check.load(json.dumps(whole)))


def batch(made: Program, rows: Sequence[dict[str, Any]]) -> Batch:
    """Typed rows (money in minor units) as a batch; ids are T0, T1 ... and times seconds apart where none are given."""
    names = [spec.name for spec in made.ruleset.fields if spec.name not in ("id", "occurred_at")]
    filled = [{"amount": 10_000, "account": "A", "day_only": False, **row} for row in rows]
    return Batch(
        ids=[row.get("id", f"T{n}") for n, row in enumerate(filled)],
        occurred_at=[row.get("occurred_at", START + 1000 * n) for n, row in enumerate(filled)],
        day_only=[row["day_only"] for row in filled],
        columns={name: [row.get(name) for row in filled] for name in names},
        fingerprints=[hashlib.sha256(repr(sorted(row.items(), key=str)).encode()).digest() for row in filled],
        rows=list(range(1, len(rows) + 1)),
    )


def named(made: Program, fact: Facts) -> dict[str, Any]:
    """The values of the named features that are one window, as they are stored: minor units, milliseconds, 1 and 0."""
    trees = made.trees.features.items()
    return {name: fact.features[made.slots.index(slot_of(tree))] for name, tree in trees if isinstance(tree, Window)}


def decided(made: Program, rows: Sequence[dict[str, Any]], received_at: int = RECEIVED_AT) -> list[Facts]:
    """The facts of these rows, decided as one batch."""
    answers = decide.decide(made, batch(made, rows), decide.state_for(made), received_at=received_at)
    return [explain.unpack(made, row) for row in answers.facts]


def bodies(made: Program, rows: Sequence[dict[str, Any]], received_at: int = RECEIVED_AT) -> list[dict[str, Any]]:
    """What is said about each of these rows."""
    whole = batch(made, rows)
    answers = decide.decide(made, whole, decide.state_for(made), received_at=received_at)
    return [explain.body(made, whole.row(n), row, received_at) for n, row in enumerate(answers.facts)]
