"""The job store of the controller: leases, views, and one transaction for each change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeAlias

from sqlalchemy import Connection, text

from infra.postgres import (
    breakers,
    campaigns,
    configuration,
    feeds,
    intents,
    l2a,
    ledger,
    outbox,
    pool,
    retirement,
    runs,
)
from infra.postgres.sessions import Sessions
from infra.postgres.view import Viewer
from models import campaigns as campaign_changes
from models import changes, creation, publication
from models.changes import Change
from models.composing import ComposeJobs
from models.configuration import Backlog, ConfigureJobs
from models.errors import Superseded
from models.l2a import ForgetL2a, GiveUpL2a, L2a
from models.plan import Decision
from models.ports import Receipt, ViewLimits
from models.records import Heartbeat, Lease
from models.world import StoreView

Handler: TypeAlias = Callable[[Connection, Lease, Any], Receipt]

HANDLERS: Mapping[type[Change], Handler] = MappingProxyType(
    {
        changes.QueueRun: runs.queue_run,
        changes.ResendRun: runs.resend_run,
        changes.ConfirmRun: runs.confirm_run,
        changes.AbandonRun: runs.abandon_run,
        changes.EndRun: runs.end_run,
        changes.ResumeJob: runs.resume_job,
        changes.AskStop: intents.ask_stop,
        changes.OpenIntent: intents.open_intent,
        changes.CloseIntent: intents.close_one,
        changes.ReserveWorker: pool.reserve_worker,
        changes.NoteServer: pool.note_server,
        changes.AdoptWorker: pool.adopt_worker,
        changes.CancelCreate: pool.cancel_create,
        changes.NoteNode: pool.note_node,
        changes.DropNode: pool.drop_node,
        changes.AdmitWorker: pool.admit_worker,
        changes.BeginRetirement: retirement.begin_retirement,
        changes.NoteMark: retirement.note_mark,
        changes.NoteSeen: retirement.note_seen,
        changes.ReturnToMark: retirement.return_to_mark,
        changes.BeginUndo: retirement.begin_undo,
        changes.EndUndo: retirement.end_undo,
        changes.CommitDeletion: pool.commit_deletion,
        changes.NoteGone: pool.note_gone,
        changes.CloseWorkerRow: pool.close_worker_row,
        changes.NoteFailure: pool.note_failure,
        changes.NoteSuccess: pool.note_success,
        changes.TripBreaker: breakers.trip_breaker,
        changes.SettleBreaker: breakers.settle_breaker,
        changes.WithdrawAcceptance: breakers.withdraw_acceptance,
        creation.CreateJobs: feeds.create_jobs,
        publication.BeginPublication: outbox.begin_publication,
        publication.NoteCopied: outbox.note_copied,
        publication.NoteSending: outbox.note_sending,
        publication.NoteSent: outbox.note_sent,
        publication.FinishJob: outbox.finish_job,
        publication.FailPublication: outbox.fail_publication,
        publication.NoteRefusal: outbox.note_refusal,
        publication.ParkMessage: outbox.park_message,
        ComposeJobs: feeds.compose_jobs,
        campaign_changes.AdvanceCampaign: campaigns.advance_campaign,
        ConfigureJobs: configuration.configure_jobs,
        GiveUpL2a: l2a.give_up_l2a,
        ForgetL2a: l2a.forget_l2a,
    }
)
"""Which function carries out which change; tests compare it with all the changes there are."""

# The clock is read before a possible wait for the row, and expiry is judged after it: the lease is
# never longer than its holder believes.
_ACQUIRE = text("""
with asked as materialized (select clock_timestamp() as at),
  former as (select epoch, renewed_at from leases where name = :name)
insert into leases as held (name, holder, epoch, renewed_at, expires_at)
  select :name, :holder, 1, at, at + :ttl from asked
on conflict (name) do update set
  holder = excluded.holder, renewed_at = excluded.renewed_at, expires_at = excluded.expires_at,
  epoch = held.epoch + case when held.holder = excluded.holder then 0 else 1 end
  where held.holder is null or held.holder = excluded.holder
    or held.expires_at <= clock_timestamp()
