"""What becomes of an action, by what happened to its call; and what a crash leaves behind."""

import inspect
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.act import HANDLERS
from controller.act.effects import NotSent
from controller.act.hands import ending_of
from models import actions
from models.actions import (
    CommitDelete,
    CreateServer,
    DispatchRun,
    MarkWorker,
    ProveGone,
    RegisterParent,
    ResendDispatch,
    StopChild,
)
from models.changes import CommitDeletion
from models.errors import (
    Conflict,
    FailureClass,
    IllegalTransition,
    Malformed,
    NotFound,
    PortError,
    QuotaExceeded,
    Superseded,
    System,
    Throttled,
    Unavailable,
    Unknown,
)
from models.lifecycle import Status
from models.payload import decode, run_token
from models.plan import Action, Outcome, Reason, Subject, SubjectKind
from models.ports import Dispatch, Orchestrator
from models.records import (
    IntentKind,
    IntentState,
    NodeIdentity,
    RetireCause,
    RunEnd,
    WorkerState,
)
from models.world import NomadSnapshot
from simulator.behaviour import Behaviour, Ending
from simulator.cloud.options import CloudOptions
from simulator.faults import Crash, Fault, Faults
from simulator.nomad.rows import Options
from simulator.systems import Scenario
from tests.unit.controller.rig import Rig

NAME = "os-worker-001"
FLAVOR = "hm.medium"


def dispatch(rig: Rig, job_id: int) -> DispatchRun:
    parent = next(p for p in rig.site.parents if p.service == "si-processing")
    return DispatchRun(
        subject=Subject(SubjectKind.JOB, str(job_id)),
        reason=Reason.SLOT_FREE,
        because="a worker is free",
        job_id=job_id,
        parent=parent.id,
        nomad_priority=60,
    )


def registrations(rig: Rig) -> list[Action]:
    return [
        RegisterParent(
            subject=Subject(SubjectKind.PARENT, parent.id),
            reason=Reason.PARENT_MISSING,
            because="Nomad lacks it",
            parent=parent,
        )
        for parent in rig.site.parents
    ]


def create(name: str = NAME) -> CreateServer:
    return CreateServer(
        subject=Subject(SubjectKind.WORKER, name),
        reason=Reason.JOBS_WAITING,
        because="a job waits",
        name=name,
        flavor=FLAVOR,
        image="os-worker-template",
    )


def test_every_action_has_a_handler() -> None:
    classes = {
        found
        for _, found in inspect.getmembers(actions, inspect.isclass)
        if issubclass(found, Action) and found is not Action
    }

    assert set(HANDLERS) == classes


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        pytest.param(Throttled("slow down"), Outcome.LATER, id="throttled"),
        pytest.param(NotSent("no lease"), Outcome.LATER, id="not-sent"),
        pytest.param(Unavailable("away"), Outcome.TEMPORARY, id="unavailable"),
        pytest.param(Conflict("busy"), Outcome.TEMPORARY, id="conflict"),
        pytest.param(NotFound("what?"), Outcome.PERMANENT, id="not-found"),
        pytest.param(Malformed("what?"), Outcome.PERMANENT, id="malformed"),
        pytest.param(QuotaExceeded("full"), Outcome.PERMANENT, id="quota"),
        pytest.param(Unknown("silence"), Outcome.UNKNOWN, id="no-answer"),
        pytest.param(Superseded("too late"), Outcome.OVERTAKEN, id="superseded"),
        pytest.param(IllegalTransition("no"), Outcome.OVERTAKEN, id="illegal-transition"),
        pytest.param(ZeroDivisionError(), Outcome.UNKNOWN, id="a-defect-of-ours"),
    ],
)
def test_the_type_of_an_error_says_how_an_action_ended(error: Exception, outcome: Outcome) -> None:
    assert ending_of(error).outcome is outcome


