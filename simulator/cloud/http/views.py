"""A server and a flavor in Nova's JSON, in the microversion that was asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from models.job_types import Flavor
from simulator.cloud.servers import CloudServer

EMBEDDED_FLAVOR = (2, 47)
TAGS = (2, 26)
POWER_RUNNING, POWER_NONE = 1, 0


def as_json(
    server: CloudServer, base: str, version: tuple[int, int], project_id: str
) -> dict[str, Any]:
    """A server in details; of one in a down cell only a stub."""
    link = {"rel": "self", "href": f"{base}/servers/{server.id}"}
    stub = {
        "id": server.id,
        "status": "UNKNOWN",
        "tenant_id": project_id,
        "created": _whole(server.created_at),
        "links": [link],
    }
    if server.cell_down:
        return stub
    has_zone = server.counted and not server.in_cell0
    shown = stub | {
        "status": server.status,
        "name": server.name,
        "user_id": project_id,
        "metadata": dict(server.wanted.metadata),
        "hostId": _host_id(server, project_id),
        "image": {"id": server.wanted.image_id, "links": []},
        "flavor": _flavor(server, version),
        "updated": _whole(server.updated_at),
        "addresses": _addresses(server),
        "accessIPv4": "",
        "accessIPv6": "",
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": "nova" if has_zone else "",
        "config_drive": "",
        "key_name": server.wanted.key_name,
        "OS-SRV-USG:launched_at": _exact(server.launched_at),
        "OS-SRV-USG:terminated_at": None,
        "OS-EXT-STS:task_state": server.task_state,
        "OS-EXT-STS:vm_state": server.vm_state,
        "OS-EXT-STS:power_state": POWER_RUNNING if server.status == "ACTIVE" else POWER_NONE,
        "os-extended-volumes:volumes_attached": [],
        "security_groups": [{"name": name} for name in server.wanted.security_groups],
    }
    if version >= TAGS:
        shown["tags"] = list(server.wanted.tags)
    if server.status in {"BUILD", "ACTIVE"}:
        shown["progress"] = 0
    if server.status == "ERROR":
        shown |= _fault(server)
    return shown


def _host_id(server: CloudServer, project_id: str) -> str:
    has_host = server.counted and not (server.in_cell0 or server.over_quota)
    return project_id * 2 if has_host else ""


def _fault(server: CloudServer) -> dict[str, Any]:
    if server.fault is None:
        return {}
    at = _whole(server.fault_at or server.updated_at)
    code = 413 if server.over_quota else 500
    return {"fault": {"code": code, "message": server.fault, "created": at}}


def flavor_as_json(flavor_id: str, flavor: Flavor) -> dict[str, Any]:
    """A flavor in details."""
    return {
        "id": flavor_id,
        "name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.memory_mb,
        "disk": flavor.disk_gb,
        "swap": 0,
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
        "rxtx_factor": 1.0,
        "links": [],
    }


def _flavor(server: CloudServer, version: tuple[int, int]) -> dict[str, Any]:
    if version < EMBEDDED_FLAVOR:
        return {"id": server.wanted.flavor_id, "links": []}
    flavor = server.flavor
    return {
        "original_name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.memory_mb,
        "disk": flavor.disk_gb,
        "ephemeral": 0,
        "swap": 0,
        "extra_specs": {},
    }


def _addresses(server: CloudServer) -> dict[str, Any]:
    if server.address is None:
        return {}
    return {
        server.network or "private": [
            {
                "version": 4,
                "addr": server.address,
                "OS-EXT-IPS:type": "fixed",
                "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:01",
            }
        ]
    }


def _whole(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _exact(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%f")
