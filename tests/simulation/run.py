"""One seed from its first record to the last check, and what it came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from fraudline import pipeline
from fraudline.adapters.embedded import histories
from fraudline.domain.errors import WorkspaceBusy
from tests.simulation.checks import Checks, require
from tests.simulation.disks import Disk, EmbeddedDisk, MemoryDisk
from tests.simulation.network import Notifier, SimulatedStore, Source
from tests.simulation.processes import Job, Relay, Scoring, Streaming
from tests.simulation.world import Crash, Violation, World

_decide = pipeline.__dict__["decide"]


@dataclass(slots=True)
class Outcome:
    """How a seed ended: what was broken, where anything was, and what had struck."""

    seed: int
    broken: str = ""
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)


def simulate(seed: int) -> Outcome:
    """Run a seed. What a process or check raises unasked is a broken promise too."""
    world = World(seed)
    outcome = Outcome(seed, faults=world.faults)
    try:
        with small():
            _Town(world).live()
    except Violation as broken:
        outcome.broken = str(broken)
    except Crash:
        outcome.broken = "a crash escaped its process"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        outcome.broken = f"{type(error).__name__}: {error}"
    outcome.calls = world.calls
    return outcome


@contextmanager
def small() -> Iterator[None]:
    """Batches, pages and snapshots of a few rows, and an engine that fails on poison, after it has folded it."""

    def decide(program: Any, batch: Any, state: Any, **given: Any) -> Any:
        decided = _decide(program, batch, state, **given)
        if 666 in batch.columns["amount"]:
            raise ZeroDivisionError("poison")
        return decided

    with ExitStack() as patches:
        patches.enter_context(patch.object(pipeline, "decide", decide))
        patches.enter_context(patch.object(pipeline, "BATCH_ROWS", 3))
        patches.enter_context(patch.object(histories, "REPLAY_ROWS", 4))
        patches.enter_context(patch.object(histories, "WORTH_ROWS", 3))
        yield


class _Town:
    """Everything of one run, and whose turn it is."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.checks = Checks(world)
        self.disk: Disk = EmbeddedDisk(world) if world.embedded else MemoryDisk(world)
        self.checks.truth = self.disk.truth
        self.late: list[Callable[[], None]] = []
        relay = Relay(Notifier(world, self.checks), world)
        parts = (world, self.disk, self.checks, relay, self.late)
        self.source = Source(world, self.checks)
        self.jobs: list[Job] = [Scoring(file, *parts) for file in world.files]
        if world.stream:
            self.jobs.append(Streaming(self.source, *parts))
            if not world.locked:
                self.jobs.append(Streaming(self.source, *parts))
        if not world.locked and world.files:
            self.jobs.append(Scoring(world.files[0], *parts))
        self.relaying = Streaming(self.source, *parts)  # a worker with nothing to read: it empties the outbox
        world.others = self.turn

    def live(self) -> None:
        """Until everything is done; then what is still under way arrives, and all of it is checked."""
        try:
            while not all(job.done() for job in self.jobs):
                self.world.tick()
                if not self.world.second and self.world.random.random() < 0.03:
                    self.world.second = True
                if self.world.random.random() < 0.1:
                    self._intrude()
                self.turn()
            self._rest()
            self.checks.at_the_end()
        finally:
            for job in (*self.jobs, self.relaying):
                job.end()
            self.disk.remove()

    def turn(self) -> None:
        """Somebody who is not in the middle of something does a step. Under a lock, the one who holds it goes on."""
        ready = [job for job in self.jobs if not job.busy and not job.done()]
        if self.world.locked:
            ready = [job for job in ready if job.process is not None] or ready
        if ready:
            self.world.random.choice(ready).step()
        for job in self.jobs:
            if job.done() and not job.busy:
                job.end()

    def _intrude(self) -> None:
        """Somebody else tries to write to the workspace while a process has it open."""
        if not self.world.locked or not any(job.process for job in self.jobs):
            return
        try:
            store = SimulatedStore(self.world, self.disk, self.checks, self.late)
        except WorkspaceBusy:
            return
        store.close()
        require(False, "two processes write to one workspace")

    def _rest(self) -> None:
        """No more faults. What was under way arrives, and the outbox is emptied."""
        self.world.faults_left = 0
        for job in self.jobs:
            job.end()
        while self.late:
            self.late.pop(0)()
        while self.disk.truth.unsent():
            self.world.tick()
            self.relaying.step()
        self.relaying.end()