@pytest.mark.parametrize(
    ("fault", "outcome", "status", "children"),
    [
        pytest.param(None, "done", Status.QUEUED, 1, id="answered"),
        pytest.param(Fault.REFUSED, "temporary_failure", Status.QUEUED, 0, id="refused"),
        pytest.param(Fault.TIMEOUT, "unknown", Status.QUEUED, 0, id="no-answer-not-done"),
        pytest.param(Fault.LOST_REPLY, "unknown", Status.QUEUED, 1, id="no-answer-but-done"),
    ],
)
def test_a_dispatch_keeps_its_intent_open_until_its_child_is_seen(
    fault: Fault | None, outcome: str, status: Status, children: int
) -> None:
    rig = Rig()
    rig.act(*registrations(rig))
    (job,) = rig.submit()
    if fault:
        rig.systems.faults.order("nomad.dispatch", fault)

    rig.act(dispatch(rig, job.id))

    assert rig.outcomes()["dispatch_run", outcome] == 1
    assert rig.job(job.id).status is status
    assert [i.kind for i in rig.intents()] == [IntentKind.DISPATCH]
    assert len(rig.children()) == children


def test_a_dispatch_that_nomad_will_always_refuse_gives_the_job_back_and_rests() -> None:
    rig = Rig()
    (job,) = rig.submit()

    rig.act(dispatch(rig, job.id))  # the parent was never registered

    assert rig.outcomes()["dispatch_run", "permanent_failure"] == 1
    assert rig.job(job.id).status is Status.READY
    assert not rig.intents()
    assert [b.subject for b in rig.acting().world.store.backoffs] == [f"job:{job.id}"]


class Listening:
    """Nomad behind somebody who remembers what was dispatched."""

    def __init__(self, port: Orchestrator) -> None:
        self._port = port
        self.orders: list[Dispatch] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def dispatch(self, order: Dispatch) -> str:
        self.orders.append(order)
        return self._port.dispatch(order)


def test_a_resent_dispatch_is_the_same_to_the_last_byte() -> None:
    heard: list[Listening] = []

    def listen(port: Orchestrator) -> Listening:
        heard.append(Listening(port))
        return heard[0]

    rig = Rig(orchestrator=listen)
    rig.act(*registrations(rig))
    (job,) = rig.submit()
    first = dispatch(rig, job.id)
    rig.systems.faults.order("nomad.dispatch", Fault.LOST_REPLY)
    rig.act(first)
    (run,) = rig.store.story(str(job.id)).runs

    rig.act(
        ResendDispatch(
            subject=first.subject,
            reason=Reason.DISPATCH_UNCONFIRMED,
            because="nobody saw it",
            job_id=job.id,
            run_id=run.id,
            parent=first.parent,
            nomad_priority=first.nomad_priority,
        )
    )

    before, after = heard[0].orders
    assert before == after
    assert before.token == run.id
    assert before.id_prefix == f"{job.id}-a1"
    assert before.meta["attempt"] == "1"
    assert decode(before.payload).token == run_token(rig.tools.token_key, run.id)
    assert len(rig.children()) == 1


FULL = Scenario(cloud=CloudOptions(max_servers=0))
ANY = Scenario()


@pytest.mark.parametrize(
    ("scenario", "fault", "outcome", "state", "intent", "failure"),
    [
        pytest.param(
            ANY, None, "done", WorkerState.BOOTING, IntentState.DONE, None, id="answered"
        ),
        pytest.param(
            FULL, None, "permanent_failure", WorkerState.CLOSED, IntentState.FAILED,
            FailureClass.QUOTA, id="quota",
        ),
        pytest.param(
            ANY, Fault.REFUSED, "temporary_failure", WorkerState.CLOSED, IntentState.FAILED,
            FailureClass.UNAVAILABLE, id="refused",
        ),
        pytest.param(
            ANY, Fault.THROTTLED, "later", WorkerState.CLOSED, IntentState.FAILED,
            FailureClass.RATE_LIMIT, id="throttled",
        ),
        pytest.param(
            ANY, Fault.TIMEOUT, "unknown", WorkerState.CREATING, IntentState.OPEN,
            FailureClass.UNKNOWN_OUTCOME, id="no-answer-not-done",
        ),
        pytest.param(
            ANY, Fault.LOST_REPLY, "unknown", WorkerState.CREATING, IntentState.OPEN,
            FailureClass.UNKNOWN_OUTCOME, id="no-answer-but-done",
        ),
    ],
)  # fmt: skip
def test_a_creation_that_was_refused_counts_no_more_and_an_unanswered_one_does(
    scenario: Scenario,
    fault: Fault | None,
    outcome: str,
    state: WorkerState,
    intent: IntentState,
    failure: FailureClass | None,
) -> None:
    rig = Rig(scenario=scenario)
    if fault:
        rig.systems.faults.order("cloud.create", fault)

    rig.act(create())

    assert rig.outcomes()["create_server", outcome] == 1
    assert [worker.state for worker in rig.workers()] == [state]
    assert [i.kind for i in rig.intents(intent)] == [IntentKind.CREATE_SERVER]
    backoffs = rig.acting().world.store.backoffs
    assert [(b.subject, b.failure) for b in backoffs] == (
        [(f"flavor:{FLAVOR}", failure)] if failure else []
    )


