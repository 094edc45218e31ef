"""Nomad as the controller sees it: the port `Orchestrator`, request by request.

Besides the defects that `transport` and `events` name, python-nomad 2.1.0 cannot page nodes or
jobs, forgets the namespace for evaluations (which then come from `default` alone), puts the
idempotency token into the body, where Nomad does not look, and with `eligible_node(ineligible=
False)` marks a node *in*eligible. Hence its named methods are not used at all.
"""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from requests import Response

from infra.nomad import rows
from infra.nomad.access import NomadAccess, OnRequest
from infra.nomad.events import hints
from infra.nomad.lists import NomadList, OtherLeader
from infra.nomad.parents import job_of
from infra.nomad.transport import Call, Transport, decoded
from infra.retry import Deadline
from models.errors import NotFound, Unavailable
from models.job_types import Parent
from models.ports import Dispatch, StopSignal
from models.records import NodeIdentity
from models.world import NomadSnapshot

SNAPSHOT_TRIES = 3

OPEN_EVALUATIONS = 'Status == "blocked" or Status == "pending"'
LIVE_ALLOCATIONS = (
    'not (ClientStatus == "complete" or ClientStatus == "failed" or ClientStatus == "lost")'
)


def connect(
    access: NomadAccess,
    *,
    on_request: OnRequest | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    call_deadline: Callable[[], timedelta] | None = None,
) -> NomadOrchestrator:
    """The port over HTTP. Nothing is sent before the first call; `close` it at the end.

    `call_deadline` is asked for on every call, for it is a live parameter; without it the
    deadline is the one of `access`.
    """
    transport = Transport(access, on_request or _nobody)
    return NomadOrchestrator(access, transport, now, call_deadline)


