"""Growth: need per flavor, never summed over flavors, never above a cap, never without a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.actions import CommitDelete, CreateServer, MarkWorker
from models.errors import FailureClass
from models.job_types import Flavor, JobType, Registry
from models.plan import Decision, Held, Reason
from models.records import Backoff, Job, Priority, RetireStep, WorkerOrder, WorkerState
from models.settings import PoolSettings
from models.world import World
from reconcilers.pool import decide
from simulator.examples import (
    LONG_AGO,
    NOW,
    Machine,
    a_child,
    a_cloud,
    a_creating_worker,
    a_job,
    a_machine,
    a_quota,
    a_retirement,
    a_run,
    a_world,
    in_flight,
)


def _pool(world: World, **settings: Any) -> list[Decision]:
    return decide(world, PoolSettings(**settings), NOW)


def _jobs(**wanted: int) -> tuple[Job, ...]:
    """That many ready jobs of each type."""
    types = [name for name, count in wanted.items() for _ in range(count)]
    return tuple(a_job(id=number, type=name) for number, name in enumerate(types, 1))


def _created(decisions: list[Decision]) -> dict[str, int]:
    return dict(Counter(d.flavor for d in decisions if isinstance(d, CreateServer)))


def _why(decisions: list[Decision], flavor: str = "hm.medium") -> list[Reason]:
    return [d.reason for d in decisions if str(d.subject) == f"flavor:{flavor}"]


# ---- the original's mixed demand -----------------------------------------------------------------


def _mixed(needs: Mapping[str, int]) -> World:
    """A world in which each letter's flavor needs so many, or has so many idle workers."""
    flavors = tuple(Flavor(name=n, vcpus=1, memory_mb=1, disk_gb=1) for n in needs)
    types = tuple(JobType(name=n, service=n, flavor=n, memory_mb=1) for n in needs)
    registry = Registry.of(types, flavors)
    free = [name for name, need in needs.items() for _ in range(-need)]
    machines = [_of(a_machine(i, busy_at=NOW), name) for i, name in enumerate(free, 1)]
    waiting = [name for name, need in needs.items() for _ in range(need)]
    jobs = tuple(replace(a_job(id=i), type=n, flavor=n) for i, n in enumerate(waiting, 1))
    world = a_world(*machines, store={"ready": jobs}, registry=registry)
    assert world.cloud is not None
    return replace(world, cloud=replace(world.cloud, flavors=frozenset(needs)))


def _of(machine: Machine, flavor: str) -> Machine:
    assert machine.node is not None
    return replace(
        machine,
        worker=replace(machine.worker, flavor=flavor),
        node=replace(machine.node, node_class=flavor),
    )


@pytest.mark.parametrize(
    ("needs", "created"),
    [
        pytest.param({"A": 5, "B": -2}, {"A": 5}, id="the-original-crashed-1"),
        pytest.param({"A": 5, "B": -6}, {"A": 5}, id="the-original-created-none"),
        pytest.param({"A": 3, "B": -1}, {"A": 3}, id="the-original-crashed-2"),
        pytest.param({"A": 2, "B": -1}, {"A": 2}, id="the-original-crashed-3"),
        pytest.param({"A": 12, "B": -1}, {"A": 10}, id="the-original-created-a-useless-B"),
        pytest.param({"A": 1}, {"A": 1}, id="the-original-created-3"),
        pytest.param({"A": 2}, {"A": 2}, id="the-original-created-4"),
        pytest.param(
            {"A": 40, "B": 30, "C": 20, "D": 10, "E": 5},
            {"A": 3, "B": 3, "C": 2, "D": 1, "E": 1},
            id="the-original-left-E-without",
        ),
        pytest.param({"A": 100, "B": 100, "C": 1}, {"A": 5, "B": 4, "C": 1}, id="nobody-starves"),
    ],
)
def test_surplus_of_one_flavor_never_cancels_need_of_another(
    needs: dict[str, int], created: dict[str, int]
) -> None:
    decisions = _pool(_mixed(needs))

    assert _created(decisions) == created
    assert len({d.name for d in decisions if isinstance(d, CreateServer)}) == sum(created.values())


