"""The statement that accounts for every record received: per file, per batch, per run."""

from __future__ import annotations

import msgspec

from fraudline.domain.transaction import Rejected

MAX_LISTED = 10_000  # rows a stored receipt lists; where more were rejected, only the counts tell all of them


class Counts(msgspec.Struct):
    """How records ended. Every record received ends in exactly one of the five; `add_up` says whether they do."""

    received: int = 0
    decided: int = 0
    duplicate: int = 0
    id_conflict: int = 0
    rejected: int = 0
    dead_letter: int = 0

    def add_up(self) -> bool:
        """True where the five endings account for all that was received."""
        return self.received == (self.decided + self.duplicate + self.id_conflict + self.rejected + self.dead_letter)


class Receipt(msgspec.Struct, kw_only=True):
    """What became of one file: counts, checksum, versions, and what was rejected or in conflict, row by row.

    `received_at` is UTC milliseconds, stamped once before row one; a resume reuses it. `unsorted` says that the rows
    were not in order of time and were sorted. `finished` is False while the file is being decided.
    """

    source: str
    file: str
    sha256: str
    ruleset: str
    received_at: int
    counts: Counts
    levels: dict[str, int]
    outcomes: dict[str, int]
    alerts: int = 0
    unsorted: bool = False
    finished: bool = False
    rejected: list[Rejected] = []
