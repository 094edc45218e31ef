"""Changes of workers and nodes: what each does, and that a guard that does not hold writes nothing.

`WRONG_PLACES` is the whole table: each change against every place of a worker where it may not be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.changes import (
    AdmitWorker,
    BeginRetirement,
    BeginUndo,
    CancelCreate,
    Change,
    CloseWorkerRow,
    CommitDeletion,
    DropNode,
    EndUndo,
    NoteFailure,
    NoteGone,
    NoteMark,
    NoteNode,
    NoteSeen,
    NoteServer,
    NoteSuccess,
    OpenIntent,
    ReserveWorker,
    ReturnToMark,
)
from models.errors import FailureClass, Superseded
from models.records import (
    IntentKind,
    IntentState,
    NodeIdentity,
    RetireCause,
    RetireStep,
    Worker,
    WorkerState,
)
from simulator.examples import FLAVOR
from tests.plugins.stores import ASKED, HOUR, NOBODY, PLACES, Desk

BY_POOL = "worker-pool"


def reserving(desk: Desk, name: str = "os-worker-900", **changes: Any) -> ReserveWorker:
    """The wish for one more worker."""
    intent = desk.intent(IntentKind.CREATE_SERVER, name)
    default = ReserveWorker(at=desk.now(), name=name, flavor=FLAVOR, intent=intent, max_workers=210)
    return replace(default, **changes)


def retiring(desk: Desk, worker: Worker, **changes: Any) -> BeginRetirement:
    """The pool's wish to be rid of a worker."""
    intent = desk.intent(IntentKind.SET_INELIGIBLE, worker.node_id or "")
    default = BeginRetirement(
        at=desk.now(), worker_id=worker.id, cause=RetireCause.IDLE, by=BY_POOL, intent=intent
    )
    return replace(default, **changes)


def identity(node: str = "node-1", server: str | None = "server-1") -> NodeIdentity:
    """The proof that a node is a server."""
    return NodeIdentity(node_id=node, server_id=server, name="os-worker-001", node_class=FLAVOR)


def marks(desk: Desk, node: str | None) -> dict[IntentKind, OpenIntent]:
    """Open intents of both kinds to change the eligibility of a node."""
    kinds = (IntentKind.SET_ELIGIBLE, IntentKind.SET_INELIGIBLE)
    opened = {k: OpenIntent(at=desk.now(), intent=desk.intent(k, node or "")) for k in kinds}
    for change in opened.values():
        desk.do(change)
    return opened


@pytest.mark.parametrize("place", PLACES)
def test_the_desk_brings_workers_where_it_says(desk: Desk, place: str) -> None:
    worker = desk.at(place)
    step = worker.retirement.step if worker.retirement else None
    assert (worker.state, step) == PLACES[place]
    assert desk.worker(worker.id) == worker
    assert (worker in desk.view().workers) is (place != "closed")


# ---- creation ------------------------------------------------------------------------------------


def test_reserving_opens_the_row_and_its_create_intent_at_once(desk: Desk) -> None:
    change = reserving(desk)
    worker = desk.do(change).worker
    [intent] = desk.view().intents
    assert worker is not None
    assert desk.view().workers == (worker,)
    assert (worker.name, worker.flavor, worker.state) == (
        "os-worker-900",
        FLAVOR,
        WorkerState.CREATING,
    )
    assert (worker.intent_id, worker.created_at) == (change.intent.id, change.at)
    assert (intent.id, intent.kind) == (change.intent.id, IntentKind.CREATE_SERVER)


def test_the_name_of_a_closed_worker_is_free(desk: Desk) -> None:
    closed = desk.closed()
    worker = desk.do(reserving(desk, closed.name)).worker
    assert worker is not None
    assert worker.id != closed.id


@pytest.mark.parametrize("place", [place for place in PLACES if place != "closed"])
def test_every_open_worker_counts_for_the_cap_and_keeps_its_name(desk: Desk, place: str) -> None:
    worker = desk.at(place)
    desk.refuses(reserving(desk, max_workers=1), Superseded)
    desk.refuses(reserving(desk, worker.name), Superseded)
    desk.do(reserving(desk, max_workers=2))


def test_closed_workers_do_not_count_for_the_cap(desk: Desk) -> None:
    desk.closed()
    desk.do(reserving(desk, max_workers=1))


