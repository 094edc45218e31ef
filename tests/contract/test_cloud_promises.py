"""What `models.ports.Cloud` promises of every cloud: also run on a real one, see `any_cloud`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from models.errors import Malformed, NotFound, Unknown
from models.fleet import DEPLOYMENT_METADATA, INTENT_METADATA
from models.images import image_name
from models.ports import ImageOrder, ServerOrder
from tests.plugins.any_cloud import AnyCloud

CLOCKS_DIFFER = timedelta(minutes=2)
"""By how much a cloud's clock may be off ours."""


def test_a_created_server_is_listed_at_once_with_all_that_was_asked_for(
    any_cloud: AnyCloud,
) -> None:
    order = any_cloud.order()
    server_id = any_cloud.port.create(order)
    server = any_cloud.listed(server_id)
    assert (server.id, server.name, server.flavor) == (server_id, order.name, order.flavor)
    assert server.metadata == order.metadata
    assert server.status in {"BUILD", "ACTIVE"}
    assert any_cloud.port.exists(server_id)


def test_the_time_of_creation_is_in_whole_seconds_and_ours(any_cloud: AnyCloud) -> None:
    asked = any_cloud.face.clock.now()
    created = any_cloud.listed(any_cloud.port.create(any_cloud.order())).created_at
    assert created.microsecond == 0
    assert abs(created - asked) < CLOCKS_DIFFER


def test_a_server_boots_and_gets_an_address_and_was_created_when_it_was(
    any_cloud: AnyCloud,
) -> None:
    server_id = any_cloud.port.create(any_cloud.order())
    created = any_cloud.listed(server_id).created_at
    server = any_cloud.until_active(server_id)
    assert (server.status, server.task_state, server.fault) == ("ACTIVE", None, None)
    assert server.address is not None
    assert server.created_at == created


def test_two_servers_may_have_one_name(any_cloud: AnyCloud) -> None:
    order = any_cloud.order()
    made = {any_cloud.port.create(order), any_cloud.port.create(order)}
    assert len(made) == 2
    assert any_cloud.mine().keys() == made


def test_servers_that_are_created_at_once_are_all_made_once(any_cloud: AnyCloud) -> None:
    orders = [any_cloud.order() for _ in range(4)]
    with ThreadPoolExecutor(len(orders)) as threads:
        made = list(threads.map(any_cloud.port.create, orders))
    found = {server.name: server.id for server in any_cloud.mine().values()}
    assert found == {order.name: each for order, each in zip(orders, made, strict=True)}


def test_a_deleted_server_leaves_the_list_and_then_does_not_exist(any_cloud: AnyCloud) -> None:
    server_id = any_cloud.port.create(any_cloud.order())
    any_cloud.until_active(server_id)
    any_cloud.port.delete(server_id)
    any_cloud.port.delete(server_id)  # twice is fine
    any_cloud.until(lambda: not any_cloud.port.exists(server_id))
    assert any_cloud.mine() == {}
    any_cloud.port.delete(server_id)  # and so is once more


def test_a_server_that_is_deleted_while_it_boots_ends_as_well(any_cloud: AnyCloud) -> None:
    server_id = any_cloud.port.create(any_cloud.order())
    any_cloud.until(lambda: any_cloud.listed(server_id).task_state != "scheduling")
    any_cloud.port.delete(server_id)
    any_cloud.until(lambda: not any_cloud.port.exists(server_id))
    for _ in range(3):
        any_cloud.face.pause()
        assert any_cloud.mine() == {}


def test_what_never_was_does_not_exist_and_may_be_deleted(any_cloud: AnyCloud) -> None:
    nobody = str(uuid4())
    any_cloud.port.delete(nobody)
    assert not any_cloud.port.exists(nobody)


