"""Rows as the JSON that Nomad sends, field by field.

Evaluations and full allocations omit empty fields; everything else carries every field, null for
nil. Times are integer nanoseconds, but for `StatusUpdatedAt`, which is in seconds.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from simulator.nomad.rows import (
    DATACENTER,
    POOL,
    REGION,
    VERSION,
    AllocRow,
    EvalRow,
    JobRow,
    NodeRow,
    PlacementFailure,
)

Json = dict[str, Any]

_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_TRANSITION = dict.fromkeys(
    ("Migrate", "Reschedule", "ForceReschedule", "NoShutdownDelay", "MigrateDisablePlacement")
)


def nanoseconds(at: datetime | None) -> int:
    """Nanoseconds since 1970; 0 for no time."""
    return 0 if at is None else (at - _UNIX) // timedelta(microseconds=1) * 1000


def timestamp(at: datetime | None) -> str | None:
    """A time as Go writes it."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def without_empty(fields: Json) -> Json:
    """What Go's omitempty leaves."""
    return {key: value for key, value in fields.items() if value not in (None, "", 0, [], {})}


# ---- nodes ---------------------------------------------------------------------------------------


def node_stub(row: NodeRow, *, resources: bool = False) -> Json:
    """A row of GET /v1/nodes."""
    driver = {
        "Attributes": {"driver.raw_exec": "true"},
        "Detected": True,
        "Healthy": True,
        "HealthDescription": "Healthy",
        "UpdateTime": timestamp(row.status_at),
    }
    stub: Json = {
        "Address": row.address,
        "ID": row.id,
        "Datacenter": DATACENTER,
        "Name": row.name,
        "NodePool": POOL,
        "NodeClass": row.node_class,
        "Version": VERSION,
        "Drain": row.drain is not None,
        "SchedulingEligibility": "eligible" if row.eligible else "ineligible",
        "Status": row.status,
        "StatusDescription": "",
        "Drivers": {"raw_exec": driver},
        "HostVolumes": {},
        "LastDrain": _last_drain(row),
        "CreateIndex": row.create_index,
        "ModifyIndex": row.modify_index,
    }
    return {**stub, **_resources(row)} if resources else stub


def _last_drain(row: NodeRow) -> Json | None:
    at = row.drain.started_at if row.drain else row.drained_at
    if at is None:
        return None
    status = "draining" if row.drain else "complete"
    return {"StartedAt": timestamp(at), "UpdatedAt": timestamp(at), "Status": status}


def _resources(row: NodeRow) -> Json:
    cpu = {"CpuShares": row.cpu_mhz, "TotalCpuCores": 8, "ReservableCpuCores": list(range(8))}
    return {
        "NodeResources": {
            "Cpu": cpu,
            "Memory": {"MemoryMB": row.memory_mb},
            "Disk": {"DiskMB": 80_000},
            "Devices": None,
            "MinDynamicPort": 20_000,
            "MaxDynamicPort": 32_000,
        },
        "ReservedResources": {
            "Cpu": {"CpuShares": 0},
            "Memory": {"MemoryMB": 0},
            "Disk": {"DiskMB": 0},
            "Networks": {"ReservedHostPorts": "22"},
        },
    }


def full_node(row: NodeRow) -> Json:
    """GET /v1/node/:id."""
    stub = node_stub(row, resources=True)
    return {
        **{key: value for key, value in stub.items() if key not in {"Address", "Version"}},
        "HTTPAddr": f"{row.address}:4646",
        "TLSEnabled": False,
        "SecretID": "",
        "Attributes": row.attributes,
        "Links": {},
        "HostNetworks": None,
        "CSIControllerPlugins": {},
        "CSINodePlugins": {},
        "GCVolumesOnNodeGC": False,
        "IdentitySigningKeyID": "",
        "Meta": row.meta,
        "ComputedClass": f"v1:{row.node_class}",
        "DrainStrategy": _last_drain(row) if row.drain else None,
        "StatusUpdatedAt": int(row.status_at.timestamp()),
        "Events": [],
        "CgroupParent": "",
        "NodeMaxAllocs": 0,
        "LastMissedHeartbeatIndex": 0,
        "LastAllocUpdateIndex": 0,
    }


# ---- jobs ----------------------------------------------------------------------------------------


