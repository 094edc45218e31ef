"""Evaluations and what becomes of them: placed, blocked, or everything stopped.

An evaluation is scheduled `scheduling_delay` after it was written: dispatch has answered by then.
The best ready one is taken first (priority, then CreateIndex), one at a time per job. What does not
fit is blocked and tried again whenever a node of its class may have room, which writes nothing.
Whoever writes the state need not call this: it hears of every write, as Nomad's own leader does.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from simulator.nomad.rows import AllocRow, EvalRow, JobRow, NodeRow, Options, PlacementFailure
from simulator.nomad.state import Event, State
from simulator.timeline import Timeline

NODE_DOWN = "alloc is lost since its node is down"
NOT_NEEDED = "alloc not needed due to job update"
PLACE_REMAINING = "created to place remaining allocations"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What one evaluation came to: a node for the job (None: nothing to place), what is lost."""

    evaluation: EvalRow
    job: JobRow
    node: NodeRow | None
    lost: tuple[AllocRow, ...]


class Scheduler:
    """All scheduling workers and the plan applier in one."""

    def __init__(self, state: State, timeline: Timeline, options: Options) -> None:
        self._state = state
        self._timeline = timeline
        self._options = options
        self._ready: list[tuple[int, int, str]] = []
        self._blocked: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._at_work: dict[str, Plan] = {}
        self._held_back: defaultdict[str, list[EvalRow]] = defaultdict(list)
        self._late: deque[timedelta] = deque()
        state.listeners.append(self.hear)

    def delay_next_placement(self, delay: timedelta) -> None:
        """Commit the next placement only `delay` after its node was chosen, whatever became of the
        node; its evaluation stays as it is meanwhile.
        """
        self._late.append(delay)

    def forget_orders(self) -> None:
        """Let all that was ordered and has not happened yet go right."""
        self._late.clear()

    def evaluate(
        self,
        job: JobRow,
        triggered_by: str,
        index: int,
        event_type: str = "EvaluationUpdated",
        **more: Any,
    ) -> EvalRow:
        """Write a pending evaluation of a job at this index; `more` are fields of it."""
        now = self._state.now()
        fields = {"type": job.type, "job_modify_index": job.job_modify_index, **more}
        row = EvalRow(
            id=self._state.new_id(),
            job_id=job.id,
            namespace=job.namespace,
            priority=job.priority,
            triggered_by=triggered_by,
            status="pending",
            create_index=index,
            modify_index=index,
            created_at=now,
            modified_at=now,
            **fields,
        )
        self._state.put_eval(row, event_type)
        return row

    # ---- what makes an evaluation ready ----------------------------------------------------------

    def hear(self, event: Event) -> None:
        """Take up a new evaluation; retry blocked ones when a node may have room."""
        row = event.row
        if isinstance(row, EvalRow):
            if row.status == "pending" and row.create_index == row.modify_index:
                self._enqueue(row)
        elif isinstance(row, NodeRow):
            if row.usable:
                self._unblock(row.node_class)
        elif isinstance(row, AllocRow) and row.client_terminal:
            node = self._state.nodes.get(row.node_id)
            if node is not None:
                self._unblock(node.node_class)

    def _unblock(self, node_class: str) -> None:
        for key in (node_class, ""):
            for eval_id in self._blocked.pop(key, {}):
                if (row := self._state.evals.get(eval_id)) is not None:
                    self._enqueue(row)

    def _enqueue(self, row: EvalRow) -> None:
        heapq.heappush(self._ready, (-row.priority, row.create_index, row.id))
        self._timeline.after(self._options.scheduling_delay, self._work)

    def _work(self) -> None:
        while self._ready:
            _, _, eval_id = heapq.heappop(self._ready)
            row = self._state.evals.get(eval_id)
            if row is None or not row.is_open:
                continue
            if row.job_id in self._at_work:
                self._held_back[row.job_id].append(row)
                continue
            self._schedule(row)
            return

    # ---- one evaluation --------------------------------------------------------------------------

    def _schedule(self, row: EvalRow) -> None:
        job = self._state.jobs.get(row.job_id)
        allocs = self._state.allocs_of(row.job_id)
        lost = tuple(a for a in allocs if not a.client_terminal and self._is_down(a.node_id))
        if job is None or job.stopped:
            self._stop_all(row, allocs, lost)
            return
        wanted = _wants_one(job, row, allocs, lost)
        node = self._choose(job) if wanted else None
        plan = Plan(evaluation=row, job=job, node=node, lost=lost)
        if wanted and node is None:
            self._block(row, job, lost)
        elif node is not None and self._late:
            self._at_work[job.id] = plan
            self._timeline.after(self._late.popleft(), lambda: self._commit_late(plan))
        else:
            self._commit(plan)

    def _is_down(self, node_id: str) -> bool:
        node = self._state.nodes.get(node_id)
        return node is None or node.status == "down"

    def _choose(self, job: JobRow) -> NodeRow | None:
        """Of the nodes on which it fits, the fullest; the earliest to join among equals."""
        best: tuple[int, NodeRow] | None = None
        for node in self._state.usable_of(node_class_of(job)):
            used_memory, used_cpu = self._used(node.id)
            fits = (
                used_memory + job.task.group_memory_mb <= node.memory_mb
                and used_cpu + job.task.group_cpu_mhz <= node.cpu_mhz
            )
            if fits and (best is None or used_memory > best[0]) and _meets(job, node):
                best = used_memory, node
        return best[1] if best else None

    def _used(self, node_id: str) -> tuple[int, int]:
        memory, cpu = self._state.load_of(node_id)
        for plan in self._at_work.values():
            if plan.node is not None and plan.node.id == node_id:
                memory += plan.job.task.group_memory_mb
                cpu += plan.job.task.group_cpu_mhz
        return memory, cpu

    # ---- what is written -------------------------------------------------------------------------

    def _commit_late(self, plan: Plan) -> None:
        """Apply a plan whose node was chosen long ago. Whether the node is eligible is not looked
        at again; one that is down or gone sends the evaluation back.
        """
        del self._at_work[plan.job.id]
        if plan.node is not None and self._is_down(plan.node.id):
            self._enqueue(plan.evaluation)
        else:
            self._commit(plan)
        for row in self._held_back.pop(plan.job.id, []):
            self._enqueue(row)
        if plan.node is not None:
            self._unblock(plan.node.node_class)  # its room may have been kept for nothing

    def _commit(self, plan: Plan) -> None:
        """Apply a plan: only the job is looked at again, never the node."""
        job = self._state.jobs.get(plan.job.id)
        self._write_lost(plan.lost)
        if plan.node is not None and job is not None and not job.stopped:
            self._write_placement(plan, job, plan.node)
        self._succeed(plan.evaluation)

    def _write_placement(self, plan: Plan, job: JobRow, node: NodeRow) -> None:
        state = self._state
        allocs = state.allocs_of(job.id)
        last = allocs[-1] if allocs else None
        rescheduled = last is not None and last.client_status == "failed"
        index, now = state.advance(), state.now()
        alloc = AllocRow(
            id=state.new_id(),
            eval_id=plan.evaluation.id,
            name=f"{job.id}.{job.task.group}[0]",
            node_id=node.id,
            node_name=node.name,
            job_id=job.id,
            namespace=job.namespace,
            job_type=job.type,
            group=job.task.group,
            memory_mb=job.task.group_memory_mb,
            cpu_mhz=job.task.group_cpu_mhz,
            desired="run",
            client_status="pending",
            previous=last.id if last else "",
            reschedules=(last.reschedules + rescheduled) if last else 0,
            create_index=index,
            modify_index=index,
            created_at=now,
            modified_at=now,
        )
        if last is not None:
            state.put_alloc(
                replace(last, next=alloc.id, modify_index=index, modified_at=now), "PlanResult"
            )
        state.put_eval(replace(plan.evaluation, modify_index=index), "PlanResult")
        state.put_alloc(alloc, "PlanResult")

    def _write_lost(self, lost: Iterable[AllocRow]) -> None:
        for alloc in lost:
            self._rewrite(
                alloc, desired="stop", desired_description=NODE_DOWN, client_status="lost"
            )

    def _stop_all(
        self, row: EvalRow, allocs: Iterable[AllocRow], lost: tuple[AllocRow, ...]
    ) -> None:
        self._write_lost(lost)
        for alloc in allocs:
            if alloc not in lost and not alloc.terminal:
                self._rewrite(alloc, desired="stop", desired_description=NOT_NEEDED)
        self._succeed(row)

    def _rewrite(self, alloc: AllocRow, **fields: Any) -> None:
        current = self._state.allocs.get(alloc.id)
        if current is not None and not current.client_terminal:
            changed: dict[str, Any] = {"modify_index": self._state.advance(), **fields}
            self._state.put_alloc(
                replace(current, modified_at=self._state.now(), **changed), "PlanResult"
            )

    def _succeed(self, row: EvalRow) -> None:
        """Complete an evaluation; its job's other blocked ones are of no use any more."""
        index = self._state.advance()
        job = self._state.jobs.get(row.job_id)
        over: dict[str, Any] = {"description": "", "failure": None, "snapshot_index": index - 1}
        queued = {job.task.group: 0} if job else {}
        self._finish(row, index, status="complete", queued=queued, **over)
        for other in self._state.evals_of(row.job_id):
            if other.status == "blocked":
                self._finish(
                    other,
                    index,
                    status="canceled",
                    description=f'evaluation "{row.id}" successful',
                )

    def _finish(self, row: EvalRow, index: int, **fields: Any) -> None:
        self._state.put_eval(
            replace(row, modify_index=index, modified_at=self._state.now(), **fields)
        )

    def _block(self, row: EvalRow, job: JobRow, lost: Iterable[AllocRow]) -> None:
        """Nothing fits: a retried blocked evaluation stays as it is, another one gets a blocked
        successor, before anything is told to be lost. A job has at most one.
        """
        if row.status == "blocked":
            self._write_lost(lost)
            self._blocked[node_class_of(job)][row.id] = None
            return
        failure, queued = self._failure(job), {job.task.group: 1}
        blocked = self._write_blocked(row, job, failure)
        self._write_lost(lost)
        index = self._state.advance()
        self._finish(
            row,
            index,
            status="complete",
            blocked_eval=blocked.id,
            failure=failure,
            queued=queued,
            snapshot_index=blocked.create_index - 1,
        )
        for other in self._state.evals_of(job.id):
            if other.status == "blocked" and other.id != blocked.id:
                self._finish(other, index, status="canceled", description="replaced")
        self._blocked[node_class_of(job)][blocked.id] = None

    def _write_blocked(self, row: EvalRow, job: JobRow, failure: PlacementFailure) -> EvalRow:
        index, now = self._state.advance(), self._state.now()
        blocked = replace(
            row,
            id=self._state.new_id(),
            status="blocked",
            triggered_by="queued-allocs",
            description=PLACE_REMAINING,
            previous_eval=row.id,
            failure=failure,
            node_id="",
            snapshot_index=index - 1,
            create_index=index,
            modify_index=index,
            created_at=now,
            modified_at=now,
        )
        self._state.put_eval(blocked)
        current = self._state.jobs.get(job.id)
        if current is not None and current.summary.queued != 1:
            summary = replace(current.summary, queued=1, modify_index=index)
            self._state.put_summary(current, summary)
        return blocked

    def _failure(self, job: JobRow) -> PlacementFailure:
        filtered, exhausted, unmet = Counter[str](), Counter[str](), Counter[str]()
        nodes = [node for node in self._state.nodes.by_id() if node.usable]
        for node in nodes:
            if _meets(job, node):
                exhausted[node.node_class] += 1
            else:
                filtered[node.node_class] += 1
                unmet.update(f"{left} = {right}" for left, right in job.task.constraints)
        return PlacementFailure(
            evaluated=len(nodes),
            filtered=filtered.total(),
            exhausted=exhausted.total(),
            in_pool=len(self._state.nodes),
            class_filtered=dict(filtered),
            constraint_filtered=dict(unmet),
            class_exhausted=dict(exhausted),
            dimension_exhausted={"memory": exhausted.total()} if exhausted else {},
        )


def node_class_of(job: JobRow) -> str:
    """The node class that a job asks for; empty: any."""
    return next((r for left, r in job.task.constraints if left == "${node.class}"), "")


def _meets(job: JobRow, node: NodeRow) -> bool:
    constraints = job.task.constraints
    if all(left == "${node.class}" for left, _ in constraints):
        return all(right == node.node_class for _, right in constraints)
    known = node.interpolation()
    return all(known.get(left.strip("${}"), "") == right for left, right in constraints)


def _wants_one(
    job: JobRow, row: EvalRow, allocs: Iterable[AllocRow], lost: tuple[AllocRow, ...]
) -> bool:
    """Whether one more allocation is to be placed. Lost ones are always replaced."""
    if job.type != "batch" or job.dispatchable:
        return False
    for alloc in allocs:
        if alloc in lost or alloc.desired != "run":
            continue
        if not alloc.client_terminal or alloc.client_status == "complete":
            return False
        again = row.triggered_by == "alloc-failure" and alloc.next == ""
        if not again or alloc.reschedules >= job.task.reschedules:
            return False
    return True
