"""Who works in a run: a worker that reads the stream, and somebody who scores files, each in a process that can die.

A process that dies takes everything with it but what is durable; the next one begins with a new store handle and new
histories. The relay and the loop of the worker stand here because the product has none yet; the rest is its own code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from fraudline import pipeline, wiring
from fraudline.adapters.embedded.histories import MemoryHistories
from fraudline.domain.errors import Conflict, FraudlineError, Unanswered, UnusableInput, UsageError, WorkspaceBusy
from fraudline.domain.receipt import Counts, Receipt
from fraudline.domain.transaction import Records
from fraudline.engine.cards import Tokens
from fraudline.engine.intake import Intake
from fraudline.pipeline import Report, Run
from tests.simulation.checks import STREAM, Checks, require
from tests.simulation.disks import Disk
from tests.simulation.network import Notifier, SimulatedStore, Source
from tests.simulation.world import KEY, LOG, Crash, File, World, program_of, records

Late = list[Callable[[], None]]
BLOCK_ROWS = 4


class Relay:
    """Sends what waits in the outbox: first it goes out, then it is marked."""

    def __init__(self, notifier: Notifier, world: World) -> None:
        self.notifier = notifier
        self.world = world

    def run(self, store: SimulatedStore) -> None:
        """Everything that waits now."""
        for alert in store.unsent():
            self.notifier.send(alert)
            store.mark_sent(alert.id, self.world.now)


class Process:
    """One process with the log open, from its start to its end. `work` yields after each of its steps."""

    def __init__(self, world: World, disk: Disk, checks: Checks, relay: Relay, late: Late) -> None:
        self.world = world
        self.checks = checks
        self.relay = relay
        self.program = program_of(world.second)
        self.store = SimulatedStore(world, disk, checks, late)
        self.histories = MemoryHistories(self.store, self.program, snapshots=disk.snapshots)
        self.revision = 0

    def start(self) -> None:
        """Make the ruleset the one that decides."""
        self.revision = self.store.activate(self.program.ruleset, self.world.now)

    def run_of(self, received_at: int, source: str) -> Run:
        """What a batch is decided with."""
        return Run(self.program, self.store, self.histories, self.revision, received_at, source, "simulation")

    def intake(self, received_at: int) -> Intake:
        """What reads records."""
        return Intake(self.program.ruleset, received_at=received_at, tokens=Tokens(KEY))


class Worker(Process):
    """Reads the stream: a batch is decided and stored, and only then acknowledged."""

    def follow(self, source: Source) -> Iterator[None]:
        """Batch after batch."""
        for messages in source.open():
            offsets = [offset for offset, _ in messages]
            if offsets:
                self.handle(records(messages))
                source.acknowledge(offsets)
            self.relay.run(self.store)
            self.histories.save()
            yield

    def handle(self, block: Records) -> None:
        """Decide a batch and write down how each message ended."""
        batch, rejected = self.intake(self.world.now).read(block)
        report = pipeline.process(batch, self.run_of(self.world.now, STREAM))
        self.checks.reported(STREAM, report)
        self.checks.ended(report, rejected)


class Scorer(Process):
    """Scores a file, as the command line does."""

    def score(self, file: File) -> Receipt:
        """Decide what of the file was not decided yet, and finish its receipt."""
        offered = Receipt(
            source="",
            file=file.name,
            sha256=file.sha256,
            ruleset=f"{LOG}@{self.program.ruleset.sha256()}",
            received_at=self.world.now,
            counts=Counts(),
            levels={},
            outcomes={},
        )
        receipt = self.store.begin(offered)
        run = self.run_of(receipt.received_at, receipt.source)
        ordering = wiring.Sorting(Path())
        reader = self.intake(receipt.received_at)

        def follow(report: Report) -> None:
            self.checks.reported(receipt.source, report)

        return pipeline.process_file(self._blocks(file), reader, ordering, run, receipt, follow)

    @staticmethod
    def _blocks(file: File) -> Iterator[Records]:
        numbered = list(enumerate(file.rows, 2))
        for start in range(0, len(numbered), BLOCK_ROWS):
            yield records(numbered[start : start + BLOCK_ROWS])


class Job:
    """Something that has to be done, by one process after another until it is."""

    def __init__(self, world: World, disk: Disk, checks: Checks, relay: Relay, late: Late) -> None:
        self.world = world
        self.parts = (world, disk, checks, relay, late)
        self.process: Process | None = None
        self.steps: Iterator[None] | None = None
        self.busy = False  # in the middle of a step, perhaps asleep

    def begin(self) -> tuple[Process, Iterator[None]]:
        """A new process, and its steps."""
        raise AssertionError("a job says how it begins")

    def done(self) -> bool:
        """Whether nothing is left to do."""
        raise AssertionError("a job says when it is done")

    def step(self) -> None:
        """Go on: start a process where there is none, let it do a step, see it die or fail."""
        self.busy = True
        disturbed = self.world.disturbances
        try:
            if self.process is None or self.steps is None:
                self.process, self.steps = self.begin()
                self.process.start()
                return
            if next(self.steps, "over") == "over":
                self.end()
        except WorkspaceBusy:
            return
        except Crash:
            self.end()
        except (UsageError, UnusableInput):
            raise
        except FraudlineError as error:
            if isinstance(error, Conflict | Unanswered):
                disturbances = self.world.disturbances - disturbed
                require(disturbances >= pipeline.ATTEMPTS, f"given up after {disturbances} disturbances: {error}")
            self.failed()
        finally:
            self.busy = False

    def failed(self) -> None:
        """A step ended with an error. A command ends then."""
        self.end()

    def end(self) -> None:
        """The process is gone, at rest or in the middle of its work."""
        if self.process is not None:
            self.process.store.close()
        self.process = self.steps = None


class Streaming(Job):
    """All messages of the stream are to be acknowledged."""

    def __init__(self, source: Source, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]  # the same parts as those of every job
        self.source = source

    def begin(self) -> tuple[Process, Iterator[None]]:
        worker = Worker(*self.parts)
        return worker, worker.follow(self.source)

    def done(self) -> bool:
        return self.source.done()

    def failed(self) -> None:
        """A worker goes on with the process it has, which is where a stale memory would show, or is restarted."""
        if self.process is None or self.world.calm or self.world.random.random() < 0.3:
            self.end()
        elif isinstance(self.process, Worker):
            self.steps = self.process.follow(self.source)


class Scoring(Job):
    """A file is to be scored to its end."""

    def __init__(self, file: File, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]  # the same parts as those of every job
        self.file = file
        self.receipt: Receipt | None = None

    def begin(self) -> tuple[Process, Iterator[None]]:
        scorer = Scorer(*self.parts)
        return scorer, self._steps(scorer)

    def _steps(self, scorer: Scorer) -> Iterator[None]:
        receipt = scorer.score(self.file)
        scorer.histories.save()
        yield
        scorer.relay.run(scorer.store)
        self.receipt = receipt

    def done(self) -> bool:
        return self.receipt is not None
