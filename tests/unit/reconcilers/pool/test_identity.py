"""Who is who: nodes, servers, strangers and names."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.actions import (
    AdoptServer,
    CloseWorker,
    CommitDelete,
    CreateServer,
    ForgetNode,
    IdentifyNode,
    RecordServer,
    RefuteCreate,
)
from models.fleet import DEPLOYMENT_METADATA, FLAVOR_METADATA, INTENT_METADATA
from models.plan import Decision, Held, Reason
from models.records import IntentKind, WorkerState
from models.settings import PoolSettings
from models.sightings import create_missing, server_unclaimed
from models.world import Server, Sighting, World
from reconcilers.pool import decide
from reconcilers.pool.survey import worker_subject
from simulator.examples import (
    LONG_AGO,
    NOW,
    Machine,
    a_cloud,
    a_creating_worker,
    a_job,
    a_machine,
    a_node,
    a_quota,
    a_retirement,
    a_server,
    a_worker,
    a_world,
    an_id,
    an_identity,
    an_intent,
)

CREATE = an_id("create", 1)


def _pool(world: World, **settings: Any) -> list[Decision]:
    return decide(world, PoolSettings(**settings), NOW)


def _kinds(decisions: list[Decision]) -> set[type[Decision]]:
    return {type(decision) for decision in decisions}


# ---- nodes ---------------------------------------------------------------------------------------


def test_a_node_that_nobody_knows_is_identified() -> None:
    node = a_node(7)

    decisions = _pool(a_world(nomad={"nodes": (node,)}))

    assert [type(d) for d in decisions] == [IdentifyNode]
    assert str(decisions[0].subject) == f"node:{node.id}"


def test_a_node_is_asked_once() -> None:
    node = a_node(7)
    listed = {"nodes": (node,)}

    assert not _pool(a_world(nomad=listed, busy=frozenset({f"node:{node.id}"})))
    assert not _pool(a_world(nomad=listed, store={"identities": {node.id: an_identity(7)}}))


@pytest.mark.parametrize(
    ("identity", "forgotten"),
    [
        pytest.param(an_identity(9), True, id="of-no-open-worker"),
        pytest.param(an_identity(1), False, id="of-an-open-worker"),
        pytest.param(replace(an_identity(9), server_id=None), True, id="of-no-server-at-all"),
        pytest.param(
            replace(an_identity(9), server_id=str(an_id("server", 1))), False, id="of-its-server"
        ),
    ],
)
def test_an_unlisted_node_is_forgotten_unless_an_open_worker_has_it(
    identity: Any, *, forgotten: bool
) -> None:
    world = a_world(
        replace(a_machine(1), node=None), store={"identities": {identity.node_id: identity}}
    )

    assert (ForgetNode in _kinds(_pool(world))) is forgotten


def test_a_forgotten_node_in_flight_is_left_alone() -> None:
    identity = an_identity(9)
    busy = frozenset({f"node:{identity.node_id}"})

    assert not _pool(a_world(store={"identities": {identity.node_id: identity}}, busy=busy))


# ---- servers -------------------------------------------------------------------------------------


def _creating(*servers: Server, deadline: timedelta = timedelta(seconds=30)) -> World:
    intent = an_intent(
        id=CREATE, kind=IntentKind.CREATE_SERVER, subject="os-worker-001", deadline=NOW + deadline
    )
    world = a_world(Machine(worker=a_creating_worker()), store={"intents": (intent,)})
    return replace(world, cloud=a_cloud(*servers))


def test_the_server_with_the_create_intent_is_recorded() -> None:
    server = a_server(5, metadata=a_server(1).metadata)

    (decision,) = _pool(_creating(server))

    assert isinstance(decision, RecordServer)
    assert decision.server_id == server.id
    assert decision.reason is Reason.SERVER_SEEN


def test_of_two_servers_for_one_intent_the_older_counts_and_the_other_is_reported() -> None:
    older = a_server(5, metadata=a_server(1).metadata, created_at=LONG_AGO - timedelta(seconds=9))
    younger = a_server(6, metadata=a_server(1).metadata)

    stranger, recorded = _pool(_creating(younger, older))

    assert isinstance(recorded, RecordServer)
    assert recorded.server_id == older.id
    assert isinstance(stranger, Held)
    assert str(stranger.subject) == f"server:{younger.id}"


def test_an_intent_in_the_metadata_of_another_deployment_is_not_believed() -> None:
    metadata = {**a_server(1).metadata, DEPLOYMENT_METADATA: "somebody-else"}

    decisions = _pool(_creating(a_server(5, metadata=metadata)))

    assert RecordServer not in _kinds(decisions)


@pytest.mark.parametrize(
    ("lists", "after_deadline", "refuted"),
    [
        pytest.param(3, 601, True, id="missing-for-long-enough"),
        pytest.param(2, 601, False, id="too-few-lists"),
        pytest.param(3, 599, False, id="too-soon-after-the-deadline"),
        pytest.param(0, 601, False, id="never-missed"),
    ],
)
def test_a_create_is_refuted_only_by_lists_and_time(
    lists: int, after_deadline: int, *, refuted: bool
) -> None:
    world = _creating(deadline=-timedelta(seconds=after_deadline + 1))
    if lists:
        seen = Sighting(count=lists, first_at=LONG_AGO, snapshot=1)
        world = replace(world, sightings={create_missing(CREATE): seen})

    (decision,) = _pool(world)

    assert isinstance(decision, RefuteCreate if refuted else Held)
    assert decision.reason is (Reason.CREATE_REFUTED if refuted else Reason.INTENT_OPEN)


@pytest.mark.parametrize(
    ("state", "refuted"),
    [
        pytest.param(WorkerState.READY, False, id="of-a-worker-in-service"),
        pytest.param(WorkerState.BOOTING, False, id="of-one-that-boots"),
        pytest.param(WorkerState.DELETING, True, id="of-one-whose-deletion-we-asked-for"),
    ],
)
def test_lists_that_lack_another_server_refute_no_create(
    state: WorkerState, *, refuted: bool
) -> None:
    world = _creating(deadline=-timedelta(seconds=602))
    retirement = a_retirement() if state is WorkerState.DELETING else None
    other = a_worker(id=2, state=state, retirement=retirement)
    store = replace(world.store, workers=(*world.store.workers, other))
    seen = Sighting(count=3, first_at=LONG_AGO, snapshot=1)
    world = replace(world, store=store, sightings={create_missing(CREATE): seen})

    (about_it,) = (d for d in _pool(world) if d.subject == worker_subject(world.store.workers[0]))

    assert isinstance(about_it, RefuteCreate if refuted else Held)
    assert about_it.reason is (Reason.CREATE_REFUTED if refuted else Reason.INTENT_OPEN)


def test_a_server_that_shows_late_is_recorded_rather_than_refuted() -> None:
    world = _creating(a_server(1), deadline=-timedelta(hours=1))
    seen = Sighting(count=99, first_at=LONG_AGO, snapshot=1)

    (decision,) = _pool(replace(world, sightings={create_missing(CREATE): seen}))

    assert isinstance(decision, RecordServer)


def test_without_the_cloud_a_create_is_neither_seen_nor_refuted() -> None:
    (decision,) = _pool(replace(_creating(), cloud=None))

    assert decision.reason is Reason.SOURCE_UNKNOWN


# ---- strangers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "reported"),
    [
        pytest.param(a_server(9, metadata={}), "nobody's", id="our-prefix-and-nobodys"),
        pytest.param(
            a_server(9, metadata={DEPLOYMENT_METADATA: "them"}), "of deployment them", id="theirs"
        ),
        pytest.param(a_server(9, name="db", metadata={}), None, id="no-business-of-ours"),
        pytest.param(a_server(9, task_state="deleting"), None, id="ours-and-going-already"),
        pytest.param(a_server(9, status="DELETED"), None, id="ours-and-deleted"),
        pytest.param(a_server(9, created_at=NOW), None, id="younger-than-what-the-store-showed"),
    ],
)
def test_a_server_that_is_not_ours_to_touch_is_reported_and_left_alone(
    server: Server, reported: str | None
) -> None:
    decisions = _pool(replace(a_world(), cloud=a_cloud(server)))

    assert all(type(d) is Held and d.reason is Reason.NOT_OURS for d in decisions)
    assert [str(d.subject) for d in decisions] == ([f"server:{server.id}"] if reported else [])
    assert all(reported in d.because for d in decisions if reported)


@pytest.mark.parametrize(
    ("lists", "span", "adopted"),
    [
        pytest.param(3, 120, True, id="for-long-in-many-lists"),
        pytest.param(2, 600, False, id="in-too-few-lists"),
        pytest.param(9, 119, False, id="not-for-long"),
        pytest.param(0, 0, False, id="at-first-sight"),
    ],
)
def test_a_server_of_ours_without_a_row_is_adopted_once_it_is_sure(
    lists: int, span: int, *, adopted: bool
) -> None:
    (decision,) = _pool(_unclaimed(a_server(9), lists=lists, span=span))

    assert str(decision.subject) == f"server:{a_server(9).id}"
    assert decision.reason is Reason.SERVER_ADOPTED
    assert isinstance(decision, AdoptServer) is adopted
    if isinstance(decision, AdoptServer):
        assert (decision.name, decision.server_id) == ("os-worker-009", a_server(9).id)
        assert decision.intent_id == UUID(a_server(9).metadata[INTENT_METADATA])


@pytest.mark.parametrize(
    ("metadata", "flavor", "has_intent"),
    [
        pytest.param({FLAVOR_METADATA: "hm.large"}, "hm.large", False, id="as-it-says"),
        pytest.param({}, "hm.medium", False, id="as-the-cloud-says"),
        pytest.param({INTENT_METADATA: str(CREATE)}, "hm.medium", True, id="with-an-intent"),
        pytest.param({INTENT_METADATA: "mine"}, "hm.medium", False, id="with-no-intent-of-ours"),
    ],
)
def test_an_adopted_server_has_the_flavor_and_intent_of_its_metadata(
    metadata: dict[str, str], flavor: str, *, has_intent: bool
) -> None:
    ours = {DEPLOYMENT_METADATA: a_world().site.deployment}
    server = a_server(9, flavor="hm.medium", metadata={**ours, **metadata})

    (decision,) = _pool(_unclaimed(server))

    assert isinstance(decision, AdoptServer)
    assert (decision.flavor, decision.intent_id) == (flavor, CREATE if has_intent else None)


def test_a_server_whose_name_an_open_worker_has_is_adopted_under_another() -> None:
    machine = a_machine(1, busy_at=NOW)
    late = a_server(9, name=machine.worker.name)
    world = _unclaimed(late, machine)

    (adopted,) = (d for d in _pool(world) if d.reason is Reason.SERVER_ADOPTED)

    assert isinstance(adopted, AdoptServer)
    assert adopted.name == f"os-worker-001-{late.id[:8]}"
    assert adopted.server_id == late.id


def test_of_two_servers_of_one_name_both_are_adopted_under_names_of_their_own() -> None:
    first, second = a_server(8, name="os-worker-008"), a_server(9, name="os-worker-008")
    world = _unclaimed(first)
    other = _unclaimed(second)
    both = replace(
        world,
        cloud=a_cloud(first, second),
        sightings={**world.sightings, **other.sightings},
    )

    adopted = {d.server_id: d.name for d in _pool(both) if isinstance(d, AdoptServer)}

    one, two = sorted([first.id, second.id])
    assert adopted == {one: "os-worker-008", two: f"os-worker-008-{two[:8]}"}


def test_a_node_of_an_adopted_twin_is_known_by_the_name_of_its_machine() -> None:
    """Until it is identified, neither of the two may be deleted: it may be the node of either."""
    twin = a_machine(9, name=f"os-worker-001-{a_server(9).id[:8]}", state=WorkerState.BOOTING)
    stranger = a_node(3, name="os-worker-001")
    late = NOW - timedelta(hours=5)
    alone = replace(twin.worker, node_id=None, created_at=late)
    without_node = Machine(worker=alone, server=twin.server)
    world = a_world(without_node, nomad={"nodes": (stranger,)})

    known = replace(world.store, identities={stranger.id: an_identity(3)})
    kinds = [_kinds(_pool(w)) for w in (world, replace(world, store=known))]

    assert [CommitDelete in found for found in kinds] == [False, True]


def _unclaimed(server: Server, *machines: Machine, lists: int = 3, span: int = 120) -> World:
    """A world with a server that no open worker answers for, seen so often and for so long."""
    world = a_world(*machines)
    servers = world.cloud.servers if world.cloud else ()
    cloud = a_cloud(*servers, server)
    since = cloud.requested_at - timedelta(seconds=span)
    seen = Sighting(count=lists, first_at=since, snapshot=cloud.number)
    return replace(
        world, cloud=cloud, sightings={server_unclaimed(server.id): seen} if lists else {}
    )


def test_a_server_whose_creation_is_in_flight_is_no_stranger() -> None:
    world = replace(a_world(), cloud=a_cloud(a_server(9)))

    assert not _pool(replace(world, busy=frozenset({"worker:os-worker-009"})))


def test_our_own_servers_are_no_strangers_whatever_their_metadata() -> None:
    machine = a_machine(1)
    bare = a_server(1, metadata={INTENT_METADATA: "?"})

    decisions = _pool(replace(a_world(machine), cloud=a_cloud(bare)), min_workers=1)

    assert not decisions


# ---- names ---------------------------------------------------------------------------------------


def test_a_name_is_free_when_nothing_that_anybody_sees_bears_it() -> None:
    node = a_node(3)
    world = a_world(
        a_machine(1, busy_at=NOW),
        store={
            "ready": tuple(a_job(id=i, type="gfsc") for i in range(3)),
            "identities": {node.id: an_identity(3)},
        },
        nomad={"nodes": (node,)},
    )
    others = a_server(2, metadata={})
    servers = world.cloud.servers if world.cloud else ()
    world = replace(world, cloud=a_cloud(*servers, others))

    created = [d for d in _pool(world) if isinstance(d, CreateServer)]

    assert [d.name for d in created] == ["os-worker-004", "os-worker-005", "os-worker-006"]


def test_names_grow_beyond_three_digits() -> None:
    workers = tuple(a_creating_worker(id=i) for i in range(1, 1000))
    world = a_world(store={"workers": workers, "ready": (a_job(type="gfsc"),)})
    world = replace(world, cloud=a_cloud(quota=a_quota(max_servers=None, max_vcpus=None)))

    decisions = _pool(world, max_workers=2000, max_vcpus=9000)

    assert [d.name for d in decisions if isinstance(d, CreateServer)] == ["os-worker-1000"]


def _named(name: str, bearer: str) -> World:
    """A world in which a job waits for a worker, and something bears a name."""
    store: dict[str, Any] = {"ready": (a_job(type="gfsc"),)}
    nomad: dict[str, Any] = {}
    servers: tuple[Server, ...] = ()
    if bearer == "an-open-row":
        store["workers"] = (a_creating_worker(id=900, name=name),)
    elif bearer == "a-server-of-ours-without-a-row":
        servers = (a_server(900, name=name, created_at=NOW),)
    elif bearer == "a-strangers-server":
        servers = (a_server(900, name=name, metadata={}),)
    elif bearer == "a-node-that-is-down":
        nomad["nodes"] = (a_node(900, name=name, status="down"),)
        store["identities"] = {a_node(900).id: an_identity(900)}
    elif bearer == "a-node-that-nobody-knows":
        nomad["nodes"] = (a_node(900, name=name),)
    world = a_world(store=store, nomad=nomad)
    if bearer == "a-creation-in-flight":
        world = replace(world, busy=frozenset({f"server:{name}"}))
    return replace(world, cloud=a_cloud(*servers))


BEARERS = [
    "an-open-row",
    "a-server-of-ours-without-a-row",
    "a-strangers-server",
    "a-node-that-is-down",
    "a-node-that-nobody-knows",
    "a-creation-in-flight",
]


@pytest.mark.parametrize("bearer", [*BEARERS, "nothing"])
def test_a_number_is_free_only_when_no_row_no_server_and_no_node_has_it(bearer: str) -> None:
    decisions = _pool(_named("os-worker-001", bearer))

    (name,) = [d.name for d in decisions if isinstance(d, CreateServer)]

    assert name == ("os-worker-001" if bearer == "nothing" else "os-worker-002")


@given(
    rows=st.frozensets(st.integers(1, 12)),
    servers=st.frozensets(st.integers(1, 12)),
    nodes=st.frozensets(st.integers(1, 12)),
    wanted=st.integers(1, 6),
)
def test_names_given_out_are_the_lowest_that_nothing_bears(
    rows: frozenset[int], servers: frozenset[int], nodes: frozenset[int], wanted: int
) -> None:
    world = a_world(
        store={
            "workers": tuple(a_creating_worker(id=n) for n in rows),
            "ready": tuple(a_job(id=n, type="gfsc") for n in range(wanted)),
            "identities": {a_node(n).id: an_identity(n) for n in nodes},
        },
        nomad={"nodes": tuple(a_node(n, status="down") for n in sorted(nodes))},
    )
    others = (a_server(n, metadata={}) for n in sorted(servers))
    world = replace(world, cloud=a_cloud(*others))

    created = [d.name for d in _pool(world, create_burst=99) if isinstance(d, CreateServer)]

    free = [n for n in range(1, 40) if n not in rows | servers | nodes]
    assert created == [f"os-worker-{n:03d}" for n in free[:wanted]]


@pytest.mark.parametrize(
    ("state", "gone", "listed", "closes"),
    [
        pytest.param(WorkerState.DELETING, True, False, True, id="gone-and-no-node"),
        pytest.param(WorkerState.DELETING, True, True, False, id="gone-and-a-node-is-listed"),
        pytest.param(WorkerState.DELETING, False, False, False, id="no-404-yet"),
        pytest.param(WorkerState.READY, False, False, False, id="at-work"),
    ],
)
def test_a_row_is_closed_and_its_name_free_only_after_the_404_and_without_a_node(
    state: WorkerState, *, gone: bool, listed: bool, closes: bool
) -> None:
    machine = a_machine(1, state=state, gone_at=NOW if gone else None, delete_sent_at=NOW)
    shown = replace(machine, server=None, node=machine.node if listed else None)

    decisions = _pool(a_world(shown))

    assert (CloseWorker in _kinds(decisions)) is closes
