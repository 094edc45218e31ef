"""The world of one pass as the monitor looks at it: indexed once, asked for every job."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.fleet import JOB_META, Live, children_by_run, our_children
from models.lifecycle import Status
from models.records import IntentKind, Job, Run
from models.remembered import remembered
from models.settings import MonitorSettings
from models.world import Node, NomadJob, NomadSnapshot, World


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """One world, indexed: runs by the text of their uuid and jobs by that of their id, as in meta.

    `evaluated` and `stopping` are the Nomad jobs that an evaluation is open for, or a call to stop
    them that this snapshot may be too old to show. `gone_servers` are proved gone.
    """

    world: World
    nomad: NomadSnapshot
    settings: MonitorSettings
    now: datetime
    by_run: Mapping[str, list[NomadJob]]
    by_job: Mapping[str, list[NomadJob]]
    ended: Mapping[int, list[Run]]
    live: Live
    evaluated: frozenset[str]
    stopping: frozenset[str]
    nodes: Mapping[str, Node]
    gone_servers: frozenset[str]

    @classmethod
    def of(
        cls, world: World, nomad: NomadSnapshot, settings: MonitorSettings, now: datetime
    ) -> Sight:
        """Index a world."""
        by_job: defaultdict[str, list[NomadJob]] = defaultdict(list)
        for child in our_children(world).values():
            by_job[child.meta.get(JOB_META, "")].append(child)
        ended: defaultdict[int, list[Run]] = defaultdict(list)
        for run in world.store.ended_runs:
            ended[run.job_id].append(run)
        gone = {w.server_id for w in world.store.workers if w.server_id and w.gone_at}
        return cls(
            world=world,
            nomad=nomad,
            settings=settings,
            now=now,
            by_run=children_by_run(world),
            by_job=by_job,
            ended=ended,
            live=Live.among(nomad),
            evaluated=frozenset(evaluation.job_id for evaluation in nomad.evaluations),
            stopping=frozenset(
                intent.subject
                for intent in world.store.intents
                if intent.kind is IntentKind.STOP_CHILD and intent.deadline >= nomad.requested_at
            ),
            nodes={node.id: node for node in nomad.nodes},
            gone_servers=frozenset(gone),
        )

    def limit(self, job: Job, status: Status) -> timedelta:
        """How long a run of this job may stay in a status: its type's own limit, else ours."""
        job_type = self.world.registry.types.get(job.type)
        own = job_type.limits.get(status) if job_type else None
        return own or _limits(self.settings)[status]

    def machine_gone(self, run: Run) -> bool:
        """Whether the machine that the run was claimed on is lost: its node or its server."""
        if run.node_id is None:
            return False
        node = self.nodes.get(run.node_id)
        return node is None or node.status == "down" or run.server_id in self.gone_servers


@remembered
def _limits(settings: MonitorSettings) -> Mapping[Status, timedelta]:
    return {
        Status.STARTED: settings.limit_started,
        Status.PRE_PROCESSING: settings.limit_pre_processing,
        Status.PROCESSING: settings.limit_processing,
        Status.POST_PROCESSING: settings.limit_post_processing,
    }
