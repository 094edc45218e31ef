"""Sharing scarce capacity among flavors in need: a pure function of needs and limits.

Turns are taken one at a time. First each flavor gets one, in dispatch order of its best job. The
rest goes by the largest remainder of need, taken turn by turn: the next worker goes to the flavor
with the largest need / (2 × got + 1) (Sainte-Laguë). Hamilton's form of the largest remainder gives
the same shares but for rare cases, in which it takes a worker away when need or capacity *grows*;
this form never does, whatever the limits are (I12). A turn that does not fit keeps its claim: what
comes later, smaller or not, does not take the capacity that it waits for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.job_types import Flavor
from models.plan import Reason

_VCPUS = frozenset({Reason.MAX_VCPUS, Reason.QUOTA_VCPUS})


def cost(reason: Reason, flavor: Flavor) -> int:
    """What one worker of a flavor takes of the limit that is named so."""
    if reason in _VCPUS:
        return flavor.vcpus
    return flavor.memory_mb if reason is Reason.QUOTA_MEMORY else 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """One thing there is not enough of. `others` is what other people use of it, for good."""

    reason: Reason
    cap: int
    ours: int
    others: int = 0

    @property
    def used(self) -> int:
        """By us and by others."""
        return self.ours + self.others

    @property
    def room(self) -> int:
        """What is left, never negative: a limit lowered below its use leaves nothing."""
        return max(0, self.cap - self.used)

    def cost(self, flavor: Flavor) -> int:
        """What one worker of a flavor takes of it."""
        return cost(self.reason, flavor)

    def never_fits(self, flavor: Flavor) -> bool:
        """One worker of this flavor would not fit even if all of ours were gone."""
        return self.cost(flavor) > self.cap - self.others


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """How many workers of a flavor are wanted, at least one."""

    flavor: Flavor
    want: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How many of a claim are granted, and the limit that the first of the others met; `used` is
    the use of that limit once all claims have what they are granted.
    """

    claim: Claim
    granted: int
    limit: Limit | None
    used: int = 0


def share(claims: Sequence[Claim], limits: Sequence[Limit]) -> tuple[Share, ...]:
    """Grant what fits, claims in dispatch order of each flavor's best job.

    A flavor that can never fit is refused and claims nothing: it would block the others for ever.
    """
    hopeless = {c.flavor.name: _never(c, limits) for c in claims}
    hopeful = [c for c in claims if hopeless[c.flavor.name] is None]
    granted, met = _fill(hopeful, limits)
    found = []
    for claim in claims:
        limit = hopeless[claim.flavor.name] or met.get(claim.flavor.name)
        used = 0 if limit is None else limit.used + _taken(claims, granted, limit)
        got = granted.get(claim.flavor.name, 0)
        found.append(Share(claim=claim, granted=got, limit=limit, used=used))
    return tuple(found)


def _taken(claims: Sequence[Claim], granted: Mapping[str, int], limit: Limit) -> int:
    return sum(limit.cost(c.flavor) * granted.get(c.flavor.name, 0) for c in claims)


def _never(claim: Claim, limits: Sequence[Limit]) -> Limit | None:
    return next((limit for limit in limits if limit.never_fits(claim.flavor)), None)


def _fill(
    claims: Sequence[Claim], limits: Sequence[Limit]
) -> tuple[dict[str, int], dict[str, Limit]]:
    left = {limit.reason: limit.room for limit in limits}
    granted: dict[str, int] = {}
    met: dict[str, Limit] = {}
    for flavor in _turns(claims, limits):
        short = next((li for li in limits if li.cost(flavor) > left[li.reason]), None)
        if short is None:
            granted[flavor.name] = granted.get(flavor.name, 0) + 1
        else:
            met.setdefault(flavor.name, short)
        for limit in limits:
            left[limit.reason] -= limit.cost(flavor)
    return granted, met


def _turns(claims: Sequence[Claim], limits: Sequence[Limit]) -> Iterator[Flavor]:
    """Whose turn it is, as far as the limits can reach and one turn of each flavor beyond."""
    yield from (claim.flavor for claim in claims)
    reach = min((limit.room for limit in limits), default=sum(c.want for c in claims)) + 1
    rest = [
        ((claim.want - 1) / (2 * got + 1), -rank, claim.flavor)
        for rank, claim in enumerate(claims)
        for got in range(min(claim.want - 1, reach))
    ]
    yield from (flavor for *_, flavor in sorted(rest, key=lambda turn: turn[:2], reverse=True))
