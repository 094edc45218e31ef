"""Invariants about what was seen: I9, that nobody acts on half a world, and I8, that what is
published is. Part of `controller.invariants`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models import actions
from models.actions import CloseBreaker, OpenBreaker
from models.breakers import BreakerName
from models.lifecycle import Status
from models.plan import Action, Decision
from models.publication import ANNOUNCED
from models.reckoning import ReadBack
from models.remembered import remembered
from models.world import Source, World

_NOMAD = frozenset({Source.NOMAD})
_CLOUD = frozenset({Source.CLOUD})
_BOTH = _NOMAD | _CLOUD

RELIES_ON: Mapping[type[Action], frozenset[Source]] = MappingProxyType(
    {
        # What a catalogue lists only it shows.
        actions.AddJobs: frozenset({Source.CATALOGUES}),
        actions.Compose: frozenset({Source.CATALOGUES}),
        actions.AddCampaignJobs: frozenset({Source.CATALOGUES}),
        # Whether a job is to be configured only the store shows.
        actions.Configure: frozenset({Source.BACKLOG}),
        # Whether a run is there, and whether anything of it may still run, only Nomad shows.
        actions.RegisterParent: _NOMAD,
        actions.DispatchRun: _NOMAD,
        actions.ResendDispatch: _NOMAD,
        actions.ConfirmDispatch: _NOMAD,
        actions.AbandonDispatch: _NOMAD,
        actions.StopChild: _NOMAD,
        actions.EvaluateChild: _NOMAD,
        actions.FailRun: _NOMAD,
        actions.SettleError: _NOMAD,
        # What is free, and so what is needed, Nomad shows; what fits, the cloud.
        actions.CreateServer: _BOTH,
        actions.RecordServer: _CLOUD,
        actions.AdoptServer: _CLOUD,
        actions.RefuteCreate: _CLOUD,
        actions.IdentifyNode: _NOMAD,
        actions.ForgetNode: _NOMAD,
        actions.AdmitNode: _BOTH,
        actions.ConfirmAdmitted: _NOMAD,
        actions.MarkWorker: _NOMAD,
        actions.RecordSeen: _NOMAD,
        actions.RestartMark: _NOMAD,
        actions.UnmarkWorker: _NOMAD,
        actions.ConfirmUnmarked: _NOMAD,
        # That a worker has no node is something that Nomad has to show as well.
        actions.CommitDelete: _BOTH,
        actions.DeleteServer: _CLOUD,
        actions.ProveGone: _CLOUD,
        actions.PurgeNode: _NOMAD,
        actions.CloseWorker: _NOMAD,
        # The most that any of them counts by; `COUNTS_BY` says what each does.
        actions.OpenBreaker: _BOTH,
        actions.CloseBreaker: _BOTH,
        actions.EndAcceptance: _BOTH,
        actions.MakeImage: _CLOUD,
        actions.EndImageMaking: _CLOUD,
        actions.DeleteImage: _CLOUD,
        actions.PublishJob: frozenset({Source.OUTBOX}),
        actions.EndJob: frozenset({Source.OUTBOX}),
        # What was refused only the broker shows.
        actions.CountRefusal: frozenset({Source.BROKER}),
        actions.ParkRefusal: frozenset({Source.BROKER}),
        # Whose results are there only the bucket shows.
        actions.RemoveResults: frozenset({Source.RESULTS}),
        actions.RemoveL2a: frozenset({Source.RESULTS}),
    }
)
"""The systems that a pass must have seen to decide so, for every action there is."""

COUNTS_BY: Mapping[BreakerName, frozenset[Source]] = MappingProxyType(
    {BreakerName.REMOVALS: _BOTH, BreakerName.SERVERS: _CLOUD, BreakerName.NODES: _NOMAD}
)
"""The systems that a breaker counts by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One invariant seen broken: which, of what, and how."""

    invariant: str
    subject: str
    what: str


@remembered
def falsely_published(look: ReadBack | None) -> tuple[Violation, ...]:
    """I8. What is published has its objects, and the broker confirmed it, or it is in a file."""
    if look is None:
        return ()
    told = (
        Violation(
            invariant="I8",
            subject=f"product:{made.product}",
            what=f"is of job {made.job_id}, which is {made.status}, and its message is "
            f"{made.state or 'not in the outbox'}",
        )
        for made in look.made
        if made.status in {Status.PUBLISHED, Status.DONE} and made.state not in ANNOUNCED
    )
    lost = (
        Violation(
            invariant="I8",
            subject=f"product:{product}",
            what="is announced and has not all its objects in the product bucket",
        )
        for product in look.absent
    )
    return (*told, *lost)


def _relied_on(action: Action) -> frozenset[Source]:
    if isinstance(action, OpenBreaker | CloseBreaker):
        return COUNTS_BY[action.name]
    return RELIES_ON[type(action)]


def on_half_a_world(world: World, decisions: Iterable[Decision]) -> Iterator[Violation]:
    """I9. What acts needs to have seen the systems that it goes by."""
    seen = {
        Source.NOMAD: world.nomad is not None,
        Source.CLOUD: world.cloud is not None,
        Source.CATALOGUES: world.sweeps is not None,
        Source.BACKLOG: world.backlog is not None,
        Source.OUTBOX: world.publishing is not None,
        Source.BROKER: world.refusals is not None,
        Source.READBACK: world.readback is not None,
        Source.RESULTS: world.results is not None,
    }
    for decision in decisions:
        if not isinstance(decision, Action):
            continue
        for source in sorted(_relied_on(decision)):
            if not seen[source]:
                yield Violation(
                    invariant="I9",
                    subject=str(decision.subject),
                    what=f"{type(decision).__name__} was decided while {source} is unknown",
                )
