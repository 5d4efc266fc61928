"""The laws of the semantics, as properties of engine and pipeline over random streams and rulesets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudline import pipeline
from fraudline.adapters.embedded.compiled import compile_program
from fraudline.adapters.embedded.histories import MemoryHistories
from fraudline.domain.decision import Facts
from fraudline.domain.errors import StoreError
from fraudline.domain.receipt import Counts, Receipt
from fraudline.domain.transaction import Batch, Records
from fraudline.engine import check, decide, explain, record
from fraudline.engine.cards import Tokens
from fraudline.engine.compile import Program, program
from fraudline.engine.intake import Intake
from fraudline.generator import generate
from fraudline.pipeline import Report, Run, account, process
from fraudline.ports import Commit
from fraudline.testing import MemoryStore
from tests import streams
from tests.deciding import named, programmed
from tests.test_differential import batched
from tests.test_differential import programmed as programmed_from

RULESETS = Path(__file__).parents[1] / "src" / "fraudline" / "rulesets"
LIVES = st.tuples(st.integers(0, 10**9), st.sampled_from(streams.SHAPES), st.integers(1, 45))
few = settings(max_examples=30)


def drawn(life: tuple[int, Any, int]) -> tuple[Program, Batch]:
    """A random ruleset and a stream for it."""
    seed, shape, length = life
    random = Random(seed)
    made = programmed_from(streams.rulesets(random))
    return made, marked(batched(made, shape(random, length)))


def marked(whole: Batch) -> Batch:
    """The batch with fingerprints of its content."""
    whole.fingerprints = [hashlib.sha256(repr(whole.row(n)).encode()).digest() for n in range(len(whole))]
    return whole


class Workspace:
    """A store and what decides over it."""

    def __init__(self, made: Program) -> None:
        self.made = made
        self.store = MemoryStore(made.ruleset.name)
        self.revision = self.store.activate(made.ruleset, streams.RECEIVED_AT)
        self.start()

    def start(self) -> None:
        self.histories = MemoryHistories(self.store, self.made)

    def feed(self, whole: Batch, source: str = "file:1") -> Report:
        run = Run(self.made, self.store, self.histories, self.revision, streams.RECEIVED_AT, source, "test")
        return process(whole, run)

    def facts(self) -> list[bytes]:
        return [decision.facts for decision in self.store.log()]


def fed(made: Program, parts: Iterable[Batch]) -> Workspace:
    workspace = Workspace(made)
    for part in parts:
        workspace.feed(part)
    return workspace


def parts_of(whole: Batch, cuts: Sequence[int]) -> list[Batch]:
    """The batch cut at these positions."""
    edges = [0, *sorted(cut % (len(whole) + 1) for cut in cuts), len(whole)]
    return [whole.slice(start, stop) for start, stop in pairwise(edges)]


# Time and batches ----------------------------------------------------------------------------------------------------


@few
@given(LIVES, st.lists(st.integers(0, 45), max_size=6))
def test_the_size_of_a_batch_never_matters(life: tuple[int, Any, int], cuts: list[int]) -> None:
    made, whole = drawn(life)
    together = fed(made, [whole]).facts()
    assert fed(made, parts_of(whole, cuts)).facts() == together
    assert fed(made, parts_of(whole, range(len(whole)))).facts() == together
    assert len(together) == len(whole)


@few
@given(LIVES, st.lists(st.integers(0, 45), min_size=1, max_size=4))
def test_a_restart_at_any_point_changes_nothing(life: tuple[int, Any, int], cuts: list[int]) -> None:
    made, whole = drawn(life)
    workspace = Workspace(made)
    for part in parts_of(whole, cuts):
        workspace.start()
        workspace.feed(part)
    assert workspace.facts() == fed(made, [whole]).facts()


@few
@given(LIVES, st.lists(st.integers(0, 45), min_size=1, max_size=4))
def test_feeding_a_transaction_twice_changes_nothing(life: tuple[int, Any, int], again: list[int]) -> None:
    made, whole = drawn(life)
    workspace = Workspace(made)
    for n, part in enumerate(parts_of(whole, again)):
        workspace.feed(part)
        before = workspace.facts()
        repeated = workspace.feed(part, f"again:{n}")
        assert set(repeated.endings) <= {"duplicate"}
        assert workspace.facts() == before
    assert workspace.facts() == fed(made, [whole]).facts()


@few
@given(LIVES, st.integers(0, 45))
def test_dropping_the_tail_never_changes_earlier_decisions(life: tuple[int, Any, int], cut: int) -> None:
    made, whole = drawn(life)
    kept = cut % (len(whole) + 1)
    assert fed(made, [whole.slice(0, kept)]).facts() == fed(made, [whole]).facts()[:kept]


@few
@given(LIVES)
def test_a_replay_of_the_log_makes_every_fact_again_byte_for_byte(life: tuple[int, Any, int]) -> None:
    """From the stored transactions alone: nothing of the stored facts is used."""
    made, whole = drawn(life)
    log = fed(made, [whole]).store.log()
    stored = [{**decision.transaction, "id": decision.transaction_id} for decision in log]
    again = decide.decide(
        made, record.batch_of(stored, made.ruleset), decide.state_for(made), received_at=log[0].received_at
    )
    assert again.facts == [decision.facts for decision in log]
    assert again.hashes == [decision.hash for decision in log]


# Histories -----------------------------------------------------------------------------------------------------------

BY_ACCOUNT = {
    "rows": 'count(by=account, last="7d")', "total": 'sum(amount, by=account, last="30d")',
    "spread": 'stddev(amount, by=account, last="30d", min_samples=2)', "fresh": "is_new(location, by=account)",
    "before": "previous(location, by=account)", "gap": "since_last(by=account)", "born": "since_first(by=account)",
    "places": "distinct(location, by=account)", "most": 'max(amount, by=account, last="1d")',
    "same": "count(by=(account, location))", "often": "count(by=account, where=amount >= current(amount))",
    "today": 'count(by=account, this="day")', "far": "distance_km(by=account)", "fast": "speed_kmh(by=account)",
}  # fmt: skip
KEPT = {"retention": "45d", "lateness": "10d"}


@few
@given(LIVES, st.randoms(use_true_random=False))
def test_how_two_accounts_are_interleaved_never_matters_to_their_features(
    life: tuple[int, Any, int], order: Random
) -> None:
    seed, shape, length = life
    made = programmed("rows > 2 or fresh", "gap < minutes(5)", features=BY_ACCOUNT, **KEPT)
    random = Random(seed)
    lives = [
        [row | {"account": name, "id": f"{name}{n}"} for n, row in enumerate(shape(random, length))] for name in "AB"
    ]
    turns = ["A"] * length + ["B"] * length
    order.shuffle(turns)
    queues = {name: iter(rows) for name, rows in zip("AB", lives, strict=True)}
    mixed = [next(queues[name]) for name in turns]
    alone = told(made, lives[0]) | told(made, lives[1])
    assert told(made, mixed) == alone


def told(made: Program, rows: Sequence[dict[str, Any]]) -> dict[str, Facts]:
    """Facts by id, but for how long the whole log is."""
    answers = decide.decide(made, batched(made, rows), decide.state_for(made), received_at=streams.RECEIVED_AT)
    facts = [explain.unpack(made, packed) for packed in answers.facts]
    return {row["id"]: msgspec.structs.replace(fact, covered_ms=None) for row, fact in zip(rows, facts, strict=True)}


@few
@given(LIVES, st.randoms(use_true_random=False))
def test_whatever_the_order_of_arrival_the_histories_end_the_same_above_the_horizon(
    life: tuple[int, Any, int], order: Random
) -> None:
    seed, shape, length = life
    made = programmed("amount > 0", features=BY_ACCOUNT, **KEPT)
    rows = shape(Random(seed), length)
    shuffled = list(rows)
    order.shuffle(shuffled)
    one, other = state_after(made, rows), state_after(made, shuffled)
    assert history_of(one) == history_of(other)
    newest = max(row["occurred_at"] for row in rows)
    later = streams.at_times(Random(seed), [newest + n for n in range(6)])
    probes = [probe | {"id": f"probe{n}"} for n, probe in enumerate(later)]
    assert probed(made, probes, one) == probed(made, probes, other)


def state_after(made: Program, rows: Sequence[dict[str, Any]]) -> Any:
    state = decide.state_for(made)
    decide.decide(made, batched(made, rows), state, received_at=streams.RECEIVED_AT)
    return state


def probed(made: Program, rows: Sequence[dict[str, Any]], state: Any) -> list[dict[str, Any]]:
    answers = decide.decide(made, batched(made, rows), state, received_at=streams.RECEIVED_AT)
    return [named(made, explain.unpack(made, packed)) for packed in answers.facts]


def history_of(state: Any) -> dict[Any, list[tuple[int, bytes]]]:
    """Times and ids above the horizon, of every entity of every role."""
    histories = {}
    for role in state.roles:
        for key, number in role.entities.items():
            places = range(role.head[number], role.tail[number]) if number >= 0 else []
            rows = [(role.when[k], id_at(state, role.name[k])) for k in places]
            if rows:
                histories[role.plan.by, key] = [row for row in rows if row[0] > rows[-1][0] - state.retention_ms]
    return histories


def id_at(state: Any, place: int) -> bytes:
    size = state.ids[place] * 256 + state.ids[place + 1]
    return bytes(state.ids[place + 2 : place + 2 + size])


WIDER = ["1s", "1m", "1h", "1d", "7d", "30d", "45d"]


@few
@given(LIVES)
def test_a_wider_window_never_counts_less(life: tuple[int, Any, int]) -> None:
    seed, shape, length = life
    features = {f"rows{n}": f'count(by=account, last="{last}")' for n, last in enumerate(WIDER)}
    features |= {f"places{n}": f'distinct(location, by=account, last="{last}")' for n, last in enumerate(WIDER)}
    features |= {f"most{n}": f'max(amount, by=account, last="{last}")' for n, last in enumerate(WIDER)}
    features |= {
        f"spent{n}": f'sum(amount, by=account, last="{last}", where=amount > 0)' for n, last in enumerate(WIDER)
    }
    made = programmed("amount > 0", features=features, retention="60d", lateness="10d")
    for fact in told(made, shape(Random(seed), length)).values():
        known = named(made, fact)
        for name in ("rows", "places", "most", "spent"):
            values = [known[f"{name}{n}"] for n in range(len(WIDER)) if known[f"{name}{n}"] is not None]
            assert values == sorted(values)


# Speeds --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", streams.SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_the_compiled_kernel_says_what_the_plain_one_says(shape: Any, seed: int) -> None:
    random = Random(1000 + seed)
    made = programmed_from(streams.rulesets(random, rules=4, windows=16))
    whole = batched(made, shape(random, 300))
    plain, fast = decide.state_for(made), decide.state_for(made)
    assert fast.compile()
    one = decide.decide(made, whole, plain, received_at=streams.RECEIVED_AT)
    assert made.rules.fast is None
    assert decide.decide(made, whole, fast, received_at=streams.RECEIVED_AT).facts == one.facts


@pytest.mark.parametrize("name", ["expenses", "payments", "cards"])
def test_a_shipped_ruleset_compiled_decides_as_it_does_plain(name: str) -> None:
    ruleset = check.load((RULESETS / f"{name}.yaml").read_text(encoding="utf-8"), name)
    made = program(ruleset)
    rows = list(generate(name, 1500, seed=11, span_days=40))
    intake = Intake(ruleset, received_at=streams.RECEIVED_AT, tokens=Tokens(b"sixteen bytes or more"))
    columns = {column: [row[column] for row in rows] for column in rows[0]}
    whole, rejected = intake.read(Records(list(range(2, len(rows) + 2)), dict(columns)))
    assert rejected == []
    plain = decide.decide(made, whole, decide.state_for(made), received_at=streams.RECEIVED_AT)
    assert sum(score > 0 for score in plain.scores) > 50
    assert compile_program(made)
    fast = decide.state_for(made)
    assert fast.compile()
    assert decide.decide(made, whole, fast, received_at=streams.RECEIVED_AT).facts == plain.facts


# Accounting ----------------------------------------------------------------------------------------------------------

POISON = "\ud800"  # half of a surrogate pair, which intake refuses: the engine cannot store it among its ids
SLOW_POISON = "poison"  # with `failing_after_the_fold`, the engine fails when the histories are changed already


def failing_after_the_fold(program: Program, batch: Batch, state: Any, **more: Any) -> Any:
    answers = decide.decide(program, batch, state, **more)
    if any(name.startswith(SLOW_POISON) for name in batch.ids):
        raise ArithmeticError("found only now")
    return answers


@few
@given(
    LIVES,
    st.sets(st.integers(0, 44), max_size=4),
    st.lists(st.integers(0, 45), max_size=3),
    st.sampled_from((POISON, SLOW_POISON)),
)
def test_a_record_the_engine_fails_on_is_found_and_the_others_are_decided_as_without_it(
    life: tuple[int, Any, int], poisoned: set[int], cuts: list[int], poison: str
) -> None:
    made, whole = drawn(life)
    bad = {n for n in poisoned if n < len(whole)}
    good = [n for n in range(len(whole)) if n not in bad]
    sick = whole.slice(0, len(whole))
    sick.ids = [poison + str(n) if n in bad else name for n, name in enumerate(whole.ids)]
    workspace = Workspace(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "decide", failing_after_the_fold)
        reports = [workspace.feed(part) for part in parts_of(sick, cuts)]
    endings = [ending for report in reports for ending in report.endings]
    assert endings == ["dead_letter" if n in bad else "decided" for n in range(len(whole))]
    problems = [problem for report in reports for problem in report.problems]
    assert [(problem.code, problem.line) for problem in problems] == [
        ("dead_letter", sick.rows[n]) for n in sorted(bad)
    ]
    assert workspace.facts() == fed(made, [whole.take(good)]).facts()


@few
@given(LIVES, st.randoms(use_true_random=False), st.lists(st.integers(0, 90), max_size=5))
def test_every_record_ends_in_one_of_five_ways_and_the_first_of_an_id_decides(
    life: tuple[int, Any, int], chance: Random, cuts: list[int]
) -> None:
    """Some come again, some with another amount under the same id: inside a batch and across."""
    made, whole = drawn(life)
    order = sorted([*range(len(whole)), *(n for n in range(len(whole)) if chance.random() < 0.5)])
    messy = whole.take(order)
    messy.rows = list(range(1, len(messy) + 1))
    seen: set[int] = set()
    expected = []
    for at, n in enumerate(order):
        first = n not in seen
        seen.add(n)
        expected.append("decided" if first else chance.choice(("duplicate", "id_conflict")))
        if expected[-1] == "id_conflict":
            messy.columns["amount"][at] = 12_345_678 + at
            messy.fingerprints[at] = hashlib.sha256(b"other" + bytes([at])).digest()
    workspace = Workspace(made)
    receipt = Receipt(
        source="file:1", file="f", sha256="", ruleset="", received_at=0, counts=Counts(), levels={}, outcomes={}
    )
    receipt.levels, receipt.outcomes = dict.fromkeys(("low", "medium", "high"), 0), {}
    receipt.outcomes = dict.fromkeys(("approve", "review", "decline"), 0)
    endings: list[str] = []
    for part in parts_of(messy, cuts):
        report = workspace.feed(part)
        receipt.counts.received += len(part)
        account(receipt, report)
        endings += report.endings
        conflicts = [part.rows[n] for n, ending in enumerate(report.endings) if ending == "id_conflict"]
        assert [problem.line for problem in report.problems] == conflicts
    assert endings == expected
    assert receipt.counts.add_up()
    assert receipt.counts.decided == len(whole) == sum(receipt.levels.values()) == sum(receipt.outcomes.values())
    assert workspace.facts() == fed(made, [whole]).facts()


@few
@given(LIVES, st.lists(st.integers(0, 45), min_size=1, max_size=4), st.integers(0, 4))
def test_a_commit_that_fails_leaves_nothing_behind(life: tuple[int, Any, int], cuts: list[int], failing: int) -> None:
    made, whole = drawn(life)
    workspace = Workspace(made)
    for n, part in enumerate(parts_of(whole, cuts)):
        if n == failing and len(part):
            with pytest.MonkeyPatch.context() as patch, pytest.raises(StoreError, match="disk"):
                patch.setattr(workspace.store, "commit", full_disk)
                workspace.feed(part)
        workspace.feed(part)
    assert workspace.facts() == fed(made, [whole]).facts()


def full_disk(_: Commit) -> int:
    raise StoreError("The disk is full.")
