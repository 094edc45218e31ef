"""What a database does not know of is found in the cloud, counted, used and taken away."""

from datetime import timedelta

from models.records import WorkerState
from simulator.examples import some_new_jobs
from tests.unit.controller.rig import SOMEBODY, Rig


def a_rig_that_forgot_its_worker() -> tuple[Rig, str]:
    """One worker, booted and admitted, whose row is gone as after the restore of a database."""
    rig = Rig()
    rig.store.order("hm.medium", 1, timedelta(minutes=30), SOMEBODY)
    rig.live_until(
        lambda: any(worker.state is WorkerState.READY for worker in rig.workers()),
        timedelta(minutes=15),
    )
    (worker,) = rig.workers()
    assert worker.server_id is not None
    with rig.store.tables.journal:
        rig.store.tables.workers.drop(worker.id)
    return rig, worker.server_id


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
