"""The life that the simulated cloud gives its servers is the one that Nova gives them."""

from datetime import timedelta

import pytest

from models.errors import Malformed, NotFound, QuotaExceeded
from models.job_types import DEFAULT_REGISTRY
from simulator.cloud.options import BootFailure, CloudOptions
from simulator.cloud.servers import CloudServer, Wanted
from simulator.cloud.state import SimulatedCloud
from simulator.timeline import Timeline

OPTIONS = CloudOptions(boot_time=timedelta(seconds=20), delete_time=timedelta(seconds=3))


def a_cloud(options: CloudOptions = OPTIONS) -> SimulatedCloud:
    return SimulatedCloud(Timeline(), options)


def ask(cloud: SimulatedCloud, name: str = "w", flavor: str = "hm.medium") -> CloudServer:
    return cloud.create(
        Wanted(
            name=name,
            flavor_id=cloud.flavor_id(flavor),
            image_id=cloud.image_id("os-worker-template"),
        )
    )


def wait(cloud: SimulatedCloud, seconds: float) -> None:
    cloud.timeline.advance(timedelta(seconds=seconds))


def states(cloud: SimulatedCloud, server: CloudServer, seconds: float) -> list[str]:
    """The different states that GET shows while time goes by, `404` at the end of it."""
    seen: list[str] = []
    for _ in range(int(seconds / 0.1)):
        try:
            now = cloud.server(server.id)
        except NotFound:
            shown = "404"
        else:
            shown = f"{now.status}/{now.task_state}/{now.vm_state}"
        if seen[-1:] != [shown]:
            seen.append(shown)
        wait(cloud, 0.1)
    return seen


BOOT = [
    "BUILD/scheduling/building",
    "BUILD/None/building",
    "BUILD/networking/building",
    "BUILD/spawning/building",
]
END = ["DELETED/None/deleted", "404"]


@pytest.mark.parametrize(
    ("failure", "life"),
    [
        pytest.param(None, [*BOOT, "ACTIVE/None/active"], id="a-boot"),
        pytest.param(
            BootFailure.NO_VALID_HOST, [BOOT[0], "ERROR/None/building"], id="no-valid-host"
        ),
        pytest.param(BootFailure.SPAWN, [*BOOT, "ERROR/None/error"], id="spawn-fails-everywhere"),
        pytest.param(BootFailure.NEVER_ENDS, BOOT, id="a-build-that-never-ends"),
    ],
)
def test_a_server_boots_or_fails_through_novas_states(
    failure: BootFailure | None, life: list[str]
) -> None:
    cloud = a_cloud()
    if failure is not None:
        cloud.ordered.fail_boots(failure)
    assert states(cloud, ask(cloud), 40) == life


@pytest.mark.parametrize(
    ("when", "failure", "life"),
    [
        pytest.param(30, None, ["ACTIVE/deleting/active", *END], id="active"),
        pytest.param(0.5, None, ["404"], id="never-scheduled-vanishes-at-once"),
        pytest.param(
            10,
            None,
            ["BUILD/deleting/building", "ACTIVE/None/active", *END],
            id="in-build-it-is-active-for-a-moment",
        ),
        pytest.param(30, BootFailure.NO_VALID_HOST, ["404"], id="cell0-is-gone-at-once"),
        pytest.param(30, BootFailure.SPAWN, ["ERROR/deleting/error", *END], id="error-on-a-host"),
        pytest.param(
            30, BootFailure.NEVER_ENDS, ["BUILD/deleting/building", *END], id="stuck-in-build"
        ),
    ],
)
def test_a_delete_ends_a_server_through_novas_states(
    when: float, failure: BootFailure | None, life: list[str]
) -> None:
    cloud = a_cloud()
    if failure is not None:
        cloud.ordered.fail_boots(failure)
    server = ask(cloud)
    wait(cloud, when)
    cloud.delete(server.id)
    assert states(cloud, server, 20) == life
    with pytest.raises(NotFound, match=f"Instance {server.id} could not be found"):
        cloud.delete(server.id)


def test_a_server_that_is_shown_as_deleted_cannot_be_deleted_again() -> None:
    cloud = a_cloud()
    server = ask(cloud)
    wait(cloud, 30)
    cloud.delete(server.id)
    cloud.delete(server.id)
    wait(cloud, 3.2)
    assert cloud.server(server.id).status == "DELETED"
    with pytest.raises(NotFound):
        cloud.delete(server.id)


def test_a_delete_that_fails_on_its_host_ends_in_error_and_works_the_second_time() -> None:
    cloud = a_cloud()
    server = ask(cloud)
    wait(cloud, 30)
    cloud.ordered.fail_deletes()
    cloud.delete(server.id)
    wait(cloud, 10)
    assert server.status == "ERROR"
    assert server.fault == "Failed to terminate the instance on its host"
    cloud.delete(server.id)
    wait(cloud, 10)
    assert cloud.servers() == []


def test_listeners_hear_of_every_machine_that_starts_and_of_every_one_that_ends() -> None:
    cloud, heard = a_cloud(), list[str]()
    cloud.on_active.append(lambda server: heard.append(f"{server.name} active"))
    cloud.on_gone.append(lambda server: heard.append(f"{server.name} gone"))
    first, second, third = ask(cloud, "first"), ask(cloud, "second"), ask(cloud, "third")
    wait(cloud, 10)
    cloud.delete(second.id)
    wait(cloud, 11)
    cloud.delete(first.id)
    cloud.vanish(third.id)
    wait(cloud, 10)
    assert heard == ["first active", "third active", "third gone", "second gone", "first gone"]
    assert (cloud.created, cloud.deleted) == (3, 3)


