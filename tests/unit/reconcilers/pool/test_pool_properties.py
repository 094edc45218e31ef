"""What holds of the pool in every world that can be drawn, sensible or not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from models.actions import (
    AdmitNode,
    CommitDelete,
    ConfirmAdmitted,
    ConfirmUnmarked,
    CreateServer,
    DeleteServer,
    IdentifyNode,
    MarkWorker,
    ProveGone,
    RecordSeen,
    RecordServer,
    RefuteCreate,
    RestartMark,
    UnmarkWorker,
)
from models.fleet import demands, join
from models.plan import Action, Decision, Held, SubjectKind
from models.records import (
    IntentKind,
    NodeIdentity,
    RetireCause,
    Retirement,
    RetireStep,
    Worker,
    WorkerOrder,
)
from models.reprocessing import share_of
from models.settings import PoolSettings
from models.sightings import create_missing, node_quiet, server_missing
from models.world import Sighting, World
from reconcilers.pool import decide
from simulator.examples import (
    NOW,
    Machine,
    a_job,
    a_machine,
    a_quota,
    a_retirement,
    a_world,
    an_allocation,
    an_evaluation,
    an_id,
    an_identity,
    an_intent,
)
from simulator.strategies import FLAVORS, moments, reordered, worlds

NEEDS_NOMAD = (
    AdmitNode,
    CommitDelete,
    ConfirmAdmitted,
    ConfirmUnmarked,
    CreateServer,
    IdentifyNode,
    MarkWorker,
    RecordSeen,
    RestartMark,
    UnmarkWorker,
)
NEEDS_CLOUD = (
    AdmitNode,
    CommitDelete,
    CreateServer,
    DeleteServer,
    ProveGone,
    RecordServer,
    RefuteCreate,
)

few = settings(
    max_examples=max(settings().max_examples, 50),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

pool_settings = st.builds(
    PoolSettings,
    max_workers=st.integers(0, 12),
    max_vcpus=st.integers(0, 60),
    reprocessing_share=st.sampled_from([0, 0.3, 1]),
    vcpu_share=st.sampled_from([1, 0.5]),
    min_workers=st.integers(0, 3),
    create_burst=st.integers(1, 4),
    refute_lists=st.integers(1, 3),
    refute_after=st.sampled_from([timedelta(seconds=1), timedelta(minutes=10)]),
)

orders = st.lists(FLAVORS, max_size=3).map(
    lambda flavors: tuple(
        WorkerOrder(id=i, flavor=f, by="eva@ops", keep_until=NOW) for i, f in enumerate(flavors, 1)
    )
)


@st.composite
def pools(draw: st.DrawFn) -> World:
    """A drawn world with what matters to the pool: orders, forced retirements, evaluations,
    open eligibility calls, a quota, memory of what is missing, and workers that are busy.
    """
    world = draw(worlds())
    workers = tuple(_further(draw, worker) for worker in world.store.workers)
    store = replace(world.store, workers=workers, orders=draw(orders))
    calls = tuple(_call(draw, worker) for worker in workers if worker.node_id and draw(_rarely))
    store = replace(store, intents=(*store.intents, *calls))
    nomad, cloud = world.nomad, world.cloud
    if nomad is not None:
        index = draw(st.integers(200, 300))
        old = (an_evaluation("whose?", create_index=index),) if draw(_rarely) else ()
        nomad = replace(nomad, evaluations=(*nomad.evaluations, *old))
    if cloud is not None:
        quota = a_quota(
            max_servers=draw(st.none() | st.integers(0, 9)),
            used_servers=draw(st.integers(0, 9)),
            max_vcpus=draw(st.none() | st.integers(0, 40)),
            used_vcpus=draw(st.integers(0, 40)),
        )
        cloud = replace(cloud, quota=quota)
    busy = world.busy | {f"worker:{w.name}" for w in workers if draw(_rarely)}
    world = replace(world, store=store, nomad=nomad, cloud=cloud, busy=busy)
    return replace(world, sightings={**world.sightings, **_memory(draw, workers)})


_rarely = st.sampled_from([False] * 4 + [True])


def _further(draw: st.DrawFn, worker: Worker) -> Worker:
    """Retirements further on than a moment ago, some forced; workers that persons keep."""
    if draw(_rarely):
        worker = replace(worker, keep_until=NOW + timedelta(hours=1))
    retirement = worker.retirement
    if retirement is None:
        return worker
    forced = retirement.cause is RetireCause.PERSON and draw(st.booleans())
    seen = draw(moments()) if retirement.step is RetireStep.SEEN else None
    return replace(worker, retirement=replace(retirement, forced=forced, seen_at=seen))


def _call(draw: st.DrawFn, worker: Worker) -> Any:
    return an_intent(
        kind=draw(st.sampled_from([IntentKind.SET_ELIGIBLE, IntentKind.SET_INELIGIBLE])),
        subject=worker.node_id,
        deadline=NOW + timedelta(seconds=draw(st.integers(-700, 30))),
    )


def _memory(draw: st.DrawFn, workers: tuple[Worker, ...]) -> dict[str, Sighting]:
    keys = [node_quiet(w.node_id) for w in workers if w.node_id]
    keys += [server_missing(w.server_id) for w in workers if w.server_id]
    keys += [create_missing(w.intent_id) for w in workers]
    return {
        key: Sighting(count=draw(st.integers(1, 4)), first_at=draw(moments()), snapshot=1)
        for key in keys
        if draw(st.booleans())
    }


@st.composite
def last_steps(draw: st.DrawFn) -> World:
    """Workers that stand right before their deletion, and whatever may speak against it."""
    fleet = [draw(_leaving(number)) for number in range(1, draw(st.integers(2, 4)))]
    jobs = tuple(a_job(id=number) for number in range(draw(st.integers(0, 1))))
    nodes = st.sampled_from([1, 2, 3, 77])
    return a_world(
        *fleet,
        store={
            "ready": jobs,
            "identities": _old_node(),
            "intents": tuple(_call(draw, m.worker) for m in fleet if draw(_rarely)),
        },
        nomad={
            "allocations": tuple(
                an_allocation(
                    f"job-{number}",
                    node=draw(nodes),
                    client_status=draw(st.sampled_from(["running", "unknown", "lost"])),
                )
                for number in range(draw(st.integers(0, 2)))
            ),
            "evaluations": tuple(
                an_evaluation(f"job-{number}", create_index=draw(st.integers(289, 292)))
                for number in range(draw(st.integers(0, 1)))
            ),
        },
        sightings=_memory(draw, tuple(m.worker for m in fleet)),
    )


@st.composite
def _leaving(draw: st.DrawFn, number: int) -> Machine:
    cause = draw(st.sampled_from(RetireCause))
    retirement = a_retirement(
        cause=cause,
        step=draw(st.sampled_from([RetireStep.SEEN] * 3 + [RetireStep.MARKING])),
        started_at=NOW - timedelta(minutes=5),
        index=290,
        modify_index=300,
        seen_at=draw(moments(timedelta(minutes=4))),
        forced=cause is RetireCause.PERSON and draw(st.booleans()),
    )
    machine = a_machine(number, retirement=retirement)
    assert machine.node is not None
    node = replace(
        machine.node,
        eligible=draw(_rarely),
        modify_index=draw(st.sampled_from([300] * 4 + [301])),
    )
    return replace(machine, node=draw(st.sampled_from([node] * 4 + [None])))


def _old_node() -> dict[str, NodeIdentity]:
    """Node 77 was worker 1's before its agent registered anew."""
    before = replace(an_identity(1), node_id=str(an_id("node", 77)))
    return {before.node_id: before}


