"""What every store promises. An adapter joins with one line in STORES."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fraudline.adapters.embedded.store import EmbeddedStore
from fraudline.domain.decision import Alert, Decided
from fraudline.domain.errors import Conflict, StoreError, UsageError
from fraudline.domain.receipt import MAX_LISTED, Counts, Receipt
from fraudline.domain.ruleset import FieldSpec, Ruleset
from fraudline.domain.transaction import Rejected
from fraudline.ports import Query, Store
from fraudline.testing import MemoryStore, commit_of
from tests.ports.samples import REORDERED, RULESET, put

Make = Callable[[Path], Store]
STORES: dict[str, Make] = {
    "memory": lambda _: MemoryStore("payments"),
    "embedded": lambda folder: EmbeddedStore(folder / "fraudline.db", log="payments"),
}


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A fresh store with one active ruleset, revision 1."""
    made = STORES[request.param](tmp_path)
    made.activate(RULESET, at=5)
    yield made
    made.close()


def ids(store: Store, **filters: Any) -> list[str]:
    return [decision.transaction_id for decision in store.find(Query(**filters))]


# The log


def test_an_empty_store_knows_nothing(store: Store) -> None:
    assert store.decided(["T1"]) == {}
    assert store.decided([]) == {}
    assert store.decisions(["T1"]) == {}
    assert store.log() == []
    assert ids(store) == []
    assert store.receipts() == []
    assert store.unsent() == []


def test_a_decision_comes_back_as_it_was_committed(store: Store) -> None:
    commit = commit_of(
        RULESET,
        1,
        [{"id": "T1", "occurred_at": 7, "amount": 1_200_000, "account": "A", "description": "gift 🎁", "row": 4}],
        received_at=99,
        source="file:3",
        path="api",
        engine="0.1.0",
    )
    sequence = store.commit(commit)
    (decision,) = store.log()
    assert (decision.sequence, decision.transaction_id) == (sequence, "T1")
    assert (decision.occurred_at, decision.received_at, decision.revision) == (7, 99, 1)
    assert (decision.source, decision.row, decision.path, decision.engine) == ("file:3", 4, "api", "0.1.0")
    assert decision.fingerprint == commit.batch.fingerprints[0]
    assert (decision.facts, decision.hash) == (commit.facts[0], commit.hashes[0])
    assert decision.transaction["amount"] == 1_200_000
    assert decision.transaction["description"] == "gift 🎁"
    assert decision.transaction["location"] is None
    assert store.decisions(["T1", "T2"]) == {"T1": decision}
    assert list(store.find(Query())) == [decision]


def test_an_amount_in_another_currency_is_missing_and_its_transaction_is_stored(store: Store) -> None:
    put(store, {"id": "dollars", "amount": 5}, {"id": "euros", "amount": None}, {"id": "refund", "amount": -5})
    assert store.log()[1].transaction["amount"] is None
    assert ids(store, sort="amount") == ["euros", "refund", "dollars"]
    assert ids(store, sort="-amount") == ["dollars", "refund", "euros"]
    assert ids(store, sort="amount", min_amount=-5) == ["refund", "dollars"]


def test_sequences_are_consecutive_in_the_order_of_the_batch(store: Store) -> None:
    first = put(store, {"id": "T3"}, {"id": "T1"}, {"id": "T2"})
    second = put(store, {"id": "T0"})
    assert second == first + 3
    assert [(d.sequence - first, d.transaction_id) for d in store.log()] == [(0, "T3"), (1, "T1"), (2, "T2"), (3, "T0")]


def test_the_log_is_read_in_pages(store: Store) -> None:
    put(store, *({"id": f"T{n}"} for n in range(5)))
    first = store.log(limit=2)
    rest = store.log(after=first[-1].sequence)
    assert [d.transaction_id for d in first + rest] == ["T0", "T1", "T2", "T3", "T4"]
    assert store.log(after=rest[-1].sequence) == []


def test_an_empty_chunk_changes_nothing(store: Store) -> None:
    put(store)
    assert store.log() == []


def test_a_chunk_is_refused_where_the_log_moved_on_since_it_was_read(store: Store) -> None:
    last = put(store, {"id": "T1"}, after=0)
    with pytest.raises(Conflict):
        put(store, {"id": "T2"}, after=last - 1)
    assert [decision.transaction_id for decision in store.log()] == ["T1"]
    assert put(store, {"id": "T2"}, {"id": "T3"}, after=last) == last + 1


