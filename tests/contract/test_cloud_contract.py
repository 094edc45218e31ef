"""What `models.ports.Cloud` promises, kept by the port in memory and by the real adapter alike."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import (
    Conflict,
    FailureClass,
    Malformed,
    PortError,
    QuotaExceeded,
    Throttled,
    Unavailable,
    Unknown,
)
from models.job_types import DEFAULT_REGISTRY
from models.ports import ServerOrder
from models.world import Quota, Server
from simulator.cloud.options import BootFailure, CloudOptions
from simulator.cloud.servers import Wanted
from simulator.faults import Fault
from tests.plugins.cloud import CloudInTest, MakeCloud, an_order


def only_server(cloud: CloudInTest) -> Server:
    (server,) = cloud.port.snapshot().servers
    return server


def test_a_created_server_is_listed_at_once_with_all_that_was_asked_for(
    cloud: CloudInTest,
) -> None:
    order = an_order()
    server_id = cloud.port.create(order)
    assert only_server(cloud) == Server(
        id=server_id,
        name=order.name,
        status="BUILD",
        created_at=cloud.state.timeline.now(),
        flavor=order.flavor,
        task_state="scheduling",
        metadata=order.metadata,
        image_id=cloud.state.image_id(order.image),
    )
    assert cloud.port.exists(server_id)


def test_a_server_boots_and_gets_an_address(cloud: CloudInTest) -> None:
    created = cloud.state.timeline.now()
    cloud.port.create(an_order())
    cloud.wait(59)
    assert only_server(cloud).status == "BUILD"
    cloud.wait(2)
    server = only_server(cloud)
    assert (server.status, server.task_state, server.created_at) == ("ACTIVE", None, created)
    assert server.address == "10.77.0.2"


def test_created_times_are_whole_seconds_as_in_nova(cloud: CloudInTest) -> None:
    begun = cloud.state.timeline.now()
    cloud.wait(7.75)
    cloud.port.create(an_order())
    assert only_server(cloud).created_at == begun + timedelta(seconds=7)


def test_two_servers_may_have_one_name(cloud: CloudInTest) -> None:
    first, second = cloud.port.create(an_order()), cloud.port.create(an_order())
    assert [server.id for server in cloud.port.snapshot().servers] == [second, first]


def test_a_deleted_server_leaves_the_list_and_then_does_not_exist(cloud: CloudInTest) -> None:
    server_id = cloud.port.create(an_order())
    cloud.wait(100)
    cloud.port.delete(server_id)
    assert (only_server(cloud).status, only_server(cloud).task_state) == ("ACTIVE", "deleting")
    assert cloud.port.exists(server_id)
    cloud.port.delete(server_id)  # twice is fine
    cloud.wait(3.1)
    assert cloud.state.server(server_id).status == "DELETED"
    assert not cloud.port.exists(server_id), "DELETED is gone"
    assert cloud.port.snapshot().servers == ()
    cloud.wait(1)
    assert not cloud.port.exists(server_id)


def test_deleting_what_is_gone_or_never_was_is_no_error(cloud: CloudInTest) -> None:
    server_id = cloud.port.create(an_order())
    cloud.state.vanish(server_id)
    cloud.port.delete(server_id)
    cloud.port.delete("0d3a1a0e-0000-4000-8000-000000000000")
    assert not cloud.port.exists("0d3a1a0e-0000-4000-8000-000000000000")


def test_servers_of_others_are_listed_and_counted(cloud: CloudInTest) -> None:
    theirs = cloud.state.create(a_wanted(cloud))
    ours = cloud.port.create(an_order())
    cloud.wait(1)
    snapshot = cloud.port.snapshot()
    assert {server.id for server in snapshot.servers} == {theirs.id, ours}
    assert snapshot.quota.used_servers == 2
    assert snapshot.quota_servers == {theirs.id, ours}


def a_wanted(cloud: CloudInTest) -> Wanted:
    return Wanted(
        name="somebody-elses",
        flavor_id=cloud.state.flavor_id("hm.large"),
        image_id=cloud.state.image_id("os-worker-template"),
    )


def test_a_snapshot_shows_flavors_images_and_quota(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(CloudOptions(max_servers=10, max_vcpus=None, max_memory_mb=100_000))
    cloud.state.add_image("not-ready-yet", status="queued")
    cloud.port.create(an_order())
    cloud.wait(1)
    snapshot = cloud.port.snapshot()
    assert snapshot.flavors == set(DEFAULT_REGISTRY.flavors)
    assert snapshot.images == {"os-worker-template"}
    assert snapshot.quota == Quota(
        max_servers=10,
        used_servers=1,
        max_vcpus=None,
        used_vcpus=2,
        max_memory_mb=100_000,
        used_memory_mb=16_384,
    )


def test_quota_flavors_and_images_are_kept_for_a_minute_while_servers_are_not(
    cloud: CloudInTest,
) -> None:
    before = cloud.port.snapshot()
    server_id = cloud.port.create(an_order())
    cloud.state.add_image("newer")
    cloud.wait(59)
    soon = cloud.port.snapshot()
    assert [server.id for server in soon.servers] == [server_id]
    assert (soon.quota, soon.quota_servers, soon.images) == (
        before.quota,
        frozenset(),
        before.images,
    )
    cloud.wait(1)
    later = cloud.port.snapshot()
    assert (later.quota.used_servers, later.quota_servers) == (1, frozenset({server_id}))
    assert later.images == {"newer", "os-worker-template"}


def test_snapshots_are_numbered_and_say_when_they_were_asked_for(cloud: CloudInTest) -> None:
    first = cloud.port.snapshot()
    cloud.wait(5)
    second = cloud.port.snapshot()
    assert second.number > first.number
    assert second.requested_at - first.requested_at == timedelta(seconds=5)
    assert second.requested_at == cloud.state.timeline.now()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(
            CloudOptions(max_servers=1),
            "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances",
            id="instances",
        ),
        pytest.param(
            CloudOptions(max_vcpus=3),
            "Quota exceeded for cores: Requested 2, but already used 2 of 3 cores",
            id="cores",
        ),
        pytest.param(
            CloudOptions(max_memory_mb=20_000),
            "Quota exceeded for ram: Requested 16384, but already used 16384 of 20000 ram",
            id="memory",
        ),
    ],
)
def test_a_create_beyond_the_quota_is_refused_in_novas_words(
    make_cloud: MakeCloud, options: CloudOptions, words: str
) -> None:
    cloud = make_cloud(options)
    cloud.state.ordered.fail_boots(BootFailure.NO_VALID_HOST)  # ERROR servers count as well
    cloud.port.create(an_order())
    cloud.wait(1)
    with pytest.raises(QuotaExceeded, match=words) as refused:
        cloud.port.create(an_order("os-worker-002"))
    assert refused.value.failure is FailureClass.QUOTA
    assert only_server(cloud).status == "ERROR"


@pytest.mark.parametrize(
    ("order", "named"),
    [
        pytest.param(an_order(flavor="nope"), "nope", id="flavor"),
        pytest.param(an_order(image="nope"), "image", id="image"),
        pytest.param(an_order(image="frozen"), "image", id="image-not-active"),
        pytest.param(an_order(networks=("nope",)), "nope", id="network"),
        pytest.param(an_order(security_groups=("nope",)), "nope", id="security-group"),
        pytest.param(an_order(name="n" * 256), "name", id="name-too-long"),
        pytest.param(an_order(user_data="u" * 60_000), "user_data", id="user-data-too-long"),
    ],
)
def test_a_create_that_makes_no_sense_is_malformed_and_makes_nothing(
    cloud: CloudInTest, order: ServerOrder, named: str
) -> None:
    cloud.state.add_image("frozen", status="queued")
    with pytest.raises(Malformed, match=named):
        cloud.port.create(order)
    assert cloud.port.snapshot().servers == ()


def test_a_choice_of_networks_without_a_name_is_a_conflict(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(CloudOptions(networks=("one", "two")))
    with pytest.raises(Conflict, match="Multiple possible networks"):
        cloud.port.create(an_order(networks=()))
    cloud.port.create(an_order(networks=("two",)))


def test_the_newest_active_image_of_a_name_is_booted(cloud: CloudInTest) -> None:
    newest = cloud.state.add_image("os-worker-template")
    cloud.state.add_image("os-worker-template", status="saving")
    server = cloud.state.server(cloud.port.create(an_order()))
    assert server.wanted.image_id == newest.id


@pytest.mark.parametrize(
    ("failure", "after", "fault"),
    [
        pytest.param(
            BootFailure.NO_VALID_HOST, 1, None, id="no-valid-host-hides-its-fault-from-lists"
        ),
        pytest.param(BootFailure.SPAWN, 61, "Exceeded maximum number of retries", id="spawn"),
    ],
)
def test_an_error_server_is_listed_until_it_is_deleted(
    cloud: CloudInTest, failure: BootFailure, after: float, fault: str | None
) -> None:
    cloud.state.ordered.fail_boots(failure)
    server_id = cloud.port.create(an_order())
    cloud.wait(after)
    server = only_server(cloud)
    assert server.status == "ERROR"
    assert server.fault is None if fault is None else fault in str(server.fault)
    cloud.port.delete(server_id)
    cloud.wait(10)
    assert cloud.port.snapshot().servers == ()


def test_servers_of_a_down_cell_are_unknown_and_present(cloud: CloudInTest) -> None:
    lost, other = cloud.port.create(an_order()), cloud.port.create(an_order("os-worker-002"))
    cloud.wait(100)
    cloud.state.lose_cell([lost])
    servers = {server.id: server for server in cloud.port.snapshot().servers}
    assert (servers[lost].status, servers[lost].name) == ("UNKNOWN", "")
    assert servers[other].status == "ACTIVE"
    assert cloud.port.exists(lost)
    cloud.state.restore_cell([lost])
    assert {server.status for server in cloud.port.snapshot().servers} == {"ACTIVE"}


# ---- faults --------------------------------------------------------------------------------------


class Operation:
    """One method of the port, and how to see what it did."""

    def __init__(self, name: str, call: Callable[[CloudInTest, str], object]) -> None:
        self.name = name
        self.call = call


SNAPSHOT = Operation("cloud.snapshot", lambda cloud, _: cloud.port.snapshot())
EXISTS = Operation("cloud.exists", lambda cloud, there: cloud.port.exists(there))
CREATE = Operation("cloud.create", lambda cloud, _: cloud.port.create(an_order("second")))
DELETE = Operation("cloud.delete", lambda cloud, there: cloud.port.delete(there))


@pytest.mark.parametrize(
    ("operation", "fault", "error", "done"),
    [
        pytest.param(SNAPSHOT, Fault.REFUSED, Unavailable, False, id="list-refused"),
        pytest.param(SNAPSHOT, Fault.TIMEOUT, Unavailable, False, id="list-timeout"),
        pytest.param(SNAPSHOT, Fault.SERVER_ERROR, Unavailable, False, id="list-500"),
        pytest.param(SNAPSHOT, Fault.CUT_SHORT, Unavailable, False, id="list-breaks-off"),
        pytest.param(SNAPSHOT, Fault.LOST_REPLY, Unavailable, False, id="list-lost"),
        pytest.param(SNAPSHOT, Fault.THROTTLED, Throttled, False, id="list-throttled"),
        pytest.param(EXISTS, Fault.REFUSED, Unavailable, False, id="get-refused"),
        pytest.param(EXISTS, Fault.TIMEOUT, Unavailable, False, id="get-timeout"),
        pytest.param(EXISTS, Fault.SERVER_ERROR, Unavailable, False, id="get-500"),
        pytest.param(EXISTS, Fault.LOST_REPLY, Unavailable, False, id="get-lost"),
        pytest.param(EXISTS, Fault.THROTTLED, Throttled, False, id="get-throttled"),
        pytest.param(CREATE, Fault.REFUSED, Unavailable, False, id="create-refused"),
        pytest.param(CREATE, Fault.TIMEOUT, Unknown, False, id="create-timeout"),
        pytest.param(CREATE, Fault.SERVER_ERROR, Unknown, False, id="create-500"),
        pytest.param(CREATE, Fault.LOST_REPLY, Unknown, True, id="create-lost"),
        pytest.param(CREATE, Fault.THROTTLED, Throttled, False, id="create-throttled"),
        pytest.param(DELETE, Fault.REFUSED, Unavailable, False, id="delete-refused"),
        pytest.param(DELETE, Fault.TIMEOUT, Unknown, False, id="delete-timeout"),
        pytest.param(DELETE, Fault.SERVER_ERROR, Unknown, False, id="delete-500"),
        pytest.param(DELETE, Fault.LOST_REPLY, Unknown, True, id="delete-lost"),
        pytest.param(DELETE, Fault.THROTTLED, Throttled, False, id="delete-throttled"),
    ],
)
def test_every_fault_is_the_error_that_says_what_to_do_next(
    cloud: CloudInTest, operation: Operation, fault: Fault, error: type[PortError], *, done: bool
) -> None:
    there = cloud.port.create(an_order())
    cloud.wait(100)
    cloud.port.snapshot()  # whatever is asked first, such as versions, has been asked
    cloud.faults.order(operation.name, fault)
    with cloud.impatient(), pytest.raises(error) as raised:
        operation.call(cloud, there)
    assert type(raised.value) is error
    assert raised.value.retry_after == (timedelta(seconds=2) if error is Throttled else None)
    assert (cloud.state.created == 2) is (done and operation is CREATE)
    assert cloud.state.server(there).doomed is (done and operation is DELETE)
    operation.call(cloud, there)  # the fault has passed


def test_a_create_whose_reply_was_lost_may_take_effect_much_later(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(CloudOptions(late_effect=timedelta(seconds=16)))
    cloud.faults.order("cloud.create", Fault.LOST_REPLY)
    with pytest.raises(Unknown):
        cloud.port.create(an_order())
    cloud.wait(15)
    assert cloud.port.snapshot().servers == ()
    cloud.wait(2)
    assert only_server(cloud).metadata["hrsi_intent"] == "intent of os-worker-001"


def test_a_refusal_whose_reply_was_lost_is_an_unknown_outcome_too(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(CloudOptions(max_servers=0))
    cloud.faults.order("cloud.create", Fault.LOST_REPLY)
    with pytest.raises(Unknown):
        cloud.port.create(an_order())
    assert cloud.port.snapshot().servers == ()


# ---- any order of things -------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), st.sampled_from(sorted(DEFAULT_REGISTRY.flavors))),
        st.tuples(st.just("delete"), st.integers(0, 20)),
        st.tuples(st.just("vanish"), st.integers(0, 20)),
        st.tuples(st.just("wait"), st.sampled_from([0.2, 1, 5, 30, 90])),
    ),
    max_size=25,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_list_is_what_exists_after_any_history(
    make_cloud: MakeCloud, steps: list[tuple[str, str | float]]
) -> None:
    cloud = make_cloud(CloudOptions(max_vcpus=40))
    made: list[str] = []
    asked_to_go: set[str] = set()
    for step, value in steps:
        match step, value:
            case "create", str():
                try:
                    made.append(cloud.port.create(an_order(flavor=value)))
                except QuotaExceeded:
                    assert cloud.state.quota().used_vcpus > 40 - 8
            case "wait", _:
                cloud.wait(float(value))
            case "vanish", int() if value < len(made) and cloud.port.exists(made[value]):
                cloud.state.vanish(made[value])
                asked_to_go.add(made[value])
            case "delete", int() if value < len(made):
                cloud.port.delete(made[value])
                asked_to_go.add(made[value])
            case _:
                continue
        listed = [server.id for server in cloud.port.snapshot().servers]
        assert set(listed) == {server_id for server_id in made if cloud.port.exists(server_id)}
        assert len(set(listed)) == len(listed)
        assert set(made) - set(listed) <= asked_to_go, "nothing goes that nobody asked to go"
        assert cloud.state.quota().used_vcpus <= 40
    cloud.wait(200)
    left = {server.id for server in cloud.port.snapshot().servers}
    assert left == set(made) - asked_to_go
