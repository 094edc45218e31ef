"""The replicated state: one Raft index, one index per table, and the events that a write makes.

Every write takes the next index with `advance` and puts whole rows that carry it. A job's status
and summary follow from its evaluations and allocations and are written at the same index. Nothing
here decides anything. All access is under `changed`, the condition that HTTP threads wait on.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from models.ports import Clock
from simulator.nomad.rows import NAMESPACE, AllocRow, EvalRow, JobRow, NodeRow, Summary

FIRST_INDEX = 10
"""A new cluster has written its own configuration before anybody comes."""

EVALUATED_BY_HAND = "AllocationUpdateDesiredStatus"
"""What an evaluation comes with that somebody asked for: a job that is dead stays so meanwhile."""

_APART = {"JobRegistered", "JobDeregistered"}

_COUNTER = {
    "pending": "starting",
    "running": "running",
    "complete": "complete",
    "failed": "failed",
    "lost": "lost",
}
_ONLY_GROW = {"complete", "failed"}


class Row(Protocol):
    """What every row has."""

    @property
    def id(self) -> str:
        """Its key."""

    @property
    def create_index(self) -> int:
        """The Raft index of its first write."""

    @property
    def modify_index(self) -> int:
        """The Raft index of its newest write."""


R = TypeVar("R", bound=Row)


class Table(Generic[R]):
    """Rows by id, which of them are live, and the index of the newest write to any of them."""

    def __init__(self, is_live: Callable[[R], bool] = lambda _: True) -> None:
        self.index = 0
        self.live: dict[str, R] = {}
        self._is_live = is_live
        self._rows: dict[str, R] = {}
        self._by_id: list[str] | None = None

    def get(self, key: str) -> R | None:
        """The row of this id."""
        return self._rows.get(key)

    def put(self, row: R) -> R | None:
        """Write a row; the one that it replaced."""
        before = self._rows.get(row.id)
        if before is None:
            self._by_id = None
        self._rows[row.id] = row
        if self._is_live(row):
            self.live[row.id] = row
        else:
            self.live.pop(row.id, None)
        self.index = max(self.index, row.modify_index)
        return before

    def delete(self, key: str, index: int) -> R | None:
        """Remove a row at this index; what it was."""
        self._by_id = None
        self.live.pop(key, None)
        self.index = max(self.index, index)
        return self._rows.pop(key, None)

    def by_id(self) -> list[R]:
        """All rows ordered by id, as nodes and jobs are listed."""
        if self._by_id is None:
            self._by_id = sorted(self._rows)
        rows = self._rows
        return [rows[key] for key in self._by_id]

    def by_creation(self) -> list[R]:
        """All rows in order of creation, as evaluations and allocations are listed."""
        return list(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """What one write says about one row. `topic` names the row's kind, `type` the Raft message."""

    topic: str
    type: str
    key: str
    filter_keys: tuple[str, ...]
    row: NodeRow | JobRow | EvalRow | AllocRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """All events of one Raft index."""

    index: int
    events: list[Event]


