"""The simulated Nomad as a bare HTTP client finds it, as far as a live one cannot be asked for it;
`tests/contract/test_nomad_wire.py` has the rest.
"""

import pytest
import requests

from simulator.nomad.cluster import NomadCluster
from simulator.nomad.tasks import Sleepers
from simulator.nomad.web import serve_nomad
from simulator.timeline import Timeline
from tests.plugins.nomad import SimulatedNomad


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        pytest.param({}, 403, "Permission denied", id="none"),
        pytest.param({"X-Nomad-Token": "wrong"}, 403, "Permission denied", id="wrong"),
        pytest.param({"X-Nomad-Token": "right"}, 200, "[]", id="right"),
    ],
)
def test_a_token_is_asked_of_everybody(headers: dict[str, str], status: int, text: str) -> None:
    cluster = NomadCluster(Timeline(), Sleepers())
    with serve_nomad(cluster, token="right") as server:
        response = requests.get(server.url + "/v1/nodes", headers=headers, timeout=120)
        health = requests.get(server.url + "/v1/agent/health", timeout=120)
    assert (response.status_code, response.text) == (status, text)
    assert health.status_code == 200


def test_a_change_of_leader_shows_in_its_address(served_nomad: SimulatedNomad) -> None:
    leaders = []
    for _ in range(2):
        leaders.append(requests.get(f"{served_nomad.url}/v1/status/leader", timeout=120).json())
        served_nomad.cluster.change_leader()
    assert leaders == ["10.0.0.1:4647", "10.0.0.2:4647"]


def test_a_node_without_a_known_server_can_be_filtered_by_its_host(
    served_nomad: SimulatedNomad,
) -> None:
    server_id = "6b282f32-d632-467f-9ac6-fc78bb08c885"
    served_nomad.ready_node(server_id=server_id)
    served_nomad.ready_node("os-worker-002")
    found = requests.get(
        f"{served_nomad.url}/v1/nodes",
        params={"filter": f'Attributes["unique.host_id"] == "{server_id}"'},
        timeout=120,
    ).json()
    assert [node["Name"] for node in found] == ["os-worker-001"]
