"""Leases and fencing: one holder at a time, and nothing written under an epoch that is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from models import changes, creation, publication
from models.breakers import BreakerName
from models.catalogue import Collection
from models.changes import Change
from models.errors import FailureClass, Superseded
from models.lifecycle import Status
from models.plan import Next
from models.product_names import ProductType
from models.records import IntentKind, IntentState, NodeIdentity, RetireCause, RunEnd
from simulator.examples import FLAVOR
from tests.plugins.publishing import PUBLICATION_CHANGES
from tests.plugins.stores import ASKED, Desk, Doors

TTL = timedelta(seconds=90)
SHORT = timedelta(milliseconds=60)


def test_the_first_holder_gets_epoch_one(doors: Doors) -> None:
    lease = doors.jobs.acquire("monitor", "a", TTL)
    assert lease is not None
    assert (lease.name, lease.holder, lease.epoch) == ("monitor", "a", 1)
    assert timedelta(0) < lease.expires_at - doors.now() <= TTL
    assert doors.reader.leases() == (lease,)


def test_a_held_lease_is_not_given_to_another(doors: Doors) -> None:
    doors.jobs.acquire("monitor", "a", TTL)
    before = doors.reader.leases()
    assert doors.jobs.acquire("monitor", "b", TTL) is None
    assert doors.reader.leases() == before


def test_leases_of_different_names_are_strangers(doors: Doors) -> None:
    doors.jobs.acquire("monitor", "a", TTL)
    other = doors.jobs.acquire("execution", "b", TTL)
    assert other is not None
    assert [lease.name for lease in doors.reader.leases()] == ["execution", "monitor"]


def test_renewing_keeps_the_epoch_and_moves_the_expiry(doors: Doors) -> None:
    first = doors.jobs.acquire("monitor", "a", TTL)
    doors.pass_time(SHORT)
    second = doors.jobs.acquire("monitor", "a", TTL)
    assert first is not None
    assert second is not None
    assert second.epoch == first.epoch
    assert second.expires_at > first.expires_at


def test_taking_over_an_expired_lease_raises_the_epoch(doors: Doors) -> None:
    first = doors.jobs.acquire("monitor", "a", SHORT)
    doors.pass_time(2 * SHORT)
    second = doors.jobs.acquire("monitor", "b", TTL)
    assert first is not None
    assert second is not None
    assert (second.holder, second.epoch) == ("b", first.epoch + 1)


def test_renewing_late_keeps_the_epoch_when_nobody_came_between(doors: Doors) -> None:
    first = doors.jobs.acquire("monitor", "a", SHORT)
    doors.pass_time(2 * SHORT)
    second = doors.jobs.acquire("monitor", "a", TTL)
    assert first is not None
    assert second is not None
    assert second.epoch == first.epoch


@pytest.mark.parametrize("holder", ["a", "b"])
def test_a_lease_given_back_is_free_at_once_and_its_epoch_is_not_used_again(
    doors: Doors, holder: str
) -> None:
    first = doors.jobs.acquire("monitor", "a", TTL)
    assert first is not None
    doors.jobs.release(first)
    assert doors.reader.leases() == ()
    second = doors.jobs.acquire("monitor", holder, TTL)
    assert second is not None
    assert second.epoch == first.epoch + 1


def test_giving_back_what_is_no_longer_ours_changes_nothing(doors: Doors) -> None:
    first = doors.jobs.acquire("monitor", "a", SHORT)
    assert first is not None
    doors.pass_time(2 * SHORT)
    second = doors.jobs.acquire("monitor", "b", TTL)
    doors.jobs.release(first)
    assert doors.reader.leases() == (second,)


def test_writes_under_an_expired_lease_that_nobody_took_are_accepted(doors: Doors) -> None:
    lease = doors.jobs.acquire("monitor", "a", SHORT)
    assert lease is not None
    doors.pass_time(2 * SHORT)
    desk = Desk(doors)
    doors.jobs.commit(lease, changes.OpenIntent(at=desk.now(), intent=desk.intent()))
    assert len(desk.open_intents()) == 1


# ---- fencing: each change, once as it should be, once under a lease that is over -----------------


def _end_run(desk: Desk) -> Change:
    run = desk.claimed()
    return changes.EndRun(
        at=desk.now(),
        job_id=run.job_id,
        run_id=run.id,
        expected_seq=desk.job(run.job_id).seq,
        end=RunEnd.LOST,
        status=Status.EXTERNAL_ERROR,
        subtype="Worker lost",
        message="its node is gone",
        then=Next.REQUEUE,
    )


def _resume_job(desk: Desk) -> Change:
    job = desk.failed()
    return changes.ResumeJob(
        at=desk.now(), job_id=job.id, expected_seq=job.seq, then=Next.REQUEUE, message="again"
    )


def _ask_stop(desk: Desk) -> Change:
    intent = desk.intent(IntentKind.STOP_CHILD, "child-1")
    run = desk.claimed()
    return changes.AskStop(at=desk.now(), run_id=run.id, stuck=True, why="slow", intent=intent)


def _close_intent(desk: Desk) -> Change:
    return changes.CloseIntent(
        at=desk.now(), intent_id=desk.queued().id, state=IntentState.FAILED, note="no"
    )


def _reserve(desk: Desk) -> Change:
    intent = desk.intent(IntentKind.CREATE_SERVER, "os-worker-900")
    return changes.ReserveWorker(
        at=desk.now(), name="os-worker-900", flavor=FLAVOR, intent=intent, max_workers=210
    )


def _note_node(desk: Desk) -> Change:
    identity = NodeIdentity(node_id="n", server_id="s", name="os-worker-900", node_class=FLAVOR)
    return changes.NoteNode(at=desk.now(), identity=identity)


def _drop_node(desk: Desk) -> Change:
    return changes.DropNode(at=desk.now(), node_id=desk.ready().node_id or "")


def _admit(desk: Desk) -> Change:
    worker = desk.booting()
    return changes.AdmitWorker(at=desk.now(), worker_id=worker.id, node_id=desk.proved(worker))


def _retire(desk: Desk) -> Change:
    return changes.BeginRetirement(
        at=desk.now(), worker_id=desk.ready().id, cause=RetireCause.IDLE, by="pool", intent=None
    )


def _note_mark(desk: Desk) -> Change:
    worker = desk.marking()
    [mark] = desk.open_intents()
    return changes.NoteMark(at=desk.now(), worker_id=worker.id, intent_id=mark, index=5)


def _begin_undo(desk: Desk) -> Change:
    worker = desk.seen()
    intent = desk.intent(IntentKind.SET_ELIGIBLE, worker.node_id or "")
    return changes.BeginUndo(at=desk.now(), worker_id=worker.id, intent=intent)


def _note_failure(desk: Desk) -> Change:
    return changes.NoteFailure(
        at=desk.now(),
        subject=FLAVOR,
        failure=FailureClass.QUOTA,
        until=desk.now() + TTL,
        message="no room",
    )


def _note_success(desk: Desk) -> Change:
    desk.do(_note_failure(desk))
    return changes.NoteSuccess(at=desk.now(), subject=FLAVOR)


def _trip(desk: Desk) -> Change:
    return changes.TripBreaker(
        at=desk.now(), name=BreakerName.SERVERS, because="all", suspects={"s": "os-worker-900"}
    )


def _tripped(desk: Desk) -> int:
    desk.do(_trip(desk))
    [breaker] = desk.doors.reader.breakers()
    return breaker.id


def _accepted(desk: Desk) -> int:
    breaker_id = _tripped(desk)
    desk.doors.operations.close_breaker([BreakerName.SERVERS], ASKED)
    return breaker_id


A_FEED = creation.Feed(source="creodias", collection=Collection.SENTINEL_2, type=ProductType.L1C)

VALID: dict[type[Change], Callable[[Desk], Change]] = {
    changes.QueueRun: lambda d: d.queue_change(d.submit()[0]),
    changes.ResendRun: lambda d: changes.ResendRun(
        at=d.now(), run_id=d.queued().id, deadline=d.now() + TTL
    ),
    changes.ConfirmRun: lambda d: changes.ConfirmRun(
        at=d.now(), run_id=d.queued().id, nomad_job_id="child-1"
    ),
    changes.AbandonRun: lambda d: changes.AbandonRun(
        at=d.now(), run_id=d.queued().id, message="never showed"
    ),
    changes.EndRun: _end_run,
    changes.ResumeJob: _resume_job,
    changes.AskStop: _ask_stop,
    changes.OpenIntent: lambda d: changes.OpenIntent(at=d.now(), intent=d.intent()),
    changes.CloseIntent: _close_intent,
    changes.ReserveWorker: _reserve,
    changes.NoteServer: lambda d: changes.NoteServer(
        at=d.now(), worker_id=d.creating().id, server_id="s-1", address=None
    ),
    changes.AdoptWorker: lambda d: changes.AdoptWorker(
        at=d.now(),
        name="os-worker-900",
        flavor=FLAVOR,
        server_id="s-900",
        address=None,
        intent_id=d.intent().id,
    ),
    changes.CancelCreate: lambda d: changes.CancelCreate(
        at=d.now(), worker_id=d.creating().id, state=IntentState.REFUTED, note="never came"
    ),
    changes.NoteNode: _note_node,
    changes.DropNode: _drop_node,
    changes.AdmitWorker: _admit,
    changes.BeginRetirement: _retire,
    changes.NoteMark: _note_mark,
    changes.NoteSeen: lambda d: changes.NoteSeen(
        at=d.now(), worker_id=d.marking().id, index=7, modify_index=8
    ),
    changes.ReturnToMark: lambda d: changes.ReturnToMark(at=d.now(), worker_id=d.seen().id),
    changes.BeginUndo: _begin_undo,
    changes.EndUndo: lambda d: changes.EndUndo(at=d.now(), worker_id=d.undoing().id),
    changes.CommitDeletion: lambda d: d.deletion(d.seen()),
    changes.NoteGone: lambda d: changes.NoteGone(at=d.now(), worker_id=d.deleting().id),
    changes.CloseWorkerRow: lambda d: changes.CloseWorkerRow(at=d.now(), worker_id=d.gone().id),
    changes.NoteFailure: _note_failure,
    changes.NoteSuccess: _note_success,
    changes.TripBreaker: _trip,
    changes.SettleBreaker: lambda d: changes.SettleBreaker(
        at=d.now(), breaker_id=_tripped(d), message="they are back"
    ),
    changes.WithdrawAcceptance: lambda d: changes.WithdrawAcceptance(
        at=d.now(), breaker_id=_accepted(d), server_ids=("s",)
    ),
    creation.CreateJobs: lambda d: creation.CreateJobs(
        at=d.now(),
        cursor=creation.Cursor(feed=A_FEED, until=d.now(), deep_at=d.now()),
        expected=None,
        flavors={},
    ),
    **PUBLICATION_CHANGES,
}


def test_every_change_there_is_stands_in_the_table() -> None:
    modules = (changes, creation, publication)
    found = [kind for module in modules for kind in vars(module).values()]
    kinds = {kind for kind in found if isinstance(kind, type)}
    assert set(VALID) == {kind for kind in kinds if issubclass(kind, Change)} - {Change}


@pytest.mark.parametrize("kind", VALID, ids=lambda kind: kind.__name__)
def test_a_change_under_an_old_epoch_writes_nothing_and_under_the_new_one_is_done(
    desk: Desk, kind: type[Change]
) -> None:
    change = VALID[kind](desk)
    old = desk.lease
    desk.doors.jobs.release(old)
    new = desk.doors.jobs.acquire(old.name, old.holder, TTL)
    assert new is not None
    desk.refuses(change, Superseded)
    desk.lease = new
    before = desk.everything()
    desk.do(change)
    assert desk.everything() != before


def test_the_right_epoch_in_another_name_is_refused(desk: Desk) -> None:
    other = desk.doors.jobs.acquire("monitor", "desk", TTL)
    assert other is not None
    desk.doors.jobs.release(other)
    desk.lease = other
    desk.refuses(changes.OpenIntent(at=desk.now(), intent=desk.intent()), Superseded)


def test_an_intent_bears_the_lease_that_it_was_written_under(desk: Desk) -> None:
    desk.do(changes.OpenIntent(at=desk.now(), intent=desk.intent()))
    [intent] = desk.view().intents
    assert (intent.lease, intent.epoch) == (desk.lease.name, desk.lease.epoch)


def test_an_intent_is_not_written_twice(desk: Desk) -> None:
    change = changes.OpenIntent(at=desk.now(), intent=desk.intent())
    desk.do(change)
    desk.refuses(change, Superseded)
