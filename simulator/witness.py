"""What only the moment shows: whose intents and whose words were accepted (I2, I6).

A table tells how things are, not who made them so. These two stand where it happens: one watches
the intents as they are written, the other hears what programs on workers say to the store.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from models.lifecycle import Status
from models.ports import Claim, Placement, RunReports, RunResult
from models.records import Intent
from simulator.store.tables import Tables

Tell = Callable[[str, str, str], None]
"""Is told of a breach: which invariant, of what, and how."""


class Intents:
    """I6: an intent is accepted from the holder of its lease alone. Watches the intents."""

    def __init__(self, tables: Tables, tell: Tell) -> None:
        self._tables, self._tell = tables, tell

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
