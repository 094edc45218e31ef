"""The parameterized jobs that runs are dispatched to, as Nomad is told of them.

Retries are ours alone: restart and reschedule are off, so that only a lost allocation is re-run by
Nomad. The node class is the only constraint: one on a unique attribute would make every capacity
change wake every waiting evaluation.

Whoever changes what `job_of` makes raises `models.job_types.PARENT_TEMPLATE`: it is part of the
fingerprint by which a parent is found outdated and registered again. A test watches over it.
"""

from __future__ import annotations

from typing import Any

from models import payload
from models.fleet import (
    ATTEMPT_META,
    DEPLOYMENT_META,
    FINGERPRINT_META,
    JOB_META,
    RUN_META,
    UNIQUE_ID_META,
)
from models.job_types import Parent

GROUP = "main"

REQUIRED_META = (RUN_META, JOB_META, UNIQUE_ID_META, ATTEMPT_META, DEPLOYMENT_META)

_SECOND = 1_000_000_000
_KILL_TIMEOUT = 15 * _SECOND
_NODE_ENVIRONMENT = {
    "HRSI_NODE_ID": "${node.unique.id}",
    "HRSI_NODE_NAME": "${node.unique.name}",
    "HRSI_ADDRESS": "${attr.unique.network.ip-address}",
}
"""What Nomad does not tell a task by itself: where it runs."""


def job_of(parent: Parent, deployment: str, namespace: str) -> dict[str, Any]:
    """The body's `Job` of POST /v1/jobs."""
    return {
        "ID": parent.id,
        "Name": parent.id,
        "Namespace": namespace,
        "Type": "batch",
        "Datacenters": ["*"],
        "Constraints": [{"LTarget": "${node.class}", "RTarget": parent.flavor, "Operand": "="}],
        "ParameterizedJob": {
            "Payload": "optional",
            "MetaRequired": list(REQUIRED_META),
            "MetaOptional": [],
        },
        "Meta": {DEPLOYMENT_META: deployment, FINGERPRINT_META: parent.fingerprint()},
        "TaskGroups": [
            {
                "Name": GROUP,
                "Count": 1,
                "RestartPolicy": {
                    "Attempts": 0,
                    "Interval": 86_400 * _SECOND,
                    "Delay": 15 * _SECOND,
                    "Mode": "fail",
                },
                "ReschedulePolicy": {"Attempts": 0, "Unlimited": False},
                "Tasks": [_task(parent)],
            }
        ],
    }


def _task(parent: Parent) -> dict[str, Any]:
    command = parent.command
    return {
        "Name": GROUP,
        "Driver": command.driver,
        "Config": {"command": command.command, "args": list(command.args)},
        "Env": {**_NODE_ENVIRONMENT, **dict(command.environment)},
        "DispatchPayload": {"File": payload.FILE},
        "Resources": {"CPU": parent.cpu_mhz, "MemoryMB": parent.memory_mb},
        "KillTimeout": _KILL_TIMEOUT,
        # Else it is SIGINT, which a program started by a shell in the background never hears.
        "KillSignal": "SIGTERM",
    }