def test_an_order_is_fulfilled_once_and_says_how_long_to_keep_the_worker(desk: Desk) -> None:
    desk.doors.operations.order(FLAVOR, 2, HOUR, ASKED)
    first, second = desk.view().orders
    worker = desk.do(reserving(desk, order_id=first.id)).worker
    assert worker is not None
    assert worker.keep_until == first.keep_until
    assert desk.view().orders == (second,)
    desk.refuses(reserving(desk, "os-worker-901", order_id=first.id), Superseded)


@pytest.mark.parametrize("outside_pool", [False, True])
def test_who_orders_a_worker_is_told_where_to_see_what_it_waits_for(
    desk: Desk, *, outside_pool: bool
) -> None:
    (verdict,) = desk.doors.operations.order(FLAVOR, 1, HOUR, ASKED, outside_pool=outside_pool)
    assert f"`hrsi why flavor {FLAVOR}` says what it waits for" in verdict.because


def test_a_worker_that_was_ordered_outside_the_pool_is_so_for_good(desk: Desk) -> None:
    (verdict,) = desk.doors.operations.order(FLAVOR, 1, HOUR, ASKED, outside_pool=True)
    assert "outside the pool" in verdict.because
    (order,) = desk.view().orders
    assert order.outside_pool
    worker = desk.do(reserving(desk, order_id=order.id)).worker
    assert worker is not None
    assert (worker.outside_pool, worker.keep_until) == (True, order.keep_until)
    assert desk.worker(worker.id).outside_pool


@pytest.mark.parametrize("forced", [False, True])
def test_of_a_machine_that_no_job_runs_on_no_run_is_told(desk: Desk, *, forced: bool) -> None:
    worker = desk.apart()
    (verdict,) = desk.doors.operations.retire([worker.name], ASKED, forced=forced)
    assert verdict.done
    assert verdict.because == (
        "it is outside the pool: no job runs there, and its server is deleted now, whoever uses it"
    )


def test_a_trial_order_outside_the_pool_orders_nothing(desk: Desk) -> None:
    trial = replace(ASKED, dry_run=True)
    with desk.nothing_written():
        (verdict,) = desk.doors.operations.order(FLAVOR, 1, HOUR, trial, outside_pool=True)
    assert verdict.done


def test_the_server_of_a_worker_is_noted_and_its_intent_is_done(desk: Desk) -> None:
    worker = desk.creating()
    change = NoteServer(at=desk.now(), worker_id=worker.id, server_id="s-1", address="10.0.0.1")
    booting = desk.do(change).worker
    assert booting == replace(
        worker,
        state=WorkerState.BOOTING,
        server_id="s-1",
        address="10.0.0.1",
        booted_at=change.at,
    )
    assert desk.view().intents == ()


@pytest.mark.parametrize("place", ["booting", "deleting", "closed"])
def test_a_server_belongs_to_one_worker_for_ever(desk: Desk, place: str) -> None:
    server = desk.at(place).server_id
    assert server is not None
    worker = desk.creating()
    change = NoteServer(at=desk.now(), worker_id=worker.id, server_id=server, address=None)
    desk.refuses(change, Superseded)


@pytest.mark.parametrize("state", [IntentState.REFUTED, IntentState.FAILED])
def test_a_create_that_came_to_nothing_closes_the_worker(desk: Desk, state: IntentState) -> None:
    worker = desk.creating()
    desk.do(CancelCreate(at=desk.now(), worker_id=worker.id, state=state, note="no room"))
    assert desk.worker(worker.id) == replace(worker, state=WorkerState.CLOSED)
    assert desk.view().workers == ()
    assert desk.view().intents == ()


# ---- nodes ---------------------------------------------------------------------------------------


