"""What a worker's Nomad client is told to be, and which servers get a client at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.nomad.rows import FullNode
from models.errors import ConfigurationError, Malformed, Unavailable
from models.fleet import (
    DEPLOYMENT_METADATA,
    FLAVOR_METADATA,
    INTENT_METADATA,
    NO_POOL,
    POOL_METADATA,
)
from models.nodes import INELIGIBLE_JOIN
from worker.node import Machine, Site, agent_config, configure, site_from, version_from

SERVER_ID = "0d9c5a3e-6b53-4d1b-9f0e-6f9f5a3c2b10"
SITE = Site(servers=("10.0.0.5:4647",))
WORKER: dict[str, Any] = {
    "uuid": SERVER_ID,
    "name": "os-worker-007",
    "meta": {DEPLOYMENT_METADATA: "prod", FLAVOR_METADATA: "hm.large", INTENT_METADATA: "any"},
}


def config(metadata: dict[str, Any], version: tuple[int, int, int] = (2, 0, 5)) -> dict[str, Any]:
    """The configuration of a server that gets one."""
    found = agent_config(metadata, SITE, version)
    assert found is not None
    return found


def test_the_node_is_named_and_classed_as_the_pool_expects() -> None:
    found = config(WORKER)
    assert found["name"] == "os-worker-007"
    assert found["client"]["node_class"] == "hm.large"
    assert found["client"]["servers"] == ["10.0.0.5:4647"]


def test_the_pool_proves_the_server_by_what_the_node_says() -> None:
    node = FullNode(
        id="any",
        name="os-worker-007",
        node_class="hm.large",
        eligibility="ineligible",
        modify_index=1,
        meta=config(WORKER)["client"]["meta"],
        attributes={"unique.host_id": "another"},
    )
    assert node.identity().server_id == SERVER_ID


@pytest.mark.parametrize(
    ("version", "ineligible"),
    [
        pytest.param((2, 0, 2), False, id="an-older-Nomad-would-not-start-with-it"),
        pytest.param(INELIGIBLE_JOIN, True, id="the-first-that-can"),
        pytest.param((2, 1, 0), True, id="a-later-one"),
    ],
)
def test_a_node_joins_ineligible_where_nomad_has_it(
    version: tuple[int, int, int], ineligible: bool
) -> None:
    assert config(WORKER, version)["client"].get("default_ineligible", False) is ineligible


@pytest.mark.parametrize(
    "meta",
    [
        pytest.param({}, id="the-template"),
        pytest.param(None, id="no-metadata"),
        pytest.param({FLAVOR_METADATA: "hm.large"}, id="nobodys"),
        pytest.param({DEPLOYMENT_METADATA: "prod"}, id="without-a-flavor"),
        pytest.param({**WORKER["meta"], POOL_METADATA: NO_POOL}, id="outside-the-pool"),
    ],
)
def test_what_is_no_worker_gets_no_client(meta: dict[str, str] | None) -> None:
    assert agent_config({**WORKER, "meta": meta}, SITE, (2, 0, 5)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"uuid": None}, id="no-id"),
        pytest.param({"name": "os worker"}, id="a-name-with-a-blank"),
        pytest.param({"name": 7}, id="a-name-that-is-no-text"),
    ],
)
def test_a_server_that_cannot_say_who_it_is_joins_nothing(wrong: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        agent_config({**WORKER, **wrong}, SITE, (2, 0, 5))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"servers": []}', '{"servers": ["a:1"], "zone": "x"}'],
    ids=["empty", "a-list", "no-servers", "none-of-them", "an-unknown-key"],
)
def test_a_site_that_does_not_say_where_nomad_is_stops_the_setup(text: str) -> None:
    with pytest.raises(ConfigurationError):
        site_from(text)


def test_the_version_is_read_from_what_nomad_says() -> None:
    assert version_from("Nomad v2.0.5\nBuildDate 2026-08-12T10:00:00Z\n") == (2, 0, 5)
    with pytest.raises(ConfigurationError):
        version_from("command not found")


@contextmanager
def metadata_service(body: bytes, status: int = 200) -> Iterator[str]:
    """A metadata service that answers everything so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A worker with everything but somebody who tells it who it is."""
    nomad, site = tmp_path / "nomad", tmp_path / "node.json"
    nomad.write_text("#!/bin/sh\necho Nomad v2.0.5\n")
    nomad.chmod(0o755)
    site.write_text('{"servers": ["10.0.0.5:4647"]}')
    return Machine(metadata="", nomad=str(nomad), site=site, agent=tmp_path / "d" / "hrsi.json")


def test_a_worker_writes_what_the_metadata_service_says(machine: Machine) -> None:
    with metadata_service(json.dumps(WORKER).encode()) as url:
        configure(replace(machine, metadata=url))
    assert json.loads(machine.agent.read_text()) == config(WORKER)


def test_a_server_that_is_no_worker_keeps_no_configuration_of_its_image(machine: Machine) -> None:
    machine.agent.parent.mkdir()
    machine.agent.write_text("{}")
    with metadata_service(json.dumps({**WORKER, "meta": {}}).encode()) as url:
        configure(replace(machine, metadata=url))
    assert not machine.agent.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 503, id="not-yet"),
        pytest.param(b"<html>", 200, id="no-json"),
        pytest.param(b"[]", 200, id="no-object"),
    ],
)
def test_while_nobody_says_who_it_is_nothing_is_written(
    machine: Machine, body: bytes, status: int
) -> None:
    with metadata_service(body, status) as url, pytest.raises(Unavailable):
        configure(replace(machine, metadata=url))
    assert not machine.agent.exists()
