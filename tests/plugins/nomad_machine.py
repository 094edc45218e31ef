"""A machine that boots with a Nomad client on it: what `--on-boot` runs for each server.

    python -m tests.plugins.nomad_machine NOMAD SERVER_PORT

Lives until it is told to end, and takes the client and all that runs on it along.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from models.job_types import DEFAULT_REGISTRY
from tests.plugins.nomad_agents import Machine, client_config, free_ports, kill_all_in


def main(binary: str, server_port: int) -> None:
    """Be the server that the environment names until SIGTERM."""
    flavor = DEFAULT_REGISTRY.flavors[os.environ["HRSI_SERVER_FLAVOR"]]
    machine = Machine(
        name=os.environ["HRSI_SERVER_NAME"],
        node_class=flavor.name,
        meta={"openstack_server_id": os.environ["HRSI_SERVER_ID"]},
        memory_mb=flavor.memory_mb,
        default_ineligible=True,
    )
    folder = Path.cwd() / "nomad"
    folder.mkdir()
    path = folder / "agent.json"
    path.write_text(json.dumps(client_config(machine, server_port, free_ports(), folder)))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with (folder / "agent.log").open("wb") as log:
        client = subprocess.Popen(
            [binary, "agent", f"-config={path}"],
            cwd=folder,
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        signal.sigwait({signal.SIGTERM})
        kill_all_in(folder)
        client.wait()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