def test_servers_of_other_deployments_are_listed_too(any_cloud: AnyCloud) -> None:
    theirs = any_cloud.order(metadata={DEPLOYMENT_METADATA: f"{any_cloud.deployment}-theirs"})
    server_id = any_cloud.port.create(theirs)
    try:
        assert any_cloud.mine() == {}
        assert server_id in {server.id for server in any_cloud.port.snapshot().servers}
    finally:
        any_cloud.port.delete(server_id)
        any_cloud.until(lambda: not any_cloud.port.exists(server_id))


def test_no_server_is_said_to_be_counted_by_the_quota_before_it_is(any_cloud: AnyCloud) -> None:
    made: set[str] = set()

    def all_are_counted() -> bool:
        seen = any_cloud.face.port(1000).snapshot()
        counted = len(made & seen.quota_servers)
        quota = seen.quota
        assert min(quota.used_servers, quota.used_vcpus, quota.used_memory_mb) >= counted
        return counted == 4

    while len(made) < 4:
        made.add(any_cloud.port.create(any_cloud.order()))
        all_are_counted()
    any_cloud.until(all_are_counted)


def test_a_server_that_is_on_its_way_out_is_not_said_to_be_counted(any_cloud: AnyCloud) -> None:
    server_id = any_cloud.port.create(any_cloud.order())
    any_cloud.until_active(server_id)
    assert server_id in any_cloud.face.port(1000).snapshot().quota_servers
    any_cloud.port.delete(server_id)
    assert server_id not in any_cloud.face.port(1000).snapshot().quota_servers


def test_a_list_in_small_pages_is_the_list(any_cloud: AnyCloud) -> None:
    made = {any_cloud.port.create(any_cloud.order()) for _ in range(3)}
    paged = any_cloud.face.port(2).snapshot().servers
    assert made <= {server.id for server in paged}
    assert len(paged) == len({server.id for server in paged})


def test_a_snapshot_shows_what_workers_are_made_of(any_cloud: AnyCloud) -> None:
    snapshot = any_cloud.port.snapshot()
    assert any_cloud.face.image in snapshot.images
    assert any_cloud.face.flavor in snapshot.flavors


def test_snapshots_are_numbered_and_say_when_they_were_asked_for(any_cloud: AnyCloud) -> None:
    before = any_cloud.face.clock.now()
    first = any_cloud.port.snapshot()
    any_cloud.face.pause()
    second = any_cloud.port.snapshot()
    assert second.number > first.number
    assert before <= first.requested_at < second.requested_at <= any_cloud.face.clock.now()


def test_metadata_is_kept_letter_by_letter(any_cloud: AnyCloud) -> None:
    said = {DEPLOYMENT_METADATA: any_cloud.deployment, "hrsi_note": "Ötztal; 100 % 'snow' \"ice\""}
    server_id = any_cloud.port.create(any_cloud.order(metadata=said))
    assert any_cloud.listed(server_id).metadata == said


Change = Callable[[AnyCloud], dict[str, Any]]


def _metadata(value: str) -> Change:
    return lambda cloud: {"metadata": {DEPLOYMENT_METADATA: cloud.deployment, "hrsi_note": value}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda _: {"flavor": "nope"}, "nope", id="flavor"),
        pytest.param(lambda _: {"image": "nope"}, "image", id="image"),
        pytest.param(lambda _: {"networks": ("nope",)}, "nope", id="network"),
        pytest.param(
            lambda _: {"networks": (str(uuid4()),)}, "Network .* could not be", id="network-by-id"
        ),
        pytest.param(lambda _: {"security_groups": ("nope",)}, "nope", id="security-group"),
        pytest.param(
            lambda _: {"security_groups": (str(uuid4()),)},
            "Unable to find security_group",
            id="security-group-by-id",
        ),
        pytest.param(lambda _: {"key_name": "nope"}, "key_name", id="key"),
        pytest.param(lambda _: {"name": "n" * 256}, "name", id="name-too-long"),
        pytest.param(_metadata("v" * 256), "hrsi_note", id="metadata-too-long"),
        pytest.param(lambda _: {"user_data": "u" * 60_000}, "user_data", id="user-data-too-long"),
    ],
)
def test_a_create_that_makes_no_sense_is_malformed_and_makes_nothing(
    any_cloud: AnyCloud, change: Change, words: str
) -> None:
    order: ServerOrder = any_cloud.order(**change(any_cloud))
    with pytest.raises(Malformed, match=words):
        any_cloud.port.create(order)
    assert any_cloud.mine() == {}