def test_ten_refusals_in_one_pass_are_one_failure() -> None:
    rig = Rig(scenario=FULL)

    rig.act(*(create(f"os-worker-{number:03d}") for number in range(1, 11)))

    (backoff,) = rig.acting().world.store.backoffs
    assert backoff.failures == 1
    assert backoff.until - rig.time.now() == timedelta(minutes=1)


def test_a_pause_after_refusals_doubles_and_ends_with_success() -> None:
    rig = Rig()
    for _ in range(2):
        rig.systems.faults.order("cloud.create", Fault.REFUSED)
        rig.act(create())
        rig.time.advance(timedelta(minutes=5))
    (backoff,) = rig.acting().world.store.backoffs
    assert backoff.until - (rig.time.now() - timedelta(minutes=5)) == timedelta(minutes=2)

    rig.act(create())

    assert not rig.acting().world.store.backoffs


def test_one_failure_does_not_stop_the_others() -> None:
    rig = Rig()
    rig.act(*registrations(rig))
    first, second, third = rig.submit(3)
    rig.systems.faults.order("nomad.dispatch", Fault.REFUSED)
    never = replace(dispatch(rig, first.id), job_id=10_000)

    rig.act(dispatch(rig, first.id), never, dispatch(rig, second.id), dispatch(rig, third.id))

    assert len(rig.children()) == 2
    assert rig.outcomes()["dispatch_run", "done"] == 2


def worker_with_node(rig: Rig) -> tuple[int, str, str]:
    """Let the pool bring up one worker for one job; its row's id, its server's and its node's."""
    rig.submit()
    rig.live_until(
        lambda: any(w.state is WorkerState.READY for w in rig.workers()), timedelta(minutes=10)
    )
    (worker,) = rig.workers()
    assert worker.server_id is not None
    assert worker.node_id is not None
    return worker.id, worker.server_id, worker.node_id


def test_a_mark_keeps_the_index_of_its_answer() -> None:
    rig = Rig()
    worker_id, _, node_id = worker_with_node(rig)

    rig.act(
        MarkWorker(
            subject=Subject(SubjectKind.WORKER, NAME),
            reason=Reason.IDLE,
            because="idle",
            worker_id=worker_id,
            node_id=node_id,
            cause=RetireCause.IDLE,
            by="pool",
        )
    )

    (worker,) = rig.workers()
    assert worker.retirement is not None
    index, eligible = rig.tools.orchestrator.modify_index(node_id)
    assert (worker.retirement.index, eligible) == (index, False)


