"""Which snapshot may be believed: a source that went backwards is unknown until it proves itself.

A list that is older than the one before (a stale follower, a restored Nomad, a clock that jumped)
would make the controller act on what is no more. One such answer is thrown away; a source that
went backwards for good is believed again after `READS_IN_A_ROW` answers that are consistent with
one another, over at least `PROVING_TIME`. Pure: `controller.observe` keeps the `Trust`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import repeat
from operator import lt
from types import MappingProxyType

from models.remembered import remembered
from models.world import CloudSnapshot, Node, NomadJob, NomadSnapshot

READS_IN_A_ROW = 3
PROVING_TIME = timedelta(minutes=2)

_NOTHING: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """How far a source had come in one snapshot: what can only grow while nothing is restored."""

    requested_at: datetime
    index: int = 0
    modified: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    created: Mapping[str, int] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """What a source has proved so far.

    `accepted` is the mark of the last snapshot that was believed. While the source is behind it,
    `candidate` is the newest mark of the new line, `reads` how many answers in a row belong to it
    and `since` (seconds, monotonic) when it began.
    """

    accepted: Mark | None = None
    candidate: Mark | None = None
    reads: int = 0
    since: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether a snapshot is believed; `doubt` says why not."""

    trust: Trust
    doubt: str | None = None


def mark_of(snapshot: NomadSnapshot | CloudSnapshot) -> Mark:
    """The mark of a snapshot. OpenStack has no index: there only the time of the request counts."""
    if isinstance(snapshot, CloudSnapshot):
        return Mark(requested_at=snapshot.requested_at)
    return Mark(
        requested_at=snapshot.requested_at,
        index=snapshot.index,
        modified=_modified(snapshot.nodes),
        created=_created(snapshot.jobs),
    )


@remembered
def _modified(nodes: tuple[Node, ...]) -> Mapping[str, int]:
    return {node.id: node.modify_index for node in nodes}


@remembered
def _created(jobs: tuple[NomadJob, ...]) -> Mapping[str, int]:
    return {job.id: job.create_index for job in jobs}


def judge(trust: Trust, mark: Mark, monotonic: float) -> Verdict:
    """Believe a snapshot or not; `monotonic` is the time in seconds at which it came."""
    fault = behind(trust.accepted, mark) if trust.accepted else None
    if fault is None:
        return Verdict(trust=Trust(accepted=mark))
    proving = _next_proof(trust, mark, monotonic)
    left = PROVING_TIME.total_seconds() - (monotonic - proving.since)
    if proving.reads >= READS_IN_A_ROW and left <= 0:
        return Verdict(trust=Trust(accepted=mark))
    return Verdict(
        trust=proving,
        doubt=(
            f"went backwards: {fault}; believed again after "
            f"{max(0, READS_IN_A_ROW - proving.reads)} more consistent answers "
            f"and {max(0.0, left):.0f} s"
        ),
    )


def _next_proof(trust: Trust, mark: Mark, monotonic: float) -> Trust:
    """The proof with one more answer, or a new one when the answer contradicts the last."""
    begun = trust.candidate is not None and behind(trust.candidate, mark) is None
    return Trust(
        accepted=trust.accepted,
        candidate=mark,
        reads=trust.reads + 1 if begun else 1,
        since=trust.since if begun else monotonic,
    )


def behind(before: Mark, mark: Mark) -> str | None:
    """In what way `mark` is older than `before`, or None."""
    if mark.requested_at < before.requested_at:
        return f"asked at {mark.requested_at}, after an answer to {before.requested_at}"
    if 0 < mark.index < before.index:
        return f"index {mark.index} after {before.index}"
    for name, was, now in (
        ("modify index of node", before.modified, mark.modified),
        ("create index of job", before.created, mark.created),
    ):
        # A list that says the same again gives the very same indexes: nothing to compare. Else all
        # are compared at once; who is behind is asked only when somebody is.
        if now is was or not any(map(lt, now.values(), map(was.get, now, repeat(0)))):
            continue
        for identity, index in now.items():
            if index < was.get(identity, 0):
                return f"{name} {identity} is {index} after {was[identity]}"
    return None
