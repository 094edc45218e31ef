"""What creation reads: the area, and catalogues that answer a question such as it asks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from controller.doctor.findings import Found, checked
from controller.sweeps import Subscriptions
from models.catalogue import CatalogueQuery
from models.checkup import Check, Health
from models.creation import Feed
from models.errors import System
from models.wording import counted

ABOUT = System.CATALOGUE.value
LATELY = timedelta(hours=1)

_REACH = (
    "check the address in creation.odata, creation.resto or creation.products, and whether this "
    "machine may go there; until it answers no jobs are made of what it lists"
)


def catalogue_checks(read: Subscriptions, now: datetime) -> Iterator[Check]:
    """The area, and one small question to each catalogue."""
    tiles = counted(len(read.area.tiles), "tile")
    yield Check(about=ABOUT, name="area", health=Health.OK, found=f"it has {tiles}")
    for source in read.catalogues:
        feed = next(each for each in read.feeds if each.source == source)
        yield _answers(read, feed, now)


def _answers(read: Subscriptions, feed: Feed, now: datetime) -> Check:
    query = CatalogueQuery(
        collection=feed.collection,
        type=feed.type,
        since=now - LATELY,
        until=now,
        area=read.area.wkt,
        limit=1,
    )

    def look() -> Found:
        read.catalogues[feed.source].page(query)
        return Found(what=f"it answers what it lists of {feed.collection}, {feed.type}")

    return checked(ABOUT, feed.source, look, _REACH)
