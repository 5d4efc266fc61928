"""However a file arrives, its decisions are the same bytes: order, pieces, batches, compiled or plain, format."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fraudline import pipeline
from fraudline.adapters.embedded.workspace import Workspace
from fraudline.apps.cli import app
from fraudline.generator import columns, generate

ROWS = 3_000
Row = dict[str, Any]
Facts = dict[str, bytes]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [{name: str(value) for name, value in row.items()} for row in generate("cards", ROWS, seed=7)]


@pytest.fixture(scope="module")
def expected(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return scored(tmp_path_factory.mktemp("plain"), [rows])[0]


def written(path: Path, rows: list[Row]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns("cards"))
        writer.writeheader()
        writer.writerows(rows)
    return path


def scored(folder: Path, files: list[list[Row]], engine: str = "plain") -> tuple[Facts, list[dict[str, Any]]]:
    """The facts that a workspace holds after these files, and the summary of each."""
    folder.mkdir(exist_ok=True)
    paths = [written(folder / f"{n}.csv", rows) for n, rows in enumerate(files)]
    return scored_paths(folder, paths, engine)


def scored_paths(folder: Path, paths: list[Path], engine: str = "plain") -> tuple[Facts, list[dict[str, Any]]]:
    workspace = folder / "workspace"
    summaries = []
    for path in paths:
        run = ["--workspace", str(workspace), "score", str(path), "--ruleset", "cards", "--format", "json"]
        result = CliRunner().invoke(app, run, env={"FRAUDLINE_ENGINE": engine})
        assert result.exit_code == 0, result.output
        summaries.append(json.loads(result.stdout))
    with Workspace(workspace).open_store("cards", read_only=True) as store:
        return {entry.transaction_id: entry.facts for entry in store.log(limit=10 * ROWS)}, summaries


def shuffled(rows: list[Row]) -> list[Row]:
    return random.Random(3).sample(rows, len(rows))


@pytest.mark.parametrize(
    ("name", "arrange"),
    [
        ("newest first", lambda rows: [rows[::-1]]),
        ("shuffled", lambda rows: [shuffled(rows)]),
        ("doubled", lambda rows: [[row for row in rows for _ in range(2)]]),
        ("cut in pieces by time", lambda rows: [rows[:700], rows[700:701], rows[701:2500], rows[2500:]]),
        ("sent again", lambda rows: [rows, rows[::-1]]),
    ],
)
def test_however_the_rows_arrive(
    name: str, arrange: Callable[[list[Row]], list[list[Row]]], rows: list[Row], expected: Facts, tmp_path: Path
) -> None:
    facts, summaries = scored(tmp_path, arrange(rows))
    assert facts == expected, name
    assert sum(summary["decided"] for summary in summaries) == ROWS
    assert all(
        summary["received"] == summary["decided"] + summary["duplicate"] + summary["rejected"] for summary in summaries
    )


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_whatever_the_batch(
    size: int, rows: list[Row], expected: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 300 if size == 1 else ROWS
    monkeypatch.setattr(pipeline, "BATCH_ROWS", size)
    facts, _ = scored(tmp_path, [rows[:count]])
    assert facts == {name: expected[name] for name in facts}
    assert len(facts) == count


def test_compiled_as_plain(rows: list[Row], expected: Facts, tmp_path: Path) -> None:
    pytest.importorskip("numba")
    assert scored(tmp_path, [rows[:2000], rows[2000:]], engine="compiled")[0] == expected


def test_whatever_the_format(rows: list[Row], expected: Facts, tmp_path: Path) -> None:
    lines = tmp_path / "rows.jsonl.gz"
    present = [{name: value for name, value in row.items() if value != ""} for row in rows]
    lines.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in present).encode(), mtime=0))
    assert scored_paths(tmp_path, [lines])[0] == expected


def test_a_file_sent_again_counts_nothing_twice(rows: list[Row], tmp_path: Path) -> None:
    _, (first, again) = scored(tmp_path, [rows, rows])
    assert (first["decided"], first["duplicate"]) == (ROWS, 0)
    assert (again["decided"], again["duplicate"], again["alerts"]) == (0, ROWS, 0)


def test_a_newest_first_export_fires_its_velocity_rules(tmp_path: Path) -> None:
    header = "transaction_id,employee_id,amount,location,description,timestamp\n"
    times = ["10:00:59", "10:00:40", "10:00:20", "10:00:00"]
    text = header + "".join(f"T{n},E1,10,delhi,tea,2025-05-20T{time}Z\n" for n, time in enumerate(times))
    (tmp_path / "bank.csv").write_text(text)
    run = ["--workspace", str(tmp_path / "w"), "score", str(tmp_path / "bank.csv"), "--ruleset", "expenses"]
    result = CliRunner().invoke(app, [*run, "--format", "jsonl"])
    fired = {
        (line := json.loads(text))["transaction_id"]: [rule["id"] for rule in line["rules"]["fired"]]
        for text in result.stdout.splitlines()
    }
    assert "rapid_claims" in fired["T0"], fired
    assert all("rapid_claims" not in fired[name] for name in ("T1", "T2", "T3"))