# ---- need ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "created"),
    [
        pytest.param(a_world(store={"ready": _jobs(fsc_rlie=2)}), 2, id="two-jobs-wait"),
        pytest.param(
            a_world(a_machine(1), store={"ready": _jobs(fsc_rlie=2)}), 1, id="one-worker-is-free"
        ),
        pytest.param(
            a_world(
                Machine(worker=a_creating_worker(created_at=LONG_AGO)),
                store={"ready": _jobs(fsc_rlie=2)},
            ),
            1,
            id="one-create-may-still-take-effect",
        ),
        pytest.param(
            a_world(
                store={"in_flight": (in_flight(),)},
                nomad={"jobs": (a_child(a_run(), status="pending"),)},
            ),
            1,
            id="one-run-was-dispatched-and-is-not-placed",
        ),
        pytest.param(
            a_world(
                replace(a_machine(1), server=None, node=None, identity=None),
                store={"ready": _jobs(fsc_rlie=1)},
            ),
            1,
            id="a-worker-without-a-node-serves-nobody",
        ),
    ],
)
def test_need_is_what_waits_less_what_is_there_and_coming(world: World, created: int) -> None:
    assert _created(_pool(world)).get("hm.medium", 0) == created


def test_enough_workers_are_a_reason_too() -> None:
    world = a_world(
        a_machine(1),
        a_machine(2),
        a_machine(3),
        store={"ready": _jobs(fsc_rlie=1), "in_flight": (in_flight(id=2),)},
        nomad={"jobs": (a_child(a_run(job_id=2), status="pending"),)},
    )

    held = [d for d in _pool(world) if d.reason is Reason.ENOUGH_WORKERS]

    assert [(str(d.subject), dict(d.facts)) for d in held] == [
        ("flavor:hm.medium", {"waiting": 2, "free": 3, "coming": 0})
    ]


@pytest.mark.parametrize(
    ("step", "node", "created"),
    [
        pytest.param(RetireStep.UNDOING, {"eligible": False}, 0, id="already-coming-back"),
        pytest.param(RetireStep.MARKING, {"eligible": False}, 0, id="will-be-taken-back"),
        pytest.param(RetireStep.MARKING, {"status": "down"}, 1, id="its-node-is-down"),
        pytest.param(RetireStep.MARKING, {"draining": True}, 1, id="its-node-is-drained"),
    ],
)
def test_workers_that_come_back_from_retirement_are_not_bought_again(
    step: RetireStep, node: dict[str, Any], created: int
) -> None:
    machine = a_machine(1, retirement=a_retirement(step=step))
    assert machine.node is not None
    world = a_world(
        replace(machine, node=replace(machine.node, **node)), store={"ready": _jobs(fsc_rlie=1)}
    )

    assert sum(_created(_pool(world)).values()) == created


def test_what_a_person_ordered_is_created_after_what_jobs_need() -> None:
    order = WorkerOrder(id=7, flavor="hm.medium", by="eva@ops", keep_until=NOW)
    world = a_world(store={"orders": (order,), "ready": _jobs(fsc_rlie=1)})

    for_job, ordered = [d for d in _pool(world) if isinstance(d, CreateServer)]

    assert (for_job.order_id, for_job.reason) == (None, Reason.JOBS_WAITING)
    assert (ordered.order_id, ordered.reason) == (7, Reason.ASKED_BY_PERSON)


def test_an_order_alone_is_enough() -> None:
    order = WorkerOrder(id=7, flavor="hm.large", by="eva@ops", keep_until=NOW)

    assert _created(_pool(a_world(store={"orders": (order,)}))) == {"hm.large": 1}


def test_the_flavor_of_the_most_urgent_job_is_served_first() -> None:
    urgent = a_job(id=9, type="sws_wds", priority=Priority.NRT)
    world = a_world(store={"ready": (*_jobs(gfsc=3), urgent)})

    assert _created(_pool(world, max_workers=1)) == {"hm.xlarge": 1}


