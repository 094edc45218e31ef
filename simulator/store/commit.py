"""Leases, and which function carries out which change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeAlias

from models import campaigns as campaign_changes
from models import changes, creation, publication
from models.changes import Change
from models.composing import ComposeJobs
from models.configuration import ConfigureJobs
from models.errors import Superseded
from models.l2a import ForgetL2a, GiveUpL2a
from models.ports import Receipt
from models.records import Lease
from simulator.store import (
    breakers,
    campaigns,
    configuration,
    feeds,
    intents,
    l2a,
    outbox,
    pool,
    retirement,
    runs,
)
from simulator.store.tables import Tables

Handler: TypeAlias = Callable[[Tables, Lease, Any], Receipt]

NOBODY = ""

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
        changes.CloseIntent: intents.close_intent,
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


def commit(tables: Tables, fence: Lease, change: Change) -> Receipt:
    """See `models.ports.JobStore.commit`."""
    held = tables.leases.get(fence.name)
    if held is None or (held.holder, held.epoch) != (fence.holder, fence.epoch):
        raise Superseded(
            f"lease {fence.name} is not held by {fence.holder} at epoch {fence.epoch} any more: "
            f"{type(change).__name__} was not written"
        )
    return HANDLERS[type(change)](tables, fence, change)


def acquire(
    tables: Tables, name: str, holder: str, *, now: datetime, ttl: timedelta
) -> Lease | None:
    """See `models.ports.JobStore.acquire`."""
    held = tables.leases.get(name)
    lease = Lease(name=name, holder=holder, epoch=1, renewed_at=now, expires_at=now + ttl)
    unled = None
    if held is not None and held.holder == holder:
        lease = replace(lease, epoch=held.epoch)
    elif held is not None and (held.holder == NOBODY or held.expires_at <= now):
        lease, unled = replace(lease, epoch=held.epoch + 1), now - held.renewed_at
    elif held is not None:
        if held.renewed_at > now:
            tables.leases.put(name, _from(now, held))
        return None
    tables.leases.put(name, lease)
    return replace(lease, unled=unled)


def _from(now: datetime, held: Lease) -> Lease:
    """A lease that was renewed in the future, because the clock was turned back, counted anew."""
    return replace(held, renewed_at=now, expires_at=now + (held.expires_at - held.renewed_at))


def release(tables: Tables, lease: Lease, now: datetime) -> None:
    """See `models.ports.JobStore.release`. The epoch stays, so that the next holder has more."""
    held = tables.leases.get(lease.name)
    if held is not None and (held.holder, held.epoch) == (lease.holder, lease.epoch):
        given_back = replace(held, holder=NOBODY, renewed_at=now, expires_at=now)
        tables.leases.put(lease.name, given_back)
