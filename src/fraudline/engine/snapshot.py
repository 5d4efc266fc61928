"""The histories of a state as bytes, so that a start need not replay the whole log.

A snapshot is a cache of the log up to a sequence, never a record: whoever cannot use one replays. It is good for one
version of a ruleset only (`key_of`), because what is kept of a row depends on the rules; another version replays.

    8 bytes   length of the header
    header    MessagePack: key, sequence, began_at, entities and texts in order of their numbers, lengths of the arrays
    arrays    little-endian int64 and float64, role by role, then the bytes of the ids
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from fraudline import __version__
from fraudline.engine import explain, kernel
from fraudline.engine.compile import Program
from fraudline.engine.decide import state_for
from fraudline.engine.history import Role, State, compiled_kernel

LAYOUT = 1
_TABLES = ("start", "head", "tail", "room", "top", "when", "name", "prefix", "kept")


class Header(msgspec.Struct, frozen=True):
    """What stands before the arrays. `lengths` are numbers of entries, role by role in the order of the tables."""

    key: str
    sequence: int
    mark: str
    began_at: int | None
    entities: list[list[str | int | float | list[str | int | float]]]
    texts: list[str | float]
    lengths: list[list[int]]
    ids_used: int


def key_of(program: Program) -> str:
    """What a snapshot must have been made with: the ruleset's version, what is kept of a row, the data files."""
    kept = repr([(plan.by, plan.prefixes, plan.values) for plan in program.plans]).encode()
    made = f"{program.ruleset.sha256()}:{hashlib.sha256(kept).hexdigest()[:16]}"
    return f"{LAYOUT}:{__version__}:{made}:{explain.data_versions()}"


def dump(program: Program, state: State, sequence: int, mark: str) -> Iterator[bytes]:
    """The pieces of a snapshot of this state, which holds the log up to `sequence`. Arenas are repacked on the way.

    `mark` tells the decision of that sequence from that of any other log.
    """
    engine = compiled_kernel() if state.compiled else kernel
    state.compact_ids()
    for role in state.roles:
        role.reserve_entities()
        role.repack(0, engine)
    tables = [[_array(getattr(role, label)) for label in _TABLES] for role in state.roles]
    for role, arrays in zip(state.roles, tables, strict=True):
        _cut(role, arrays)
    header = msgspec.msgpack.encode(
        Header(
            key=key_of(program),
            sequence=sequence,
            mark=mark,
            began_at=state.began_at,
            entities=[list(role.entities)[1:] for role in state.roles],  # type: ignore[misc]  # None stands first
            texts=state.codes.texts,
            lengths=[[len(array) for array in arrays] for arrays in tables],
            ids_used=state.ids_used,
        )
    )
    yield len(header).to_bytes(8, "little") + header
    for arrays in tables:
        for array in arrays:
            yield array.tobytes()
    yield bytes(state.ids[: state.ids_used])


def _array(table: Any) -> Any:
    if isinstance(table, np.ndarray):
        return table
    return np.array(table, dtype=np.float64 if any(type(value) is float for value in table[:1]) else np.int64)


def _cut(role: Role, arrays: list[Any]) -> None:
    """Leave out the unused ends of the arenas; values kept of rows are floats whatever they were in a list."""
    used = int(role.top[0]) + 1
    strides = {"when": 1, "name": 1, "prefix": role.prefix_count, "kept": len(role.plan.values)}
    for place, label in enumerate(_TABLES):
        if label in strides:
            arrays[place] = arrays[place][: used * strides[label]]
    arrays[-1] = np.asarray(role.kept[: used * strides["kept"]], dtype=np.float64)


def read_header(data: memoryview) -> Header | None:
    """The header of a snapshot; None where the bytes are none."""
    try:
        size = int.from_bytes(data[:8], "little")
        return msgspec.msgpack.decode(data[8 : 8 + size], type=Header)
    except (msgspec.MsgspecError, ValueError, OverflowError):
        return None


def restore(program: Program, data: memoryview, *, compiled: bool) -> tuple[Header, State] | None:
    """The header and state that `dump` wrote; None where they were written for anything else than this program."""
    header = read_header(data)
    if header is None or header.key != key_of(program):
        return None
    state = state_for(program)
    at = 8 + int.from_bytes(data[:8], "little")
    for role, lengths, entities in zip(state.roles, header.lengths, header.entities, strict=True):
        for label, length in zip(_TABLES, lengths, strict=True):
            kind: Any = np.float64 if label == "kept" else np.int64
            table = np.frombuffer(data, dtype=kind, count=length, offset=at)
            at += table.nbytes
            setattr(role, label, table.copy() if compiled else table.tolist())
        for number, key in enumerate(entities):
            role.entities[tuple(key) if isinstance(key, list) else key] = number
    for text in header.texts:
        state.codes[text]
    state.ids = bytearray(data[at : at + header.ids_used])
    state.ids_used = header.ids_used
    state.began_at = header.began_at
    if compiled:
        state.compile()
    return header, state
