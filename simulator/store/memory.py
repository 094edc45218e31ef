"""The facade: one object that is the job store, hears reports, serves people, and answers views.

Every method asks once for its fault (`store.<method>`), is one transaction, and wakes whoever
listens when it has written something. One thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from models.breakers import Breaker
from models.campaigns import Begun, Campaign, CampaignOrder, CampaignState
from models.changes import Change
from models.composing import Group, GroupPlace, GroupWaits, Material, Needs
from models.configuration import Backlog
from models.creation import Arrivals, Cursor, Feed, Known, Met, Reject
from models.errors import Throttled, Unavailable, Unknown
from models.job_types import DEFAULT_REGISTRY, Registry
from models.l2a import L2a
from models.lifecycle import Status
from models.plan import Decision
from models.ports import (
    Asked,
    AuditLine,
    Claim,
    Clock,
    Ids,
    JobFilter,
    JobStory,
    Placement,
    Receipt,
    RunResult,
    Span,
    Submitted,
    Verdict,
    ViewLimits,
)
from models.records import (
    Heartbeat,
    Job,
    Lease,
    LedgerRow,
    NewJob,
    ParameterChange,
    Pause,
    Worker,
)
from models.world import StoreView
from simulator.faults import Crash, Fault, Faults
from simulator.store import (
    breakers,
    campaigns,
    commit,
    composing,
    configuration,
    feeds,
    l2a,
    ledger,
    people,
    reports,
    views,
)
from simulator.store.hints import MemoryHints
from simulator.store.outbox_port import MemoryOutbox
from simulator.store.people import Asking
from simulator.store.tables import Note, Tables

T = TypeVar("T")


class MemoryStore(MemoryOutbox):
    """The job store in memory: `JobStore`, `RunReports`, `Operations` and `Reader` in one."""

    def __init__(
        self,
        clock: Clock,
        ids: Ids,
        faults: Faults | None = None,
        registry: Registry = DEFAULT_REGISTRY,
    ) -> None:
        self._clock, self._ids = clock, ids
        self._faults = faults if faults is not None else Faults()
        self.tables = Tables(registry)
        """The truth, for whoever judges a simulated world; nobody else looks at it."""
        self._views = views.Views(self.tables)
        self._hints: list[MemoryHints] = []

    def listen(self) -> MemoryHints:
        """Wake-ups for one more loop, from here on."""
        hints = MemoryHints()
        self._hints.append(hints)
        return hints

    # ---- JobStore --------------------------------------------------------------------------------

    def acquire(self, name: str, holder: str, ttl: timedelta) -> Lease | None:
        """See `models.ports.JobStore.acquire`."""

        def acquired() -> Lease | None:
            return commit.acquire(self.tables, name, holder, now=self._clock.now(), ttl=ttl)

        return self._write("acquire", acquired)

    def release(self, lease: Lease) -> None:
        """See `models.ports.JobStore.release`."""
        self._write("release", lambda: commit.release(self.tables, lease, self._clock.now()))

    def view(self, limits: ViewLimits) -> StoreView:
        """See `models.ports.JobStore.view`."""
        return self._read("view", lambda: self._views.view(limits, self._clock.now()))

    def backlog(self, types: Collection[str]) -> Backlog:
        """See `models.configuration.Backlogs.backlog`."""
        look = configuration.backlog
        return self._read("backlog", lambda: look(self.tables, types, self._clock.now()))

    def l2as(self, after: int, most: int) -> tuple[L2a, ...]:
        """See `models.l2a.L2as.l2as`."""
        return self._read("l2as", lambda: l2a.l2as(self.tables, after, most))

    def commit(self, fence: Lease, change: Change) -> Receipt:
        """See `models.ports.JobStore.commit`."""
        return self._write("commit", lambda: commit.commit(self.tables, fence, change))

    def record(self, loop: str, decisions: Sequence[Decision], at: datetime) -> None:
        """See `models.ports.JobStore.record`."""
        self._write("record", lambda: ledger.record(self.tables, loop, decisions, at))

    def end_refusals(self, loop: str, ended: Sequence[Decision]) -> None:
        """See `models.ports.JobStore.end_refusals`."""
        self._write("end_refusals", lambda: ledger.end_refusals(self.tables, loop, ended))

    def beat(self, heartbeat: Heartbeat) -> None:
        """See `models.ports.JobStore.beat`."""
        self._write("beat", lambda: ledger.beat(self.tables, heartbeat))

    def prune(self, before: datetime) -> int:
        """See `models.ports.JobStore.prune`."""
        return self._write("prune", lambda: ledger.prune(self.tables, before))

    # ---- RunReports ------------------------------------------------------------------------------

    def claim(self, run_id: UUID, placement: Placement) -> Claim:
        """See `models.ports.RunReports.claim`."""
        now = self._clock.now()
        return self._write("claim", lambda: reports.claim(self.tables, run_id, placement, now))

    def report(self, run_id: UUID, claim: int, status: Status, message: str = "") -> None:
        """See `models.ports.RunReports.report`."""
        note = Note(at=self._clock.now(), actor=reports.ACTOR, message=message or None)
        self._write("report", lambda: reports.report(self.tables, run_id, claim, status, note))

    def end(self, run_id: UUID, claim: int, result: RunResult) -> None:
        """See `models.ports.RunReports.end`."""
        now = self._clock.now()
        self._write("end", lambda: reports.end(self.tables, run_id, claim, result, now))

    # ---- Operations ------------------------------------------------------------------------------

    def submit(self, jobs: Sequence[NewJob], asked: Asked) -> Submitted:
        """See `models.ports.Operations.submit`."""
        return self._write("submit", lambda: people.submit(self._asking(asked), jobs, self._ids))

    def cancel(self, job_ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.cancel`."""
        return self._write("cancel", lambda: people.cancel(self._asking(asked), job_ids))

    def relaunch(self, job_ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.relaunch`."""
        return self._write("relaunch", lambda: people.relaunch(self._asking(asked), job_ids))

    def retire(self, names: Sequence[str], asked: Asked, *, forced: bool) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.retire`."""
        return self._write(
            "retire", lambda: people.retire(self._asking(asked), names, forced=forced)
        )

    def order(
        self,
        flavor: str,
        count: int,
        keep: timedelta,
        asked: Asked,
        *,
        outside_pool: bool = False,
    ) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.order`."""
        wanted = people.Wanted(flavor=flavor, keep=keep, outside_pool=outside_pool)
        return self._write("order", lambda: people.order(self._asking(asked), wanted, count))

    def set_parameter(
        self, key: str, value: Any, asked: Asked, *, lasts: timedelta | None = None
    ) -> ParameterChange:
        """See `models.ports.Operations.set_parameter`."""
        return self._write(
            "set_parameter", lambda: people.set_parameter(self._asking(asked), key, value, lasts)
        )

    def pause(
        self, targets: Sequence[str], asked: Asked, *, lasts: timedelta | None = None
    ) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.pause`."""
        return self._write("pause", lambda: people.pause(self._asking(asked), targets, lasts))

    def resume(self, targets: Sequence[str], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.resume`."""
        return self._write("resume", lambda: people.resume(self._asking(asked), targets))

    def close_breaker(self, names: Sequence[str], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.close_breaker`."""
        return self._write("close_breaker", lambda: breakers.close(self._asking(asked), names))

    # ---- Reader ----------------------------------------------------------------------------------

    def jobs(self, wanted: JobFilter) -> tuple[Job, ...]:
        """See `models.ports.Reader.jobs`."""
        return self._read("jobs", lambda: views.jobs(self.tables, wanted))

    def story(self, reference: str) -> JobStory:
        """See `models.ports.Reader.story`."""
        return self._read("story", lambda: views.story(self.tables, reference))

    def of_unique_ids(self, unique_ids: Sequence[UUID]) -> tuple[Job, ...]:
        """See `models.ports.Reader.of_unique_ids`."""
        return self._read("jobs", lambda: views.of_unique_ids(self.tables, unique_ids))

    def workers(self, *, closed: bool = False) -> tuple[Worker, ...]:
        """See `models.ports.Reader.workers`."""
        return self._read("workers", lambda: views.workers(self.tables, closed=closed))

    def ledger(
        self, subjects: Sequence[str], limit: int = 50, span: Span | None = None
    ) -> tuple[LedgerRow, ...]:
        """See `models.ports.Reader.ledger`."""
        return self._read("ledger", lambda: views.ledger(self.tables, subjects, limit, span))

    def standing(self, limit: int) -> tuple[LedgerRow, ...]:
        """See `models.ports.Reader.standing`."""
        return self._read("standing", lambda: ledger.standing(self.tables, limit))

    def totals(self) -> Mapping[str, int]:
        """See `models.ports.Reader.totals`."""
        return self._read("totals", lambda: views.totals(self.tables))

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """See `models.ports.Reader.heartbeats`."""
        return self._read("heartbeats", lambda: views.heartbeats(self.tables))

    def leases(self) -> tuple[Lease, ...]:
        """See `models.ports.Reader.leases`."""
        return self._read("leases", lambda: views.leases(self.tables))

    def parameters(self) -> tuple[ParameterChange, ...]:
        """See `models.ports.Reader.parameters`."""
        return self._read("parameters", lambda: tuple(self.tables.parameter_changes.newest_first()))

    def pauses(self) -> tuple[Pause, ...]:
        """See `models.ports.Reader.pauses`."""
        return self._read("pauses", lambda: views.pauses(self.tables, self._clock.now()))

    def audit(self, about: str | None = None, limit: int = 50) -> tuple[AuditLine, ...]:
        """See `models.ports.Reader.audit`."""
        return self._read("audit", lambda: views.audit(self.tables, about, limit))

    def breakers(self, *, closed: bool = False) -> tuple[Breaker, ...]:
        """See `models.ports.Reader.breakers`."""
        return self._read("breakers", lambda: views.breakers(self.tables, closed=closed))

    # ---- Feeds -----------------------------------------------------------------------------------

    def cursors(self) -> tuple[Cursor, ...]:
        """See `models.feeds.Feeds.cursors`."""
        return self._read("cursors", lambda: feeds.cursors(self.tables))

    def known(self, met: Met) -> Known:
        """See `models.feeds.Feeds.known`."""
        return self._read("known", lambda: feeds.known(self.tables, met))

    def arrivals(self, since: datetime) -> Arrivals:
        """See `models.feeds.Feeds.arrivals`."""
        return self._read("arrivals", lambda: feeds.arrivals(self.tables, since))

    def due(self, now: datetime, limit: int) -> tuple[Group, ...]:
        """See `models.feeds.Feeds.due`."""
        return self._read("due", lambda: composing.due(self.tables, now, limit))

    def waiting(self, job_type: str | None = None, limit: int = 100) -> tuple[Group, ...]:
        """See `models.feeds.Feeds.waiting`."""
        return self._read("waiting", lambda: composing.waiting(self.tables, job_type, limit))

    def groups_about(self, place: GroupPlace, job_type: str | None = None) -> tuple[Group, ...]:
        """See `models.feeds.Feeds.groups_about`."""
        look = composing.groups_about
        return self._read("groups_about", lambda: look(self.tables, place, job_type))

    def group_waits(self) -> tuple[GroupWaits, ...]:
        """See `models.feeds.Feeds.group_waits`."""
        return self._read("group_waits", lambda: composing.group_waits(self.tables))

    def material(self, needs: Needs, now: datetime) -> Material:
        """See `models.feeds.Feeds.material`."""
        return self._read("material", lambda: composing.material(self.tables, needs, now))

    def rejects(self, source: str | None = None, limit: int = 100) -> tuple[Reject, ...]:
        """See `models.feeds.Feeds.rejects`."""
        return self._read("rejects", lambda: feeds.rejects(self.tables, source, limit))

    def rewind(self, feed: Feed, to: datetime, asked: Asked) -> Verdict:
        """See `models.feeds.Feeds.rewind`."""
        return self._write("rewind", lambda: people.rewind(self._asking(asked), feed, to))

    # ---- Campaigns -------------------------------------------------------------------------------

    def begin_campaign(self, order: CampaignOrder, asked: Asked) -> Begun:
        """See `models.campaigns.Campaigns.begin_campaign`."""
        return self._write("begin_campaign", lambda: campaigns.begin(self._asking(asked), order))

    def campaigns(self, *, ended: bool = False) -> tuple[Campaign, ...]:
        """See `models.campaigns.Campaigns.campaigns`."""
        return self._read("campaigns", lambda: campaigns.campaigns(self.tables, ended=ended))

    def campaign(self, campaign_id: int) -> Campaign:
        """See `models.campaigns.Campaigns.campaign`."""
        return self._read("campaign", lambda: campaigns.campaign(self.tables, campaign_id))

    def jobs_of_campaign(self, campaign_id: int) -> Mapping[Status, int]:
        """See `models.campaigns.Campaigns.jobs_of_campaign`."""
        return self._read("jobs_of_campaign", lambda: campaigns.jobs(self.tables, campaign_id))

    def cancel_waiting_jobs(self, campaign_id: int, limit: int, asked: Asked) -> int:
        """See `models.campaigning.Campaigns.cancel_waiting_jobs`."""
        asking = self._asking(asked)
        return self._write(
            "cancel_waiting_jobs", lambda: campaigns.cancel_waiting(asking, campaign_id, limit)
        )

    def turn_campaign(self, campaign_id: int, to: CampaignState, asked: Asked) -> Verdict:
        """See `models.campaigns.Campaigns.turn_campaign`."""
        asking = self._asking(asked)
        return self._write("turn_campaign", lambda: campaigns.turn(asking, campaign_id, to))

    # ---- one call --------------------------------------------------------------------------------

    def _asking(self, asked: Asked) -> Asking:
        return Asking(tables=self.tables, asked=asked, now=self._clock.now())

    def _read(self, method: str, answer: Callable[[], T]) -> T:
        fault = self._before(method)
        if fault is Fault.TIMEOUT:
            raise _silence(method, Unavailable)
        found = answer()
        if fault is not None:
            raise _crash(method) if fault is Fault.CRASH_AFTER else _silence(method, Unavailable)
        return found

    def _write(self, method: str, change: Callable[[], T]) -> T:
        fault = self._before(method)
        if fault is Fault.TIMEOUT:
            raise _silence(method, Unknown)  # the connection broke during the commit
        with self.tables.journal as journal:
            done = change()
            written = not journal.is_empty
        if written:
            for hints in self._hints:
                hints.wake()
        if fault is not None:
            raise _crash(method) if fault is Fault.CRASH_AFTER else _silence(method, Unknown)
        return done

    def _before(self, method: str) -> Fault | None:
        """Suffer what befalls the call before its effect; the fault that is to come after it."""
        fault = self._faults.take(f"store.{method}")
        match fault:
            case Fault.REFUSED | Fault.SERVER_ERROR:
                raise _silence(method, Unavailable)
            case Fault.THROTTLED:
                raise Throttled(
                    f"store.{method}: asked too often", retry_after=timedelta(seconds=1)
                )
            case Fault.CRASH:
                raise _crash(method)
            case _:
                return fault


def _silence(method: str, kind: type[Unavailable | Unknown]) -> Unavailable | Unknown:
    return kind(f"store.{method}: the database gave no answer")


def _crash(method: str) -> Crash:
    return Crash(f"the controller dies at store.{method}")
