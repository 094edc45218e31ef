"""The small pages beside the loops."""

import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry

from controller.config_values import Address
from controller.health import HealthServer

UNKNOWN = "Nomad is unknown: no answer for 10.0 s; nothing is dispatched until it answers"


@pytest.mark.parametrize(
    ("obstacles", "status", "body"),
    [
        pytest.param([], 200, f"ok\n{UNKNOWN}\n", id="ready"),
        pytest.param(["loop x failed"], 503, f"loop x failed\n{UNKNOWN}\n", id="not-ready"),
    ],
)
def test_an_unknown_source_is_named_below_the_verdict_and_changes_it_not(
    obstacles: list[str], status: int, body: str
) -> None:
    server = HealthServer(
        Address("127.0.0.1", 0),
        CollectorRegistry(),
        faults=list,
        obstacles=lambda: obstacles,
        remarks=lambda: [UNKNOWN],
    )
    server.start()
    try:
        assert page(server, "/readyz") == (status, body)
        assert page(server, "/healthz") == (200, "ok\n")
        names = [line.split()[0] for line in page(server, "/")[1].splitlines()]
        assert names == ["/metrics", "/healthz", "/readyz"]
        assert [page(server, name)[0] for name in names] == [200, 200, status]
    finally:
        server.stop()


def page(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{server.address}{path}", timeout=120) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
