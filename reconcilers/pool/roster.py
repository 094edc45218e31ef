"""The members, sorted by what may have to be decided about them.

Of most workers of a farm at work nothing is to be decided. What the joined rows alone can tell is
told here, once for as long as the rows stay the same; whatever depends on the time, on the memory
or on what is busy, the rules ask of those whom they find here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import filterfalse

from models.fleet import Member
from models.records import RetireStep, WorkerState
from models.remembered import remembered
from models.world import Server

BROKEN = frozenset({"ERROR"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Roster:
    """Open workers. Each group is in the order of names; the oldest come first where it says so.

    `unsettled` may have a next step of their own. `doubtful` may have failed and `retiring` have a
    retirement, the oldest first. `leaving` go for good, and `free` can take a run now. `serving`
    and `flavors` are how many are there to work, and how many of each flavor there are in all.
    """

    unsettled: tuple[Member, ...]
    doubtful: tuple[Member, ...]
    retiring: tuple[Member, ...]
    leaving: tuple[Member, ...]
    free: tuple[Member, ...]
    serving: int
    flavors: Mapping[str, int]


@remembered
def roster(members: tuple[Member, ...]) -> Roster:
    """Sort the members, which are in the order of their names."""
    # Most members are settled and their servers well: of those only the numbers are of interest.
    worrying = [m for m in members if not _is_settled(m) or is_broken(m.server)]
    unsettled = tuple(filterfalse(_is_settled, worrying))
    oldest_first = sorted(worrying, key=lambda m: m.worker.created_at)
    return Roster(
        unsettled=unsettled,
        doubtful=tuple(filter(_is_doubtful, oldest_first)),
        retiring=tuple(filter(_is_retiring, oldest_first)),
        leaving=tuple(filter(_is_leaving, unsettled)),
        free=tuple(m for m in members if m.is_free),
        serving=len(members) - len(unsettled) + sum(map(_is_serving, unsettled)),
        flavors=Counter(m.worker.flavor for m in members),
    )


def is_broken(server: Server | None) -> bool:
    """The cloud says that this server failed."""
    return server is not None and server.status in BROKEN


def _is_retiring(member: Member) -> bool:
    return member.worker.retirement is not None


def _is_serving(member: Member) -> bool:
    return member.worker.state is WorkerState.READY and member.worker.retirement is None


def _is_joined(member: Member) -> bool:
    """Its server and its node are there, and the node is up."""
    node = member.node
    return member.server is not None and node is not None and node.status == "ready"


def _is_settled(member: Member) -> bool:
    eligible = member.node is not None and member.node.eligible
    return eligible and _is_serving(member) and _is_joined(member)


def _is_doubtful(member: Member) -> bool:
    if member.worker.retirement is not None or member.server is None:
        return False
    if member.worker.state is WorkerState.BOOTING:
        return True
    fit = _is_joined(member) and not is_broken(member.server)
    return member.worker.state is WorkerState.READY and not fit


def _is_leaving(member: Member) -> bool:
    retirement = member.worker.retirement
    going = retirement is not None and retirement.step is not RetireStep.UNDOING
    return going or member.worker.state is WorkerState.DELETING
