"""The world of one pass as the rules of execution look at it: indexed once, asked often.

Also the questions that several rules ask: is a parent fit, can a job be dispatched at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from models.fleet import FINGERPRINT_META, Live, Tracked, tracked
from models.job_types import Parent, parent_id
from models.plan import Reason, Subject, SubjectKind
from models.records import Backoff, Job
from models.remembered import remembered
from models.reprocessing import UNBOUNDED, Share
from models.restraint import resting
from models.settings import ExecutionSettings
from models.wording import counted, job_subject
from models.world import NomadJob, NomadSnapshot, World


@dataclass(frozen=True, kw_only=True, slots=True)
class Obstacle:
    """What keeps jobs from being dispatched, however much room there is."""

    subject: Subject
    reason: Reason
    because: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """One world, indexed. `flights` are the jobs in flight by id; `unfit` says of each parent that
    cannot be dispatched to what is wrong with it; `share` is what reprocessing may take.
    """

    world: World
    nomad: NomadSnapshot
    settings: ExecutionSettings
    now: datetime
    flights: tuple[Tracked, ...]
    live: Live
    unfit: Mapping[str, str]
    parents: frozenset[str]
    asleep: Mapping[str, Backoff]
    share: Share = UNBOUNDED

    @classmethod
    def of(
        cls, world: World, nomad: NomadSnapshot, settings: ExecutionSettings, now: datetime
    ) -> Sight:
        """Index a world."""
        return cls(
            world=world,
            nomad=nomad,
            settings=settings,
            now=now,
            flights=tracked(world, nomad),
            live=Live.among(nomad),
            unfit=_unfit_parents(world.site.parents, nomad.jobs),
            parents=frozenset(parent.id for parent in world.site.parents),
            asleep=resting(world, now),
        )

    @property
    def unsettled(self) -> tuple[Tracked, ...]:
        """The flights other than those whose one child is confirmed and placed or over."""
        return _unsettled(self.flights)

    def parent_of(self, job: Job) -> str:
        """The parent that a job is dispatched to. Ask `obstacle` first: the type must be known."""
        service = self.world.registry.types[job.type].service
        return parent_id(self.world.site.deployment, service, job.flavor)

    def obstacle(self, job: Job) -> Obstacle | None:
        """What keeps this job from being dispatched; None: only the lack of a slot may."""
        if job.type not in self.world.registry.types:
            return Obstacle(
                subject=Subject(SubjectKind.TYPE, job.type),
                reason=Reason.TYPE_UNKNOWN,
                because=f"job type {job.type!r} is not set up here: set it up or cancel its jobs",
            )
        if job.flavor not in self.world.registry.flavors:
            return Obstacle(
                subject=Subject(SubjectKind.FLAVOR, job.flavor),
                reason=Reason.FLAVOR_UNKNOWN,
                because=f"flavor {job.flavor!r} is not set up here: set it up or cancel its jobs",
            )
        return self._parent_obstacle(self.parent_of(job)) or self._rests(job_subject(job))

    def _parent_obstacle(self, parent: str) -> Obstacle | None:
        subject = Subject(SubjectKind.PARENT, parent)
        fault = self.unfit.get(parent)
        if parent not in self.parents:
            fault = "is none of this installation's parents"
        # A registration that rests is told by its back-off: one reason for one subject.
        resting_parent = self._rests(subject)
        if resting_parent is None and fault is not None:
            return Obstacle(
                subject=subject, reason=Reason.PARENT_MISSING, because=f"parent {parent} {fault}"
            )
        return resting_parent

    def _rests(self, subject: Subject) -> Obstacle | None:
        backoff = self.asleep.get(str(subject))
        if backoff is None:
            return None
        return Obstacle(
            subject=subject,
            reason=Reason.BACKING_OFF,
            because=f"{subject} failed {counted(backoff.failures, 'time')} in a row "
            f"({backoff.message}) and rests until {backoff.until:%H:%M:%S}",
        )


@remembered
def _unsettled(flights: tuple[Tracked, ...]) -> tuple[Tracked, ...]:
    return tuple(flight for flight in flights if not _is_settled(flight))


def _is_settled(flight: Tracked) -> bool:
    if len(flight.children) != 1:
        return False
    child = flight.children[0]
    return child.id == flight.run.nomad_job_id and child.status != "pending"


@remembered
def _unfit_parents(parents: tuple[Parent, ...], jobs: tuple[NomadJob, ...]) -> Mapping[str, str]:
    listed = {job.id: job for job in jobs if not job.parent_id}
    faults = ((parent.id, _fault(parent, listed.get(parent.id))) for parent in parents)
    return {identity: fault for identity, fault in faults if fault is not None}


def _fault(parent: Parent, listed: NomadJob | None) -> str | None:
    if listed is None:
        return "is not registered yet"
    if listed.over:
        return "is stopped in Nomad"
    if listed.meta.get(FINGERPRINT_META) != parent.fingerprint():
        return "is registered in another version"
    return None
