"""Histories: what every entity did, in event time, in memory. The state that a batch is folded over.

`State` holds one `Role` per distinct `by=` of a ruleset. It is nothing but the set of decided transactions, arranged
for searching; `engine.kernel` says how a window is computed from it.
"""

from __future__ import annotations

import importlib.util
import sys
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from fraudline.engine import kernel

IDS_AT_ONCE = 1_000_000
IDS_WORTH_BYTES = 1 << 22  # below that, dead ids are not worth a look at all rows
Key = str | float | tuple[str | float, ...]
_INTEGER_ARRAYS = ("start", "head", "tail", "room", "top", "when", "name", "prefix", "stamp", "clock")


class Entities(dict[Key | None, int]):
    """Gives every entity key a number at first sight: 0, 1, 2 ... A missing key (None) is -1."""

    def __init__(self) -> None:
        super().__init__({None: -1})

    def __missing__(self, key: Key | None) -> int:
        number = self[key] = len(self) - 1
        return number

    @property
    def count(self) -> int:
        """How many entities have a number."""
        return len(self) - 1


class Codes(dict[str | float | None, float]):
    """Gives every text (or number) in histories a code at first sight; a missing value (None) is NaN.

    Codes never leave the process; `texts` leads back.
    """

    def __init__(self) -> None:
        super().__init__({None: kernel.NAN})
        self.texts: list[str | float] = []

    def __missing__(self, value: str | float | None) -> float:
        code = self[value] = float(len(self.texts))
        self.texts.append(value)  # type: ignore[arg-type]  # None is there from the start
        return code


@cache
def compiled_kernel() -> ModuleType | None:
    """The kernel's own source again, compiled by Numba and cached on disk; None where Numba is not installed."""
    if importlib.util.find_spec("numba") is None:
        return None
    import numba  # an optional extra: imported only when a batch is large enough to repay it

    name = "fraudline.engine._kernel_compiled"
    spec = importlib.util.spec_from_file_location(name, kernel.__file__)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    module.__dict__["JIT"] = numba.njit(cache=True)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True, slots=True)
class RolePlan:
    """What one role keeps and computes: the fields that name its entities, and flat descriptors for the kernel."""

    by: tuple[str, ...]
    looks: tuple[tuple[str, ...], ...]  # looks[0] is `by`; the others come from `of=`
    features: tuple[int, ...]
    prefixes: tuple[int, ...]
    values: tuple[int, ...]
    exact: bool
    scans: tuple[Scan, ...] = ()


@dataclass(frozen=True, slots=True)
class Scan:
    """A `where=` with `current()`: before each row, its truth is written for every row in reach of the window."""

    look: int
    mask: int
    span: int
    mark: Callable[..., None]


