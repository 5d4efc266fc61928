"""Inputs that are often well formed: expressions, rulesets and Parquet tables drawn from their grammar."""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.fuzz.mutate import NASTY

FIELDS = {
    "text": ("account", "merchant", "description", "location", "card", "country"),
    "number": ("latitude", "longitude", "probability", "risk", "ratio"),
    "money": ("amount", "balance", "limit"),
    "boolean": ("known", "is_weekend()", "is_night()", "true", "True"),
    "time": ("occurred_at", "opened"),
}
SPANS = ('"1m"', '"1h"', '"36h"', '"7d"', '"30d"', '"200d"', '"0s"', '"1ms"', '"1w"')
TEXTS = ('""', '"a"', '"US"', '"0742"', '"it\'s"', '"\\u0130"', '"{amount}"', '"a.*b"', '"(a|b)+$"', '"\\\\d"')
NUMBERS = ("0", "1", "-1", "2.5", "0.001", "10_000", "1099511627776", "9007199254740993", "0.1", "3", "100")
KINDS = (*FIELDS, "duration")
WORDS = {
    "key": FIELDS["text"],
    "measured": FIELDS["number"],
    "sign": (">", "<", ">=", "<=", "==", "!="),
    "same": ("==", "!="),
    "counted": ("+", "-", "*", "/"),
    "span": SPANS,
    "quoted": TEXTS,
    "literal": NUMBERS,
}


class Expressions:
    """Draws an expression of a type; now and then it draws one of another."""

    def __init__(self, chance: random.Random) -> None:
        self.draw = chance
        self.depth = 0

    def any(self, kind: str = "boolean", depth: int = 3) -> str:
        """An expression of this type, no deeper than this."""
        if self.draw.random() < 0.03:
            kind = self.draw.choice(tuple(KINDS))
        before, self.depth = self.depth, depth
        made: str = getattr(self, f"_{kind}")()
        self.depth = before
        return made

    def _one_of(self, *templates: str, **words: Sequence[str]) -> str:
        """One of these forms, with words or expressions in the places of its names."""
        template = self.draw.choice(templates)
        return re.sub(r"<(\w+)>", lambda name: self._filled(name[1], words), template)

    def _filled(self, name: str, words: Mapping[str, Sequence[str]]) -> str:
        if name in words:
            return self.draw.choice(words[name])
        if name == "window":
            return self._window()
        return self.any(name, self.depth - 1) if name in KINDS else self.draw.choice(WORDS[name])

    def _boolean(self) -> str:
        if self.depth <= 0:
            return self.draw.choice(FIELDS["boolean"])
        return self._one_of(
            *("<boolean> and <boolean>", "<boolean> or <boolean>", "not <boolean>", "(<boolean>)"),
            *("<number> <sign> <number>", "<money> <sign> <money>", "<duration> <sign> <duration>"),
            *("<literal> <= <number> < <literal>", "<text> <same> <text>", "<text> in [<quoted>, <quoted>]"),
            *("<text> not in [<quoted>]", "starts_with(<text>, <quoted>)", "matches(<text>, <quoted>)"),
            *("has_word(<text>, [<quoted>])", "contains_any(<text>, [<quoted>, <quoted>])", "is_missing(<money>)"),
            *("is_missing(<text>)", "is_round(<money>, <literal>)", "is_new(<key>, by=<key><window>)"),
        )

    def _window(self) -> str:
        before, self.depth = self.depth, min(1, self.depth - 1)
        more = ""
        for share, template in (
            (0.8, ", last=<span>"),
            (0.2, ", where=<boolean>"),
            (0.1, ", where=amount <sign> current(amount)"),
            (0.1, ", prior=True"),
            (0.1, ", min_samples=<literal>"),
            (0.05, ", first=True"),
        ):
            more += self._one_of(template) if self.draw.random() < share else ""
        self.depth = before
        return more

    def _number(self) -> str:
        if self.depth <= 0:
            return self.draw.choice((*NUMBERS, *FIELDS["number"]))
        return self._one_of(
            *("<number> <counted> <number>", "<money> / <money>", "-<literal>", "abs(<number>)", "round(<number>)"),
            *("log10(<number>)", "min(<number>, <number>)", "max(<number>, <number>)", "coalesce(<number>, <number>)"),
            *("hour()", "weekday()", "day_of_month()", "length(description)", "lookup(weight, merchant)"),
            *("count(by=<key><window>)", "distinct(<key>, by=<key><window>)", "avg(amount, by=<key><window>)"),
            *("<summed>(<measured>, by=<key><window>)", "stddev(amount, by=<key><window>)"),
            *("distance_km(by=<key><window>)", "speed_kmh(by=<key>)", "distance_km(latitude, longitude, 51.5, -0.1)"),
            summed=("sum", "avg", "min", "max", "stddev", "zscore"),
        )

    def _money(self) -> str:
        if self.depth <= 0:
            return self.draw.choice((*FIELDS["money"], *NUMBERS))
        return self._one_of(
            *("amount", "<money> + <money>", "<money> - <money>", "<money> * <literal>", "abs(<money>)"),
            "<summed>(amount, by=<key><window>)",
            summed=("sum", "min", "max", "previous", "avg"),
        )

    def _text(self) -> str:
        return self._one_of("<key>", "<key>", "<key>", "<quoted>", "lower(<key>)", "previous(<key>, by=account)")

    def _time(self) -> str:
        return self.draw.choice(FIELDS["time"])

    def _duration(self) -> str:
        return self._one_of(
            *("days(<literal>)", "hours(<literal>)", "minutes(<literal>)", "since(opened)"),
            *("since_last(by=<key><window>)", "since_first(by=<key>)"),
        )


