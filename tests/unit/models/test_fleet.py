"""The join of servers, nodes and rows, and the one count of demand and supply."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fleet import (
    DEPLOYMENT_META,
    RUN_META,
    Demand,
    Live,
    Member,
    children_by_run,
    demands,
    in_dispatch_order,
    join,
    live_by_job,
    live_by_node,
    nodes_by_server,
    our_children,
    run_of,
)
from models.lifecycle import Status
from models.records import InFlight, Priority, RetireStep, WorkerState
from models.world import World
from simulator.examples import (
    NOW,
    Machine,
    a_booting_worker,
    a_child,
    a_claimed_run,
    a_creating_worker,
    a_job,
    a_machine,
    a_node,
    a_retirement,
    a_run,
    a_worker,
    a_world,
    an_allocation,
    an_id,
    an_identity,
    in_flight,
)

# ---- joining -------------------------------------------------------------------------------------


def test_a_worker_is_joined_with_its_server_its_node_and_what_runs_there() -> None:
    machine, allocation = a_machine(3), an_allocation("x", node=3)
    world = a_world(machine, a_machine(4), nomad={"allocations": (allocation,)})

    third, fourth = join(world)

    assert (third.worker, third.server, third.node) == (
        machine.worker,
        machine.server,
        machine.node,
    )
    assert third.live == (allocation,)
    assert fourth.live == ()


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(None, id="not-proved-yet"),
        pytest.param(an_identity(1, server_id=None), id="it-named-no-server"),
        pytest.param(an_identity(1, server_id="another"), id="it-is-another-server"),
    ],
)
def test_a_node_is_joined_by_the_proved_server_id_never_by_name_or_address(identity: Any) -> None:
    (member,) = join(a_world(replace(a_machine(1), identity=identity)))

    assert member.node is None


@pytest.mark.parametrize(
    ("older", "newer", "chosen"),
    [
        pytest.param({}, {}, "newer", id="the-newest-registration"),
        pytest.param({"status": "down"}, {}, "newer", id="the-one-that-is-ready"),
        pytest.param({}, {"status": "down"}, "older", id="ready-before-newest"),
    ],
)
def test_of_two_nodes_of_one_server_the_ready_then_newest_counts(
    older: dict[str, Any], newer: dict[str, Any], chosen: str
) -> None:
    nodes = (
        a_node(1, id="newer", create_index=9, **newer),
        a_node(1, id="older", create_index=8, **older),
    )
    proofs = {n.id: an_identity(1, node_id=n.id) for n in nodes}
    world = a_world(
        Machine(worker=a_worker()), store={"identities": proofs}, nomad={"nodes": nodes}
    )

    assert nodes_by_server(world)[str(an_id("server", 1))].id == chosen


def test_unknown_sources_join_to_nothing() -> None:
    world = replace(a_world(a_machine(1)), nomad=None, cloud=None)

    (member,) = join(world)

    assert (member.server, member.node, member.live) == (None, None, ())
    assert our_children(world) == {}


@pytest.mark.parametrize(
    ("allocation", "counts"),
    [
        ({}, True),
        ({"client_status": "pending"}, True),
        ({"client_status": "unknown"}, True),
        ({"desired_status": "stop"}, True),
        ({"namespace": "other"}, True),
        ({"client_status": "complete"}, False),
        ({"client_status": "failed"}, False),
        ({"client_status": "lost"}, False),
        ({"job_type": "system"}, False),
        ({"job_type": "sysbatch"}, False),
    ],
)
def test_what_may_still_run_counts_whatever_nomad_wants_of_it(
    allocation: dict[str, Any],
    counts: bool,
) -> None:
    nomad = a_world(nomad={"allocations": (an_allocation("x", **allocation),)}).nomad
    assert nomad is not None

    assert ("x" in live_by_job(nomad)) == counts
    assert (str(an_id("node", 1)) in live_by_node(nomad)) == counts
    assert (len(Live.among(nomad).by_id) == 1) == counts


# ---- whose child ---------------------------------------------------------------------------------


def test_only_children_with_our_deployment_are_ours() -> None:
    ours = a_child()
    theirs = replace(ours, id="theirs", meta={**ours.meta, DEPLOYMENT_META: "other"})
    nobodys = replace(ours, id="nobodys", meta={})

    assert list(our_children(a_world(nomad={"jobs": (theirs, nobodys, ours)}))) == [ours.id]


def test_children_of_a_run_are_listed_the_oldest_first() -> None:
    run = a_run()
    children = [a_child(run, id=str(n), create_index=n) for n in (12, 10, 11)]

    found = children_by_run(a_world(nomad={"jobs": tuple(children)}))

    assert [child.create_index for child in found[str(run.id)]] == [10, 11, 12]


@given(text=st.text() | st.uuids().map(str) | st.uuids().map(lambda u: u.hex))
def test_the_run_of_a_child_is_read_from_any_meta_without_failing(text: str) -> None:
    run_id = run_of(replace(a_child(), meta={RUN_META: text}))

    assert run_id is None or str(run_id) == text


def test_a_child_names_its_run() -> None:
    run = a_run()

    assert run_of(a_child(run)) == run.id
    assert run_of(replace(a_child(run), meta={})) is None


# ---- what is live of a run -----------------------------------------------------------------------

CLAIMED = a_claimed_run(nomad_job_id="confirmed", allocation_id="claimed")


@pytest.mark.parametrize(
    ("allocation", "found"),
    [
        pytest.param(an_allocation("listed", id="a"), ["a"], id="of-its-listed-child"),
        pytest.param(an_allocation("confirmed", id="a"), ["a"], id="of-its-purged-child"),
        pytest.param(an_allocation("unseen", id="claimed"), ["claimed"], id="the-one-that-claimed"),
        pytest.param(an_allocation("confirmed", id="claimed"), ["claimed"], id="found-both-ways"),
        pytest.param(an_allocation("else", id="a"), [], id="somebody-elses"),
        pytest.param(
            an_allocation("listed", id="a", client_status="lost"), [], id="which-is-terminal"
        ),
    ],
)
def test_what_is_live_of_a_run_is_found_by_child_name_and_claim(
    allocation: Any, found: list[str]
) -> None:
    nomad = a_world(nomad={"allocations": (allocation,)}).nomad
    assert nomad is not None

    live = Live.among(nomad).of(CLAIMED, [a_child(CLAIMED, id="listed")])

    assert [a.id for a in live] == found


def test_a_run_of_which_nothing_is_known_has_nothing_live() -> None:
    nomad = a_world(nomad={"allocations": (an_allocation(),)}).nomad
    assert nomad is not None

    assert Live.among(nomad).of(a_run()) == ()


# ---- slots ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("machine", "free", "coming"),
    [
        pytest.param(a_machine(), 1, 0, id="ready-and-empty"),
        pytest.param(Machine(worker=a_creating_worker()), 0, 1, id="wished-for"),
        pytest.param(Machine(worker=a_booting_worker()), 0, 1, id="booting"),
        pytest.param(replace(a_machine(), node=None), 0, 0, id="its-node-is-gone"),
        pytest.param(replace(a_machine(), node=a_node(eligible=False)), 0, 0, id="ineligible"),
        pytest.param(replace(a_machine(), node=a_node(status="down")), 0, 0, id="down"),
        pytest.param(replace(a_machine(), node=a_node(draining=True)), 0, 0, id="draining"),
        pytest.param(a_machine(retirement=a_retirement()), 0, 0, id="retiring"),
        pytest.param(
            a_machine(retirement=a_retirement(step=RetireStep.UNDOING)), 0, 0, id="not-back-yet"
        ),
        pytest.param(a_machine(state=WorkerState.DELETING), 0, 0, id="deleting"),
        pytest.param(
            a_machine(state=WorkerState.BOOTING, retirement=a_retirement()),
            0,
            0,
            id="booting-and-already-unwanted",
        ),
    ],
)
def test_a_slot_is_a_worker_that_can_take_a_run_or_soon_will(
    machine: Machine, free: int, coming: int
) -> None:
    world = a_world(machine)

    demand = demands(world, join(world))["hm.medium"]

    assert (demand.free, demand.coming) == (free, coming)


@pytest.mark.parametrize(("status", "coming"), [("BUILD", 1), ("ERROR", 0), ("DELETED", 0)])
def test_a_server_in_error_is_not_coming(status: str, coming: int) -> None:
    machine = a_machine(state=WorkerState.BOOTING)
    assert machine.server is not None
    world = a_world(replace(machine, server=replace(machine.server, status=status)))

    assert demands(world, join(world))["hm.medium"].coming == coming


def _flight_world(status: Status, *children: dict[str, Any], live: bool = False) -> World:
    run = a_run() if status is Status.QUEUED else a_claimed_run()
    listed = tuple(a_child(run, id=f"c{n}", **c) for n, c in enumerate(children))
    return a_world(
        store={"in_flight": (InFlight(job=in_flight(status).job, run=run),)},
        nomad={"jobs": listed, "allocations": (an_allocation("c0"),) if live else ()},
    )


@pytest.mark.parametrize(
    ("world", "unplaced"),
    [
        pytest.param(_flight_world(Status.QUEUED), 1, id="sent-and-not-seen"),
        pytest.param(_flight_world(Status.QUEUED, {"status": "pending"}), 1, id="pending"),
        pytest.param(
            _flight_world(Status.QUEUED, {"status": "pending"}, live=True), 0, id="just-placed"
        ),
        pytest.param(_flight_world(Status.QUEUED, {"status": "dead"}), 0, id="died-unclaimed"),
        pytest.param(
            _flight_world(Status.STARTED, {"status": "running"}, live=True), 0, id="it-runs"
        ),
        pytest.param(
            _flight_world(Status.STARTED, {"status": "pending"}), 1, id="lost-and-waiting-again"
        ),
        pytest.param(_flight_world(Status.STARTED), 0, id="vanished"),
        pytest.param(replace(_flight_world(Status.QUEUED), nomad=None), 0, id="nobody-knows"),
    ],
)
def test_a_run_that_holds_no_worker_but_wants_one_is_unplaced(world: World, unplaced: int) -> None:
    assert demands(world, join(world))["hm.medium"].unplaced == unplaced


counts = st.integers(0, 50)
drawn_demands = st.builds(
    Demand, flavor=st.just("x"), waiting=counts, unplaced=counts, free=counts, coming=counts
)


@given(drawn_demands)
def test_a_flavor_is_never_short_and_in_surplus_at_once(demand: Demand) -> None:
    assert demand.need >= 0
    assert 0 <= demand.surplus <= demand.free
    assert demand.need == 0 or demand.surplus == 0


@given(drawn_demands)
def test_what_is_created_meets_what_waits_exactly(demand: Demand) -> None:
    after = replace(demand, coming=demand.coming + demand.need)

    assert after.need == 0
    assert demand.need == 0 or after.slots == demand.waiting


def test_a_surplus_of_one_flavor_is_none_of_anothers_supply() -> None:
    world = a_world(
        a_machine(1, "hm.large"),
        a_machine(2, "hm.large"),
        store={"ready": (a_job(),)},
    )

    found = demands(world, join(world))

    assert (found["hm.medium"].need, found["hm.large"].need) == (1, 0)
    assert (found["hm.medium"].surplus, found["hm.large"].surplus) == (0, 2)


def test_a_member_without_rows_elsewhere_is_neither_free_nor_coming() -> None:
    member = Member(worker=a_worker())

    assert (member.is_free, member.is_coming) == (False, False)


# ---- order ---------------------------------------------------------------------------------------


@given(st.data())
def test_jobs_are_served_by_priority_then_deadline_then_age(data: st.DataObject) -> None:
    hours = st.integers(0, 3).map(lambda h: NOW + timedelta(hours=h))
    jobs = [
        a_job(
            id=n,
            priority=data.draw(st.sampled_from(Priority)),
            deadline=data.draw(st.none() | hours),
            created_at=data.draw(hours),
        )
        for n in range(data.draw(st.integers(0, 6)))
    ]

    ordered = in_dispatch_order(data.draw(st.permutations(jobs)))

    never = NOW + timedelta(days=1)
    ranks = [(j.priority.rank, j.deadline or never, j.created_at, j.id) for j in ordered]
    assert ranks == sorted(ranks)
    assert len(ordered) == len(jobs)
