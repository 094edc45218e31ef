"""How jobs behave on workers, in virtual time: the simulated program that a task is.

It speaks to the store as the real one does: it claims its run, moves the job through its steps,
ends the run and exits. An outdated claim makes it exit 0 without another word. What it does and
how long it takes is drawn once per claim from the seed, so that the same run behaves the same
whatever else happens in the world.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from random import Random
from uuid import UUID

from models.errors import IllegalTransition, Permanent, PortError, Superseded
from models.fleet import RUN_META
from models.lifecycle import Status
from models.manifest import Manifest
from models.ports import Claim, Placement, RunReports, RunResult
from simulator.nomad.tasks import Exited, Task
from simulator.timeline import Timeline

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_EXTERNAL_ERROR = 2
EXIT_KILLED = 137

ASK_AGAIN = timedelta(seconds=5)
"""How long the program waits before it says again what the store did not hear."""


class Ending(StrEnum):
    """How a run goes out."""

    PROCESSED = "processed"
    INTERNAL_ERROR = "internal_error"
    """The science fails and the program says so."""
    EXTERNAL_ERROR = "external_error"
    """A download fails and the program says so."""
    SILENT_EXIT = "silent_exit"
    """The program dies while it processes, without a word, with an exit code that is not 0."""
    HANG = "hang"
    """The program processes for ever."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """A duration between two bounds, all equally likely."""

    least: timedelta
    most: timedelta

    def draw(self, chance: Random) -> timedelta:
        """One such duration."""
        return self.least + (self.most - self.least) * chance.random()


def _minutes(least: float, most: float) -> Spread:
    return Spread(least=timedelta(minutes=least), most=timedelta(minutes=most))


_STARTING = _minutes(0.1, 0.5)
_PRE_PROCESSING = _minutes(1, 5)
_PROCESSING = _minutes(20, 60)
_POST_PROCESSING = _minutes(1, 3)
_WINDING_DOWN = _minutes(0, 0.1)
_DYING = _minutes(0, 0.05)


@dataclass(frozen=True, kw_only=True, slots=True)
class Behaviour:
    """What runs of a type do. `endings` are shares of all runs; what is left is processed.

    `winding_down` is how long the program lives on after it ended its run, `dying` how long after
    it was told to stop, unless it is killed before.
    """

    starting: Spread = _STARTING
    pre_processing: Spread = _PRE_PROCESSING
    processing: Spread = _PROCESSING
    post_processing: Spread = _POST_PROCESSING
    winding_down: Spread = _WINDING_DOWN
    dying: Spread = _DYING
    endings: Mapping[Ending, float] = field(default_factory=dict)

    def script(self, chance: Random) -> Script:
        """What one run will do."""
        return Script(
            ending=self._ending(chance.random()),
            starting=self.starting.draw(chance),
            pre_processing=self.pre_processing.draw(chance),
            processing=self.processing.draw(chance),
            post_processing=self.post_processing.draw(chance),
            winding_down=self.winding_down.draw(chance),
        )

    def _ending(self, drawn: float) -> Ending:
        for ending, share in self.endings.items():
            if drawn < share:
                return ending
            drawn -= share
        return Ending.PROCESSED


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """What one run does, and how long each step takes."""

    ending: Ending
    starting: timedelta
    pre_processing: timedelta
    processing: timedelta
    post_processing: timedelta
    winding_down: timedelta


class ScriptedTasks:
    """A `TaskDriver` that plays the program on the worker. `behaviours` are by job type; `make`
    says what a run that is processed has made, where anybody wants to know.
    """

    def __init__(
        self,
        timeline: Timeline,
        reports: RunReports,
        *,
        behaviours: Mapping[str, Behaviour] | None = None,
        seed: int = 0,
        make: Callable[[Claim], Manifest] | None = None,
    ) -> None:
        self.timeline = timeline
        self.reports = reports
        self.seed = seed
        self.playing: dict[str, Play] = {}
        """The programs that run now, by allocation id."""
        self.make = make
        self._behaviours = behaviours or {}
        self._default = Behaviour()

    def start(self, task: Task, exited: Exited) -> None:
        """Start the program of an allocation."""
        allocation_id = task.allocation.id
        if allocation_id in self.playing:
            return

        def over(code: int) -> None:
            self.playing.pop(allocation_id, None)
            exited(code)

        play = Play(self, task, over)
        self.playing[allocation_id] = play
        play.begin()

    def kill(self, allocation_id: str, grace: timedelta) -> None:
        """Tell a program to stop; it goes on for a moment. Without grace its machine is gone."""
        play = self.playing.get(allocation_id)
        if play is not None and not grace:
            play.leave(EXIT_KILLED)
        elif play is not None:
            lag = self._default.dying.draw(Random(f"{self.seed}:{allocation_id}"))
            self.timeline.after(min(lag, grace), lambda: play.leave(EXIT_KILLED))

    def script_of(self, claim: Claim) -> Script:
        """What a run does when it is claimed."""
        behaviour = self._behaviours.get(claim.job.type, self._default)
        return behaviour.script(Random(f"{self.seed}:{claim.run_id}:{claim.number}"))


class Play:
    """One program on a worker, from its start to its exit."""

    def __init__(self, tasks: ScriptedTasks, task: Task, over: Exited) -> None:
        self.run_id = UUID(task.job.meta[RUN_META])
        self.claim: Claim | None = None
        self._tasks = tasks
        self._over = over
        self._left = False
        self._placement = Placement(
            allocation_id=task.allocation.id,
            node_id=task.node.id,
            node_name=task.node.name,
            address=task.node.address,
        )

    def begin(self) -> None:
        """Claim the run, then play it."""
        self._say(self._claim, self._play)

    def leave(self, code: int) -> None:
        """Exit now; a program exits once."""
        if not self._left:
            self._left = True
            self._over(code)

    def _claim(self) -> None:
        self.claim = self._tasks.reports.claim(self.run_id, self._placement)

    def _play(self) -> None:
        if self.claim is None:
            return
        claim, script = self.claim, self._tasks.script_of(self.claim)
        self._after(script.starting, lambda: self._pre_process(claim, script))

    def _pre_process(self, claim: Claim, script: Script) -> None:
        def then() -> None:
            if script.ending is Ending.EXTERNAL_ERROR:
                result = RunResult(
                    status=Status.EXTERNAL_ERROR, subtype="Download error", message="scripted"
                )
                self._after(script.pre_processing, lambda: self._end(claim, script, result))
            else:
                self._after(script.pre_processing, lambda: self._process(claim, script))

        self._report(claim, Status.PRE_PROCESSING, then)

    def _process(self, claim: Claim, script: Script) -> None:
        def then() -> None:
            if script.ending is Ending.SILENT_EXIT:
                self._after(script.processing, lambda: self.leave(EXIT_FAILED))
            elif script.ending is Ending.INTERNAL_ERROR:
                result = RunResult(
                    status=Status.INTERNAL_ERROR, subtype="Science error", message="scripted"
                )
                self._after(script.processing, lambda: self._end(claim, script, result))
            elif script.ending is Ending.PROCESSED:
                self._after(script.processing, lambda: self._post_process(claim, script))

        self._report(claim, Status.PROCESSING, then)

    def _post_process(self, claim: Claim, script: Script) -> None:
        def upload() -> None:
            make = self._tasks.make
            made = make(claim) if make is not None else None
            result = RunResult(status=Status.PROCESSED, exit_code=EXIT_DONE, manifest=made)
            self._end(claim, script, result)

        self._report(
            claim, Status.POST_PROCESSING, lambda: self._after(script.post_processing, upload)
        )

    def _report(self, claim: Claim, status: Status, then: Callable[[], None]) -> None:
        reports = self._tasks.reports
        self._say(lambda: reports.report(claim.run_id, claim.number, status), then)

    def _end(self, claim: Claim, script: Script, result: RunResult) -> None:
        reports = self._tasks.reports
        self._say(
            lambda: reports.end(claim.run_id, claim.number, result),
            lambda: self._after(script.winding_down, lambda: self.leave(EXIT_DONE)),
        )

    def _after(self, wait: timedelta, event: Callable[[], None]) -> None:
        def happen() -> None:
            if not self._left:
                event()

        self._tasks.timeline.after(wait, happen)

    def _say(self, what: Callable[[], None], then: Callable[[], None]) -> None:
        """Say something to the store, again and again until it is heard; then go on."""
        try:
            what()
        except Superseded:
            self.leave(EXIT_DONE)
        except (IllegalTransition, Permanent):
            self.leave(EXIT_EXTERNAL_ERROR)
        except PortError:
            self._after(ASK_AGAIN, lambda: self._say(what, then))
        else:
            then()