def test_a_broken_server_stays_in_error_until_it_is_deleted_even_when_its_end_was_asked() -> None:
    cloud = a_cloud()
    server = ask(cloud)
    wait(cloud, 10)
    cloud.delete(server.id)
    cloud.break_server(server.id, "the host burned")
    wait(cloud, 60)
    assert (server.status, server.fault) == ("ERROR", "the host burned")
    cloud.delete(server.id)
    wait(cloud, 10)
    assert cloud.servers() == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param(
            CloudOptions(max_servers=2),
            "Quota exceeded for instances: Requested 1, but already used 2 of 2 instances",
            id="instances",
        ),
        pytest.param(
            CloudOptions(max_vcpus=5),
            "Quota exceeded for cores: Requested 2, but already used 4 of 5 cores",
            id="cores",
        ),
        pytest.param(
            CloudOptions(max_vcpus=5, max_memory_mb=33_000),
            "Quota exceeded for cores, ram: Requested 2, 16384, but already used 4, 32768 of "
            "5, 33000 cores, ram",
            id="cores-and-memory",
        ),
    ],
)
def test_the_quota_refuses_in_novas_words_and_counts_error_servers(
    options: CloudOptions, text: str
) -> None:
    cloud = a_cloud(options)
    cloud.ordered.fail_boots(BootFailure.NO_VALID_HOST)
    ask(cloud)
    ask(cloud)
    wait(cloud, 1)
    with pytest.raises(QuotaExceeded) as refused:
        ask(cloud)
    assert str(refused.value) == text


def test_of_servers_that_are_asked_for_together_those_beyond_the_quota_go_to_error() -> None:
    cloud = a_cloud(CloudOptions(max_servers=3))
    servers = [ask(cloud, f"w-{number}") for number in range(5)]
    assert cloud.quota().used_servers == 0, "none is counted before a host was looked for"
    wait(cloud, 1)
    assert [server.status for server in servers] == ["BUILD"] * 3 + ["ERROR"] * 2
    text = "Quota exceeded for instances: Requested 1, but already used 3 of 3 instances"
    assert {server.as_listed().fault for server in servers[3:]} == {text}
    assert cloud.quota().used_servers == 5, "and they go on counting"
    cloud.delete(servers[4].id)
    wait(cloud, 100)
    assert cloud.quota().used_servers == 4
    assert [server.status for server in servers[:3]] == ["ACTIVE"] * 3


def test_a_flavor_too_big_for_every_host_finds_none() -> None:
    cloud = a_cloud(CloudOptions(largest_host_vcpus=4))
    server = ask(cloud, flavor="hm.xlarge")
    wait(cloud, 1)
    assert (server.status, server.fault) == ("ERROR", "No valid host was found. ")


def test_boots_of_one_flavor_fail_while_others_go_on() -> None:
    cloud = a_cloud()
    cloud.ordered.fail_boots(BootFailure.SPAWN, flavor="hm.large")
    other, large = ask(cloud), ask(cloud, flavor="hm.large")
    wait(cloud, 30)
    assert (other.status, large.status) == ("ACTIVE", "ERROR")


def test_the_newest_active_image_of_a_name_is_taken() -> None:
    cloud = a_cloud()
    newer = cloud.add_image("os-worker-template")
    saving = cloud.add_image("os-worker-template", status="queued")
    assert cloud.image_id("os-worker-template") == newer.id
    cloud.remove_image(newer.id)
    assert cloud.image_id("os-worker-template") not in {newer.id, saving.id}


@pytest.mark.parametrize(
    ("name", "metadata", "user_data"),
    [
        pytest.param("n" * 256, {}, None, id="name"),
        pytest.param("w", {"key": "v" * 256}, None, id="metadata-value"),
        pytest.param("w", {}, "u" * 65_536, id="user-data"),
    ],
)
def test_what_is_too_long_is_refused_with_all_of_it_twice(
    name: str, metadata: dict[str, str], user_data: str | None
) -> None:
    cloud = a_cloud()
    long = next(iter(metadata.values()), user_data or name)
    wanted = Wanted(
        name=name,
        flavor_id=cloud.flavor_id("hm.medium"),
        image_id=cloud.image_id("os-worker-template"),
        metadata=metadata,
        user_data=user_data,
    )
    with pytest.raises(Malformed) as refused:
        cloud.create(wanted)
    assert str(refused.value).count(long) == 2


def test_boots_of_the_same_seed_take_the_same_time() -> None:
    def times(seed: int) -> list[float]:
        cloud = a_cloud(CloudOptions(boot_spread=0.5, seed=seed))
        servers = [ask(cloud) for _ in range(5)]
        wait(cloud, 200)
        return [_boot_seconds(server) for server in servers]

    assert times(1) == times(1) != times(2)


def _boot_seconds(server: CloudServer) -> float:
    assert server.launched_at is not None
    return (server.launched_at - server.created_at).total_seconds()


def test_all_flavors_of_the_registry_are_offered_by_default() -> None:
    cloud = a_cloud()
    ids = {cloud.flavor_id(name) for name in DEFAULT_REGISTRY.flavors}
    assert len(ids) == len(DEFAULT_REGISTRY.flavors)


def test_servers_that_boot_at_the_same_time_get_addresses_of_their_own() -> None:
    cloud = a_cloud()
    servers = [ask(cloud, name=f"w-{number}") for number in range(5)]
    wait(cloud, 120)
    assert [server.address for server in servers] == [f"10.77.0.{last}" for last in range(2, 7)]
