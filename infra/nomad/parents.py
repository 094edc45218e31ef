"""The parameterized jobs that runs are dispatched to, as Nomad is told of them.

Retries are ours alone: restart and reschedule are off, so that only a lost allocation is re-run by
Nomad. The node class is the only constraint: one on a unique attribute would make every capacity
change wake every waiting evaluation.

The program of the run leads: the allocation is over when it is, however the one that ships its logs
fares. That one is told to end once the program has ended, so that it ships what was said last, and
is started again for as long as it fails.

Whoever changes what `job_of` makes raises `models.job_types.PARENT_TEMPLATE`: it is part of the
fingerprint by which a parent is found outdated and registered again. A test watches over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models import logs, payload
from models.fleet import (
    ATTEMPT_META,
    DEPLOYMENT_META,
    FINGERPRINT_META,
    JOB_META,
    RUN_META,
    UNIQUE_ID_META,
)
from models.job_types import KILL_TIMEOUT, Parent, TaskCommand

GROUP = logs.TASK
SHIPPER = "logs"

REQUIRED_META = (RUN_META, JOB_META, UNIQUE_ID_META, ATTEMPT_META, DEPLOYMENT_META)

_SECOND = 1_000_000_000
_SHIPPING_TIMEOUT = 30 * _SECOND
_SHIPPER_MEMORY_MB = 128
_SHIPPER_CPU_MHZ = 20
_LOG_FILES = {"MaxFiles": 10, "MaxFileSizeMB": 10}
"""More than is ever kept of a log (`models.logs.MOST_BYTES`): what is dropped was shipped."""

_SHIPPER_LOG_FILES = {"MaxFiles": 2, "MaxFileSizeMB": 1}
_DISK_MB = 500
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
                "EphemeralDisk": {"SizeMB": _DISK_MB},
                "Tasks": [_run(parent), *_shippers(parent)],
            }
        ],
    }


def _run(parent: Parent) -> dict[str, Any]:
    return {
        **_task(GROUP, parent.command),
        "Leader": True,
        "DispatchPayload": {"File": payload.FILE},
        "Resources": {"CPU": parent.cpu_mhz, "MemoryMB": parent.memory_mb},
        "LogConfig": dict(_LOG_FILES),
        "KillTimeout": int(KILL_TIMEOUT.total_seconds()) * _SECOND,
    }


def _shippers(parent: Parent) -> Iterator[dict[str, Any]]:
    if parent.log_shipper is not None:
        yield {
            **_task(SHIPPER, parent.log_shipper),
            "Resources": {"CPU": _SHIPPER_CPU_MHZ, "MemoryMB": _SHIPPER_MEMORY_MB},
            "LogConfig": dict(_SHIPPER_LOG_FILES),
            "KillTimeout": _SHIPPING_TIMEOUT,
            # Never given up: a task that is takes the others of its group with it.
            "RestartPolicy": {
                "Attempts": 5,
                "Interval": 60 * _SECOND,
                "Delay": 5 * _SECOND,
                "Mode": "delay",
            },
        }


def _task(name: str, command: TaskCommand) -> dict[str, Any]:
    return {
        "Name": name,
        "Driver": command.driver,
        "Config": {"command": command.command, "args": list(command.args)},
        "Env": {**_NODE_ENVIRONMENT, **dict(command.environment)},
        # Else it is SIGINT, which a program started by a shell in the background never hears.
        "KillSignal": "SIGTERM",
    }
