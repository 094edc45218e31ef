"""What a database does not know of is found in the cloud, counted, used and taken away."""

from dataclasses import replace
from datetime import timedelta

from models.ports import ServerOrder
from models.records import RetireCause, Retirement, RetireStep, Worker, WorkerState
from simulator.examples import some_new_jobs
from tests.unit.controller.rig import SOMEBODY, Rig


def a_rig_with_a_worker() -> tuple[Rig, Worker, str]:
    """One worker, booted and admitted, and its server."""
    rig = Rig()
    rig.store.order("hm.medium", 1, timedelta(minutes=30), SOMEBODY)
    rig.live_until(
        lambda: any(worker.state is WorkerState.READY for worker in rig.workers()),
        timedelta(minutes=15),
    )
    (worker,) = rig.workers()
    assert worker.server_id is not None
    return rig, worker, worker.server_id


def a_rig_that_forgot_its_worker() -> tuple[Rig, str]:
    """One worker whose row is gone as after the restore of a database."""
    rig, worker, server_id = a_rig_with_a_worker()
    with rig.store.tables.journal:
        rig.store.tables.workers.drop(worker.id)
    return rig, server_id


def close(rig: Rig, worker: Worker) -> None:
    """Close a row as after a 404 that was none."""
    closed = replace(worker, state=WorkerState.CLOSED, gone_at=rig.systems.timeline.now())
    with rig.store.tables.journal:
        rig.store.tables.workers.put(worker.id, closed)


def test_a_forgotten_worker_is_adopted_and_serves_again() -> None:
    rig, server_id = a_rig_that_forgot_its_worker()
    rig.live(timedelta(minutes=3))

    (worker,) = rig.workers()

    assert (worker.server_id, worker.flavor, worker.state) == (
        server_id,
        "hm.medium",
        WorkerState.READY,
    )
    rig.store.submit(some_new_jobs(1), SOMEBODY)
    rig.live(timedelta(minutes=1))
    assert rig.systems.outside.cloud.created == 1, "the job runs on the adopted one"


def test_a_forgotten_worker_that_nobody_needs_goes_like_any_other() -> None:
    rig, server_id = a_rig_that_forgot_its_worker()

    rig.live(timedelta(minutes=15))

    (worker,) = rig.workers()
    assert (worker.server_id, worker.state) == (server_id, WorkerState.CLOSED)
    assert not list(rig.systems.outside.cloud.servers())


def test_a_worker_that_was_given_up_by_mistake_is_taken_back_and_serves() -> None:
    rig, worker, server_id = a_rig_with_a_worker()
    close(rig, worker)
    rig.live(timedelta(minutes=4))

    (back,) = rig.workers()

    assert (back.id, back.server_id, back.state) == (worker.id, server_id, WorkerState.READY)
    rig.store.submit(some_new_jobs(1), SOMEBODY)
    rig.live(timedelta(minutes=1))
    assert rig.systems.outside.cloud.created == 1, "the job runs on the one that is back"


def test_a_worker_that_a_person_sent_away_goes_though_it_was_given_up_by_mistake() -> None:
    rig, worker, _ = a_rig_with_a_worker()
    wish = Retirement(
        cause=RetireCause.PERSON,
        by="ada",
        step=RetireStep.SEEN,
        started_at=rig.systems.timeline.now(),
        index=1,
        modify_index=1,
        seen_at=rig.systems.timeline.now(),
    )
    close(rig, replace(worker, retirement=wish))
    rig.live(timedelta(minutes=6))

    assert not list(rig.systems.outside.cloud.servers())
    assert [w.state for w in rig.workers()] == [WorkerState.CLOSED]


def test_a_server_that_bears_the_name_of_an_open_worker_counts_and_goes() -> None:
    rig, worker, server_id = a_rig_with_a_worker()
    twin = next(s for s in rig.systems.outside.cloud.servers() if s.id == server_id)
    rig.systems.cloud_port().create(
        ServerOrder(
            name=worker.name,
            flavor=worker.flavor,
            image="os-worker-template",
            networks=(),
            security_groups=(),
            key_name=None,
            metadata=dict(twin.wanted.metadata),
        )
    )
    rig.live(timedelta(minutes=4))
    names = sorted(w.name for w in rig.workers())
    assert len(names) == 2
    assert names[1].startswith(f"{worker.name}-")

    rig.live(timedelta(minutes=60))

    assert not list(rig.systems.outside.cloud.servers())
    assert not rig.systems.outside.nomad.state.nodes.by_id()
