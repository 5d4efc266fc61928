"""What is fuzzed, and what must be true of every input: five targets, each a function of some bytes."""

from __future__ import annotations

import contextlib
import csv
import functools
import gzip
import io
import random
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec

from fraudline import pipeline
from fraudline.adapters.embedded.files import FileSource, _sentences
from fraudline.adapters.embedded.histories import MemoryHistories
from fraudline.adapters.embedded.sorting import in_order
from fraudline.domain.errors import FraudlineError, RulesetError, UnusableInput
from fraudline.domain.receipt import Counts, Receipt
from fraudline.domain.ruleset import Rule, Ruleset, from_canonical
from fraudline.domain.transaction import Records, Rejected
from fraudline.engine import check
from fraudline.engine.cards import Tokens
from fraudline.engine.compile import Program, program
from fraudline.engine.expression import Scope, parse, scope_of, trees, unparse
from fraudline.engine.intake import Intake, check_columns, required_columns, wanted_columns
from fraudline.engine.syntax import MAX_CHARACTERS
from fraudline.engine.tree import Type
from fraudline.testing import MemoryStore
from tests.fuzz import grow, rows

CORPUS = Path(__file__).parent / "corpus"
RECEIVED_AT = 1_790_000_000_000
TOKENS = Tokens(b"0123456789abcdef")

NASTY_RULESET = """
ruleset: nasty
description: Every kind of column there is
currency: JPY
timezone: America/New_York
night: "22:00-06:00"
fields:
  id: {generate: content}
  occurred_at: {from: when, format: "%d/%m/%Y %H:%M"}
  amount: {from: amount, thousands: ",", strip: "\u00a5 "}
  card: card
  location: {from: city, geocode: city}
attributes:
  risk: {type: number, decimals: 3}
  ratio: {type: number}
  known: {type: boolean}
  opened: {type: time}
  limit: {type: money}
lists:
  watched: [a, B, "0742"]
tables:
  weight: {a: 1, b: -2.5}
features:
  seen: count(by=card, last="1h")
  mean: avg(amount, by=card, last="30d", where=known)
  spread: stddev(risk, by=card, last="7d")
rules:
  - {id: r1, when: amount > 1000 and seen > 2, points: 10, reason: "{amount}"}
  - {id: r2, when: "lookup(weight, description) > 0 or ratio > 0.5", points: 20, reason: because}
"""


class Find(Exception):
    """An input broke a promise."""


@dataclass(frozen=True)
class Target:
    """One kind of input: what to begin with, words that mean something in it, and what must hold."""

    name: str
    seeds: Callable[[], list[bytes]]
    words: Callable[[], list[bytes]]
    run: Callable[[bytes], None]
    share: int  # of the inputs of `make test`, in percent
    grown: Callable[[random.Random], bytes] | None = None  # half of the inputs, where there is a grammar to draw from


REACHED: Counter[str] = Counter()  # how far inputs came: a fuzzer of which all is refused at the door finds nothing


def need(true: bool, said: str) -> None:
    """Raise where a promise is broken."""
    if not true:
        raise Find(said)


# ---- files -----------------------------------------------------------------------------------------------------------


@cache
def programs() -> tuple[Program, ...]:
    """The rulesets that files are read for."""
    shipped = [resources.files("fraudline.rulesets").joinpath(f"{name}.yaml").read_text("utf-8") for name in SHIPPED]
    return tuple(program(check.load(text)) for text in [*shipped, NASTY_RULESET])


SHIPPED: Final = ("payments", "expenses", "cards")


def file(name: str, data: bytes, *, whole: bool = False) -> None:
    """A whole file: told in a sentence that it cannot be used, or each of its records has one ending.

    One in 16 goes the whole journey into a store; each does where that is asked for.
    """
    chosen = zlib.crc32(data)
    made = _suited(data)
    with contextlib.ExitStack() as closing:
        try:
            source = _opened(name, data, made.ruleset, closing)
            intake = Intake(made.ruleset, received_at=RECEIVED_AT, tokens=TOKENS, file_sha=source.sha256)
            if chosen % 16 and not whole:
                blocks = [_read(records, intake) for records in source]
            else:
                blocks = list(source)
                _processed(blocks, made)
        except FraudlineError as error:
            need(isinstance(error, UnusableInput), f"{type(error).__name__}: {error}")
            need(str(error) == str(error).encode("utf-8", "replace").decode(), "a sentence that is no text")
            REACHED["unusable"] += 1
            return
    REACHED["read"] += 1
    lines = [line for records in blocks for line in sorted([*records.lines, *(p.line for p in records.problems)])]
    need(lines == sorted(set(lines)), f"records of the same or an earlier line: {lines}")
    _count(data, source, len(lines), made.ruleset.delimiter)