def _created(decisions: list[Decision]) -> Counter[str]:
    return Counter(d.flavor for d in decisions if isinstance(d, CreateServer))


def _vcpus(world: World, flavor: str) -> int:
    return world.registry.flavors[flavor].vcpus


def _live_nodes(world: World, worker: Worker) -> bool:
    """Something is live on any node that is known to be this worker's."""
    ids = {i.node_id for i in world.store.identities.values() if i.server_id == worker.server_id}
    ids |= {worker.node_id or ""}
    allocations = world.nomad.allocations if world.nomad else ()
    return any(a.occupies and a.node_id in ids for a in allocations)


@few
@given(world=pools() | last_steps(), limits=pool_settings)
def test_no_worker_is_deleted_while_its_node_holds_a_live_allocation(
    world: World, limits: PoolSettings
) -> None:
    workers = {worker.id: worker for worker in world.store.workers}
    for decision in decide(world, limits, NOW):
        if isinstance(decision, CommitDelete):
            worker = workers[decision.worker_id]
            forced = worker.retirement is not None and worker.retirement.forced
            assert forced or not _live_nodes(world, worker)


@few
@given(world=pools() | last_steps(), limits=pool_settings)
def test_a_worker_with_a_listed_node_is_deleted_only_after_its_mark_was_seen(
    world: World, limits: PoolSettings
) -> None:
    members = {m.worker.id: m for m in join(world)}
    for decision in decide(world, limits, NOW):
        if isinstance(decision, CommitDelete):
            member = members[decision.worker_id]
            retirement, node = member.worker.retirement, member.node
            if node is not None:
                assert retirement is not None
                assert retirement.step is RetireStep.SEEN
                assert not node.eligible
                assert decision.modify_index == node.modify_index == retirement.modify_index


