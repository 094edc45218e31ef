"""The simulated Nomad: its parts wired together, and what a harness may do to it.

The cloud tells it which machines there are (`node_boots`, `node_dies`). What goes wrong on order is
here too; what may go wrong with a single call is in `simulator.faults`, asked by the two faces.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from simulator.nomad.agents import Agents, Surroundings
from simulator.nomad.gc import Collector
from simulator.nomad.jobs import Evaluated, Jobs, Oddity
from simulator.nomad.nodes import Machine, Nodes, Purged
from simulator.nomad.rows import Options
from simulator.nomad.scheduler import Scheduler
from simulator.nomad.state import State
from simulator.nomad.tasks import TaskDriver
from simulator.timeline import Timeline


@dataclass(frozen=True, kw_only=True, slots=True)
class Boot:
    """A server whose agent starts now. Memory in MB; `node_class` is the flavor's name.

    `node_id` is what the agent had kept of an earlier life; without one its node is new.
    """

    server_id: str
    name: str
    node_class: str
    memory_mb: int
    address: str = ""
    identified_by: str = "meta"
    node_id: str | None = None


class NomadCluster:
    """One Nomad region: servers and clients. `lock` is shared with whatever shares the timeline."""

    def __init__(
        self,
        timeline: Timeline,
        driver: TaskDriver,
        *,
        options: Options | None = None,
        seed: int = 0,
        lock: threading.RLock | None = None,
    ) -> None:
        self.options = options or Options()
        self.timeline = timeline
        self.lock = lock or threading.RLock()
        self.state = State(timeline, seed, self.lock, buffer=self.options.event_buffer)
        self.scheduler = Scheduler(self.state, timeline, self.options)
        self.jobs = Jobs(self.state, self.scheduler, self.options)
        self.nodes = Nodes(self.state, timeline, self.scheduler, self.options)
        self.gc = Collector(self.state, timeline, self.options)
        self._agents = Agents(
            Surroundings(
                state=self.state,
                timeline=timeline,
                scheduler=self.scheduler,
                nodes=self.nodes,
                options=self.options,
            ),
            driver,
        )
        self.term = 1
        """The leader's term: a change of leader raises it."""
        self.leaderless = False
        """Whether an election goes on: nothing is served but 500 `No cluster leader`."""
        self.known_leader = True
        """Whether the answering server says that it knows a leader (X-Nomad-KnownLeader)."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Exclude every other thread of both faces, of the drivers and of the timeline's pacer."""
        with self.lock:
            yield

    # ---- machines --------------------------------------------------------------------------------

    def node_boots(self, boot: Boot) -> str:
        """The agent of a server starts and registers its node; the node's id."""
        with self.lock:
            machine = Machine(
                node_id=boot.node_id or self.state.new_id(),
                server_id=boot.server_id,
                name=boot.name,
                node_class=boot.node_class,
                memory_mb=boot.memory_mb,
                address=boot.address,
                identified_by=boot.identified_by,
            )
            return self._agents.boots(machine)

    def node_dies(self, server_id: str) -> None:
        """The server is gone, with its agent and all that ran there. Nomad will notice.

        One that never had an agent is no error.
        """
        with self.lock:
            self._agents.dies(server_id)

    def purge(self, node_id: str) -> Purged:
        """Forget a node; a living agent brings it back, as new."""
        purged = self.nodes.purge(node_id)
        self._agents.notice_purge(node_id)
        return purged

    def purge_job(self, job_id: str) -> Evaluated:
        """Forget a job and its allocations; their tasks are told to end."""
        live = [row.id for row in self.state.allocs_of(job_id) if not row.client_terminal]
        job = self.state.jobs.get(job_id)
        stopped = self.jobs.stop(job_id, purge=True)
        if job is not None:
            self._agents.forget(live, job.task.kill_timeout)
        return stopped

    # ---- faults on order -------------------------------------------------------------------------

    def lose_allocation(self, *alloc_ids: str) -> None:
        """Give allocations up as lost though their node lives; Nomad replaces them."""
        with self.lock:
            self._agents.lose(alloc_ids)

    def lose_node(self, node_id: str, back_after: timedelta | None = None) -> None:
        """The node falls silent while its tasks go on; it may be heard again later."""
        with self.lock:
            self._agents.falls_silent(node_id)
            if back_after is not None:
                self.timeline.after(back_after, lambda: self._agents.is_heard_again(node_id))

    def find_node(self, node_id: str) -> None:
        """A node that fell silent is heard again."""
        with self.lock:
            self._agents.is_heard_again(node_id)

    def delay_next_placement(self, delay: timedelta) -> None:
        """Choose the next placement's node now, commit it `delay` later whatever the node is then:
        it may have become ineligible, and the allocation's CreateIndex is above that write's.
        """
        self.scheduler.delay_next_placement(delay)

    def spoil_next_dispatch(self, how: Oddity) -> None:
        """Let the next dispatch that would make a child go wrong though it is answered."""
        with self.lock:
            self.jobs.spoil_dispatch(how)

    def change_leader(self, election: timedelta = timedelta()) -> None:
        """Another server leads, after an election during which nobody does."""
        with self.lock:
            self.term += 1
            if election:
                self.leaderless = True
                self.timeline.after(election, self._elected)

    def _elected(self) -> None:
        self.leaderless = False

    def follow(self, span: timedelta) -> None:
        """Let a server answer that knows no leader: what it says may be old."""
        with self.lock:
            self.known_leader = False
            self.timeline.after(span, self._found_leader)

    def _found_leader(self) -> None:
        self.known_leader = True

    def renew_agent(self, server_id: str) -> None:
        """The agent of a server has lost its data: it registers as a node that nobody knows."""
        with self.lock:
            self._agents.renew(server_id)

    def reboot(self, server_id: str) -> None:
        """A machine starts again: what ran there is gone, its node comes back."""
        with self.lock:
            self._agents.reboot(server_id)

    def calm(self) -> None:
        """Forget every order that has not been carried out, and have a leader."""
        with self.lock:
            self.jobs.forget_orders()
            self.scheduler.forget_orders()
            self.leaderless, self.known_leader = False, True

    def shut_down(self) -> None:
        """End every task at once."""
        with self.lock:
            self._agents.shut_down()
