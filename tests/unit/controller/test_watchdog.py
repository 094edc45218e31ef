"""When a loop or a call counts as hung, and when a process is at work. All on a virtual clock."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.leader import Leadership
from controller.loop import Loop, Reconciler
from controller.progress import Stage
from controller.watchdog import Pending, Pulse, hung, not_ready
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.settings import PassSettings
from tests.unit.controller.rig import EVERYTHING, SOMEBODY, Rig

PASSES = PassSettings(resync=timedelta(seconds=5), call_deadline=timedelta(seconds=30))
"""The defaults: two periods are 10 s, a call may take 30 s, and so a hung one is told after 40."""

WAITS = Held(
    subject=Subject(SubjectKind.FLAVOR, "hm.large"), reason=Reason.NO_SLOT, because="no slot"
)


class Dawdling:
    """A port that takes its time in one method and then has the watchdog look."""

    def __init__(self, port: Any, method: str, dawdle: Callable[[], None]) -> None:
        self._port, self._method, self._dawdle = port, method, dawdle

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            self._dawdle()
        return getattr(self._port, name)


class Watched:
    """A loop that dawdles at one point of its pass, and what the watchdog said at that moment."""

    def __init__(self, where: str, takes: float) -> None:
        self.told: list[str] = []
        self._takes = timedelta(seconds=takes)
        method = where.partition(".")[2]
        rig = Rig(orchestrator=lambda port: Dawdling(port, method, self.dawdle))
        self.rig = rig
        store: Any = Dawdling(rig.store, method, self.dawdle)
        shell = replace(rig.shell, tools=replace(rig.tools, store=store))

        def decide(*_: object) -> list[Decision]:
            if where == "decide":
                self.dawdle()
            return [WAITS]

        reconciler = Reconciler(
            name="pool", decide=decide, sources=EVERYTHING, settings_of=lambda s: s
        )
        leadership = Leadership(store, rig.time, name="pool", holder="me")
        self.loop = Loop(reconciler, shell, leadership)

    def dawdle(self) -> None:
        """Take so long, and have somebody look."""
        self.rig.time.advance(self._takes)
        now = self.rig.time.monotonic()
        self.told += map(str, hung([self.loop.pulse()], [], PASSES, now))


class Bell:
    """Rings after one wait in virtual time, which dawdles or not."""

    def __init__(self, dawdle: Callable[[], None]) -> None:
        self._dawdle = dawdle
        self.rung = False

    def wait(self, _timeout: timedelta) -> bool:
        self._dawdle()
        self.rung = True
        return True

    def wake(self) -> None:
        """Nobody waits in another thread."""


class Stop:
    """Is set once the bell has rung; its own waits dawdle or not."""

    def __init__(self, bell: Bell, dawdle: Callable[[], None]) -> None:
        self._bell, self._dawdle = bell, dawdle

    def is_set(self) -> bool:
        return self._bell.rung

    def wait(self, _timeout: float) -> bool:
        self._dawdle()
        return False


def at_once() -> None:
    """Take no time."""


@pytest.mark.parametrize(
    ("where", "takes", "told"),
    [
        pytest.param("decide", 10, [], id="deciding-for-two-periods"),
        pytest.param("decide", 11, ["loop pool hangs: deciding for 11 s"], id="deciding-on"),
        pytest.param("store.acquire", 40, [], id="a-lease-call-with-its-deadline"),
        pytest.param("store.acquire", 41, ["loop pool hangs: renewing its lease for 41 s"],
                     id="a-lease-call-beyond-its-deadline"),
        pytest.param("nomad.snapshot", 40, [], id="sources-with-their-deadline"),
        pytest.param("nomad.snapshot", 41, ["loop pool hangs: waiting for its sources for 41 s"],
                     id="sources-beyond-their-deadline"),
        pytest.param("store.record", 40, [], id="a-ledger-call-with-its-deadline"),
        pytest.param("store.record", 41, ["loop pool hangs: writing its decisions down for 41 s"],
                     id="a-ledger-call-beyond-its-deadline"),
        pytest.param("store.beat", 41, ["loop pool hangs: writing its heartbeat for 41 s"],
                     id="a-heartbeat-beyond-its-deadline"),
    ],
)  # fmt: skip
def test_a_loop_hangs_two_periods_beyond_what_its_stage_may_take(
    where: str, takes: float, told: list[str]
) -> None:
    watched = Watched(where, takes)

    watched.loop.step()

    assert watched.told == told


@pytest.mark.parametrize(
    ("bell", "takes", "told"),
    [
        pytest.param(True, 10, [], id="two-periods"),
        pytest.param(True, 11, ["loop pool hangs: waiting for a wake-up for 11 s"], id="longer"),
        pytest.param(False, 10.2, [], id="two-periods-and-the-time-for-bursts"),
        pytest.param(False, 11, ["loop pool hangs: collecting wake-ups for 11 s"], id="bursts"),
    ],
)
def test_a_wait_that_does_not_end_hangs_and_a_loop_that_ended_does_not(
    bell: bool, takes: float, told: list[str]
) -> None:
    watched = Watched("", takes)
    rings = Bell(watched.dawdle if bell else at_once)

    watched.loop.run(Stop(rings, at_once if bell else watched.dawdle), rings)

    assert watched.told == told
    watched.rig.time.advance(timedelta(days=1))
    assert not list(hung([watched.loop.pulse()], [], PASSES, watched.rig.time.monotonic()))


def test_a_stage_keeps_the_limit_that_it_began_with() -> None:
    watched = Watched("", 0)
    watched.rig.store.set_parameter("passes.lease", 900, SOMEBODY)
    watched.rig.store.set_parameter("passes.resync", 300, SOMEBODY)
    watched.loop.step()

    began = watched.loop.pulse().stage

    assert began.limit == timedelta(seconds=600)


@pytest.mark.parametrize(
    ("deadlines", "silence", "told"),
    [
        pytest.param(1, 40, [], id="a-read-at-its-limit"),
        pytest.param(1, 41, ["the call hangs: no answer for 41 s"], id="a-read-beyond-it"),
        pytest.param(2, 70, [], id="an-action-at-its-limit"),
        pytest.param(2, 71, ["the call hangs: no answer for 71 s"], id="an-action-beyond-it"),
    ],
)
def test_a_call_hangs_two_periods_after_the_last_moment_at_which_it_may_be_out(
    deadlines: int, silence: float, told: list[str]
) -> None:
    call = Pending(what="the call", threads="nomad", since=0.0, deadlines=deadlines)

    assert [str(each) for each in hung([], [call], PASSES, silence)] == told


RESTING = Stage(what="waiting for a wake-up", since=0.0, limit=timedelta(seconds=10))


@pytest.mark.parametrize(
    ("pulse", "told"),
    [
        pytest.param(Pulse(loop="a", passes=0, stage=RESTING), "has made no pass yet", id="new"),
        pytest.param(Pulse(loop="a", passes=2, stage=RESTING, fault="the store is away"),
                     "failed: the store is away", id="failed"),
        pytest.param(Pulse(loop="a", passes=2, stage=RESTING), None, id="at-work"),
    ],
)  # fmt: skip
def test_a_process_is_ready_when_the_last_pass_of_every_loop_went_well(
    pulse: Pulse, told: str | None
) -> None:
    found = list(not_ready([pulse]))

    assert (not found) if told is None else (told in found[0])