def expression(chance: random.Random) -> bytes:
    """One expression, a condition more often than not."""
    kind = chance.choice(("boolean", "boolean", "boolean", "number", "money", "text", "duration"))
    return Expressions(chance).any(kind, chance.choice((1, 2, 3, 4))).encode()


def ruleset(chance: random.Random) -> bytes:
    """One ruleset, as JSON, which YAML understands."""
    draw = Expressions(chance)
    odd = [piece.decode("utf-8", "replace") for piece in NASTY]

    def mostly(good: Any) -> Any:
        return good if chance.random() < 0.97 else chance.choice((chance.choice(odd), None, [], {}, 0, -1, 1e300, True))

    whole: dict[str, Any] = {
        "ruleset": mostly("grown"),
        "currency": mostly(chance.choice(("USD", "JPY", "KWD"))),
        "fields": {"account": mostly("account"), "id": mostly({"generate": chance.choice(("row", "content"))})},
        "attributes": {
            "risk": mostly({"type": "number", "decimals": mostly(chance.choice((0, 3, 6)))}),
            "ratio": mostly({"type": "number"}),
            "known": {"type": "boolean"},
            "opened": {"type": "time"},
            "limit": {"type": "money"},
        },
        "tables": {"weight": {"a": mostly(1), "b": mostly(-2.5)}},
        "features": {f"f{n}": mostly(draw.any(chance.choice(("number", "money", "boolean")), 2)) for n in range(2)},
        "rules": [
            {
                "id": f"r{n}",
                "when": mostly(draw.any("boolean", 2)),
                "points": mostly(10),
                "reason": mostly("{amount} {f0}"),
            }
            for n in range(chance.randrange(1, 3))
        ],
    }
    extras: dict[str, Any] = {
        "timezone": chance.choice(("UTC", "Asia/Kolkata", "Mars/Base")),
        "night": chance.choice(("22:00-06:00", "0:00-0:00", "25:00-1:00")),
        "levels": {"medium": mostly(20), "high": mostly(50)},
        "score": chance.choice(
            ("points", "points / 0", "min(points * 1e300, 100)", "round(100 * probability)", "-points")
        ),
        "alert": chance.choice(('level == "high"', "score > 3", 'outcome != "approve"', "true")),
        "on_degraded": chance.choice(("review", "decline", "continue", "approve")),
        "retention": chance.choice(("400d", "1d", "0s", "99999999d")),
        "lateness": chance.choice(("2d", "0s")),
        "shared": ["merchant"],
        "weekend": chance.choice((["friday"], [6, 7], [0], [])),
    }
    for name in chance.sample(sorted(extras), chance.randrange(4)):
        whole[name] = mostly(extras[name])
    return json.dumps(whole, indent=chance.choice((None, 1))).encode()


