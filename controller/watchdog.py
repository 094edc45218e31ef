"""Whether the process does its work: loops that end their passes, calls that come back. Pure.

A pass may take long without being hung: observing waits at most one call deadline. A loop without
a finished pass for two resyncs and the watchdog's time hangs: something below it does not return.
A read or an action hangs when even the slowest answer would have come that long ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from models.settings import PassSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Pulse:
    """One loop at one moment: its passes, when the last ended (monotonic), what it failed of."""

    loop: str
    passes: int
    ended_at: float
    fault: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """Something that was begun and has not come back: what, by whose threads, since when."""

    what: str
    threads: str
    since: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Hung:
    """Something that hangs, for how long, and the name (or its beginning) of who is stuck in it."""

    what: str
    threads: str
    silence: timedelta

    def __str__(self) -> str:
        return f"{self.what} hangs: nothing for {self.silence.total_seconds():.0f} s"


def loop_limit(passes: PassSettings) -> timedelta:
    """How long a loop may go without finishing a pass."""
    return 2 * passes.resync + passes.watchdog


def pending_limit(passes: PassSettings) -> timedelta:
    """How long a read or an action may be under way, its wait for a turn included."""
    return 2 * passes.call_deadline + passes.watchdog


def hung_loops(pulses: Iterable[Pulse], passes: PassSettings, now: float) -> dict[str, timedelta]:
    """The loops that hang, and for how long no pass of theirs has ended."""
    silences = {pulse.loop: timedelta(seconds=now - pulse.ended_at) for pulse in pulses}
    return {loop: silence for loop, silence in silences.items() if silence > loop_limit(passes)}


def hung(
    pulses: Iterable[Pulse], pending: Iterable[Pending], passes: PassSettings, now: float
) -> Iterator[Hung]:
    """Everything that hangs."""
    for loop, silence in hung_loops(pulses, passes, now).items():
        yield Hung(what=f"loop {loop}", threads=f"loop-{loop}", silence=silence)
    for each in pending:
        silence = timedelta(seconds=now - each.since)
        if silence > pending_limit(passes):
            yield Hung(what=each.what, threads=each.threads, silence=silence)


def not_ready(pulses: Iterable[Pulse]) -> Iterator[str]:
    """Why the process is not at work yet, or no more: passes that never came, or that failed."""
    for pulse in pulses:
        if not pulse.passes:
            yield f"loop {pulse.loop} has made no pass yet"
        elif pulse.fault is not None:
            yield f"the last pass of loop {pulse.loop} failed: {pulse.fault}"
