"""Hostile input, 20,000 times over five targets: no uncaught exception, no code executed, bounded time and memory.

`python -m tests.fuzz --target csv --inputs 1000000` for more. What is found becomes a row of `fuzz/corpus`, which is
replayed here.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.guard import Breach, watched
from tests.fuzz.mutate import NASTY
from tests.fuzz.run import fuzz, over
from tests.fuzz.targets import TARGETS, corpus

INPUTS = 20_000
NEEDS_PYARROW = "pyarrow is missing, so no Parquet is read: pip install 'fraudline[parquet]'"
# How many of a thousand inputs must come behind the first door, for the fuzzing to mean anything.
DEEP_ENOUGH = {"csv": ("read", 300), "json": ("read", 300), "parquet": ("read", 100), "yaml": ("accepted", 20)}


@pytest.fixture(params=sorted(TARGETS))
def name(request: pytest.FixtureRequest) -> str:
    """Each target."""
    if request.param == "parquet":
        pytest.importorskip("pyarrow", reason=NEEDS_PYARROW)
    return str(request.param)


def test_everything_that_was_found_once_stays_mended(name: str) -> None:
    rows = corpus(name)
    told = over(TARGETS[name], [row.data() for row in rows])
    assert told.finds == {}, told.traces
    assert len({row.input for row in rows}) == len(rows) >= 10


def test_damaged_inputs_are_told_in_sentences_or_accounted_for(name: str) -> None:
    count = INPUTS * TARGETS[name].share // 100
    told = fuzz(name, count, seed=1)
    assert told.finds == {}, told.traces
    what, share = DEEP_ENOUGH.get(name, ("accepted", 100))
    assert told.reached[what] > count * share / 1000, told


def test_the_shares_of_the_targets_make_a_whole() -> None:
    assert sum(target.share for target in TARGETS.values()) == 100


PIECES = st.lists(st.sampled_from(NASTY) | st.binary(max_size=6) | st.text(max_size=6).map(str.encode), max_size=30)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(pieces=PIECES, line=st.integers(0, 3))
def test_inputs_nobody_would_think_of(name: str, pieces: list[bytes], line: int) -> None:
    seed = TARGETS[name].seeds()[0].splitlines(keepends=True)
    told = over(TARGETS[name], [b"".join(pieces), b"".join([*seed[:line], *pieces, *seed[line:]])])
    assert told.finds == {}, told.traces


# The guard itself


def _spin() -> None:
    end = time.thread_time() + 1.1
    while time.thread_time() < end:
        pass


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda: os.system("true"), "os.system"),  # noqa: S605 - it must not come to that
        (lambda: subprocess.run(["true"], check=False), "subprocess.Popen"),
        (lambda: exec("1 + 1"), "code of <string>"),  # noqa: S102 - it must not come to that
        (lambda: eval("1 + 1"), "code of <string>"),  # noqa: S307 - it must not come to that
        (lambda: Path("canary.txt").write_text("x"), "opened for writing"),
        (lambda: Path("canary").mkdir(), "os.mkdir"),
        (lambda: __import__("socket").socket(), "socket"),
        (_spin, "it took 1"),
        (lambda: len(bytearray(b"x") * 3 * 10**8), "MB"),
    ],
    ids=["system", "process", "exec", "eval", "write", "folder", "socket", "time", "memory"],
)
def test_the_guard_sees_what_no_input_may_do(act: Callable[[], object], said: str) -> None:
    with pytest.raises(Breach, match=said), watched():
        act()
    assert not Path("canary.txt").exists()
    assert not Path("canary").exists()


def test_the_guard_sees_also_what_is_swallowed() -> None:
    def swallowed() -> None:
        try:
            eval("1 + 1")  # noqa: S307 - it must not come to that
        except BaseException:  # noqa: BLE001 - the worst that code could do
            return

    with pytest.raises(Breach, match="code of"), watched():
        swallowed()
