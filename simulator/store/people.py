"""What people ask for: submit, cancel, relaunch, retire, order, set a parameter, pause."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from models import lifecycle
from models.creation import Feed
from models.errors import Malformed
from models.feeds import judged
from models.lifecycle import Status
from models.parameters import UNSET, admit
from models.pauses import end_of, ended_in_words, made_in_words, why_not_pausable
from models.ports import Asked, AuditLine, Ids, Submitted, Verdict
from models.records import (
    Job,
    NewJob,
    ParameterChange,
    Pause,
    RunEnd,
    WorkerOrder,
)
from models.wishes import (
    retired_by_person,
    what_a_retirement_does,
    what_an_order_does,
    why_not_retired,
)
from simulator.store import feeds
from simulator.store.feeds import add_job
from simulator.store.runs import close_run, through_check
from simulator.store.tables import Note, Tables
from simulator.store.views import pauses

RELAUNCHED = lifecycle.ERRORS | lifecycle.FINAL
"""Statuses from which a person may send a job round again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """One request of a person: the tables it works on, who asks, and when."""

    tables: Tables
    asked: Asked
    now: datetime

    @property
    def note(self) -> Note:
        """What the history says of it."""
        return Note(at=self.now, actor=self.asked.actor, message=self.asked.reason or None)

    def audit(self, action: str, subjects: Iterable[str]) -> None:
        """Write it into the audit trail, when there was anything to be done."""
        done = tuple(dict.fromkeys(subjects))
        if self.asked.dry_run or not done:
            return
        line = AuditLine(
            at=self.now,
            actor=self.asked.actor,
            action=action,
            subjects=done,
            reason=self.asked.reason,
        )
        self.tables.note_audit(line)

    def decided(self, subject: str, because: str, do: Callable[[], None]) -> Verdict:
        """Do it, unless this is a dry run; either way say that it can be done."""
        if not self.asked.dry_run:
            do()
        return Verdict(subject=subject, done=True, because=because)


def submit(asking: Asking, jobs: Sequence[NewJob], ids: Ids) -> Submitted:
    """See `models.ports.Operations.submit`."""
    tables = asking.tables
    for new in jobs:
        if new.type not in tables.registry.types:
            raise Malformed(
                f"job {new.key!r}: there is no type {new.type!r}; there are: "
                f"{', '.join(tables.registry.types)}. Nothing was added"
            )
    added: dict[int, None] = {}
    existing: dict[int, None] = {}
    for new in jobs:
        known = tables.jobs_by_key.one((new.type, new.key))
        if known is not None and known.id not in added:
            existing[known.id] = None
        if known is None and not asking.asked.dry_run:
            job = add_job(tables, new, ids.uuid(), asking.note)
            added[job.id] = None
    asking.audit("submit", (f"job:{job_id}" for job_id in added))
    return Submitted(added=tuple(added), existing=tuple(existing))


def cancel(asking: Asking, job_ids: Sequence[int]) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.cancel`."""
    verdicts = {job_id: _cancelled(asking, job_id) for job_id in dict.fromkeys(job_ids)}
    asking.audit("cancel", _done(verdicts.values()))
    return tuple(verdicts[job_id] for job_id in job_ids)


def _cancelled(asking: Asking, job_id: int) -> Verdict:
    subject, job = f"job:{job_id}", asking.tables.jobs.get(job_id)
    if job is None:
        return _no(subject, "there is no such job")
    failed = job.status in lifecycle.ERRORS
    if not failed and not lifecycle.is_allowed(job.status, Status.CANCELLED):
        return _no(subject, f"it is {job.status} and can be cancelled no more")

    def do() -> None:
        checked = asking.tables.move(job, Status.ERROR_CHECKED, asking.note) if failed else job
        run = asking.tables.current_run(job)
        if run is not None:
            close_run(asking.tables, run, RunEnd.CANCELLED, asking.now)
        fields = {"not_before": None, "quarantined": False}
        asking.tables.move(checked, Status.CANCELLED, asking.note, **fields)

    return asking.decided(subject, f"it was {job.status}", do)


def relaunch(asking: Asking, job_ids: Sequence[int]) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.relaunch`."""
    verdicts = {job_id: _relaunched(asking, job_id) for job_id in dict.fromkeys(job_ids)}
    asking.audit("relaunch", _done(verdicts.values()))
    return tuple(verdicts[job_id] for job_id in job_ids)


def _relaunched(asking: Asking, job_id: int) -> Verdict:
    subject, job = f"job:{job_id}", asking.tables.jobs.get(job_id)
    if job is None:
        return _no(subject, "there is no such job")
    if job.status not in RELAUNCHED:
        return _no(subject, f"it is still moving: {job.status}")

    def do() -> None:
        through_check(asking.tables, _with_new_budget(job), asking.note)

    return asking.decided(subject, f"{job.status}, goes on as {job.resume_status}", do)


def _with_new_budget(job: Job) -> Job:
    return replace(job, internal_failures=0, external_failures=0, losses=0, quarantined=False)


def retire(asking: Asking, names: Sequence[str], *, forced: bool) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.retire`."""
    verdicts = {name: _retired(asking, name, forced=forced) for name in dict.fromkeys(names)}
    asking.audit("delete" if forced else "drain", _done(verdicts.values()))
    return tuple(verdicts[name] for name in names)


