"""The handlers about images: what they look at, commit before they ask, and note afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.actions import DeleteImage, EndImageMaking, MakeImage
from models.errors import FailureClass
from models.images import FINISHED_TEXT, image_name
from models.plan import Held, Reason, Subject, SubjectKind
from models.records import IntentKind, IntentState
from simulator.cloud.options import CloudOptions
from simulator.cloud.servers import CloudServer, Image
from simulator.faults import Fault
from simulator.systems import Scenario
from tests.unit.controller.rig import Rig

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def a_rig(setup: timedelta = MINUTE) -> tuple[Rig, CloudServer]:
    """A world with a template that has had an hour, of which its set-up takes this much."""
    cloud = CloudOptions(template="tf-titi", template_setup=setup)
    rig = Rig(scenario=Scenario(cloud=cloud))
    rig.time.advance(HOUR)
    (template,) = rig.systems.outside.cloud.servers()
    return rig, template


def make(template: CloudServer, *, finished: bool = False) -> MakeImage:
    name = image_name(template.id)
    return MakeImage(
        subject=Subject(SubjectKind.IMAGE, name),
        reason=Reason.IMAGE_NEEDED,
        because="it has none",
        name=name,
        template_id=template.id,
        finished=finished,
    )


def delete(image: Image) -> DeleteImage:
    return DeleteImage(
        subject=Subject(SubjectKind.IMAGE, image.id),
        reason=Reason.IMAGE_UNUSED,
        because="it was replaced",
        image_id=image.id,
        name=image.name,
    )


def made(rig: Rig) -> list[Image]:
    return [i for i in rig.systems.outside.cloud.images.values() if i.made_of]


@pytest.mark.parametrize(
    ("fault", "outcome", "images", "intents"),
    [
        pytest.param(None, "done", 1, {IntentState.OPEN}, id="answered"),
        pytest.param(Fault.LOST_REPLY, "unknown", 1, {IntentState.OPEN}, id="done-unheard"),
        pytest.param(Fault.TIMEOUT, "unknown", 0, {IntentState.OPEN}, id="not-done-unheard"),
        pytest.param(Fault.REFUSED, "temporary_failure", 0, {IntentState.FAILED}, id="refused"),
    ],
)
def test_an_image_is_asked_for_under_an_intent_that_stays_open(
    fault: Fault | None, outcome: str, images: int, intents: set[IntentState]
) -> None:
    rig, template = a_rig()
    if fault:
        rig.systems.faults.order("cloud.make_image", fault)

    rig.act(make(template))

    assert rig.outcomes()["make_image", outcome] == 1
    assert len(made(rig)) == images
    kept = list(rig.store.tables.intents.values())
    assert {intent.state for intent in kept} == intents
    assert [intent.kind for intent in kept] == [IntentKind.MAKE_IMAGE]
    assert all(image.metadata["hrsi_intent"] == str(kept[0].id) for image in made(rig))


def test_a_template_that_is_not_set_up_is_looked_at_again_after_the_same_pause_each_time() -> None:
    rig, template = a_rig(setup=24 * HOUR)
    for _ in range(3):
        rig.act(make(template))
        (backoff,) = rig.store.tables.backoffs.values()
        assert backoff.until - rig.time.now() == timedelta(seconds=30)
        assert backoff.failure is FailureClass.CONFLICT
        assert FINISHED_TEXT in backoff.message
        rig.time.advance(MINUTE)
    assert made(rig) == []
    assert list(rig.store.tables.intents.values()) == []


def test_what_a_person_says_is_enough() -> None:
    rig, template = a_rig(setup=24 * HOUR)
    rig.act(make(template, finished=True))
    assert len(made(rig)) == 1


def test_no_second_image_is_made_though_the_pass_saw_none() -> None:
    rig, template = a_rig()
    rig.systems.outside.cloud.snapshots.make(template.id, image_name(template.id), {})
    rig.time.advance(HOUR)

    rig.act(make(template))

    assert rig.outcomes()["make_image", "overtaken"] == 1
    assert len(made(rig)) == 1
    assert list(rig.store.tables.intents.values()) == []


@pytest.mark.parametrize(
    ("state", "backoffs"),
    [(IntentState.DONE, 0), (IntentState.FAILED, 1), (IntentState.REFUTED, 1)],
)
def test_a_making_that_failed_has_its_pause_and_one_that_worked_ends_it(
    state: IntentState, backoffs: int
) -> None:
    rig, template = a_rig(setup=24 * HOUR)
    for finished in (False, True):
        rig.act(make(template, finished=finished))
        rig.time.advance(MINUTE)
    (intent,) = rig.intents()
    end = EndImageMaking(
        subject=make(template).subject,
        reason=Reason.IMAGE_READY,
        because="it is so",
        intent_id=intent.id,
        state=state,
    )

    rig.act(end)

    assert rig.store.tables.intents[intent.id].state is state
    faults = [b for b in rig.store.tables.backoffs.values() if "it is so" in b.message]
    assert len(faults) == backoffs
    assert state is not IntentState.DONE or not list(rig.store.tables.backoffs.values())


@pytest.mark.parametrize(
    ("fault", "outcome", "left", "state"),
    [
        pytest.param(None, "done", 0, IntentState.DONE, id="answered"),
        pytest.param(Fault.LOST_REPLY, "unknown", 0, IntentState.OPEN, id="done-unheard"),
        pytest.param(Fault.REFUSED, "temporary_failure", 1, IntentState.FAILED, id="refused"),
    ],
)
def test_an_image_is_deleted_and_a_refusal_has_its_pause(
    fault: Fault | None, outcome: str, left: int, state: IntentState
) -> None:
    rig, template = a_rig()
    image = rig.systems.outside.cloud.snapshots.make(template.id, image_name(template.id), {})
    if fault:
        rig.systems.faults.order("cloud.delete_image", fault)

    rig.act(delete(image))

    assert rig.outcomes()["delete_image", outcome] == 1
    assert len(made(rig)) == left
    assert [i.state for i in rig.store.tables.intents.values()] == [state]
    assert len(list(rig.store.tables.backoffs.values())) == left


def test_what_does_not_pass_by_itself_is_an_alarm_as_long_as_a_pass_finds_it() -> None:
    rig, template = a_rig()
    frozen = Held(
        subject=make(template).subject, reason=Reason.TEMPLATE_FROZEN, because="it is frozen"
    )

    rig.act(frozen)

    assert rig.counted("hrsi_alarms") == {("scripted", "TEMPLATE_FROZEN"): 1}
    rig.act()
    assert rig.counted("hrsi_alarms") == {}
