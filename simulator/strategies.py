"""Hypothesis strategies of worlds: anything that the three systems may show, sensible or not.

Only tests import this. Identities come from numbers, as in `simulator.examples`, so that what is
drawn for one job or machine fits together; whether a part is there, in which state and how old is
chance. Ids tell what a job was drawn as: ready below 100, in flight below 200, in error below 300,
strays (children whose run is over, unknown or another deployment's) above.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis import strategies as st

from models.errors import FailureClass
from models.fleet import DEPLOYMENT_META, RUN_META
from models.lifecycle import ERRORS, ON_WORKER, Status
from models.records import (
    Backoff,
    InFlight,
    Intent,
    IntentKind,
    Job,
    Priority,
    RetireCause,
    RetireStep,
    Run,
    RunEnd,
    Worker,
    WorkerState,
)
from models.sightings import child_missing, child_unclaimed, child_unevaluated
from models.world import (
    Allocation,
    Evaluation,
    NomadJob,
    NomadSnapshot,
    Sighting,
    Source,
    StoreView,
    World,
)
from simulator.examples import (
    NOW,
    Machine,
    a_child,
    a_claimed_run,
    a_job,
    a_machine,
    a_retirement,
    a_run,
    a_world,
    an_allocation,
    an_evaluation,
    an_id,
    an_intent,
)

_T = TypeVar("_T")

FLAVORS = st.sampled_from(["hm.medium", "hm.large"])
"""Two are enough to see whether one flavor's surplus is taken for another's."""

TYPES = st.sampled_from(["fsc_rlie", "rlies1", "rlies1s2"])


def moments(longest: timedelta = timedelta(hours=6)) -> st.SearchStrategy[Any]:
    """A moment before `NOW`, at most `longest` ago, the limits of the settings among them."""
    edges = [0, 1, 14, 15, 16, 60, 120, 899, 900, 1800, 1801, 3601, 16_201]
    top = int(longest.total_seconds())
    seconds = st.sampled_from([e for e in edges if e <= top]) | st.integers(0, top)
    return seconds.map(lambda s: NOW - timedelta(seconds=s))


@st.composite
def ready_jobs(draw: st.DrawFn, number: int) -> Job:
    """A ready job; now and then of a type or a flavor that nobody has set up."""
    job = a_job(
        id=number,
        type=draw(TYPES),
        priority=draw(st.sampled_from(Priority)),
        deadline=draw(st.none() | moments()),
        created_at=draw(moments()),
    )
    oddity: dict[str, Any] = draw(st.sampled_from([{}] * 8 + [{"type": "odd"}, {"flavor": "odd"}]))
    return replace(job, **oddity)


@dataclass(frozen=True, kw_only=True, slots=True)
class Traces:
    """What Nomad shows of one run."""

    children: tuple[NomadJob, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    allocations: tuple[Allocation, ...] = ()


@st.composite
def traces(draw: st.DrawFn, run: Run) -> Traces:
    """Whatever Nomad may show of a run: children (two at worst), evaluations, allocations."""
    children: list[NomadJob] = []
    evaluations: list[Evaluation] = []
    allocations: list[Allocation] = []
    for nth in range(draw(st.sampled_from([0, 1, 1, 1, 1, 2]))):
        first = a_child(run, status=draw(st.sampled_from(["pending", "running", "dead"])))
        child = replace(
            first,
            id=f"{first.id}-{nth}" if nth else first.id,
            stopped=draw(st.sampled_from([False, False, False, True])),
            lost=draw(st.sampled_from([0, 0, 1])),
            create_index=draw(st.integers(1000, 1003)),
        )
        children.append(child)
        if draw(st.booleans()):
            evaluations.append(an_evaluation(child.id))
        for place in range(draw(st.sampled_from([0, 1, 1, 2]))):
            mine = run.allocation_id if place == 0 and nth == 0 else None
            allocations.append(
                an_allocation(
                    child.id,
                    node=draw(st.integers(1, 8)),
                    id=mine or str(an_id("allocation", child.id, place)),
                    client_status=draw(st.sampled_from(["running", "pending", "unknown"])),
                )
            )
    return Traces(
        children=tuple(children), evaluations=tuple(evaluations), allocations=tuple(allocations)
    )


@st.composite
def flights(draw: st.DrawFn, number: int) -> InFlight:
    """A job in flight: queued and unclaimed, or claimed and at work."""
    status = draw(st.sampled_from([Status.QUEUED, *sorted(ON_WORKER)]))
    sent_at = draw(moments())
    made = {"job_id": number, "created_at": draw(moments()), "sent_at": sent_at}
    if status is Status.QUEUED:
        run = a_run(**made)
        known = draw(st.booleans())
        run = replace(run, nomad_job_id=a_child(run).id if known else None)
    else:
        run = a_claimed_run(node=draw(st.integers(1, 4)), **made, claimed_at=sent_at)
        run = replace(run, nomad_job_id=draw(st.sampled_from([run.nomad_job_id, None])))
    run = replace(run, stop_reason=draw(st.sampled_from([None, None, None, "took too long"])))
    job = a_job(
        id=number,
        type=draw(TYPES),
        status=status,
        status_at=draw(moments()),
        attempt=1,
        seq=draw(st.integers(4, 40)),
        internal_failures=draw(st.integers(0, 4)),
        external_failures=draw(st.integers(0, 9)),
        losses=draw(st.integers(0, 11)),
    )
    return InFlight(job=job, run=run)


@st.composite
def errors(draw: st.DrawFn, number: int) -> Job:
    """A job in an error status, with or without a wait, with any number of failures."""
    waits = st.integers(-7200, 7200).map(lambda s: NOW + timedelta(seconds=s))
    return a_job(
        id=number,
        type=draw(TYPES),
        status=draw(st.sampled_from(sorted(ERRORS))),
        status_at=draw(moments()),
        attempt=draw(st.integers(0, 1)),
        not_before=draw(st.none() | waits),
        internal_failures=draw(st.integers(0, 4)),
        external_failures=draw(st.integers(0, 9)),
    )


@st.composite
def machines(draw: st.DrawFn, number: int) -> Machine:
    """A worker in any state with whatever the cloud and Nomad may show of it."""
    states = [s for s in WorkerState if s is not WorkerState.CLOSED]
    state = draw(st.sampled_from([*states, WorkerState.READY, WorkerState.READY]))
    machine = a_machine(number, draw(FLAVORS), state=state)
    if state is WorkerState.CREATING:
        unborn = replace(machine.worker, server_id=None, node_id=None, admitted_at=None)
        return Machine(worker=unborn)
    assert machine.server is not None
    assert machine.node is not None
    status = draw(st.sampled_from(["ACTIVE"] * 4 + ["BUILD", "ERROR", "UNKNOWN"]))
    node = replace(
        machine.node,
        status=draw(st.sampled_from(["ready", "ready", "ready", "down"])),
        eligible=draw(st.sampled_from([True, True, False])),
        modify_index=draw(st.integers(100, 300)),
    )
    worker = _retiring(draw, machine.worker)
    return Machine(
        worker=worker,
        server=draw(st.sampled_from([replace(machine.server, status=status)] * 4 + [None])),
        node=draw(st.sampled_from([node] * 4 + [None])),
        identity=draw(st.sampled_from([machine.identity] * 4 + [None])),
    )


def _retiring(draw: st.DrawFn, worker: Worker) -> Worker:
    changes: dict[str, Any] = {"created_at": draw(moments()), "admitted_at": draw(moments())}
    if worker.state is WorkerState.BOOTING:
        changes["admitted_at"] = None
        changes["outside_pool"] = draw(st.sampled_from([False] * 4 + [True]))
    if worker.state is WorkerState.DELETING:
        changes["delete_sent_at"] = draw(moments())
        changes["gone_at"] = draw(st.none() | moments())
    if draw(st.sampled_from([False] * 4 + [True])):
        step = draw(st.sampled_from(RetireStep))
        seen = {"index": 250, "modify_index": draw(st.integers(100, 300)), "seen_at": NOW}
        changes["retirement"] = a_retirement(
            cause=draw(st.sampled_from(RetireCause)),
            step=step,
            started_at=draw(moments()),
            **(seen if step is RetireStep.SEEN else {}),
        )
    return replace(worker, **changes)


@st.composite
def strays(draw: st.DrawFn, number: int) -> tuple[Run, Traces]:
    """A run that is over, with children it may have left: some bear odd meta, or are not ours."""
    ended_at = draw(moments())
    run = a_claimed_run(job_id=number, ended_at=ended_at, end=draw(st.sampled_from(RunEnd)))
    shown = draw(traces(run))
    changes = draw(
        st.sampled_from([{}, {}, {}, {RUN_META: "?"}, {DEPLOYMENT_META: "somebody-else"}])
    )
    children = tuple(replace(child, meta={**child.meta, **changes}) for child in shown.children)
    return run, replace(shown, children=children)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A whole world. Ask Hypothesis for few examples: each holds a lot of chance."""
    fleet = draw(_some(machines, 1, 4))
    in_flight = draw(_some(flights, 100, 3))
    failed = draw(_some(errors, 200, 3))
    left = draw(_some(strays, 300, 2))
    runs = [flight.run for flight in in_flight] + [a_claimed_run(job_id=j.id) for j in failed]
    shown = [draw(traces(run)) for run in runs] + [trace for _, trace in left]
    world = a_world(
        *fleet,
        store={
            "ready": draw(_some(ready_jobs, 1, 8)),
            "in_flight": tuple(in_flight),
            "errors": tuple(failed),
            "ended_runs": tuple(run for run, _ in left if draw(st.booleans())),
            "intents": tuple(draw(_intents(in_flight))),
            "backoffs": tuple(draw(_backoffs([*(f.job for f in in_flight), *failed]))),
        },
        nomad=_lists(shown),
    )
    return draw(_clouded(_remembered(draw, world)))