def _suited(data: bytes) -> Program:
    """The ruleset whose columns the input seems to have."""
    if data.startswith(b"\x1f\x8b"):
        with contextlib.suppress(zlib.error):
            data = zlib.decompressobj(31).decompress(data, 2_000)
    start = data[:2_000].replace(b"\0", b"") if not data.startswith(b"PAR1") else data
    for made, column in zip(programs(), (b"account_id", b"employee_id", b"customer_id"), strict=False):
        if column in start:
            return made
    return programs()[-1]


def _opened(name: str, data: bytes, ruleset: Ruleset, closing: contextlib.ExitStack) -> FileSource:
    with _sentences(name):
        source = FileSource(name, io.BytesIO(data), closing)
        source.open(
            encoding=ruleset.encoding,
            delimiter=ruleset.delimiter,
            declared=None,
            required=required_columns(ruleset),
            wanted=wanted_columns(ruleset),
        )
    check_columns(ruleset, source.columns)
    return source


def _read(records: Records, intake: Intake) -> Records:
    batch, rejected = intake.read(records)
    REACHED["transactions"] += len(batch)
    REACHED["rejected"] += len(rejected)
    need(len(batch) + len(rejected) == len(records) + len(records.problems), "records without an ending, or with two")
    seen = sorted([*batch.rows, *(problem.line for problem in rejected)])
    need(seen == sorted([*records.lines, *(p.line for p in records.problems)]), f"endings of other lines: {seen}")
    for problem in rejected:
        _tellable(problem)
    for ids in batch.ids:
        ids.encode()
    return records


def _tellable(problem: Rejected) -> None:
    need(bool(problem.reason and problem.code), f"a rejection without a reason: {problem}")
    need(len(problem.value) <= 80, f"{len(problem.value)} characters of a value are shown")
    msgspec.json.encode(problem)


def _processed(blocks: list[Records], made: Program) -> None:
    """The whole journey into a store in memory, twice: all is accounted for, and nothing is decided twice."""
    store = MemoryStore(made.ruleset.name)
    revision = store.activate(made.ruleset, RECEIVED_AT)
    decided = 0
    for again in (False, True):
        receipt = store.begin(_receipt(again))
        histories = MemoryHistories(store, made)
        run = pipeline.Run(made, store, histories, revision, receipt.received_at, receipt.source, "cli")
        reader = Intake(made.ruleset, received_at=RECEIVED_AT, tokens=TOKENS, file_sha="0" * 64)
        done = pipeline.process_file(blocks, reader, _Ordered(), run, receipt)
        counts = done.counts
        need(counts.add_up(), f"the receipt does not add up: {counts}")
        need(counts.received == sum(len(b) + len(b.problems) for b in blocks), f"not all were received: {counts}")
        need(counts.dead_letter == 0, f"a dead letter: {[p.reason for p in done.rejected if p.code == 'dead_letter']}")
        need(not again or (counts.decided, counts.duplicate >= decided) == (0, True), f"decided twice: {counts}")
        decided = counts.decided
        msgspec.json.encode(done)


class _Ordered:
    unsorted = False

    def __call__(self, batches: Any) -> Any:
        return iter(in_order(batches))


def _receipt(again: bool) -> Receipt:
    name = "again" if again else "first"
    return Receipt(
        source="", file=name, sha256=name, ruleset="", received_at=RECEIVED_AT, counts=Counts(), levels={}, outcomes={}
    )


def _count(data: bytes, source: FileSource, found: int, delimiter: str | None) -> None:
    """As many records as somebody else counts, where somebody else can."""
    if source.format == "parquet":
        from pyarrow import parquet

        data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data

        need(found == parquet.ParquetFile(io.BytesIO(data)).metadata.num_rows, f"{found} rows of a Parquet file")
        return
    if data.startswith((b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff")) or max(map(len, data.split(b"\n"))) > 60_000:
        return
    if data.startswith(b"\x00\x00\xfe\xff"):
        return
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    if source.format == "jsonl":
        wanted = sum(1 for line in text.split("\n") if line and not line.isspace())
        need(found == wanted, f"{found} records of {wanted} lines")
        return
    if '"' not in text:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        places = [number for number, line in enumerate(lines) if line.strip()]
        wanted = sum(1 for line in lines[places[0] + 1 :] if line.strip(" "))
        need(found == wanted, f"{found} records of {wanted} lines")
        return
    _count_quoted(text, found, delimiter)


def _count_quoted(text: str, found: int, delimiter: str | None) -> None:
    """Where Python's own reader finds a regular file, there are as many records as it says."""
    for sign in (delimiter,) if delimiter else (",",):
        try:
            table = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True) if row]
        except csv.Error:
            return
        width = len(table[0]) if table else 0
        regular = width > 2 and all(len(row) == width for row in table) and len(text.splitlines()) < 90
        need(not regular or found == len(table) - 1, f"{found} records, of {len(table) - 1} that csv reads")


