"""What was made is read back: from the outbox, from our own catalogue, and from the product bucket.

A comparison is made now and then; the passes in between see the last one. What was found once is
remembered, so that the catalogue is only asked for what is not there yet, back to the oldest of it.
A process that begins knows nothing and asks for all of it. Several may look at the same time.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from models.announcement import Shop, place_of
from models.catalogue import Catalogue, CatalogueQuery, Collection, PageMark
from models.errors import NotFound, PortError
from models.manifest import ProductKind
from models.objects import BucketNotFound, ObjectStore, Place
from models.outbox import Outbox
from models.ports import Clock
from models.product_names import ProductType, parse_snow_name
from models.publication import PublicationState
from models.reckoning import Made, ReadBack
from models.settings_readback import ReadbackSettings

SKEW = timedelta(minutes=10)
"""How far the catalogue's clock may be behind ours."""

PAGE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Products:
    """The product bucket, as whoever looks into it sees it."""

    store: ObjectStore
    shop: Shop

    def lacks(self, made: Made) -> bool:
        """Whether a product has not all its objects: its files, one of them as its thumbnail.

        Raises `PortError` when the bucket does not say.
        """
        folder, thumbnail = place_of(ProductKind(made.kind), made.product)
        stored = self.store.objects(self.shop.bucket, f"{folder}/")
        if sum(1 for _ in islice(stored, made.files)) < made.files - 1:
            return True
        try:
            self.store.head(Place(bucket=self.shop.bucket, key=thumbnail))
        except BucketNotFound:
            raise
        except NotFound:
            return True
        return False


@dataclass(kw_only=True)
class Reader:
    """Compares, when it is time. `catalogue` None: there is none to look into."""

    outbox: Outbox
    catalogue: Catalogue | None
    products: Products | None
    clock: Clock
    _last: ReadBack | None = field(default=None, init=False)
    _again: float = field(default=float("-inf"), init=False)
    _found: set[str] = field(default_factory=set, init=False)
    _whole: set[str] = field(default_factory=set, init=False)

    def look(self, settings: ReadbackSettings, ends: float) -> ReadBack:
        """The newest comparison. No page and no folder is begun after `ends` (monotonic seconds).

        Raises like `Outbox.made`.
        """
        if self._last is not None and self.clock.monotonic() < self._again:
            return self._last
        now = self.clock.now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        since = midnight - timedelta(days=settings.days - 1)
        made = self.outbox.made(since, now)
        unread = self._read(made, settings, ends)
        absent, unseen = self._absent(made, ends)
        names = {each.product for each in made}
        self._found &= names
        self._whole &= names
        has_found = self.catalogue is not None and not unread
        self._last = ReadBack(
            at=now,
            made=made,
            found=tuple(sorted(self._found)) if has_found else None,
            absent=absent,
            unknown="; ".join(filter(None, (unread, unseen))),
        )
        self._again = self.clock.monotonic() + settings.every.total_seconds()
        return self._last

    def _read(self, made: Iterable[Made], settings: ReadbackSettings, ends: float) -> str:
        """Look for what is not found yet; why that is not known, if so."""
        if self.catalogue is None:
            return ""
        for kind, since in sorted(_oldest(made, self._found).items()):
            try:
                found = listed(self.catalogue, kind, since - SKEW, self.clock.now())
                for names in islice(found, settings.pages):
                    self._found |= names
                    if self.clock.monotonic() > ends:
                        return f"{self.catalogue.name} was not read to its end: it is slow"
                if next(found, None) is not None:
                    return f"{self.catalogue.name} has more pages than readback.pages"
            except PortError as error:
                return str(error)
        return ""

    def _absent(self, made: Iterable[Made], ends: float) -> tuple[tuple[str, ...], str]:
        """Announced products without their objects, and why that is not known of all, if so. Those
        that had them once are not asked for; what the time does not allow is left to the next look.
        """
        absent: list[str] = []
        if self.products is None:
            return (), ""
        for each in made:
            announced = each.state is PublicationState.CONFIRMED
            if not announced or each.product in self._whole or self.clock.monotonic() > ends:
                continue
            try:
                lacks = self.products.lacks(each)
            except PortError as error:
                return tuple(absent), str(error)
            if lacks:
                absent.append(each.product)
            else:
                self._whole.add(each.product)
        return tuple(absent), ""


def found_in(catalogue: Catalogue, made: Iterable[Made], now: datetime) -> frozenset[str]:
    """Which of these products our catalogue lists, however many pages that takes. Raises
    `PortError`.
    """
    oldest = _oldest(made, frozenset())
    pages = (
        names
        for kind, since in sorted(oldest.items())
        for names in listed(catalogue, kind, since - SKEW, now)
    )
    return frozenset().union(*pages)


def _oldest(made: Iterable[Made], found: Container[str]) -> dict[ProductType, datetime]:
    """Since when products may be listed that are confirmed and not `found` yet, by their type.

    Since they were made: our catalogue may have heard a message before the one that was confirmed,
    and does not list a product anew because it is announced again.
    """
    oldest: dict[ProductType, datetime] = {}
    for each in made:
        if each.state is PublicationState.CONFIRMED and each.product not in found:
            kind = parse_snow_name(each.product).type
            oldest[kind] = min(each.made_at, oldest.get(kind, each.made_at))
    return oldest


def listed(
    catalogue: Catalogue, kind: ProductType, since: datetime, until: datetime
) -> Iterator[frozenset[str]]:
    """The names that our catalogue lists, published in a time, page by page. Raises `PortError`."""
    query = CatalogueQuery(
        collection=Collection.HRSI, type=kind, since=since, until=until, limit=PAGE
    )
    mark: PageMark | None = None
    while True:
        page = catalogue.page(query, mark)
        yield frozenset(product.name for product in page.products)
        mark = page.next
        if mark is None:
            return
