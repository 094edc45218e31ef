"""The port `Orchestrator` in memory: the simulated Nomad on virtual time, with faults on order.

It fails as the adapter over HTTP does: an answer of a server that knows no leader is an error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Generic, TypeVar

from models.errors import Malformed, NotFound, PortError, Throttled, Unavailable, Unknown
from models.fleet import (
    ATTEMPT_META,
    DEPLOYMENT_META,
    FINGERPRINT_META,
    JOB_META,
    RUN_META,
    UNIQUE_ID_META,
)
from models.job_types import Parent
from models.ports import Clock, Dispatch, StopSignal
from models.records import NodeIdentity
from models.world import Allocation, Evaluation, Node, NomadJob, NomadSnapshot
from simulator.faults import Crash, Fault, Faults
from simulator.nomad.cluster import NomadCluster
from simulator.nomad.jobs import DispatchOrder
from simulator.nomad.rows import AllocRow, EvalRow, JobRow, NodeRow, NomadError
from simulator.nomad.state import Row

THROTTLED_FOR = timedelta(seconds=1)
"""When a throttled caller is told to come back."""

LOOK_AGAIN = 0.2
"""Seconds of real time after which `watch` looks at its stop signal again."""

RUN_METAS = (RUN_META, JOB_META, UNIQUE_ID_META, ATTEMPT_META, DEPLOYMENT_META)
"""What every dispatch must bring."""

REMEMBERED = 3
"""How many snapshots ago a stale one may be."""

FAILED = "rpc error: rpc error: EOF"
"""What an agent says when the leader hangs up on it."""

Answer = TypeVar("Answer")
R = TypeVar("R", bound=Row)
V = TypeVar("V")


class MemoryNomad:
    """Implements `models.ports.Orchestrator`. Each method asks `faults` once per call, as
    `nomad.` and its name.
    """

    def __init__(
        self,
        cluster: NomadCluster,
        *,
        deployment: str,
        faults: Faults | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._cluster = cluster
        self._clock = clock or cluster.timeline
        self._before: deque[NomadSnapshot] = deque(maxlen=REMEMBERED)
        self._state = cluster.state
        self._faults = faults or Faults()
        self._prefix = f"hrsi-{deployment}-"
        self._number = 0
        self._nodes = _Records[NodeRow, Node](_node)
        self._jobs = _Records[JobRow, NomadJob](_job)
        self._evals = _Records[EvalRow, Evaluation](_evaluation)
        self._allocs = _Records[AllocRow, Allocation](_allocation)

    # ---- reading ---------------------------------------------------------------------------------

    def snapshot(self) -> NomadSnapshot:
        """The four lists, all of one moment. See the port for what it raises."""
        return self._read("nomad.snapshot", self._look, self._look_back)

    def _look(self) -> NomadSnapshot:
        state = self._state
        if not self._cluster.known_leader:
            raise Unavailable("nomad.snapshot: not answered by a leader")
        self._number += 1
        snapshot = NomadSnapshot(
            number=self._number,
            requested_at=self._clock.now(),
            nodes=self._nodes.of(state.nodes.index, state.nodes.by_id),
            jobs=self._jobs.of(state.jobs.index, self._our_jobs),
            evaluations=self._evals.of(state.evals.index, state.evals.live.values),
            allocations=self._allocs.of(state.allocs.index, state.allocs.live.values),
            index=max(t.index for t in (state.nodes, state.jobs, state.evals, state.allocs)),
        )
        self._before.append(snapshot)
        return snapshot

    def _look_back(self) -> NomadSnapshot:
        """What was so some snapshots ago. A client that asks for the first time has none."""
        if not self._before:
            return self._look()
        self._number += 1
        return replace(self._before[0], number=self._number, requested_at=self._clock.now())

    def _our_jobs(self) -> Iterator[JobRow]:
        prefix = self._prefix
        return (job for job in self._state.jobs.by_id() if job.id.startswith(prefix))

    def identify(self, node_id: str) -> NodeIdentity:
        """What one node says of its server. Raises `NotFound`."""

        def look() -> NodeIdentity:
            node = self._cluster.nodes.get(node_id)
            said = node.meta.get("openstack_server_id") or node.attributes["unique.host_id"]
            return NodeIdentity(
                node_id=node.id,
                server_id=said.lower() or None,
                name=node.name,
                node_class=node.node_class,
            )

        return self._read("nomad.identify", look)

    def modify_index(self, node_id: str) -> tuple[int, bool]:
        """ModifyIndex of one node, and whether it is eligible. Raises `NotFound`."""

        def look() -> tuple[int, bool]:
            node = self._cluster.nodes.get(node_id)
            return node.modify_index, node.eligible

        return self._read("nomad.modify_index", look)

    def exit_code(self, nomad_job_id: str) -> int | None:
        """Exit code of the newest allocation's task, if there is one."""

        def look() -> int | None:
            allocs = self._state.allocs_of(nomad_job_id)
            return allocs[-1].exit_code if allocs else None

        return self._read("nomad.exit_code", look)

    def watch(self, stop: StopSignal) -> Iterator[None]:
        """Yield after each burst of writes, in real time; for threads, not for virtual time."""
        self._read("nomad.watch", lambda: None)
        state, seen = self._state, self._state.index
        while not stop.is_set():
            with state.changed:
                if state.index == seen:
                    state.changed.wait(LOOK_AGAIN)
                happened, seen = state.index > seen, state.index
            if happened and not stop.is_set():
                yield

    # ---- writing ---------------------------------------------------------------------------------

    def dispatch(self, order: Dispatch) -> str:
        """Make a child, or find the one of this token; its id as answered."""
        wanted = DispatchOrder(
            meta=dict(order.meta),
            payload=order.payload,
            token=str(order.token),
            id_prefix=order.id_prefix,
            priority=order.priority,
        )
        return self._write(
            "nomad.dispatch", lambda: self._cluster.jobs.dispatch(order.parent, wanted).job_id
        )

    def register(self, parent: Parent, deployment: str) -> None:
        """Register or replace a parent."""
        spec = _spec(parent, deployment)
        self._write("nomad.register", lambda: self._cluster.jobs.register(spec))

    def set_eligibility(self, node_id: str, *, eligible: bool) -> int:
        """Mark a node; the index of the write, or 0. Raises `NotFound`."""
        return self._write(
            "nomad.set_eligibility",
            lambda: self._cluster.nodes.set_eligibility(node_id, eligible=eligible),
        )

    def stop(self, nomad_job_id: str) -> None:
        """Deregister a child; one that is unknown is no error."""
        self._write("nomad.stop", lambda: self._cluster.jobs.stop(nomad_job_id))

    def evaluate(self, nomad_job_id: str) -> None:
        """Make a new evaluation. Raises `NotFound`."""
        self._write("nomad.evaluate", lambda: self._cluster.jobs.evaluate(nomad_job_id))

    def purge(self, node_id: str) -> None:
        """Forget a node; one that is unknown is no error."""

        def effect() -> None:
            if self._state.nodes.get(node_id) is not None:
                self._cluster.purge(node_id)

        self._write("nomad.purge", effect)

    # ---- faults ----------------------------------------------------------------------------------

    def _read(
        self,
        operation: str,
        look: Callable[[], Answer],
        look_back: Callable[[], Answer] | None = None,
    ) -> Answer:
        fault = self._faults.take(operation)
        self._fail_before(operation, fault)
        if fault in {Fault.TIMEOUT, Fault.LOST_REPLY}:
            raise Unavailable(f"{operation}: no answer within the deadline")
        if fault is Fault.SERVER_ERROR:
            raise Unavailable(f"{operation}: 500 {FAILED}")
        if fault is Fault.CUT_SHORT:
            raise Unavailable(f"{operation}: the answer broke off")
        answer = self._do(operation, look_back if fault is Fault.STALE and look_back else look)
        if fault is Fault.CRASH_AFTER:
            raise Crash
        return answer

    def _write(self, operation: str, effect: Callable[[], Answer]) -> Answer:
        fault = self._faults.take(operation)
        self._fail_before(operation, fault)
        if fault is Fault.TIMEOUT:
            raise Unknown(f"{operation}: no answer within the deadline")
        if fault is Fault.SERVER_ERROR:
            raise Unknown(f"{operation}: 500 {FAILED}")
        if fault is Fault.LOST_REPLY:
            self._do_unheard(operation, effect)
            raise Unknown(f"{operation}: the connection ended before the answer")
        answer = self._do(operation, effect)
        if fault is Fault.CRASH_AFTER:
            raise Crash
        return answer

    def _fail_before(self, operation: str, fault: Fault | None) -> None:
        """The faults that keep a call from having any effect and that are told."""
        if fault is Fault.CRASH:
            raise Crash
        if fault is Fault.REFUSED or self._cluster.leaderless:
            raise Unavailable(f"{operation}: 500 No cluster leader")
        if fault is Fault.THROTTLED:
            raise Throttled(f"{operation}: 429 Too Many Requests", retry_after=THROTTLED_FOR)

    def _do(self, operation: str, effect: Callable[[], Answer]) -> Answer:
        with self._cluster.locked():
            try:
                return effect()
            except NomadError as error:
                kind = NotFound if "not found" in error.text else Malformed
                raise kind(f"{operation}: {error.status} {error.text}") from error

    def _do_unheard(self, operation: str, effect: Callable[[], object]) -> None:
        def happen() -> None:
            try:
                self._do(operation, effect)
            except PortError:
                return  # nobody listens to the refusal

        late = self._cluster.options.late_effect
        if late:
            self._cluster.timeline.after(late, happen)
        else:
            happen()


