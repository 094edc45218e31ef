"""What `hrsi doctor` learns of Nomad: of the simulator, of answers taken down from Nomad 2.0.5, and
of a live one where one can be had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from werkzeug.wrappers import Request, Response

from infra.nomad import NomadAccess, NomadHttpProbe
from models.errors import Refused
from simulator.http.server import HttpServer
from tests.plugins.live_nomad import BINARY
from tests.plugins.nomad import LIVE, Wired
from tests.plugins.nomad_agents import Agents

NOBODYS = "00000000-0000-0000-0000-000000000000"
NO_TOKEN = "neither a uuid nor signed"


def a_probe(url: str, token: str | None = None) -> NomadHttpProbe:
    """A probe of the Nomad at this address."""
    access = NomadAccess(
        address=url, deployment="test", token=token, call_deadline=timedelta(seconds=30)
    )
    return NomadHttpProbe(access, lambda: datetime.now(UTC))


def test_where_access_control_is_off_anybody_may_do_everything(wired_nomad: Wired) -> None:
    probe = a_probe(wired_nomad.url)
    rights = probe.rights()
    probe.close()
    assert (rights.everything_read, rights.nodes_written) == (True, True)
    assert "anybody" in rights.who


def test_version_and_time_are_told_and_the_stream_begins_at_once(wired_nomad: Wired) -> None:
    probe = a_probe(wired_nomad.url)
    probe.listen()
    assert tuple(map(int, probe.version().split(".")[:2])) >= (1, 3)
    assert abs(probe.ahead()) < timedelta(seconds=5)
    probe.close()


# ---- with access control -------------------------------------------------------------------------

READING = """list-jobs parse-job read-job csi-list-volume csi-read-volume read-job-scaling
    list-scaling-policies read-scaling-policy host-volume-read""".split()
WRITING = [*READING, "submit-job", "dispatch-job", "read-logs", "read-fs", "alloc-lifecycle"]


def in_namespace(name: str, policy: str, capabilities: list[str]) -> dict[str, Any]:
    """What a policy says of a namespace, as Nomad shows it."""
    return {"Name": name, "Policy": policy, "Capabilities": capabilities, "Variables": None}


READS_ALL = in_namespace("*", "read", READING)
NODES = {"Node": {"Policy": "write"}}
CASES = [
    pytest.param(
        'namespace "*" { policy = "read" } node { policy = "write" }',
        {"Namespaces": [READS_ALL], **NODES},
        (True, True),
        id="all-that-is-needed",
    ),
    pytest.param(
        'namespace "*" { capabilities = ["list-jobs", "read-job"] } node { policy = "write" }',
        {"Namespaces": [in_namespace("*", "", ["list-jobs", "read-job"])], **NODES},
        (True, True),
        id="by-capabilities",
    ),
    pytest.param(
        'namespace "default" { policy = "write" } node { policy = "write" }',
        {"Namespaces": [in_namespace("default", "write", WRITING)], **NODES},
        (False, True),
        id="one-namespace",
    ),
    pytest.param(
        'namespace "*" { policy = "read" } namespace "x" { policy = "deny" }',
        {"Namespaces": [READS_ALL, in_namespace("x", "deny", ["deny"])], "Node": None},
        (False, False),
        id="one-denied",
    ),
    pytest.param(
        'namespace "*" { policy = "read" } node { policy = "read" }',
        {"Namespaces": [READS_ALL], "Node": {"Policy": "read"}},
        (True, False),
        id="no-writing-of-nodes",
    ),
    pytest.param(
        'agent { policy = "read" }',
        {"Namespaces": None, "Node": None},
        (False, False),
        id="nothing-of-use",
    ),
]


class Guarded:
    """A Nomad with access control, real or taken down."""

    def __init__(self, url: str, grant: Callable[[str, Mapping[str, Any]], str]) -> None:
        self.url = url
        self.grant = grant


@contextmanager
def taken_down() -> Iterator[Guarded]:
    """Answers as Nomad 2.0.5 gave them."""
    known: dict[str, Any] = {}

    def grant(_: str, rules: Mapping[str, Any]) -> str:
        known["/v1/acl/token/self"] = {"Name": "t", "Type": "client", "Policies": ["p"]}
        known["/v1/acl/policy/p"] = {"Name": "p", "RulesJSON": rules}
        return "good"

    def answer(request: Request) -> Response:
        given = request.headers.get("X-Nomad-Token")
        if given == "good":
            return Response(msgspec.json.encode(known[request.path]))
        if given == NOBODYS:
            return Response("Permission denied", status=403)
        said = "failed to parse signed token: go-jose/go-jose: compact JWS format must have three"
        return Response(said, status=500)

    with HttpServer(answer, name="guarded") as server:
        yield Guarded(server.url, grant)


@contextmanager
def real(folder: Path) -> Iterator[Guarded]:
    """A server of our own with access control."""
    assert BINARY is not None, "nomad is not on the PATH"
    with Agents(BINARY, folder / "agents", {"acl": {"enabled": True}}) as agents:
        url = f"{agents.server.url}/v1/acl"
        answer = requests.post(f"{url}/bootstrap", timeout=30)
        headers = {"X-Nomad-Token": answer.json()["SecretID"]}

        def grant(rules: str, _: Mapping[str, Any]) -> str:
            policy, token = {"Name": "p", "Rules": rules}, {"Type": "client", "Policies": ["p"]}
            requests.post(
                f"{url}/policy/p", json=policy, headers=headers, timeout=30
            ).raise_for_status()
            made = requests.post(f"{url}/token", json=token, headers=headers, timeout=30)
            return str(made.json()["SecretID"])

        yield Guarded(agents.server.url, grant)


@pytest.fixture(params=["taken-down", *LIVE])
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    """A Nomad with access control."""
    made: AbstractContextManager[Guarded] = (
        real(tmp_path) if request.param == "live" else taken_down()
    )
    with made as one:
        yield one


@pytest.mark.parametrize(("hcl", "shown", "rights"), CASES)
def test_what_a_token_may_do_is_read_from_its_policies(
    guarded: Guarded, hcl: str, shown: Mapping[str, Any], rights: tuple[bool, bool]
) -> None:
    probe = a_probe(guarded.url, guarded.grant(hcl, shown))
    found = probe.rights()
    probe.close()
    assert (found.everything_read, found.nodes_written) == rights


@pytest.mark.parametrize("token", [NOBODYS, NO_TOKEN], ids=["of-nobody", "no-token"])
def test_a_token_that_nomad_does_not_know_is_refused(guarded: Guarded, token: str) -> None:
    probe = a_probe(guarded.url, token)
    with pytest.raises(Refused, match="NOMAD_TOKEN"):
        probe.rights()
    probe.close()