returning epoch, renewed_at, expires_at,
  renewed_at - (select renewed_at from former where former.epoch < held.epoch)
""")

# A lease that was renewed in the future: the clock was turned back. It lasts as long as its holder
# believes, from now on; else nobody could take it before the old time is back.
_TURN_BACK = text("""
update leases set renewed_at = at, expires_at = at + (expires_at - renewed_at)
from (select clock_timestamp() as at) as asked
where name = :name and renewed_at > at
""")

_RELEASE = text("""
update leases set holder = null, renewed_at = at, expires_at = at
from (select clock_timestamp() as at) as asked
where name = :name and holder = :holder and epoch = :epoch
""")

# A takeover updates the row and so waits for every commit that has it locked; a commit that comes
# later waits for the takeover and then finds its epoch gone. Commits do not wait for each other.
_HOLD = text("""
select 1 from leases where name = :name and holder = :holder and epoch = :epoch for share
""")


class PostgresStore:
    """`models.ports.JobStore` in PostgreSQL."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._viewer = Viewer()

    def acquire(self, name: str, holder: str, ttl: timedelta) -> Lease | None:
        """See `models.ports.JobStore.acquire`."""
        with self._sessions.write(f"acquire lease {name}") as connection:
            wanted = {"name": name, "holder": holder, "ttl": ttl}
            row = connection.execute(_ACQUIRE, wanted).one_or_none()
            if row is None:
                connection.execute(_TURN_BACK, {"name": name})
                return None
        epoch, renewed_at, expires_at, unled = row
        return Lease(
            name=name,
            holder=holder,
            epoch=epoch,
            renewed_at=renewed_at,
            expires_at=expires_at,
            unled=unled,
        )

    def release(self, lease: Lease) -> None:
        """See `models.ports.JobStore.release`. The epoch stays, so that the next one is higher."""
        with self._sessions.write(f"release lease {lease.name}") as connection:
            connection.execute(_RELEASE, _key(lease))

    def view(self, limits: ViewLimits) -> StoreView:
        """See `models.ports.JobStore.view`."""
        with self._sessions.read("view the store") as connection:
            return self._viewer.view(connection, limits)

    def backlog(self, types: Collection[str]) -> Backlog:
        """See `models.configuration.Backlogs.backlog`."""
        with self._sessions.read("read what is to be configured") as connection:
            return configuration.backlog(connection, types)

    def l2as(self, after: int, most: int) -> tuple[L2a, ...]:
        """See `models.l2a.L2as.l2as`."""
        with self._sessions.read("read which L2A there are") as connection:
            return l2a.l2as(connection, after, most)

    def commit(self, fence: Lease, change: Change) -> Receipt:
        """See `models.ports.JobStore.commit`."""
        what = type(change).__name__
        with self._sessions.write(f"commit {what}") as connection:
            if connection.execute(_HOLD, _key(fence)).one_or_none() is None:
                raise Superseded(
                    f"lease {fence.name} is not held by {fence.holder} at epoch {fence.epoch} any "
                    f"more: {what} was not written"
                )
            return HANDLERS[type(change)](connection, fence, change)

    def record(self, loop: str, decisions: Sequence[Decision], at: datetime) -> None:
        """See `models.ports.JobStore.record`."""
        with self._sessions.write("record decisions") as connection:
            ledger.record(connection, loop, decisions, at)

    def end_refusals(self, loop: str, ended: Sequence[Decision]) -> None:
        """See `models.ports.JobStore.end_refusals`."""
        with self._sessions.write("end refusals") as connection:
            ledger.end_refusals(connection, loop, ended)

    def beat(self, heartbeat: Heartbeat) -> None:
        """See `models.ports.JobStore.beat`."""
        with self._sessions.write("write a heartbeat") as connection:
            ledger.beat(connection, heartbeat)

    def prune(self, before: datetime) -> int:
        """See `models.ports.JobStore.prune`."""
        with self._sessions.write("prune the ledger") as connection:
            feeds.prune(connection, before)
            return ledger.prune(connection, before)


def _key(lease: Lease) -> dict[str, object]:
    return {"name": lease.name, "holder": lease.holder, "epoch": lease.epoch}
