"""Twelve rules on features that are there already: generated code, lambdas, Polars, zen-engine. One event, and many."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import engine
from benchmarks.goals import Line, note
from benchmarks.workload import EPOCH_WEEKDAY, RECEIVED_AT, RISKY, Integers, workload
from fraudline.engine.compile import Program
from fraudline.engine.decide import fold
from fraudline.engine.features import slots_of
from fraudline.engine.tree import Node, Window

Row = dict[str, Any]
Run = Callable[[], Any]
Bits = Callable[[Any], Any]  # what a run gave, as one number of rule bits per event


_EXPRESSIONS = (
    "amount > 900",
    "in_a_minute > 5 or (in_an_hour > 12 and pause < 60)",
    "country != home_country and amount > 60",
    "balance < 150 and amount > 80",
    "speed > 907.3",
    "(odd and amount > 200)",
    "risky",
    "spread > 0 and (amount - usual) / spread > 3",
    "merchants_in_a_day > 40",
    "countries_in_an_hour > 2",
    "in_a_day > 60 or spent_in_a_day > 6000",
    "sales_in_an_hour > 50 and sold_in_a_day > 30000",
)
LAMBDAS: tuple[Callable[[Row], bool], ...] = (
    lambda r: r["amount"] > 900,
    lambda r: r["in_a_minute"] > 5 or (r["in_an_hour"] > 12 and r["pause"] < 60),
    lambda r: r["country"] != r["home_country"] and r["amount"] > 60,
    lambda r: r["balance"] < 150 and r["amount"] > 80,
    lambda r: r["speed"] > 907.3,
    lambda r: r["odd"] and r["amount"] > 200,
    lambda r: r["risky"],
    lambda r: r["spread"] > 0 and (r["amount"] - r["usual"]) / r["spread"] > 3,
    lambda r: r["merchants_in_a_day"] > 40,
    lambda r: r["countries_in_an_hour"] > 2,
    lambda r: r["in_a_day"] > 60 or r["spent_in_a_day"] > 6000,
    lambda r: r["sales_in_an_hour"] > 50 and r["sold_in_a_day"] > 30000,
)


def lines(rows: int, rounds: int) -> list[Line]:
    """Microseconds an event takes, by contender; those whose rules fire otherwise stop the run."""
    columns, events, expected = _features(rows)
    runs: dict[str, tuple[int, Run, Bits]] = {
        "generated function, one event": (rows, _generated(columns, 1, compiled=False), _of_states),
        "generated function, 10,000 events": (rows, _generated(columns, 10_000, compiled=False), _of_states),
        "12 lambdas, one event": (rows, lambda: [[rule(row) for rule in LAMBDAS] for row in events], _of_truths),
    }
    if importlib.util.find_spec("numba"):
        runs["generated function, compiled, 10,000 events"] = (
            rows,
            _generated(columns, 10_000, compiled=True),
            _of_states,
        )
    skipped = []
    for name, package, made in (("zen-engine", "zen", _zen), ("Polars", "polars", _polars)):
        if importlib.util.find_spec(package):
            runs.update(made(events))
        else:
            skipped.append(note(f"12 rules alone, {name}", f"{name} is skipped: not installed"))
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, (count, run, to_bits) in runs.items():
            began = time.process_time()
            found = run()
            if number:
                spent[name].append((time.process_time() - began) / count * 1e6)
                continue
            bits = np.asarray(to_bits(found))
            if not np.array_equal(bits, expected[:count]):
                wrong = int(np.flatnonzero(bits != expected[:count])[0])
                raise RuntimeError(f"{name} fires {bits[wrong]:012b} on event {wrong}, not {expected[wrong]:012b}")
    told = {name: statistics.median(times) for name, times in spent.items()}
    return [note(f"12 rules alone, {name}", f"{value:.2f} us") for name, value in told.items()] + skipped


def _of_truths(rows: Any) -> list[int]:
    return [sum(1 << place for place, hit in enumerate(row) if hit) for row in rows]


def _of_states(parts: Any) -> Any:
    return np.concatenate([_bits(states, len(states[0])) for states in parts])


def _features(rows: int) -> tuple[list[list[float]], list[Row], Integers]:
    """The engine's columns of a workload, the same as one dictionary per event, and which rules the engine fired."""
    made = engine.ruleset()
    (batch,) = engine.batches(workload(rows), rows)
    frame, _, flags = fold(made, batch, engine.ready(made, compiled=False))
    frame.fill(after_fold=True)
    columns = [[float(value) for value in column] for column in frame.X]
    states = _states(made, columns, list(flags))
    named = {name: _values(made, tree, columns) for name, tree in made.trees.features.items()}
    clock = [moment // 3_600_000 % 24 for moment in batch.occurred_at]
    weekday = [(moment // 86_400_000 + EPOCH_WEEKDAY) % 7 for moment in batch.occurred_at]
    named["odd"] = [hour >= 22 or hour < 6 or day >= 5 for hour, day in zip(clock, weekday, strict=True)]
    named["risky"] = [any(word in text for word in RISKY) for text in batch.columns["description"]]
    for name in ("amount", "balance"):
        named[name] = [value / 100 for value in batch.columns[name]]
    for name in ("country", "home_country"):
        named[name] = batch.columns[name]
    events = [dict(zip(named, values, strict=True)) for values in zip(*named.values(), strict=True)]
    return columns, events, _bits(states, rows)


def _values(made: Program, tree: Node, columns: list[list[float]]) -> list[Any]:
    """A named window in whole units; what is missing becomes a value on which no rule fires."""
    if not isinstance(tree, Window):
        raise TypeError(f"{tree} is no window")
    first, *more = (columns[made.layout.column("slot", slot)] for slot in slots_of(tree))
    if more:  # an average: the sum, and how many
        return [total / (count * 100) if count else 0.0 for total, count in zip(first, more[0], strict=True)]
    if tree.function == "since_last":
        return [1e9 if value != value else value / 1000 for value in first]
    unit = 100 if tree.function in ("sum", "stddev") else 1
    return [0.0 if value != value else value / unit for value in first]


def _bits(states: Sequence[Sequence[int]], rows: int) -> Integers:
    found = np.zeros(rows, dtype=np.int64)
    for place, column in enumerate(states):
        found |= (np.asarray(column) == 2).astype(np.int64) << place
    return found


def _states(made: Program, columns: list[list[float]], flags: list[int]) -> list[list[int]]:
    n = len(flags)
    states = [[0] * n for _ in made.ruleset.rules]
    results = [[0] * n for _ in range(4)]
    made.rules.plain(n, columns, float(RECEIVED_AT), made.active_until, flags, states, *results)
    return states


def _generated(columns: list[list[float]], size: int, *, compiled: bool) -> Run:
    """The function generated from the ruleset, on so many events at a time."""
    made = engine.ruleset()
    rows, rules = len(columns[0]), len(made.ruleset.rules)
    parts: list[Any] = [[column[at : at + size] for column in columns] for at in range(0, rows, size)]
    if compiled:
        engine.ready(made, compiled=True)
        parts = [np.array(part) for part in parts]

    def run() -> list[Any]:
        found: list[Any] = []
        for part in parts:
            n = len(part[0])
            if compiled and made.rules.fast is not None:
                states: Any = np.zeros((rules, n), dtype=np.int64)
                flags, results = np.zeros(n, dtype=np.int64), np.zeros((4, n), dtype=np.int64)
                made.rules.fast(n, part, float(RECEIVED_AT), np.asarray(made.active_until), flags, states, *results)
            else:
                states = _states(made, part, [0] * n)
            found.append(states)
        return found

    return run


def _zen(events: list[Row]) -> dict[str, tuple[int, Run, Bits]]:
    """zen-engine: one decision graph with an expression per rule, one event at a time."""
    zen: Any = importlib.import_module("zen")
    asked = [{"id": f"e{place}", "key": f"r{place}", "value": text} for place, text in enumerate(_EXPRESSIONS)]
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode", "position": {"x": 0, "y": 0}},
        {
            "id": "rules",
            "name": "rules",
            "type": "expressionNode",
            "position": {"x": 0, "y": 0},
            "content": {"expressions": asked},
        },
        {"id": "out", "name": "out", "type": "outputNode", "position": {"x": 0, "y": 0}},
    ]
    edges = [
        {"id": "1", "type": "edge", "sourceId": "in", "targetId": "rules"},
        {"id": "2", "type": "edge", "sourceId": "rules", "targetId": "out"},
    ]
    decision = zen.ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))
    some = events[:5_000]
    names = [f"r{place}" for place in range(len(_EXPRESSIONS))]

    def run() -> list[Row]:
        return [decision.evaluate(event)["result"] for event in some]

    def to_bits(results: list[Row]) -> list[int]:
        return _of_truths([result[name] for name in names] for result in results)

    return {"zen-engine, one event": (len(some), run, to_bits)}


def _polars(events: list[Row]) -> dict[str, tuple[int, Run, Bits]]:
    """Polars: the rules as one SQL expression each, on one event and on all of them."""
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    pl: Any = importlib.import_module("polars")
    bits = pl.sum_horizontal(pl.sql_expr(text).cast(pl.Int64) * (1 << place) for place, text in enumerate(_EXPRESSIONS))
    few = [pl.DataFrame([event]) for event in events[:200]]
    many = [pl.DataFrame(events[at : at + 10_000]) for at in range(0, len(events), 10_000)]

    def run(frames: list[Any]) -> Run:
        return lambda: [frame.select(bits=bits)["bits"].to_numpy() for frame in frames]

    return {
        "Polars, one event": (len(few), run(few), np.concatenate),
        "Polars, 10,000 events": (len(events), run(many), np.concatenate),
    }
