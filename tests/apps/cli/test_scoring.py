"""What deciding files leaves behind beside the store: one receipt a file, also after a kill."""

from __future__ import annotations

from pathlib import Path

from tests.apps.cli.conftest import Type


def test_a_receipt_that_a_killed_process_did_not_write_is_written_by_the_next(
    fraudline: Type, two: Path, workspace: Path
) -> None:
    fraudline("score", two, "-r", "expenses")
    (first,) = (workspace / "receipts").iterdir()
    content = first.read_bytes()
    first.rename(first.with_name(f".{first.name}.part"))
    assert fraudline("score", two, "-r", "expenses").code == 0
    assert first.read_bytes() == content
    assert len(list((workspace / "receipts").iterdir())) == 2


def test_a_file_with_the_longest_name_has_a_receipt(fraudline: Type, two: Path, workspace: Path) -> None:
    long = two.rename(two.with_name("\u00e9" * 125 + ".csv"))
    said = fraudline("score", long, "-r", "expenses")
    assert said.code == 0, said.err
    (receipt,) = (workspace / "receipts").iterdir()
    assert receipt.name.startswith("1-\u00e9\u00e9")


def test_a_receipt_that_cannot_be_written_says_that_the_decisions_are_stored(
    fraudline: Type, two: Path, workspace: Path
) -> None:
    fraudline("score", two, "-r", "expenses")
    (receipt,) = (workspace / "receipts").iterdir()
    name = receipt.name.replace("1-", "2-", 1)
    (workspace / "receipts" / f".{name}.part").mkdir()
    said = fraudline("score", two, "-r", "expenses")
    assert said.code == 4
    assert "could not be written" in said.err
    assert "the next fraudline score writes this file too" in said.err
    (workspace / "receipts" / f".{name}.part").rmdir()
    assert fraudline("score", two, "-r", "expenses").code == 0
    assert sorted(path.name[:2] for path in (workspace / "receipts").iterdir()) == ["1-", "2-", "3-"]