def test_a_node_is_proved_once_and_forgotten_when_it_is_gone(desk: Desk) -> None:
    desk.do(NoteNode(at=desk.now(), identity=identity()))
    assert desk.view().identities == {"node-1": identity()}
    with desk.nothing_written():
        again = replace(identity(), name="renamed")
        desk.do(NoteNode(at=desk.now(), identity=again))
    desk.do(DropNode(at=desk.now(), node_id="node-1"))
    assert desk.view().identities == {}
    with desk.nothing_written():
        desk.do(DropNode(at=desk.now(), node_id="node-1"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("server-1", "server-2", id="another-server"),
        pytest.param("server-1", None, id="now-none"),
        pytest.param(None, "server-1", id="now-one"),
    ],
)
def test_a_different_proof_for_a_node_is_refused(
    desk: Desk, first: str | None, second: str | None
) -> None:
    desk.do(NoteNode(at=desk.now(), identity=identity(server=first)))
    desk.refuses(NoteNode(at=desk.now(), identity=identity(server=second)), Superseded)


def test_an_admitted_worker_is_ready_and_its_eligibility_is_settled(desk: Desk) -> None:
    worker = desk.booting()
    node = desk.proved(worker)
    marks(desk, node)
    elsewhere = marks(desk, "another-node")
    change = AdmitWorker(at=desk.now(), worker_id=worker.id, node_id=node)
    assert desk.do(change).worker == replace(
        worker, state=WorkerState.READY, node_id=node, admitted_at=change.at
    )
    assert desk.open_intents() == {opened.intent.id for opened in elsewhere.values()}


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        pytest.param("10.0.0.77", "10.0.0.77", id="as-it-is-now"),
        pytest.param(None, "10.0.0.9", id="as-it-was-when-nobody-knows"),
    ],
)
def test_an_admitted_worker_has_the_address_that_its_server_has(
    desk: Desk, told: str | None, kept: str
) -> None:
    worker = desk.booting()
    node = desk.proved(worker)
    change = AdmitWorker(at=desk.now(), worker_id=worker.id, node_id=node, address=told)
    admitted = desk.do(change).worker
    assert admitted is not None
    assert admitted.address == kept


# ---- the delete protocol -------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["booting", "ready"])
def test_a_retirement_begins_with_a_mark(desk: Desk, place: str) -> None:
    worker = desk.at(place)
    change = retiring(desk, worker)
    retired = desk.do(change).worker
    assert retired is not None
    assert retired.retirement is not None
    retirement = retired.retirement
    assert (retirement.cause, retirement.by) == (RetireCause.IDLE, BY_POOL)
    assert (retirement.step, retirement.started_at) == (RetireStep.MARKING, change.at)
    assert (retirement.index, retirement.modify_index, retirement.forced) == (None, None, False)
    assert retired.state is worker.state
    assert change.intent is not None
    assert desk.open_intents() == {change.intent.id}


def test_a_mark_that_is_sent_again_keeps_the_retirement(desk: Desk) -> None:
    worker = desk.marking()
    change = retiring(desk, worker, cause=RetireCause.STALE, by="another")
    assert desk.do(change).worker == worker


def test_a_retirement_without_a_mark_opens_no_intent(desk: Desk) -> None:
    worker = desk.ready()
    desk.do(retiring(desk, worker, intent=None, cause=RetireCause.PERSON, by="someone"))
    assert desk.view().intents == ()


def test_a_person_takes_over_the_pools_retirement_and_not_the_other_way(desk: Desk) -> None:
    worker = desk.marking()
    by_person: dict[str, Any] = {"cause": RetireCause.PERSON, "by": "ada", "forced": True}
    taken = desk.do(retiring(desk, worker, **by_person)).worker
    assert taken is not None
    assert worker.retirement is not None
    assert taken.retirement == replace(worker.retirement, **by_person)
    assert desk.do(retiring(desk, worker)).worker == taken


@pytest.mark.parametrize("cause", [c for c in RetireCause if c is not RetireCause.PERSON])
def test_only_a_person_may_force_a_retirement(desk: Desk, cause: RetireCause) -> None:
    desk.refuses(retiring(desk, desk.ready(), cause=cause, forced=True), Superseded)


@pytest.mark.parametrize(
    ("place", "index", "kept"),
    [
        pytest.param("marking", 70, 70, id="an-answer"),
        pytest.param("marking", 0, None, id="it-was-ineligible-already"),
        pytest.param("seen", 99, 70, id="too-late-the-index-is-frozen"),
    ],
)
def test_the_answer_to_a_mark_is_kept_until_the_node_is_seen(
    desk: Desk, place: str, index: int, kept: int | None
) -> None:
    worker = desk.at(place)
    mark = OpenIntent(
        at=desk.now(), intent=desk.intent(IntentKind.SET_INELIGIBLE, worker.node_id or "")
    )
    desk.do(mark)
    intent_id = mark.intent.id
    desk.do(NoteMark(at=desk.now(), worker_id=worker.id, intent_id=intent_id, index=index))
    after = desk.worker(worker.id)
    assert after.retirement is not None
    assert after.retirement.index == kept
    assert intent_id not in desk.open_intents()


