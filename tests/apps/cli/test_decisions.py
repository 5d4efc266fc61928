"""`decisions`: filters, the story of one decision, exports that a spreadsheet cannot be tricked by."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.apps.cli.conftest import Type

ROWS = (
    "A1,E1,20000,delhi,gift card,2025-05-20T10:00:00Z",
    "A2,E1,100,mumbai,lunch,2025-05-21T10:00:00Z",
    'A3,E2,-50,mumbai,"=HYPERLINK(""http://x"")",2025-05-22T10:00:00Z',
    "-4,@E3,12500.50,London,+1 dinner,2025-05-25T20:30:00Z",
)


@pytest.fixture
def scored(fraudline: Type, rows: Callable[..., Path]) -> Type:
    """A command line in whose workspace four claims were decided."""
    assert fraudline("score", rows(*ROWS), "-r", "expenses").code == 0
    return fraudline


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (["--level", "high"], ["A1"]),
        (["--level", "HIGH", "--sort", "-Time"], ["A1"]),
        (["--from", "2025-05-21", "--to", "2025-05-21"], ["A2"]),
        (["--rule", "high_amount"], ["-4", "A1"]),
        (["--location", "MUMBAI"], ["A2", "A3"]),
        (["--account", "E1"], ["A1", "A2"]),
        (["--account", "e1"], []),
        (["--text", "dinner"], ["-4"]),
        (["--min-amount", "12500.50"], ["-4", "A1"]),
        (["--from", "2025-05-22"], ["-4", "A3"]),
        (["--to", "2025-05-21"], ["A1", "A2"]),
        (["--to", "2025-05-21T10:00:00Z"], ["A1"]),
        (["--from", "2025-05-26"], ["-4"]),  # in India it is the 26th already
        (["--outcome", "approve", "--location", "mumbai"], ["A2", "A3"]),
        (["--ruleset", "expenses", "--level", "high"], ["A1"]),
        (["--sort", "-amount", "--limit", "1"], ["A1"]),
    ],
)
def test_filters(scored: Type, filters: list[str], ids: list[str]) -> None:
    said = scored("decisions", "list", *filters, "--format", "jsonl")
    assert said.code == 0, said.err
    assert sorted(line["transaction_id"] for line in said.lines()) == ids


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        (["--rule", "hig_amount"], "high_amount"),
        (["--min-amount", "12,000"], "10000.50"),
        (["--from", "yesterday"], "2025-05-20"),
        (["--ruleset", "cards"], "expenses"),
        (["--level", "severe"], "low, medium, high"),
        (["--level", "hgih"], "Did you mean high?"),
        (["--outcome", "aprove"], "Did you mean approve?"),
        (["--sort", "amuont"], "Did you mean amount?"),
        (["--from", "2025-05-22", "--to", "2025-05-21"], "Exchange them"),
        (["--from", "2025-05-21T10:00:00Z", "--to", "2025-05-21T10:00:00Z"], "Exchange them"),
        (["--sort", "size"], "amount"),
    ],
)
def test_a_filter_that_cannot_be_meant_says_what_can(scored: Type, filters: list[str], says: str) -> None:
    said = scored("decisions", "list", *filters)
    assert said.code == 2
    assert says in said.err


def test_the_table_has_time_account_money_level_and_first_reason(scored: Type) -> None:
    said = scored("decisions", "list", "--level", "high")
    assert "time (Asia/Kolkata)" in said.out
    line = next(line for line in said.out.splitlines() if "A1" in line)
    for part in ("2025-05-20 15:30", "E1", "20,000.00 INR", "high", "is above 10,000.00 INR (+"):
        assert part in line


@pytest.mark.parametrize(("width", "lines"), [("80", 2), ("100", 2), ("140", 1)])
def test_a_reason_has_room_on_every_screen(
    scored: Type, monkeypatch: pytest.MonkeyPatch, width: str, lines: int
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    said = scored("decisions", "list", "--level", "high")
    shown = said.out.splitlines()[2:]
    assert len(shown) == lines
    assert "A1" in shown[0]
    assert "● high" in shown[0]
    assert "20,000.00 INR is above 10,000.00 INR (+" in shown[-1]
    assert max(map(len, said.out.splitlines())) <= int(width)


def test_formats_of_a_list(scored: Type) -> None:
    assert len(scored("decisions", "list", "-f", "json").json()) == 4
    assert len(scored("decisions", "list", "-f", "csv").out.splitlines()) == 5
    assert scored("decisions", "list", "--account", "nobody", "-f", "json").json() == []


def test_an_empty_list_says_how_to_go_on(scored: Type) -> None:
    said = scored("decisions", "list", "--account", "nobody")
    assert (said.code, said.out) == (0, "")
    assert "No decision matches" in said.err


def test_before_the_first_score_there_is_nothing_to_list(fraudline: Type) -> None:
    said = fraudline("decisions", "list")
    assert said.code == 2
    assert "score FILE" in said.err
    assert fraudline("replay").code == 2


def test_show_reads_like_a_colleague(scored: Type) -> None:
    said = scored("decisions", "show", "A1")
    for part in (
        "A1: review, somebody should look at it.",
        "score 70 of 100",
        "20,000.00 INR by E1 in delhi on Tuesday 20 May 2025",
        '"gift card"',
        "20,000.00 INR is above 10,000.00 INR",
        "20000 > 10000",
        "receipt was not given",
        "spent_this_month",
        "rows.csv, row 2",
        "replay A1",
    ):
        assert part in said.out


def test_show_gives_the_document_too(scored: Type) -> None:
    document = scored("decisions", "show", "A1", "--format", "json").json()
    assert document["transaction_id"] == "A1"
    assert document == scored("decisions", "list", "--text", "A1", "-f", "jsonl").lines()[0]


def test_an_id_that_looks_like_an_option_can_be_shown(scored: Type) -> None:
    assert "-4: " in scored("decisions", "show", "--", "-4").out


def test_an_unknown_id_is_said_to_be_unknown(scored: Type) -> None:
    said = scored("decisions", "show", "a1")
    assert said.code == 2
    assert "exactly" in said.err or "Did you mean A1" in said.err


def test_no_cell_of_the_csv_begins_like_a_formula_unless_it_is_a_number(scored: Type, tmp_path: Path) -> None:
    output = tmp_path / "all.csv"
    assert scored("decisions", "export", "--output", output).code == 0
    found = list(csv.DictReader(io.StringIO(output.read_text("utf-8"))))
    assert [row["description"] for row in found] == ["gift card", "lunch", '\'=HYPERLINK("http://x")', "'+1 dinner"]
    assert [row["account"] for row in found] == ["E1", "E1", "E2", "'@E3"]
    assert [row["amount"] for row in found] == ["20000.00", "100.00", "-50.00", "12500.50"]
    assert [row["transaction_id"] for row in found] == ["A1", "A2", "A3", "-4"]


def test_an_export_has_the_same_filters_and_the_format_of_its_ending(scored: Type, tmp_path: Path) -> None:
    said = scored("decisions", "export", "--level", "high", "--output", tmp_path / "high.jsonl")
    assert "1 decision written" in said.err
    assert (tmp_path / "high.jsonl").read_text("utf-8").count('"transaction_id":"A1"') == 1
    assert scored("decisions", "export", "--level", "high").out.count("\n") == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-o", "x.xlsx"], "let it end in .csv, .jsonl or .parquet"),
        (["-o", "x.json"], "add --format"),
        (["-o", "x"], "no ending"),
        (["-f", "csv", "-o", "x.parquet"], "disagree"),
        (["-f", "jsonl", "-o", "x.CSV"], "disagree"),
        (["-o", "folder.csv"], "is a folder"),
        (["-o", "missing/x.csv"], "there is no folder"),
    ],
)
def test_an_export_is_never_in_another_format_than_its_name_says(
    scored: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.csv").mkdir()
    before = set(tmp_path.iterdir())
    said = scored("decisions", "export", *words)
    assert said.code == 2
    assert says in " ".join(said.err.split())
    assert set(tmp_path.iterdir()) == before, "nothing is written"
    assert not list(Path("folder.csv").iterdir())


def test_an_ending_of_ones_own_needs_a_format(scored: Type, tmp_path: Path) -> None:
    assert scored("decisions", "export", "-f", "CSV", "-o", tmp_path / "x.txt").code == 0
    assert (tmp_path / "x.txt").read_text("utf-8").startswith("occurred_at,")


def test_parquet_keeps_types(scored: Type, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    output = tmp_path / "all.parquet"
    assert scored("decisions", "export", "--output", output).code == 0
    first = parquet.read_table(output).to_pylist()[0]
    assert (first["transaction_id"], first["amount"], first["alert"]) == ("A1", Decimal("20000"), True)
    assert first["occurred_at"].isoformat() == "2025-05-20T10:00:00+00:00"
    assert scored("decisions", "export", "--format", "parquet").code == 2


def test_logs_of_two_rulesets_live_side_by_side(scored: Type, tmp_path: Path) -> None:
    card = tmp_path / "cards.csv"
    card.write_text("transaction_id,account,timestamp,amount\nC1,X,2025-05-20T10:00:00Z,5\n", "utf-8")
    own = tmp_path / "own.yaml"
    own.write_text(
        "ruleset: own\ncurrency: JPY\nfields: {id: transaction_id, occurred_at: timestamp}\n"
        "rules: [{id: any, when: amount > 1, points: 50, reason: '{amount}'}]\n",
        "utf-8",
    )
    assert scored("score", card, "--ruleset", own).code == 0
    assert len(scored("decisions", "list", "-f", "jsonl").lines()) == 5
    assert len(scored("decisions", "list", "-f", "jsonl", "--ruleset", "own").lines()) == 1
    assert "approve if amount <= 1" in scored("decisions", "show", "C1").out
    assert "time (UTC)" in scored("decisions", "list").out
    assert scored("decisions", "list", "--min-amount", "5").code == 2
    assert scored("replay").code == 0