def test_a_log_never_goes_back_to_an_earlier_revision(store: Store) -> None:
    later = store.activate(REORDERED, at=6)
    last = put(store, {"id": "T1"}, after=0)
    last = put(store, {"id": "T2"}, after=last, revision=later)
    with pytest.raises(StoreError, match="was activated"):
        put(store, {"id": "T3"}, after=last)
    assert put(store, {"id": "T3"}, after=last, revision=later) == last + 1


def test_decided_tells_duplicate_from_conflict(store: Store) -> None:
    sequence = put(store, {"id": "T1"}, {"id": "T2", "score": 65, "raised": True, "row": 9}, source="file:2")
    fingerprints = [decision.fingerprint for decision in store.log()]
    assert store.decided(["T2", "T9", "T1", "T2"]) == {
        "T1": Decided(fingerprints[0], sequence, 1, "file:2", 1, level=0, outcome=0, alert=False),
        "T2": Decided(fingerprints[1], sequence + 1, 1, "file:2", 9, level=2, outcome=1, alert=True),
    }


def test_decided_answers_for_any_number_of_ids(store: Store) -> None:
    put(store, *({"id": f"T{n}"} for n in range(3_000)))
    for size in (1, 2, 1_023, 1_024, 1_025, 5_000):
        asked = [f"T{n}" for n in range(1, size + 1)]
        assert set(store.decided(asked)) == {f"T{n}" for n in range(1, min(size, 2_999) + 1)}


@pytest.mark.parametrize(
    ("stored", "other"),
    [("007", "7"), ("a", "A"), ("T1", " T1"), ("1E5", "100000"), ("e\u0301", "\u00e9"), ("a", "a\0")],
)
def test_ids_are_compared_as_given(store: Store, stored: str, other: str) -> None:
    put(store, {"id": stored})
    assert set(store.decided([stored, other])) == {stored}
    put(store, {"id": other})
    assert set(store.decided([stored, other])) == {stored, other}


# All or nothing


@pytest.mark.parametrize("chunk", [["T2", "T1"], ["T2", "T2"]], ids=["stored already", "twice in the chunk"])
def test_a_taken_id_refuses_the_whole_chunk(store: Store, chunk: list[str]) -> None:
    put(store, {"id": "T1"})
    before = store.log()
    with pytest.raises(Conflict, match=r"was written|not written"):
        put(store, *({"id": id_, "amount": 5} for id_ in chunk), alerts=[Alert("a", "T2", b"{}")])
    assert store.log() == before
    assert store.unsent() == []
    put(store, {"id": "T2"})
    assert [d.transaction_id for d in store.log()] == ["T1", "T2"]


def test_a_taken_alert_refuses_the_whole_chunk(store: Store) -> None:
    put(store, {"id": "T1"}, alerts=[Alert("a", "T1", b"{}")])
    with pytest.raises(Conflict):
        put(store, {"id": "T2"}, alerts=[Alert("b", "T2", b"{}"), Alert("a", "T2", b"{}")])
    assert [d.transaction_id for d in store.log()] == ["T1"]
    assert [alert.id for alert in store.unsent()] == ["a"]


def test_a_revision_nobody_activated_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="revision 9"):
        store.commit(commit_of(RULESET, 9, [{"id": "T1", "occurred_at": 1, "amount": 1}]))
    assert store.log() == []


# Finding

