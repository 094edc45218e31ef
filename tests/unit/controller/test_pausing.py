"""A paused controller looks, says what it would do, and does nothing."""

from datetime import timedelta

import pytest

from controller.planning import plan
from controller.reconcilers import RECONCILERS
from models.pauses import EVERYTHING, loop_target, type_target
from models.plan import Action, Held, Reason
from simulator.examples import some_new_jobs
from tests.unit.controller.rig import SOMEBODY, Rig

MINUTE = timedelta(minutes=1)


def a_rig_with_jobs() -> Rig:
    rig = Rig()
    rig.submit(2)
    return rig


def test_while_everything_is_paused_nothing_is_made_and_every_reason_is_told() -> None:
    rig = a_rig_with_jobs()
    rig.store.pause([EVERYTHING], SOMEBODY)

    rig.live(MINUTE)

    assert rig.systems.outside.cloud.created == 0
    assert rig.outcomes() == {}
    told = {row.reason for row in rig.store.ledger(())}
    assert Reason.PAUSED in told
    assert rig.counted("hrsi_paused") == {(EVERYTHING,): 1.0}


def test_the_other_loops_go_on_while_one_is_paused() -> None:
    rig = a_rig_with_jobs()
    rig.store.pause([loop_target("worker-pool")], SOMEBODY)

    rig.live(MINUTE)

    assert rig.systems.outside.cloud.created == 0
    assert len(rig.children()) == 2, "the lead is dispatched without workers"


def test_what_was_held_back_is_done_once_the_pause_is_over_by_itself() -> None:
    rig = a_rig_with_jobs()
    rig.store.pause([EVERYTHING], SOMEBODY, lasts=MINUTE)
    rig.live(MINUTE)
    assert rig.systems.outside.cloud.created == 0

    rig.live(MINUTE)

    assert rig.systems.outside.cloud.created == 2
    assert rig.counted("hrsi_paused") == {}


def test_a_paused_type_gets_neither_runs_nor_workers_and_the_others_do() -> None:
    rig = a_rig_with_jobs()
    rig.store.submit(some_new_jobs(1, type="gfsc"), SOMEBODY)
    rig.store.pause([type_target("fsc_rlie")], SOMEBODY)

    rig.live(MINUTE)

    assert {worker.flavor for worker in rig.workers()} == {"eo2.medium"}
    assert len(rig.children()) == 1


@pytest.mark.parametrize("target", [EVERYTHING, loop_target("worker-pool")])
def test_a_plan_shows_what_a_pause_holds_back(target: str) -> None:
    rig = a_rig_with_jobs()
    rig.store.pause([target], SOMEBODY)

    decided = plan(rig.observer, RECONCILERS, rig.time)["worker-pool"]

    assert not any(isinstance(decision, Action) for decision in decided)
    held = [d for d in decided if isinstance(d, Held) and d.reason is Reason.PAUSED]
    assert len(held) == 2
    assert all("is paused by test@rig" in each.because for each in held)
