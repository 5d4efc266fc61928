"""The folder everything of an embedded installation lives in: database, card key, lock, receipts, exports."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from fraudline.adapters.embedded.store import EmbeddedStore
from fraudline.domain.errors import StoreError

KEY_BYTES = 32
FOLDER_MODE = 0o700  # what transactions say is for their owner's eyes; a folder that is there stays as it is
DRAFT = ".card.key-"  # what a key's name begins with while it is being made; it ends in PART
PART = ".part"
IGNORE = "# Transactions and keys do not belong into version control.\n*\n"


class Workspace:
    """A folder, made by the first thing that writes to it. Reading never creates anything."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / "fraudline.db"
        self.key_file = path / "card.key"

    def exists(self) -> bool:
        """True where something was stored here."""
        return self.database.exists()

    def open_store(self, log: str | None = None, *, tenant: str = "default", read_only: bool = False) -> EmbeddedStore:
        """The store of one log, or of all logs for a reader that names none. Writing takes the workspace's lock.

        Raises WorkspaceBusy where another process writes, and StoreError where the card key is not the one that the
        stored transactions were tokenised with.
        """
        if read_only:
            return EmbeddedStore(self.database, tenant=tenant, log=log, read_only=True)
        key = self.card_key()
        store = EmbeddedStore(self.database, tenant=tenant, log=log)
        try:
            self._sweep()
            self._check_key(store, key)
        except BaseException:
            store.close()
            raise
        return store

    def _check_key(self, store: EmbeddedStore, key: bytes) -> None:
        # With another key the same card gets another token: its history would begin anew and every duplicate would
        # look like a conflict. The key has 256 random bits, so its digest gives nothing away.
        digest = hashlib.sha256(b"fraudline card key:" + key).hexdigest()
        known = store.meta("card_key_sha256")
        if known is None:
            store.set_meta("card_key_sha256", digest)
        elif known != digest:
            raise StoreError(
                f"{self.key_file} is not the key that the cards in {self.database.name} were tokenised with. "
                "Restore the file from a backup, or use another --workspace."
            )

    def card_key(self) -> bytes:
        """The secret that card numbers become tokens with: made once, kept beside the database and never in it."""
        try:
            if not self.key_file.exists():
                self._make_key()
            key = self.key_file.read_bytes()
        except OSError as error:
            raise StoreError(f"{self.key_file} cannot be read or made: {error.strerror}.") from error
        if len(key) != KEY_BYTES:
            raise StoreError(f"{self.key_file} is damaged: it must hold {KEY_BYTES} bytes. Restore it from a backup.")
        return key

    def _make_key(self) -> None:
        if self.database.exists():
            raise StoreError(
                f"{self.key_file} is missing; without it no card would be recognised. "
                "Restore it from a backup, or use another --workspace."
            )
        self._create()
        draft = self.path / f"{DRAFT}{secrets.token_hex(4)}{PART}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, self.key_file)  # unlike a rename, it leaves a key alone that somebody made meanwhile
        except FileExistsError:
            return
        finally:
            draft.unlink()

    def folder(self, name: str) -> Path:
        """A folder of the workspace, such as receipts or exports, made where it is missing."""
        self._create()
        made = self.path / name
        try:
            made.mkdir(exist_ok=True)
        except OSError as error:
            raise StoreError(f"The folder {made} cannot be made: {error.strerror}.") from error
        return made

    def _sweep(self) -> None:
        """Remove drafts of a key that a killed process left behind. The key is there, so nobody makes one any more."""
        for left in self.path.glob(f"{DRAFT}*{PART}"):
            left.unlink(missing_ok=True)

    def _create(self) -> None:
        try:
            self.path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            ignore = self.path / ".gitignore"
            if not ignore.exists() or not ignore.stat().st_size:  # empty where its writer was killed
                ignore.write_text(IGNORE)
        except OSError as error:
            raise StoreError(
                f"The workspace {self.path} cannot be made: {error.strerror}. Name another with --workspace."
            ) from error