class _Records(Generic[R, V]):
    """What the port shows of rows, made once per row: a row never changes, it is replaced."""

    def __init__(self, make: Callable[[R], V]) -> None:
        self._make = make
        self._made: dict[int, V] = {}
        """By the identity of the row; those of `_rows`, which are kept so that it is theirs."""
        self._rows: list[R] = []
        self._shown: tuple[int, tuple[V, ...]] = (-1, ())

    def of(self, index: int, rows: Callable[[], Iterable[R]]) -> tuple[V, ...]:
        """The records of `rows`, which are those of a table at this index."""
        if self._shown[0] != index:
            known, listed = self._made, list(rows())
            self._made = {id(row): known.get(id(row)) or self._make(row) for row in listed}
            self._rows = listed
            self._shown = (index, tuple(self._made.values()))
        return self._shown[1]


def _node(row: NodeRow) -> Node:
    return Node(
        id=row.id,
        name=row.name,
        node_class=row.node_class,
        status=row.status,
        eligible=row.eligible,
        draining=row.drain is not None,
        create_index=row.create_index,
        modify_index=row.modify_index,
        address=row.address,
    )


def _job(row: JobRow) -> NomadJob:
    return NomadJob(
        id=row.id,
        parent_id=row.parent_id,
        status=row.status,
        stopped=row.stopped,
        meta=row.meta,
        create_index=row.create_index,
        lost=row.summary.lost,
        failed=row.summary.failed,
    )