def test_a_job_that_was_dispatched_and_waits_again_has_its_place_in_the_order() -> None:
    urgent = in_flight(id=9, priority=Priority.NRT)
    world = a_world(
        store={"ready": _jobs(gfsc=3), "in_flight": (urgent,)},
        nomad={"jobs": (a_child(urgent.run, status="pending"),)},
    )

    assert _created(_pool(world, max_workers=1)) == {"hm.medium": 1}


# ---- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "cloud", "created", "reason"),
    [
        pytest.param({"max_workers": 4}, {}, 3, Reason.MAX_WORKERS, id="workers"),
        pytest.param({"max_vcpus": 9}, {}, 3, Reason.MAX_VCPUS, id="vcpus"),
        pytest.param({"max_workers": 0}, {}, 0, Reason.MAX_WORKERS, id="none-at-all"),
        pytest.param({}, {"max_servers": 6, "used_servers": 3}, 3, Reason.QUOTA_SERVERS, id="q1"),
        pytest.param({}, {"max_vcpus": 20, "used_vcpus": 12}, 4, Reason.QUOTA_VCPUS, id="q2"),
        pytest.param(
            {},
            {"max_memory_mb": 100_000, "used_memory_mb": 20_000},
            4,
            Reason.QUOTA_MEMORY,
            id="q3",
        ),
        pytest.param({"create_burst": 2}, {}, 2, Reason.CREATION_RATE, id="rate"),
    ],
)
def test_growth_stops_at_each_limit_and_says_so(
    settings: dict[str, Any], cloud: dict[str, Any], created: int, reason: Reason
) -> None:
    world = a_world(a_machine(1, busy_at=NOW), store={"ready": _jobs(fsc_rlie=9)})
    if cloud:
        assert world.cloud is not None
        world = replace(world, cloud=replace(world.cloud, quota=a_quota(**cloud)))

    decisions = _pool(world, **settings)

    assert sum(_created(decisions).values()) == created
    assert _why(decisions) == [reason]


def test_a_refusal_carries_its_numbers() -> None:
    jobs = {"store": {"ready": _jobs(rlies1=3)}}
    world = a_world(*(a_machine(i, "hm.xlarge", busy_at=NOW) for i in range(1, 110)), **jobs)

    (held,) = [d for d in _pool(world) if str(d.subject) == "flavor:hm.large"]

    assert held.because == (
        "3 hm.large jobs wait for a worker, none created: MAX_VCPUS, 872 of 874 used"
    )
    assert dict(held.facts) == {"wanted": 3, "created": 0, "used": 872, "cap": 874}


@pytest.mark.parametrize(
    ("settings", "jobs", "flavor", "said"),
    [
        pytest.param({"create_burst": 4}, {"fsc_rlie": 6, "gfsc": 3}, "hm.medium",
                     "CREATION_RATE, 4 of 4 used", id="what-all-flavors-get-is-used"),
        pytest.param({"max_workers": 3}, {"fsc_rlie": 4}, "hm.medium",
                     "MAX_WORKERS, 3 of 3 used", id="what-it-gets-itself-is-used"),
        pytest.param({"max_vcpus": 7, "vcpu_share": 1}, {"sws_wds": 1}, "hm.xlarge",
                     "MAX_VCPUS, 0 of 7 used, and one worker takes 8", id="one-never-fits"),
    ],
)  # fmt: skip
def test_a_refusal_never_denies_its_own_reason(
    settings: dict[str, Any], jobs: dict[str, int], flavor: str, said: str
) -> None:
    decisions = _pool(a_world(store={"ready": _jobs(**jobs)}), **settings)

    (held,) = [d for d in decisions if str(d.subject) == f"flavor:{flavor}"]

    assert held.because.endswith(f" created: {said}")


def test_room_that_is_left_is_said_to_be_kept_for_whom_it_is_kept() -> None:
    """8 vCPUs are claimed first, 7 are left of 9: 2 would fit, but the claim would never come."""
    world = a_world(a_machine(1, busy_at=NOW), store={"ready": _jobs(sws_wds=1, fsc_rlie=3)})

    decisions = _pool(world, max_vcpus=9, vcpu_share=1)

    (held,) = [d for d in decisions if str(d.subject) == "flavor:hm.medium"]
    assert held.because.endswith(
        "none created: MAX_VCPUS, 2 of 9 used, the rest is kept for flavors whose turn comes first"
    )


