"""The benchmarks decide right: the engine as the oracle does, every contender as the engine. Nothing is timed here."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from benchmarks import chart, engine, goals, racing
from benchmarks.contenders import ALL, Contender
from benchmarks.workload import RECEIVED_AT, Integers, Workload, workload

from tests import oracle

ROWS, ORACLE_ROWS = 2_000, 1_000


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken from earlier runs of the benchmarks. Compiling would take longer than 2,000 rows do."""
    monkeypatch.setenv("FRAUDLINE_BENCHMARKS", str(tmp_path))
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")


def stream(whole: Workload) -> list[oracle.Transaction]:
    """The workload as the oracle takes it."""
    (batch,) = engine.batches(whole, len(whole))
    return [batch.row(n) for n in range(len(batch))]


def by_the_oracle(name: str, rows: int) -> Integers:
    """The rule bits that the oracle finds."""
    given: dict[str, Any] = yaml.safe_load((engine.HERE / f"{name}.yaml").read_text("utf-8"))
    bit = {rule["id"]: 1 << place for place, rule in enumerate(given["rules"])}
    told = oracle.decisions(given, stream(workload(rows)), RECEIVED_AT)
    return np.array([sum(bit[rule] for rule in decision.fired) for decision in told], dtype=np.int64)


@pytest.mark.parametrize("name", ["w", "wide"])
def test_the_engine_decides_as_the_oracle_does(name: str) -> None:
    made = engine.ruleset(name)
    (batch,) = engine.batches(workload(ORACLE_ROWS), ORACLE_ROWS)
    (decided,) = engine.decided(made, [batch], engine.ready(made, compiled=False))
    found = engine.bits(decided.facts, len(made.ruleset.rules))
    assert np.array_equal(found, by_the_oracle(name, ORACLE_ROWS))
    fired = [rule.id for place, rule in enumerate(made.ruleset.rules) if (found >> place & 1).any()]
    assert len(fired) > len(made.ruleset.rules) // 2, "a workload on which nothing happens shows nothing"


@pytest.mark.parametrize("contender", [one for one in ALL if not one.extra], ids=lambda one: one.module)
def test_every_contender_decides_as_the_engine_does(contender: Contender) -> None:
    if contender.missing():
        pytest.skip(contender.missing())
    made = engine.ruleset()
    (batch,) = engine.batches(workload(ROWS), ROWS)
    (decided,) = engine.decided(made, [batch], engine.ready(made, compiled=False))
    (one,) = racing.race([contender], ROWS, rounds=1)
    assert np.array_equal(one.bits(), engine.bits(decided.facts, 12))


def test_one_wrong_decision_stops_a_race() -> None:
    one, other = (racing.Racer(contender, 3, None, None) for contender in ALL[:2])  # type: ignore[arg-type]  # not started
    one.decided, other.decided = np.array([1, 2, 3]), np.array([1, 2, 3])
    racing.agree(one, other)
    other.decided[1] ^= 4
    with pytest.raises(racing.WrongDecisions, match="on 1 of 3 transactions, first on #1: 000000000110,"):
        racing.agree(one, other)


def test_a_goal_is_met_only_where_it_was_reached() -> None:
    lines = [goals.at_least("a", ">= 3", "3", 3, 3), goals.at_most("b", "<= 3", "3.1", 3.1, 3), goals.note("c", "?")]
    assert [line.verdict for line in lines] == ["met", "NOT MET", "-"]
    assert "NOT MET" in goals.table(lines)
    drawn = ElementTree.fromstring(chart.svg(lines))  # noqa: S314 - written a line above
    assert [text for text in drawn.itertext() if text.strip() in {"a", "b", "c"}] == ["a", "b"]


def test_w_is_the_same_everywhere_and_at_every_size_what_it_says() -> None:
    whole = workload(ROWS)
    assert (whole.occurred_at.sum() % 1_000_003, whole.amount.sum()) == (769_288, 9_758_168)
    assert (np.diff(whole.occurred_at) > 0).all()
    assert len(set(zip(whole.account.tolist(), whole.occurred_at.tolist(), strict=True))) == ROWS
