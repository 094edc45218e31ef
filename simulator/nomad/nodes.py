"""Nodes as the servers see them: registered, eligible or not, down, purged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from simulator.nomad.rows import AllocRow, Drain, NodeRow, NomadError, Options
from simulator.nomad.scheduler import Scheduler
from simulator.nomad.state import Event, State
from simulator.timeline import Timeline

MIGRATED = "alloc is being migrated"


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
        self.opened: defaultdict[str, list[int]] = defaultdict(list)
        """Servers whose node became usable by itself or by other hands than a controller's, and at
        which indexes: it joined eligible, or somebody made it so."""
        state.listeners.append(self.hear)

    def hear(self, event: Event) -> None:
        """A drained node on which the last allocation ended is done with its drain."""
        row = event.row
        if isinstance(row, AllocRow) and row.client_terminal:
            self._end_drain(row.node_id)

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
            drain=before.drain if before else None,
            drained_at=before.drained_at if before else None,
            status="initializing",
            eligible=before.eligible if before else not self._options.default_ineligible,
            status_at=state.now(),
            create_index=before.create_index if before else index,
            modify_index=index,
        )
        state.put_node(row, "NodeRegistration")
        if before is None and row.eligible:
            self.opened[row.server_id].append(index)
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

    def set_eligibility(self, node_id: str, *, eligible: bool, by_others: bool = False) -> int:
        """Mark a node; 0 when it was so already. `by_others`: no controller does."""
        node = self.get(node_id, missing=500)
        if eligible and node.drain is not None:
            raise NomadError(
                500, "can not set node's scheduling eligibility to eligible while it is draining"
            )
        if node.eligible is eligible:
            return 0
        index = self._state.advance()
        changed = replace(node, eligible=eligible, modify_index=index)
        self._state.put_node(changed, "NodeEligibility")
        if eligible and by_others:
            self.opened[node.server_id].append(index)
        return index

    def drain(self, node_id: str, deadline: timedelta | None) -> int:
        """Let a node get nothing new, and be empty by `deadline` (None: whenever it is).

        What still runs at the deadline is stopped and, being batch, not replaced. When it is empty
        the drain is over and the node stays ineligible.
        """
        node, now = self.get(node_id, missing=500), self._state.now()
        index = self._state.advance()
        drain = Drain(started_at=now, force_at=None if deadline is None else now + deadline)
        changed = replace(node, eligible=False, drain=drain, modify_index=index)
        self._state.put_node(changed, "NodeDrain")
        if deadline is not None:
            self._timeline.after(deadline, lambda: self._force_drain(node_id, drain))
        self._end_drain(node_id)
        return index

    def end_drain(self, node_id: str, *, eligible: bool) -> int:
        """Call a drain off; the node stays ineligible unless told otherwise."""
        node = self.get(node_id, missing=500)
        index = self._state.advance()
        changed = replace(node, drain=None, eligible=eligible or node.eligible, modify_index=index)
        self._state.put_node(changed, "NodeDrain")
        return index

    def _force_drain(self, node_id: str, drain: Drain) -> None:
        node = self._state.nodes.get(node_id)
        if node is None or node.drain is not drain:
            return
        for alloc in self._state.live_on(node_id):
            if alloc.desired == "run":
                index, now = self._state.advance(), self._state.now()
                stopped = replace(
                    alloc,
                    desired="stop",
                    desired_description=MIGRATED,
                    modify_index=index,
                    modified_at=now,
                )
                self._state.put_alloc(stopped, "AllocationUpdateDesiredStatus")

    def _end_drain(self, node_id: str) -> None:
        node = self._state.nodes.get(node_id)
        if node is not None and node.drain is not None and not self._state.live_on(node_id):
            changed = replace(
                node,
                drain=None,
                drained_at=self._state.now(),
                modify_index=self._state.advance(),
            )
            self._state.put_node(changed, "NodeDrain")

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