def test_open_rows_count_before_their_servers_are_listed_and_until_they_are_closed() -> None:
    creating = Machine(worker=a_creating_worker())
    gone = replace(
        a_machine(2, state=WorkerState.DELETING, gone_at=NOW),
        server=None,
        node=None,
        identity=None,
    )
    world = a_world(creating, gone, store={"ready": _jobs(gfsc=5)})

    assert _created(_pool(world, max_workers=4)) == {"eo2.medium": 2}


def test_only_what_the_quota_counts_beyond_our_servers_is_other_peoples() -> None:
    """Our two servers were listed when the quota was read, a third was made since."""
    seen, found = a_machine(1, busy_at=NOW), a_machine(2)
    unnoted = Machine(worker=a_creating_worker(id=2), server=found.server)
    since = Machine(worker=a_creating_worker(id=3))
    world = a_world(seen, unnoted, since, store={"ready": _jobs(gfsc=9)})
    quota = a_quota(max_servers=10, used_servers=5, max_vcpus=None)
    assert world.cloud is not None
    world = replace(world, cloud=replace(world.cloud, quota=quota))

    decisions = _pool(world)

    # Three of the five used are other people's; three rows of ours are open; four are left.
    assert _created(decisions) == {"eo2.medium": 4}
    assert _why(decisions, "eo2.medium") == [Reason.QUOTA_SERVERS]


def test_a_quota_older_than_our_deletions_never_counts_below_nothing() -> None:
    world = a_world(a_machine(1, busy_at=NOW), store={"ready": _jobs(gfsc=9)})
    assert world.cloud is not None
    quota = a_quota(max_servers=4, used_servers=0)
    world = replace(world, cloud=replace(world.cloud, quota=quota))

    assert _created(_pool(world)) == {"eo2.medium": 3}


def test_the_rate_counts_creations_of_the_last_period_only() -> None:
    recent = (a_creating_worker(id=i, created_at=NOW - timedelta(seconds=4)) for i in (1, 2, 3))
    older = (a_creating_worker(id=i, created_at=NOW - timedelta(seconds=5)) for i in (4, 5))
    world = a_world(
        *(Machine(worker=w) for w in (*recent, *older)), store={"ready": _jobs(gfsc=20)}
    )

    assert _created(_pool(world)) == {"eo2.medium": 7}


def test_a_flavor_that_does_not_fit_keeps_its_claim_from_smaller_ones() -> None:
    urgent = a_job(id=99, type="sws_wds", priority=Priority.NRT)
    world = a_world(a_machine(1, busy_at=NOW), store={"ready": (urgent, *_jobs(gfsc=3))})

    decisions = _pool(world, max_vcpus=9, vcpu_share=1)

    assert _created(decisions) == {}
    assert _why(decisions, "hm.xlarge") == _why(decisions, "eo2.medium") == [Reason.MAX_VCPUS]


def test_a_flavor_that_can_never_fit_holds_nobody_up() -> None:
    urgent = a_job(id=99, type="sws_wds", priority=Priority.NRT)
    world = a_world(store={"ready": (urgent, *_jobs(gfsc=3))})

    decisions = _pool(world, max_vcpus=7, vcpu_share=1)

    assert _created(decisions) == {"eo2.medium": 3}
    assert _why(decisions, "hm.xlarge") == [Reason.MAX_VCPUS]


# ---- obstacles -----------------------------------------------------------------------------------


def _waiting(**changes: Any) -> World:
    return replace(a_world(store={"ready": _jobs(fsc_rlie=2, gfsc=1)}), **changes)


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        pytest.param(
            _waiting(cloud=a_cloud(flavors=frozenset({"eo2.medium"}))),
            Reason.FLAVOR_UNKNOWN,
            id="the-cloud-lacks-the-flavor",
        ),
        pytest.param(
            _waiting(cloud=a_cloud(images=frozenset())), Reason.IMAGE_MISSING, id="no-image"
        ),
        pytest.param(
            _waiting(busy=frozenset({"worker:os-worker-007"})),
            Reason.INTENT_OPEN,
            id="a-creation-is-not-recorded-yet",
        ),
    ],
)
def test_what_stands_in_the_way_of_a_flavor_is_named(world: World, reason: Reason) -> None:
    decisions = _pool(world)

    assert "hm.medium" not in _created(decisions)
    assert _why(decisions) == [reason]


