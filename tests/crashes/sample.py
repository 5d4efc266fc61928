"""The file that every crash happens to: payments with bad rows, out of order; and what becomes of it undisturbed."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from fraudline import pipeline
from fraudline.adapters.embedded.delimited import Delimited
from fraudline.adapters.embedded.histories import MemoryHistories
from fraudline.adapters.embedded.sorting import in_order
from fraudline.adapters.embedded.store import EmbeddedStore
from fraudline.domain.receipt import Counts, Receipt
from fraudline.engine import check
from fraudline.engine.cards import Tokens
from fraudline.engine.compile import Program, program
from fraudline.engine.intake import Intake
from fraudline.generator import columns, generate

LOG = "payments"
RECEIVED_AT = 1_790_000_000_000
KEY = b"0123456789abcdef"
BAD_EVERY = 50  # one row in so many has no amount


@cache
def payments() -> Program:
    """The shipped ruleset, ready to decide."""
    return program(check.load(resources.files("fraudline.rulesets").joinpath(f"{LOG}.yaml").read_text("utf-8")))


@cache
def file_bytes(rows: int, seed: int = 1) -> bytes:
    """A CSV of payments in no order, some of them unusable."""
    names = columns(LOG)
    drawn = list(generate(LOG, rows, seed, fraud_share=0.1))
    random.Random(seed).shuffle(drawn)
    for row in drawn[::BAD_EVERY]:
        row["amount"] = "much"
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(drawn)
    return text.getvalue().encode()


def new_receipt(name: str = "file.csv") -> Receipt:
    """What the command line opens for a file."""
    return Receipt(
        source="",
        file=name,
        sha256="0" * 64,
        ruleset=f"{LOG}@{payments().ruleset.sha256()}",
        received_at=RECEIVED_AT,
        counts=Counts(),
        levels={},
        outcomes={},
    )


def score(store: EmbeddedStore, content: bytes, follow: Callable[[pipeline.Report], None]) -> Receipt:
    """Decide a file into a store, as the command line does."""
    revision = store.activate(payments().ruleset, RECEIVED_AT)
    receipt = store.begin(new_receipt())
    histories = MemoryHistories(store, payments())
    run = pipeline.Run(payments(), store, histories, revision, receipt.received_at, receipt.source, "cli")
    reader = Intake(payments().ruleset, received_at=receipt.received_at, tokens=Tokens(KEY))
    return pipeline.process_file(Delimited(io.BytesIO(content)), reader, Ordered(), run, receipt, follow)


class Ordered:
    """An `Ordering` in memory."""

    def __init__(self) -> None:
        self.unsorted = False

    def __call__(self, batches: Any) -> Iterator[Any]:
        """The batches in order of event time."""
        ordered = in_order(batches)
        yield from ordered
        self.unsorted = ordered.unsorted


@contextmanager
def batches_of(rows: int) -> Iterator[None]:
    """Let the pipeline commit after so many rows, so that there is much to interrupt."""
    before = pipeline.BATCH_ROWS
    pipeline.BATCH_ROWS = rows
    try:
        yield
    finally:
        pipeline.BATCH_ROWS = before


@dataclass(frozen=True)
class Expected:
    """What an undisturbed run stores: (id, facts, hash) in order of sequence; its alerts; its receipt."""

    decisions: list[tuple[str, bytes, bytes]]
    alerts: list[tuple[str, bytes]]
    receipt: Receipt


def stored(store: EmbeddedStore) -> list[tuple[str, bytes, bytes]]:
    """The log, as far as it must be the same after any crash."""
    return [(entry.transaction_id, entry.facts, entry.hash) for entry in store.log(limit=10**9)]


def alerts(store: EmbeddedStore) -> list[tuple[str, bytes]]:
    """The outbox, in order."""
    return [(alert.transaction_id, alert.body) for alert in store.unsent(limit=10**9)]


def undisturbed(content: bytes, folder: Path) -> Expected:
    """Decide the file without any trouble."""
    with EmbeddedStore(folder / "fraudline.db", log=LOG) as store:
        receipt = score(store, content, lambda _: None)
        return Expected(stored(store), alerts(store), receipt)
