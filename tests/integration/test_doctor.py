"""`hrsi doctor` on real clients: what is well, what is not, and that nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from werkzeug.wrappers import Request, Response

from controller.clock import SystemClock
from infra.nomad import NomadAccess, NomadHttpProbe
from infra.postgres.database import connect
from models.errors import Malformed, PortError, Refused, Unavailable
from models.job_types import FLAVORS
from models.ports import Asked
from simulator.catalogues.state import SimulatedCatalogue
from simulator.catalogues.web import serve_catalogue
from simulator.cloud.options import CloudOptions
from simulator.faults import Fault
from simulator.http.server import HttpServer
from tests.plugins.installation import Installation, installed


def checks_of(place: Installation, **settings: str) -> dict[str, dict[str, Any]]:
    """Every check by its system and name."""
    said = place.type("doctor", "--json", **settings).json
    return {f"{check['about']} {check['name']}": check for check in said["checks"]}


def health_of(place: Installation, check: str, **settings: str) -> tuple[str, str]:
    found = checks_of(place, **settings)[check]
    return found["health"], f"{found['found']} | {found['remedy']}"


def test_a_fresh_installation_lacks_only_a_controller(installation: Installation) -> None:
    typed = installation.type("doctor", "--json")
    wrong = [c for c in typed.json["checks"] if c["health"] != "ok"]
    assert typed.status == 1
    assert typed.json["health"] == "warning"
    assert {f"{c['about']} {c['name']}" for c in wrong} == {
        "nomad parents",
        "postgres loop configuration",
        "postgres loop execution",
        "postgres loop monitor",
        "postgres loop worker-pool",
    }
    assert all(check["remedy"] for check in wrong)
    assert {"nomad rights", "nomad event stream", "openstack quota", "postgres clock"} <= set(
        checks_of(installation)
    )


def test_with_the_parents_registered_and_loops_held_all_is_well(
    installation: Installation,
) -> None:
    installation.one_pass("execution")
    hour = timedelta(hours=1)
    for loop in ("configuration", "execution", "monitor", "worker-pool"):
        assert installation.database.store.acquire(loop, "somebody", hour)
    typed = installation.type("doctor")
    assert typed.status == 0, typed.out
    assert "How to mend it" not in typed.out
    assert "somebody runs it, epoch" in typed.out


def test_nothing_is_changed(installation: Installation) -> None:
    database, outside = installation.database, installation.served.outside
    before = database.reader.totals(), database.reader.leases(), outside.nomad.state.index
    installation.type("doctor")
    after = database.reader.totals(), database.reader.leases(), outside.nomad.state.index
    assert after == before
    assert outside.cloud.created == 0


def test_a_lease_that_ran_out_names_who_had_it(installation: Installation) -> None:
    assert installation.database.store.acquire("monitor", "gone-1", timedelta(milliseconds=1))
    health, told = health_of(installation, "postgres loop monitor")
    assert health == "warning"
    assert "gone-1 held its lease" in told


@pytest.mark.parametrize(
    ("check", "settings", "sentence"),
    [
        pytest.param(
            "settings complete",
            {"HRSI_DEPLOYMENT": ""},
            "deployment: it is not set",
            id="a-setting-is-missing",
        ),
        pytest.param(
            "postgres version",
            {"DATABASE_URL": "postgresql://hrsi:hunter2@127.0.0.1:1/hrsi"},
            "check DATABASE_URL",
            id="no-database",
        ),
        pytest.param(
            "nomad lists", {"NOMAD_ADDR": "http://127.0.0.1:1"}, "check NOMAD_ADDR", id="no-nomad"
        ),
        pytest.param(
            "openstack project",
            {"OS_AUTH_URL": "http://127.0.0.1:1/v3"},
            "check OS_CLOUD",
            id="no-cloud",
        ),
        pytest.param(
            "openstack project",
            {"HRSI_OPENSTACK_PROJECT": "somebody-elses"},
            "somebody-elses",
            id="another-project",
        ),
        pytest.param(
            "openstack project", {"OS_PASSWORD": "wrong"}, "is not let in", id="wrong-password"
        ),
        pytest.param("openstack settings", {"OS_USERNAME": ""}, "OS_USERNAME", id="no-credentials"),
        pytest.param(
            "openstack image",
            {"HRSI_OPENSTACK_IMAGE": "none-of-this-name"},
            "none-of-this-name",
            id="no-image",
        ),
        pytest.param(
            "openstack networks",
            {"HRSI_OPENSTACK_NETWORKS": "farm-net,none-of-this-name"},
            "no network is called 'none-of-this-name'",
            id="no-network",
        ),
        pytest.param(
            "openstack networks",
            {"HRSI_OPENSTACK_SECURITY_GROUPS": "none-of-this-name"},
            "no security group is called 'none-of-this-name'",
            id="no-security-group",
        ),
    ],
)
def test_what_fails_is_said_with_its_remedy_and_the_rest_is_looked_at(
    installation: Installation, check: str, settings: dict[str, str], sentence: str
) -> None:
    typed = installation.type("doctor", "--json", **settings)
    found = {f"{c['about']} {c['name']}": c for c in typed.json["checks"]}[check]
    assert typed.status == 2
    assert found["health"] == "failed"
    assert sentence in f"{found['found']} {found['remedy']}"
    assert {c["about"] for c in typed.json["checks"]} == {
        "settings",
        "postgres",
        "nomad",
        "openstack",
    }
    assert "hunter2" not in typed.out


def test_the_area_is_told_and_each_catalogue_is_asked(installation: Installation) -> None:
    with serve_catalogue(SimulatedCatalogue("both", SystemClock(), ())) as server:
        found = checks_of(
            installation,
            HRSI_CREATION_ODATA=f"creodias={server.url}",
            HRSI_CREATION_PRODUCTS=f"ours={server.url}",
            HRSI_CREATION_TILES="32TLR,32TMS",
        )
    assert found["catalogue area"]["found"] == "it has 2 tiles"
    assert found["catalogue creodias"]["health"] == "ok"
    assert found["catalogue ours"]["health"] == "ok"


@pytest.mark.parametrize(
    ("check", "settings", "sentence"),
    [
        pytest.param(
            "catalogue nobody",
            {"HRSI_CREATION_TILES": "32TLR"},
            "nobody at http://127.0.0.1:1 refuses connections | check the address in creation",
            id="a-catalogue-that-is-away",
        ),
        pytest.param("catalogue settings", {}, "creation.area and creation.tiles", id="no-area"),
        pytest.param(
            "catalogue settings", {"HRSI_CREATION_TILES": "T32TMS"}, "'T32TMS'", id="no-tile"
        ),
    ],
)
def test_creation_that_would_not_work_is_told(
    installation: Installation, check: str, settings: dict[str, str], sentence: str
) -> None:
    nobody = {"HRSI_CREATION_ODATA": "nobody=http://127.0.0.1:1"}
    health, told = health_of(installation, check, **nobody, **settings)
    assert health == "failed"
    assert sentence in told


def test_a_database_of_another_shape_is_told_and_left_alone(
    installation: Installation, empty_database_url: str
) -> None:
    found = checks_of(installation, DATABASE_URL=empty_database_url)
    assert found["postgres revision"]["health"] == "failed"
    assert "at revision none" in found["postgres revision"]["found"]
    assert "hrsi migrate" in found["postgres revision"]["remedy"]
    assert "postgres parameters" not in found
    again = checks_of(installation, DATABASE_URL=empty_database_url)
    assert again["postgres revision"] == found["postgres revision"]


def test_no_embedded_database_is_made(installation: Installation) -> None:
    health, told = health_of(installation, "postgres version", DATABASE_URL="")
    assert health == "warning"
    assert "no embedded database yet" in told
    assert not (installation.folder / ".hrsi").exists()


def test_parameters_that_do_not_go_together_are_told(installation: Installation) -> None:
    with installation.database.sessions.write("spoil") as connection:
        connection.exec_driver_sql(
            "insert into parameter_changes (key, author, reason, new_value) "
            "values ('passes.lease', 'somebody', 'by hand', '1')"
        )
    health, told = health_of(installation, "postgres parameters")
    assert health == "failed"
    assert "passes.lease" in told


def test_a_cloud_that_is_small_old_and_poor(own_database_url: str, tmp_path: Path) -> None:
    options = CloudOptions(
        flavors=tuple(flavor for flavor in FLAVORS if flavor.name != "hm.large"),
        max_servers=5,
        max_vcpus=1000,
        max_microversion="2.60",
    )
    with installed(own_database_url, tmp_path, options) as place:
        found = checks_of(place)
    assert found["openstack flavors"]["health"] == "failed"
    assert "rlies1 will wait" in found["openstack flavors"]["found"]
    assert found["openstack quota"]["health"] == "warning"
    assert (
        found["openstack quota"]["found"] == "5 servers are left to us, pool.max_workers allows 210"
    )
    assert found["openstack microversion"]["health"] == "warning"


def test_the_quota_is_compared_with_the_parameters_in_force(
    own_database_url: str, tmp_path: Path
) -> None:
    with installed(own_database_url, tmp_path, CloudOptions(max_servers=5)) as place:
        asked = Asked(actor="test", reason="test")
        place.database.operations.set_parameter("pool.max_workers", 5, asked)
        assert health_of(place, "openstack quota")[0] == "ok"


def test_a_nomad_that_answers_badly_is_told(installation: Installation) -> None:
    installation.served.faults.order("nomad.watch", Fault.REFUSED)
    health, told = health_of(installation, "nomad event stream")
    assert health == "failed"
    assert "No cluster leader" in told


def test_the_clock_of_the_database_is_compared_with_ours(own_database_url: str) -> None:
    database = connect(own_database_url, application_name="tests")
    from infra.postgres import PostgresProbe

    slow = timedelta(minutes=10)
    try:
        right = PostgresProbe(database.sessions, lambda: datetime.now(UTC))
        behind = PostgresProbe(database.sessions, lambda: datetime.now(UTC) - slow)
        assert abs(right.ahead()) < timedelta(seconds=2)
        assert abs(behind.ahead() - slow) < timedelta(seconds=2)
    finally:
        database.dispose()


# ---- a Nomad with access control, by its answers -------------------------------------------------

WRITES_NODES = {"Node": {"Policy": "write"}}
READS_ALL = {"Namespaces": [{"Name": "*", "Policy": "read", "Capabilities": None}]}
MAY_LIST = {"Namespaces": [{"Name": "*", "Capabilities": ["list-jobs", "read-job"]}]}
OURS_ALONE = {"Namespaces": [{"Name": "default", "Policy": "write"}]}
NOT_THEIRS = {"Namespaces": [{"Name": "*", "Policy": "write"}, {"Name": "x", "Policy": "deny"}]}


@contextmanager
def probe_of(answers: dict[str, Any], now: datetime | None = None) -> Iterator[NomadHttpProbe]:
    """A probe of a Nomad that says this: a status, or what becomes JSON."""

    def answer(request: Request) -> Response:
        said = answers.get(request.path, 404)
        if isinstance(said, tuple):
            return Response(said[1], status=said[0])
        if isinstance(said, int):
            return Response("404 page not found", status=said)
        return Response(msgspec.json.encode(said), mimetype="application/json")

    with HttpServer(answer, name="nomad") as server:
        access = NomadAccess(
            address=server.url, deployment="test", call_deadline=timedelta(seconds=5)
        )
        probe = NomadHttpProbe(access, lambda: now or datetime.now(UTC))
        try:
            yield probe
        finally:
            probe.close()


def a_token(**fields: Any) -> dict[str, Any]:
    return {"/v1/acl/token/self": {"Name": "hrsi", "Type": "client", "Policies": ["p"], **fields}}


def a_policy(*rules: dict[str, Any]) -> dict[str, Any]:
    together: dict[str, Any] = {}
    for each in rules:
        together.update(each)
    return {"/v1/acl/policy/p": {"Name": "p", "RulesJSON": together}}


@pytest.mark.parametrize(
    ("answers", "reads", "writes"),
    [
        pytest.param(
            {"/v1/acl/token/self": (400, "ACL support disabled")}, True, True, id="no-control-once"
        ),
        pytest.param(
            a_token(AccessorID="acls-disabled", Policies=None), True, True, id="no-control"
        ),
        pytest.param(a_token(Type="management", Policies=None), True, True, id="management"),
        pytest.param({**a_token(), **a_policy(READS_ALL, WRITES_NODES)}, True, True, id="read"),
        pytest.param({**a_token(), **a_policy(MAY_LIST)}, True, False, id="capabilities"),
        pytest.param({**a_token(), **a_policy(OURS_ALONE)}, False, False, id="one-namespace"),
        pytest.param({**a_token(), **a_policy(NOT_THEIRS)}, False, False, id="one-denied"),
        pytest.param({**a_token(Policies=None)}, False, False, id="no-policy"),
        pytest.param(
            {
                **a_token(Policies=None, Roles=[{"ID": "r", "Name": "farm"}]),
                "/v1/acl/role/r": {"Policies": [{"Name": "p"}]},
                **a_policy(READS_ALL, WRITES_NODES),
            },
            True,
            True,
            id="by-a-role",
        ),
        pytest.param(
            {**a_token(), "/v1/acl/policy/p": (403, "Permission denied")}, None, None, id="hidden"
        ),
    ],
)
def test_what_a_token_may_do_is_read_from_its_policies(
    answers: dict[str, Any], reads: object, writes: object
) -> None:
    with probe_of(answers) as probe:
        rights = probe.rights()
    assert (rights.everything_read, rights.nodes_written) == (reads, writes)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param((403, "ACL token not found"), id="once"),
        pytest.param((403, "Permission denied"), id="of-nobody"),
        pytest.param((500, "failed to parse signed token: go-jose/go-jose: …"), id="no-token"),
    ],
)
def test_a_token_that_nomad_does_not_know_is_refused(said: tuple[int, str]) -> None:
    with (
        probe_of({"/v1/acl/token/self": said}) as probe,
        pytest.raises(Refused, match="NOMAD_TOKEN"),
    ):
        probe.rights()


def test_the_clock_of_nomad_is_compared_with_ours() -> None:
    with probe_of({"/v1/nodes": []}) as probe:
        assert abs(probe.ahead()) < timedelta(seconds=2)
    with probe_of({"/v1/nodes": []}, datetime.now(UTC) + timedelta(minutes=5)) as probe:
        assert probe.ahead() < timedelta(minutes=-4)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param((403, "Permission denied"), Refused, id="refused"),
        pytest.param({"config": {}}, Malformed, id="senseless"),
        pytest.param((500, "No cluster leader"), Unavailable, id="no-leader"),
    ],
)
def test_a_version_that_cannot_be_had_says_why(answer: Any, error: type[PortError]) -> None:
    with probe_of({"/v1/agent/self": answer}) as probe, pytest.raises(error):
        probe.version()
