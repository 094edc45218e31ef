"""What a task finds in its environment, and how `${…}` in its command is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from simulator.nomad.rows import DATACENTER, REGION, NodeRow
from simulator.nomad.tasks import Task

_REFERENCE = re.compile(r"\$\{([^}]+)\}")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]")


def task_environment(task: Task, folder: Path, base: Mapping[str, str]) -> dict[str, str]:
    """The base, what Nomad says of the task, and the job's own `env`, read last."""
    environment = {**base, **_said_by_nomad(task, folder), **_meta(task.job.meta)}
    stated = {
        name: interpolated(value, task.node, environment)
        for name, value in task.job.task.env.items()
    }
    return {**environment, **stated}


def interpolated(text: str, node: NodeRow, environment: Mapping[str, str]) -> str:
    """The text with every reference to the node or the environment replaced by its value.

    One that is not known stays as it is.
    """
    known = {**environment, **node.interpolation()}
    return _REFERENCE.sub(lambda found: known.get(found[1], found[0]), text)


def _meta(meta: Mapping[str, str]) -> dict[str, str]:
    names = {_NOT_IN_NAMES.sub("_", key): value for key, value in meta.items()}
    upper = {f"NOMAD_META_{name.upper()}": value for name, value in names.items()}
    return {**upper, **{f"NOMAD_META_{name}": value for name, value in names.items()}}


def _said_by_nomad(task: Task, folder: Path) -> dict[str, str]:
    allocation, job = task.allocation, task.job
    return {
        "NOMAD_ALLOC_DIR": str(folder / "alloc"),
        "NOMAD_ALLOC_ID": allocation.id,
        "NOMAD_ALLOC_INDEX": "0",
        "NOMAD_ALLOC_NAME": allocation.name,
        "NOMAD_CPU_LIMIT": str(job.task.cpu_mhz),
        "NOMAD_DC": DATACENTER,
        "NOMAD_GROUP_NAME": job.task.group,
        "NOMAD_JOB_ID": job.id,
        "NOMAD_JOB_NAME": job.id,
        "NOMAD_JOB_PARENT_ID": job.parent_id,
        "NOMAD_MEMORY_LIMIT": str(job.task.memory_mb),
        "NOMAD_NAMESPACE": job.namespace,
        "NOMAD_REGION": REGION,
        "NOMAD_SECRETS_DIR": str(folder / "secrets"),
        "NOMAD_SHORT_ALLOC_ID": allocation.id[:8],
        "NOMAD_TASK_DIR": str(folder / "local"),
        "NOMAD_TASK_NAME": job.task.task,
    }
