"""What was decided about one transaction: the facts, which are stored, hashed and replayed.

Facts are narrow on purpose. Sentences, values inside conditions and counterfactuals are rendered from them by
`engine.explain` when somebody looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

LEVELS = ("low", "medium", "high")
OUTCOMES = ("approve", "review", "decline")

# The closed list of causes; a decision stores them as bits in this order, so entries are only ever appended.
DEGRADED = (
    "histories_unavailable",
    "model_unavailable",
    "rule_error",
    "rates_missing",
    "window_expired",
    "history_truncated",
)


class Facts(msgspec.Struct, frozen=True):
    """The facts of one decision, in order of the ruleset's rules and features.

    `fired`, `unknown` and `suppressed` hold positions of rules; `features` one value per slot of the compiled
    ruleset (float, text, or None where missing; money in minor units, durations in milliseconds);
    `late_ms` how much earlier than its history's newest the transaction occurred, 0 if it did not;
    `covered_ms` how long the log is where that is shorter than the longest window, else None.
    """

    outcome: str
    level: str
    score: int
    probability: float | None
    fired: tuple[int, ...]
    unknown: tuple[int, ...]
    suppressed: tuple[int, ...]
    features: tuple[float | str | None, ...]
    degraded: tuple[str, ...]
    alert: bool
    late_ms: int = 0
    covered_ms: int | None = None


class Decision(msgspec.Struct, frozen=True):
    """A stored decision: facts as bytes (what replay compares), their SHA-256, and the envelope.

    `data` names the versions of the data files (time zones, cities, currencies) it was made with.
    """

    sequence: int
    transaction_id: str
    fingerprint: bytes
    received_at: int
    occurred_at: int
    revision: int
    source: str
    row: int
    path: str
    engine: str
    transaction: dict[str, Any]
    facts: bytes
    hash: bytes
    data: str = ""


class Decided(msgspec.Struct, frozen=True):
    """What the store holds under a transaction's id, as far as telling duplicate from conflict needs it."""

    fingerprint: bytes
    sequence: int
    revision: int
    source: str
    row: int
    level: int
    outcome: int
    alert: bool


class Alert(msgspec.Struct, frozen=True):
    """A message to people about one decision. `id` is the idempotency key of whatever sends it."""

    id: str
    transaction_id: str
    body: bytes


def level_of(score: int, bands: Sequence[int]) -> int:
    """Position in LEVELS for a score, given the least scores of medium and high."""
    return 2 if score >= bands[1] else 1 if score >= bands[0] else 0