class NomadOrchestrator:
    """Implements `models.ports.Orchestrator`. One for all threads."""

    def __init__(
        self,
        access: NomadAccess,
        transport: Transport,
        now: Callable[[], datetime],
        call_deadline: Callable[[], timedelta] | None = None,
    ) -> None:
        self._access = access
        self._call_deadline = call_deadline or (lambda: access.call_deadline)
        self._transport = transport
        self._now = now
        self._turn = threading.Lock()
        self._numbers = itertools.count(1)
        self._nodes = NomadList(transport, _listing("nodes", {}), rows.nodes)
        # Ours are in our namespace: with one namespace a prefix is a range of the index, with all
        # of them a scan. What others run on our nodes shows in the other two lists.
        ours = {"prefix": access.prefix, "meta": "true"}
        self._jobs = NomadList(transport, _listing("jobs", ours), rows.jobs)
        everywhere = {"namespace": "*"}
        self._evaluations = NomadList(
            transport,
            _listing("evaluations", {**everywhere, "filter": OPEN_EVALUATIONS}),
            rows.evaluations,
        )
        live = {"filter": LIVE_ALLOCATIONS, "task_states": "false"}
        self._allocations = NomadList(
            transport, _listing("allocations", {**everywhere, **live}), rows.allocations
        )

    def close(self) -> None:
        """Close the connections that are kept."""
        self._transport.close()

    # ---- reading ---------------------------------------------------------------------------------

    def snapshot(self) -> NomadSnapshot:
        """The four lists, each asked for after the answer to the one before.

        The lists remember their last answers: a second thread waits for its turn.
        """
        deadline = self._deadline()
        if not self._turn.acquire(timeout=max(0.0, deadline.remaining())):
            raise Unavailable("snapshot: another thread reads the lists and does not come back")
        try:
            return self._led(deadline)
        finally:
            self._turn.release()

    def _led(self, deadline: Deadline) -> NomadSnapshot:
        for again in range(SNAPSHOT_TRIES, 0, -1):
            try:
                return self._look(deadline)
            except OtherLeader as error:
                if again == 1:
                    raise Unavailable(f"{error}; tried {SNAPSHOT_TRIES} times") from error
        raise AssertionError("unreachable: the last try returns or raises")

    def _look(self, deadline: Deadline) -> NomadSnapshot:
        requested_at = self._now()
        nodes = self._nodes.read(deadline)
        jobs = self._jobs.read(deadline)
        evaluations = self._evaluations.read(deadline)
        allocations = self._allocations.read(deadline)
        return NomadSnapshot(
            number=next(self._numbers),
            requested_at=requested_at,
            nodes=nodes.records,
            jobs=jobs.records,
            evaluations=evaluations.records,
            allocations=allocations.records,
            index=max(each.index for each in (nodes, jobs, evaluations, allocations)),
        )

    def identify(self, node_id: str) -> NodeIdentity:
        """What one node says of its server. Raises `NotFound`."""
        return self._node("identify", node_id).identity()

    def modify_index(self, node_id: str) -> tuple[int, bool]:
        """ModifyIndex of one node, and whether it is eligible. Raises `NotFound`."""
        node = self._node("modify_index", node_id)
        return node.modify_index, node.eligibility == "eligible"

    def _node(self, name: str, node_id: str) -> rows.FullNode:
        call = Call(name=name, attempt=f"read node {node_id}", endpoint="node", path=(node_id,))
        return decoded(rows.full_node, self._send(call), call)

    def exit_code(self, nomad_job_id: str) -> int | None:
        """The exit code of the newest allocation's task, if Nomad still knows one."""
        call = Call(
            name="exit_code",
            attempt=f"read the allocations of {nomad_job_id}",
            endpoint="job",
            path=(nomad_job_id, "allocations"),
        )
        try:
            found = decoded(rows.allocations_of_job, self._send(call), call)
        except NotFound:
            return None
        # Newest by index: the order of the list is no promise.
        newest = max(found, key=lambda allocation: allocation.create_index, default=None)
        return newest.exit_code() if newest else None

    def watch(self, stop: StopSignal) -> Iterator[None]:
        """Yield when the event stream says that something of ours may have changed."""
        return hints(self._transport, self._access.prefix, self._deadline(), stop)

    # ---- writing ---------------------------------------------------------------------------------

    def dispatch(self, order: Dispatch) -> str:
        """Dispatch; the child's id as answered. `Unknown` when no answer came."""
        call = Call(
            name="dispatch",
            attempt=f"dispatch run {order.token} to {order.parent}",
            endpoint="job",
            path=(order.parent, "dispatch"),
            method="post",
            params={"idempotency_token": str(order.token)},
            json={
                "Payload": base64.b64encode(order.payload).decode("ascii"),
                "Meta": dict(order.meta),
                "IdPrefixTemplate": order.id_prefix,
                "Priority": order.priority,
            },
        )
        return decoded(rows.dispatched, self._send(call), call).job_id

    def register(self, parent: Parent, deployment: str) -> None:
        """Register or replace a parent."""
        self._send(
            Call(
                name="register",
                attempt=f"register {parent.id}",
                endpoint="jobs",
                method="post",
                json={"Job": job_of(parent, deployment, self._access.namespace)},
            )
        )

    def set_eligibility(self, node_id: str, *, eligible: bool) -> int:
        """Mark a node; the Raft index of the write, 0 when it was so already. `NotFound`."""
        wanted = "eligible" if eligible else "ineligible"
        call = Call(
            name="set_eligibility",
            attempt=f"make node {node_id} {wanted}",
            endpoint="node",
            path=(node_id, "eligibility"),
            method="post",
            json={"NodeID": node_id, "Eligibility": wanted},
        )
        return decoded(rows.written, self._send(call), call).index

    def stop(self, nomad_job_id: str) -> None:
        """Deregister a child without purging it; one that is unknown is no error."""
        # Nomad answers 200 for one that it does not know.
        self._send(
            Call(
                name="stop",
                attempt=f"stop {nomad_job_id}",
                endpoint="job",
                path=(nomad_job_id,),
                method="delete",
                params={"purge": "false"},
            )
        )

    def evaluate(self, nomad_job_id: str) -> None:
        """Make a new evaluation for a job. Raises `NotFound`."""
        self._send(
            Call(
                name="evaluate",
                attempt=f"evaluate {nomad_job_id}",
                endpoint="job",
                path=(nomad_job_id, "evaluate"),
                method="post",
            )
        )

    def purge(self, node_id: str) -> None:
        """Remove a node; one that is unknown is no error."""
        call = Call(
            name="purge",
            attempt=f"purge node {node_id}",
            endpoint="node",
            path=(node_id, "purge"),
            method="post",
        )
        try:
            self._send(call)
        except NotFound:
            return

    def _send(self, call: Call) -> Response:
        return self._transport.send(call, self._deadline())

    def _deadline(self) -> Deadline:
        return Deadline.after(self._call_deadline())


def _listing(endpoint: str, params: dict[str, str]) -> Call:
    return Call(
        name="snapshot", attempt=f"list the {endpoint} of Nomad", endpoint=endpoint, params=params
    )


def _nobody(_: str, __: str, ___: float) -> None:
    """Nobody counts the requests."""
