"""Transactions come in the order of time, id and fingerprint, in little memory, and leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudline.adapters.embedded import sorting
from fraudline.adapters.embedded.sorting import in_order
from fraudline.domain.errors import SystemFailure
from fraudline.domain.transaction import Batch

Row = tuple[int, str, bytes]
ROWS = st.lists(
    st.tuples(
        st.integers(-3, 6), st.sampled_from(["a", "b", "Z", "é", "\U0001f600", "￿"]), st.sampled_from([b"x", b"y"])
    ),
    max_size=60,
)


def batches_of(rows: list[Row], size: int) -> Iterator[Batch]:
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        yield Batch(
            ids=[row[1] for row in part],
            occurred_at=[row[0] for row in part],
            day_only=[row[0] % 2 == 0 for row in part],
            columns={"amount": [row[0] * 10 for row in part], "note": [None for _ in part]},
            fingerprints=[row[2] for row in part],
            rows=list(range(start + 1, start + 1 + len(part))),
        )


def flat(batches: Iterator[Batch]) -> list[tuple[int, bytes, bytes, int, int, bool]]:
    return [
        (b.occurred_at[i], b.ids[i].encode(), b.fingerprints[i], b.rows[i], b.columns["amount"][i], b.day_only[i])
        for b in batches
        for i in range(len(b))
    ]


@settings(max_examples=150, deadline=None)
@given(
    rows=ROWS, size=st.integers(1, 9), run_rows=st.integers(1, 20), block=st.integers(1, 5), fan_in=st.integers(2, 4)
)
def test_any_input_comes_out_as_sorted_does_it(
    rows: list[Row], size: int, run_rows: int, block: int, fan_in: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "BLOCK_ROWS", block)
        patch.setattr(sorting, "FAN_IN", fan_in)
        found = in_order(batches_of(rows, size), run_rows=run_rows)
        given_rows = flat(batches_of(rows, size))
        assert flat(iter(found)) == sorted(given_rows)
        times = [row[0] for row in rows]
        assert found.unsorted == (times != sorted(times))


@pytest.mark.parametrize("times", [[], [5], [3, 2, 1], [1, 1, 1]])
def test_one_run_never_touches_the_disk(times: list[int], tmp_path: Path) -> None:
    rows = [(at, f"T{i}", b"") for i, at in enumerate(times)]
    missing = tmp_path / "there is no such folder"
    assert [row[0] for row in flat(iter(in_order(batches_of(rows, 2), missing, run_rows=10)))] == sorted(times)


def test_temporary_files_go_when_all_is_read(tmp_path: Path) -> None:
    found = iter(in_order(batches_of([(9 - i, "T", b"") for i in range(9)], 2), tmp_path, run_rows=2))
    next(found)
    assert list(tmp_path.iterdir())
    assert len(flat(found)) + 1 >= 2
    assert not list(tmp_path.iterdir())


def test_temporary_files_go_when_the_reader_stops_early(tmp_path: Path) -> None:
    found = iter(in_order(batches_of([(9 - i, "T", b"") for i in range(9)], 2), tmp_path, run_rows=2))
    next(found)
    found.close()  # type: ignore[attr-defined]  # it is a generator
    assert not list(tmp_path.iterdir())


def test_temporary_files_go_when_the_source_fails(tmp_path: Path) -> None:
    def failing() -> Iterator[Batch]:
        yield from batches_of([(9 - i, "T", b"") for i in range(9)], 2)
        raise OSError("the cable")

    with pytest.raises(OSError, match="the cable"):
        next(iter(in_order(failing(), tmp_path, run_rows=2)))
    assert not list(tmp_path.iterdir())


MUCH = """
import resource, sys
from fraudline.adapters.embedded.sorting import in_order
from fraudline.domain.transaction import Batch

def used() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()

ROWS, SIZE, NOTE = 400_000, 4_000, "n" * 300

def batches():
    for start in range(ROWS, 0, -SIZE):
        places = range(start, start - SIZE, -1)
        yield Batch(
            [f"T{i:09d}" for i in places], list(places), [False] * SIZE,
            {"note": [f"{i}{NOTE}" for i in places]}, [i.to_bytes(32, "big") for i in places], list(places),
        )

limit = used() + 90_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
expected = 1
if sys.argv[1] == "sorted":
    for batch in in_order(batches(), run_rows=20_000):
        assert batch.occurred_at == list(range(expected, expected + len(batch)))
        expected += len(batch)
    assert expected == ROWS + 1
else:
    list(batches())
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads how much memory it has from Linux")
def test_four_times_the_memory_there_is_gets_sorted() -> None:
    def run(how: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", MUCH, how], capture_output=True, text=True, check=False)

    assert "MemoryError" in run("kept").stderr, "the limit has to be one that matters"
    found = run("sorted")
    assert found.returncode == 0, found.stderr


def test_no_room_for_the_sorted_parts_is_told_in_a_sentence(tmp_path: Path) -> None:
    rows: list[Row] = [(place, "a", b"x") for place in range(5)]
    with pytest.raises(SystemFailure, match=r"could not take its sorted parts: .* Free some space"):
        flat(iter(in_order(batches_of(rows, 2), tmp_path / "gone", run_rows=2)))
