"""`score`: what it prints, stores and returns, for good files and bad ones."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fraudline import generator
from fraudline.engine.decide import decide
from tests.apps.cli.conftest import HEADER, TWO, Type

Rows = Callable[..., Path]
COMMAND = (sys.executable, "-c", "from fraudline.apps.cli import main; main()")


def test_the_first_file_is_decided_and_explained(fraudline: Type, two: Path) -> None:
    said = fraudline("score", two, "--ruleset", "expenses", "--format", "jsonl")
    assert said.code == 0
    first, second = said.lines()
    assert (first["transaction_id"], first["level"]) == ("TXN001", "high")
    assert {"high_amount", "suspicious_words"} & {reason["code"] for reason in first["reasons"]}
    assert (second["transaction_id"], second["level"]) != ("TXN002", "high")
    assert first["schema"] == "fraudline.decision/1"


def test_the_table_names_alerts_with_their_reasons_and_a_next_command_that_works(fraudline: Type, two: Path) -> None:
    said = fraudline("score", two, "-r", "expenses")
    assert "2 decided" in said.out
    assert "12,000.00 INR is above 10,000.00 INR" in said.out
    following = next(line for line in said.err.splitlines() if line.startswith("Next:"))
    words = following.split()[following.split().index("decisions") :]
    assert fraudline(*words).code == 0


def test_scoring_again_finds_duplicates_and_the_stored_decisions(fraudline: Type, two: Path) -> None:
    first = fraudline("score", two, "-r", "expenses", "-f", "jsonl")
    again = fraudline("score", two, "-r", "expenses", "-f", "jsonl")
    assert again.out == first.out
    counts = fraudline("score", two, "-r", "expenses", "-f", "json").json()
    assert (counts["received"], counts["decided"], counts["duplicate"]) == (2, 0, 2)
    assert "all of it was decided before" in fraudline("score", two, "-r", "expenses").out


def test_the_summary_object_has_the_keys_of_the_contract_and_adds_up(fraudline: Type, rows: Rows, two: Path) -> None:
    fraudline("score", two, "-r", "expenses")
    file = rows(
        "A1,E1,100,delhi,lunch,2025-05-20T10:00:00Z",
        "A2,E1,1_000,delhi,lunch,2025-05-20T10:00:00Z",
        "TXN001,E1,7,delhi,other content,2025-05-20T10:00:00Z",
        TWO.splitlines()[2],
    )
    found = fraudline("score", file, "-r", "expenses", "-f", "json").json()
    endings = {name: found[name] for name in ("decided", "duplicate", "id_conflict", "rejected", "dead_letter")}
    assert endings == {"decided": 1, "duplicate": 1, "id_conflict": 1, "rejected": 1, "dead_letter": 0}
    assert found["received"] == sum(endings.values())
    assert set(found["levels"]) == {"low", "medium", "high"}
    assert set(found["outcomes"]) == {"approve", "review", "decline"}
    assert {"alerts", "ruleset", "seconds", "per_second"} <= set(found)


def test_the_receipt_lists_rejected_rows_with_line_column_and_reason(fraudline: Type, rows: Rows) -> None:
    file = rows("A1,E1,100,delhi,lunch,2025-05-20T10:00:00Z", "A2,E1,1_000,delhi,lunch,2025-05-20T10:00:00Z")
    said = fraudline("score", file, "-r", "expenses", "-f", "json")
    receipt = json.loads(Path(said.json()["receipts"][0]).read_text("utf-8"))
    (row,) = receipt["rejected"]
    assert (row["line"], row["column"], row["value"]) == (3, "amount", "1_000")
    assert row["reason"]
    assert receipt["finished"] is True
    assert said.json()["receipts"][0] in said.err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "it is empty"),
        (HEADER.replace("amount", "amt") + "\nA,B,1,x,y,2025-01-01\n", "'amount' is missing"),
        (HEADER + ",amount\nA,B,1,x,y,2025-01-01,2\n", "two columns are called 'amount'"),
        ("PK\x03\x04 sheet", "Excel"),
    ],
)
def test_a_file_that_cannot_be_used_has_its_sentence_and_exit_code_3(
    fraudline: Type, tmp_path: Path, content: str, says: str
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(content, "utf-8")
    said = fraudline("score", file, "-r", "expenses")
    assert (said.code, said.out) == (3, "")
    assert says in said.err
    assert "bad.csv" in said.err


def test_a_file_that_is_not_there_is_named(fraudline: Type) -> None:
    said = fraudline("score", "no-such.csv", "-r", "expenses")
    assert said.code == 3
    assert "no-such.csv" in said.err


def test_a_header_without_rows_is_nothing_to_decide(fraudline: Type, rows: Rows) -> None:
    said = fraudline("score", rows(), "-r", "expenses")
    assert said.code == 0
    assert "no rows" in said.err


def test_the_other_files_are_decided_and_the_worst_exit_code_counts(fraudline: Type, two: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    said = fraudline("score", empty, two, "-r", "expenses", "-f", "json")
    assert said.code == 3
    found = said.json()
    assert found["decided"] == 2
    assert [("error" in entry, entry["file"]) for entry in found["files"]] == [(True, str(empty)), (False, str(two))]


@pytest.mark.parametrize(("strict", "code"), [((), 0), (("--strict",), 1)])
def test_strict_makes_rejected_rows_an_exit_code(
    fraudline: Type, rows: Rows, strict: tuple[str, ...], code: int
) -> None:
    file = rows("A1,E1,NaN,delhi,lunch,2025-05-20T10:00:00Z", "A2,E1,100,delhi,lunch,2025-05-20T10:00:00Z")
    said = fraudline("score", file, "-r", "expenses", *strict)
    assert said.code == code
    assert "1 decided, 1 rejected" in said.out


def test_a_dead_letter_is_always_to_be_looked_at(fraudline: Type, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = decide

    def failing(program: Any, batch: Any, *rest: Any, **named: Any) -> Any:
        if "A2" in batch.ids:
            raise ZeroDivisionError("a fault of ours")
        return whole(program, batch, *rest, **named)

    monkeypatch.setattr("fraudline.pipeline.decide", failing)
    file = rows("A1,E1,1,delhi,a,2025-05-20T10:00:00Z", *["A2,E1,1,delhi,a,2025-05-20T10:00:00Z"] * 2)
    said = fraudline("score", file, "-r", "expenses", "-f", "jsonl")
    assert said.code == 1
    assert [line["transaction_id"] for line in said.lines()] == ["A1"]


def test_standard_input_and_gzip_are_files_too(fraudline: Type, tmp_path: Path) -> None:
    assert fraudline("score", "-", "-r", "expenses", "-f", "json", stdin=TWO).json()["decided"] == 2
    packed = tmp_path / "two.csv.gz"
    packed.write_bytes(gzip.compress(TWO.encode(), mtime=0))
    assert fraudline("score", packed, "-r", "expenses", "-f", "json").json()["duplicate"] == 2


def test_without_a_ruleset_the_choices_are_listed(fraudline: Type, two: Path, workspace: Path) -> None:
    said = fraudline("score", two)
    assert said.code == 2
    assert all(name in said.err for name in ("cards", "expenses", "payments"))
    assert not workspace.exists(), "nothing is made by a command that could not run"


def test_the_settings_name_the_ruleset(fraudline: Type, two: Path, workspace: Path) -> None:
    workspace.mkdir()
    (workspace / "fraudline.toml").write_text('ruleset = "expenses"\n', "utf-8")
    assert fraudline("score", two, "-f", "json").json()["ruleset"].startswith("expenses@")


def test_an_output_file_appears_whole_or_not_at_all(fraudline: Type, two: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    said = fraudline("score", two, "-r", "expenses", "-f", "jsonl", "-o", output)
    assert said.out == ""
    assert len(output.read_text("utf-8").splitlines()) == 2
    output.write_text("before", "utf-8")
    assert fraudline("score", "no-such.csv", "-r", "expenses", "-o", output).code == 3
    assert output.read_text("utf-8") == "before"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_an_output_that_cannot_be_is_told_before_anything_is_decided(
    fraudline: Type, two: Path, tmp_path: Path, workspace: Path
) -> None:
    for output in (tmp_path, tmp_path / "missing" / "out.json"):
        said = fraudline("score", two, "-r", "expenses", "-o", output)
        assert said.code == 2
        assert "folder" in said.err
    assert not workspace.exists()


def test_rows_out_of_order_are_decided_in_order_of_time(fraudline: Type, rows: Rows) -> None:
    file = rows(*[f"A{n},E1,100,delhi,lunch,2025-05-20T10:00:{50 - n:02}Z" for n in range(4)])
    said = fraudline("score", file, "-r", "expenses", "-f", "jsonl")
    assert [line["transaction_id"] for line in said.lines()] == ["A3", "A2", "A1", "A0"]
    assert "rapid_claims" in [rule["id"] for rule in said.lines()[-1]["rules"]["fired"]]
    assert "sorted" in said.err


def test_control_characters_of_strangers_reach_no_terminal(fraudline: Type, rows: Rows) -> None:
    file = rows("A1,E1,20000,delhi,\x1b[31mred [bold]x[/bold],2025-05-20T10:00:00Z")
    said = fraudline("score", file, "-r", "expenses")
    shown = fraudline("decisions", "show", "A1")
    assert "\x1b" not in said.out + said.err + shown.out + shown.err
    assert "[bold]x[/bold]" in shown.out


def test_nothing_but_data_reaches_a_pipe(two: Path, workspace: Path) -> None:
    run = subprocess.run(
        [*COMMAND, "score", two, "-r", "expenses", "-q"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "FRAUDLINE_WORKSPACE": str(workspace)},
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "\x1b" not in run.stdout
    assert "\r" not in run.stdout


def test_a_reader_that_goes_away_does_not_stop_the_deciding(workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "cards.csv"
    generator.write_csv(file, "cards", 1_500)
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from fraudline.apps.cli import main; main()",
            "score",
            file,
            "-r",
            "cards",
            "-f",
            "jsonl",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "FRAUDLINE_WORKSPACE": str(workspace)},
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.read(1)
        run.stdout.close()
        said = run.stderr.read().decode()
        assert run.wait(60) == 0
    assert "Traceback" not in said
    assert "Broken" not in said
    assert stored(workspace) == 1_500


def stored(workspace: Path) -> int:
    """How many decisions the workspace holds by now."""
    try:
        with sqlite3.connect(f"{(workspace / 'fraudline.db').as_uri()}?mode=ro", uri=True) as database:
            return int(database.execute("SELECT count(*) FROM decisions").fetchone()[0])
    except sqlite3.Error:
        return 0


# After its first commit it waits to be interrupted, however fast or slow the machine is.
HELD = """
import time
from fraudline.apps.cli import main, scoring
follow = scoring._Watch.follow
def held(watch, report):
    follow(watch, report)
    time.sleep(60)
