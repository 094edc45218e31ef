"""Whether the last day brought as much as days do: silence of a catalogue looks like peace.

Types are judged by their jobs, whichever catalogue brought them. Each feed is judged by what it
lists: of two catalogues of the same images the one that falls silent brings no fewer jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from models.catalogue import CatalogueProduct
from models.creation import JOB_TYPES_OF, Area, Arrivals, Feed, FeedDay
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.product_names import ProductType
from models.settings_expected import ExpectedSettings
from models.wording import counted
from models.world import World
from reconcilers.creation.rules import RULES

DAY = timedelta(days=1)

RANGES_OF: Mapping[ProductType, tuple[str, ...]] = {
    **JOB_TYPES_OF,
    ProductType.FSC: ("fsc_rlie",),
    ProductType.GFSC: ("gfsc",),
}
"""The types of job whose ranges say how many products of a type are ordinary: those that they are
for, and of our own products those that make one each.
"""


def too_few(world: World, settings: ExpectedSettings, now: datetime) -> Iterator[Decision]:
    """A word about each type of job of which the last 24 h brought fewer than is ordinary, and
    about each feed that listed less.

    Judged is a type that ever had jobs, once a whole day was counted, in an area that is not much
    smaller than the one that the ranges hold for. Jobs of reprocessing do not count.
    """
    arrivals, area = world.arrivals, world.area
    if arrivals is None or area is None or 2 * len(area.tiles) < settings.tiles:
        return
    if arrivals.began is None or now - arrivals.began < DAY:
        return
    for job_type, number in sorted(arrivals.counts.items()):
        expected = settings.range_of(job_type, now)
        if expected is not None and number < expected[0]:
            least, most = expected
            yield Held(
                subject=Subject(SubjectKind.TYPE, job_type),
                reason=Reason.FEW_PRODUCTS,
                because=f"{counted(number, f'{job_type} job')} came of catalogues in the last "
                f"24 h, where {least:.0f} to {most:.0f} are ordinary on a {now:%A}",
                facts=(("jobs", number), ("least", round(least)), ("most", round(most))),
            )
    for day in world.days:
        yield from _of_feed(day, arrivals, settings)


def _of_feed(day: FeedDay, arrivals: Arrivals, settings: ExpectedSettings) -> Iterator[Decision]:
    if not day.yielded:
        # A catalogue of one mission lists nothing of the other, and nobody misses it.
        return
    for job_type, number in sorted(day.counts.items()):
        expected = settings.range_of(job_type, day.at)
        if job_type in arrivals.counts and expected is not None and number < expected[0]:
            least, most = expected
            yield Held(
                subject=Subject(SubjectKind.SOURCE, str(day.feed)),
                reason=Reason.FEW_PRODUCTS,
                because=f"it lists {counted(number, 'product')} of the area as published in the "
                f"24 h before {day.at:%Y-%m-%d %H:%M} UTC, where {least:.0f} to {most:.0f} are "
                f"ordinary on a {day.at:%A}; what other catalogues list is processed",
                facts=(("products", number), ("least", round(least)), ("most", round(most))),
            )


def day_of(
    feed: Feed,
    products: Iterable[CatalogueProduct],
    area: Area,
    at: datetime,
    *,
    yielded: bool = True,
) -> FeedDay:
    """What of these products is of the area and was published in the 24 h before `at`."""
    young = [each for each in products if at - DAY <= each.published_at < at]
    return FeedDay(
        feed=feed,
        at=at,
        yielded=yielded,
        counts={
            job_type: len(
                {
                    (each.unit, each.tile, each.sensing.start)
                    for each in young
                    if _is_of(each, area, job_type)
                }
            )
            for job_type in RANGES_OF.get(feed.type, ())
        },
    )


def _is_of(product: CatalogueProduct, area: Area, job_type: str) -> bool:
    if product.type in JOB_TYPES_OF:
        return bool(RULES[job_type].tiles(product, area))
    return product.tile in area.tiles
