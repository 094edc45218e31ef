"""The port `Catalogue` in memory: a simulated catalogue on virtual time, with faults on order."""

from __future__ import annotations

from datetime import timedelta

from models.catalogue import (
    CataloguePage,
    CatalogueProduct,
    CatalogueQuery,
    PageMark,
    RejectedEntry,
    RejectReason,
    time_of,
)
from models.errors import Throttled, Unavailable
from models.product_names import parse_product_name, parse_snow_name
from simulator.catalogues.listing import Listed
from simulator.catalogues.state import SimulatedCatalogue, Wanted
from simulator.faults import Crash, Fault, Faults

OPERATION = "catalogue.page"
RETRY_AFTER = timedelta(seconds=7)
"""When a catalogue that is asked too often wants to be asked again."""


class MemoryCatalogue:
    """Implements `models.catalogue.Catalogue`. Asks `faults` once per page."""

    def __init__(self, catalogue: SimulatedCatalogue, faults: Faults | None = None) -> None:
        self._catalogue = catalogue
        self._faults = faults or Faults()

    @property
    def name(self) -> str:
        """What this installation calls it."""
        return self._catalogue.name

    def page(self, query: CatalogueQuery, mark: PageMark | None = None) -> CataloguePage:
        """See the port."""
        mark = mark or PageMark(since=query.since)
        fault = self._fault_before()
        page = self._page(query, mark)
        if fault is Fault.CRASH_AFTER:
            raise Crash(OPERATION)
        return page

    def _fault_before(self) -> Fault | None:
        fault = self._faults.take(OPERATION)
        if fault is Fault.CRASH:
            raise Crash(OPERATION)
        if fault is Fault.THROTTLED:
            raise Throttled(f"reading {self.name}: 429", retry_after=RETRY_AFTER)
        if self._catalogue.is_out() or fault in {Fault.REFUSED, Fault.TIMEOUT, Fault.LOST_REPLY}:
            raise Unavailable(f"reading {self.name}: no answer")
        return fault

    def _page(self, query: CatalogueQuery, mark: PageMark) -> CataloguePage:
        wanted = Wanted(
            collection=query.collection,
            types=query.types,
            since=mark.since,
            until=query.until,
            area=query.area,
            by=query.by,
        )
        found = self._catalogue.find(wanted)
        shown = found[mark.skip : mark.skip + query.limit]
        products: list[CatalogueProduct] = []
        rejected: list[RejectedEntry] = []
        for entry in shown:
            why = strangeness(entry)
            if why is None:
                products.append(entry.product)
            else:
                rejected.append(self._reject(entry, why, query))
        ordered = self._catalogue.ordered
        following = _next(shown, query, mark) if ordered else _skipping(shown, query, mark)
        return CataloguePage(
            products=tuple(products),
            rejected=tuple(rejected),
            reached=following.since if following else query.until,
            next=following,
        )

    def _reject(self, entry: Listed, why: str, query: CatalogueQuery) -> RejectedEntry:
        return RejectedEntry(
            source=self.name,
            collection=query.collection,
            type=entry.product.type,
            entry=entry.title,
            why=why,
            text=repr(entry.product),
            reason=RejectReason.NAME,
        )


def strangeness(entry: Listed) -> str | None:
    """Why an entry cannot be understood, if so."""
    parse = parse_snow_name if entry.product.collection.value == "HRSI" else parse_product_name
    try:
        parse(entry.title)
    except ValueError as error:
        return str(error)
    return None


def _skipping(shown: list[Listed], query: CatalogueQuery, mark: PageMark) -> PageMark | None:
    """Without an order nothing is known of what is left out until all of it was given."""
    if len(shown) < query.limit:
        return None
    return PageMark(since=query.since, skip=mark.skip + len(shown), last=shown[-1].product.id)


def _next(shown: list[Listed], query: CatalogueQuery, mark: PageMark) -> PageMark | None:
    if len(shown) < query.limit:
        return None
    last = shown[-1].product
    at = time_of(last, query.by)
    if at > mark.since:
        return PageMark(since=at, last=last.id)
    return PageMark(since=mark.since, skip=mark.skip + len(shown), last=last.id)
