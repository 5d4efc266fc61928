"""Decisions as rows: a table for people, flat columns for spreadsheets and programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from fraudline import wiring
from fraudline.apps.cli import screen
from fraudline.apps.cli.looking import Look
from fraudline.apps.cli.sink import Sink
from fraudline.apps.cli.summary import amount_of
from fraudline.domain.decision import Decision
from fraudline.domain.money import DECIMALS, format_minor
from fraudline.engine import explain
from fraudline.engine.features import utc

COLUMNS: dict[str, type] = {
    "occurred_at": datetime,
    "transaction_id": str,
    "account": str,
    "amount": Decimal,
    "currency": str,
    "location": str,
    "merchant": str,
    "description": str,
    "level": str,
    "outcome": str,
    "score": int,
    "alert": bool,
    "rules": str,
    "reasons": str,
    "received_at": datetime,
    "source": str,
    "row": int,
    "sequence": int,
    "ruleset": str,
}


def table(look: Look, decisions: Iterable[Decision]) -> Any:
    """One line for each decision, two where the screen is narrow."""
    zone = look.zone
    when = f"time ({zone})"
    columns = (when, "id", "account", "amount", "level", "score", "first reason")
    made = screen.Told(columns, right=("amount", "score"))
    for decision in decisions:
        program = look.program(decision)
        body = explain.body(program, transaction(decision), decision.facts)
        reasons = [reason["text"] for reason in body["reasons"]]
        more = f" (+{len(reasons) - 1})" if len(reasons) > 1 else ""
        made.add_row(
            *screen.cells(
                screen.clock(decision.occurred_at, zone)[:16],
                decision.transaction_id,
                body["transaction"].get("account", ""),
                amount_of(body["transaction"], program.ruleset.currency),
                screen.level(body["level"]),
                body["score"],
                (reasons[0] + more) if reasons else "",
            )
        )
    return made


def transaction(decision: Decision) -> dict[str, Any]:
    """A stored transaction with its id, as `explain` takes it."""
    return {**decision.transaction, "id": decision.transaction_id}


def write(look: Look, decisions: Iterable[Decision], format_: str, sink: Sink) -> int:
    """Write decisions as csv, parquet or jsonl (whole documents); how many there were."""
    counted = _Counted(decisions)
    if format_ == "jsonl":
        for decision in counted:
            sink.line(look.document(decision))
    else:
        wiring.write_rows((_flat(look, decision) for decision in counted), COLUMNS, format_, sink)
    return counted.count


class _Counted:
    """Decisions, counted as they pass."""

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self._decisions = decisions
        self.count = 0

    def __iter__(self) -> Iterator[Decision]:
        for decision in self._decisions:
            self.count += 1
            yield decision


def _flat(look: Look, decision: Decision) -> Sequence[Any]:
    program = look.program(decision)
    ruleset, known = program.ruleset, explain.unpack(program, decision.facts)
    seen = decision.transaction
    reasons = _reasons(look, decision) if known.fired else []
    amount = seen.get("amount")
    return (
        utc(decision.occurred_at),
        decision.transaction_id,
        seen.get("account"),
        None if amount is None else Decimal(format_minor(amount, DECIMALS[ruleset.currency])),
        seen.get("currency") or ruleset.currency,
        seen.get("location"),
        seen.get("merchant"),
        seen.get("description"),
        known.level,
        known.outcome,
        known.score,
        known.alert,
        " ".join(ruleset.rules[position].id for position in known.fired),
        "; ".join(reasons),
        utc(decision.received_at),
        decision.source,
        decision.row,
        decision.sequence,
        ruleset.version(),
    )


def _reasons(look: Look, decision: Decision) -> list[str]:
    short = msgspec.json.decode(explain.compact(look.program(decision), transaction(decision), decision.facts))
    return [reason["text"] for reason in short["reasons"]]