@few
@given(world=pools(), limits=pool_settings)
def test_creations_and_what_is_open_stay_within_every_cap(
    world: World, limits: PoolSettings
) -> None:
    created = _created(decide(world, limits, NOW))
    assume(created)
    rows = [w.flavor for w in world.store.workers]
    flavors = [*rows, *created.elements()]
    assert len(flavors) <= limits.max_workers
    assert sum(_vcpus(world, f) for f in flavors) <= limits.vcpu_budget
    assert world.cloud is not None
    quota = world.cloud.quota
    if quota.max_servers is not None:
        assert len(flavors) <= quota.max_servers
    recent = sum(NOW - w.created_at < limits.create_period for w in world.store.workers)
    assert created.total() + recent <= limits.create_burst


@few
@given(world=pools(), limits=pool_settings)
def test_names_are_given_out_once_and_only_when_nothing_bears_them(
    world: World, limits: PoolSettings
) -> None:
    names = [d.name for d in decide(world, limits, NOW) if isinstance(d, CreateServer)]
    taken = {w.name for w in world.store.workers}
    taken |= {n.name for n in world.nomad.nodes} if world.nomad else set()
    taken |= {s.name for s in world.cloud.servers} if world.cloud else set()

    assert len(set(names)) == len(names)
    assert not taken & set(names)


@few
@given(world=pools(), limits=pool_settings, kind=st.sampled_from(["fsc_rlie", "rlies1"]))
def test_more_demand_never_gets_a_flavor_fewer_workers(
    world: World, limits: PoolSettings, kind: str
) -> None:
    # The least urgent job of all, so that nothing else about the queue changes.
    job = a_job(id=99, type=kind, created_at=NOW)
    total = {**world.store.ready_total}
    total[job.flavor] = total.get(job.flavor, 0) + 1
    store = replace(world.store, ready=(*world.store.ready, job), ready_total=total)

    before = _created(decide(world, limits, NOW))
    after = _created(decide(replace(world, store=store), limits, NOW))

    if job.flavor in {j.flavor for j in world.store.ready}:
        assert after[job.flavor] >= before[job.flavor]


@few
@given(world=pools(), limits=pool_settings)
def test_an_unknown_source_holds_back_every_action_that_needs_it(
    world: World, limits: PoolSettings
) -> None:
    blind = decide(replace(world, nomad=None), limits, NOW)
    cloudless = decide(replace(world, cloud=None), limits, NOW)

    assert not [d for d in blind if isinstance(d, NEEDS_NOMAD)]
    assert not [d for d in cloudless if isinstance(d, NEEDS_CLOUD)]
    for decisions, name in ((blind, "system:nomad"), (cloudless, "system:cloud")):
        assert [str(d.subject) for d in decisions].count(name) == 1


@few
@given(world=pools() | last_steps(), limits=pool_settings)
def test_nobody_gets_two_decisions_and_nothing_busy_gets_an_action(
    world: World, limits: PoolSettings
) -> None:
    decisions = decide(world, limits, NOW)
    targets = Counter(str(d.subject) for d in decisions if d.subject.kind is SubjectKind.WORKER)

    assert all(count == 1 for count in targets.values())
    assert not {str(d.subject) for d in decisions if isinstance(d, Action)} & world.busy


@few
@given(world=pools(), limits=pool_settings)
def test_every_flavor_in_need_gets_workers_or_a_reason(world: World, limits: PoolSettings) -> None:
    assume(world.nomad is not None and world.cloud is not None)
    decisions = decide(world, limits, NOW)
    created = _created(decisions)
    told = {d.subject.id for d in decisions if isinstance(d, Held)}
    wanted = Counter(order.flavor for order in world.store.orders)
    held = share_of(world, limits).held
    for flavor, demand in demands(world, join(world), held).items():
        short = demand.need + wanted[flavor] - created[flavor]
        assert short <= 0 or flavor in told


@few
@given(world=pools(), limits=pool_settings, data=st.data())
def test_the_order_of_the_lists_decides_nothing(
    world: World, limits: PoolSettings, data: st.DataObject
) -> None:
    other = data.draw(reordered(world))
    if other.cloud is not None:
        servers = data.draw(st.permutations(other.cloud.servers))
        other = replace(other, cloud=replace(other.cloud, servers=tuple(servers)))

    assert decide(other, limits, NOW) == decide(world, limits, NOW)


@few
@given(world=pools() | last_steps(), limits=pool_settings)
def test_a_persons_retirement_is_never_undone(world: World, limits: PoolSettings) -> None:
    causes: dict[int, Retirement | None] = {w.id: w.retirement for w in world.store.workers}
    for decision in decide(world, limits, NOW):
        if isinstance(decision, UnmarkWorker):
            retirement = causes[decision.worker_id]
            assert retirement is not None
            undoing = retirement.step is RetireStep.UNDOING
            assert undoing or retirement.cause is RetireCause.IDLE


def test_a_quiet_world_asks_for_nothing() -> None:
    assert decide(a_world(), PoolSettings(), NOW) == []