def test_an_answer_of_zero_leaves_the_index_of_an_earlier_one(desk: Desk) -> None:
    worker = desk.marking()
    [mark] = desk.open_intents()
    desk.do(NoteMark(at=desk.now(), worker_id=worker.id, intent_id=mark, index=70))
    desk.do(NoteMark(at=desk.now(), worker_id=worker.id, intent_id=mark, index=0))
    after = desk.worker(worker.id).retirement
    assert after is not None
    assert after.index == 70


def test_a_node_seen_ineligible_freezes_the_index_and_ends_its_only_mark(desk: Desk) -> None:
    worker = desk.marking()
    marks(desk, "another-node")
    [mark] = [i for i in desk.view().intents if i.subject == worker.node_id]
    unmark = desk.intent(IntentKind.SET_ELIGIBLE, worker.node_id or "")
    desk.do(OpenIntent(at=desk.now(), intent=unmark))
    change = NoteSeen(at=desk.now(), worker_id=worker.id, index=70, modify_index=71)
    seen = desk.do(change).worker
    assert seen is not None
    assert worker.retirement is not None
    assert seen.retirement == replace(
        worker.retirement, step=RetireStep.SEEN, index=70, modify_index=71, seen_at=change.at
    )
    kinds = [(i.kind, i.subject) for i in desk.view().intents if i.subject == worker.node_id]
    assert kinds == [(IntentKind.SET_ELIGIBLE, worker.node_id)]
    assert mark.id not in desk.open_intents()


@pytest.mark.parametrize("answered", [False, True])
def test_of_several_marks_those_without_an_answer_may_still_land(
    desk: Desk, *, answered: bool
) -> None:
    worker = desk.marking()
    [first] = [i.id for i in desk.view().intents if i.subject == worker.node_id]
    second = desk.intent(IntentKind.SET_INELIGIBLE, worker.node_id or "")
    desk.do(OpenIntent(at=desk.now(), intent=second))
    if answered:
        note = NoteMark(at=desk.now(), worker_id=worker.id, intent_id=second.id, index=70)
        desk.do(note)
    desk.do(NoteSeen(at=desk.now(), worker_id=worker.id, index=70, modify_index=71))
    assert first in desk.open_intents()
    assert (second.id in desk.open_intents()) is not answered


def test_a_node_that_changed_is_marked_again(desk: Desk) -> None:
    worker = desk.seen()
    back = desk.do(ReturnToMark(at=desk.now(), worker_id=worker.id)).worker
    assert back is not None
    assert worker.retirement is not None
    assert back.retirement == replace(
        worker.retirement, step=RetireStep.MARKING, index=None, modify_index=None, seen_at=None
    )


@pytest.mark.parametrize("place", ["marking", "seen"])
def test_a_retirement_of_the_pools_own_is_undone(desk: Desk, place: str) -> None:
    worker = desk.at(place)
    intent = desk.intent(IntentKind.SET_ELIGIBLE, worker.node_id or "")
    undoing = desk.do(BeginUndo(at=desk.now(), worker_id=worker.id, intent=intent)).worker
    assert undoing is not None
    assert undoing.retirement is not None
    assert undoing.retirement.step is RetireStep.UNDOING
    assert intent.id in desk.open_intents()
    done = desk.do(EndUndo(at=desk.now(), worker_id=worker.id)).worker
    assert done == replace(undoing, retirement=None)
    assert desk.open_intents() == set()


def test_an_undo_that_was_not_seen_to_take_effect_is_sent_again(desk: Desk) -> None:
    worker = desk.at("undoing")
    before = desk.open_intents()
    intent = desk.intent(IntentKind.SET_ELIGIBLE, worker.node_id or "")
    again = desk.do(BeginUndo(at=desk.now(), worker_id=worker.id, intent=intent)).worker
    assert again == worker
    assert desk.open_intents() == before | {intent.id}


