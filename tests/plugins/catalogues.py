"""A simulated catalogue and a port to it, of each kind: in memory, by OData and resto over HTTP."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from infra.catalogues import CatalogueAccess, ODataCatalogue, RestoCatalogue
from infra.catalogues.transport import Transport
from infra.retry import ONCE
from models.catalogue import Catalogue, CataloguePage, CatalogueQuery, Collection
from models.product_names import ProductType
from simulator.catalogues.listing import Listed, listing
from simulator.catalogues.memory import MemoryCatalogue
from simulator.catalogues.orbits import BEGINNING
from simulator.catalogues.state import SimulatedCatalogue
from simulator.catalogues.web import serve_catalogue
from simulator.faults import Faults
from simulator.timeline import Timeline

TILES = ("32TLR", "32TMS")
KINDS = ("memory", "odata", "resto")
L1C = CatalogueQuery(
    collection=Collection.SENTINEL_2,
    type=ProductType.L1C,
    since=BEGINNING,
    until=BEGINNING + timedelta(days=400),
)
GRD = replace(L1C, collection=Collection.SENTINEL_1, type=ProductType.GRDH)


@dataclass(frozen=True, kw_only=True)
class CatalogueInTest:
    """A catalogue, the port to it, and what there is to turn."""

    kind: str
    port: Catalogue
    simulated: SimulatedCatalogue
    timeline: Timeline
    faults: Faults

    def read(self, query: CatalogueQuery) -> list[CataloguePage]:
        """Every page of an answer."""
        pages = [self.port.page(query)]
        while pages[-1].next is not None:
            pages.append(self.port.page(query, pages[-1].next))
        return pages


@contextmanager
def opened(kind: str, *entries: Listed, ordered: bool = True) -> Iterator[CatalogueInTest]:
    """A catalogue of these entries, a year after the beginning, when all of them are to be seen."""
    timeline, faults = Timeline(BEGINNING + timedelta(days=380)), Faults()
    simulated = SimulatedCatalogue("creodias", timeline, entries, ordered=ordered)
    with ExitStack() as stack:
        port: Catalogue = MemoryCatalogue(simulated, faults)
        if kind != "memory":
            server = stack.enter_context(serve_catalogue(simulated, faults))
            port = _over_http(kind, server.url, timeline, stack)
        yield CatalogueInTest(
            kind=kind, port=port, simulated=simulated, timeline=timeline, faults=faults
        )


def _over_http(kind: str, url: str, timeline: Timeline, stack: ExitStack) -> Catalogue:
    access = CatalogueAccess(
        name="creodias",
        address=url,
        call_deadline=lambda: timedelta(seconds=20),
        retry=ONCE,
        now=timeline.now,
    )
    adapter: Any = ODataCatalogue if kind == "odata" else RestoCatalogue
    port: ODataCatalogue | RestoCatalogue = adapter(
        access, Transport(access, clock=timeline.monotonic)
    )
    stack.callback(port.close)
    return port


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Every way to a catalogue."""
    return str(request.param)


def seen(days: float, since: datetime = BEGINNING, **how: Any) -> list[Listed]:
    """What is listed of so many days."""
    return listing(TILES, since, since + timedelta(days=days), **how)
