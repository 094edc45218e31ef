"""The image that workers boot from, in whole worlds: made, replaced, frozen, lost, deleted."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial

import pytest

from controller.simulation import Plan, Simulation
from models.images import ACTIVE, image_name
from models.lifecycle import Status
from models.plan import Reason
from models.ports import Asked
from models.records import IntentKind, IntentState, NewJob
from simulator.cloud.options import CloudOptions, SnapshotFailure
from simulator.cloud.servers import CloudServer, Image
from simulator.faults import Fault, Faults
from simulator.systems import Scenario

EVERY = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 3
"""Every how many calls are tried: all of them in the long run, a spread of them otherwise."""

PERSON = Asked(actor="test")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
TEMPLATE = "tf-titi"


def world() -> Simulation:
    """A deployment that has a template and no image yet, and a job."""
    options = CloudOptions(template=TEMPLATE)
    sim = Simulation(Plan(scenario=Scenario(seed=11, cloud=options)))
    submit(sim, "first")
    return sim


def submit(sim: Simulation, key: str) -> None:
    sim.systems.store.submit([NewJob(type="test", key=key, name=key)], PERSON)


def templates(sim: Simulation) -> list[CloudServer]:
    return [s for s in sim.systems.outside.cloud.servers() if s.name == TEMPLATE]


def images(sim: Simulation, template: CloudServer | None = None) -> list[Image]:
    """The images that we made, of one template or of all."""
    found = [i for i in sim.systems.outside.cloud.images.values() if i.made_of]
    return [i for i in found if template is None or i.made_of == template.id]


def replace_template(sim: Simulation, setup: timedelta | None = 3 * MINUTE) -> CloudServer:
    """A person destroys the template and creates another."""
    for old in templates(sim):
        sim.systems.outside.cloud.vanish(old.id)
    return sim.systems.outside.cloud.snapshots.add_template(TEMPLATE, setup)


def until(sim: Simulation, reason: Reason, within: timedelta = HOUR) -> None:
    """Go on until the pool gives this reason."""
    assert sim.run_until(lambda: gives(sim, reason), within), sim.story()


def gives(sim: Simulation, reason: Reason) -> bool:
    """The pool gave this reason in the last minutes."""
    since = sim.systems.timeline.now() - MINUTE
    rows = sim.systems.store.ledger((), 200)
    return any(row.reason == reason and row.last_at >= since for row in rows)


def all_done(sim: Simulation) -> bool:
    jobs = sim.systems.store.tables.jobs.values()
    return all(job.status is Status.PROCESSED for job in jobs)


def finish(sim: Simulation) -> None:
    assert sim.run_until(sim.is_quiet, 24 * HOUR), sim.story()
    assert all_done(sim), sim.story()


def with_a_worker_at_work(sim: Simulation) -> str:
    """Go on until a worker is there; the id of the image that it was made from."""
    assert sim.run_until(lambda: len(sim.truth.servers()) == 1, 2 * HOUR), sim.story()
    return sim.truth.servers()[0].wanted.image_id


def test_the_first_image_is_made_once_the_template_is_set_up() -> None:
    sim = world()
    until(sim, Reason.TEMPLATE_UNFINISHED)
    assert images(sim) == []
    until(sim, Reason.IMAGE_COMING)
    assert sim.truth.servers() == []
    finish(sim)
    (image,) = images(sim)
    (template,) = templates(sim)
    assert (image.status, image.name) == (ACTIVE, image_name(template.id))
    assert image.made_of == template.id


def test_a_replaced_template_means_a_new_image_and_work_goes_on_meanwhile() -> None:
    sim = world()
    finish(sim)
    (old,) = images(sim)
    template = replace_template(sim)
    submit(sim, "second")
    assert with_a_worker_at_work(sim) == old.id
    assert sim.run_until(lambda: any(i.status == ACTIVE for i in images(sim, template)), HOUR)
    finish(sim)
    submit(sim, "third")
    (new,) = images(sim, template)
    assert with_a_worker_at_work(sim) == new.id
    finish(sim)


def test_an_old_image_goes_only_after_the_last_worker_that_uses_it() -> None:
    sim = world()
    finish(sim)
    (old,) = images(sim)
    sim.systems.store.order("eo1.xsmall", 1, 3 * HOUR, PERSON)
    assert with_a_worker_at_work(sim) == old.id
    template = replace_template(sim)
    until(sim, Reason.IMAGE_IN_USE)
    for _ in range(600):
        sim.round()
        kept = old.id in sim.systems.outside.cloud.images
        assert kept or not sim.truth.servers(), sim.story()
    assert len(sim.truth.servers()) == 1
    finish(sim)
    assert sim.run_until(lambda: images(sim) == images(sim, template), HOUR), sim.story()


def test_a_template_that_never_finishes_is_an_alarm_until_a_person_says_that_it_is_good() -> None:
    sim = world()
    finish(sim)
    template = replace_template(sim, setup=None)
    until(sim, Reason.TEMPLATE_FROZEN)
    submit(sim, "second")
    finish(sim)
    assert images(sim, template) == []
    sim.systems.outside.cloud.snapshots.say_finished(template.id)
    assert sim.run_until(lambda: any(i.status == ACTIVE for i in images(sim, template)), HOUR)


def test_a_frozen_image_is_an_alarm_and_another_is_made_once_a_person_deletes_it() -> None:
    sim = world()
    sim.systems.outside.cloud.snapshots.fail(SnapshotFailure.STUCK)
    until(sim, Reason.IMAGE_FROZEN, 3 * HOUR)
    (stuck,) = images(sim)
    sim.systems.outside.cloud.remove_image(stuck.id)
    # The server is busy with its snapshot for ever, in Nova as here: a person resets its state.
    (template,) = templates(sim)
    sim.systems.outside.cloud.change(template, task_state=None)
    finish(sim)
    assert [image.status for image in images(sim)] == [ACTIVE]


@pytest.mark.parametrize("how", [SnapshotFailure.GIVEN_UP, SnapshotFailure.KILLED])
def test_a_making_that_fails_is_tried_again_after_a_pause(how: SnapshotFailure) -> None:
    sim = world()
    sim.systems.outside.cloud.snapshots.fail(how, times=2)
    finish(sim)
    assert [image.status for image in images(sim)] == [ACTIVE]
    intents = [
        intent
        for intent in sim.systems.store.tables.intents.values()
        if intent.kind is IntentKind.MAKE_IMAGE
    ]
    assert [i.state is IntentState.DONE for i in intents] == [False, False, True]


def test_a_template_replaced_while_it_is_copied_leaves_nothing_behind() -> None:
    sim = world()
    until(sim, Reason.IMAGE_COMING)
    template = replace_template(sim)
    finish(sim)
    assert sim.run_until(lambda: images(sim) == images(sim, template), 2 * HOUR), sim.story()
    assert [image.status for image in images(sim)] == [ACTIVE]


def test_an_image_that_somebody_deletes_is_made_anew() -> None:
    sim = world()
    finish(sim)
    (first,) = images(sim)
    sim.systems.outside.cloud.remove_image(first.id)
    submit(sim, "second")
    finish(sim)
    (second,) = images(sim)
    assert second.id != first.id


def test_an_image_that_was_there_before_us_is_used_and_left_alone() -> None:
    sim = world()
    (template,) = templates(sim)
    sim.pass_time(5 * MINUTE)
    theirs = sim.systems.outside.cloud.snapshots.make(template.id, image_name(template.id), {})
    finish(sim)
    assert images(sim) == [sim.systems.outside.cloud.images[theirs.id]]
    replace_template(sim)
    submit(sim, "second")
    finish(sim)
    assert theirs.id in sim.systems.outside.cloud.images


class Noting(Faults):
    """Nothing goes wrong, and every call is written down."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[str] = []

    def take(self, operation: str) -> Fault | None:
        self.operations.append(operation)
        return super().take(operation)


