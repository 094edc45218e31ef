"""The world of one pass as the monitor looks at it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.fleet import JOB_META, Live, our_children
from models.lifecycle import Status
from models.records import IntentKind, Job, Run
from models.remembered import remembered
from models.settings import MonitorSettings
from models.world import NomadJob, NomadSnapshot, World


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """One world, and what the rules ask of it.

    `evaluated` and `stopping` are the Nomad jobs that an evaluation is open for, or a call to stop
    them that this snapshot may be too old to show. `doubt` is why nothing may be requeued because
    it is absent, if so.
    """

    world: World
    nomad: NomadSnapshot
    settings: MonitorSettings
    now: datetime
    live: Live
    evaluated: frozenset[str]
    stopping: frozenset[str]
    doubt: str | None = None

    @classmethod
    def of(
        cls, world: World, nomad: NomadSnapshot, settings: MonitorSettings, now: datetime
    ) -> Sight:
        """Index a world."""
        return cls(
            world=world,
            nomad=nomad,
            settings=settings,
            now=now,
            live=Live.among(nomad),
            evaluated=frozenset(evaluation.job_id for evaluation in nomad.evaluations),
            stopping=frozenset(
                intent.subject
                for intent in world.store.intents
                if intent.kind is IntentKind.STOP_CHILD and intent.deadline >= nomad.requested_at
            ),
        )

    def children_of(self, job: Job) -> Sequence[NomadJob]:
        """The children of all attempts at a job, by its id in their meta."""
        return _children_by_job(our_children(self.world)).get(str(job.id), ())

    def ended_runs_of(self, job: Job) -> Sequence[Run]:
        """Runs of a job that ended so recently that their program may still be tidying up."""
        return [run for run in self.world.store.ended_runs if run.job_id == job.id]

    def limit(self, job: Job, status: Status) -> timedelta:
        """How long a run of this job may stay in a status: its type's own limit, else ours."""
        job_type = self.world.registry.types.get(job.type)
        own = job_type.limits.get(status) if job_type else None
        return own or _limits(self.settings)[status]

    def unheard(self, run: Run) -> bool:
        """Whether Nomad does not even list the node that the run was claimed on, while its server
        has not been proved gone: a Nomad that has forgotten both cannot say that the run ended.
        """
        if run.node_id is None or any(node.id == run.node_id for node in self.nomad.nodes):
            return False
        open_rows = (w for w in self.world.store.workers if w.server_id and not w.gone_at)
        return any(worker.server_id == run.server_id for worker in open_rows)

    def machine_gone(self, run: Run) -> bool:
        """Whether the machine that the run was claimed on is lost: its node or its server."""
        if run.node_id is None:
            return False
        node = next((node for node in self.nomad.nodes if node.id == run.node_id), None)
        if node is None or node.status == "down":
            return True
        gone = (w for w in self.world.store.workers if w.server_id and w.gone_at)
        return any(worker.server_id == run.server_id for worker in gone)


@remembered
def _children_by_job(children: Mapping[str, NomadJob]) -> Mapping[str, Sequence[NomadJob]]:
    found: defaultdict[str, list[NomadJob]] = defaultdict(list)
    for child in children.values():
        found[child.meta.get(JOB_META, "")].append(child)
    return dict(found)


@remembered
def _limits(settings: MonitorSettings) -> Mapping[Status, timedelta]:
    return {
        Status.STARTED: settings.limit_started,
        Status.PRE_PROCESSING: settings.limit_pre_processing,
        Status.PROCESSING: settings.limit_processing,
        Status.POST_PROCESSING: settings.limit_post_processing,
    }