def test_a_flavor_that_the_cloud_lacks_holds_no_other_up() -> None:
    world = _waiting(cloud=a_cloud(flavors=frozenset({"eo2.medium"})))

    assert _created(_pool(world)) == {"eo2.medium": 1}


def test_jobs_and_orders_of_a_flavor_that_is_not_set_up_are_refused_by_name() -> None:
    odd = replace(a_job(id=1), flavor="odd")
    order = WorkerOrder(id=7, flavor="weird", by="eva@ops", keep_until=NOW)
    world = a_world(store={"ready": (odd,), "orders": (order,)})

    decisions = _pool(world)

    assert [(str(d.subject), d.reason) for d in decisions] == [
        ("flavor:odd", Reason.FLAVOR_UNKNOWN),
        ("flavor:weird", Reason.FLAVOR_UNKNOWN),
    ]


def test_a_worker_of_a_flavor_that_is_no_longer_set_up_counts_large_and_goes_when_idle() -> None:
    machine = _of(a_machine(1), "retired")
    world = a_world(machine, store={"ready": _jobs(gfsc=9)})

    decisions = _pool(world, max_vcpus=10, vcpu_share=1)

    assert _created(decisions) == {"eo2.medium": 2}
    assert [d.worker_id for d in decisions if isinstance(d, MarkWorker)] == [1]


@pytest.mark.parametrize("source", ["nomad", "cloud"])
def test_without_one_of_its_sources_nothing_is_created(source: str) -> None:
    changes: dict[str, Any] = {source: None}

    (held,) = _pool(_waiting(**changes))

    assert isinstance(held, Held)
    assert held.reason is Reason.SOURCE_UNKNOWN
    assert str(held.subject) == f"system:{source}"


# ---- back-off ------------------------------------------------------------------------------------


def _backoff(until: timedelta, **changes: Any) -> Backoff:
    default = Backoff(
        subject="flavor:hm.medium",
        failure=FailureClass.QUOTA,
        failures=2,
        until=NOW + until,
        message="Quota exceeded for cores",
    )
    return replace(default, **changes)


SOON, LATELY = timedelta(seconds=30), timedelta(seconds=-30)


@pytest.mark.parametrize(
    ("backoffs", "workers", "created"),
    [
        pytest.param((_backoff(SOON),), (), 0, id="not-over"),
        pytest.param((_backoff(LATELY),), (), 1, id="over-so-one-is-tried"),
        pytest.param(
            (_backoff(LATELY), _backoff(SOON, failure=FailureClass.NETWORK)),
            (),
            0,
            id="another-class-is-not-over",
        ),
        pytest.param(
            (_backoff(LATELY),), (a_creating_worker(created_at=NOW),), 0, id="one-is-being-tried"
        ),
        pytest.param(
            (_backoff(LATELY),), (a_creating_worker(),), 1, id="one-from-before-proves-nothing"
        ),
        pytest.param((_backoff(SOON, subject="flavor:hm.large"),), (), 5, id="another-flavor"),
    ],
)
def test_after_refusals_a_flavor_rests_and_then_tries_one(
    backoffs: tuple[Backoff, ...], workers: tuple[Any, ...], created: int
) -> None:
    store = {"ready": _jobs(fsc_rlie=5), "backoffs": backoffs, "workers": workers}

    decisions = _pool(a_world(store=store))

    assert _created(decisions).get("hm.medium", 0) == created
    assert _why(decisions) == ([] if created == 5 else [Reason.BACKING_OFF])