@pytest.mark.parametrize("place", ["marking", "seen"])
def test_what_a_person_wants_gone_is_not_undone(desk: Desk, place: str) -> None:
    make: Callable[[RetireCause], Worker] = getattr(desk, place)
    worker = make(RetireCause.PERSON)
    intent = desk.intent(IntentKind.SET_ELIGIBLE, worker.node_id or "")
    desk.refuses(BeginUndo(at=desk.now(), worker_id=worker.id, intent=intent), Superseded)


# ---- deletion ------------------------------------------------------------------------------------


def test_the_deletion_of_a_seen_worker_is_committed(desk: Desk) -> None:
    worker = desk.seen()
    change = desk.deletion(worker)
    assert desk.do(change).worker == replace(
        worker, state=WorkerState.DELETING, delete_sent_at=change.at
    )
    assert desk.open_intents() == {change.intent.id}


def test_a_delete_is_sent_again_with_a_new_intent(desk: Desk) -> None:
    worker = desk.deleting()
    before = desk.open_intents()
    change = desk.deletion(worker, RetireCause.STALE)
    assert desk.do(change).worker == replace(worker, delete_sent_at=change.at)
    assert desk.open_intents() == before | {change.intent.id}


@pytest.mark.parametrize("cause", list(RetireCause))
def test_a_worker_without_a_node_goes_when_it_is_stale_in_error_or_unwanted(
    desk: Desk, cause: RetireCause
) -> None:
    worker = desk.booting()
    change = desk.deletion(worker, cause)
    if cause in {RetireCause.IDLE, RetireCause.VANISHED}:
        desk.refuses(change, Superseded)
        return
    deleting = desk.do(change).worker
    assert deleting is not None
    assert deleting.state is WorkerState.DELETING
    assert deleting.retirement is not None
    assert (deleting.retirement.cause, deleting.retirement.by) == (cause, BY_POOL)
    assert deleting.retirement.step is RetireStep.MARKING


@pytest.mark.parametrize("place", ["ready", "marking", "undoing"])
@pytest.mark.parametrize("cause", list(RetireCause))
def test_a_worker_whose_node_is_known_goes_only_when_it_was_seen_ineligible(
    desk: Desk, place: str, cause: RetireCause
) -> None:
    desk.refuses(desk.deletion(desk.at(place), cause), Superseded)


def test_a_booting_worker_whose_node_is_proved_is_not_without_a_node(desk: Desk) -> None:
    worker = desk.booting()
    desk.proved(worker)
    desk.refuses(desk.deletion(worker, RetireCause.STALE), Superseded)


def test_a_worker_whose_node_was_forgotten_is_without_a_node(desk: Desk) -> None:
    worker = desk.ready()
    desk.do(DropNode(at=desk.now(), node_id=worker.node_id or ""))
    desk.do(desk.deletion(worker, RetireCause.STALE))
    assert desk.worker(worker.id).state is WorkerState.DELETING


@pytest.mark.parametrize("place", ["booting", "ready", "marking", "seen", "undoing", "deleting"])
def test_a_server_proved_gone_is_noted_wherever_its_worker_stands(desk: Desk, place: str) -> None:
    worker = desk.at(place)
    change = NoteGone(at=desk.now(), worker_id=worker.id)
    assert desk.do(change).worker == replace(worker, state=WorkerState.DELETING, gone_at=change.at)
    kinds = {intent.kind for intent in desk.view().intents}
    assert not kinds & {IntentKind.CREATE_SERVER, IntentKind.DELETE_SERVER}


def test_the_first_proof_that_a_server_is_gone_stays(desk: Desk) -> None:
    worker = desk.gone()
    assert desk.do(NoteGone(at=desk.now(), worker_id=worker.id)).worker == worker


def test_the_row_of_a_gone_worker_is_closed(desk: Desk) -> None:
    worker = desk.gone()
    closed = desk.do(CloseWorkerRow(at=desk.now(), worker_id=worker.id)).worker
    assert closed == replace(worker, state=WorkerState.CLOSED)
    assert desk.view().workers == ()
    assert desk.doors.reader.workers(closed=True) == (closed,)


# ---- guards --------------------------------------------------------------------------------------