@st.composite
def _some(
    draw: st.DrawFn, one: Callable[[int], st.SearchStrategy[_T]], first: int, most: int
) -> list[_T]:
    """At most `most` of something, numbered from `first`."""
    return [draw(one(number)) for number in range(first, first + draw(st.integers(0, most)))]


def _lists(shown: list[Traces]) -> dict[str, Any]:
    return {
        "jobs": tuple(child for trace in shown for child in trace.children),
        "evaluations": tuple(e for trace in shown for e in trace.evaluations),
        "allocations": tuple(a for trace in shown for a in trace.allocations),
    }


@st.composite
def _intents(draw: st.DrawFn, in_flight: list[InFlight]) -> list[Intent]:
    stops = [f.run for f in in_flight if f.run.stop_reason and draw(st.booleans())]
    return [
        an_intent(
            kind=IntentKind.STOP_CHILD,
            subject=a_child(run).id,
            deadline=NOW + timedelta(seconds=draw(st.integers(-60, 30))),
        )
        for run in stops
    ]


@st.composite
def _backoffs(draw: st.DrawFn, jobs: list[Job]) -> list[Backoff]:
    return [
        Backoff(
            subject=f"job:{job.id}",
            failure=FailureClass.UNAVAILABLE,
            failures=1,
            until=NOW + timedelta(seconds=draw(st.integers(-60, 60))),
            message="no answer",
        )
        for job in jobs
        if draw(st.sampled_from([False, False, True]))
    ]