def _retired(asking: Asking, name: str, *, forced: bool) -> Verdict:
    subject, worker = f"worker:{name}", asking.tables.workers_by_name.one(name)
    refusal = why_not_retired(worker, forced=forced)
    if worker is None or refusal is not None:
        return _no(subject, refusal or "")

    def do() -> None:
        retirement = retired_by_person(worker, asking.asked.actor, asking.now, forced=forced)
        asking.tables.workers.put(worker.id, replace(worker, retirement=retirement))

    return asking.decided(subject, what_a_retirement_does(worker, forced=forced), do)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What kind of worker a person wants, and for how long."""

    flavor: str
    keep: timedelta
    outside_pool: bool


def order(asking: Asking, wanted: Wanted, count: int) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.order`."""
    tables, subject = asking.tables, f"flavor:{wanted.flavor}"
    if wanted.flavor not in tables.registry.flavors:
        return (_no(subject, f"there are: {', '.join(tables.registry.flavors)}"),)
    if count < 1:
        return (_no(subject, f"{count} workers cannot be ordered"),)
    until = asking.now + wanted.keep

    def do() -> None:
        wish = WorkerOrder(
            id=tables.number("orders"),
            flavor=wanted.flavor,
            by=asking.asked.actor,
            keep_until=until,
            outside_pool=wanted.outside_pool,
        )
        tables.orders.put(wish.id, wish)

    because = what_an_order_does(wanted.flavor, until, outside_pool=wanted.outside_pool)
    verdicts = tuple(asking.decided(subject, because, do) for _ in range(count))
    asking.audit("order", _done(verdicts))
    return verdicts


def set_parameter(asking: Asking, key: str, value: Any, lasts: timedelta | None) -> ParameterChange:
    """See `models.ports.Operations.set_parameter`."""
    tables = asking.tables
    kept = {other: tables.parameters[other] for other in tables.parameters}
    change = ParameterChange(
        key=key,
        at=asking.now,
        author=asking.asked.actor,
        reason=asking.asked.reason,
        old=kept.get(key, UNSET).at(asking.now),
        new=value,
        expires_at=None if lasts is None else asking.now + lasts,
    )
    after = admit(kept, change)
    if asking.asked.dry_run:
        return change
    if value is None:
        tables.parameters.drop(key)
    else:
        tables.parameters.put(key, after)
    tables.parameter_changes.put(tables.number("parameters"), change)
    asking.audit("set_parameter", [f"parameter:{key}"])
    return change


def pause(asking: Asking, targets: Sequence[str], lasts: timedelta | None) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.pause`."""
    until = end_of(asking.now, lasts)
    verdicts = {target: _paused(asking, target, until) for target in dict.fromkeys(targets)}
    asking.audit("pause", _done(verdicts.values()))
    return tuple(verdicts[target] for target in targets)


def _paused(asking: Asking, target: str, until: datetime | None) -> Verdict:
    refusal = why_not_pausable(target, asking.tables.registry)
    if refusal is not None:
        return _no(target, refusal)
    made = Pause(
        target=target,
        by=asking.asked.actor,
        reason=asking.asked.reason,
        since=asking.now,
        until=until,
    )

    def do() -> None:
        asking.tables.pauses.put(target, made)

    return asking.decided(target, made_in_words(made), do)


def resume(asking: Asking, targets: Sequence[str]) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.resume`."""
    found = {pause.target: pause for pause in pauses(asking.tables, asking.now)}
    wanted = dict.fromkeys(targets)
    verdicts = {target: _resumed(asking, target, found.get(target)) for target in wanted}
    asking.audit("resume", _done(verdicts.values()))
    return tuple(verdicts[target] for target in targets)


def _resumed(asking: Asking, target: str, found: Pause | None) -> Verdict:
    if found is None:
        return _no(target, "it is not paused")

    def do() -> None:
        asking.tables.pauses.drop(target)

    return asking.decided(target, ended_in_words(found), do)


def _done(verdicts: Iterable[Verdict]) -> list[str]:
    return [verdict.subject for verdict in verdicts if verdict.done]


def _no(subject: str, because: str) -> Verdict:
    return Verdict(subject=subject, done=False, because=because)


def rewind(asking: Asking, feed: Feed, to: datetime) -> Verdict:
    """See `models.feeds.Feeds.rewind`."""
    cursor = asking.tables.cursors.get(feed)
    verdict = judged(feed, cursor.until if cursor else None, to)
    if verdict.done and not asking.asked.dry_run:
        feeds.rewind(asking.tables, feed, to)
        asking.audit("rewind", [verdict.subject])
    return verdict