def test_a_create_without_an_answer_is_unknown_and_shows_up_once(any_cloud: AnyCloud) -> None:
    any_cloud.port.snapshot()  # whatever is asked first, such as a token, has been asked
    order = any_cloud.order()
    with any_cloud.face.unheard() as port, pytest.raises(Unknown):
        port.create(order)
    any_cloud.until(lambda: bool(any_cloud.mine()))
    any_cloud.face.pause()
    (server,) = any_cloud.mine().values()
    assert server.metadata[INTENT_METADATA] == order.metadata[INTENT_METADATA]


def _image_of(any_cloud: AnyCloud, server_id: str) -> ImageOrder:
    return ImageOrder(
        name=image_name(str(uuid4())),
        server_id=server_id,
        metadata={DEPLOYMENT_METADATA: any_cloud.deployment},
    )


def _is_active(any_cloud: AnyCloud, image_id: str) -> bool:
    return any_cloud.images()[image_id].status == "active"


def test_an_image_of_a_server_is_listed_at_once_and_workers_boot_from_it_when_it_is_active(
    any_cloud: AnyCloud,
) -> None:
    server_id = any_cloud.port.create(any_cloud.order())
    any_cloud.until_active(server_id)
    order = _image_of(any_cloud, server_id)
    image_id = any_cloud.port.make_image(order)
    image = any_cloud.images()[image_id]
    assert (image.id, image.name, image.made_of) == (image_id, order.name, server_id)
    any_cloud.until(lambda: _is_active(any_cloud, image_id))
    by_name, by_id = (any_cloud.order(image=image) for image in (order.name, image_id))
    made = [any_cloud.port.create(by_name), any_cloud.port.create(by_id)]
    assert {any_cloud.until_active(each).status for each in made} == {"ACTIVE"}


def test_an_image_that_is_deleted_is_listed_no_more_and_may_be_deleted_again(
    any_cloud: AnyCloud,
) -> None:
    server_id = any_cloud.port.create(any_cloud.order())
    any_cloud.until_active(server_id)
    image_id = any_cloud.port.make_image(_image_of(any_cloud, server_id))
    any_cloud.until(lambda: _is_active(any_cloud, image_id))
    any_cloud.port.delete_image(image_id)
    assert any_cloud.images() == {}
    any_cloud.port.delete_image(image_id)
    any_cloud.port.delete_image(str(uuid4()))


def test_a_flavor_whose_disk_is_smaller_than_that_of_the_images_server_cannot_boot_from_it(
    any_cloud: AnyCloud,
) -> None:
    server_id = any_cloud.port.create(any_cloud.order(flavor=any_cloud.face.roomier))
    any_cloud.until_active(server_id)
    order = _image_of(any_cloud, server_id)
    image_id = any_cloud.port.make_image(order)
    any_cloud.until(lambda: _is_active(any_cloud, image_id))
    with pytest.raises(Malformed, match="Flavor's disk is smaller than the minimum size"):
        any_cloud.port.create(any_cloud.order(image=order.name))


def test_a_server_that_is_there_has_a_console_and_one_that_is_not_has_none(
    any_cloud: AnyCloud,
) -> None:
    server_id = any_cloud.port.create(any_cloud.order())
    any_cloud.until_active(server_id)
    assert isinstance(any_cloud.port.console(server_id), str)
    with pytest.raises(NotFound):
        any_cloud.port.console(str(uuid4()))