def _admit(desk: Desk, worker: Worker) -> Change:
    return AdmitWorker(at=desk.now(), worker_id=worker.id, node_id="node-1")


def _undo(desk: Desk, worker: Worker) -> Change:
    intent = desk.intent(IntentKind.SET_ELIGIBLE, "node-1")
    return BeginUndo(at=desk.now(), worker_id=worker.id, intent=intent)


CHANGES: dict[type[Change], tuple[Callable[[Desk, Worker], Change], set[str]]] = {
    NoteServer: (
        lambda d, w: NoteServer(at=d.now(), worker_id=w.id, server_id="new", address=None),
        {"creating"},
    ),
    CancelCreate: (
        lambda d, w: CancelCreate(at=d.now(), worker_id=w.id, state=IntentState.FAILED, note="no"),
        {"creating"},
    ),
    AdmitWorker: (_admit, {"booting"}),
    BeginRetirement: (retiring, {"booting", "ready", "marking"}),
    NoteSeen: (
        lambda d, w: NoteSeen(at=d.now(), worker_id=w.id, index=1, modify_index=1),
        {"marking"},
    ),
    ReturnToMark: (lambda d, w: ReturnToMark(at=d.now(), worker_id=w.id), {"seen"}),
    BeginUndo: (_undo, {"marking", "seen", "undoing"}),
    EndUndo: (lambda d, w: EndUndo(at=d.now(), worker_id=w.id), {"undoing"}),
    CommitDeletion: (lambda d, w: d.deletion(w), {"seen", "deleting", "gone"}),
    NoteGone: (
        lambda d, w: NoteGone(at=d.now(), worker_id=w.id),
        set(PLACES) - {"creating", "closed"},
    ),
    CloseWorkerRow: (lambda d, w: CloseWorkerRow(at=d.now(), worker_id=w.id), {"gone"}),
}
"""How each change of a worker is made, and the places where the worker may be for it."""

WRONG_PLACES = [
    pytest.param(kind, place, id=f"{kind.__name__}-when-{place}")
    for kind, (_, right) in CHANGES.items()
    for place in PLACES
    if place not in right
]


@pytest.mark.parametrize(("kind", "place"), WRONG_PLACES)
def test_a_worker_in_the_wrong_place_refuses_and_nothing_is_written(
    desk: Desk, kind: type[Change], place: str
) -> None:
    make, _ = CHANGES[kind]
    desk.refuses(make(desk, desk.at(place)), Superseded)


@pytest.mark.parametrize("kind", [*CHANGES, NoteMark], ids=lambda kind: kind.__name__)
def test_a_worker_that_there_is_not_refuses(desk: Desk, kind: type[Change]) -> None:
    nobody = replace(desk.booting(), id=NOBODY)
    change = (
        NoteMark(at=desk.now(), worker_id=NOBODY, intent_id=nobody.intent_id, index=1)
        if kind is NoteMark
        else CHANGES[kind][0](desk, nobody)
    )
    desk.refuses(change, Superseded)


# ---- back-offs -----------------------------------------------------------------------------------


def test_failures_of_a_subject_are_counted_by_class_until_it_works_again(desk: Desk) -> None:
    until = desk.now() + HOUR

    def fail(subject: str, failure: FailureClass, after: timedelta) -> None:
        desk.do(
            NoteFailure(
                at=desk.now(), subject=subject, failure=failure, until=until + after, message="no"
            )
        )

    fail(FLAVOR, FailureClass.QUOTA, timedelta(0))
    fail(FLAVOR, FailureClass.QUOTA, HOUR)
    fail(FLAVOR, FailureClass.NETWORK, timedelta(0))
    fail("hm.large", FailureClass.QUOTA, timedelta(0))
    found = [(b.subject, b.failure, b.failures, b.until) for b in desk.view().backoffs]
    assert found == [
        ("hm.large", FailureClass.QUOTA, 1, until),
        (FLAVOR, FailureClass.NETWORK, 1, until),
        (FLAVOR, FailureClass.QUOTA, 2, until + HOUR),
    ]
    desk.do(NoteSuccess(at=desk.now(), subject=FLAVOR))
    assert [back.subject for back in desk.view().backoffs] == ["hm.large"]
    with desk.nothing_written():
        desk.do(NoteSuccess(at=desk.now(), subject=FLAVOR))