@dataclass(slots=True)
class Role:
    """The histories of all entities of one role, in one arena (see `engine.kernel` for the picture)."""

    plan: RolePlan
    entities: Entities = field(default_factory=Entities)
    start: Any = field(default_factory=list)
    head: Any = field(default_factory=list)
    tail: Any = field(default_factory=list)
    room: Any = field(default_factory=list)
    top: Any = field(default_factory=lambda: [0])
    when: Any = field(default_factory=list)
    name: Any = field(default_factory=list)
    prefix: Any = field(default_factory=list)
    kept: Any = field(default_factory=list)

    @property
    def prefix_count(self) -> int:
        """How many running totals each row carries."""
        return len(self.plan.prefixes) // kernel.P_SIZE

    def reserve_entities(self) -> None:
        """Room in the tables for every entity that has a number."""
        missing = self.entities.count - len(self.start)
        if missing <= 0:
            return
        if isinstance(self.start, list):
            for table in (self.start, self.head, self.tail, self.room):
                table.extend([0] * missing)
            return
        extra = max(missing, len(self.start) // 2)
        for label in ("start", "head", "tail", "room"):
            setattr(self, label, np.concatenate([getattr(self, label), np.zeros(extra, dtype=np.int64)]))

    def grow(self, rows: int, engine: Any) -> None:
        """Make the arena larger by at least this many rows; squeeze out what is dead, where that is worth it."""
        count, used = self.entities.count, int(self.top[0])
        live = engine.live_rows(count, self.head, self.tail)
        if 2 * (live + count) > used:
            room = len(self.when)
            self._extend(max(room + rows, room + room // 2, 64))
            return
        self.repack(rows, engine)

    def repack(self, rows: int, engine: Any) -> None:
        """Squeeze out what is dead, and leave room for at least so many rows to come."""
        count = self.entities.count
        live = engine.live_rows(count, self.head, self.tail)
        size = 2 * live + live // 8 + 2 * count + rows + 64
        old = [getattr(self, label) for label, _ in self._columns()]
        fresh = [self._zeros(size * stride, column) for (_, stride), column in zip(self._columns(), old, strict=True)]
        width = (self.prefix_count, len(self.plan.values))
        self.top[0] = engine.repack(count, self.start, self.head, self.tail, self.room, *old, *fresh, *width)
        for (label, _), column in zip(self._columns(), fresh, strict=True):
            setattr(self, label, column)

    def _extend(self, size: int) -> None:
        for label, stride in self._columns():
            column = getattr(self, label)
            extra = size * stride - len(column)
            if isinstance(column, list):
                column.extend([0] * extra)
            else:
                grown = np.zeros(size * stride, dtype=column.dtype)
                grown[: len(column)] = column
                setattr(self, label, grown)

    def places(self) -> npt.NDArray[np.int64]:
        """Where in the arena the rows stand that are in a history, entity by entity."""
        count = self.entities.count
        heads = np.asarray(self.head[:count], dtype=np.int64)
        sizes = np.asarray(self.tail[:count], dtype=np.int64) - heads
        begin = heads - (np.cumsum(sizes) - sizes)
        return np.repeat(begin, sizes) + np.arange(int(sizes.sum()))

    @staticmethod
    def _zeros(size: int, like: Any) -> Any:
        return [0] * size if isinstance(like, list) else np.zeros(size, dtype=like.dtype)

    def _columns(self) -> tuple[tuple[str, int], ...]:
        return (("when", 1), ("name", 1), ("prefix", self.prefix_count), ("kept", len(self.plan.values)))

    def to_arrays(self) -> None:
        """Lists become NumPy arrays, once, for the compiled kernel."""
        for label in ("start", "head", "tail", "room", "top", "when", "name", "prefix"):
            setattr(self, label, np.array(getattr(self, label), dtype=np.int64))
        self.kept = np.array(self.kept, dtype=np.float64)


def _listed(column: Any) -> list[int]:
    plain: list[int] = column if isinstance(column, list) else column.tolist()
    return plain


@dataclass(slots=True)
class State:
    """All histories a ruleset needs, and the codes that text has in them. Fold a batch with `fold`."""

    plans: tuple[RolePlan, ...]
    retention_ms: int
    roles: list[Role] = field(default_factory=list)
    codes: Codes = field(default_factory=Codes)
    ids: Any = field(default_factory=bytearray)
    ids_used: int = 0
    ids_floor: int = 0  # what was used after the last compaction
    stamp: Any = field(default_factory=list)
    clock: Any = field(default_factory=lambda: [0])
    began_at: int | None = None  # the earliest event time the log holds
    compiled: bool = False

    def __post_init__(self) -> None:
        self.roles = [Role(plan) for plan in self.plans]

    def texts(self, column: Sequence[float]) -> list[str | None]:
        """The texts behind a column of codes."""
        texts = self.codes.texts
        return [None if code != code else str(texts[int(code)]) for code in column]

    def compile(self) -> bool:
        """Switch to the compiled kernel for good; False where Numba is not installed."""
        if not self.compiled and compiled_kernel() is not None:
            for role in self.roles:
                role.to_arrays()
            self.stamp = np.array(self.stamp, dtype=np.int64)
            self.clock = np.array(self.clock, dtype=np.int64)
            self.ids = np.frombuffer(bytes(self.ids), dtype=np.uint8).copy()
            self.compiled = True
        return self.compiled

    def fold(
        self,
        moments: Sequence[int],
        day_only: Sequence[bool],
        ids: Sequence[str],
        keys: Sequence[Sequence[Sequence[Key | None]]],
        X: Any,
    ) -> tuple[list[int], list[int]]:
        """Compute every feature column of `X` and add the rows to the histories, in order of arrival.

        `keys[r][k][i]` is the entity key of row i for role r under its k-th look. Returns (late_ms, flags) per row.
        """
        n = len(ids)
        if self.ids_used > 2 * self.ids_floor + IDS_WORTH_BYTES:
            self.compact_ids()
        names = self._append_ids(ids)
        self._reserve_codes()
        engine: Any = compiled_kernel() if self.compiled else kernel
        array = (lambda v: np.asarray(v, dtype=np.int64)) if self.compiled else (lambda v: v)
        late = array([0] * n)
        flags = array([0] * n)
        when = array(moments if isinstance(moments, list) else list(moments))
        days = array(list(map(int, day_only)))
        places = array(names)
        for role, role_keys in zip(self.roles, keys, strict=True):
            numbers = role.entities
            looks = [[numbers[key] for key in column] for column in role_keys]
            role.reserve_entities()
            table = np.asarray(looks, dtype=np.int64) if self.compiled else looks
            self._fold_role(role, engine, array, n, when, days, places, table, X, late, flags)
        return _listed(late), _listed(flags)

    def _fold_role(
        self,
        role: Role,
        engine: Any,
        array: Callable[[Any], Any],
        n: int,
        when: Any,
        days: Any,
        places: Any,
        looks: Any,
        X: Any,
        late: Any,
        flags: Any,
    ) -> None:
        plan = role.plan
        features, prefixes, values = array(plan.features), array(plan.prefixes), array(plan.values)
        row = 0
        while row < n:
            stop = n
            if plan.scans:
                stop = row + 1
                self._scan(role, row, when, looks, X)
            reached = engine.fold(
                row, stop, when, days, places, self.ids, looks, X,
                features, len(plan.features) // kernel.F_SIZE,
                prefixes, role.prefix_count, values, len(plan.values),
                self.retention_ms, int(plan.exact),
                role.start, role.head, role.tail, role.room, role.top,
                role.when, role.name, role.prefix, role.kept,
                self.stamp, self.clock, late, flags,
            )  # fmt: skip
            if reached < stop:
                entity = int(looks[0][reached])
                role.grow(2 * (int(role.tail[entity]) - int(role.head[entity])) + (n - reached) + 8, engine)
            row = reached

    @staticmethod
    def _scan(role: Role, row: int, when: Any, looks: Any, X: Any) -> None:
        for scan in role.plan.scans:
            entity = int(looks[scan.look][row])
            if entity < 0:
                continue
            low, high = int(role.head[entity]), int(role.tail[entity])
            if scan.span >= 0:
                low = bisect_right(role.when, int(when[row]) - scan.span, low, high)
            scan.mark(low, high, role.kept, len(role.plan.values), scan.mask, X, row)

    def _append_ids(self, ids: Sequence[str]) -> list[int]:
        """Keep the ids' bytes, each behind two bytes of length: equal times are ordered by them."""
        places = []
        place = self.ids_used
        chunks = []
        for text in ids:
            data = text.encode()
            chunks.append(len(data).to_bytes(2, "big"))
            chunks.append(data)
            places.append(place)
            place += len(data) + 2
        block = b"".join(chunks)
        if isinstance(self.ids, bytearray):
            self.ids += block
        else:
            if place > len(self.ids):
                self.ids = np.concatenate([self.ids, np.zeros(max(len(block), len(self.ids) // 2), dtype=np.uint8)])
            self.ids[self.ids_used : place] = np.frombuffer(block, dtype=np.uint8)
        self.ids_used = place
        return places

    def compact_ids(self) -> None:
        """Keep only the ids of rows that are still in a history."""
        places = [role.places() for role in self.roles]
        names = [np.asarray(role.name, dtype=np.int64)[rows] for role, rows in zip(self.roles, places, strict=True)]
        live = np.unique(np.concatenate([*names, np.zeros(0, dtype=np.int64)]))
        old = np.frombuffer(bytes(self.ids[: self.ids_used]), dtype=np.uint8)
        sizes = old[live].astype(np.int64) * 256 + old[live + 1] + 2
        moved = np.cumsum(sizes) - sizes
        for role, rows, name in zip(self.roles, places, names, strict=True):
            column = np.asarray(role.name, dtype=np.int64)
            column[rows] = moved[np.searchsorted(live, name)]
            role.name = column if self.compiled else column.tolist()
        self.ids_used = self.ids_floor = int(sizes.sum())
        kept = np.zeros(self.ids_used, dtype=np.uint8)
        for at in range(0, len(live), IDS_AT_ONCE):
            size, first = sizes[at : at + IDS_AT_ONCE], int(moved[at])
            total = int(size.sum())
            begin = np.repeat(live[at : at + IDS_AT_ONCE] - (moved[at : at + IDS_AT_ONCE] - first), size)
            kept[first : first + total] = old[begin + np.arange(total)]
        self.ids = kept if self.compiled else bytearray(kept.tobytes())

    def _reserve_codes(self) -> None:
        missing = len(self.codes.texts) - len(self.stamp)
        if missing <= 0:
            return
        if isinstance(self.stamp, list):
            self.stamp.extend([0] * missing)
        else:
            self.stamp = np.concatenate([self.stamp, np.zeros(max(missing, len(self.stamp) // 2), dtype=np.int64)])