TABLE: tuple[dict[str, Any], ...] = (
    {"id": "T1", "score": 10, "account": "A1", "location": "Delhi", "amount": 500, "occurred_at": 3_000},
    {"id": "T2", "score": 65, "account": "A2", "location": " DELHI ", "fired": ["large"], "amount": 9_000},
    {"id": "T3", "score": 95, "account": "A1", "merchant": "50%_off \\ Co", "fired": ["large", "gift"]},
    {"id": "T4", "score": 35, "account": "a1", "description": "Straße nach KÖLN", "occurred_at": 4_000},
    {"id": "T5", "score": 10, "account": "A3", "location": "New Delhi", "amount": -50, "occurred_at": 2_000},
)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "T3 T2 T4 T5 T1"),
        ({"level": "high"}, "T3 T2"),
        ({"level": "medium"}, "T4"),
        ({"level": "low"}, "T5 T1"),
        ({"level": "high", "sort": "-time"}, "T3 T2"),
        ({"level": "low", "sort": "time"}, "T5 T1"),
        ({"outcome": "decline"}, "T3"),
        ({"outcome": "review", "sort": "time"}, "T2"),
        ({"outcome": "approve"}, "T4 T5 T1"),
        ({"location": "delhi"}, "T2 T1"),
        ({"location": "new delhi"}, "T5"),
        ({"account": "A1"}, "T3 T1"),
        ({"account": "a1"}, "T4"),
        ({"account": "A"}, ""),
        ({"rule": "large"}, "T3 T2"),
        ({"rule": "gift"}, "T3"),
        ({"rule": "nobody_wrote_it"}, ""),
        ({"text": "delhi"}, "T2 T5 T1"),
        ({"text": "50%_OFF \\"}, "T3"),
        ({"text": "%"}, "T3"),
        ({"text": "_"}, "T3"),
        ({"text": "STRASSE"}, "T4"),
        ({"text": "köln"}, "T4"),
        ({"text": "t5"}, "T5"),
        ({"text": "a1"}, "T3 T4 T1"),
        ({"text": "'; DROP TABLE decisions; --"}, ""),
        ({"text": ""}, "T3 T2 T4 T5 T1"),
        ({"min_amount": 500}, "T2 T1"),
        ({"since": 3_000}, "T4 T1"),
        ({"until": 3_000}, "T3 T2 T5"),
        ({"since": 2_000, "until": 4_000}, "T5 T1"),
        ({"sort": "score"}, "T1 T5 T4 T2 T3"),
        ({"sort": "time"}, "T2 T3 T5 T1 T4"),
        ({"sort": "-time"}, "T4 T1 T5 T3 T2"),
        ({"sort": "amount"}, "T5 T3 T4 T1 T2"),
        ({"sort": "-amount"}, "T2 T1 T4 T3 T5"),
        ({"limit": 2}, "T3 T2"),
        ({"limit": 2, "offset": 3}, "T5 T1"),
        ({"limit": None}, "T3 T2 T4 T5 T1"),
        ({"limit": None, "offset": 4}, "T1"),
        ({"limit": 0}, ""),
        ({"level": "high", "account": "A1", "rule": "gift", "text": "off"}, "T3"),
    ],
    ids=str,
)
def test_find(store: Store, filters: dict[str, Any], expected: str) -> None:
    put(store, *TABLE)
    assert ids(store, **filters) == expected.split()