@pytest.mark.parametrize(
    ("changed", "outcome", "deleted"),
    [
        pytest.param(False, "done", True, id="unchanged"),
        pytest.param(True, "overtaken", False, id="eligible-again-by-a-person"),
    ],
)
def test_a_deletion_is_committed_only_if_the_node_is_as_it_was_seen(
    changed: bool, outcome: str, deleted: bool
) -> None:
    rig = Rig()
    worker_id, server_id, node_id = worker_with_node(rig)
    rig.live_until(
        lambda: any(w.retirement and w.retirement.seen_at for w in rig.workers()),
        timedelta(hours=2),
    )
    (worker,) = rig.workers()
    assert worker.retirement is not None
    if changed:
        rig.tools.orchestrator.set_eligibility(node_id, eligible=True)
    before = rig.outcomes().get(("commit_delete", outcome), 0)

    rig.act(
        CommitDelete(
            subject=Subject(SubjectKind.WORKER, NAME),
            reason=Reason.EMPTY,
            because="empty",
            worker_id=worker_id,
            server_id=server_id,
            cause=RetireCause.IDLE,
            by="pool",
            node_id=node_id,
            modify_index=worker.retirement.modify_index,
        )
    )

    assert rig.outcomes()["commit_delete", outcome] == before + 1
    assert (rig.workers()[0].state is WorkerState.DELETING) is deleted
    open_deletions = [i for i in rig.intents() if i.kind is IntentKind.DELETE_SERVER]
    assert [i.subject for i in open_deletions] == ([worker.name] if deleted else [])


class Joining:
    """A Nomad of which a node may join right after the lists of a pass were read."""

    def __init__(self, port: Orchestrator, rigs: list[Rig]) -> None:
        self._port, self._rigs = port, rigs
        self.joins = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def snapshot(self) -> NomadSnapshot:
        found = self._port.snapshot()
        if self.joins:
            self.joins = False
            self._rigs[0].time.advance(timedelta(seconds=25))
        return found


def a_worker_to_come() -> tuple[Rig, Joining, CommitDelete]:
    """A worker whose node is not there yet, on a Nomad whose nodes join eligible; its deletion."""
    rigs: list[Rig] = []
    nomads: list[Joining] = []

    def joining(port: Orchestrator) -> Joining:
        nomads.append(Joining(port, rigs))
        return nomads[0]

    late = Scenario(
        nomad=Options(default_ineligible=False),
        cloud=CloudOptions(boot_time=timedelta(seconds=5), boot_spread=0),
        join_delay=timedelta(seconds=10),
    )
    rigs.append(rig := Rig(scenario=late, orchestrator=joining))
    rig.act(create())
    rig.time.advance(timedelta(seconds=1))
    (worker,) = rig.workers()
    deletion = CommitDelete(
        subject=Subject(SubjectKind.WORKER, NAME),
        reason=Reason.STALE,
        because="no node after 900 s",
        worker_id=worker.id,
        server_id=worker.server_id or "",
        cause=RetireCause.STALE,
        by="pool",
    )
    return rig, nomads[0], deletion


@pytest.mark.parametrize(
    ("joins", "outcome", "deleted"),
    [
        pytest.param(False, "done", True, id="none-joined"),
        pytest.param(True, "overtaken", False, id="its-node-joined-meanwhile"),
    ],
)
def test_a_worker_without_a_node_is_deleted_only_if_none_joined_since_the_pass_looked(
    joins: bool, outcome: str, deleted: bool
) -> None:
    rig, nomad, deletion = a_worker_to_come()
    nomad.joins = joins

    rig.act(deletion)

    assert rig.outcomes()["commit_delete", outcome] == 1
    assert (rig.workers()[0].state is WorkerState.DELETING) is deleted
    assert bool(rig.intents()) is deleted


@pytest.mark.parametrize(
    ("server", "deleted"),
    [
        pytest.param("unknown", False, id="of-its-name-and-not-identified"),
        pytest.param("its own", False, id="proved-to-be-its-own"),
        pytest.param("another", True, id="of-its-name-and-proved-to-be-another"),
        pytest.param(None, True, id="of-its-name-and-proved-to-be-none"),
    ],
)
def test_a_node_stands_in_the_way_of_a_deletion_if_it_may_be_of_the_worker(
    server: str | None, deleted: bool
) -> None:
    rig, _, deletion = a_worker_to_come()
    rig.time.advance(timedelta(seconds=25))
    acting = rig.acting()
    (node,) = acting.world.nomad.nodes if acting.world.nomad else ()
    proved = deletion.server_id if server == "its own" else server
    identity = NodeIdentity(
        node_id=node.id, server_id=proved, name=node.name, node_class=node.node_class
    )
    known = {} if server == "unknown" else {node.id: identity}
    seen = replace(acting.world, store=replace(acting.world.store, identities=known))

    effect = HANDLERS[CommitDelete](deletion, replace(acting, world=seen))

    assert effect is not None
    if deleted:
        assert [type(change) for change in effect.send()] == [CommitDeletion]
    else:
        with pytest.raises(Superseded, match="nothing was deleted"):
            effect.send()


