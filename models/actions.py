"""Every action there is: what a pass may decide to do, one class per kind of effect.

An action without a `system` of its own only writes to the store. Those that reach outside are
preceded by an intent (`models.changes`) and carried out in the bounded pool of their system.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypeAlias
from uuid import UUID

from models import actions_publication, actions_retention, intake
from models.breakers import BreakerName
from models.errors import System
from models.job_types import Parent
from models.lifecycle import Status
from models.plan import Action, Next
from models.records import IntentState, NodeIdentity, RetireCause, RunEnd

# ---- creation, configuration ---------------------------------------------------------------------

AddJobs: TypeAlias = intake.AddJobs
Compose: TypeAlias = intake.Compose
AddCampaignJobs: TypeAlias = intake.AddCampaignJobs
Configure: TypeAlias = intake.Configure

# ---- execution -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterParent(Action):
    """Register a parameterized job that Nomad lacks or has in another version."""

    system: ClassVar[System] = System.NOMAD
    parent: Parent


@dataclass(frozen=True, kw_only=True, slots=True)
class DispatchRun(Action):
    """Open a new attempt of a ready job and hand its run to Nomad."""

    system: ClassVar[System] = System.NOMAD
    job_id: int
    parent: str
    nomad_priority: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ResendDispatch(Action):
    """Send the dispatch of a run again, under the same token: nobody has seen it arrive."""

    system: ClassVar[System] = System.NOMAD
    job_id: int
    run_id: UUID
    parent: str
    nomad_priority: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmDispatch(Action):
    """Note the Nomad job that a run has become, as found by its meta in the job list."""

    job_id: int
    run_id: UUID
    nomad_job_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AbandonDispatch(Action):
    """Give up an unclaimed run whose dispatch never showed; its job is ready again."""

    job_id: int
    run_id: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class StopChild(Action):
    """Stop a child in Nomad. `run_id` is the run in its meta, None when it has none, or when
    another child of that run is the one that counts.

    With `stuck` the run is the current one of its job and the monitor wants it stopped; without
    it the store refuses the action if the run turns out to be current after all.
    """

    system: ClassVar[System] = System.NOMAD
    nomad_job_id: str
    run_id: UUID | None
    stuck: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateChild(Action):
    """Make Nomad look again at a pending child that no evaluation stands for."""

    system: ClassVar[System] = System.NOMAD
    nomad_job_id: str


# ---- monitor -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class FailRun(Action):
    """End the current run of a job, write its error status, and say what comes next.

    `expected_seq` is the job's history number in the world: anything newer refuses the action.
    With REQUEUE the same transaction goes on through error_checked to the resume status.
    """

    job_id: int
    run_id: UUID
    expected_seq: int
    end: RunEnd
    status: Status
    subtype: str
    then: Next
    retry_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SettleError(Action):
    """Say what comes next for a job that already stands in an error status."""

    job_id: int
    expected_seq: int
    then: Next
    retry_at: datetime | None = None


# ---- pool ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class IdentifyNode(Action):
    """Read a node once to learn which server it is."""

    system: ClassVar[System] = System.NOMAD
    node_id: str
    name: str
    node_class: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordServer(Action):
    """Note the server that answers to a create intent; its worker is booting."""

    worker_id: int
    server_id: str
    address: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AdoptServer(Action):
    """Open the row of a worker for a server of ours that has none; the rest is in its metadata."""

    name: str
    flavor: str
    server_id: str
    address: str | None
    intent_id: UUID | None
    outside_pool: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AdmitNode(Action):
    """Make the node of a booting worker eligible: its server is proved to be ours."""

    system: ClassVar[System] = System.NOMAD
    worker_id: int
    node_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmAdmitted(Action):
    """Note that a booting worker's node is seen eligible; `address` is its server's, if known."""

    worker_id: int
    node_id: str
    address: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateServer(Action):
    """Ask the cloud for one more server of a flavor, under a name that is free.

    `image` is what it boots from: an id, or the name that the settings give.
    """

    system: ClassVar[System] = System.CLOUD
    name: str
    flavor: str
    image: str
    order_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RefuteCreate(Action):
    """Close a worker whose create intent never showed in any list for long enough."""

    worker_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkWorker(Action):
    """First step of the delete protocol: commit the wish, then make the node ineligible.

    Sent again while the mark is not seen. With `already` the node is ineligible by a person's
    hand: the retirement is recorded and nothing is sent.
    """

    system: ClassVar[System] = System.NOMAD
    worker_id: int
    node_id: str
    cause: RetireCause
    by: str
    already: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordSeen(Action):
    """Second step: the node was listed ineligible. Freezes the index of the barrier."""

    worker_id: int
    index: int
    modify_index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RestartMark(Action):
    """The node changed after it was seen ineligible: the protocol starts again at the mark."""

    worker_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UnmarkWorker(Action):
    """Undo a retirement before `deleting`: demand came back. The node is made eligible again."""

    system: ClassVar[System] = System.NOMAD
    worker_id: int
    node_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmUnmarked(Action):
    """Note that an unmarked node is seen eligible: the retirement is over."""

    worker_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitDelete(Action):
    """Last guarded step: re-read the node; only if nothing changed commit `deleting`, then delete.

    `node_id` and `modify_index` are None for a worker that never had a node.
    """

    system: ClassVar[System] = System.CLOUD
    worker_id: int
    server_id: str
    cause: RetireCause
    by: str
    node_id: str | None = None
    modify_index: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteServer(Action):
    """Ask for the deletion of a server whose worker is `deleting`; asked again until it is gone."""

    system: ClassVar[System] = System.CLOUD
    worker_id: int
    server_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ProveGone(Action):
    """Ask for a server by id that the lists no longer show; only a 404 proves that it is gone."""

    system: ClassVar[System] = System.CLOUD
    worker_id: int
    server_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PurgeNode(Action):
    """Remove the node of a server that is proved gone."""

    system: ClassVar[System] = System.NOMAD
    worker_id: int | None
    node_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseWorker(Action):
    """End a worker's row: its server is gone and no node of it is listed. Its name is free."""

    worker_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MakeImage(Action):
    """Make the image of a template: unless `finished` is known already its console is read first,
    and an image is made only if its set-up has finished and nobody has made one meanwhile.
    """

    system: ClassVar[System] = System.CLOUD
    name: str
    template_id: str
    finished: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class EndImageMaking(Action):
    """Note how the making of an image ended: it is there, or it failed, or it never showed."""

    intent_id: UUID
    state: IntentState


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteImage(Action):
    """Delete an image of ours that nothing boots from any more."""

    system: ClassVar[System] = System.CLOUD
    image_id: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgetNode(Action):
    """Drop the stored identity of a node that is no longer listed."""

    identity: NodeIdentity


# ---- publication ---------------------------------------------------------------------------------

PublishJob: TypeAlias = actions_publication.PublishJob
EndJob: TypeAlias = actions_publication.EndJob
CountRefusal: TypeAlias = actions_publication.CountRefusal
ParkRefusal: TypeAlias = actions_publication.ParkRefusal

# ---- retention -----------------------------------------------------------------------------------

RemoveResults: TypeAlias = actions_retention.RemoveResults
RemoveL2a: TypeAlias = actions_retention.RemoveL2a

# ---- breakers ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenBreaker(Action):
    """Open a breaker, or let the open one name more: `suspects` are server ids and worker names."""

    name: BreakerName
    suspects: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseBreaker(Action):
    """Close a breaker of which everything is explained. People close theirs by `hrsi breaker`."""

    name: BreakerName
    breaker_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EndAcceptance(Action):
    """What a person accepted as gone or failed is over: these servers are well, or closed."""

    breaker_id: int
    server_ids: tuple[str, ...]
