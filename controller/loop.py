"""One reconciler's loop: a pass is lease, observe, decide, record, act; then wait for the next.

`Loop.step` makes exactly one pass and is all that the simulation uses, single-threaded and on a
virtual clock. `Loop.run` is the body of a thread in production. An exception ends its pass, is
logged and counted, and the next pass comes; nothing a pass can meet ends the loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from controller.act.effects import Acting, Tools
from controller.act.hands import Hands
from controller.act.leftovers import leftovers
from controller.attempt import Done, attempt
from controller.figures import next_due
from controller.invariants import check, check_decisions, check_pauses, check_waits
from controller.invariants_of_sight import Violation
from controller.leader import Leadership, Told, unheard
from controller.ledger import Page, turn
from controller.metrics import kind_of
from controller.observe import Observation, Observer
from controller.progress import Progress
from controller.watchdog import Pulse
from models.errors import HrsiError, Superseded, System
from models.pauses import heeding
from models.plan import Action, Decision, Held, Reason, Subject, SubjectKind
from models.ports import Hints, StopSignal
from models.records import Heartbeat, Lease
from models.settings import PassSettings, Settings
from models.sightings import EVERY_KIND, SightingKind, advance
from models.world import Sighting, Source, World

log = structlog.get_logger(__name__)

Decide = Callable[[World, Any, Any], list[Decision]]


class Stop(StopSignal, Protocol):
    """A stop signal that can be waited for; `threading.Event` is one."""

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for it; whether it is set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciler:
    """One reconciler as the shell knows it: its name, its rule, what it must have seen, which group
    of the settings it is handed, and which sightings it reads. One that is `paced` looks at its
    sources in a period of its own: nothing that is written meanwhile changes what it sees.
    """

    name: str
    decide: Decide
    sources: frozenset[Source]
    settings_of: Callable[[Settings], object]
    sightings: frozenset[SightingKind] = EVERY_KIND
    paced: bool = False

    def heeds(self, source: Source) -> bool:
        """Whether a hint that something happened there is a reason for a pass."""
        return source in self.sources and not self.paced


@dataclass(frozen=True, kw_only=True, slots=True)
class PassReport:
    """What one pass came to. `error` is what ended it early; a standby pass decides nothing."""

    loop: str
    leading: bool = False
    decisions: tuple[Decision, ...] = ()
    violations: tuple[Violation, ...] = ()
    seconds: float = 0.0
    error: Exception | None = None
    counting: bool = False
    """Something was seen of which the reconciler reads in how many passes in a row it is seen."""

    @property
    def is_still(self) -> bool:
        """The pass found nothing to do, and one like it would find the same."""
        acted = any(isinstance(decision, Action) for decision in self.decisions)
        return self.leading and self.error is None and not acted and not self.counting

    @property
    def result(self) -> str:
        """The label of `hrsi_passes_total`."""
        if self.error is not None:
            return "failed"
        return "done" if self.leading else "standby"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shell:
    """What all loops of one process share; `told` hears the store's time at every renewal."""

    tools: Tools
    observer: Observer
    hands: Hands
    told: Told = unheard

    def close(self) -> None:
        """Let the threads of observe and act end; whatever hangs in a call is left behind."""
        self.observer.close()
        self.hands.executor.close()


