"""Job specifications as they are submitted: what of them scheduling and running go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from simulator.nomad.rows import NomadError, Parameterized, TaskSpec

Spec = Mapping[str, Any]


def parameters_of(spec: Spec) -> Parameterized | None:
    """What a dispatch must and may bring; None for a job that is not parameterized."""
    given = spec.get("ParameterizedJob")
    if given is None:
        return None
    return Parameterized(
        payload=given.get("Payload") or "optional",
        required=tuple(given.get("MetaRequired") or ()),
        optional=tuple(given.get("MetaOptional") or ()),
    )


def task_of(spec: Spec) -> TaskSpec:
    """The task of the one group that leads, which is the first one, with the others.

    A job without is refused as Nomad's validation does.
    """
    group = _first(spec, "TaskGroups", "Missing job task groups")
    leader = _first(group, "Tasks", "Missing tasks for group")
    others = tuple(_task(spec, group, other) for other in group["Tasks"][1:])
    if others and not leader.get("Leader"):
        raise NomadError(500, "this simulated Nomad knows several tasks only if the first leads")
    return replace(_task(spec, group, leader), others=others)


def _task(spec: Spec, group: Spec, task: Spec) -> TaskSpec:
    stated = [c for part in (spec, group, task) for c in part.get("Constraints") or []]
    resources, default = _part(task, "Resources"), TaskSpec()
    restart, again = _part(group, "RestartPolicy"), _part(group, "ReschedulePolicy")
    return TaskSpec(
        group=str(group.get("Name", default.group)),
        task=str(task.get("Name", default.task)),
        driver=str(task.get("Driver", "")),
        config=_part(task, "Config"),
        env=_part(task, "Env"),
        payload_file=str(_part(task, "DispatchPayload").get("File", "")),
        constraints=tuple(_equality(constraint) for constraint in stated),
        memory_mb=int(resources.get("MemoryMB", default.memory_mb)),
        cpu_mhz=int(resources.get("CPU", default.cpu_mhz)),
        kill_timeout=_duration(task.get("KillTimeout"), default.kill_timeout),
        kill_signal=str(task.get("KillSignal") or default.kill_signal),
        restarts=int(restart.get("Attempts", default.restarts)),
        restart_delay=_duration(restart.get("Delay"), default.restart_delay),
        reschedules=int(again.get("Attempts", default.reschedules)),
        reschedule_delay=_duration(again.get("Delay"), default.reschedule_delay),
    )


def _first(part: Spec, key: str, missing: str) -> Spec:
    found = part.get(key)
    if not found:
        raise NomadError(500, f"1 error occurred:\n\t* {missing}\n\n")
    first: Spec = found[0]
    return first


def _part(whole: Spec, key: str) -> Spec:
    return whole.get(key) or {}


def _equality(constraint: Spec) -> tuple[str, str]:
    operand = constraint.get("Operand") or "="
    if operand not in {"=", "==", "is"}:
        raise NomadError(500, f"this simulated Nomad knows no constraint operand {operand!r}")
    return str(constraint.get("LTarget")), str(constraint.get("RTarget"))


def _duration(nanoseconds: int | None, default: timedelta) -> timedelta:
    return default if nanoseconds is None else timedelta(microseconds=nanoseconds / 1000)
