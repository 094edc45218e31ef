"""Growth: how many workers of which flavor to create now, and why not more.

The need of a flavor is `Demand.need` less the workers that are being taken back from retirement,
plus what people ordered. Surplus of one flavor is never subtracted from another's need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from models.actions import CreateServer
from models.fleet import in_dispatch_order
from models.images import image_to_boot
from models.lifecycle import Status
from models.plan import Decision, Fact, Held, Reason, Subject, SubjectKind
from models.records import Backoff, InFlight, Job, WorkerOrder
from models.remembered import remembered
from models.wording import are, counted, wait
from models.world import CloudSnapshot
from reconcilers.pool.backoffs import backoff_of, is_probed
from reconcilers.pool.capacity import Claim, Limit, Share, share
from reconcilers.pool.identity import free_names
from reconcilers.pool.image import why_no_image
from reconcilers.pool.limits import limits
from reconcilers.pool.survey import Survey, comes_back


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """Workers of one flavor that jobs need and people ordered; `backoff` allows one probe only."""

    flavor: str
    need: int
    orders: tuple[WorkerOrder, ...] = ()
    backoff: Backoff | None = None

    @property
    def want(self) -> int:
        """All of them."""
        return self.need + len(self.orders)

    @property
    def allowed(self) -> int:
        """How many may be asked for at once."""
        return self.want if self.backoff is None else 1

    @property
    def subject(self) -> Subject:
        """The flavor, as the ledger names it."""
        return Subject(SubjectKind.FLAVOR, self.flavor)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortage:
    """How much of a cap is missing for the creations of a flavor that it holds back."""

    flavor: str
    limit: Limit
    amount: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """What growth decided. `wanting` are the flavors that may create; `short` is what workers
    that nobody needs could make room for.
    """

    decisions: tuple[Decision, ...] = ()
    wanting: frozenset[str] = frozenset()
    short: tuple[Shortage, ...] = ()


def grow(survey: Survey) -> Growth:
    """Create what is needed, as far as it may be; whatever is not created is held with a reason."""
    cloud = survey.cloud
    if survey.nomad is None or cloud is None:
        return Growth()
    found = wishes(survey)
    wanting = [wish for wish in found if wish.want]
    refusals = {wish.flavor: obstacle(survey, cloud, wish) for wish in wanting}
    claiming = [_probing(survey, wish) for wish in wanting if refusals[wish.flavor] is None]
    claims = [Claim(flavor=survey.size(w.flavor), want=w.allowed) for w in claiming]
    shares = share(claims, limits(survey, cloud)) if claims else ()
    served = tuple(zip(claiming, shares, strict=True))
    return Growth(
        decisions=(
            *filter(None, refusals.values()),
            *_created(survey, cloud, served),
            *_unserved(served),
            *_covered(survey, found),
        ),
        wanting=frozenset(wish.flavor for wish in claiming),
        short=tuple(chain.from_iterable(_missing(part) for part in shares)),
    )


def _missing(part: Share) -> Iterator[Shortage]:
    """The cap that holds a claim back, if workers that nobody needs could make room for it."""
    limit, claim = part.limit, part.claim
    if limit is None or limit.reason is Reason.CREATION_RATE or limit.never_fits(claim.flavor):
        return
    amount = limit.cost(claim.flavor) * (claim.want - part.granted)
    yield Shortage(flavor=claim.flavor.name, limit=limit, amount=amount)


def wishes(survey: Survey) -> list[Wish]:
    """Flavors that are asked for anything, in dispatch order of the best job of each."""
    back = Counter(m.worker.flavor for m in survey.roster.retiring if comes_back(survey, m))
    ranks = _ranks(survey.world.store.ready, survey.world.store.in_flight)
    orders = sorted(survey.world.store.orders, key=lambda o: o.id)
    found = [
        Wish(
            flavor=flavor,
            need=max(0, demand.need - back[flavor]),
            orders=tuple(o for o in orders if o.flavor == flavor),
        )
        for flavor, demand in survey.demands.items()
        if demand.waiting or demand.unplaced or any(o.flavor == flavor for o in orders)
    ]
    return sorted(found, key=lambda w: (ranks.get(w.flavor, len(ranks)), w.flavor))


@remembered
def _ranks(ready: tuple[Job, ...], in_flight: tuple[InFlight, ...]) -> Mapping[str, int]:
    unplaced = [f.job for f in in_flight if f.job.status is Status.QUEUED]
    flavors = [job.flavor for job in in_dispatch_order([*ready, *unplaced])]
    return {flavor: rank for rank, flavor in enumerate(dict.fromkeys(flavors))}


def obstacle(survey: Survey, cloud: CloudSnapshot, wish: Wish) -> Held | None:
    """Why none of a flavor can be created whatever the capacity, if there is such a reason."""
    if wish.flavor not in survey.world.registry.flavors:
        why = f"models/job_types.py has no flavor {wish.flavor}: add it there, or cancel what asks"
        return _refused(wish, Reason.FLAVOR_UNKNOWN, why)
    if wish.flavor not in cloud.flavors:
        why = f"OpenStack offers no flavor {wish.flavor}: have it made, or shared with our project"
        return _refused(wish, Reason.FLAVOR_UNKNOWN, why)
    if image_to_boot(cloud, survey.world.site) is None:
        return _refused(wish, Reason.IMAGE_MISSING, why_no_image(survey, cloud))
    unseen = survey.unseen_creations()
    if unseen:
        return _refused(wish, Reason.INTENT_OPEN, f"{', '.join(unseen)} is being recorded")
    backoff = backoff_of(survey, wish.flavor)
    if backoff is not None and backoff.until > survey.now:
        return _refused(wish, Reason.BACKING_OFF, _asleep(backoff))
    if backoff is not None and is_probed(survey, wish.flavor, backoff.until):
        return _refused(wish, Reason.BACKING_OFF, "one creation is being tried first")
    return None


def _asleep(backoff: Backoff) -> str:
    return (
        f"not tried before {backoff.until:%H:%M:%S} after {counted(backoff.failures, 'failure')}: "
        f"{backoff.message}"
    )


def _probing(survey: Survey, wish: Wish) -> Wish:
    backoff = backoff_of(survey, wish.flavor)
    return replace(wish, backoff=backoff)


def _refused(wish: Wish, reason: Reason, why: str) -> Held:
    return Held(
        subject=wish.subject,
        reason=reason,
        because=f"{_wanted(wish)}, none created: {reason}, {why}",
        facts=(("wanted", wish.want), ("created", 0)),
    )


def _wanted(wish: Wish) -> str:
    jobs = f"{wait(wish.need, f'{wish.flavor} job')} for a worker"
    return f"{jobs}, {are(len(wish.orders), 'worker')} ordered" if wish.orders else jobs


def _created(
    survey: Survey, cloud: CloudSnapshot, served: Sequence[tuple[Wish, Share]]
) -> Iterator[CreateServer]:
    names, image = free_names(survey), image_to_boot(cloud, survey.world.site)
    for wish, granted in ((w, s.granted) for w, s in served):
        for_jobs = min(wish.need, granted)
        for order in (*[None] * for_jobs, *wish.orders[: granted - for_jobs]):
            name = next(names)
            yield CreateServer(
                subject=Subject(SubjectKind.WORKER, name),
                reason=Reason.JOBS_WAITING if order is None else Reason.ASKED_BY_PERSON,
                because=_wanted(wish) if order is None else f"ordered by {order.by}",
                facts=(("flavor", wish.flavor), ("wanted", wish.want), ("created", granted)),
                name=name,
                flavor=wish.flavor,
                image=image or "",
                order_id=None if order is None else order.id,
            )


def _unserved(served: Sequence[tuple[Wish, Share]]) -> Iterator[Held]:
    for wish, part in served:
        if part.granted < wish.want:
            yield _partly(wish, part)


def _partly(wish: Wish, part: Share) -> Held:
    facts: tuple[tuple[str, Fact], ...] = (("wanted", wish.want), ("created", part.granted))
    reason, why = Reason.BACKING_OFF, "one is tried first after the last failures"
    if part.limit is not None:
        reason, why = part.limit.reason, _used_up(part, part.limit)
        facts = (*facts, ("used", part.used), ("cap", part.limit.cap))
    return Held(
        subject=wish.subject,
        reason=reason,
        because=f"{_wanted(wish)}, {part.granted or 'none'} created: {reason}, {why}",
        facts=facts,
    )


def _used_up(part: Share, limit: Limit) -> str:
    """How much of a limit is used with what this pass creates, and why no more of it can be."""
    flavor = part.claim.flavor
    used = f"{part.used} of {limit.cap} used"
    if limit.never_fits(flavor):
        return f"{used}, and one worker takes {limit.cost(flavor)}"
    if part.used + limit.cost(flavor) <= limit.cap:
        return f"{used}, the rest is kept for flavors whose turn comes first"
    return used


def _covered(survey: Survey, found: Sequence[Wish]) -> Iterator[Held]:
    yield from (_enough(survey, wish) for wish in found if not wish.want)


def _enough(survey: Survey, wish: Wish) -> Held:
    demand = survey.demands[wish.flavor]
    waiting = demand.waiting + demand.unplaced
    mine = (m for m in survey.roster.retiring if m.worker.flavor == wish.flavor)
    back = sum(comes_back(survey, m) for m in mine)
    return Held(
        subject=wish.subject,
        reason=Reason.ENOUGH_WORKERS,
        because=f"{wait(waiting, f'{wish.flavor} job')} and there are workers enough: "
        f"{demand.free} free, {demand.coming} coming, {back} taken back",
        facts=(("waiting", waiting), ("free", demand.free), ("coming", demand.coming)),
    )
