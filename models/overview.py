"""The state of the installation on one screen, from what the store knows. Pure.

It asks neither Nomad nor OpenStack: it can be had while they are down, and costs them nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.breakers import Breaker
from models.lifecycle import Status
from models.pauses import EVERYTHING, loop_target
from models.plan import REPEAT_AFTER, SubjectKind
from models.ports import Reader
from models.records import (
    IN_SERVICE,
    Heartbeat,
    Lease,
    LedgerRow,
    Pause,
    Worker,
)

GOING = "going"
"""How a worker in service counts whose retirement has begun."""

MOST_REASONS = 1000
"""So many refusals that hold are looked through, the newest first."""

STILL = REPEAT_AFTER + timedelta(seconds=10)
"""A refusal that was not written for so long is over, though nobody said so: one that holds is
written more often. Its process has died."""


_MANY = frozenset(
    {
        SubjectKind.JOB,
        SubjectKind.CHILD,
        SubjectKind.WORKER,
        SubjectKind.SERVER,
        SubjectKind.NODE,
    }
)
"""Of these there may be thousands."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopStanding:
    """One loop: who leads it and for how long still, and its newest pass by anybody."""

    name: str
    leader: str | None
    lease_left: timedelta | None
    last_pass_at: datetime | None
    paused: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """What is held back for one reason: of a flavor, a type or a system by itself, of the many
    jobs, runs and workers together. `because` is about the one that is held the longest.
    """

    about: str
    reason: str
    count: int
    since: datetime
    because: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """Everything that `hrsi status` shows. `workers`: numbers by flavor, then by state."""

    at: datetime
    loops: tuple[LoopStanding, ...]
    jobs: Mapping[str, int]
    quarantined: int
    workers: Mapping[str, Mapping[str, int]]
    pauses: tuple[Pause, ...]
    breakers: tuple[Breaker, ...]
    held: tuple[Holding, ...]


def overview(
    reader: Reader, loops: Sequence[str], now: datetime, *, optional: Collection[str] = ()
) -> Overview:
    """Read it all: a handful of indexed queries, whatever the store holds.

    A loop that is `optional` is shown once somebody has led it.
    """
    pauses = reader.pauses()
    resting = {pause.target for pause in pauses}
    leases = {lease.name: lease for lease in reader.leases() if lease.expires_at > now}
    beats, totals = reader.heartbeats(), reader.totals()
    seen = leases.keys() | {beat.loop for beat in beats}
    return Overview(
        at=now,
        loops=tuple(
            _standing(
                name,
                leases.get(name),
                beats,
                now,
                paused=not resting.isdisjoint({EVERYTHING, loop_target(name)}),
            )
            for name in loops
            if name in seen or name not in optional
        ),
        jobs=_by_status(totals),
        quarantined=totals["quarantined"],
        workers=_by_flavor(reader.workers()),
        pauses=pauses,
        breakers=reader.breakers(),
        held=_holding(reader.standing(MOST_REASONS), now),
    )


def _standing(
    name: str, lease: Lease | None, beats: Sequence[Heartbeat], now: datetime, *, paused: bool
) -> LoopStanding:
    return LoopStanding(
        name=name,
        leader=lease.holder if lease else None,
        lease_left=lease.expires_at - now if lease else None,
        last_pass_at=max((beat.at for beat in beats if beat.loop == name), default=None),
        paused=paused,
    )


def _by_status(totals: Mapping[str, int]) -> dict[str, int]:
    """In the order of a job's life, and only where there are jobs."""
    numbers = ((status.value, totals.get(f"jobs.{status}", 0)) for status in Status)
    return {status: number for status, number in numbers if number}


def _by_flavor(workers: Sequence[Worker]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for worker in workers:
        found.setdefault(worker.flavor, Counter())[_state(worker)] += 1
    return dict(sorted(found.items()))


def _state(worker: Worker) -> str:
    is_going = worker.retirement is not None and worker.state in IN_SERVICE
    return GOING if is_going else worker.state.value


def _holding(rows: Sequence[LedgerRow], now: datetime) -> tuple[Holding, ...]:
    """The longest held first. What was said last about a subject holds; all before it is over."""
    groups: defaultdict[tuple[str, str], list[LedgerRow]] = defaultdict(list)
    for row in _last_said(rows):
        if row.last_at + STILL > now:
            groups[_about(row.subject), row.reason].append(row)
    found = [_together(about, members) for (about, _), members in groups.items()]
    return tuple(sorted(found, key=lambda holding: holding.since))


def _last_said(rows: Iterable[LedgerRow]) -> Iterator[LedgerRow]:
    """Of each subject what a loop wrote at the same, newest, time; `rows` are newest first."""
    newest: dict[tuple[str, str], datetime] = {}
    for row in rows:
        if newest.setdefault((row.loop, row.subject), row.last_at) == row.last_at:
            yield row


def _about(subject: str) -> str:
    kind = subject.partition(":")[0]
    return f"{kind}s" if kind in _MANY else subject


def _together(about: str, rows: Sequence[LedgerRow]) -> Holding:
    longest = min(rows, key=lambda row: row.first_at)
    return Holding(
        about=about,
        reason=longest.reason,
        count=len(rows),
        since=longest.first_at,
        because=longest.because,
    )
