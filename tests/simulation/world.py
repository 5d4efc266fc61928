"""What a seed decides: rulesets, records, how hostile the world is, and which faults strike at which call.

Everything that is random comes from one generator, so a seed is the whole story and tells it the same way again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from fraudline.domain.ruleset import Ruleset
from fraudline.domain.transaction import Records
from fraudline.engine import check
from fraudline.engine.compile import Program, program

START = 1_750_000_000_000  # 2025-06-15T15:06:40Z
EXPIRES = START + 3_600_000  # when the rule `early` ends
KEY = b"simulated card key 0123456789abc"
LOG = "simulated"
POISON = "6.66"  # an amount on which the simulated engine fails
LIMIT = 4_000  # calls of one run; a run that needs more will never end

RULES = """
ruleset: simulated
currency: USD
features:
  often: count(by=account, last="1h")
  spent: sum(amount, by=account, last="2h")
  shops: distinct(merchant, by=account, last="1h")
rules:
  - {id: busy, when: often > 3, points: 30, reason: "often"}
  - {id: spender, when: spent > 40, points: 60, reason: "spent"}
  - {id: early, when: shops > 1, points: 25, reason: "early", expires: "2025-06-15T16:06:40Z"}
"""
SECOND_RULES = RULES.replace("often > 3", "often > 2").replace("points: 60", "points: 65")


class Crash(BaseException):
    """A process dies here. No handler of the code under test may outlive it."""


class Violation(Exception):
    """A promise was broken; the text says which."""


@cache
def program_of(second: bool) -> Program:
    """The ruleset as it decides first, and as it decides after it was changed."""
    ruleset: Ruleset = check.load(SECOND_RULES if second else RULES)
    return program(ruleset)


@dataclass(frozen=True, slots=True)
class Row:
    """One record as its sender wrote it. `bad` records cannot become transactions."""

    id: str
    at: int
    amount: str
    account: str
    merchant: str

    @property
    def bad(self) -> bool:
        """Whether the amount is none."""
        return not self.amount[0].isdigit()

    @property
    def poisonous(self) -> bool:
        """Whether the engine fails on it."""
        return self.amount == POISON

    @property
    def minor(self) -> int:
        """The amount in cents."""
        units, _, cents = self.amount.partition(".")
        return int(units) * 100 + int(cents.ljust(2, "0") if cents else 0)


def records(rows: list[tuple[int, Row]]) -> Records:
    """Raw records as a source yields them, with their places in it."""
    return Records(
        lines=[place for place, _ in rows],
        columns={
            "id": [row.id for _, row in rows],
            "occurred_at": [_rfc3339(row.at) for _, row in rows],
            "amount": [row.amount for _, row in rows],
            "account": [row.account for _, row in rows],
            "merchant": [row.merchant for _, row in rows],
        },
    )


def _rfc3339(ms: int) -> str:
    seconds = (ms - START) // 1000 + 6 * 60 + 40
    day, clock = divmod(15 * 3600 + seconds, 86_400)
    return f"2025-06-{15 + day:02}T{clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}.{ms % 1000:03}Z"


@dataclass(slots=True)
class File:
    """A file that somebody scores, and the SHA-256 it is known by."""

    name: str
    rows: list[Row]

    @property
    def sha256(self) -> str:
        """Names the content."""
        return hashlib.sha256(repr(self.rows).encode()).hexdigest()


@dataclass(slots=True)
class World:
    """The seed's story while it is told: the clock, the faults that are left, and who is at work."""

    seed: int
    random: Random = field(init=False)
    now: int = START
    calls: int = 0
    faults_left: int = 0
    rate: float = 0.0
    embedded: bool = False
    locked: bool = True  # whether the writer's lock holds; else only the conditional commit stands between two writers
    second: bool = False  # whether the ruleset was changed by now
    stream: list[Row] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    full_until: int = 0
    disturbances: int = 0  # lost answers, late commits and other writers' commits so far
    faults: Counter[str] = field(default_factory=Counter)
    others: Callable[[], None] | None = None  # lets another process work in the middle of this one's call
    depth: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        draw = self.random
        self.embedded = draw.random() < 0.2
        self.locked = draw.random() < 0.4
        self.faults_left = draw.choice((0, 3, 8, 16))
        self.rate = draw.choice((0.03, 0.08, 0.2))
        _Drawing(self).rows()

    def tick(self) -> None:
        """One call; time passes now and then. Raises Violation where the run does not come to an end."""
        self.calls += 1
        if self.calls % 16 == 0:
            self.now += self.random.choice((1_000, 60_000, 600_000))
        if self.calls > LIMIT:
            raise Violation("no end: work that can be done is not done, although all faults are over")

    def strikes(self, *kinds: str, weight: float = 1.0) -> str:
        """The fault that strikes now, of these kinds; empty where none does."""
        if self.faults_left <= 0 or self.random.random() >= self.rate * weight:
            return ""
        self.faults_left -= 1
        kind = self.random.choice(kinds)
        self.faults[kind] += 1
        return kind

    def let_others_work(self) -> None:
        """Between the lines of one process another one does some of its work: it was slow, or asleep for long."""
        if self.others is None or self.locked or self.depth > 1 or self.faults_left <= 0:
            return
        if self.random.random() < self.rate:
            self.depth += 1
            self.faults["interleaved"] += 1
            try:
                for _ in range(self.random.choice((1, 1, 2, 6))):
                    self.others()
            finally:
                self.depth -= 1

    @property
    def calm(self) -> bool:
        """Whether all faults are over."""
        return self.faults_left <= 0


@dataclass(slots=True)
class _Drawing:
    """Draws the records of a world: mostly sound, with the oddities that the accounting tells apart."""

    world: World
    known: list[Row] = field(default_factory=list)

    def rows(self) -> None:
        draw = self.world.random
        count = draw.randint(6, 18)
        rows = [self._row(n) for n in range(count)]
        split = draw.choice((0, count // 2, count // 2, count))
        self.world.stream = rows[:split]
        rest = rows[split:]
        if rest:
            self.world.files.append(File("one.csv", rest))
        if rest and draw.random() < 0.3:
            self.world.files.append(File("two.csv", draw.sample(rows, min(len(rows), 5))))

    def _row(self, n: int) -> Row:
        draw = self.world.random
        chance = draw.random()
        if self.known and chance < 0.12:
            return draw.choice(self.known)
        if self.known and chance < 0.2:
            other: Any = draw.choice(self.known)
            return Row(other.id, other.at, draw.choice(("7.77", POISON)), other.account, other.merchant)
        at = START - draw.randint(0, 18) * 300_000
        amount = draw.choice(("5", "12.50", "20.01", "30", "x") if chance < 0.9 else (POISON,))
        row = Row(f"T{n}", at, amount, draw.choice("AAB"), draw.choice("pq"))
        self.known.append(row)
        return row