def test_a_nomad_that_does_not_answer_keeps_a_worker_without_a_node() -> None:
    rig, _, deletion = a_worker_to_come()
    acting = rig.acting()
    rig.systems.faults.order("nomad.snapshot", Fault.REFUSED)

    effect = HANDLERS[CommitDelete](deletion, acting)

    assert effect is not None
    with pytest.raises(PortError):
        effect.send()
    assert rig.workers()[0].state is WorkerState.BOOTING


def test_only_a_404_proves_that_a_server_is_gone() -> None:
    rig = Rig()
    worker_id, server_id, _ = worker_with_node(rig)
    prove = ProveGone(
        subject=Subject(SubjectKind.WORKER, NAME),
        reason=Reason.SERVER_VANISHED,
        because="not listed",
        worker_id=worker_id,
        server_id=server_id,
    )

    rig.systems.faults.order("cloud.exists", Fault.TIMEOUT)
    rig.act(prove)
    rig.act(prove)
    assert rig.workers()[0].gone_at is None
    rig.tools.cloud.delete(server_id)
    rig.time.advance(timedelta(minutes=1))
    rig.act(prove)

    assert rig.workers()[0].gone_at is not None


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(None, 1, id="known"),
        pytest.param(Fault.REFUSED, None, id="nomad-does-not-say"),
    ],
)
def test_a_failed_run_ends_with_its_exit_code_or_without(
    fault: Fault | None, code: int | None
) -> None:
    dies = Behaviour(endings={Ending.SILENT_EXIT: 1.0})
    rig = Rig(scenario=Scenario(behaviours={"fsc_rlie": dies}))
    (job,) = rig.submit()
    if fault:
        rig.systems.faults.order("nomad.exit_code", fault)

    rig.live_until(
        lambda: any(run.ended_at for run in rig.store.story(str(job.id)).runs), timedelta(hours=2)
    )

    (run, *_) = rig.store.story(str(job.id)).runs
    assert (run.end, run.exit_code) == (RunEnd.FAILED, code)


def test_a_stop_of_what_turned_out_current_is_overtaken() -> None:
    rig = Rig()
    rig.act(*registrations(rig))
    (job,) = rig.submit()
    rig.act(dispatch(rig, job.id))
    (run,), (child,) = rig.store.story(str(job.id)).runs, rig.children()

    rig.act(
        StopChild(
            subject=Subject(SubjectKind.CHILD, child),
            reason=Reason.CHILD_WITHOUT_RUN,
            because="no run",
            nomad_job_id=child,
            run_id=run.id,
        )
    )

    assert rig.outcomes()["stop_child", "overtaken"] == 1
    assert rig.children() == [child]


# ---- the lease -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("waited", "sent"),
    [
        pytest.param(0, True, id="fresh"),
        pytest.param(29, True, id="enough-left"),
        pytest.param(31, False, id="waited-too-long-for-its-turn"),
    ],
)
def test_a_call_is_sent_only_within_its_turn(waited: float, sent: bool) -> None:
    rig = Rig()
    acting = rig.acting()
    rig.time.advance(timedelta(seconds=waited))
    called: list[int] = []

    if sent:
        acting.call(System.NOMAD, "test", lambda: called.append(1))
    else:
        with pytest.raises(NotSent, match="its turn"):
            acting.call(System.NOMAD, "test", lambda: called.append(1))

    assert bool(called) is sent


