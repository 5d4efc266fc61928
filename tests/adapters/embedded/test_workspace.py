"""The workspace folder: made by the first write, with a secret key that never changes unnoticed."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from fraudline.adapters.embedded.workspace import Workspace
from fraudline.domain.errors import StoreError, WorkspaceBusy
from tests.ports.samples import RULESET, put


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "deep" / "books")


def names(workspace: Workspace) -> set[str]:
    return {path.name for path in workspace.path.iterdir()}


def test_reading_creates_nothing(workspace: Workspace) -> None:
    with pytest.raises(StoreError, match=r"nothing was decided in this workspace yet.*fraudline score"):
        workspace.open_store(read_only=True)
    assert not workspace.exists()
    assert not workspace.path.exists()


def test_the_first_write_makes_what_it_needs_and_no_more(workspace: Workspace) -> None:
    workspace.open_store("payments").close()
    assert workspace.exists()
    assert names(workspace) == {"fraudline.db", "fraudline.lock", "card.key", ".gitignore"}
    assert workspace.folder("receipts").is_dir()
    assert workspace.folder("receipts") == workspace.path / "receipts"


def test_the_folder_is_for_its_owner_only_unless_it_was_there(workspace: Workspace) -> None:
    workspace.open_store("payments").close()
    assert sys.platform == "win32" or stat.S_IMODE(workspace.path.stat().st_mode) == 0o700
    workspace.path.chmod(0o750)
    workspace.folder("receipts")
    assert sys.platform == "win32" or stat.S_IMODE(workspace.path.stat().st_mode) == 0o750


def test_the_card_key_is_made_once_and_is_nobody_elses_to_read(workspace: Workspace) -> None:
    key = workspace.card_key()
    assert len(key) == 32
    assert Workspace(workspace.path).card_key() == key
    if sys.platform != "win32":
        assert stat.S_IMODE(workspace.key_file.stat().st_mode) == 0o600
    assert names(workspace) == {"card.key", ".gitignore"}


def test_what_a_killed_process_left_of_a_key_goes_and_a_backup_of_it_stays(workspace: Workspace) -> None:
    workspace.card_key()
    (workspace.path / ".card.key-0a1b2c3d.part").write_bytes(b"half")
    (workspace.path / "card.key.backup").write_bytes(workspace.card_key())
    workspace.open_store("payments").close()
    assert names(workspace) == {"fraudline.db", "fraudline.lock", "card.key", ".gitignore", "card.key.backup"}


def test_an_empty_gitignore_of_a_killed_process_is_written_again(workspace: Workspace) -> None:
    workspace.card_key()
    ignore = workspace.path / ".gitignore"
    content = ignore.read_text()
    ignore.write_text("")
    workspace.folder("receipts")
    assert ignore.read_text() == content
    ignore.write_text("mine\n")
    workspace.folder("receipts")
    assert ignore.read_text() == "mine\n"


def test_two_workspaces_have_two_keys(tmp_path: Path) -> None:
    assert Workspace(tmp_path / "a").card_key() != Workspace(tmp_path / "b").card_key()


def test_the_key_is_never_in_the_database(workspace: Workspace) -> None:
    workspace.open_store("payments").close()
    content, key = workspace.database.read_bytes(), workspace.card_key()
    assert key not in content
    assert key.hex().encode() not in content


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "is missing.*backup"), (b"short", "is damaged.*backup"), (bytes(32), "is not the key.*backup")],
)
def test_a_lost_key_is_noticed_before_cards_get_other_tokens(
    workspace: Workspace, content: bytes | None, sentence: str
) -> None:
    workspace.open_store("payments").close()
    workspace.key_file.unlink()
    if content is not None:
        workspace.key_file.write_bytes(content)
    with pytest.raises(StoreError, match=sentence):
        workspace.open_store("payments")
    workspace.open_store(read_only=True).close()


def test_one_writer_and_any_readers(workspace: Workspace) -> None:
    with workspace.open_store("payments") as writer:
        writer.activate(RULESET, at=1)
        with pytest.raises(WorkspaceBusy):
            workspace.open_store("cards")
        with workspace.open_store(read_only=True) as reader:
            put(writer, {"id": "T1"})
            assert [d.transaction_id for d in reader.log()] == ["T1"]
    workspace.open_store("cards").close()


def test_a_file_in_the_place_of_the_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "books").write_text("")
    with pytest.raises(StoreError, match=r"cannot be made: File exists.*--workspace"):
        Workspace(tmp_path / "books").open_store("payments")
