"""Facts as bytes: what is stored, hashed and compared. One layout, the same on every path and machine.

    header   layout u1, outcome u1, level u1, score u1, alert u1, degraded u2, probability f8, late_ms i8, covered_ms i8
    states   two bits per rule: 0 did not fire, 1 unknown, 2 fired, 3 fired but suppressed
    values   one little-endian float64 per slot, NaN where missing
    texts    MessagePack list of the slots that are text, if the ruleset has any

Everything but the texts has a width fixed by the ruleset, so a batch is packed column by column.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from fraudline.domain.decision import DEGRADED, LEVELS, OUTCOMES, Facts

LAYOUT = 1
HEADER_SIZE = 31
_HEADER = [
    ("layout", "u1"),
    ("outcome", "u1"),
    ("level", "u1"),
    ("score", "u1"),
    ("alert", "u1"),
    ("degraded", "<u2"),
    ("probability", "<f8"),
    ("late_ms", "<i8"),
    ("covered_ms", "<i8"),
]
_CANONICAL_NAN = np.array([float("nan")], dtype="<f8")[0]


@lru_cache(maxsize=256)
def _dtype(rules: int, slots: int) -> np.dtype[np.void]:
    return np.dtype([*_HEADER, ("states", "u1", ((rules + 3) // 4,)), ("values", "<f8", (slots,))])


def pack(
    states: Sequence[Sequence[int]],
    columns: dict[str, Any],
    values: Sequence[Sequence[float]],
    texts: Sequence[Sequence[str | None]],
) -> list[bytes]:
    """The facts of a batch as bytes, row by row.

    `states[r]` and `values[s]` hold one entry per row for each rule and slot; `columns` the header's entries by name
    (probability NaN where there is none, covered_ms -1 where the log covers the longest window); `texts[t]` the text of
    each text slot.
    """
    n = len(columns["score"])
    if n == 0:
        return []
    rows = np.zeros(n, dtype=_dtype(len(states), len(values)))
    rows["layout"] = LAYOUT
    for label, column in columns.items():
        rows[label] = column
    rows["states"] = _pack_states(np.asarray(states, dtype=np.uint8).reshape(len(states), n))
    if values:
        matrix = np.asarray(values, dtype="<f8").reshape(len(values), n).T
        rows["values"] = np.where(np.isnan(matrix), _CANONICAL_NAN, matrix)
    whole, size = rows.tobytes(), rows.dtype.itemsize
    packed = [whole[at : at + size] for at in range(0, n * size, size)]
    if not texts:
        return packed
    encode = msgspec.msgpack.encode
    return [fixed + encode(row) for fixed, row in zip(packed, zip(*texts, strict=True), strict=True)]


def _pack_states(states: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    rules, n = states.shape
    padded = np.zeros((n, (rules + 3) // 4 * 4), dtype=np.uint8)
    padded[:, :rules] = states.T
    quads = padded.reshape(n, -1, 4)
    whole: npt.NDArray[np.uint8] = quads[:, :, 0] | quads[:, :, 1] << 2 | quads[:, :, 2] << 4 | quads[:, :, 3] << 6
    return whole


def digest(facts: bytes) -> bytes:
    """The SHA-256 that a decision is known by."""
    return hashlib.sha256(facts).digest()


def state_of(facts: bytes, rule: int) -> int:
    """The state of one rule, read without unpacking the rest."""
    return facts[HEADER_SIZE + rule // 4] >> (rule % 4 * 2) & 3


def score_of(facts: bytes) -> int:
    """The score, read without unpacking the rest."""
    return facts[3]


def has_fired(facts: bytes, position: int) -> bool:
    """Whether the rule at this position fired and was not suppressed."""
    return state_of(facts, position) == 2


def fired_counts(packed: Sequence[bytes], rules: int) -> list[int]:
    """How often each rule fired, by its position."""
    width = (rules + 3) // 4
    states = b"".join([facts[HEADER_SIZE : HEADER_SIZE + width] for facts in packed])
    table = np.frombuffer(states, dtype=np.uint8).reshape(len(packed), width)
    return [int(((table[:, rule // 4] >> (rule % 4 * 2) & 3) == 2).sum()) for rule in range(rules)]


def unpack(facts: bytes, rules: int, slots: int, text_slots: Sequence[int] = ()) -> Facts:
    """Facts as values. `rules` and `slots` are the numbers of the ruleset that wrote them.

    Raises ValueError where the bytes are not of that shape.
    """
    dtype = _dtype(rules, slots)
    if len(facts) < dtype.itemsize or facts[0] != LAYOUT:
        raise ValueError("these facts were not written under this ruleset")
    row = np.frombuffer(facts[: dtype.itemsize], dtype=dtype)[0]
    values: list[float | str | None] = [None if value != value else float(value) for value in row["values"].tolist()]
    if text_slots:
        for at, text in zip(text_slots, msgspec.msgpack.decode(facts[dtype.itemsize :]), strict=True):
            values[at] = text
    states = [state_of(facts, rule) for rule in range(rules)]
    probability, covered = float(row["probability"]), int(row["covered_ms"])
    return Facts(
        outcome=OUTCOMES[row["outcome"]],
        level=LEVELS[row["level"]],
        score=int(row["score"]),
        probability=None if probability != probability else probability,
        fired=tuple(r for r, state in enumerate(states) if state == 2),
        unknown=tuple(r for r, state in enumerate(states) if state == 1),
        suppressed=tuple(r for r, state in enumerate(states) if state == 3),
        features=tuple(values),
        degraded=tuple(cause for k, cause in enumerate(DEGRADED) if int(row["degraded"]) >> k & 1),
        alert=bool(row["alert"]),
        late_ms=int(row["late_ms"]),
        covered_ms=None if covered < 0 else covered,
    )
