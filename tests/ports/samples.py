"""A small ruleset and a way to commit under it, for tests of stores."""

from __future__ import annotations

from typing import Any

import msgspec

from fraudline.domain.ruleset import FieldSpec, Rule, Ruleset
from fraudline.ports import Store
from fraudline.testing import commit_of

TEXTS = ("id", "account", "location", "merchant", "description")
RULESET = Ruleset(
    name="payments",
    currency="USD",
    fields=(
        *(FieldSpec(name=name, kind="text", column=name) for name in TEXTS),
        FieldSpec(name="occurred_at", kind="time", column="occurred_at"),
        FieldSpec(name="amount", kind="money", column="amount"),
    ),
    rules=(Rule(id="large", when="amount > 10000", points=40), Rule(id="gift", when="True", points=25)),
)
# The same rules the other way round and one more: a rule's position is not what it is known by.
REORDERED = msgspec.structs.replace(
    RULESET, rules=(Rule(id="new", when="True", points=1), RULESET.rules[1], RULESET.rules[0])
)


def put(store: Store, *transactions: dict[str, Any], revision: int = 1, **envelope: Any) -> int:
    filled = [{"occurred_at": 1_000, "amount": 100, **transaction} for transaction in transactions]
    ruleset = store.ruleset(revision)
    return store.commit(commit_of(ruleset, revision, filled, **envelope))