@pytest.mark.parametrize(
    ("elapsed", "sent"),
    [
        pytest.param(59, True, id="31-seconds-left-for-30"),
        pytest.param(60, False, id="30-seconds-left-for-30"),
        pytest.param(100, False, id="expired"),
    ],
)
def test_a_call_is_sent_only_if_the_lease_outlives_it(elapsed: float, sent: bool) -> None:
    rig = Rig()
    acting = rig.acting(send_before=1000.0)
    rig.time.advance(timedelta(seconds=elapsed))

    if sent:
        acting.call(System.NOMAD, "test", lambda: None)
    else:
        with pytest.raises(NotSent, match="of the lease"):
            acting.call(System.NOMAD, "test", lambda: None)


def test_a_call_under_an_older_epoch_is_never_sent() -> None:
    rig = Rig()
    acting = rig.acting()
    older = replace(acting, fence=replace(acting.fence, epoch=acting.fence.epoch - 1))

    with pytest.raises(NotSent, match="of the lease"):
        older.call(System.NOMAD, "test", lambda: None)


def test_what_was_not_sent_leaves_nothing_open() -> None:
    rig = Rig()
    rig.act(*registrations(rig))
    (job,) = rig.submit()
    rig.ending.set()

    rig.act(dispatch(rig, job.id), create())

    assert rig.outcomes()["dispatch_run", "later"] == 1
    assert rig.outcomes()["create_server", "later"] == 1
    assert rig.job(job.id).status is Status.READY
    assert [w.state for w in rig.workers()] == [WorkerState.CLOSED]
    assert not rig.intents()
    assert not rig.acting().world.store.backoffs


# ---- crashes -------------------------------------------------------------------------------------


class CrashAt(Faults):
    """Dies at the n-th call that is no reading, before or after its effect."""

    WRITES = ("store.commit", "nomad.dispatch", "cloud.create", "store.record")

    def __init__(self, number: int = 0, fault: Fault = Fault.CRASH) -> None:
        super().__init__()
        self.left, self.fault = number, fault

    def take(self, operation: str) -> Fault | None:
        if operation not in self.WRITES:
            return super().take(operation)
        self.left -= 1
        return self.fault if self.left == 0 else None


@pytest.mark.parametrize("fault", [Fault.CRASH, Fault.CRASH_AFTER])
@pytest.mark.parametrize("call", range(1, 7))
def test_a_crash_between_any_two_steps_leaves_an_intent_or_nothing(call: int, fault: Fault) -> None:
    faults = CrashAt()
    rig = Rig(faults=lambda: faults)
    rig.act(*registrations(rig))
    (job,) = rig.submit()
    faults.left, faults.fault = call, fault

    # record | commit, dispatch | commit, create, commit
    with pytest.raises(Crash):
        rig.act(dispatch(rig, job.id), create())

    kinds = {intent.kind for intent in rig.intents()}
    servers = rig.systems.cloud_port().snapshot().servers
    known = {worker.server_id for worker in rig.workers()}
    assert not rig.children() or IntentKind.DISPATCH in kinds
    assert all(s.id in known or IntentKind.CREATE_SERVER in kinds for s in servers)

    heir = Rig(rig.systems, holder="second")
    heir.time.advance(timedelta(minutes=2))
    heir.live_until(lambda: heir.job(job.id).status is Status.PROCESSED, timedelta(hours=3))
    story = heir.store.story(str(job.id))
    assert len([run for run in story.runs if run.claim]) == 1


def test_an_answer_that_could_not_be_written_down_is_unknown_and_found_again() -> None:
    faults = CrashAt()
    rig = Rig(faults=lambda: faults)
    rig.submit()
    faults.left, faults.fault = 4, Fault.REFUSED  # record, commit, create; then the store is away

    rig.act(create())

    assert rig.outcomes()["create_server", "unknown"] == 1
    assert [intent.kind for intent in rig.intents()] == [IntentKind.CREATE_SERVER]
    rig.live_until(
        lambda: [w.state for w in rig.workers()] == [WorkerState.READY], timedelta(minutes=30)
    )
    assert len(rig.systems.cloud_port().snapshot().servers) == 1
