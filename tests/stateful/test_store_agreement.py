"""Memory and PostgreSQL, driven by the same random calls, give the same answers and views.

What the simulator proves of the controller holds in production only as far as the two stores
agree. Numbers that a store hands out are compared by their order, and so are moments of a store's
own clock: everything else must be equal.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import count
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from infra.postgres import Postgres
from models import changes
from models.breakers import Breaker, BreakerName
from models.changes import Change
from models.errors import FailureClass, HrsiError
from models.lifecycle import ERRORS, Status
from models.plan import Action, Decision, Held, Next, Reason, Subject, SubjectKind
from models.ports import Asked, Placement, RunResult
from models.records import (
    Intent,
    IntentKind,
    IntentState,
    Job,
    Lease,
    NodeIdentity,
    RetireCause,
    Run,
    RunEnd,
    StatusChange,
    Worker,
    WorkerOrder,
)
from models.world import StoreView
from simulator.examples import FLAVOR, some_new_jobs
from simulator.ids import SeededIds
from simulator.store import MemoryStore
from tests.plugins.stores import HOUR, NOBODY, STEPS, Desk, Doors, postgres_doors

NEW_JOBS = some_new_jobs(8)
LEASE = "execution"
SMALL = st.integers(0, 5)
FEW = st.integers(0, 2)
NAMES = [f"os-worker-{number:03d}" for number in range(4)]
PAUSABLE = ("everything", "loop:execution", "type:fsc_rlie", "type:fsc")
SUSPECTS = st.sampled_from(["s-1", "s-2", "s-3"])
KINDS = (IntentKind.SET_ELIGIBLE, IntentKind.SET_INELIGIBLE, IntentKind.DELETE_SERVER)


class WallClock:
    """The clock that the database has, for the store in memory."""

    def now(self) -> datetime:
        """The wall clock."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since the epoch: nothing here turns the clock back."""
        return self.now().timestamp()


def memory_doors() -> Doors:
    """The store in memory, in real time."""
    store = MemoryStore(WallClock(), SeededIds())
    return Doors(
        jobs=store,
        reports=store,
        operations=store,
        reader=store,
        feeds=store,
        outbox=store,
        campaigns=store,
        now=WallClock().now,
        pass_time=lambda _: None,
    )


@dataclass
class Side:
    """One of the two stores, with the numbers that it handed out in the order of their coming."""

    desk: Desk
    numbers: dict[str, dict[int, int]] = field(default_factory=dict)

    def number(self, kind: str, given: int) -> int:
        """Which one this is of its kind: the same on both sides for the same thing."""
        known = self.numbers.setdefault(kind, {})
        if given == NOBODY:
            return -1
        return known.setdefault(given, len(known))

    def given(self, kind: str, which: int) -> int:
        """The number that this store handed out for it; nobody's when there is no such thing."""
        found = [given for given, number in self.numbers.get(kind, {}).items() if number == which]
        return found[0] if found else NOBODY


class Normal:
    """Turns what one side shows into values that can be compared with the other side's."""

    def __init__(self, side: Side, moments: Mapping[datetime, int]) -> None:
        self._side, self._moments = side, moments

    def of(self, value: Any) -> Any:
        """The comparable form of a value, of whatever it is made."""
        match value:
            case datetime():
                # A moment that the machine named is itself; any other is the store's own clock.
                return f"moment {self._moments[value]}" if value in self._moments else "the clock"
            case Enum() | UUID():
                return value
            case Mapping():
                return {self.of(key): self.of(item) for key, item in value.items()}
            case str():
                return self._text(value)
            case Sequence():
                return [self.of(item) for item in value]
            case _ if is_dataclass(value):
                return self._record(value)
            case _:
                return value

    def _record(self, record: Any) -> dict[str, Any]:
        shown = {f.name: self.of(getattr(record, f.name)) for f in fields(record)}
        match record:
            case Job():
                shown |= {"id": self._side.number("job", record.id), "unique_id": None}
            case Run() | StatusChange():
                shown["job_id"] = self._side.number("job", record.job_id)
            case Worker():
                shown["id"] = self._side.number("worker", record.id)
            case Lease():
                shown["unled"] = record.unled is not None
            case Breaker():
                shown["id"] = self._side.number("breaker", record.id)
                shown["accepted"] = sorted(record.accepted)
            case WorkerOrder():
                shown["id"] = self._side.number("order", record.id)
            case _:
                pass
        return {"": type(record).__name__, **shown}

    def _text(self, text: str) -> str:
        kind, _, given = text.partition(":")
        if kind == "job" and given.isdecimal():
            return f"job number {self._side.number('job', int(given))}"
        said, until, _ = text.partition(" until ")
        return said + until


