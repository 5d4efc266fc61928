"""A transaction as it is stored, as it comes back, and as it is shown.

Stored is a MessagePack array: whether it is a date without a time, then the typed values in the order of the ruleset's
fields. It is read with the ruleset of the revision that wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from fraudline.domain.money import DECIMALS, from_minor
from fraudline.domain.ruleset import Ruleset
from fraudline.domain.transaction import Batch
from fraudline.engine import zones

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Any]).decode
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = "day_only"
_ADDED: Final = frozenset({"latitude", "longitude", "bin"})


def encode(batch: Batch, ruleset: Ruleset) -> list[bytes]:
    """The payload of each transaction of a batch."""
    return [_encode(row) for row in zip(batch.day_only, *_columns(batch, ruleset), strict=True)]


def _columns(batch: Batch, ruleset: Ruleset) -> list[list[Any]]:
    own: dict[str, list[Any]] = {"id": batch.ids, "occurred_at": batch.occurred_at}
    return [own[spec.name] if spec.name in own else batch.columns[spec.name] for spec in ruleset.fields]


def decode(payload: bytes, ruleset: Ruleset) -> dict[str, Any]:
    """The typed values of a stored transaction by field name; id, occurred_at and day_only included."""
    day_only, *values = _decode(payload)
    return {_DAY: day_only, **dict(zip((spec.name for spec in ruleset.fields), values, strict=True))}


def batch_of(
    rows: Sequence[dict[str, Any]],
    ruleset: Ruleset,
    *,
    fingerprints: Sequence[bytes] | None = None,
    positions: Sequence[int] | None = None,
) -> Batch:
    """The batch that these rows (see `decode`) were taken from. A field the row was stored without is missing."""
    names = [spec.name for spec in ruleset.fields if spec.name not in ("id", "occurred_at")]
    return Batch(
        ids=[row["id"] for row in rows],
        occurred_at=[row["occurred_at"] for row in rows],
        day_only=[row[_DAY] for row in rows],
        columns={name: [row.get(name) for row in rows] for name in names},
        fingerprints=list(fingerprints) if fingerprints is not None else [b""] * len(rows),
        rows=list(positions) if positions is not None else [0] * len(rows),
    )


def same_content(stored: dict[str, Any], row: dict[str, Any], before: Ruleset, now: Ruleset) -> bool:
    """Whether a transaction stored under another ruleset says what this one says, in every field that both declare.

    Coordinates and BINs are left out: they may have been added to it. Of an amount in a foreign currency only the
    fingerprint knew how much it was, so two such are never taken for the same.
    """
    if stored.get("amount") is None:
        return False
    shared = {spec.name for spec in before.fields} & {spec.name for spec in now.fields} - _ADDED
    return all(stored.get(name) == row.get(name) for name in (*sorted(shared), _DAY))


def present(row: dict[str, Any], ruleset: Ruleset) -> dict[str, Any]:
    """A row for JSON, missing values left out: money in units of the currency, times as RFC 3339 in UTC.

    A date without a time is the date of the zone it was read in.
    """
    shown: dict[str, Any] = {}
    for spec in ruleset.fields:
        value = row.get(spec.name)
        if value is None:
            continue
        if spec.name == "occurred_at" and row.get(_DAY):
            shown[spec.name] = _local_date(value, row.get("timezone") or ruleset.timezone)
        elif spec.kind == "time":
            shown[spec.name] = rfc3339(value)
        elif spec.kind == "money":
            shown[spec.name] = from_minor(value, DECIMALS[ruleset.currency])
        elif spec.kind == "number":
            shown[spec.name] = _number(value, spec.decimals)
        else:
            shown[spec.name] = value
    return shown


def rfc3339(instant_ms: int) -> str:
    """An instant as text, in UTC: `2025-05-20T23:30:00Z`, with milliseconds where it has some."""
    text = (_EPOCH + timedelta(milliseconds=instant_ms)).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00").removesuffix(".000") + "Z"


def _local_date(instant_ms: int, zone: str) -> str:
    return (_EPOCH + timedelta(milliseconds=instant_ms + zones.offset_ms(instant_ms, zone))).date().isoformat()


def _number(value: float, decimals: int | None) -> float:
    if decimals is not None:
        return from_minor(int(value), decimals)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
