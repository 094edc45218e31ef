"""Whether the process does its work: loops that come on, calls that come back. Pure.

A pass may take long without being hung: each of its stages is progress. A loop hangs when two
resyncs have gone by beyond what its stage may take by itself, a read or an action when they have
gone by since the last moment at which it may have been out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from controller.progress import Stage
from models.settings import PassSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Pulse:
    """One loop at one moment: its passes, where it stands in one, what the last one failed of."""

    loop: str
    passes: int
    stage: Stage
    fault: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """Something that was begun and has not come back: what, by whose threads, since when
    (monotonic seconds), and how many call deadlines it may take.
    """

    what: str
    threads: str
    since: float
    deadlines: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Hung:
    """Something that hangs: in which stage, for how long, and the name (or its beginning) of the
    threads that are stuck in it.
    """

    what: str
    stage: str
    threads: str
    silence: timedelta

    def __str__(self) -> str:
        return f"{self.what} hangs: {self.stage} for {self.silence.total_seconds():.0f} s"


def hung(
    pulses: Iterable[Pulse], pending: Iterable[Pending], passes: PassSettings, now: float
) -> Iterator[Hung]:
    """Everything that hangs."""
    for pulse in pulses:
        loop, stage = pulse.loop, pulse.stage
        silence = timedelta(seconds=now - stage.since)
        if stage.limit is not None and silence > stage.limit:
            yield Hung(
                what=f"loop {loop}", stage=stage.what, threads=f"loop-{loop}", silence=silence
            )
    for each in pending:
        silence = timedelta(seconds=now - each.since)
        if silence > each.deadlines * passes.call_deadline + 2 * passes.resync:
            yield Hung(what=each.what, stage="no answer", threads=each.threads, silence=silence)


def not_ready(pulses: Iterable[Pulse]) -> Iterator[str]:
    """Why the process is not at work yet, or no more: passes that never came, or that failed."""
    for pulse in pulses:
        if not pulse.passes:
            yield f"loop {pulse.loop} has made no pass yet"
        elif pulse.fault is not None:
            yield f"the last pass of loop {pulse.loop} failed: {pulse.fault}"
