"""Creation: every accepted product that a catalogue lists has its job, however often it is met.

One look at a feed makes at most one action: all its new jobs, in the order of publication, the
entries that nobody understood, and the cursor. A product is known by its name, which is the key of
its job; meeting it again, in whatever order, adds nothing. An image that is published again under
another name gets another job while it is young (`late_after`); later it is left to reprocessing,
unless nobody ever saw it. In the end an image has as many jobs as it has young versions, and one at
least, in whatever order they are met: the job of a packing, or of a late version, that was made
when nothing else was known *stands in* for one young version that is met later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from models.actions import AddJobs
from models.catalogue import CatalogueProduct
from models.creation import (
    JOB_TYPES_OF,
    Acquisition,
    Area,
    Cursor,
    Sweep,
    acquisition_of,
    identity_of,
)
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import NewJob
from models.settings_composition import CompositionSettings
from models.settings_creation import CreationSettings
from models.wording import counted
from models.world import Source, World
from reconcilers.creation.campaigns import go_on
from reconcilers.creation.groups import Kept, kept_of, of_due
from reconcilers.creation.rules import RULES, TOO_EARLY, Rule

__all__ = ["decide"]


def decide(
    world: World, settings: CreationSettings, now: datetime, composition: CompositionSettings
) -> list[Decision]:
    """What the looks at the feeds came to. Computes only: reads no clock, calls no one.

    Groups come first: what a look adds to one that is due makes it another than the one decided
    about.
    """
    if world.sweeps is None or world.area is None:
        return _blind(world)
    found = of_due(world, composition, now)
    there = _There.by_the_store(world.sweeps)
    for sweep in world.sweeps:
        if sweep.unknown:
            found.append(_unread(sweep))
        if sweep.products or sweep.rejected or not sweep.unknown:
            kept = kept_of(sweep, world.area, composition)
            found += _of_look(sweep, _judged(sweep, world.area, there, settings), kept, settings)
    return [*found, *go_on(world.campaigns)]


def _blind(world: World) -> list[Decision]:
    why = world.unknown.get(Source.CATALOGUES)
    if why is None:
        return []
    return [
        Held(
            subject=Subject(SubjectKind.SYSTEM, Source.CATALOGUES.value),
            reason=Reason.SOURCE_UNKNOWN,
            because=f"no catalogue could be read: {why}; no jobs are created until one answers",
        )
    ]


def _unread(sweep: Sweep) -> Decision:
    return Held(
        subject=_subject(sweep),
        reason=Reason.SOURCE_UNKNOWN,
        because=f"not read to its end: {sweep.unknown}; it is read on from where that was",
        facts=(("products", len(sweep.products)),),
    )


def _subject(sweep: Sweep) -> Subject:
    return Subject(SubjectKind.SOURCE, str(sweep.feed))


@dataclass(frozen=True, kw_only=True, slots=True)
class _There:
    """What has its job, by the store or by this pass: products by type of job and name, and for
    each acquisition with a job how many of them stand in for a version that was not met yet.
    """

    names: set[tuple[str, str]]
    stand_ins: dict[Acquisition, int]

    @classmethod
    def by_the_store(cls, sweeps: Iterable[Sweep]) -> _There:
        """What the store has of all that was met in a pass."""
        known = {(job.acquisition.job_type, job.key): job for s in sweeps for job in s.known.jobs}
        there = cls(names=set(known), stand_ins={})
        for job in known.values():
            there.has(job.acquisition, stands_in=job.stands_in)
        return there

    def has(self, acquisition: Acquisition, *, stands_in: bool) -> None:
        """There is one more job about it."""
        self.stand_ins[acquisition] = self.stand_ins.get(acquisition, 0) + stands_in


@dataclass(kw_only=True, slots=True)
class _Found:
    """What one look has made so far."""

    there: _There
    jobs: list[NewJob] = field(default_factory=list)
    cancelled: list[NewJob] = field(default_factory=list)

    def take(
        self, rule: Rule, product: CatalogueProduct, tiles: tuple[str, ...], *, stands_in: bool
    ) -> None:
        """Add the job of a product."""
        job = rule.job(product, tiles, stands_in=stands_in)
        self.there.has(acquisition_of(product, rule.job_type), stands_in=stands_in)
        late = product.sensing.start < rule.begins
        (self.cancelled if late else self.jobs).append(job)


def _of_look(sweep: Sweep, found: _Found, kept: Kept, settings: CreationSettings) -> list[Decision]:
    rejected = tuple(
        entry for entry in sweep.rejected if identity_of(entry) not in sweep.known.rejected
    )
    cursor = _cursor(sweep)
    news = found.jobs or found.cancelled or rejected or kept.ingredients
    if not news and not _is_behind(sweep, cursor, settings):
        return []
    return [
        AddJobs(
            subject=_subject(sweep),
            reason=Reason.PRODUCTS_NEW if news else Reason.CURSOR_BEHIND,
            because=_because(sweep, found, kept, len(rejected), cursor),
            facts=(
                ("products", len(sweep.products)),
                ("jobs", len(found.jobs)),
                ("cancelled", len(found.cancelled)),
                ("rejected", len(rejected)),
                ("kept", len(kept.ingredients)),
                ("until", cursor.until.isoformat()),
            ),
            cursor=cursor,
            expected=sweep.cursor.until if sweep.cursor else None,
            jobs=tuple(found.jobs),
            cancelled=tuple(found.cancelled),
            why=TOO_EARLY,
            rejected=rejected,
            ingredients=kept.ingredients,
            groups=kept.groups,
            touched=kept.touched,
        )
    ]


def _judged(sweep: Sweep, area: Area, there: _There, settings: CreationSettings) -> _Found:
    """Every product by every rule for its type, in the order of publication."""
    found = _Found(there=there)
    for product in sorted(sweep.products, key=lambda each: (each.published_at, each.id)):
        for job_type in JOB_TYPES_OF.get(product.type, ()):
            if (job_type, product.name) not in there.names:
                there.names.add((job_type, product.name))
                _judge(RULES[job_type], product, found, area, settings)
    return found


def _judge(
    rule: Rule,
    product: CatalogueProduct,
    found: _Found,
    area: Area,
    settings: CreationSettings,
) -> None:
    acquisition = acquisition_of(product, rule.job_type)
    late = product.published_at - product.sensing.start > settings.late_after
    stands_in = late or product.is_cog
    stand_ins = found.there.stand_ins.get(acquisition)
    if stand_ins and not stands_in:
        found.there.stand_ins[acquisition] = stand_ins - 1
        return
    if stands_in and stand_ins is not None:
        return
    tiles = rule.tiles(product, area)
    if tiles:
        found.take(rule, product, tiles, stands_in=stands_in)


def _cursor(sweep: Sweep) -> Cursor:
    """Where the cursor is after this look: never before where it was."""
    listed = bool(sweep.products)
    if sweep.cursor is None:
        return Cursor(feed=sweep.feed, until=sweep.reached, deep_at=sweep.at, yielded=listed)
    return replace(
        sweep.cursor,
        until=max(sweep.cursor.until, sweep.reached),
        deep_at=sweep.at if sweep.deep else sweep.cursor.deep_at,
        yielded=sweep.cursor.yielded or listed,
    )


def _is_behind(sweep: Sweep, cursor: Cursor, settings: CreationSettings) -> bool:
    """Whether the stored cursor has to follow. A little behind costs nothing: every look begins an
    overlap before it.
    """
    former = sweep.cursor
    if former is None or (former.deep_at, former.yielded) != (cursor.deep_at, cursor.yielded):
        return True
    lag = cursor.until - former.until
    return lag > settings.overlap or (lag.total_seconds() > 0 and not sweep.complete)


def _because(sweep: Sweep, found: _Found, kept: Kept, rejected: int, cursor: Cursor) -> str:
    parts = [f"{counted(len(sweep.products), 'product')} listed"]
    if found.jobs:
        parts.append(f"{counted(len(found.jobs), 'job')} to create")
    if found.cancelled:
        parts.append(f"{counted(len(found.cancelled), 'job')} of before the operation began")
    if kept.ingredients:
        parts.append(f"{len(kept.ingredients)} kept for jobs that are made of several")
    if rejected:
        parts.append(f"{rejected} not understood and kept")
    return f"{', '.join(parts)}; met until {cursor.until:%Y-%m-%d %H:%M} UTC"