class Loop:
    """The passes of one reconciler. Not to be stepped by two threads at once."""

    def __init__(self, reconciler: Reconciler, shell: Shell, leadership: Leadership) -> None:
        self.name = reconciler.name
        self.leadership = leadership
        self.passes = 0
        self.began_at = shell.tools.clock.monotonic()
        """When the pass under way, or the last one, began (monotonic seconds)."""
        self.fault: str | None = None
        """Why the last pass failed, if it did."""
        self.due_in: timedelta | None = None
        """How long after the last pass a wait that it knew of is over."""
        self._reconciler = reconciler
        self._shell = shell
        self._sightings: Mapping[str, Sighting] = {}
        self._used: Mapping[Source, int] = {}
        self._page = Page()
        self._led = False
        self._progress = Progress(shell.tools.clock, lambda: self.passes_settings)
        shell.tools.metrics.add_loop(self.name, reconciler.sources)

    @property
    def passes_settings(self) -> PassSettings:
        """When to wake and how long to wait, as of the last good settings."""
        return self._shell.observer.parameters.settings.passes

    def heeds(self, source: Source) -> bool:
        """Whether it is to be woken when something happened there."""
        return self._reconciler.heeds(source)

    def step(self) -> PassReport:
        """Make one pass. Never raises an `Exception`; what ended the pass is in the report."""
        clock, metrics = self._shell.tools.clock, self._shell.tools.metrics
        self._progress.begin()
        self._progress.enter("beginning its pass")
        self.began_at = clock.monotonic()
        match attempt(self._pass):
            case Done(answer):
                report = answer
            case failed:
                report = PassReport(loop=self.name, leading=self._led, error=failed.error)
        self.passes += 1
        self.fault = _words(report.error) if report.error is not None else None
        report = replace(report, seconds=clock.monotonic() - self.began_at)
        metrics.pass_ended(self.name, report.result, report.seconds)
        _tell(report)
        return report

    def pulse(self) -> Pulse:
        """How the loop is, for the watchdog and for readiness."""
        stage = self._progress.stage
        return Pulse(loop=self.name, passes=self.passes, stage=stage, fault=self.fault)

    def run(self, stop: Stop, bell: Hints) -> None:
        """Make passes until `stop` is set; `bell` wakes, and the resync period does without it."""
        while not stop.is_set():
            self.step()
            passes = self.passes_settings
            # The first wake-up acted at once; those that follow close upon it are collected.
            self._progress.enter("collecting wake-ups", passes.merge)
            stop.wait(passes.merge.total_seconds())
            due = min(passes.resync, self.due_in or passes.resync)
            self._progress.enter("waiting for a wake-up")
            if not stop.is_set():
                bell.wait(max(timedelta(0), due - passes.merge))
        self._progress.leave()

    # ---- one pass --------------------------------------------------------------------------------

    def _pass(self) -> PassReport:
        tools = self._shell.tools
        with self._progress.waiting("renewing its lease"):
            lease = self.leadership.renew(self.passes_settings.lease)
        tools.metrics.lease(self.name, lease)
        if lease is None:
            self._stand_by()
            return PassReport(loop=self.name)
        if lease.unled is not None:
            _tell_takeover(lease, lease.unled)
        self._led = True
        seen = self._observe()
        self._progress.enter("deciding")
        now = self._shell.tools.clock.now()
        decided = self._decide(seen, now)
        decisions = self._allowed(decided, seen)
        violations = (
            *check(seen.world),
            *check_decisions(seen.world, decisions, seen.settings),
            *check_pauses(seen.world, decisions, self.name),
            *check_waits(seen.world, decided, self.name, now),
        )
        tools.metrics.violated(violations)
        self._progress.enter("recording")
        # The reasons first: a process that dies while it acts has left no effect unexplained (I10).
        self._record(decisions, seen)
        acting = self._act(decisions, seen, lease)
        self._progress.enter("ending its pass")
        self._beat(leading=True)
        for change in leftovers(seen.world, lease.name, seen.settings, acting.at):
            acting.commit(change)
        return PassReport(
            loop=self.name,
            leading=True,
            decisions=decisions,
            violations=violations,
            counting=bool(self._sightings),
        )

    def _stand_by(self) -> None:
        if self._led:
            self._shell.tools.metrics.forget()
        self._led = False
        self._sightings, self._page = {}, Page()
        self._beat(leading=False)

    def _observe(self) -> Observation:
        busy = self._shell.hands.executor.busy()
        with self._progress.waiting("waiting for its sources"):
            seen = self._shell.observer.observe(
                self._reconciler.sources, self.began_at, busy, self._used
            )
        self._used = seen.used
        self._sightings = advance(self._sightings, seen.world, self._reconciler.sightings)
        return replace(seen, world=replace(seen.world, sightings=self._sightings))

    def _decide(self, seen: Observation, now: datetime) -> tuple[Decision, ...]:
        """What the reconciler decides."""
        due = next_due(seen.world, now)
        self.due_in = due - now if due is not None else None
        group = self._reconciler.settings_of(seen.settings)
        return tuple(self._reconciler.decide(seen.world, group, now))

    def _allowed(self, decided: Iterable[Decision], seen: Observation) -> tuple[Decision, ...]:
        """What was decided, less what is busy, plus what the shell itself holds back."""
        busy = seen.world.busy | self._shell.hands.executor.busy()
        free = (d for d in decided if not (isinstance(d, Action) and str(d.subject) in busy))
        allowed = heeding(free, self.name, seen.world.store.pauses)
        return (*_bad_parameter(seen), *allowed)

    def _act(self, decisions: Sequence[Decision], seen: Observation, lease: Lease) -> Acting:
        passes, clock = seen.settings.passes, self._shell.tools.clock
        acting = Acting(
            tools=self._shell.tools,
            world=seen.world,
            settings=seen.settings,
            fence=self._with_time_left(lease, passes),
            leadership=self.leadership,
            at=clock.now(),
            send_before=clock.monotonic() + passes.call_deadline.total_seconds(),
            waiting=self._progress.waiting,
        )
        for decision in decisions:
            if isinstance(decision, Action):
                self._progress.enter(f"preparing {kind_of(type(decision))} of {decision.subject}")
                self._shell.hands.carry_out(decision, acting)
        return acting

    def _with_time_left(self, lease: Lease, passes: PassSettings) -> Lease:
        """The lease, renewed when observing took so long that calls would find too little left."""
        if self.leadership.remaining(lease.epoch) >= passes.lease / 2:
            return lease
        with self._progress.waiting("renewing its lease"):
            renewed = self.leadership.renew(passes.lease)
        if renewed is None or renewed.epoch != lease.epoch:
            raise Superseded(f"the lease {self.name!r} was lost while observing")
        return renewed

    def _record(self, decisions: Sequence[Decision], seen: Observation) -> None:
        tools, now = self._shell.tools, self._shell.tools.clock.now()
        found = turn(self._page, decisions, now)
        with self._progress.waiting("writing its decisions down"):
            if found.over and found.over_at is not None:
                tools.store.record(self.name, found.over, found.over_at)
            if found.ended:
                tools.store.end_refusals(self.name, found.ended)
            if found.due:
                tools.store.record(self.name, found.due, now)
        self._page = found.page
        tools.metrics.decided(self.name, seen.world, decisions, now)
        tools.metrics.show(seen.world, seen.settings.pool)

    def _beat(self, *, leading: bool) -> None:
        heartbeat = Heartbeat(
            loop=self.name,
            holder=self.leadership.holder,
            at=self._shell.tools.clock.now(),
            passes=self.passes + 1,
            leading=leading,
        )
        with self._progress.waiting("writing its heartbeat"):
            self._shell.tools.store.beat(heartbeat)