Call = Callable[[Side], Any]


class Agreement(RuleBasedStateMachine):
    """The two stores, side by side."""

    database: ClassVar[Postgres]

    def __init__(self) -> None:
        super().__init__()
        both = memory_doors(), postgres_doors(self.database)
        self.sides = [Side(Desk(doors, LEASE)) for doors in both]
        self.moments: dict[datetime, int] = {}
        self.runs: list[UUID] = []
        self.intents: list[UUID] = []
        self.old_leases: list[tuple[Lease, Lease]] = []
        self.ticks: Iterator[int] = count()

    # ---- one call on both ------------------------------------------------------------------------

    def now(self, later: timedelta = timedelta(0)) -> datetime:
        """A moment that both stores are told, remembered by name."""
        moment = datetime.now(UTC) + later
        self.moments.setdefault(moment, next(self.ticks))
        return moment

    def both(self, call: Call) -> Any:
        """Make the call on both sides; both must answer the same. What memory answered."""
        answers = [self._answer(side, call) for side in self.sides]
        normal = [
            Normal(side, self.moments).of(answer)
            for side, answer in zip(self.sides, answers, strict=True)
        ]
        assert normal[0] == normal[1]
        return answers[0]

    def _answer(self, side: Side, call: Call) -> Any:
        try:
            return call(side)
        except HrsiError as error:
            return type(error).__name__

    def commit(self, make: Callable[[Side], Change]) -> Any:
        """Commit the same change on both sides; `make` fills in the numbers of each."""
        return self.both(lambda side: side.desk.doors.jobs.commit(side.desk.lease, make(side)))

    def intent(self, kind: IntentKind, subject: str, *, used: bool = False) -> Intent:
        """An intent; a used one bears the id of an earlier one."""
        identity = self.intents[-1] if used and self.intents else uuid4()
        self.intents.append(identity)
        now = self.now()
        return Intent(id=identity, kind=kind, subject=subject, opened_at=now, deadline=now)

    def job_now(self, job: int) -> Job | None:
        """A job as memory shows it."""
        side = self.sides[0]
        known = side.numbers.get("job", {})
        return side.desk.job(side.given("job", job)) if job in known.values() else None

    def run_id(self, which: int) -> UUID:
        """One of the newest runs, or nobody's."""
        newest = self.runs[-4:]
        return newest[which] if which < len(newest) else UUID(int=7)

    @initialize()
    def begin(self) -> None:
        self.submit([0, 1, 2], dry_run=False)
        for number in (0, 1):
            self.reserve(number, cap=9, order=None, used=False)
            for step in (0, 1, 2):
                self.lead_worker_on(number, step)

    # ---- jobs and runs ---------------------------------------------------------------------------

    @rule(which=st.lists(st.integers(0, 7), max_size=4), dry_run=st.booleans())
    def submit(self, which: list[int], *, dry_run: bool) -> None:
        asked = Asked(actor="ada", dry_run=dry_run)
        jobs = [NEW_JOBS[number] for number in which]

        def ask(side: Side) -> list[list[int]]:
            made = side.desk.doors.operations.submit(jobs, asked)
            return [
                [side.number("job", given) for given in ids] for ids in (made.added, made.existing)
            ]

        self.both(ask)

    @rule(job=SMALL, used=st.booleans(), early=st.booleans())
    def queue(self, job: int, *, used: bool, early: bool) -> None:
        at = self.now(-HOUR if early else timedelta(0))
        intent = self.intent(IntentKind.DISPATCH, "run", used=used)
        self.runs.append(intent.id)
        self.commit(lambda s: changes.QueueRun(at=at, job_id=s.given("job", job), intent=intent))

    @rule(run=SMALL, kind=FEW)
    def handle(self, run: int, kind: int) -> None:
        at, run_id = self.now(), self.run_id(run)
        change = (
            changes.ResendRun(at=at, run_id=run_id, deadline=at),
            changes.ConfirmRun(at=at, run_id=run_id, nomad_job_id="child"),
            changes.AbandonRun(at=at, run_id=run_id, message="never showed"),
        )[kind]
        self.commit(lambda _: change)

    @rule(run=SMALL, allocation=FEW, node=FEW)
    def claim(self, run: int, allocation: int, node: int) -> None:
        placement = Placement(allocation_id=f"a{allocation}", node_id=f"node-{node}")
        run_id = self.run_id(run)
        self.both(lambda side: side.desk.doors.reports.claim(run_id, placement))

    @rule(run=SMALL, claim=FEW, status=st.sampled_from([*STEPS, Status.READY]))
    def report(self, run: int, claim: int, status: Status) -> None:
        run_id = self.run_id(run)
        self.both(lambda side: side.desk.doors.reports.report(run_id, claim, status))

    @rule(
        run=SMALL,
        claim=FEW,
        status=st.sampled_from([Status.PROCESSED, *sorted(ERRORS)]),
        code=st.sampled_from([None, 1]),
    )
    def end(self, run: int, claim: int, status: Status, code: int | None) -> None:
        run_id = self.run_id(run)
        result = RunResult(status=status, subtype="Download", exit_code=code)
        self.both(lambda side: side.desk.doors.reports.end(run_id, claim, result))

    @rule(job=SMALL, step=FEW)
    def lead_job_on(self, job: int, step: int) -> None:
        """The next thing that happens to a job when all goes well."""
        found = self.job_now(job)
        if found is None:
            return
        if found.status is Status.READY:
            self.queue(job, used=False, early=False)
            return
        side = self.sides[0]
        run = next((f.run for f in side.desk.view().in_flight if f.job.id == found.id), None)
        if run is None:
            return
        reports = {Status.STARTED: STEPS[0], STEPS[0]: STEPS[1], STEPS[1]: STEPS[2]}
        if found.status is Status.QUEUED:
            placement = Placement(allocation_id="a0", node_id=f"node-{step}")
            self.both(lambda s: s.desk.doors.reports.claim(run.id, placement))
        elif found.status in reports:
            after = reports[found.status]
            self.both(lambda s: s.desk.doors.reports.report(run.id, run.claim, after))
        else:
            done = RunResult(status=Status.PROCESSED, exit_code=0)
            self.both(lambda s: s.desk.doors.reports.end(run.id, run.claim, done))

    @rule(
        job=SMALL,
        off=st.sampled_from([0, 0, 0, 1]),
        end=st.sampled_from([RunEnd.LOST, RunEnd.FAILED]),
        status=st.sampled_from([*sorted(ERRORS), Status.READY]),
        then=st.sampled_from(Next),
    )
    def end_run(self, job: int, off: int, end: RunEnd, status: Status, then: Next) -> None:
        found = self.job_now(job)
        runs = self.sides[0].desk.story(found.id).runs if found else ()
        at, retry_at = self.now(), self.now(HOUR)
        self.commit(
            lambda side: changes.EndRun(
                at=at,
                job_id=side.given("job", job),
                run_id=runs[-1].id if runs else UUID(int=7),
                expected_seq=off + (found.seq if found else 0),
                end=end,
                status=status,
                subtype="Worker lost",
                message="gone",
                then=then,
                retry_at=retry_at if then is Next.BACK_OFF else None,
            )
        )

    @rule(job=SMALL, off=st.sampled_from([0, 0, 0, 1]), then=st.sampled_from(Next))
    def resume(self, job: int, off: int, then: Next) -> None:
        found = self.job_now(job)
        at, retry_at = self.now(), self.now(HOUR)
        self.commit(
            lambda side: changes.ResumeJob(
                at=at,
                job_id=side.given("job", job),
                expected_seq=off + (found.seq if found else 0),
                then=then,
                message="again",
                retry_at=retry_at if then is Next.BACK_OFF else None,
            )
        )

    @rule(run=SMALL, stuck=st.booleans())
    def ask_stop(self, run: int, *, stuck: bool) -> None:
        at, intent = self.now(), self.intent(IntentKind.STOP_CHILD, "child")
        run_id = self.run_id(run)
        self.commit(
            lambda _: changes.AskStop(at=at, run_id=run_id, stuck=stuck, why="slow", intent=intent)
        )

    @rule(which=SMALL, state=st.sampled_from([s for s in IntentState if s != "open"]))
    def close_intent(self, which: int, state: IntentState) -> None:
        newest = [*self.intents[-5:], uuid4()]
        intent_id, at = newest[which % len(newest)], self.now()
        self.commit(lambda _: changes.CloseIntent(at=at, intent_id=intent_id, state=state))

    # ---- the pool --------------------------------------------------------------------------------

    @rule(
        name=st.integers(0, 3),
        cap=st.integers(2, 4),
        order=st.none() | SMALL,
        used=st.sampled_from([False, False, True]),
    )
    def reserve(self, name: int, cap: int, order: int | None, *, used: bool) -> None:
        at = self.now()
        intent = self.intent(IntentKind.CREATE_SERVER, NAMES[name], used=used)
        self.commit(
            lambda side: changes.ReserveWorker(
                at=at,
                name=NAMES[name],
                flavor=FLAVOR,
                intent=intent,
                max_workers=cap,
                order_id=None if order is None else side.given("order", order),
            )
        )

    @rule(worker=SMALL, step=st.integers(0, 7))
    def lead_worker_on(self, worker: int, step: int) -> None:
        """A step of a worker's life, in the order of a life in which all goes well."""
        at, node = self.now(), f"node-{worker}"
        proof = NodeIdentity(
            node_id=node, server_id=f"server-{worker}", name=NAMES[0], node_class=FLAVOR
        )
        mark = self.intent(IntentKind.SET_INELIGIBLE, node)
        kill = self.intent(IntentKind.DELETE_SERVER, NAMES[worker % 4])
        cause = RetireCause.IDLE

        def change(side: Side) -> Change:
            w = side.given("worker", worker)
            return (
                changes.NoteServer(at=at, worker_id=w, server_id=f"server-{worker}", address=None),
                changes.NoteNode(at=at, identity=proof),
                changes.AdmitWorker(at=at, worker_id=w, node_id=node),
                changes.BeginRetirement(at=at, worker_id=w, cause=cause, by="pool", intent=mark),
                changes.NoteSeen(at=at, worker_id=w, index=3, modify_index=4),
                changes.CommitDeletion(at=at, worker_id=w, cause=cause, by="pool", intent=kill),
                changes.NoteGone(at=at, worker_id=w),
                changes.CloseWorkerRow(at=at, worker_id=w),
            )[step]

        self.commit(change)

    @rule(worker=SMALL, kind=st.integers(0, 6), cause=st.sampled_from(RetireCause))
    def disturb_worker(self, worker: int, kind: int, cause: RetireCause) -> None:
        """A change of a worker that is not the next step of a life in which all goes well."""
        at, node = self.now(), f"node-{worker}"
        intent = self.intent(KINDS[kind % 3], node if kind % 3 < 2 else NAMES[worker % 4])
        earlier = self.intents[-2] if len(self.intents) > 1 else intent.id
        state = IntentState.REFUTED

        def change(side: Side) -> Change:
            w = side.given("worker", worker)
            return (
                changes.CancelCreate(at=at, worker_id=w, state=state, note="never came"),
                changes.NoteMark(at=at, worker_id=w, intent_id=earlier, index=worker),
                changes.ReturnToMark(at=at, worker_id=w),
                changes.BeginUndo(at=at, worker_id=w, intent=intent),
                changes.EndUndo(at=at, worker_id=w),
                changes.CommitDeletion(at=at, worker_id=w, cause=cause, by="pool", intent=intent),
                changes.BeginRetirement(
                    at=at,
                    worker_id=w,
                    cause=cause,
                    by="pool",
                    intent=intent,
                    forced=worker % 2 == 0,
                ),
            )[kind]

        self.commit(change)

    @rule(worker=SMALL, server=SMALL)
    def adopt(self, worker: int, server: int) -> None:
        intent = self.intents[-1] if self.intents and server % 2 else uuid4()
        change = changes.AdoptWorker(
            at=self.now(),
            name=NAMES[worker % 4],
            flavor=FLAVOR,
            server_id=f"server-{server}",
            address=None,
            intent_id=intent,
        )
        self.commit(lambda _: change)

    @rule(node=FEW, server=st.none() | FEW)
    def prove_or_drop_node(self, node: int, server: int | None) -> None:
        at = self.now()
        identity = NodeIdentity(
            node_id=f"node-{node}",
            server_id=None if server == 0 else f"server-{server}",
            name=NAMES[node],
            node_class=FLAVOR,
        )
        noted = changes.NoteNode(at=at, identity=identity)
        dropped = changes.DropNode(at=at, node_id=f"node-{node}")
        self.commit(lambda _: dropped if server is None else noted)

    @rule(failure=st.sampled_from([None, FailureClass.QUOTA, FailureClass.NETWORK]), subject=FEW)
    def fail_or_succeed(self, failure: FailureClass | None, subject: int) -> None:
        at, name = self.now(), f"flavor-{subject}"
        if failure is None:
            self.commit(lambda _: changes.NoteSuccess(at=at, subject=name))
            return
        failed = changes.NoteFailure(
            at=at, subject=name, failure=failure, until=at, message="no room"
        )
        self.commit(lambda _: failed)

    # ---- people ----------------------------------------------------------------------------------

    @rule(jobs=st.lists(SMALL, max_size=3), cancel=st.booleans(), dry_run=st.booleans())
    def cancel_or_relaunch(self, jobs: list[int], *, cancel: bool, dry_run: bool) -> None:
        asked = Asked(actor="ada", reason="why not", dry_run=dry_run)

        def ask(side: Side) -> Any:
            people = side.desk.doors.operations
            ids = [side.given("job", job) for job in jobs]
            return (people.cancel if cancel else people.relaunch)(ids, asked)

        self.both(ask)

    @rule(names=st.lists(st.sampled_from(NAMES), max_size=3), forced=st.booleans())
    def retire(self, names: list[str], *, forced: bool) -> None:
        asked = Asked(actor="ada")
        self.both(lambda side: side.desk.doors.operations.retire(names, asked, forced=forced))

    @rule(amount=st.integers(-1, 2), flavor=st.sampled_from([FLAVOR, "hm.tiny"]))
    def order(self, amount: int, flavor: str) -> None:
        asked = Asked(actor="ada")
        self.both(lambda side: side.desk.doors.operations.order(flavor, amount, HOUR, asked))

    @rule(
        key=st.sampled_from(["pool.max_workers", "passes.lease", "passes.call_deadline", "x.y"]),
        value=st.sampled_from([None, 20, 90, 300, 1.5, "many"]),
        lasts=st.sampled_from([None, None, HOUR, -HOUR]),
        dry_run=st.booleans(),
    )
    def set_parameter(
        self, key: str, value: Any, lasts: timedelta | None, *, dry_run: bool
    ) -> None:
        asked = Asked(actor="ada", dry_run=dry_run)
        self.both(
            lambda side: side.desk.doors.operations.set_parameter(key, value, asked, lasts=lasts)
        )

    @rule(
        what=st.lists(st.sampled_from(PAUSABLE), max_size=2),
        lasts=st.sampled_from([None, HOUR, timedelta(0)]),
        dry_run=st.booleans(),
    )
    def pause(self, what: list[str], lasts: timedelta | None, *, dry_run: bool) -> None:
        asked = Asked(actor="ada", dry_run=dry_run)
        self.both(lambda side: side.desk.doors.operations.pause(what, asked, lasts=lasts))

    @rule(what=st.lists(st.sampled_from(PAUSABLE), max_size=2), dry_run=st.booleans())
    def end_pauses(self, what: list[str], *, dry_run: bool) -> None:
        asked = Asked(actor="ada", dry_run=dry_run)
        self.both(lambda side: side.desk.doors.operations.resume(what, asked))

    # ---- breakers --------------------------------------------------------------------------------

    @rule(name=st.sampled_from(BreakerName), suspects=st.dictionaries(SUSPECTS, SUSPECTS))
    def trip_breaker(self, name: BreakerName, suspects: dict[str, str]) -> None:
        change = changes.TripBreaker(
            at=self.now(), name=name, because=f"{len(suspects)} of 3", suspects=suspects
        )
        self.commit(lambda _: change)

    @rule(breaker=FEW)
    def settle_breaker(self, breaker: int) -> None:
        at = self.now()
        self.commit(
            lambda side: changes.SettleBreaker(
                at=at, breaker_id=side.given("breaker", breaker), message="back"
            )
        )

    @rule(names=st.lists(st.sampled_from([*BreakerName, "cloud"])), dry_run=st.booleans())
    def close_breaker(self, names: list[str], *, dry_run: bool) -> None:
        asked = Asked(actor="ada", reason="seen", dry_run=dry_run)
        self.both(lambda side: side.desk.doors.operations.close_breaker(names, asked))

    @rule(breaker=FEW, servers=st.lists(SUSPECTS))
    def withdraw_acceptance(self, breaker: int, servers: list[str]) -> None:
        at = self.now()
        self.commit(
            lambda side: changes.WithdrawAcceptance(
                at=at, breaker_id=side.given("breaker", breaker), server_ids=tuple(servers)
            )
        )

    # ---- leases and the ledger -------------------------------------------------------------------

    @rule(holder=st.sampled_from(["desk", "other"]), given_back=st.booleans())
    def change_hands(self, holder: str, *, given_back: bool) -> None:
        """Give the lease back, or not; then somebody asks for it and, if he gets it, goes on."""
        old = self.sides[0].desk.lease, self.sides[1].desk.lease
        if given_back:
            self.old_leases.append(old)
            self.both(lambda side: side.desk.doors.jobs.release(side.desk.lease))
        taken = [side.desk.doors.jobs.acquire(LEASE, holder, HOUR) for side in self.sides]
        for side, lease in zip(self.sides, taken, strict=True):
            side.desk.lease = lease or side.desk.lease
        told = [None if lease is None else (lease.holder, lease.epoch) for lease in taken]
        assert told[0] == told[1]

    @rule()
    def write_under_an_old_lease(self) -> None:
        if not self.old_leases:
            return
        leases = dict(zip(map(id, self.sides), self.old_leases[-1], strict=True))
        change = changes.OpenIntent(at=self.now(), intent=self.intent(IntentKind.EVALUATE, "x"))
        answer = self.both(lambda side: side.desk.doors.jobs.commit(leases[id(side)], change))
        assert answer == "Superseded"

    @rule(
        reasons=st.lists(st.sampled_from(list(Reason)[:3]), max_size=3),
        loop=FEW,
        kind=st.sampled_from([Held, Action]),
    )
    def record(self, reasons: list[Reason], loop: int, kind: type[Decision]) -> None:
        at, subject = self.now(), Subject(SubjectKind.FLAVOR, FLAVOR)
        # An action is repeated in other words only in another pass.
        numbers = range(len(reasons)) if kind is Held else [len(reasons)] * len(reasons)
        decided = [
            kind(subject=subject, reason=reason, because="no room", facts=(("n", number),))
            for reason, number in zip(reasons, numbers, strict=True)
        ]
        self.both(lambda side: side.desk.doors.jobs.record(f"loop-{loop}", decided, at))

    @rule(reason=st.sampled_from(list(Reason)[:3]), loop=FEW)
    def end_refusals(self, reason: Reason, loop: int) -> None:
        subject = Subject(SubjectKind.FLAVOR, FLAVOR)
        ended = [Held(subject=subject, reason=reason, because="no room")]
        self.both(lambda side: side.desk.doors.jobs.end_refusals(f"loop-{loop}", ended))

    @rule(back=st.sampled_from([timedelta(0), HOUR]))
    def prune(self, back: timedelta) -> None:
        before = self.now(-back)
        self.both(lambda side: side.desk.doors.jobs.prune(before))

    # ---- what both show --------------------------------------------------------------------------

    @invariant()
    def both_show_the_same(self) -> None:
        shown = [side.desk.everything() for side in self.sides]
        for side, everything in zip(self.sides, shown, strict=True):
            self._number(side, everything["view"], everything["workers"])
            for breaker in reversed(everything["breakers"]):
                side.number("breaker", breaker.id)
        normal = [
            Normal(side, self.moments).of(everything)
            for side, everything in zip(self.sides, shown, strict=True)
        ]
        for part, found in normal[0].items():
            assert found == normal[1][part], part

    @invariant()
    def each_job_row_is_its_newest_history_row(self) -> None:
        for side in self.sides:
            side.desk.check_history()

    def _number(self, side: Side, view: StoreView, workers: Sequence[Worker]) -> None:
        """Number what is new, in the order in which the store made it."""
        for worker in reversed(workers):
            side.number("worker", worker.id)
        for order in view.orders:
            side.number("order", order.id)


@pytest.mark.timeout(600)
def test_memory_and_postgres_agree(postgres: Postgres) -> None:
    quick = os.environ.get("HYPOTHESIS_PROFILE", "quick") == "quick"
    effort = settings(max_examples=15, stateful_step_count=20) if quick else settings()

    class OnThisDatabase(Agreement):
        database = postgres

    run_state_machine_as_test(OnThisDatabase, settings=effort)