def parquet(chance: random.Random) -> bytes:
    """One small table, of whatever types."""
    import pyarrow as pa
    from pyarrow import parquet as writing

    count = chance.choice((0, 1, 3, 5))
    names = ["transaction_id", "account_id", "timestamp", "amount"]
    names += chance.sample(["type", "balance", "description", "cvv", "amount", "x", "\u0130", ""], chance.randrange(3))
    usual = {
        "transaction_id": pa.array([f"T{n}" for n in range(count)]),
        "account_id": pa.array(["a"] * count),
        "timestamp": pa.array([1_747_778_400_000_000 + n for n in range(count)], pa.timestamp("us", "UTC")),
        "amount": pa.array([1.5 * n for n in range(count)]),
    }
    columns = [
        usual[name] if name in usual and chance.random() < 0.8 else chance.choice(_columns(pa, chance, count))()
        for name in names
    ]
    sink = io.BytesIO()
    try:
        writing.write_table(
            pa.Table.from_arrays(columns, names=names),
            sink,
            compression=chance.choice(("none", "snappy", "gzip", "zstd")),
            version=chance.choice(("1.0", "2.6")),
            row_group_size=chance.choice((1, 100)),
            use_dictionary=chance.random() < 0.5,
        )
    except (pa.ArrowException, ValueError):
        return b"PAR1"
    return sink.getvalue()


def _columns(pa: Any, chance: random.Random, count: int) -> list[Callable[[], Any]]:
    """Ways to make a column."""
    from decimal import Decimal

    def of(values: tuple[Any, ...], kind: Any) -> Callable[[], Any]:
        return lambda: pa.array([None if chance.random() < 0.1 else chance.choice(values) for _ in range(count)], kind)

    whole = (0, 1, -1, 2**31 - 1, -(2**31))
    long = (0, 1, 1_747_778_400_000, 2**63 - 1, -(2**63))
    zone = chance.choice((None, "UTC", "+05:30", "Asia/Kolkata"))
    return [
        of(("T1", "T2", "a", "", "1.5", "2025-05-20T10:00:00Z", "\x00", "4111111111111111"), pa.string()),
        of(("T1", "T2", "a", "12.50"), pa.large_string()),
        of((b"", b"a", b"\xff\xfe", b"1"), pa.binary()),
        of(whole, pa.int32()),
        of(long, pa.int64()),
        of((0, 1, 2**64 - 1), pa.uint64()),
        of((0.0, -0.0, 1.5, float("nan"), float("inf"), 1e308, 0.1), pa.float64()),
        of((0.0, 0.1, float("nan"), 3e38), pa.float32()),
        of((True, False), pa.bool_()),
        of((Decimal("1.50"), Decimal("-99999999.99")), pa.decimal128(12, 2)),
        of((Decimal("1." + "0" * 30), Decimal("9" * 30)), pa.decimal256(70, 35)),
        of((0, 1_747_778_400, 10**11), pa.timestamp("s", zone)),
        of(long, pa.timestamp("us", zone)),
        of(long, pa.timestamp("ns", zone)),
        of(whole, pa.date32()),
        of((0, 86_400_000 * 20_000), pa.date64()),
        of((0, 1), pa.time32("s")),
        of(long, pa.duration("ns")),
        of(([], [1, 2], None), pa.list_(pa.int64())),
        of(({"a": 1}, {"a": None}), pa.struct([("a", pa.int64())])),
        of(([("k", 1)], []), pa.map_(pa.string(), pa.int64())),
        of((None,), pa.null()),
        lambda: of(("a", "b"), pa.string())().dictionary_encode(),
    ]
