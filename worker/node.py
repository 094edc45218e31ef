"""How a worker's Nomad client is set up when its server boots: who it is, by the cloud's word.

A worker boots from the image of the template server, where the client is enabled and has no
configuration. This program asks the metadata service who the server is and writes it: the node is
named like the server, its class is the flavor, its meta has the server's id, and it joins
ineligible where Nomad can do so. A server that is no worker of ours, as the template itself, or one
that is to join no pool, gets none, and its client does not start.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import urllib3

from models.errors import ConfigurationError, HrsiError, Malformed, Unavailable
from models.fleet import DEPLOYMENT_METADATA, FLAVOR_METADATA, NO_POOL, POOL_METADATA
from models.nodes import INELIGIBLE_JOIN, SERVER_ID_META

SITE_FILE = Path("/etc/hrsi/node.json")
SECONDS = 10.0

_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")

Version = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What is the same for all workers of an installation: where Nomad's servers are."""

    servers: tuple[str, ...]
    region: str = "global"
    datacenter: str = "dc1"


def site_from(text: str) -> Site:
    """The site as `SITE_FILE` says. Raises `ConfigurationError`."""
    try:
        given = json.loads(text)
        servers = tuple(str(server) for server in given.pop("servers"))
        site = Site(servers=servers, **given)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{SITE_FILE}: it does not say where Nomad is: {error!r}"
        ) from error
    if not site.servers:
        raise ConfigurationError(f"{SITE_FILE}: it names no Nomad server; this node joins nothing")
    return site


def agent_config(
    metadata: Mapping[str, Any], site: Site, version: Version
) -> dict[str, Any] | None:
    """The configuration of the Nomad client; None for a server that is no worker.

    Raises `Malformed` when the metadata is none that a server of ours could have.
    """
    ours = metadata.get("meta") or {}
    flavor = ours.get(FLAVOR_METADATA)
    if DEPLOYMENT_METADATA not in ours or flavor is None or ours.get(POOL_METADATA) == NO_POOL:
        return None
    client: dict[str, Any] = {
        "enabled": True,
        "servers": list(site.servers),
        "node_class": _text("flavor", flavor),
        "meta": {
            SERVER_ID_META: _text("id", metadata.get("uuid")),
            DEPLOYMENT_METADATA: _text("deployment", ours[DEPLOYMENT_METADATA]),
        },
    }
    if version >= INELIGIBLE_JOIN:
        client["default_ineligible"] = True
    return {
        "name": _text("name", metadata.get("name")),
        "region": site.region,
        "datacenter": site.datacenter,
        "data_dir": "/var/lib/nomad",
        "bind_addr": "0.0.0.0",  # noqa: S104 - the network of the workers is closed from outside
        "disable_update_check": True,
        "client": client,
        "plugin": [{"raw_exec": [{"config": [{"enabled": True}]}]}],
    }


def version_from(said: str) -> Version:
    """The version in what `nomad version` says. Raises `ConfigurationError`."""
    found = _VERSION.search(said)
    if found is None:
        raise ConfigurationError(f"`nomad version` says {said!r}, which names no version")
    return int(found[1]), int(found[2]), int(found[3])


def _text(what: str, value: object) -> str:
    if not isinstance(value, str) or _TEXT.fullmatch(value) is None:
        raise Malformed(
            f"the metadata of this server has no {what} that a worker may have: {value!r}"
        )
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Where things are on a worker."""

    metadata: str = "http://169.254.169.254/openstack/latest/meta_data.json"
    nomad: str = "/usr/local/bin/nomad"
    site: Path = SITE_FILE
    agent: Path = Path("/etc/nomad.d/hrsi.json")


def configure(machine: Machine) -> str:
    """Write the client's configuration, or take away one that is not this server's; what was done.

    Raises `HrsiError`, `OSError` and `CalledProcessError` while it cannot be known who this is.
    """
    metadata = _metadata(machine.metadata)
    command = [machine.nomad, "version"]
    version = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    config = agent_config(
        metadata, site_from(machine.site.read_text()), version_from(version.stdout)
    )
    if config is None:
        machine.agent.unlink(missing_ok=True)
        return "this server is no worker of a pool: its Nomad client does not start"
    machine.agent.parent.mkdir(parents=True, exist_ok=True)
    machine.agent.write_text(json.dumps(config, indent=2) + "\n")
    return f"node {config['name']} of class {config['client']['node_class']}"


def main() -> int:
    """Set up the client of this machine; the exit code. Whoever starts it tries again after 1."""
    try:
        done = configure(Machine())
    except (HrsiError, OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"this node joins no Nomad yet: {error}\n")
        return 1
    sys.stdout.write(f"{done}\n")
    return 0


def _metadata(url: str) -> Mapping[str, Any]:
    try:
        with urllib3.PoolManager(retries=False, timeout=SECONDS) as pool:
            answer = pool.request("GET", url)
            document = json.loads(answer.data) if answer.status == HTTPStatus.OK else None
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise Unavailable(f"{url}: {error}") from error
    if not isinstance(document, dict):
        raise Unavailable(f"{url} answered {answer.status} and no object; asked again soon")
    return document


if __name__ == "__main__":
    sys.exit(main())
