"""Where an incident is played: a simulated installation, its levers, and what must be true of it.

The simulation checks the invariants on the truth after every step and stops at the first breach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from controller.simulate.process import DEPLOYMENT
from controller.simulation import Plan, Simulation
from models.fleet import DEPLOYMENT_METADATA, RUN_META
from models.lifecycle import Status
from models.ports import Asked, Clock
from models.records import Job, LedgerRow, NewJob, Priority, RetireStep, Run, Worker
from simulator.behaviour import Behaviour, Ending, Spread
from simulator.cloud.options import CloudOptions
from simulator.cloud.servers import CloudServer, Wanted
from simulator.faults import Fault, Faults
from simulator.systems import Scenario
from simulator.timeline import Timeline
from tests.plugins.readiness import ready_at_once

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
PERSON = Asked(actor="operator", reason="an incident")
SMALL = "eo1.xsmall"
LOOPS = ("configuration", "execution", "monitor", "worker-pool")


def lasting(processing: timedelta, endings: Mapping[Ending, float] | None = None) -> Behaviour:
    """Programs that process so long, and are quick in everything else."""
    quick = Spread(least=SECOND, most=5 * SECOND)
    return Behaviour(
        starting=quick,
        pre_processing=quick,
        processing=Spread(least=processing, most=processing),
        post_processing=quick,
        winding_down=quick,
        endings=endings or {},
    )


class Heard(Faults):
    """Faults that remember when each call was made."""

    def __init__(self) -> None:
        super().__init__()
        self.clock: Clock = Timeline()
        self.heard: list[tuple[datetime, str]] = []

    def take(self, operation: str) -> Fault | None:
        """See `Faults.take`."""
        self.heard.append((self.clock.now(), operation))
        return super().take(operation)


class Stage:
    """One installation. `parameters` are live ones, with `__` for the dot."""

    def __init__(
        self,
        *,
        cloud: CloudOptions | None = None,
        behaviours: Mapping[str, Behaviour] | None = None,
        controllers: int = 1,
        **parameters: float,
    ) -> None:
        programs = {"test": lasting(MINUTE), **(behaviours or {})}
        scenario = Scenario(seed=1, cloud=cloud or CloudOptions(), behaviours=programs)
        self.faults = Heard()
        plan = Plan(
            scenario=scenario,
            faults=lambda: self.faults,
            parameters={key.replace("__", "."): value for key, value in parameters.items()},
            controllers=controllers,
            on_call=None,
            skipping=True,
        )
        self.sim = Simulation(plan)
        self.faults.clock = self.sim.systems.timeline
        self.store = self.sim.systems.store
        self.cloud = self.sim.systems.outside.cloud
        self.nomad = self.sim.systems.outside.nomad
        self.submitted = 0

    # ---- time ------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The time there."""
        return self.sim.systems.timeline.now()

    def live(self, span: timedelta) -> None:
        """Let everything go on for a while."""
        end = self.now + span
        while self.now < end:
            self.sim.round()

    def only(self, process: int, span: timedelta) -> None:
        """Let one process alone go on for a while: the others make no pass."""
        end = self.now + span
        while self.now < end:
            for loop in LOOPS:
                self.sim.step(process, loop)
            self.sim.pass_time(5 * SECOND)

    def until(self, done: Callable[[], bool], within: timedelta = 6 * HOUR) -> None:
        """Let everything go on until something is so; it must come about in time."""
        assert self.sim.run_until(done, within), f"within {within} it was not so\n{self.story()}"

    def story(self) -> str:
        """What there is and what was decided last."""
        jobs = Counter(job.status.value for job in self.jobs())
        workers = [(w.name, w.state.value, w.retirement) for w in self.workers()]
        return f"jobs {dict(jobs)}\nworkers {workers}\n{self.sim.story()}"

    # ---- levers ----------------------------------------------------------------------------------

    def submit(
        self, count: int = 1, kind: str = "test", priority: Priority = Priority.DELAYED
    ) -> tuple[int, ...]:
        """Hand in jobs and make them ready; their ids."""
        names = [f"{kind}-{self.submitted + number}" for number in range(count)]
        self.submitted += count
        jobs = [NewJob(type=kind, key=name, name=name, priority=priority) for name in names]
        added = self.store.submit(jobs, PERSON).added
        ready_at_once(self.store)
        return added

    def fail(self, operation: str, fault: Fault, times: int = 1) -> None:
        """Let the next calls of an operation go wrong."""
        self.faults.order(operation, fault, times)

    @contextmanager
    def failing(self, *operations: str, fault: Fault = Fault.REFUSED) -> Iterator[None]:
        """Let every call of these operations go wrong in the block."""
        for operation in operations:
            self.faults.order(operation, fault, 100_000)
        yield
        self.faults.clear()

    def close_breakers(self) -> None:
        """A person has looked, and closes every breaker that is open."""
        names = [breaker.name for breaker in self.store.breakers()]
        assert all(verdict.done for verdict in self.store.close_breaker(names, PERSON))

    @contextmanager
    def hidden(self, servers: Iterable[CloudServer]) -> Iterator[None]:
        """Let these servers, which live, be in no list and answer 404 by id, as in another project,
        or in one whose database was restored from before their time.
        """
        chosen = [(server, server.status) for server in servers]
        for server, _ in chosen:
            server.status = "DELETED"
        self.cloud.version += 1
        yield
        for server, status in chosen:
            server.status = status
        self.cloud.version += 1

    def foreign(self, name: str, flavor: str = SMALL, **metadata: str) -> CloudServer:
        """A server that somebody else makes in our project, or that we made and forgot."""
        return self.cloud.create(
            Wanted(
                name=name,
                flavor_id=self.cloud.flavor_id(flavor),
                image_id=self.cloud.image_id("os-worker-template"),
                metadata=metadata,
            )
        )

    def forgotten(self, count: int, first: int = 1) -> list[CloudServer]:
        """Servers of ours that the store knows nothing of, numbered from `first` on."""
        marks = {DEPLOYMENT_METADATA: DEPLOYMENT, "hrsi_flavor": SMALL}
        return [
            self.foreign(f"os-worker-{number:03d}", **marks, hrsi_intent=f"of {number}")
            for number in range(first, first + count)
        ]

    def allow_servers(self, most: int | None) -> None:
        """Let the quota be another from now on; None: as many as anybody likes."""
        self.cloud.options = replace(self.cloud.options, max_servers=most)

    # ---- what there is ---------------------------------------------------------------------------

    def jobs(self) -> list[Job]:
        """Every job."""
        return list(self.store.tables.jobs.values())

    def runs(self) -> list[Run]:
        """Every run that was opened."""
        return list(self.store.tables.runs.values())

    def workers(self) -> list[Worker]:
        """Workers whose rows are open."""
        return list(self.store.tables.open_workers.of(True))

    def servers(self) -> list[CloudServer]:
        """Servers of ours that the cloud lists."""
        return self.sim.truth.servers()

    def holders(self) -> dict[str, str]:
        """Who holds which lease that has not run out."""
        held = self.store.leases()
        return {lease.name: lease.holder for lease in held if lease.expires_at > self.now}

    def leading(self, loop: str) -> int:
        """Which process leads a loop."""
        names = [process.holder for process in self.sim.processes]
        return names.index(self.holders()[loop])

    def ledger(self) -> list[LedgerRow]:
        """Everything that was ever recorded."""
        return list(self.store.ledger((), limit=100_000))

    def reasons(self) -> set[str]:
        """Every reason that was ever recorded."""
        return {row.reason for row in self.ledger()}

    def running(self) -> int:
        """Jobs that are on a worker."""
        return sum(job.status is Status.PROCESSING for job in self.jobs())

    def processed(self) -> int:
        """Jobs that are processed."""
        return sum(job.status is Status.PROCESSED for job in self.jobs())

    def is_going(self) -> bool:
        """Whether a worker was seen to be marked."""
        steps = [w.retirement.step for w in self.workers() if w.retirement is not None]
        return RetireStep.SEEN in steps

    def calls(self, operation: str, since: datetime | None = None) -> list[datetime]:
        """When an operation was called."""
        return [at for at, op in self.faults.heard if op == operation and (not since or at > since)]

    # ---- what must be true -----------------------------------------------------------------------

    def ends_well(self, within: timedelta = 24 * HOUR) -> None:
        """Everything comes to rest, no invariant was ever broken, no run was dispatched twice."""
        self.until(self.sim.is_quiet, within)
        assert self.sim.truth.check(everything=True) == []
        children = [job for job in self.nomad.state.jobs.by_id() if job.parent_id]
        per_run = Counter(child.meta[RUN_META] for child in children)
        assert all(count == 1 for count in per_run.values()), "a run was dispatched twice"

    def every_job_took_one_run(self) -> None:
        """No run was given up, or lost, or doubled."""
        assert {(job.status, job.attempt) for job in self.jobs()} == {(Status.PROCESSED, 1)}
