"""Incidents of dispatch: twice, not at all, without an allocation, in the wrong order."""

from __future__ import annotations

from collections import Counter

from models.fleet import FINGERPRINT_META
from models.lifecycle import Status
from models.records import Priority
from simulator.behaviour import Ending
from simulator.faults import Fault
from simulator.nomad.jobs import DispatchOrder, Oddity
from simulator.nomad.rows import JobRow
from tests.plugins.stage import HOUR, MINUTE, PERSON, Stage, lasting


def _children(stage: Stage) -> list[JobRow]:
    return [job for job in stage.nomad.state.jobs.by_id() if job.parent_id]


def _forget_evaluations(stage: Stage) -> None:
    state = stage.nomad.state
    for row in [row for row in state.evals.by_id() if row.is_open]:
        state.delete_eval(row, state.advance())


def nomad_26690_the_same_token_twice() -> None:
    """Two children of one run: one is stopped, and only the last claim of the run is believed."""
    stage = Stage(behaviours={"test": lasting(10 * MINUTE)})
    stage.submit()
    stage.until(lambda: bool(_children(stage)))
    (child,) = _children(stage)
    meta = {key: value for key, value in child.meta.items() if key != FINGERPRINT_META}
    order = DispatchOrder(meta=meta, payload=child.payload, token="another")
    stage.nomad.jobs.dispatch(child.parent_id, order)
    stage.until(stage.sim.is_quiet)
    assert stage.sim.truth.check(everything=True) == []
    assert "CHILD_TWICE" in stage.reasons()
    (job,) = stage.jobs()
    history = [change.after for change in stage.store.tables.history.get(job.id) or ()]
    assert Counter(history)[Status.PROCESSED] == 1


def nomad_26710_dispatched_and_never_evaluated() -> None:
    """A child without an evaluation is evaluated by us."""
    stage = Stage()
    stage.submit(2)
    stage.until(lambda: len(_children(stage)) == 2)
    _forget_evaluations(stage)
    stage.ends_well()
    stage.every_job_took_one_run()
    assert "CHILD_WITHOUT_EVALUATION" in stage.reasons()


def nomad_26710_the_answer_names_a_child_that_does_not_exist() -> None:
    """The answer is not believed: the next job list says what there is."""
    stage = Stage()
    for _ in range(3):
        stage.nomad.spoil_next_dispatch(Oddity.PHANTOM)
    stage.submit(3)
    stage.ends_well()
    stage.every_job_took_one_run()


def nomad_17278_a_pending_batch_is_not_started_when_there_is_room() -> None:
    """Its blocked evaluation is lost while it waits for a machine: it is evaluated again."""
    stage = Stage(pool__max_workers=1, execution__lead=2)
    stage.submit(3)
    stage.until(lambda: stage.running() == 1 and len(_children(stage)) >= 2)
    _forget_evaluations(stage)
    stage.ends_well()
    stage.every_job_took_one_run()


def argo_14833_created_twice() -> None:
    """The reply to every first dispatch is lost: the second goes out under the same token."""
    stage = Stage()
    stage.fail("nomad.dispatch", Fault.LOST_REPLY, 4)
    stage.fail("nomad.dispatch", Fault.TIMEOUT, 2)
    stage.submit(4)
    stage.ends_well()
    stage.every_job_took_one_run()
    assert len(_children(stage)) == 4


def keda_2488_84_jobs_for_42_messages() -> None:
    """Forty-two jobs are forty-two runs, whatever is lost on the way, by either controller."""
    stage = Stage(controllers=2, pool__max_workers=20)
    for operation in ("nomad.dispatch", "store.commit", "nomad.snapshot"):
        stage.fail(operation, Fault.LOST_REPLY, 10)
    stage.submit(42)
    stage.ends_well()
    stage.every_job_took_one_run()
    assert len(_children(stage)) == 42


def nomad_12792_priority_does_not_order_what_waits() -> None:
    """What is urgent overtakes all that waits but the few that were sent ahead."""
    stage = Stage(pool__max_workers=1)
    stage.submit(20)
    stage.until(lambda: stage.processed() == 1)
    (urgent,) = stage.submit(1, priority=Priority.NRT)
    stage.ends_well()
    began = {run.job_id: run.claimed_at for run in stage.runs() if run.claimed_at is not None}
    place = sorted(began, key=lambda job: began[job]).index(urgent)
    assert place <= 5, f"it was served as number {place + 1}"


def nomad_4746_small_work_starves_large_work() -> None:
    """What is idle makes room for a large flavor at once, and no small worker takes that room."""
    stage = Stage(
        behaviours={"sws_wds": lasting(MINUTE)},
        pool__max_vcpus=12,
        pool__vcpu_share=1,
        pool__idle_for=3 * 3600,
    )
    stage.submit(24)
    stage.until(lambda: stage.processed() == 24)
    assert len(stage.workers()) == 12
    (large,) = stage.submit(1, "sws_wds", Priority.NRT)
    stage.submit(3)
    stage.until(lambda: stage.store.tables.jobs[large].status is Status.PROCESSED, within=HOUR)
    assert "ROOM_NEEDED" in stage.reasons()
    stage.ends_well()


def nomad_17563_a_batch_is_dead_after_a_drain() -> None:
    """The only node goes while the job waits for it: the job runs on the next one."""
    stage = Stage(pool__max_workers=1)
    stage.submit(2)
    stage.until(lambda: stage.running() == 1)
    (worker,) = stage.workers()
    assert stage.store.retire([worker.name], PERSON, forced=True)[0].done
    stage.ends_well()
    assert stage.processed() == 2


def original_errors_are_relaunched_by_hand() -> None:
    """A download that fails is tried again by itself, later; the job is done in the end."""
    flaky = lasting(MINUTE, {Ending.EXTERNAL_ERROR: 0.5})
    stage = Stage(behaviours={"test": flaky}, monitor__external_backoff=10)
    stage.submit(6)
    stage.ends_well()
    assert stage.processed() == 6
    assert max(job.attempt for job in stage.jobs()) > 1


def nomad_477_a_lost_allocation_is_run_again() -> None:
    """Nomad re-runs what it lost: that is adopted, the same attempt and no failure of the job."""
    stage = Stage(behaviours={"test": lasting(10 * MINUTE)})
    stage.submit()
    stage.until(lambda: stage.running() == 1)
    stage.nomad.lose_allocation(*stage.nomad.state.allocs.live)
    stage.ends_well()
    stage.every_job_took_one_run()
    (run,) = stage.runs()
    assert run.claim == 2


def karpenter_701_running_jobs_are_evicted() -> None:
    """Urgent work and an empty quota: what runs is not ended for it."""
    stage = Stage(behaviours={"test": lasting(HOUR)}, pool__max_workers=2)
    stage.submit(2)
    stage.until(lambda: stage.running() == 2)
    stage.submit(2, priority=Priority.NRT)
    stage.live(40 * MINUTE)
    assert stage.calls("nomad.stop") == []
    stage.ends_well()
    stage.every_job_took_one_run()
