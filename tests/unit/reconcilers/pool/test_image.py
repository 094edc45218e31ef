"""The image that workers boot from: made once, waited for, replaced, deleted unused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.actions import CreateServer, DeleteImage, EndImageMaking, MakeImage
from models.breakers import Breaker, BreakerName
from models.errors import FailureClass
from models.fleet import DEPLOYMENT_METADATA
from models.images import FINISHED_METADATA, image_name
from models.plan import Decision, Held, Reason
from models.records import Backoff, Intent, IntentKind, IntentState
from models.settings import PoolSettings
from models.sightings import image_missing
from models.world import Image, Server, Sighting, World
from reconcilers.pool import decide
from simulator.examples import (
    LONG_AGO,
    NOW,
    Machine,
    a_cloud,
    a_creating_worker,
    a_job,
    a_machine,
    a_server,
    a_site,
    a_template,
    a_world,
    an_id,
    an_image,
    an_intent,
    some_images,
)

TEMPLATE, NEXT = a_template(1), a_template(2, created_at=NOW - timedelta(minutes=1))
NAME, NEXT_NAME = image_name(TEMPLATE.id), image_name(NEXT.id)
ASKED = an_id("make-image", 1)
SITE = a_site(image=None)


def farm(
    *machines: Machine,
    templates: Sequence[Server] = (TEMPLATE,),
    images: Sequence[Image] = (),
    jobs: int = 0,
    **store: Any,
) -> World:
    """A world whose workers boot from what the pool makes."""
    servers = [m.server for m in machines if m.server is not None]
    ready = tuple(a_job(id=n) for n in range(1, jobs + 1))
    world = a_world(*machines, store={"ready": ready, **store}, site=SITE)
    cloud = replace(
        a_cloud(*servers), servers=(*servers, *templates), worker_images=some_images(*images)
    )
    return replace(world, cloud=cloud)


def told(world: World, **settings: Any) -> list[Decision]:
    """What is decided about images."""
    decisions = decide(world, PoolSettings(**settings), NOW)
    return [d for d in decisions if str(d.subject).startswith("image:")]


def reasons(world: World, **settings: Any) -> list[Reason]:
    return [decision.reason for decision in told(world, **settings)]


def asked(**changes: Any) -> Intent:
    fields = {"id": ASKED, "kind": IntentKind.MAKE_IMAGE, "subject": NAME, **changes}
    return an_intent(**fields)


def looked(until: timedelta, failure: FailureClass = FailureClass.CONFLICT) -> Backoff:
    """The template was looked at and was not ready."""
    return Backoff(
        subject=f"image:{NAME}", failure=failure, failures=1, until=NOW + until, message="not yet"
    )


def young(age: timedelta, **changes: Any) -> Server:
    return a_template(1, created_at=NOW - age, **changes)


MINUTE = timedelta(minutes=1)


# ---- making --------------------------------------------------------------------------------------


def test_a_template_without_an_image_gets_one() -> None:
    (decision,) = told(farm())
    assert isinstance(decision, MakeImage)
    assert (decision.name, decision.template_id, decision.finished) == (NAME, TEMPLATE.id, False)


def test_a_person_may_say_that_the_template_is_good() -> None:
    template = replace(TEMPLATE, metadata={FINISHED_METADATA: "true"})
    (decision,) = told(farm(templates=[template]))
    assert isinstance(decision, MakeImage)
    assert decision.finished


def test_where_the_settings_name_an_image_nothing_is_made_or_deleted() -> None:
    world = farm(templates=[TEMPLATE, NEXT], images=[an_image(1), an_image(2)], jobs=1)
    cloud = replace(world.cloud, images=frozenset({"mine"})) if world.cloud else None
    world = replace(world, cloud=cloud, site=a_site(image="mine"))
    assert told(world) == []
    (create,) = [d for d in decide(world, PoolSettings(), NOW) if isinstance(d, CreateServer)]
    assert create.image == "mine"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        pytest.param(None, Reason.TEMPLATE_MISSING, id="not-there"),
        pytest.param(young(MINUTE, task_state="deleting"), Reason.TEMPLATE_MISSING, id="going"),
        pytest.param(young(MINUTE, status="DELETED"), Reason.TEMPLATE_MISSING, id="deleted"),
        pytest.param(young(MINUTE, status="BUILD"), Reason.TEMPLATE_UNFINISHED, id="built"),
        pytest.param(
            young(MINUTE, task_state="image_snapshot"), Reason.TEMPLATE_UNFINISHED, id="busy"
        ),
        pytest.param(young(10 * MINUTE, status="BUILD"), Reason.TEMPLATE_UNFINISHED, id="limit"),
        pytest.param(young(11 * MINUTE, status="BUILD"), Reason.TEMPLATE_FROZEN, id="for-ever"),
        pytest.param(young(MINUTE, status="ERROR", fault="no"), Reason.TEMPLATE_FROZEN, id="error"),
    ],
)
def test_a_template_that_cannot_be_copied_is_waited_for_or_told(
    template: Server | None, reason: Reason
) -> None:
    world = farm(templates=[template] if template else [])
    (decision,) = told(world)
    assert isinstance(decision, Held)
    assert decision.reason is reason


@pytest.mark.parametrize(
    ("age", "until", "expected"),
    [
        pytest.param(5, 20, [Reason.TEMPLATE_UNFINISHED], id="young-and-looked-at"),
        pytest.param(
            5, 0, [Reason.TEMPLATE_UNFINISHED, Reason.IMAGE_NEEDED], id="young-look-again"
        ),
        pytest.param(10, 20, [Reason.TEMPLATE_UNFINISHED], id="at-the-limit"),
        pytest.param(11, 20, [Reason.TEMPLATE_FROZEN], id="frozen"),
        pytest.param(11, -5, [Reason.TEMPLATE_FROZEN, Reason.IMAGE_NEEDED], id="frozen-look-again"),
    ],
)
def test_a_set_up_that_does_not_end_is_told_and_looked_at_all_the_same(
    age: int, until: int, expected: list[Reason]
) -> None:
    backoffs = (looked(timedelta(seconds=until)),)
    assert reasons(farm(templates=[young(age * MINUTE)], backoffs=backoffs)) == expected


def test_other_failures_rest_like_any() -> None:
    backoffs = (looked(MINUTE, FailureClass.SERVER_FAULT),)
    assert reasons(farm(backoffs=backoffs)) == [Reason.BACKING_OFF]


def test_of_two_servers_of_one_name_the_newest_is_the_template() -> None:
    (decision,) = [d for d in told(farm(templates=[NEXT, TEMPLATE])) if isinstance(d, MakeImage)]
    assert decision.name == NEXT_NAME


@pytest.mark.parametrize(
    ("status", "age", "reason"),
    [
        pytest.param("queued", MINUTE, Reason.IMAGE_COMING, id="queued"),
        pytest.param("saving", 30 * MINUTE, Reason.IMAGE_COMING, id="saving-for-long"),
        pytest.param("queued", 31 * MINUTE, Reason.IMAGE_FROZEN, id="queued-for-too-long"),
        pytest.param("saving", 31 * MINUTE, Reason.IMAGE_FROZEN, id="saving-for-too-long"),
        pytest.param("deactivated", MINUTE, Reason.IMAGE_FROZEN, id="taken-out-of-use"),
    ],
)
def test_an_image_in_the_making_is_waited_for_and_no_second_one_made(
    status: str, age: timedelta, reason: Reason
) -> None:
    image = an_image(1, status=status, created_at=NOW - age)
    (decision,) = told(farm(images=[image], intents=(asked(),)))
    assert isinstance(decision, Held)
    assert decision.reason is reason


@pytest.mark.parametrize(
    ("image", "made"),
    [
        pytest.param(an_image(1), False, id="ours"),
        pytest.param(an_image(1, metadata={}), False, id="made-by-somebody-of-this-server"),
        pytest.param(an_image(1, metadata={}, made_of=NEXT.id), True, id="of-another-server"),
        pytest.param(an_image(1, made_of=NEXT.id), True, id="ours-by-inheritance-of-another"),
        pytest.param(
            an_image(1, metadata=an_image(2).metadata), False, id="with-the-metadata-of-its-base"
        ),
        pytest.param(an_image(1, metadata={}, made_of=None), True, id="of-no-server"),
        pytest.param(an_image(1, name="os-worker-template-x"), True, id="another-name"),
        pytest.param(an_image(1, status="killed"), True, id="lost"),
    ],
)
def test_what_counts_as_the_image_of_a_template(image: Image, *, made: bool) -> None:
    found = told(farm(images=[image]))
    assert any(isinstance(decision, MakeImage) for decision in found) is made


# ---- what came of it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "lists", "overdue", "state"),
    [
        pytest.param([an_image(1)], 0, -60, IntentState.DONE, id="active"),
        pytest.param([an_image(1, status="killed")], 0, -60, IntentState.FAILED, id="killed"),
        pytest.param([an_image(1, status="saving")], 0, 9999, None, id="coming"),
        pytest.param([], 3, 599, None, id="missing-but-not-for-long-enough"),
        pytest.param([], 2, 9999, None, id="missing-from-too-few-lists"),
        pytest.param([], 3, 602, IntentState.REFUTED, id="missing-for-long"),
    ],
)
def test_a_making_ends_by_what_the_lists_show(
    images: list[Image], lists: int, overdue: int, state: IntentState | None
) -> None:
    intent = asked(deadline=NOW - timedelta(seconds=overdue))
    world = farm(images=images, intents=(intent,))
    seen = Sighting(count=lists, first_at=LONG_AGO, snapshot=1)
    world = replace(world, sightings={image_missing(ASKED): seen} if lists else {})
    ends = [d for d in told(world) if isinstance(d, EndImageMaking)]
    assert [end.state for end in ends] == ([] if state is None else [state])
    assert not any(isinstance(d, MakeImage) for d in told(world))


# ---- growth --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("templates", "images", "booted"),
    [
        pytest.param([TEMPLATE], [an_image(1)], 1, id="its-own"),
        pytest.param([NEXT], [an_image(1)], 1, id="that-of-an-earlier-one-meanwhile"),
        pytest.param([], [an_image(1)], 1, id="that-of-one-that-is-gone"),
        pytest.param([NEXT], [an_image(1), an_image(2)], 2, id="the-new-one"),
        pytest.param([NEXT], [an_image(1), an_image(2, status="saving")], 1, id="not-ready"),
        pytest.param([NEXT], [an_image(1, metadata={})], None, id="an-earlier-one-not-ours"),
        pytest.param([TEMPLATE], [an_image(1, status="queued")], None, id="none-ready"),
        pytest.param([TEMPLATE], [], None, id="none"),
        pytest.param([], [], None, id="nothing"),
    ],
)
def test_workers_boot_from_the_best_image_there_is(
    templates: list[Server], images: list[Image], booted: int | None
) -> None:
    decisions = decide(farm(templates=templates, images=images, jobs=1), PoolSettings(), NOW)
    created = [d.image for d in decisions if isinstance(d, CreateServer)]
    held = [d for d in decisions if d.reason is Reason.IMAGE_MISSING]
    assert created == ([] if booted is None else [str(an_id("image", booted))])
    assert len(held) == (booted is None)
    assert all("template" in decision.because for decision in held)


def test_a_missing_image_holds_back_nothing_but_growth() -> None:
    machine = a_machine(1, admitted_at=LONG_AGO, busy_at=LONG_AGO)
    with_it = decide(farm(machine, images=[an_image(1)]), PoolSettings(), NOW)
    without = decide(farm(machine), PoolSettings(), NOW)
    assert [d for d in without if str(d.subject).startswith("worker:")] == [
        d for d in with_it if str(d.subject).startswith("worker:")
    ]


# ---- deleting ------------------------------------------------------------------------------------

OLD = str(an_id("image", 1))
BOTH = (an_image(1), an_image(2))


def deleted(world: World) -> list[str]:
    return [d.image_id for d in told(world) if isinstance(d, DeleteImage)]


def booted(number: int, image: str = OLD, **server: Any) -> Machine:
    machine = a_machine(number)
    return replace(machine, server=a_server(number, image_id=image, **server))


def test_a_replaced_image_that_nothing_uses_is_deleted() -> None:
    machine = booted(1, str(an_id("image", 2)))
    assert deleted(farm(machine, templates=[NEXT], images=BOTH)) == [OLD]


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(farm(booted(1), templates=[NEXT], images=BOTH), id="a-worker"),
        pytest.param(
            farm(templates=[NEXT, a_server(7, image_id=OLD, metadata={})], images=BOTH),
            id="somebodys-server",
        ),
        pytest.param(
            farm(
                Machine(worker=a_creating_worker(id=4)),
                templates=[NEXT],
                images=BOTH,
            ),
            id="an-unseen-create",
        ),
        pytest.param(
            farm(
                templates=[NEXT],
                images=BOTH,
                intents=(an_intent(kind=IntentKind.CREATE_SERVER, subject="os-worker-009"),),
            ),
            id="an-open-create-intent",
        ),
        pytest.param(
            replace(farm(templates=[NEXT], images=BOTH), busy=frozenset({"worker:os-worker-009"})),
            id="a-create-in-flight",
        ),
        pytest.param(
            farm(replace(booted(1), server=None), templates=[NEXT], images=BOTH),
            id="a-worker-whose-server-is-not-listed",
        ),
        pytest.param(
            farm(
                templates=[NEXT, a_server(7, name="", status="UNKNOWN", metadata={})], images=BOTH
            ),
            id="a-cell-that-is-down",
        ),
    ],
)
def test_an_image_that_something_uses_or_may_use_is_kept_with_a_reason(world: World) -> None:
    (decision,) = told(world)
    assert isinstance(decision, Held)
    assert (str(decision.subject), decision.reason) == (f"image:{OLD}", Reason.IMAGE_IN_USE)


@pytest.mark.parametrize(
    ("templates", "images"),
    [
        pytest.param([TEMPLATE], [an_image(1)], id="the-templates-own"),
        pytest.param([NEXT], [an_image(1)], id="the-last-there-is"),
        pytest.param([NEXT], [an_image(1), an_image(2, status="saving")], id="the-new-not-ready"),
        pytest.param([], [an_image(1), an_image(2)], id="no-template"),
        pytest.param([NEXT], [an_image(1, metadata={}), an_image(2)], id="not-ours"),
        pytest.param(
            [NEXT],
            [an_image(1, metadata={DEPLOYMENT_METADATA: "other"}), an_image(2)],
            id="another-deployments",
        ),
        pytest.param([NEXT], [an_image(1, status="pending_delete"), an_image(2)], id="going"),
        pytest.param(
            [NEXT], [an_image(1, made_of=a_server(5).id), an_image(2)], id="ours-by-inheritance"
        ),
    ],
)
def test_what_is_never_deleted(templates: list[Server], images: list[Image]) -> None:
    assert deleted(farm(templates=templates, images=images)) == []


def test_of_two_images_of_one_template_the_older_goes() -> None:
    twin = an_image(1, id=str(an_id("image", 9)), created_at=NOW)
    assert deleted(farm(images=[twin, an_image(1)])) == [OLD]


# ---- any world -----------------------------------------------------------------------------------

STATUSES = ("active", "queued", "saving", "killed", "deactivated", "pending_delete")


@st.composite
def farms(draw: st.DrawFn) -> World:
    templates = draw(
        st.lists(st.sampled_from([TEMPLATE, NEXT]), unique_by=lambda s: s.id, max_size=2)
    )
    numbers = draw(st.lists(st.integers(1, 3), unique=True, max_size=3))
    images = [
        an_image(
            n,
            status=draw(st.sampled_from(STATUSES)),
            created_at=NOW - draw(st.integers(0, 60)) * MINUTE,
            **draw(st.sampled_from([{}, {}, {"metadata": {}}])),
        )
        for n in numbers
    ]
    machines = [
        booted(n, str(an_id("image", draw(st.integers(1, 3)))))
        for n in range(10, 10 + draw(st.integers(0, 2)))
    ]
    intents = draw(st.sampled_from([(), (), (asked(),)]))
    return farm(
        *machines, templates=templates, images=images, jobs=draw(st.integers(0, 2)), intents=intents
    )


@given(world=farms())
def test_whatever_there_is_no_image_in_use_goes_and_none_is_made_twice(world: World) -> None:
    decisions = decide(world, PoolSettings(), NOW)
    cloud = world.cloud
    assert cloud is not None
    used = {server.image_id for server in cloud.servers}
    created = {d.image for d in decisions if isinstance(d, CreateServer)}
    gone = {d.image_id for d in decisions if isinstance(d, DeleteImage)}
    assert not gone & (used | created)
    listed = {image.id: image for image in cloud.worker_images.images}
    assert all(listed[image].status == "active" for image in created)
    for make in (d for d in decisions if isinstance(d, MakeImage)):
        same = [i for i in listed.values() if i.made_of == make.template_id]
        assert all(image.status in {"killed", "pending_delete"} for image in same)
        assert not any(intent.subject == make.name for intent in world.store.intents)
    if any(d.reason is Reason.IMAGE_MISSING for d in decisions):
        assert any(str(d.subject).startswith("image:") for d in decisions)


def test_no_image_is_deleted_while_the_list_of_servers_is_in_doubt() -> None:
    doubt = Breaker(
        id=1, name=BreakerName.SERVERS, opened_at=LONG_AGO, because="9 of 10", suspects={"gone": ""}
    )
    world = farm(templates=[NEXT], images=BOTH)
    doubtful = farm(templates=[NEXT], images=BOTH, breakers=(doubt,))
    assert deleted(world) == [OLD]
    assert deleted(doubtful) == []
    assert reasons(doubtful) == [Reason.BREAKER_OPEN]