def jobless(faults: Faults, late_effect: timedelta = timedelta(0)) -> Simulation:
    """A deployment that has a template, and nothing to do but to make its image."""
    options = CloudOptions(template=TEMPLATE, template_setup=MINUTE, late_effect=late_effect)
    return Simulation(Plan(scenario=Scenario(seed=11, cloud=options), faults=lambda: faults))


def is_made(sim: Simulation) -> bool:
    """The image is there, and no intent waits for it."""
    view = sim.systems.store.tables.intents.values()
    waits = any(i.kind is IntentKind.MAKE_IMAGE and i.state is IntentState.OPEN for i in view)
    return not waits and any(image.status == ACTIVE for image in images(sim))


def calls_around_the_making() -> list[int]:
    """The numbers of the calls about the image, and of those right before and after each."""
    noting = Noting()
    sim = jobless(noting)
    assert sim.run_until(lambda: is_made(sim), HOUR)
    about = {"cloud.console", "cloud.worker_images", "cloud.make_image"}
    places = [n for n, what in enumerate(noting.operations, 1) if what in about]
    last = len(noting.operations)
    near = {n + step for n in (*places[:3], *places[-3:], last) for step in range(-4, 5)}
    return sorted(n for n in near if 0 < n <= last)


@pytest.mark.parametrize("fault", [Fault.CRASH, Fault.CRASH_AFTER, Fault.LOST_REPLY])
def test_whatever_call_is_hit_the_first_image_is_made_once(fault: Fault) -> None:
    first = list(Fault).index(fault) % EVERY
    for call in calls_around_the_making()[first::EVERY]:
        faults = Faults()
        faults.order_at(call, fault)
        sim = jobless(faults)
        assert sim.run_until(partial(is_made, sim), HOUR), f"call {call}\n{sim.story()}"
        sim.run_until(lambda: False, 10 * MINUTE)
        assert faults.taken, f"call {call} was never made"
        assert [i.status for i in images(sim)] == [ACTIVE], f"call {call}\n{sim.story()}"


@pytest.mark.parametrize("fault", [Fault.CRASH, Fault.CRASH_AFTER, Fault.LOST_REPLY])
@pytest.mark.parametrize("late", [0, 200, 2000])
def test_a_making_whose_answer_is_lost_leaves_one_image(fault: Fault, late: int) -> None:
    faults = Faults()
    faults.order("cloud.make_image", fault)
    sim = jobless(faults, late_effect=timedelta(seconds=late))
    assert sim.run_until(partial(is_made, sim), HOUR), sim.story()
    sim.run_until(lambda: False, HOUR)
    assert faults.taken, "the call that was to fail was never made"
    assert [i.status for i in images(sim)] == [ACTIVE], sim.story()