def summary(row: JobRow, children: Iterable[JobRow] = ()) -> Json:
    """GET /v1/job/:id/summary."""
    counts, statuses = row.summary, Counter(child.status for child in children)
    group = {
        "Queued": counts.queued,
        "Complete": counts.complete,
        "Failed": counts.failed,
        "Running": counts.running,
        "Starting": counts.starting,
        "Lost": counts.lost,
        "Unknown": 0,
    }
    return {
        "JobID": row.id,
        "Namespace": row.namespace,
        "Summary": {row.task.group: group},
        "Children": {
            "Pending": statuses["pending"],
            "Running": statuses["running"],
            "Dead": statuses["dead"],
        },
        "CreateIndex": counts.create_index,
        "ModifyIndex": counts.modify_index,
    }


def job_stub(row: JobRow, children: Iterable[JobRow] = (), *, meta: bool = False) -> Json:
    """A row of GET /v1/jobs; it has meta only where that was asked for."""
    stub = {
        "ID": row.id,
        "ParentID": row.parent_id,
        "Name": row.id,
        "Namespace": row.namespace,
        "Datacenters": row.spec.get("Datacenters") or ["*"],
        "NodePool": POOL,
        "Multiregion": None,
        "Type": row.type,
        "Priority": row.priority,
        "Periodic": False,
        "ParameterizedJob": row.dispatchable,
        "Stop": row.stopped,
        "Status": row.status,
        "StatusDescription": "",
        "JobSummary": summary(row, children),
        "CreateIndex": row.create_index,
        "ModifyIndex": row.modify_index,
        "JobModifyIndex": row.job_modify_index,
        "SubmitTime": nanoseconds(row.submit_at),
    }
    return {**stub, "Meta": row.meta} if meta else stub


def full_job(row: JobRow) -> Json:
    """GET /v1/job/:id: what was submitted, and what became of it."""
    return {
        **dict.fromkeys(("Affinities", "Spreads", "Update", "UI", "VersionTag", "Multiregion")),
        "Constraints": None,
        "AllAtOnce": False,
        **row.spec,
        "ID": row.id,
        "ParentID": row.parent_id,
        "Name": row.id,
        "Namespace": row.namespace,
        "Region": REGION,
        "NodePool": POOL,
        "Type": row.type,
        "Priority": row.priority,
        "Stop": row.stopped,
        "Status": row.status,
        "StatusDescription": "",
        "Meta": row.meta,
        "Dispatched": row.dispatched,
        "DispatchIdempotencyToken": row.token,
        "Payload": base64.b64encode(row.payload).decode() if row.payload else None,
        "Stable": False,
        "Version": row.version,
        "NomadTokenID": "",
        "CreateIndex": row.create_index,
        "ModifyIndex": row.modify_index,
        "JobModifyIndex": row.job_modify_index,
        "SubmitTime": nanoseconds(row.submit_at),
    }


# ---- evaluations ---------------------------------------------------------------------------------


def evaluation(row: EvalRow) -> Json:
    """A full evaluation, in lists too."""
    return without_empty(_evaluation_fields(row))


def _evaluation_fields(row: EvalRow) -> Json:
    failure = _failure(row.failure)
    return {
        "ID": row.id,
        "Namespace": row.namespace,
        "Priority": row.priority,
        "Type": row.type,
        "TriggeredBy": row.triggered_by,
        "JobID": row.job_id,
        "JobModifyIndex": row.job_modify_index,
        "NodeID": row.node_id,
        "NodeModifyIndex": row.node_modify_index,
        "Status": row.status,
        "StatusDescription": row.description,
        "PreviousEval": row.previous_eval,
        "BlockedEval": row.blocked_eval,
        "FailedTGAllocs": {"main": failure} if failure else None,
        "QueuedAllocations": dict(row.queued),
        "ClassEligibility": _class_eligibility(row),
        "SnapshotIndex": row.snapshot_index,
        "CreateIndex": row.create_index,
        "ModifyIndex": row.modify_index,
        "CreateTime": nanoseconds(row.created_at),
        "ModifyTime": nanoseconds(row.modified_at),
    }


def _class_eligibility(row: EvalRow) -> Mapping[str, bool]:
    if row.failure is None or row.status != "blocked":
        return {}
    return {
        **{f"v1:{name}": True for name in row.failure.class_exhausted},
        **{f"v1:{name}": False for name in row.failure.class_filtered},
    }