def _table_seeds(kind: str) -> list[bytes]:
    """Small files of the shipped kinds, in the ways people write them."""
    from fraudline.generator import columns, generate

    seeds = []
    for ruleset in SHIPPED:
        drawn = list(generate(ruleset, 200, 3))[:6]
        names = columns(ruleset)
        table = [{name: row[name] for name in names} for row in drawn]
        seeds += _csv_seeds(table) if kind == "csv" else _json_seeds(table)
    nasty = {"when": "20/05/2025 10:00", "amount": "\u00a5 1,234", "card": "4111111111111111", "city": "Tokyo"}
    nasty |= {
        "risk": "0.125",
        "ratio": "1e3",
        "known": "true",
        "opened": "2025-05-20",
        "limit": "9",
        "description": "b",
    }
    return [*seeds, *(_csv_seeds([nasty, nasty]) if kind == "csv" else _json_seeds([nasty, nasty]))]


def _csv_seeds(table: list[dict[str, str]]) -> list[bytes]:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(table)
    quoted = io.StringIO()
    every = csv.DictWriter(quoted, list(table[0]), delimiter=",", quoting=csv.QUOTE_ALL, lineterminator="\n")
    every.writeheader()
    every.writerows(table)
    plain = text.getvalue()
    return [
        plain.encode(),
        plain.replace(",", ";").encode(),
        b"\xef\xbb\xbf" + plain.encode(),
        plain.encode("utf-16"),
        quoted.getvalue().encode(),
        gzip.compress(plain.encode(), mtime=0),
    ]


def _json_seeds(table: list[dict[str, str]]) -> list[bytes]:
    plain = b"\n".join(map(msgspec.json.encode, table)) + b"\n"
    typed = [
        {k: float(v) if k == "amount" and v.replace(".", "").isdigit() else v for k, v in r.items()} for r in table
    ]
    return [plain, b"\n".join(map(msgspec.json.encode, typed)), gzip.compress(plain, mtime=0)]


@cache
def _parquet_seeds() -> tuple[bytes, ...]:
    """Small Parquet files of every type that a transaction may come in."""
    import datetime
    from decimal import Decimal

    import pyarrow as pa
    from pyarrow import parquet

    def written(columns: dict[str, Any], **options: Any) -> bytes:
        sink = io.BytesIO()
        parquet.write_table(pa.table(columns), sink, **options)
        return sink.getvalue()

    at = datetime.datetime(2025, 5, 20, 10, tzinfo=datetime.UTC)
    names = {"transaction_id": ["T1", "T2", None], "account_id": pa.array(["a", "b", "a"]).dictionary_encode()}
    seeds = [
        written({**names, "timestamp": [at, at, None], "amount": [Decimal("1.50"), Decimal("-2.00"), None]}),
        written({**names, "timestamp": pa.array([0, 1, 2], pa.timestamp("ns")), "amount": pa.array([1.5, 2, 3], "f4")}),
        written(
            {**names, "timestamp": pa.array([0, 1, 2], pa.timestamp("s")), "amount": [1, 2, 3]}, compression="none"
        ),
        written({**names, "timestamp": pa.array([0, 1, 2], pa.date32()), "amount": [float("nan"), 1e308, -0.0]}),
        written({**names, "timestamp": [b"x", b"", b"\xff"], "amount": [[1], [], None]}),
        written({**names, "timestamp": [{"a": 1}] * 3, "amount": [True, False, None]}, version="1.0"),
        written({**names, "timestamp": pa.array([None] * 3), "amount": pa.array([2**63, 0, 1], pa.uint64())}),
        written(
            {
                **names,
                "timestamp": pa.array([0, 1, 2], pa.time64("us")),
                "amount": pa.array([1, 2, 3], pa.duration("s")),
            }
        ),
    ]
    return (*seeds, gzip.compress(seeds[0], mtime=0))


