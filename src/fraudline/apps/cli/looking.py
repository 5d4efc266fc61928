"""Reading decisions: filters as people type them, and stored decisions rendered under the ruleset that made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any

from fraudline import wiring
from fraudline.apps.cli.root import Options, called
from fraudline.domain.decision import Decision
from fraudline.domain.errors import UsageError
from fraudline.domain.money import DECIMALS, to_minor
from fraudline.domain.ruleset import Ruleset
from fraudline.engine import explain
from fraudline.engine.compile import Program
from fraudline.engine.compile import program as program_of
from fraudline.engine.zones import utc_ms
from fraudline.ports import Query


@dataclass(frozen=True, slots=True)
class Filters:
    """What people may filter decisions by, as they typed it."""

    level: str | None = None
    outcome: str | None = None
    location: str | None = None
    rule: str | None = None
    account: str | None = None
    text: str | None = None
    min_amount: str | None = None
    since: str | None = None
    until: str | None = None


@dataclass(slots=True)
class Look:
    """A workspace opened for reading: one log of it, or all."""

    store: wiring.Reader
    tenant: str
    rulesets: list[Ruleset]
    _programs: dict[int, Program] = field(default_factory=dict)

    @property
    def zone(self) -> str:
        """The zone that times are shown and typed in: the rulesets' own where they agree, else UTC."""
        zones = {ruleset.timezone for ruleset in self.rulesets}
        return zones.pop() if len(zones) == 1 else "UTC"

    def program(self, decision: Decision) -> Program:
        """The ruleset that made a decision."""
        if decision.revision not in self._programs:
            self._programs[decision.revision] = program_of(self.store.ruleset(decision.revision))
        return self._programs[decision.revision]

    def document(self, decision: Decision) -> dict[str, Any]:
        """The JSON of a decision."""
        return explain.document(self.program(decision), decision, self.tenant)

    def query(self, filters: Filters, sort: str, limit: int | None) -> Query:
        """The store's query for what was typed.

        Raises UsageError where a value cannot be meant.
        """
        self._check_rule(filters.rule)
        since, until = self._moment(filters.since, "--from"), self._moment(filters.until, "--to", end=True)
        if since is not None and until is not None and since >= until:
            raise UsageError(
                f"--from {filters.since} is not before --to {filters.until}: no time lies between. Exchange them."
            )
        return Query(
            level=filters.level,
            outcome=filters.outcome,
            location=filters.location,
            rule=filters.rule,
            account=filters.account,
            text=filters.text,
            min_amount=self._minor(filters.min_amount),
            since=since,
            until=until,
            sort=sort,
            limit=limit,
        )

    def find(self, filters: Filters, sort: str, limit: int | None) -> Iterable[Decision]:
        """Decisions that pass the filters."""
        return self.store.find(self.query(filters, sort, limit))

    def decision(self, name: str) -> Decision:
        """The decision about the transaction of this id.

        Raises UsageError where there is none.
        """
        found = self.store.decisions([name]).get(name)
        if found is None:
            near = [other.transaction_id for other in self.store.find(Query(text=name, sort="-time", limit=3))]
            hint = f" Did you mean {' or '.join(near)}?" if near else " Ids are compared exactly as they were given."
            raise UsageError(f"There is no decision about a transaction {name!r} here.{hint}")
        return found

    def _check_rule(self, rule: str | None) -> None:
        known = {known.id for ruleset in self.rulesets for known in ruleset.rules}
        if rule is not None and rule not in known:
            close = get_close_matches(rule, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"See {called()} rules show NAME."
            raise UsageError(f"No ruleset that decided here has a rule {rule!r}. {hint}")

    def _minor(self, amount: str | None) -> int | None:
        if amount is None:
            return None
        decimals = {DECIMALS[ruleset.currency] for ruleset in self.rulesets}
        if len(decimals) > 1:
            raise UsageError("The rulesets of this workspace have different currencies; add --ruleset NAME.")
        try:
            minor = to_minor(Decimal(amount), decimals.pop() if decimals else 2)
        except InvalidOperation:
            minor = None
        if minor is None:
            raise UsageError(f"--min-amount {amount!r} is no amount; write digits and a point, such as 10000.50.")
        return minor

    def _moment(self, text: str | None, option: str, *, end: bool = False) -> int | None:
        """UTC milliseconds. A date means its first moment in the zone; at the end of a span, the day belongs to it."""
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise UsageError(
                f"{option} {text!r} is no date; write 2025-05-20, 2025-05-20T14:30 or 2025-05-20T14:30:00Z."
            ) from None
        if end and len(text) <= len("2025-05-20"):
            moment += timedelta(days=1)
        if moment.tzinfo is not None:
            return int(moment.timestamp() * 1000)
        found = utc_ms(moment, self.zone)
        if found is None:
            raise UsageError(f"{option} {text!r} does not exist in {self.zone}: clocks skipped it.")
        return found


@contextmanager
def looking(options: Options, ruleset: str | None = None) -> Iterator[Look]:
    """The workspace's decisions, those of all rulesets or of the one named.

    Raises UsageError where nothing was decided yet, or nothing under that name.
    """
    settings = options.settings()
    if not wiring.has_store(options.workspace):
        raise UsageError(
            f"Nothing was decided in the workspace {options.workspace} yet. "
            f"Begin with {options.command('score FILE')}, or name another --workspace."
        )
    with wiring.reading(options.workspace, settings, ruleset) as store:
        found = wiring.logs(store)
        if ruleset is not None and ruleset not in found:
            known = ", ".join(sorted(wiring.logs_of(options.workspace, settings))) or "none yet"
            raise UsageError(f"Nothing was decided under a ruleset named {ruleset!r} here. There are: {known}.")
        yield Look(store, settings.tenant, list(found.values()))