@pytest.mark.parametrize("filters", [{"level": "hihg"}, {"outcome": "deny"}, {"sort": "; DROP TABLE decisions"}])
def test_a_filter_that_does_not_exist_is_wrong_usage_at_once(store: Store, filters: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        store.find(Query(**filters))


def test_a_rule_is_found_wherever_it_stands_in_its_revision(store: Store) -> None:
    put(store, {"id": "T1", "fired": ["large"]}, {"id": "T2", "fired": ["gift"]})
    revision = store.activate(REORDERED, at=6)
    put(store, {"id": "T3", "fired": ["large"]}, {"id": "T4", "fired": ["new"]}, revision=revision)
    assert ids(store, rule="large", sort="time") == ["T1", "T3"]
    assert ids(store, rule="new") == ["T4"]


def test_find_streams_a_snapshot_beside_commits(store: Store) -> None:
    put(store, *({"id": f"T{n:04}", "score": 1} for n in range(2_000)))
    found = iter(store.find(Query(sort="score", limit=None)))
    first = next(found)
    put(store, {"id": "later", "score": 2})
    assert [first.transaction_id, *(d.transaction_id for d in found)] == [f"T{n:04}" for n in range(2_000)]
    assert ids(store, limit=1) == ["later"]


# Control entries


def test_revisions_count_changes_of_the_active_ruleset(store: Store) -> None:
    assert store.revision() == 1
    assert store.activate(RULESET, at=6) == 1
    assert store.activate(REORDERED, at=7) == 2
    assert store.activate(RULESET, at=8) == 3
    assert store.revision() == 3
    assert [store.ruleset(revision) for revision in (1, 2, 3)] == [RULESET, REORDERED, RULESET]


def test_each_decision_keeps_the_revision_it_was_made_under(store: Store) -> None:
    put(store, {"id": "T1"})
    put(store, {"id": "T2"}, revision=store.activate(REORDERED, at=6))
    assert [d.revision for d in store.log()] == [1, 2]


def test_an_unknown_revision_is_an_error(store: Store) -> None:
    with pytest.raises(StoreError, match="revision 7"):
        store.ruleset(7)


def test_a_ruleset_goes_into_the_log_of_its_name_only(store: Store) -> None:
    with pytest.raises(UsageError, match="cards"):
        store.activate(msgspec.structs.replace(RULESET, name="cards"), at=6)
    assert store.revision() == 1


# Receipts


def receipt(**changes: Any) -> Receipt:
    values = {
        "source": "",
        "file": "may.csv",
        "sha256": "ab" * 32,
        "ruleset": "payments@1",
        "received_at": 1_000,
        "counts": Counts(),
        "levels": {"low": 0, "medium": 0, "high": 0},
        "outcomes": {"approve": 0, "review": 0, "decline": 0},
    }
    return Receipt(**{**values, **changes})


def _graded(kind: str, decimals: int | None = None) -> Ruleset:
    grade = FieldSpec(name="grade", kind=kind, column="grade", decimals=decimals, attribute=True)
    return msgspec.structs.replace(RULESET, fields=(*RULESET.fields, grade))


def test_a_version_that_reads_a_stored_field_otherwise_is_refused(store: Store) -> None:
    text, number, exact = _graded("text"), _graded("number"), _graded("number", 2)
    assert store.activate(text, at=6) < store.activate(number, at=7)  # nothing was decided under the first
    put(store, {"id": "T1", "grade": 2.5}, revision=store.revision())
    with pytest.raises(UsageError, match="holds grade as number, so a version that has it as text"):
        store.activate(text, at=8)
    with pytest.raises(UsageError, match="as number of 2 decimals cannot decide in it"):
        store.activate(exact, at=8)
    store.activate(RULESET, at=9)
    put(store, {"id": "T2"}, revision=store.revision())
    with pytest.raises(UsageError, match="holds grade as number"):  # the log remembers what versions before it stored
        store.activate(text, at=10)


def test_a_version_in_another_currency_is_refused(store: Store) -> None:
    other = "EUR" if RULESET.currency != "EUR" else "USD"
    put(store, {"id": "T1"})
    with pytest.raises(UsageError, match="holds amounts in"):
        store.activate(msgspec.structs.replace(RULESET, currency=other), at=6)


def test_a_cut_off_file_resumes_under_its_first_receipt(store: Store) -> None:
    opened = store.begin(receipt())
    assert opened == receipt(source="file:1")
    again = store.begin(receipt(file="copy of may.csv", received_at=2_000))
    assert again == opened


def test_a_finished_file_gets_a_new_receipt_next_time(store: Store) -> None:
    opened = store.begin(receipt())
    opened.counts.received = opened.counts.decided = 3
    store.finish(opened)
    again = store.begin(receipt(received_at=2_000))
    assert (again.source, again.received_at, again.counts.received) == ("file:2", 2_000, 0)
    newest, oldest = store.receipts()
    assert (newest.source, newest.finished) == ("file:2", False)
    assert (oldest.source, oldest.finished, oldest.counts.decided) == ("file:1", True, 3)
    assert [r.source for r in store.receipts(limit=1)] == ["file:2"]


@pytest.mark.parametrize("change", [{"sha256": "cd" * 32}, {"ruleset": "payments@2"}])
def test_another_file_or_ruleset_gets_its_own_receipt(store: Store, change: dict[str, str]) -> None:
    store.begin(receipt())
    assert store.begin(receipt(**change)).source == "file:2"
    assert store.begin(receipt()).source == "file:1"


def test_counting_on_changes_no_stored_receipt(store: Store) -> None:
    store.begin(receipt()).counts.received = 7
    assert store.begin(receipt()).counts.received == 0


def test_rejected_rows_are_kept_up_to_a_limit_and_counted_beyond(store: Store) -> None:
    opened = store.begin(receipt())
    opened.rejected = [Rejected(n, "amount", "not_a_number", "it is no number", "x") for n in range(MAX_LISTED + 5)]
    opened.counts.received = opened.counts.rejected = MAX_LISTED + 5
    store.finish(opened)
    (stored,) = store.receipts()
    assert stored.rejected == opened.rejected[:MAX_LISTED]
    assert (stored.counts.rejected, stored.counts.add_up()) == (MAX_LISTED + 5, True)


def test_only_a_receipt_that_was_begun_can_be_finished(store: Store) -> None:
    with pytest.raises(StoreError, match="file:8"):
        store.finish(receipt(source="file:8"))


# The outbox


def test_alerts_wait_until_they_are_sent_oldest_first(store: Store) -> None:
    alerts = [Alert(f"a{n}", f"T{n}", b'{"n":%d}' % n) for n in (2, 1, 3)]
    put(store, {"id": "T1"}, {"id": "T2"}, {"id": "T3"}, alerts=alerts)
    assert store.unsent() == alerts
    assert store.unsent(limit=1) == alerts[:1]
    store.mark_sent("a2", at=10)
    store.mark_sent("a2", at=11)
    assert store.unsent() == alerts[1:]


def test_an_alert_nobody_raised_cannot_be_marked_as_sent(store: Store) -> None:
    with pytest.raises(StoreError, match="nobody"):
        store.mark_sent("nobody", at=1)