def _failure(failure: PlacementFailure | None) -> Json | None:
    if failure is None:
        return None
    return {
        "NodesEvaluated": failure.evaluated,
        "NodesFiltered": failure.filtered,
        "NodesInPool": failure.in_pool,
        "NodePool": POOL,
        "NodesAvailable": {DATACENTER: failure.evaluated} if failure.evaluated else {},
        "ClassFiltered": dict(failure.class_filtered) or None,
        "ConstraintFiltered": dict(failure.constraint_filtered) or None,
        "NodesExhausted": failure.exhausted,
        "ClassExhausted": dict(failure.class_exhausted) or None,
        "DimensionExhausted": dict(failure.dimension_exhausted) or None,
        "QuotaExhausted": None,
        "ResourcesExhausted": None,
        "Scores": None,
        "ScoreMetaData": None,
        "AllocationTime": 112_455,
        "CoalescedFailures": 0,
    }


# ---- allocations ---------------------------------------------------------------------------------


def alloc_stub(row: AllocRow, *, task: str = "main", task_states: bool = True) -> Json:
    """A row of GET /v1/allocations."""
    return {
        "ID": row.id,
        "EvalID": row.eval_id,
        "Name": row.name,
        "Namespace": row.namespace,
        "NodeID": row.node_id,
        "NodeName": row.node_name,
        "JobID": row.job_id,
        "JobType": row.job_type,
        "JobVersion": 0,
        "TaskGroup": row.group,
        "DesiredStatus": row.desired,
        "DesiredDescription": row.desired_description,
        "ClientStatus": row.client_status,
        "ClientDescription": row.client_description,
        "DesiredTransition": _TRANSITION,
        "TaskStates": {task: _task_state(row)} if task_states and row.started_at else None,
        "DeploymentStatus": None,
        "FollowupEvalID": "",
        "NextAllocation": row.next,
        "RescheduleTracker": None,
        "PreemptedAllocations": None,
        "PreemptedByAllocation": "",
        "CreateIndex": row.create_index,
        "ModifyIndex": row.modify_index,
        "CreateTime": nanoseconds(row.created_at),
        "ModifyTime": nanoseconds(row.modified_at),
    }


def _task_state(row: AllocRow) -> Json:
    over = row.client_terminal and row.finished_at is not None
    code = row.exit_code or 0
    ended = {
        "Type": "Terminated",
        "Time": nanoseconds(row.finished_at),
        "DisplayMessage": f"Exit Code: {code}",
        "Details": {"exit_code": str(code), "signal": "0", "oom_killed": "false"},
        "ExitCode": code,
        "Signal": 0,
        "FailsTask": False,
    }
    return {
        "State": "dead" if over else "running",
        "Failed": row.client_status == "failed",
        "Restarts": row.restarts,
        "LastRestart": None,
        "StartedAt": timestamp(row.started_at),
        "FinishedAt": timestamp(row.finished_at) if over else None,
        "Events": [ended] if row.exit_code is not None else [],
        "Paused": "",
    }


def full_alloc(row: AllocRow, *, task: str = "main") -> Json:
    """A full allocation without its job, as events carry it."""
    stub = alloc_stub(row, task=task)
    cpu, memory = {"CpuShares": row.cpu_mhz, "ReservedCores": None}, {"MemoryMB": row.memory_mb}
    allocated = {"Tasks": {task: {"Cpu": cpu, "Memory": memory}}, "Shared": {"DiskMB": 300}}
    return without_empty(
        {
            **{key: value for key, value in stub.items() if key not in {"JobType", "JobVersion"}},
            "AllocatedResources": allocated,
            "PreviousAllocation": row.previous,
            "AllocModifyIndex": row.modify_index,
        }
    )


# ---- any row -------------------------------------------------------------------------------------


def searchable(row: NodeRow | JobRow | EvalRow | AllocRow) -> Json:
    """The full object, which filters look into: no field of it is omitted."""
    match row:
        case EvalRow():
            return _evaluation_fields(row)
        case AllocRow():
            return alloc_stub(row)
        case _:
            return full(row)


def full(row: NodeRow | JobRow | EvalRow | AllocRow) -> Json:
    """The full object, as a GET of it and an event have it."""
    match row:
        case NodeRow():
            return full_node(row)
        case JobRow():
            return full_job(row)
        case EvalRow():
            return evaluation(row)
        case AllocRow():
            return full_alloc(row)
