"""The steps of a run, and what comes after each: a table and a function that reads nothing else.

    claim → prepare → process → deliver → end → tidy → gone

Whatever fails is told in `end`; whoever got so far as to have a working directory tidies up, on
every way. A run that Nomad ends is not ended by its program: the monitor sees it gone and goes on
with its job. A run that another claim has taken over leaves without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from types import MappingProxyType

from models.lifecycle import Status
from worker.failures import EXTERNAL, Failure

EXIT_DONE = 0
EXIT_AGAIN = 2


class Step(StrEnum):
    """What the program is at."""

    CLAIM = auto()
    PREPARE = auto()
    PROCESS = auto()
    DELIVER = auto()
    END = auto()
    TIDY = auto()
    GONE = auto()


STATUSES: Mapping[Step, Status] = MappingProxyType(
    {
        Step.PREPARE: Status.PRE_PROCESSING,
        Step.PROCESS: Status.PROCESSING,
        Step.DELIVER: Status.POST_PROCESSING,
    }
)
"""What the job is told to be at when a step begins."""

_ORDER = tuple(Step)


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """The step came to its end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """The step cannot be done."""

    failure: Failure


@dataclass(frozen=True, kw_only=True, slots=True)
class Outdated:
    """The run is no longer this program's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terminated:
    """Nomad asked the program to end; soon it makes it."""


Outcome = Done | Failed | Outdated | Terminated


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Where the program stands.

    `failure` is what `end` has to tell. `hurried`: there are seconds left. `mine`: what is in the
    working directory may go to the job's place in the bucket; another claim's is there otherwise.
    """

    step: Step = Step.CLAIM
    exit_code: int = EXIT_DONE
    failure: Failure | None = None
    hurried: bool = False
    mine: bool = True


def after(progress: Progress, outcome: Outcome) -> Progress:
    """Where the program stands after its step went so. Gone stays gone."""
    step = progress.step
    if step is Step.GONE:
        return progress
    if step is Step.CLAIM and not isinstance(outcome, Done):
        code = EXIT_DONE if isinstance(outcome, Outdated) else EXIT_AGAIN
        return replace(progress, step=Step.GONE, exit_code=code)
    match outcome:
        case Done():
            return replace(progress, step=_ORDER[_ORDER.index(step) + 1])
        case Failed(failure=failure):
            return _failed(progress, failure)
        case Outdated():
            return replace(progress, step=_to_tidy(step), mine=False, exit_code=EXIT_DONE)
        case Terminated():
            return _terminated(progress)


def _failed(progress: Progress, failure: Failure) -> Progress:
    if progress.step is Step.TIDY:
        return replace(progress, step=Step.GONE)
    if progress.step is Step.END:
        # Nobody heard how it ended: to Nomad, and so to the monitor, the run is one that failed.
        return replace(progress, step=Step.TIDY, exit_code=EXIT_AGAIN)
    code = EXIT_AGAIN if failure.status is EXTERNAL else EXIT_DONE
    return replace(progress, step=Step.END, failure=failure, exit_code=code)


def _terminated(progress: Progress) -> Progress:
    if progress.step is Step.TIDY:
        # It has said how it ended. Once more, with what time there is left.
        return replace(progress, hurried=True, step=Step.GONE if progress.hurried else Step.TIDY)
    return replace(progress, step=Step.TIDY, hurried=True, exit_code=EXIT_AGAIN)


def _to_tidy(step: Step) -> Step:
    return Step.GONE if step is Step.TIDY else Step.TIDY
