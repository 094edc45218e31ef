"""Jobs: registered, dispatched, stopped, evaluated; every refusal in Nomad's own words."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from simulator.nomad.rows import (
    NAMESPACE,
    POOL,
    JobRow,
    NomadError,
    Options,
    Parameterized,
    Summary,
)
from simulator.nomad.scheduler import Scheduler
from simulator.nomad.specs import parameters_of, task_of
from simulator.nomad.state import EVALUATED_BY_HAND, State

SERVER_ERROR = 500
Spec = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class DispatchOrder:
    """A dispatch request. `token` is the one of the query string: a body has none."""

    meta: Mapping[str, str]
    payload: bytes = b""
    token: str = ""
    id_prefix: str = ""
    priority: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Dispatched:
    """The answer to a dispatch. A repeat of a token has no evaluation."""

    job_id: str
    eval_id: str
    eval_index: int
    job_index: int
    index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """The answer to whatever made an evaluation; ids are empty and indexes 0 where it made none."""

    eval_id: str = ""
    index: int = 0
    job_modify_index: int = 0


class Oddity(StrEnum):
    """How a dispatch may go wrong though it is answered with 200."""

    PHANTOM = "phantom"
    """It loses a race against one with the same token: the rival's child is made, and the answer
    names one that does not exist (#26690)."""
    NO_EFFECT = "no_effect"
    """The answer names a child and an evaluation; there is neither, and never will be."""
    NO_EVALUATION = "no_evaluation"
    """The child is made and nothing will ever evaluate it (before 1.10.5, #26710)."""


class Jobs:
    """The job endpoint of the servers."""

    def __init__(self, state: State, scheduler: Scheduler, options: Options) -> None:
        self._state = state
        self._scheduler = scheduler
        self._options = options
        self._odd: deque[Oddity] = deque()

    def spoil_dispatch(self, how: Oddity) -> None:
        """Let the next dispatch that would make a child go wrong so."""
        self._odd.append(how)

    def forget_orders(self) -> None:
        """Let all that was ordered and has not happened yet go right."""
        self._odd.clear()

    def get(self, job_id: str) -> JobRow:
        """One job; 404 when there is none."""
        if (job := self._state.jobs.get(job_id)) is None:
            raise NomadError(404, "job not found")
        return job

    # ---- register --------------------------------------------------------------------------------

    def register(self, spec: Spec) -> Evaluated:
        """Create a job or replace the one of this id. A parent gets no evaluation."""
        state, job_id = self._state, str(spec["ID"])
        _check_place(spec, state.namespaces)
        task, parameters = task_of(spec), parameters_of(spec)
        before, index = state.jobs.get(job_id), state.advance()
        row = JobRow(
            id=job_id,
            type=str(spec.get("Type") or "service"),
            priority=int(spec.get("Priority") or 50),
            task=task,
            spec=spec,
            status="running" if parameters else "pending",
            namespace=str(spec.get("Namespace") or NAMESPACE),
            meta=dict(spec.get("Meta") or {}),
            parameterized=parameters,
            version=before.version + 1 if before else 0,
            create_index=before.create_index if before else index,
            modify_index=index,
            job_modify_index=index,
            submit_at=state.now(),
            summary=before.summary if before else Summary(create_index=index, modify_index=index),
        )
        state.put_job(row, "JobRegistered")
        if parameters is not None:
            return Evaluated(index=index, job_modify_index=index)
        made = self._scheduler.evaluate(row, "job-register", index, event_type="JobRegistered")
        return Evaluated(eval_id=made.id, index=index, job_modify_index=index)

    # ---- dispatch --------------------------------------------------------------------------------

    def dispatch(self, parent_id: str, order: DispatchOrder) -> Dispatched:
        """Make a child; a token that a child in state carries names that child again."""
        parent = self._state.jobs.get(parent_id)
        if parent is None:
            raise NomadError(SERVER_ERROR, "parameterized job not found")
        _check_parent(parent)
        allowed = parent.parameterized or Parameterized()
        _check_payload(order, allowed, self._options)
        _check_meta(order, allowed)
        _check_priority(order, self._options)
        known = self._state.child_with_token(parent_id, order.token)
        if known is not None:
            return Dispatched(
                job_id=known.id,
                eval_id="",
                eval_index=0,
                job_index=known.create_index,
                index=known.modify_index,
            )
        return self._made(parent, order, self._odd.popleft() if self._odd else None)

    def _made(self, parent: JobRow, order: DispatchOrder, odd: Oddity | None) -> Dispatched:
        if odd is Oddity.NO_EFFECT:
            index = self._state.index
            return Dispatched(
                job_id=self._child_id(parent.id, order),
                eval_id=self._state.new_id(),
                eval_index=index,
                job_index=index,
                index=index,
            )
        answer = self._make_child(parent, order, evaluated=odd is not Oddity.NO_EVALUATION)
        if odd is Oddity.PHANTOM:
            name = self._child_id(parent.id, order)
            return replace(answer, job_id=name, eval_id=self._state.new_id())
        return answer

    def _make_child(self, parent: JobRow, order: DispatchOrder, *, evaluated: bool) -> Dispatched:
        state = self._state
        child_id, index = self._child_id(parent.id, order), state.advance()
        child = replace(
            parent,
            id=child_id,
            parent_id=parent.id,
            priority=order.priority or parent.priority,
            meta={**parent.meta, **order.meta},
            payload=order.payload,
            token=order.token,
            status="pending",
            version=0,
            create_index=index,
            modify_index=index,
            job_modify_index=index,
            submit_at=state.now(),
            summary=Summary(create_index=index, modify_index=index),
        )
        # The child and its evaluation are one write since 1.10.5: no child without one.
        state.put_job(child, "JobRegistered")
        eval_id = ""
        if evaluated:
            made = self._scheduler.evaluate(
                child, "job-register", index, event_type="JobRegistered"
            )
            eval_id = made.id
        return Dispatched(
            job_id=child_id, eval_id=eval_id, eval_index=index, job_index=index, index=index
        )

    def _child_id(self, parent_id: str, order: DispatchOrder) -> str:
        prefix = f"{order.id_prefix}-" if order.id_prefix else ""
        seconds, tail = int(self._state.now().timestamp()), self._state.chance.getrandbits(32)
        return f"{parent_id}/dispatch-{prefix}{seconds}-{tail:08x}"

    # ---- stop, evaluate --------------------------------------------------------------------------

    def stop(self, job_id: str, *, purge: bool = False) -> Evaluated:
        """Deregister a job. It is dead once its allocations are told to stop, which may be well
        before they have. Children of a stopped parent go on. An unknown job: zeros.

        A job that is purged takes its allocations out of every list at once, though their tasks
        may go on for as long as their kill timeout; its evaluations are over.
        """
        state = self._state
        job = state.jobs.get(job_id)
        if job is None:
            return Evaluated()
        index = state.advance()
        if purge:
            state.delete_job(job_id, index, "JobDeregistered")
            for alloc in state.allocs_of(job_id):
                state.delete_alloc(alloc, index)
            for row in state.evals_of(job_id):
                if row.is_open:
                    state.put_eval(replace(row, status="complete", modify_index=index))
        else:
            job = replace(
                job,
                stopped=True,
                version=job.version + 1,
                modify_index=index,
                job_modify_index=index,
            )
            job = replace(job, status=state.status_of(job))
            state.put_job(job, "JobDeregistered")
        if job.dispatchable:
            return Evaluated(index=index, job_modify_index=index)
        made = self._scheduler.evaluate(
            job, "job-deregister", index, event_type="JobDeregistered", type="service"
        )
        return Evaluated(eval_id=made.id, index=index, job_modify_index=index)

    def evaluate(self, job_id: str) -> Evaluated:
        """Make a new evaluation of a job."""
        job = self._state.jobs.get(job_id)
        if job is None:
            raise NomadError(SERVER_ERROR, "job not found")
        if job.dispatchable:
            raise NomadError(SERVER_ERROR, "can't evaluate parameterized job")
        index = self._state.advance()
        made = self._scheduler.evaluate(job, "job-register", index, event_type=EVALUATED_BY_HAND)
        return Evaluated(eval_id=made.id, index=index, job_modify_index=job.modify_index)


def _check_place(spec: Spec, namespaces: Collection[str]) -> None:
    places = [("namespace", "Namespace", namespaces), ("node pool", "NodePool", {POOL})]
    for what, key, known in places:
        if (wanted := spec.get(key)) and wanted not in known:
            said = f'job "{spec["ID"]}" is in nonexistent {what} "{wanted}"'
            raise NomadError(SERVER_ERROR, f"1 error occurred:\n\t* {said}\n\n")


def _check_parent(parent: JobRow) -> None:
    if not parent.dispatchable:
        raise NomadError(SERVER_ERROR, f'Specified job "{parent.id}" is not a parameterized job')
    if parent.stopped:
        raise NomadError(SERVER_ERROR, f'Specified job "{parent.id}" is stopped')


def _check_payload(order: DispatchOrder, allowed: Parameterized, options: Options) -> None:
    if allowed.payload == "required" and not order.payload:
        raise NomadError(SERVER_ERROR, "Payload is not provided but required by parameterized job")
    if allowed.payload == "forbidden" and order.payload:
        raise NomadError(SERVER_ERROR, "Payload provided but forbidden by parameterized job")
    size, limit = len(order.payload), options.payload_limit
    if size > limit:
        raise NomadError(SERVER_ERROR, f"Payload exceeds maximum size; {size} > {limit}")


def _check_meta(order: DispatchOrder, allowed: Parameterized) -> None:
    permitted = {*allowed.required, *allowed.optional}
    if unpermitted := [key for key in order.meta if key not in permitted]:
        raise NomadError(
            SERVER_ERROR,
            f"Dispatch request included unpermitted metadata keys: [{' '.join(unpermitted)}]",
        )
    if missing := [key for key in allowed.required if key not in order.meta]:
        raise NomadError(
            SERVER_ERROR, f"Dispatch did not provide required meta keys: [{' '.join(missing)}]"
        )


def _check_priority(order: DispatchOrder, options: Options) -> None:
    if not 0 <= order.priority <= options.job_max_priority:
        raise NomadError(
            SERVER_ERROR, f"dispatch job priority must be between [1, {options.job_max_priority}]"
        )
