"""Garbage collection: of dead jobs an event tells, old evaluations and long gone nodes vanish."""

from __future__ import annotations

from datetime import datetime, timedelta

from simulator.nomad.rows import JobRow, Options
from simulator.nomad.state import Event, State
from simulator.timeline import Timeline


class Collector:
    """Collects by age every `gc_period`, and everything that is over when asked to.

    It is only on the timeline while there is something that may become old enough.
    """

    def __init__(self, state: State, timeline: Timeline, options: Options) -> None:
        self._state = state
        self._timeline = timeline
        self._options = options
        self._waiting = False
        state.listeners.append(self.hear)

    def hear(self, _: Event) -> None:
        """Whatever was written may be garbage one day."""
        if not self._waiting:
            self._waiting = True
            self._timeline.after(self._options.gc_period, self._turn)

    def _turn(self) -> None:
        self._waiting = False
        options, now = self._options, self._state.now()
        self._collect_jobs(now - options.job_gc_threshold)
        self._collect_evals(now - options.eval_gc_threshold)
        self._collect_nodes(now - options.node_gc_threshold)
        if self._has_candidates():
            self._waiting = True
            self._timeline.after(options.gc_period, self._turn)

    def collect_all(self) -> None:
        """PUT /v1/system/gc: every threshold is as good as zero."""
        now = self._state.now() + timedelta(microseconds=1)
        self._collect_jobs(now)
        self._collect_evals(now)
        self._collect_nodes(now)

    def _has_candidates(self) -> bool:
        jobs = any(job.status == "dead" for job in self._state.jobs.by_id())
        return jobs or any(node.status == "down" for node in self._state.nodes.by_id())

    def _collect_jobs(self, before: datetime) -> None:
        state, index = self._state, 0
        for job in state.jobs.by_id():
            if job.status == "dead" and self._is_old(job, before):
                index = index or state.advance()
                for alloc in state.allocs_of(job.id):
                    state.delete_alloc(alloc, index)
                for row in state.evals_of(job.id):
                    state.delete_eval(row, index)
                state.delete_job(job.id, index, "JobBatchDeregistered")

    def _is_old(self, job: JobRow, before: datetime) -> bool:
        if job.submit_at >= before:
            return False
        evals, allocs = self._state.evals_of(job.id), self._state.allocs_of(job.id)
        return all(not row.is_open and row.modified_at < before for row in evals) and all(
            row.client_terminal and row.modified_at < before for row in allocs
        )

    def _collect_evals(self, before: datetime) -> None:
        """Evaluations, and finished allocations, of jobs that were purged."""
        state, index = self._state, 0
        for row in state.evals.by_creation():
            if row.modified_at < before and not row.is_open and not state.jobs.get(row.job_id):
                index = index or state.advance()
                allocs = [a for a in state.allocs_of(row.job_id) if a.eval_id == row.id]
                if all(alloc.client_terminal for alloc in allocs):
                    for alloc in allocs:
                        state.delete_alloc(alloc, index)
                    state.delete_eval(row, index)

    def _collect_nodes(self, before: datetime) -> None:
        state = self._state
        for node in state.nodes.by_id():
            idle = not state.live_on(node.id)
            if node.status == "down" and node.status_at < before and idle:
                state.delete_node(node.id, state.advance())