@pytest.mark.parametrize(
    ("waited", "tried"),
    [
        pytest.param(timedelta(minutes=15), 0, id="it-may-still-join"),
        pytest.param(timedelta(minutes=15, seconds=1), 1, id="it-had-its-time"),
    ],
)
def test_a_probe_that_never_joins_does_not_hold_its_flavor_back_for_ever(
    waited: timedelta, tried: int
) -> None:
    probe = a_machine(
        1, state=WorkerState.BOOTING, node_id=None, admitted_at=None, created_at=NOW - waited
    )
    assert probe.server is not None
    server = replace(probe.server, created_at=NOW - waited)
    over = _backoff(-waited - timedelta(seconds=1))

    world = a_world(
        Machine(worker=probe.worker, server=server),
        store={"ready": _jobs(fsc_rlie=5), "backoffs": (over,)},
    )

    assert _created(_pool(world)).get("hm.medium", 0) == tried


def _failed(number: int, seconds_ago: int) -> Machine:
    """A worker whose create was accepted and whose server then went to ERROR."""
    machine = a_machine(
        number,
        state=WorkerState.BOOTING,
        node_id=None,
        admitted_at=None,
        created_at=NOW - timedelta(seconds=seconds_ago),
    )
    assert machine.server is not None
    error = replace(machine.server, status="ERROR", fault="No valid host was found.")
    return Machine(worker=machine.worker, server=error)


@pytest.mark.parametrize(
    ("machines", "created"),
    [
        pytest.param([_failed(1, 59)], 0, id="one-failed-lately"),
        pytest.param([_failed(1, 61)], 1, id="one-failed-and-a-minute-passed"),
        pytest.param([_failed(1, 600), _failed(2, 61)], 0, id="two-failed-rests-longer"),
        pytest.param([_failed(1, 600), _failed(2, 121)], 1, id="two-failed-two-minutes-passed"),
        pytest.param([_failed(n, 59) for n in range(1, 11)], 0, id="a-burst-failed-lately"),
        pytest.param([_failed(n, 61) for n in range(1, 11)], 1, id="a-burst-is-one-failure"),
        pytest.param(
            [_failed(1, 59), a_machine(2, created_at=NOW, busy_at=NOW)], 4, id="a-later-one-came-up"
        ),
    ],
)
def test_servers_that_go_to_error_hold_their_flavor_back(
    machines: list[Machine], created: int
) -> None:
    decisions = _pool(a_world(*machines, store={"ready": _jobs(fsc_rlie=5)}))

    assert _created(decisions).get("hm.medium", 0) == created


def test_a_worker_that_boots_well_holds_nothing_back() -> None:
    booting = _failed(1, 5)
    assert booting.server is not None
    world = a_world(
        replace(booting, server=replace(booting.server, status="BUILD")),
        store={"ready": _jobs(fsc_rlie=5)},
    )

    assert _created(_pool(world)) == {"hm.medium": 4}


def test_what_failed_waits_while_its_flavor_needs_creations() -> None:
    decisions = _pool(a_world(_failed(1, 61), store={"ready": _jobs(fsc_rlie=1)}))

    assert [d.reason for d in decisions if str(d.subject) == "worker:os-worker-001"] == [
        Reason.SERVER_ERROR
    ]


def test_what_failed_goes_first_when_a_cap_holds_creations_back() -> None:
    world = a_world(_failed(1, 61), _failed(2, 70), store={"ready": _jobs(fsc_rlie=1)})

    decisions = _pool(world, max_workers=2, backoff=timedelta(seconds=1))

    assert [d.worker_id for d in decisions if isinstance(d, CommitDelete)] == [2]
    assert _why(decisions) == [Reason.MAX_WORKERS]


def test_one_failed_worker_per_flavor_goes_in_a_pass() -> None:
    large = _failed(3, 80)
    large = replace(large, worker=replace(large.worker, flavor="hm.large"))

    decisions = _pool(a_world(_failed(1, 61), _failed(2, 70), large))

    assert [d.worker_id for d in decisions if isinstance(d, CommitDelete)] == [3, 2]


def test_no_worker_is_made_for_jobs_over_the_share_of_reprocessing() -> None:
    again = tuple(a_job(id=n, priority=Priority.REPROCESSING) for n in range(1, 9))
    world = a_world(store={"ready": (*again, a_job(id=9))})

    decisions = _pool(world, reprocessing_share=0.25, max_workers=12)

    assert _created(decisions) == {"hm.medium": 4}