class State:
    """The tables, and the only methods that write them."""

    def __init__(
        self, clock: Clock, seed: int, lock: threading.RLock | None = None, *, buffer: int = 100
    ) -> None:
        self.clock = clock
        self.chance = Random(seed)
        self.changed = threading.Condition(lock)
        self.index = FIRST_INDEX
        self.nodes: Table[NodeRow] = Table()
        self.jobs: Table[JobRow] = Table()
        self.evals: Table[EvalRow] = Table(lambda row: row.is_open)
        self.allocs: Table[AllocRow] = Table(lambda row: not row.client_terminal)
        self.buffer: deque[Batch] = deque(maxlen=buffer)
        self.namespaces = {NAMESPACE}
        self.published = 0
        """How many batches there ever were."""
        self.listeners: list[Callable[[Event], None]] = []
        self._allocs_of_job: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._allocs_on_node: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._evals_of_job: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._children: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._tokens: dict[tuple[str, str], str] = {}
        self._load: dict[str, tuple[int, int]] = {}
        self._usable: defaultdict[str, dict[str, NodeRow]] = defaultdict(dict)

    def now(self) -> datetime:
        """Virtual time."""
        return self.clock.now()

    def new_id(self) -> str:
        """A random uuid of this cluster's own chance."""
        return str(UUID(int=self.chance.getrandbits(128), version=4))

    def advance(self) -> int:
        """Begin a write: its Raft index."""
        self.index += 1
        return self.index

    # ---- reading ---------------------------------------------------------------------------------

    def allocs_of(self, job_id: str) -> list[AllocRow]:
        """Allocations of a job in order of creation."""
        return list(self._found(self.allocs, self._allocs_of_job, job_id))

    def live_on(self, node_id: str) -> list[AllocRow]:
        """Allocations that occupy a node: ClientStatus not terminal."""
        return list(self._found(self.allocs, self._allocs_on_node, node_id))

    def load_of(self, node_id: str) -> tuple[int, int]:
        """Memory (MB) and CPU (MHz) that live allocations occupy on a node."""
        load = self._load.get(node_id)
        if load is None:
            live = self.live_on(node_id)
            load = sum(alloc.memory_mb for alloc in live), sum(alloc.cpu_mhz for alloc in live)
            self._load[node_id] = load
        return load

    def usable_of(self, node_class: str) -> list[NodeRow]:
        """Nodes of a class (empty: of all) that the scheduler may choose, oldest first."""
        if node_class:
            return list(self._usable.get(node_class, {}).values())
        return [node for nodes in self._usable.values() for node in nodes.values()]

    def evals_of(self, job_id: str) -> list[EvalRow]:
        """Evaluations of a job in order of creation."""
        return list(self._found(self.evals, self._evals_of_job, job_id))

    def children_of(self, parent_id: str) -> list[JobRow]:
        """Dispatched children of a parent that are still in state, whatever their status."""
        return list(self._found(self.jobs, self._children, parent_id))

    def child_with_token(self, parent_id: str, token: str) -> JobRow | None:
        """The child of a parent that was dispatched with this token, if it is still in state."""
        return self.jobs.get(self._tokens.get((parent_id, token), ""))

    @staticmethod
    def _found(table: Table[R], index: dict[str, dict[str, None]], key: str) -> Iterator[R]:
        for row_id in index.get(key, ()):
            if (row := table.get(row_id)) is not None:
                yield row

    # ---- writing ---------------------------------------------------------------------------------

    def put_node(self, row: NodeRow, event_type: str) -> None:
        """Write a node."""
        self.nodes.put(row)
        if row.usable:
            self._usable[row.node_class][row.id] = row
        else:
            self._usable[row.node_class].pop(row.id, None)
        self._publish(Event(topic="Node", type=event_type, key=row.id, filter_keys=(), row=row))

    def put_job(self, row: JobRow, event_type: str) -> None:
        """Write a job."""
        if self.jobs.put(row) is None and row.parent_id:
            self._children[row.parent_id][row.id] = None
            if row.token:
                self._tokens[row.parent_id, row.token] = row.id
        self._publish(Event(topic="Job", type=event_type, key=row.id, filter_keys=(), row=row))

    def put_summary(self, job: JobRow, summary: Summary) -> None:
        """Write a job's summary: the table's index moves, its own does not, nothing is said."""
        self.jobs.put(replace(job, summary=summary))
        self.jobs.index = max(self.jobs.index, summary.modify_index)

    def put_eval(self, row: EvalRow, event_type: str = "EvaluationUpdated") -> None:
        """Write an evaluation; its job's status follows, unless a person asked for it alone."""
        if self.evals.put(row) is None:
            self._evals_of_job[row.job_id][row.id] = None
        self._publish(
            Event(
                topic="Evaluation",
                type=event_type,
                key=row.id,
                filter_keys=(row.job_id, ""),
                row=row,
            )
        )
        if event_type != EVALUATED_BY_HAND:
            self._refresh(row.job_id, row.modify_index, event_type)

    def put_alloc(self, row: AllocRow, event_type: str) -> None:
        """Write an allocation; its job's status and summary follow."""
        before = self.allocs.put(row)
        self._allocs_of_job[row.job_id][row.id] = None
        self._load.pop(row.node_id, None)
        if row.client_terminal:
            self._allocs_on_node[row.node_id].pop(row.id, None)
        else:
            self._allocs_on_node[row.node_id][row.id] = None
        self._publish(
            Event(
                topic="Allocation",
                type=event_type,
                key=row.id,
                filter_keys=(row.job_id, ""),
                row=row,
            )
        )
        self._count(before, row)
        self._refresh(row.job_id, row.modify_index, event_type)

    def tell_of_node(self, row: NodeRow) -> None:
        """Say that something about a node was written, without a change of the node itself."""
        event = Event(topic="Node", type="AllocationUpdated", key=row.id, filter_keys=(), row=row)
        self._buffer(event)

    def delete_node(self, node_id: str, index: int) -> None:
        """Remove a node: its transaction is untyped, nothing is published."""
        gone = self.nodes.delete(node_id, index)
        if gone is not None:
            self._usable[gone.node_class].pop(node_id, None)

    def delete_job(self, job_id: str, index: int, event_type: str) -> None:
        """Remove a job and its summary: a job is the only thing whose removal is told of."""
        gone = self.jobs.delete(job_id, index)
        if gone is not None:
            self._buffer(Event(topic="Job", type=event_type, key=job_id, filter_keys=(), row=gone))
        if gone is not None and gone.parent_id:
            self._children[gone.parent_id].pop(job_id, None)
            self._tokens.pop((gone.parent_id, gone.token), None)

    def delete_eval(self, row: EvalRow, index: int) -> None:
        """Remove an evaluation without an event."""
        self.evals.delete(row.id, index)
        self._drop(self._evals_of_job, row.job_id, row.id)

    def delete_alloc(self, row: AllocRow, index: int) -> None:
        """Remove an allocation without an event."""
        self.allocs.delete(row.id, index)
        self._drop(self._allocs_of_job, row.job_id, row.id)
        self._drop(self._allocs_on_node, row.node_id, row.id)
        self._load.pop(row.node_id, None)

    @staticmethod
    def _drop(index: dict[str, dict[str, None]], key: str, row_id: str) -> None:
        rows = index.get(key)
        if rows is not None:
            rows.pop(row_id, None)
            if not rows:
                del index[key]

    def _publish(self, event: Event) -> None:
        self._buffer(event)
        for listener in self.listeners:
            listener(event)
        with self.changed:
            self.changed.notify_all()

    def _buffer(self, event: Event) -> None:
        # A job that is registered or stopped and its evaluation: two transactions, one index.
        apart = event.topic == "Evaluation" and event.type in _APART
        if self.buffer and self.buffer[-1].index == self.index and not apart:
            self.buffer[-1].events.append(event)
        else:
            self.buffer.append(Batch(index=self.index, events=[event]))
            self.published += 1

    # ---- what follows from a write ---------------------------------------------------------------

    def _count(self, before: AllocRow | None, after: AllocRow) -> None:
        job = self.jobs.get(after.job_id)
        if job is None or (before and before.client_status == after.client_status):
            return
        changes = {name: getattr(job.summary, name) for name in _COUNTER.values()}
        if before is None:
            changes["queued"] = max(0, job.summary.queued - 1)
        elif (left := _COUNTER[before.client_status]) not in _ONLY_GROW:
            changes[left] = max(0, changes[left] - 1)
        changes[_COUNTER[after.client_status]] += 1
        self.put_summary(job, replace(job.summary, modify_index=after.modify_index, **changes))

    def _refresh(self, job_id: str, index: int, event_type: str) -> None:
        job = self.jobs.get(job_id)
        if job is not None and (status := self.status_of(job)) != job.status:
            self.put_job(replace(job, status=status, modify_index=index), event_type)

    def status_of(self, job: JobRow) -> str:
        """Pending, running or dead, as the job's evaluations and allocations say."""
        if job.dispatchable:
            return "dead" if job.stopped else "running"
        allocs = self.allocs_of(job.id)
        if any(not alloc.terminal for alloc in allocs):
            return "running"
        evals = self.evals_of(job.id)
        if any(row.is_open for row in evals):
            return "pending"
        return "dead" if allocs or evals or job.stopped else "pending"