def _remembered(draw: st.DrawFn, world: World) -> World:
    """The world with a memory of it, in which some things are new and others well known."""
    assert world.nomad is not None
    keys = [child_missing(flight.run.id) for flight in world.store.in_flight]
    keys += [child_unclaimed(allocation.id) for allocation in world.nomad.allocations]
    keys += [child_unevaluated(child.id) for child in world.nomad.jobs if child.parent_id]
    sightings = {
        key: Sighting(count=draw(st.integers(1, 3)), first_at=draw(moments()), snapshot=1)
        for key in keys
        if draw(st.booleans())
    }
    return replace(world, sightings=sightings)


@st.composite
def _clouded(draw: st.DrawFn, world: World) -> World:
    """The world with some targets busy, and now and then without one of its sources."""
    jobs = [*world.store.ready, *world.store.errors, *(f.job for f in world.store.in_flight)]
    subjects = [f"job:{job.id}" for job in jobs]
    busy = draw(st.frozensets(st.sampled_from(subjects), max_size=2)) if subjects else frozenset()
    lost = draw(st.sampled_from([None] * 6 + [Source.NOMAD, Source.CLOUD]))
    known: dict[str, Any] = (
        {} if lost is None else {lost.value: None, "unknown": {lost: "no answer"}}
    )
    return replace(world, busy=busy, **known)


def reordered(world: World) -> st.SearchStrategy[World]:
    """The same world with every list in another order."""
    store = world.store
    store_lists = ("ready", "in_flight", "errors", "ended_runs", "workers", "orders", "intents")
    nomad_lists = ("nodes", "jobs", "evaluations", "allocations")

    def mixed(record: StoreView | NomadSnapshot, names: tuple[str, ...]) -> Any:
        return st.fixed_dictionaries(
            {name: st.permutations(getattr(record, name)).map(tuple) for name in names}
        )

    nomad = world.nomad
    shown: st.SearchStrategy[Any] = st.none()
    if nomad is not None:
        shown = mixed(nomad, nomad_lists).map(lambda lists: replace(nomad, **lists))
    seen = mixed(store, store_lists).map(lambda lists: replace(store, **lists))
    return st.builds(lambda view, lists: replace(world, store=view, nomad=lists), seen, shown)
