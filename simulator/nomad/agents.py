"""Client agents: they start and kill what the servers place on their nodes, and report back.

An agent may be silent (its machine runs on, nobody hears it), dead (its machine is gone), or come
back with the node id it had. The servers learn of silence only by missed heartbeats.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from simulator.nomad.nodes import Machine, Nodes
from simulator.nomad.rows import AllocRow, JobRow, Options
from simulator.nomad.scheduler import Scheduler
from simulator.nomad.state import Event, State
from simulator.nomad.tasks import Task, TaskDriver
from simulator.timeline import Timeline

NODES_PER_SECOND = 50
"""Heartbeats per second that the servers want at most."""

AT_ONCE = timedelta()


@dataclass
class Agent:
    """One client process. `silences` counts how often it fell silent."""

    machine: Machine
    alive: bool = True
    connected: bool = True
    silences: int = 0
    running: dict[str, None] = field(default_factory=dict)
    unreported: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What the agents live in."""

    state: State
    timeline: Timeline
    scheduler: Scheduler
    nodes: Nodes
    options: Options


class Agents:
    """All clients of the cluster, by node id."""

    def __init__(self, around: Surroundings, driver: TaskDriver) -> None:
        self._state = around.state
        self._timeline = around.timeline
        self._scheduler = around.scheduler
        self._nodes = around.nodes
        self._options = around.options
        self._driver = driver
        self._agents: dict[str, Agent] = {}
        self._node_of_server: dict[str, str] = {}
        self._state.listeners.append(self.hear)

    # ---- machines come and go --------------------------------------------------------------------

    def boots(self, machine: Machine) -> str:
        """A machine starts its agent, which registers; the node id. One that ran before on the same
        server comes back with the same id, and with nothing running.
        """
        node_id = self._node_of_server.get(machine.server_id) or machine.node_id
        machine = replace(machine, node_id=node_id)
        before = self._agents.get(node_id)
        if before is not None:
            self._end_all(before)
        self._node_of_server[machine.server_id] = node_id
        agent = self._agents[node_id] = Agent(machine=machine)
        self._nodes.register(machine)
        self._timeline.after(self._options.registers_again, lambda: self._found_out_more(agent))
        for alloc in self._state.live_on(node_id):
            if alloc.client_status == "running":
                self._report(alloc.id, 1)
        self._synchronise(agent)
        return node_id

    def _found_out_more(self, agent: Agent) -> None:
        if agent.alive and agent.connected:
            self._nodes.registers_again(agent.machine.node_id)

    def reboot(self, server_id: str) -> None:
        """A machine starts again; one that never had an agent, or is gone, does not."""
        agent = self._agents.get(self._node_of_server.get(server_id, ""))
        if agent is not None:
            self.boots(agent.machine)

    def renew(self, server_id: str) -> None:
        """A machine starts again without the data of its agent: its node has another id, and the
        old one is missed sooner or later.
        """
        node_id = self._node_of_server.pop(server_id, "")
        agent = self._agents.pop(node_id, None)
        if agent is not None:
            self._end_all(agent)
            self._await_heartbeat(agent)
            self.boots(replace(agent.machine, node_id=self._state.new_id()))

    def dies(self, server_id: str) -> None:
        """A machine is gone with all that ran on it; its server id never comes back."""
        agent = self._agents.pop(self._node_of_server.pop(server_id, ""), None)
        if agent is not None:
            agent.alive = False
            self._end_all(agent)
            self._await_heartbeat(agent)

    def falls_silent(self, node_id: str) -> None:
        """Nobody hears the agent any more; what it runs goes on. A gone machine says nothing."""
        agent = self._agents.get(node_id)
        if agent is None:
            return
        agent.connected = False
        agent.silences += 1
        self._await_heartbeat(agent)

    def is_heard_again(self, node_id: str) -> None:
        """The agent is back: it registers anew if it must, ends what is not wanted any more, and
        reports what ended meanwhile. One whose machine went meanwhile is never heard again.
        """
        agent = self._agents.get(node_id)
        if agent is None or agent.connected:
            return
        agent.connected = True
        node = self._state.nodes.get(node_id)
        if node is None or node.status == "down":
            self._nodes.register(agent.machine)
        for alloc_id, code in list(agent.unreported.items()):
            self._report(alloc_id, code)
        agent.unreported.clear()
        self._synchronise(agent)

    def notice_purge(self, node_id: str) -> None:
        """A living agent whose node was purged registers again with its next heartbeat."""
        agent = self._agents.get(node_id)
        if agent is not None and agent.connected:
            wait = self._options.heartbeat_min * self._state.chance.random()
            self._timeline.after(wait, lambda: self._register_again(agent))

    def _register_again(self, agent: Agent) -> None:
        node_id = agent.machine.node_id
        if agent.alive and agent.connected and self._state.nodes.get(node_id) is None:
            self._nodes.register(agent.machine)
            self._synchronise(agent)

    def _await_heartbeat(self, agent: Agent) -> None:
        options, chance = self._options, self._state.chance
        scaled = timedelta(seconds=len(self._state.nodes) / NODES_PER_SECOND)
        interval = max(options.heartbeat_min, scaled) * (1 + chance.random())
        # Its last heartbeat was some part of an interval ago.
        deadline = interval * (1 - chance.random()) + options.heartbeat_grace
        silence = agent.silences

        def missed() -> None:
            now = self._agents.get(agent.machine.node_id)
            if now is None or (now is agent and not now.connected and now.silences == silence):
                self._nodes.heartbeat_missed(agent.machine.node_id)

        self._timeline.after(deadline, missed)

    def _end_all(self, agent: Agent) -> None:
        agent.alive = False
        for alloc_id in list(agent.running):
            self._driver.kill(alloc_id, AT_ONCE)
        agent.running.clear()

    def shut_down(self) -> None:
        """End everything that runs, at once and without a report."""
        for agent in self._agents.values():
            self._end_all(agent)

    # ---- allocations -----------------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """Take up what is placed on a node, kill what is told to stop."""
        row = event.row
        if not isinstance(row, AllocRow):
            return
        agent = self._agents.get(row.node_id)
        if agent is not None and agent.connected:
            if row.create_index == row.modify_index:
                self._start_soon(row.id, self._options.start_delay)
            elif row.terminal and row.id in agent.running:
                self._timeline.after(AT_ONCE, lambda: self._kill(row.id))
            elif row.desired != "run" and not row.client_terminal:
                self._timeline.after(AT_ONCE, lambda: self._report(row.id, None))

    def _synchronise(self, agent: Agent) -> None:
        for alloc in self._state.live_on(agent.machine.node_id):
            if alloc.client_status == "pending" and alloc.id not in agent.running:
                self._start_soon(alloc.id, self._options.start_delay)
        for alloc_id in list(agent.running):
            known = self._state.allocs.get(alloc_id)
            if known is None or known.terminal:
                self._kill(alloc_id)

    def _start_soon(self, alloc_id: str, delay: timedelta) -> None:
        self._timeline.after(delay, lambda: self._start(alloc_id))

    def _start(self, alloc_id: str) -> None:
        alloc = self._state.allocs.get(alloc_id)
        agent = self._agents.get(alloc.node_id) if alloc else None
        if alloc is None or alloc.client_terminal or agent is None or not agent.connected:
            return
        if alloc.desired != "run":
            self._report(alloc_id, None)
            return
        job = self._state.jobs.get(alloc.job_id)
        node = self._state.nodes.get(alloc.node_id)
        if job is None or node is None or alloc_id in agent.running:
            return
        agent.running[alloc_id] = None
        self._write(
            alloc,
            client_status="running",
            client_description="Tasks are running",
            started_at=self._state.now(),
        )
        task = Task(allocation=self._state.allocs.get(alloc_id) or alloc, job=job, node=node)
        self._driver.start(task, lambda code: self._exited(agent, alloc_id, code))

    def _kill(self, alloc_id: str) -> None:
        alloc = self._state.allocs.get(alloc_id)
        job = self._state.jobs.get(alloc.job_id) if alloc else None
        self._driver.kill(alloc_id, job.task.kill_timeout if job else timedelta(seconds=5))

    def _exited(self, agent: Agent, alloc_id: str, code: int) -> None:
        with self._state.changed:
            if not agent.alive or alloc_id not in agent.running:
                return
            del agent.running[alloc_id]
            if not agent.connected:
                agent.unreported[alloc_id] = code
                return
            self._report(alloc_id, code)

    def _report(self, alloc_id: str, code: int | None) -> None:
        """Tell the servers that a task is over (None: it never started)."""
        alloc = self._state.allocs.get(alloc_id)
        if alloc is None or alloc.client_terminal:
            return
        job = self._state.jobs.get(alloc.job_id)
        ended: dict[str, Any] = {"exit_code": code, "finished_at": self._state.now()}
        # Killed tasks end "complete" too, whatever their exit code.
        if alloc.desired != "run" or code == 0:
            said = "All tasks have completed"
            self._write(alloc, client_status="complete", client_description=said, **ended)
        elif job is not None and alloc.restarts < job.task.restarts:
            self._write(alloc, client_status="pending", restarts=alloc.restarts + 1, **ended)
            self._start_soon(alloc_id, job.task.restart_delay)
        else:
            self._write(alloc, client_status="failed", client_description="Failed tasks", **ended)
            self._reschedule(alloc, job)

    def _reschedule(self, alloc: AllocRow, job: JobRow | None) -> None:
        if job is None or alloc.reschedules >= job.task.reschedules:
            return

        def again() -> None:
            current = self._state.jobs.get(job.id)
            if current is not None and not current.stopped:
                index = self._state.advance()
                self._scheduler.evaluate(current, "alloc-failure", index)

        self._timeline.after(job.task.reschedule_delay, again)

    def forget(self, alloc_ids: Iterable[str], grace: timedelta) -> None:
        """The servers do not know of allocations any more: their agents end what runs for them."""
        for alloc_id in alloc_ids:
            self._driver.kill(alloc_id, grace)

    def lose(self, alloc_ids: Iterable[str]) -> None:
        """The servers give allocations up as lost, their agents end them, replacements follow."""
        for alloc_id in alloc_ids:
            alloc = self._state.allocs.get(alloc_id)
            job = self._state.jobs.get(alloc.job_id) if alloc else None
            if alloc is None or alloc.client_terminal:
                continue
            self._write(alloc, desired="stop", client_status="lost")
            if job is not None:
                index = self._state.advance()
                self._scheduler.evaluate(job, "node-update", index, node_id=alloc.node_id)

    def _write(self, alloc: AllocRow, **fields: Any) -> None:
        state = self._state
        index, now = state.advance(), state.now()
        row = replace(alloc, modify_index=index, modified_at=now, **fields)
        state.put_alloc(row, "AllocationUpdated")
        # Each client update bumps the index of the nodes table too, and no node's ModifyIndex.
        state.nodes.index = max(state.nodes.index, index)
        if (node := state.nodes.get(alloc.node_id)) is not None:
            state.tell_of_node(node)
