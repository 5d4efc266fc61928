"""Deciding a batch: fold it over the histories, evaluate every rule, resolve, and pack the facts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from fraudline.domain.decision import DEGRADED
from fraudline.domain.transaction import Batch
from fraudline.engine import facts, kernel
from fraudline.engine.compile import Program
from fraudline.engine.features import Frame
from fraudline.engine.history import State

_EXPIRED = 1 << DEGRADED.index("window_expired")
_RULE_ERROR = 1 << DEGRADED.index("rule_error")
_RATES_MISSING = 1 << DEGRADED.index("rates_missing")


@dataclass(slots=True)
class Decided:
    """Decisions of a batch, column by column: packed facts, and what people filter by."""

    facts: list[bytes]
    levels: list[int]
    outcomes: list[int]
    scores: list[int]
    raised: list[bool]

    @property
    def hashes(self) -> list[bytes]:
        """The SHA-256 that each decision is known by, made when somebody stores it."""
        return [facts.digest(row) for row in self.facts]


def state_for(program: Program) -> State:
    """Empty histories for this ruleset."""
    return State(program.plans, program.ruleset.retention_ms)


def decide(
    program: Program,
    batch: Batch,
    state: State,
    *,
    received_at: int,
    probability: Sequence[float | None] | None = None,
) -> Decided:
    """Decide every transaction of the batch in order, and add them to the histories of `state`.

    `received_at` is UTC milliseconds; rules whose `expires` is not later are not evaluated. `probability` is the
    model's, per transaction.
    """
    if probability is not None:  # what is stored is what rules see, so that a replay sees it too
        probability = [None if p is None else round(p, 6) for p in probability]
    frame, late, flags = fold(program, batch, state, probability)
    frame.fill(after_fold=True)
    n = len(batch)
    rates = _rates_missing(batch, program.ruleset.currency)
    degraded = [(_causes(flag) if flag else 0) | missing for flag, missing in zip(flags, rates, strict=True)]
    states, scores, levels, outcomes, raised, degraded = _evaluate(program, frame.X, n, received_at, degraded)
    columns = {
        "outcome": outcomes,
        "level": levels,
        "score": scores,
        "alert": raised,
        "degraded": degraded,
        "probability": [kernel.NAN if p is None else p for p in probability or [None] * n],
        "late_ms": late,
        "covered_ms": _covered(program, batch, state),
    }
    values = [frame.X[at] for key, at in program.layout.columns.items() if key[0] == "slot"]
    texts = [state.texts(frame.X[at]) for at in text_columns(program)]
    packed = facts.pack(states, columns, _without_codes(program, values), texts)
    return Decided(
        facts=packed,
        levels=_listed(levels),
        outcomes=_listed(outcomes),
        scores=_listed(scores),
        raised=[value == 1 for value in _listed(raised)],
    )


def _listed(column: Any) -> list[int]:
    plain: list[int] = column.tolist() if isinstance(column, np.ndarray) else column
    return plain


def _causes(flags: int) -> int:
    expired = _EXPIRED if flags & kernel.FLAG_EXPIRED else 0
    return expired | (_RULE_ERROR if flags & kernel.FLAG_OVERFLOW else 0)


def _rates_missing(batch: Batch, own: str) -> list[int]:
    """The cause where an amount is missing because it was in another currency: that must not pass for harmless."""
    amounts, codes = batch.columns.get("amount"), batch.columns.get("currency")
    if amounts is None or codes is None or None not in amounts:
        return [0] * len(batch)
    return [
        _RATES_MISSING if amount is None and code is not None and code.strip().upper() != own else 0
        for amount, code in zip(amounts, codes, strict=True)
    ]


def fold(
    program: Program, batch: Batch, state: State, probability: Sequence[float | None] | None = None
) -> tuple[Frame, list[int], list[int]]:
    """Compute all feature columns of a batch and add its transactions to the histories."""
    n, width = len(batch), len(program.layout.columns)
    X: Any = np.empty((width, n)) if state.compiled else [[0.0] * n for _ in range(width)]
    frame = Frame(batch, program.ruleset, program.layout, state, X, probability)
    frame.fill(after_fold=False)
    masks = program.masks.fast if state.compiled and program.masks.fast else program.masks.plain
    masks(n, X)
    late, flags = state.fold(batch.occurred_at, batch.day_only, batch.ids, frame.keys(program.plans), X)
    return frame, late, flags


def _evaluate(program: Program, X: Any, n: int, received_at: int, degraded: list[int]) -> tuple[Any, ...]:
    rules, until = len(program.ruleset.rules), program.active_until
    fast = program.rules.fast
    if fast is not None and isinstance(X, np.ndarray):
        states = np.zeros((rules, n), dtype=np.int64)
        results = np.zeros((4, n), dtype=np.int64)
        flags = np.asarray(degraded, dtype=np.int64)
        fast(n, X, float(received_at), np.asarray(until), flags, states, *results)
        return states, *results, flags
    columns = X.tolist() if isinstance(X, np.ndarray) else X
    plain_states = [[0] * n for _ in range(rules)]
    plain_results = [[0] * n for _ in range(4)]
    program.rules.plain(n, columns, float(received_at), until, degraded, plain_states, *plain_results)
    return plain_states, *plain_results, degraded


def text_columns(program: Program) -> list[int]:
    """The columns of the slots whose value is text."""
    kind = program.ruleset.kind
    return [
        at
        for key, at in program.layout.columns.items()
        if key[0] == "slot" and key[1].op == kernel.PREVIOUS and kind(key[1].value) == "text"
    ]


def _without_codes(program: Program, values: list[Any]) -> list[Any]:
    """Codes never leave the process: where a slot is text, its number says only that there is one."""
    coded = set(text_columns(program))
    places = [at for key, at in program.layout.columns.items() if key[0] == "slot"]
    return [
        [kernel.NAN if code != code else 0.0 for code in column] if at in coded else column
        for at, column in zip(places, values, strict=True)
    ]


def _covered(program: Program, batch: Batch, state: State) -> list[int]:
    """How long the log is, where that is less than the longest window; -1 where it is not."""
    if not len(batch):
        return []
    first = batch.occurred_at[0] if state.began_at is None else state.began_at
    begins = list(accumulate(batch.occurred_at, min, initial=first))[1:]
    state.began_at = begins[-1]
    longest = program.longest_window_ms
    return [
        moment - began if moment - began < longest else -1
        for moment, began in zip(batch.occurred_at, begins, strict=True)
    ]


def remember(program: Program, batch: Batch, state: State) -> None:
    """Add stored transactions to the histories without deciding them again."""
    if len(batch):
        fold(program, batch, state)
        _covered(program, batch, state)