# ---- rulesets --------------------------------------------------------------------------------------------------------


def ruleset(data: bytes) -> None:
    """A text: refused with problems that have a place, or a ruleset that keeps its meaning and decides."""
    text = data.decode("utf-8", "ignore")
    found, problems = check.read(text, "fuzz.yaml")
    need(found is not None or any(problem.severity == "error" for problem in problems), "refused without a reason")
    for problem in problems:
        need(0 <= problem.line <= len(text.splitlines()) + 1, f"line {problem.line} of {len(text.splitlines())}")
        str(problem).encode("utf-8", "replace")
    if found is None:
        return
    REACHED["accepted"] += 1
    need(from_canonical(found.canonical()).sha256() == found.sha256(), "its canonical form is another ruleset")
    made = program(found)
    with contextlib.suppress(UnusableInput):
        Intake(found, received_at=RECEIVED_AT, tokens=TOKENS)
    rows.decided(made, 3, random.Random(zlib.crc32(data)))


def _ruleset_seeds() -> list[bytes]:
    small = """
ruleset: small
currency: USD
fields: {id: id, occurred_at: at, amount: amount, account: account}
features:
  n: count(by=account, last="1h")
rules:
  - {id: big, when: amount > 1000 and n > 2, points: 10, reason: "{amount} {n}"}
  - id: odd
    when: merchant in watched
    outcome: review
    reason: odd
    suppresses: [big]
    examples: [{merchant: a, fires: true}]
lists: {watched: [a, b]}
"""
    tiny = (
        '{"ruleset": "t", "currency": "EUR", "rules": [{"id": "a", "when": "amount > 1", "points": 1, "reason": "r"}]}'
    )
    return [small.encode()] * 6 + [tiny.encode()] * 6 + [NASTY_RULESET.encode()]


_YAML_WORDS = (
    *(
        "ruleset:",
        "description:",
        "currency:",
        "timezone:",
        "night:",
        "weekend:",
        "fields:",
        "attributes:",
        "lists:",
        "tables:",
    ),
    *(
        "features:",
        "rules:",
        "id:",
        "when:",
        "points:",
        "reason:",
        "outcome:",
        "typology:",
        "owner:",
        "expires:",
        "suppresses:",
        "tags:",
    ),
    *(
        "examples:",
        "fires:",
        "stream:",
        "levels:",
        "outcomes:",
        "score:",
        "alert:",
        "on_degraded:",
        "retention:",
        "lateness:",
        "shared:",
    ),
    *(
        "encoding:",
        "delimiter:",
        "thresholds:",
        "approve",
        "decline",
        "review",
        "money",
        "number",
        "text",
        "boolean",
        "time",
        "medium:",
        "high:",
    ),
    *(
        "example_defaults:",
        "generate:",
        "geocode:",
        "decimals:",
        "thousands:",
        "strip:",
        "format:",
        "column:",
        "type:",
        "?",
        "-",
        ">-",
        "|",
        "---",
    ),
)


# ---- expressions -----------------------------------------------------------------------------------------------------


@cache
def _scopes() -> tuple[tuple[Ruleset, Scope], ...]:
    found = []
    for made in programs():
        scope = scope_of(made.ruleset)
        features = trees(made.ruleset).features
        found.append((made.ruleset, msgspec_free(scope, features)))
    return tuple(found)


def msgspec_free(scope: Scope, features: Any) -> Scope:
    """The scope of a rule, in which the features are known."""
    import dataclasses

    return dataclasses.replace(scope, features=features)


def expression(data: bytes) -> None:
    """A text: refused with problems that point into it, or a tree that is written and read back as itself."""
    text = data.decode("utf-8", "ignore")
    chosen = zlib.crc32(data)
    ruleset, scope = _scopes()[chosen % len(_scopes())]
    node, problems = parse(text, scope)
    need((node is None) == bool(problems), "neither a tree nor a reason, or both")
    for problem in problems:
        need(0 <= problem.start <= problem.end <= len(problem.text) + 1, f"a place beside the text: {problem}")
        str(problem).encode("utf-8", "replace")
    if node is None:
        return
    REACHED["accepted"] += 1
    written = unparse(node)
    if len(written) > MAX_CHARACTERS:
        return
    again, faults = parse(written, scope)
    need(again is not None and not faults, f"what it writes cannot be read: {written!r}: {faults}")
    need(again == node and unparse(node) == written, f"it is read back as another: {written!r}")
    if node.type is Type.BOOLEAN and chosen % 4 == 0:
        _compiled(ruleset, written)