def _evaluation(row: EvalRow) -> Evaluation:
    return Evaluation(
        id=row.id,
        job_id=row.job_id,
        namespace=row.namespace,
        status=row.status,
        create_index=row.create_index,
    )


def _allocation(row: AllocRow) -> Allocation:
    return Allocation(
        id=row.id,
        job_id=row.job_id,
        namespace=row.namespace,
        node_id=row.node_id,
        job_type=row.job_type,
        client_status=row.client_status,
        desired_status=row.desired,
        create_index=row.create_index,
    )


def _spec(parent: Parent, deployment: str) -> dict[str, Any]:
    """The parent as Nomad is told of it: no retry of its own, its class of nodes, our meta."""
    command = parent.command
    return {
        "ID": parent.id,
        "Name": parent.id,
        "Type": "batch",
        "Priority": 50,
        "Constraints": [{"LTarget": "${node.class}", "RTarget": parent.flavor, "Operand": "="}],
        "ParameterizedJob": {"Payload": "optional", "MetaRequired": list(RUN_METAS)},
        "Meta": {DEPLOYMENT_META: deployment, FINGERPRINT_META: parent.fingerprint()},
        "TaskGroups": [
            {
                "Name": "main",
                "Count": 1,
                "RestartPolicy": {"Attempts": 0, "Mode": "fail"},
                "ReschedulePolicy": {"Attempts": 0, "Unlimited": False},
                "Tasks": [
                    {
                        "Name": "main",
                        "Driver": command.driver,
                        "Config": {"command": command.command, "args": list(command.args)},
                        "Env": dict(command.environment),
                        "Resources": {"CPU": parent.cpu_mhz, "MemoryMB": parent.memory_mb},
                        "KillTimeout": 15_000_000_000,
                        "KillSignal": "SIGTERM",
                    }
                ],
            }
        ],
    }
