"""Images made of servers, through both faces: the port in memory and the adapter over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.errors import Conflict, NotFound, Unavailable, Unknown
from models.fleet import DEPLOYMENT_METADATA, INTENT_METADATA
from models.images import FINISHED_TEXT, TEMPLATE_METADATA
from models.ports import ImageOrder
from models.world import Image
from simulator.cloud.options import BootFailure, CloudOptions, SnapshotFailure
from simulator.cloud.servers import CloudServer
from simulator.faults import Fault
from tests.plugins.cloud import CloudInTest, MakeCloud, an_order

NAME = "os-worker-template-01234567"
METADATA = {DEPLOYMENT_METADATA: "test", TEMPLATE_METADATA: "t", INTENT_METADATA: "i"}


@pytest.fixture
def farm(cloud: CloudInTest) -> CloudInTest:
    """A cloud with a template that is ACTIVE and set up."""
    cloud.state.snapshots.add_template("tf-titi", cloud.state.options.template_setup)
    cloud.wait(600)
    return cloud


def template(cloud: CloudInTest) -> CloudServer:
    (found,) = cloud.state.servers()
    return found


def ordered(cloud: CloudInTest, name: str = NAME) -> ImageOrder:
    return ImageOrder(name=name, server_id=template(cloud).id, metadata=METADATA)


def listed(cloud: CloudInTest) -> list[Image]:
    return list(cloud.port.worker_images().images)


def test_an_image_is_queued_at_once_then_saved_then_active(farm: CloudInTest) -> None:
    asked_at = farm.state.timeline.now()
    image_id = farm.port.make_image(ordered(farm))
    seen = [listed(farm)]
    for _ in range(3):
        farm.wait(farm.state.options.image_time.total_seconds() / 3 + 1)
        seen.append(listed(farm))
    assert [[image.status for image in images] for images in seen] == [
        ["queued"],
        ["queued"],
        ["saving"],
        ["active"],
    ]
    assert seen[-1] == [
        Image(
            id=image_id,
            name=NAME,
            status="active",
            created_at=asked_at,
            made_of=template(farm).id,
            metadata=METADATA,
        )
    ]


def test_what_was_made_or_deleted_shows_in_the_next_snapshot(farm: CloudInTest) -> None:
    assert farm.port.snapshot().worker_images.images == ()
    image_id = farm.port.make_image(ordered(farm))
    assert [i.id for i in farm.port.snapshot().worker_images.images] == [image_id]
    farm.port.delete_image(image_id)
    assert farm.port.snapshot().worker_images.images == ()


def test_a_list_of_images_is_kept_for_a_minute_and_numbered(farm: CloudInTest) -> None:
    first = farm.port.snapshot().worker_images
    farm.state.add_image(NAME)
    assert farm.port.snapshot().worker_images == first
    assert listed(farm) != []
    farm.wait(61)
    later = farm.port.snapshot().worker_images
    assert later.number > first.number
    assert later.requested_at > first.requested_at
    assert [image.name for image in later.images] == [NAME]


def test_images_of_other_names_are_not_listed_as_those_of_workers(farm: CloudInTest) -> None:
    farm.port.make_image(ordered(farm, name="a-backup"))
    assert listed(farm) == []


def test_a_server_boots_from_an_image_by_its_id(farm: CloudInTest) -> None:
    older = farm.port.make_image(ordered(farm))
    farm.wait(100)
    farm.port.make_image(ordered(farm))
    farm.wait(100)
    server_id = farm.port.create(an_order(image=older))
    servers = {server.id: server for server in farm.port.snapshot().servers}
    assert servers[server_id].image_id == older


def test_an_image_inherits_the_metadata_of_the_one_that_its_server_booted_from(
    farm: CloudInTest,
) -> None:
    base = farm.port.make_image(ordered(farm))
    farm.wait(100)
    server_id = farm.port.create(an_order(image=base))
    farm.wait(100)
    own = {INTENT_METADATA: "another"}
    made = farm.port.make_image(ImageOrder(name=NAME, server_id=server_id, metadata=own))
    (image,) = [image for image in listed(farm) if image.id == made]
    assert image.made_of == server_id
    assert image.metadata == {**METADATA, **own}


def test_a_server_is_copied_once_at_a_time(farm: CloudInTest) -> None:
    farm.port.make_image(ordered(farm))
    with pytest.raises(Conflict, match="image_snapshot"):
        farm.port.make_image(ordered(farm))
    assert len(listed(farm)) == 1
    assert farm.port.snapshot().servers[0].task_state == "image_snapshot_pending"


def test_a_server_that_is_built_cannot_be_copied(cloud: CloudInTest) -> None:
    cloud.state.snapshots.add_template("tf-titi", None)
    cloud.wait(1)
    with pytest.raises(Conflict, match="createImage"):
        cloud.port.make_image(ordered(cloud))


def test_a_server_that_is_gone_cannot_be_copied(farm: CloudInTest) -> None:
    order = ordered(farm)
    farm.state.vanish(order.server_id)
    with pytest.raises(NotFound):
        farm.port.make_image(order)


@pytest.mark.parametrize(
    ("how", "statuses", "task_state"),
    [
        pytest.param(SnapshotFailure.GIVEN_UP, [], None, id="nova-removes-it"),
        pytest.param(SnapshotFailure.KILLED, ["killed"], None, id="glance-refuses-it"),
        pytest.param(SnapshotFailure.STUCK, ["queued"], "image_snapshot_pending", id="stuck"),
    ],
)
def test_an_image_may_fail_in_these_ways(
    farm: CloudInTest, how: SnapshotFailure, statuses: list[str], task_state: str | None
) -> None:
    farm.state.snapshots.fail(how)
    farm.port.make_image(ordered(farm))
    farm.wait(3600)
    assert [image.status for image in listed(farm)] == statuses
    assert farm.port.snapshot().servers[0].task_state == task_state


def test_a_template_that_goes_takes_the_image_in_the_making_along(farm: CloudInTest) -> None:
    farm.port.make_image(ordered(farm))
    farm.wait(50)
    farm.state.vanish(template(farm).id)
    farm.wait(100)
    assert listed(farm) == []


def test_an_image_deleted_twice_is_gone(farm: CloudInTest) -> None:
    image_id = farm.port.make_image(ordered(farm))
    farm.port.delete_image(image_id)
    farm.port.delete_image(image_id)
    assert listed(farm) == []


@pytest.mark.parametrize("late", [0, 30])
def test_an_answer_that_is_lost_is_unknown_and_the_image_shows(
    make_cloud: MakeCloud, late: int
) -> None:
    cloud = make_cloud(CloudOptions(late_effect=timedelta(seconds=late)))
    cloud.state.snapshots.add_template("tf-titi", None)
    cloud.wait(600)
    cloud.faults.order("cloud.make_image", Fault.LOST_REPLY)
    with pytest.raises(Unknown):
        cloud.port.make_image(ordered(cloud))
    assert len(listed(cloud)) == (not late)
    cloud.wait(31)
    assert [image.metadata for image in listed(cloud)] == [METADATA]


def test_the_console_says_when_the_set_up_has_finished(cloud: CloudInTest) -> None:
    cloud.state.snapshots.add_template("tf-titi", cloud.state.options.template_setup)
    cloud.wait(90)
    assert FINISHED_TEXT not in cloud.port.console(template(cloud).id)
    cloud.wait(600)
    assert FINISHED_TEXT in cloud.port.console(template(cloud).id)


def test_a_server_without_a_host_has_no_console(cloud: CloudInTest) -> None:
    cloud.state.ordered.fail_boots(BootFailure.NO_VALID_HOST)
    server_id = cloud.port.create(an_order())
    cloud.wait(10)
    with pytest.raises(Conflict):
        cloud.port.console(server_id)
    with pytest.raises(NotFound):
        cloud.port.console("0" * 36)


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST_REPLY])
def test_a_console_that_is_not_shown_is_no_unknown_outcome(farm: CloudInTest, fault: Fault) -> None:
    farm.faults.order("cloud.console", fault)
    with pytest.raises(Unavailable):
        farm.port.console(template(farm).id)