def _compiled(ruleset: Ruleset, text: str) -> None:
    rule = Rule(id="fuzzed", when=text, points=10, reason="because", outcome="review")
    try:
        made = program(msgspec.structs.replace(ruleset, rules=(rule,), lists=ruleset.lists))
    except RulesetError as error:
        need("grows too large" in str(error), f"accepted alone, refused in a ruleset: {error}")
        return
    REACHED["compiled"] += 1
    rows.decided(made, 3, random.Random(zlib.crc32(text.encode())))


@cache
def _expression_seeds() -> tuple[bytes, ...]:
    texts = []
    for made in programs():
        texts += [rule.when for rule in made.ruleset.rules] + list(made.ruleset.features.values())
    texts += [
        'amount > 10_000 and not (location == "delhi")',
        "hour() >= 22 or is_weekend() or weekday() == 3",
        "round(log10(abs(amount))) > 2 and min(amount, 5) < max(1, 2)",
        'count(by=account, last="1h", where=amount > current(amount) and description != "x", prior=True) > 3',
        "is_new(merchant, by=account, first=True) and since_last(by=account) < minutes(5)",
        "speed_kmh(by=card) > 900 or distance_km(by=card) > 1_000",
        'description.contains("gift") or starts_with(description, "a") or matches(description, "a.*b")',
        "missing(amount) or coalesce(balance, 0) > 1 or amount in [1, 2, 3]",
        '1 < amount <= 5 and merchant not in ["a", "b"]',
        "previous(amount, by=account) * 2 == amount - 1 / 3",
        'stddev(amount, by=account, last="30d", min_samples=3) > 1 and distinct(merchant, by=account, last="7d") >= 2',
    ]
    return tuple(text.encode() for text in texts)


def _expression_words() -> list[bytes]:
    from fraudline.engine.expression import SPECIALS
    from fraudline.engine.tree import FUNCTIONS, WINDOWS

    words = [
        *FUNCTIONS,
        *WINDOWS,
        *SPECIALS,
        "current",
        "matched",
        "amount",
        "account",
        "card",
        "description",
        "location",
    ]
    return [word.encode() for word in words] + [f"{word}(".encode() for word in (*FUNCTIONS, *WINDOWS)]


# ---- all of them -----------------------------------------------------------------------------------------------------


def _csv_words() -> list[bytes]:
    return [b"\r", b'","', b'""', b"\n,", b",,,,,,,,,", b"transaction_id", b"timestamp", b"cvv", b"amount"]


def _json_words() -> list[bytes]:
    return [b'{"', b'":', b"}\n{", b'"amount":', b"[[[[", b'{"a":{"a":', b"1e309", b"-0.0", b'"\\ud83d"', b"\n\n{}"]


TARGETS: Final = {
    target.name: target
    for target in (
        Target("csv", lambda: _table_seeds("csv"), _csv_words, functools.partial(file, "fuzz.csv"), 25),
        Target("json", lambda: _table_seeds("json"), _json_words, functools.partial(file, "fuzz.jsonl"), 20),
        Target(
            "parquet", lambda: list(_parquet_seeds()), list, functools.partial(file, "fuzz.parquet"), 10, grow.parquet
        ),
        Target("yaml", _ruleset_seeds, lambda: [w.encode() for w in _YAML_WORDS], ruleset, 5, grow.ruleset),
        Target("expression", lambda: list(_expression_seeds()), _expression_words, expression, 40, grow.expression),
    )
}


def warm(target: Target) -> None:
    """Import and make once what is made once, so that it is not counted to any input."""
    for data in target.seeds():
        if isinstance(target.run, functools.partial):
            target.run(data, whole=True)
        target.run(data)


def known(target: str) -> list[bytes]:
    """The inputs of the corpus: what was found once, and what is nasty."""
    return [row.data() for row in corpus(target)]


class Row(msgspec.Struct, frozen=True):
    """One input of the corpus: what is odd about it, and its bytes, each written as the character of its number."""

    what: str
    input: str

    def data(self) -> bytes:
        """The input itself."""
        return self.input.encode("latin-1")


def corpus(target: str) -> list[Row]:
    """The rows of a target's file, `corpus/NAME.jsonl`."""
    lines = (CORPUS / f"{target}.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Row) for line in lines]
