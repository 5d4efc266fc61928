"""Transactions as columns, and the records that could not become one.

A `Batch` holds transactions column by column, as plain lists with None where a value is missing, because every path
(one HTTP request or a file of millions) is the same small or large batch. Values are typed and exact:

    text     str, as received            money    int, minor units of the ruleset's currency
    number   float; with declared        time     int, UTC milliseconds
             decimals int, scaled        boolean  bool
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

Kind = str  # "text" | "number" | "money" | "boolean" | "time"

FIELDS: dict[str, Kind] = {
    "id": "text",
    "occurred_at": "time",
    "amount": "money",
    "currency": "text",
    "type": "text",
    "status": "text",
    "direction": "text",
    "account": "text",
    "card": "text",
    "bin": "text",
    "payee": "text",
    "merchant": "text",
    "mcc": "text",
    "device": "text",
    "ip": "text",
    "channel": "text",
    "balance": "money",
    "country": "text",
    "home_country": "text",
    "origin_country": "text",
    "destination_country": "text",
    "location": "text",
    "latitude": "number",
    "longitude": "number",
    "description": "text",
    "timezone": "text",
}
REQUIRED = ("id", "occurred_at", "amount")
KEYS = frozenset({"id", "account", "card", "device", "ip", "merchant", "payee"})  # compared exactly as given
MAX_MINOR = 2**40  # |amount| in minor units; squares then fit the split prefixes of `engine.history`


class Rejected(msgspec.Struct, frozen=True):
    """A record that cannot become a transaction: where it stood, what is wrong, what was seen (cut to 80 characters).

    `line` is the 1-based line (CSV, JSON lines) or row (Parquet) of the source; `code` is for machines.
    """

    line: int
    column: str
    code: str
    reason: str
    value: str = ""


def _taken(column: list[Any], positions: list[int]) -> list[Any]:
    """The values at these positions. Most columns of most files are wholly missing, which is seen at a glance."""
    if column and column[0] is None and column.count(None) == len(column):
        return [None] * len(positions)
    return list(map(column.__getitem__, positions))


@dataclass(slots=True)
class Batch:
    """Transactions in order of arrival, column by column. All columns have the length of `ids`.

    `columns` holds every declared field and attribute except id and occurred_at, in the ruleset's order.
    `day_only` marks dates without a time. `rows` are the 1-based positions in the source; `fingerprints` 32 bytes each.
    """

    ids: list[str] = field(default_factory=list)
    occurred_at: list[int] = field(default_factory=list)
    day_only: list[bool] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)
    fingerprints: list[bytes] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, positions: list[int]) -> Batch:
        """The transactions at these positions, in this order."""
        return Batch(
            ids=_taken(self.ids, positions),
            occurred_at=_taken(self.occurred_at, positions),
            day_only=_taken(self.day_only, positions),
            columns={name: _taken(column, positions) for name, column in self.columns.items()},
            fingerprints=_taken(self.fingerprints, positions),
            rows=_taken(self.rows, positions),
        )

    @staticmethod
    def joined(batches: list[Batch]) -> Batch:
        """These batches as one; they have the same columns."""
        if len(batches) == 1:
            return batches[0]
        joined = Batch(columns={name: [] for name in (batches[0].columns if batches else ())})
        for batch in batches:
            joined.ids += batch.ids
            joined.occurred_at += batch.occurred_at
            joined.day_only += batch.day_only
            joined.fingerprints += batch.fingerprints
            joined.rows += batch.rows
            for name, column in batch.columns.items():
                joined.columns[name] += column
        return joined

    def slice(self, start: int, stop: int) -> Batch:
        """The transactions from start up to stop."""
        return Batch(
            ids=self.ids[start:stop],
            occurred_at=self.occurred_at[start:stop],
            day_only=self.day_only[start:stop],
            columns={name: column[start:stop] for name, column in self.columns.items()},
            fingerprints=self.fingerprints[start:stop],
            rows=self.rows[start:stop],
        )

    def row(self, position: int) -> dict[str, Any]:
        """One transaction as typed values by field name (id, occurred_at and day_only included)."""
        values = {name: column[position] for name, column in self.columns.items()}
        return {
            "id": self.ids[position],
            "occurred_at": self.occurred_at[position],
            "day_only": self.day_only[position],
            **values,
        }


@dataclass(slots=True)
class Records:
    """Raw input, column by column, not yet trusted: what a source yields.

    `lines` are 1-based positions in the source. Values are str (CSV), or what JSON and Parquet carry: str, int,
    Decimal, float (Parquet only), bool, datetime, None. A column a record does not have holds None.
    `problems` are records the source itself could not read (an unclosed quote, bytes that are no text).
    """

    lines: list[int] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)
    problems: list[Rejected] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)
