"""Nodes as the servers see them: registered, eligible or not, down, purged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from simulator.nomad.rows import NodeRow, NomadError, Options
from simulator.nomad.scheduler import Scheduler
from simulator.nomad.state import State
from simulator.timeline import Timeline


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What a client agent says of itself when it registers.

    `identified_by` tells where its server's id can be read: "meta", "host_id" alone, or "nothing".
    """

    node_id: str
    server_id: str
    name: str
    node_class: str
    memory_mb: int
    address: str = ""
    cpu_mhz: int = 20_000
    identified_by: str = "meta"


@dataclass(frozen=True, kw_only=True, slots=True)
class Purged:
    """The answer to a purge."""

    index: int
    eval_index: int
    eval_ids: tuple[str, ...]


class Nodes:
    """The node endpoint of the servers."""

    def __init__(
        self, state: State, timeline: Timeline, scheduler: Scheduler, options: Options
    ) -> None:
        self._state = state
        self._timeline = timeline
        self._scheduler = scheduler
        self._options = options

    def get(self, node_id: str, *, missing: int = 404) -> NodeRow:
        """One node; only a GET says 404 when there is none, all else says 500."""
        if (node := self._state.nodes.get(node_id)) is None:
            raise NomadError(missing, "node not found")
        return node

    def register(self, machine: Machine) -> None:
        """A client registers: `initializing`, `ready` a while later. One that is known keeps its
        eligibility; a new or purged one has that of its client's setting.
        """
        state, before = self._state, self._state.nodes.get(machine.node_id)
        index = state.advance()
        row = NodeRow(
            id=machine.node_id,
            name=machine.name,
            node_class=machine.node_class,
            server_id=machine.server_id,
            address=machine.address,
            memory_mb=machine.memory_mb,
            cpu_mhz=machine.cpu_mhz,
            identified_by=machine.identified_by,
            status="initializing",
            eligible=before.eligible if before else not self._options.default_ineligible,
            status_at=state.now(),
            create_index=before.create_index if before else index,
            modify_index=index,
        )
        state.put_node(row, "NodeRegistration")
        self._timeline.after(self._options.ready_delay, lambda: self._make_ready(row))

    def _make_ready(self, registered: NodeRow) -> None:
        node = self._state.nodes.get(registered.id)
        if (
            node is not None
            and node.status == "initializing"
            and node.create_index == registered.create_index
        ):
            self._write(node, status="ready", event_type="NodeStreamEvent")

    def registers_again(self, node_id: str) -> None:
        """A client that is ready tells all over again what it is, because it found out more about
        its machine: of all that is listed only the node's ModifyIndex differs.
        """
        node = self._state.nodes.get(node_id)
        if node is not None and node.status == "ready":
            again = replace(node, modify_index=self._state.advance())
            self._state.put_node(again, "NodeRegistration")

    def set_eligibility(self, node_id: str, *, eligible: bool) -> int:
        """Mark a node; 0 when it was so already."""
        node = self.get(node_id, missing=500)
        if node.eligible is eligible:
            return 0
        index = self._state.advance()
        changed = replace(node, eligible=eligible, modify_index=index)
        self._state.put_node(changed, "NodeEligibility")
        return index

    def heartbeat_missed(self, node_id: str) -> None:
        """The node is down; in a later write, the jobs that run there are looked at again."""
        node = self._state.nodes.get(node_id)
        if node is not None and node.status != "down":
            self._write(node, status="down", event_type="NodeStreamEvent")
            self._evaluate_jobs_on(node_id)

    def purge(self, node_id: str) -> Purged:
        """Forget a node: what ran there is lost at once and replaced."""
        self.get(node_id, missing=500)
        index = self._state.advance()
        self._state.delete_node(node_id, index)
        made = tuple(self._evaluate_jobs_on(node_id))
        return Purged(index=index, eval_index=self._state.index if made else 0, eval_ids=made)

    def _write(self, node: NodeRow, *, status: str, event_type: str) -> None:
        state = self._state
        index = state.advance()
        row = replace(node, status=status, status_at=state.now(), modify_index=index)
        state.put_node(row, event_type)

    def _evaluate_jobs_on(self, node_id: str) -> Iterable[str]:
        job_ids = dict.fromkeys(alloc.job_id for alloc in self._state.live_on(node_id))
        jobs = [job for key in job_ids if (job := self._state.jobs.get(key)) is not None]
        if not jobs:
            return []
        about: dict[str, Any] = {"node_id": node_id, "node_modify_index": self._state.index}
        index = self._state.advance()
        return [
            self._scheduler.evaluate(job, "node-update", index, job_modify_index=0, **about).id
            for job in jobs
        ]