scoring._Watch.follow = held
main()
"""


def test_ctrl_c_leaves_a_consistent_store_and_the_same_command_goes_on(
    fraudline: Type, workspace: Path, tmp_path: Path
) -> None:
    file = tmp_path / "cards.csv"
    generator.write_csv(file, "cards", 25_000)
    with subprocess.Popen(
        [sys.executable, "-c", HELD, "score", file, "-r", "cards"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "FRAUDLINE_WORKSPACE": str(workspace)},
    ) as run:
        while run.poll() is None and not stored(workspace):
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 130, said.decode()
    assert "consistent" in said.decode()
    before = stored(workspace)
    assert 0 < before < 25_000
    assert f"Interrupted after {before:,} rows of {file} were decided" in said.decode()
    found = fraudline("score", file, "-r", "cards")
    assert f"25,000 decided, {before:,} of them before it was interrupted\n" in found.out
    counts = json.loads(next((workspace / "receipts").iterdir()).read_text("utf-8"))["counts"]
    assert (counts["decided"], counts["duplicate"]) == (25_000, 0), "what this file decided before counts as decided"
    assert stored(workspace) == 25_000
    assert fraudline("replay").code == 0


def test_a_tenant_sees_its_own_decisions_only(fraudline: Type, two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fraudline("score", two, "-r", "expenses")
    monkeypatch.setenv("FRAUDLINE_TENANT", "other")
    said = fraudline("score", two, "-r", "expenses", "-f", "jsonl")
    assert [line["tenant"] for line in said.lines()] == ["other", "other"]
    assert [line["tenant"] for line in fraudline("decisions", "list", "-f", "jsonl").lines()] == ["other", "other"]
    monkeypatch.setenv("FRAUDLINE_TENANT", "third")
    assert fraudline("decisions", "list").out == ""
    assert fraudline("replay").code == 0


def test_the_same_id_twice_in_a_file_is_decided_once_and_printed_twice(fraudline: Type, rows: Rows) -> None:
    line = "A1,E1,100,delhi,lunch,2025-05-20T10:00:00Z"
    said = fraudline("score", rows(line, line), "-r", "expenses", "-f", "jsonl")
    assert [entry["transaction_id"] for entry in said.lines()] == ["A1", "A1"]
    assert fraudline("decisions", "list", "-f", "jsonl").out.count("\n") == 1


def test_compiled_and_plain_print_the_same(fraudline: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    file = tmp_path / "cards.csv"
    generator.write_csv(file, "cards", 400)
    facts = []
    for engine in ("plain", "compiled"):
        monkeypatch.setenv("FRAUDLINE_ENGINE", engine)
        said = fraudline("-w", tmp_path / engine, "score", file, "-r", "cards", "-f", "jsonl")
        facts.append([line["hash"] for line in said.lines()])
    assert facts[0] == facts[1]
    assert len(facts[0]) == 400
