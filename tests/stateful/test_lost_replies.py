"""Every call that writes loses its answer, or fails without a word, and the world ends well.

One row for each write of each port: the same small history, in which the first calls of that kind
go wrong. What is done is done once: no job twice, no server too many, nothing left over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from controller.simulation import Simulation
from models.images import ACTIVE
from models.ports import Asked
from simulator.faults import WRITES, Fault
from simulator.nomad.jobs import Oddity
from tests.stateful import test_images as images
from tests.stateful.test_crash_at_every_call import finished_well, small_world

PERSON = Asked(actor="test")
DAY = timedelta(days=1)
NOT_BY_LOOPS = {"store.release", "store.prune"}
"""What a process does once when it ends, and once a day: tests/unit/controller tries these."""


def _cancel_and_relaunch(sim: Simulation) -> None:
    """Cancel a job that runs, so that its child has to be stopped; then want it after all."""
    runs = sim.systems.store.tables.runs
    assert sim.run_until(lambda: any(r.claim for r in runs.values()), timedelta(hours=1))
    job = next(run.job_id for run in runs.values() if run.claim)
    sim.systems.store.cancel([job], PERSON)
    sim.run_until(lambda: bool(sim.systems.faults.taken), timedelta(hours=1))
    sim.systems.store.relaunch([job], PERSON)


def _forget_to_evaluate(sim: Simulation) -> None:
    sim.systems.outside.nomad.spoil_next_dispatch(Oddity.NO_EVALUATION)


PROVOKED: Mapping[str, Callable[[Simulation], None]] = {
    "nomad.stop": _cancel_and_relaunch,
    "nomad.evaluate": _forget_to_evaluate,
}


OF_IMAGES = {"cloud.make_image", "cloud.delete_image"}
"""What only a world with a template calls."""

FAULTS = (Fault.LOST_REPLY, Fault.TIMEOUT, Fault.SERVER_ERROR, Fault.THROTTLED)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", sorted(WRITES - NOT_BY_LOOPS - OF_IMAGES))
def test_a_write_that_goes_wrong_is_done_once_all_the_same(call: str, fault: Fault) -> None:
    sim = small_world()
    sim.systems.faults.order(call, fault, times=2)
    if call in PROVOKED:
        PROVOKED[call](sim)
    assert sim.run_until(sim.is_quiet, timedelta(hours=6)), sim.story()
    assert (call, fault) in sim.systems.faults.taken, "the call was never made"
    finished_well(sim, f"{fault} of {call}")
    if call != "nomad.stop":
        assert sim.systems.outside.cloud.created == 4, "a server for each of the jobs"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", sorted(OF_IMAGES))
def test_an_image_whose_making_or_deletion_goes_wrong_is_there_once(
    call: str, fault: Fault
) -> None:
    sim = images.world()
    sim.systems.faults.order(call, fault, times=2)
    images.finish(sim)
    template = images.replace_template(sim)
    images.submit(sim, "second")
    images.finish(sim)
    assert sim.run_until(lambda: images.images(sim) == images.images(sim, template), DAY)
    assert (call, fault) in sim.systems.faults.taken, "the call was never made"
    assert [image.status for image in images.images(sim)] == [ACTIVE], sim.story()