def loop_of(reconciler: Reconciler, shell: Shell, holder: str) -> Loop:
    """The loop of a reconciler, under a lease of its name that `holder` asks for."""
    tools = shell.tools
    leadership = Leadership(
        tools.store, tools.clock, name=reconciler.name, holder=holder, told=shell.told
    )
    return Loop(reconciler, shell, leadership)


def _bad_parameter(seen: Observation) -> list[Decision]:
    if seen.problem is None:
        return []
    return [
        Held(
            subject=Subject(SubjectKind.SYSTEM, System.STORE.value),
            reason=Reason.BAD_PARAMETER,
            because=seen.problem,
        )
    ]


def _tell_takeover(lease: Lease, unled: timedelta) -> None:
    """Say once that this process leads now, after another, and for how long nobody did."""
    log.info(
        "took over",
        action="took_over",
        loop=lease.name,
        epoch=lease.epoch,
        unled_seconds=round(unled.total_seconds(), 3),
        because=f"nobody had renewed the lease for {unled.total_seconds():.1f} s",
    )


def _tell(report: PassReport) -> None:
    """The one line of a pass: what was decided, how often, and the first reason in words."""
    telling = log.bind(loop=report.loop, seconds=round(report.seconds, 3))
    action = report.loop.replace("-", "_")
    for violation in report.violations:
        telling.error(
            "invariant violated",
            action="invariant_violated",
            invariant=violation.invariant,
            subject=violation.subject,
            what=violation.what,
        )
    if report.error is not None:
        ours = isinstance(report.error, HrsiError)
        (telling.warning if ours else telling.error)(
            "pass failed",
            action=f"{action}_failed",
            error=_words(report.error),
            exc_info=None if ours else report.error,
        )
    elif report.leading:
        sentence = f"{report.loop} decided"
        made = Counter(kind_of(type(decision)) for decision in report.decisions)
        because = _because(report.decisions)
        # With nothing to do there is nothing to read, every few seconds, all night.
        tell = telling.info if report.decisions else telling.debug
        tell(sentence, action=f"{action}_decided", **made, because=because)
    else:
        telling.debug("another process leads", action=f"{action}_standby")


def _because(decisions: Sequence[Decision]) -> str:
    actions = [d for d in decisions if isinstance(d, Action)]
    first = next(iter((*actions, *decisions)), None)
    return first.because if first is not None else "nothing to do"


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
