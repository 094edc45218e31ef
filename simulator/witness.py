"""What only the moment shows: whose intents and words were accepted, and what was believed gone.

A table tells how things are, not who made them so, nor what the world was like then. These stand
where it happens: they watch intents and workers as they are written, and hear what programs
on workers say to the store (I2, I6, I9, I12).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from models.configuration import IN_SERIES
from models.lifecycle import Status
from models.pauses import pause_of_loop
from models.ports import Claim, Placement, RunReports, RunResult
from models.records import Intent, Job, RetireCause, Worker
from simulator.cloud.servers import CloudServer
from simulator.store.tables import Tables
from simulator.store.waits import Place

Tell = Callable[[str, str, str], None]
"""Is told of a breach: which invariant, of what, and how."""


A_MINUTE = timedelta(minutes=1)

UNHEALTHY_ONLY = frozenset({RetireCause.STALE, RetireCause.SERVER_ERROR, RetireCause.VANISHED})
"""Causes for which only a worker may go that does not serve."""


class Intents:
    """I6: an intent is accepted from the holder of its lease alone. I12: and not while its loop is
    paused. Watches the intents; `began` tells when the pass under way began.
    """

    def __init__(self, tables: Tables, tell: Tell, began: Callable[[], datetime]) -> None:
        self._tables, self._tell, self._began = tables, tell, began

    def moved(self, before: Intent | None, after: Intent | None) -> None:
        """See `simulator.store.rows.Watcher`."""
        if after is None or (before is not None and before.epoch == after.epoch):
            return
        lease = self._tables.leases.get(after.lease)
        if lease is None or lease.epoch != after.epoch:
            holder = f"epoch {lease.epoch}" if lease else "nobody"
            what = (
                f"{after.kind} of epoch {after.epoch} was accepted, {after.lease} is with {holder}"
            )
            self._tell("I6", after.subject, what)
        pauses = self._tables.pauses
        stopped = pause_of_loop([pauses[key] for key in pauses], after.lease) if pauses else None
        # One that came in the middle of the pass is for the next.
        if stopped is not None and stopped.until is None and stopped.since < self._began():
            what = f"{after.kind} was begun though {stopped.target} is paused by {stopped.by}"
            self._tell("I12", after.subject, what)


class Losses:
    """I9: who begins to go for having failed has failed, and what is held gone is gone. Watches
    the workers; `find` and `serves` tell how things really are.
    """

    def __init__(
        self,
        tell: Tell,
        find: Callable[[str], CloudServer | None],
        serves: Callable[[str], bool],
    ) -> None:
        self._tell, self._find, self._serves = tell, find, serves

    def moved(self, before: Worker | None, after: Worker | None) -> None:
        """See `simulator.store.rows.Watcher`."""
        if after is None or before is None or after.server_id is None:
            return
        subject = f"worker:{after.name}"
        server = self._find(after.server_id)
        held_gone = after.gone_at is not None and before.gone_at is None
        if held_gone and server is not None:
            self._tell("I9", subject, f"was held gone, but its server is {server.status}")
        cause = _begun(before, after)
        if cause in UNHEALTHY_ONLY and _is_well(server) and self._serves(after.server_id):
            self._tell("I9", subject, f"begins to go as {cause}, but it serves")


def _begun(before: Worker, after: Worker) -> RetireCause | None:
    """For what cause a worker begins to go with this change, if it does."""
    begun = before.retirement is None and after.retirement is not None
    return after.retirement.cause if begun and after.retirement else None


def _is_well(server: CloudServer | None) -> bool:
    return server is not None and server.status == "ACTIVE" and not server.doomed


class Words:
    """I2: only the last claim of a job's current run may speak. Stands before the store."""

    def __init__(self, store: RunReports, tables: Tables, tell: Tell) -> None:
        self._store, self._tables, self._tell = store, tables, tell

    def claim(self, run_id: UUID, placement: Placement) -> Claim:
        """See `models.ports.RunReports.claim`."""
        return self._store.claim(run_id, placement)

    def report(self, run_id: UUID, claim: int, status: Status, message: str = "") -> None:
        """See `models.ports.RunReports.report`."""
        entitled = self._is_entitled(run_id, claim)
        self._store.report(run_id, claim, status, message)
        self._judge(run_id, claim, status, entitled=entitled)

    def end(self, run_id: UUID, claim: int, result: RunResult) -> None:
        """See `models.ports.RunReports.end`."""
        # The same end twice is no change: only an open run can be ended by the wrong claim.
        run = self._tables.runs.get(run_id)
        entitled = self._is_entitled(run_id, claim) or (run is not None and run.end is not None)
        self._store.end(run_id, claim, result)
        self._judge(run_id, claim, result.status, entitled=entitled)

    def _is_entitled(self, run_id: UUID, claim: int) -> bool:
        run = self._tables.runs.get(run_id)
        if run is None or run.claim != claim:
            return False
        current = self._tables.current_run(self._tables.jobs[run.job_id])
        return current is not None and current.id == run_id

    def _judge(self, run_id: UUID, claim: int, status: Status, *, entitled: bool) -> None:
        if not entitled:
            self._tell("I2", f"run:{run_id}", f"claim {claim} said {status} and was believed")


class Order:
    """I7: jobs of a series become ready in its order, or say why not. Watches the job table."""

    def __init__(self, tables: Tables, tell: Tell) -> None:
        self._tables, self._tell = tables, tell

    def moved(self, before: Job | None, after: Job | None) -> None:
        """See `simulator.store.rows.Watcher`."""
        was = before.status if before is not None else None
        if after is None or (was, after.status) != (Status.CONFIGURED, Status.READY):
            return
        config = self._tables.configs.get(after.id) or {}
        early = self._before(after.id)
        if early is not None and not config.get("order"):
            what = f"is ready though job {early.job_id} before it in its series is open"
            self._tell("I7", f"job:{after.id}", what)

    def _before(self, job_id: int) -> Place | None:
        """An open job before this one in its series."""
        place = self._tables.series.get(job_id)
        if place is None or place.type not in IN_SERIES:
            return None
        others = self._tables.series_of.of((place.type, place.tile))
        return next(filter(place.is_held_up_by, others), None)
