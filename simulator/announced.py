"""I8, on the truth: what is published was confirmed by the broker and lies where users find it.

And what makes a message the same or another one: its id is repeated until the endpoint refuses it
or a new run makes its product again. Watches the outbox and the jobs of a world that publishes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from models.announcement import folder_of, thumbnail_of
from models.errors import NotFound
from models.lifecycle import Status
from models.manifest import Product
from models.objects import Place
from models.publication import ANNOUNCED, Publication, PublicationState
from models.records import Job
from simulator.broker import SimulatedBroker
from simulator.objects import SimulatedBuckets
from simulator.press import SHOP, SimulatedPress
from simulator.store.tables import Tables

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Told(Generic[R]):
    """A `simulator.store.rows.Watcher` that hands on what it is told."""

    moved: Callable[[R | None, R | None], None]


class Announced:
    """Tells of every publication that is not what it says it is, at the moment it is written."""

    def __init__(
        self, tables: Tables, press: SimulatedPress, tell: Callable[[str, str, str], None]
    ) -> None:
        self._tables, self._tell = tables, tell
        self._broker: SimulatedBroker = press.broker
        self._buckets: SimulatedBuckets = press.buckets

    def watch(self) -> None:
        """Look from here on."""
        self._tables.jobs.watch(Told(self._job_moved))
        self._tables.publications.watch(Told(self._publication_moved))

    def _job_moved(self, before: Job | None, after: Job | None) -> None:
        """Judge a job that becomes published, or done without that."""
        was = before.status if before is not None else None
        if after is None or was is after.status:
            return
        products = self._products(after)
        if after.status is Status.PUBLISHED:
            for what in self._not_as_published(after, products):
                self._tell("I8", f"job:{after.id}", f"is published, and {what}")
        elif (was, after.status) == (Status.PROCESSED, Status.DONE) and products:
            what = f"is done, and its {len(products)} products are not announced"
            self._tell("I8", f"job:{after.id}", what)

    def _publication_moved(self, before: Publication | None, after: Publication | None) -> None:
        """Judge a publication that is confirmed, or whose message becomes another one."""
        if before is None or after is None:
            return
        subject = f"product:{after.product}"
        if after.state is PublicationState.CONFIRMED and not self._was_confirmed(after):
            self._tell("I8", subject, f"{after.message_id} was never confirmed")
        if after.send != before.send and not _is_another(before, after):
            what = f"{before.message_id} became {after.message_id} without having been refused"
            self._tell("I8", subject, what)

    def _products(self, job: Job) -> tuple[Product, ...]:
        """What the newest run of a job made."""
        run = self._tables.runs_by_attempt.one((job.id, job.attempt))
        found = self._tables.manifests.get(run.id) if run is not None else None
        return found.products if found is not None else ()

    def _not_as_published(self, job: Job, products: tuple[Product, ...]) -> Iterator[str]:
        rows = {row.product: row for row in self._tables.publications_by_job.of(job.id)}
        for product in products:
            row = rows.get(product.name)
            if row is None or row.state not in ANNOUNCED:
                yield f"{product.name} is not announced"
            elif not self._was_confirmed(row):
                yield f"{row.message_id} was never confirmed"
            yield from self._not_there(product)

    def _was_confirmed(self, row: Publication) -> bool:
        return row.message_id in self._broker.confirmed

    def _not_there(self, product: Product) -> Iterator[str]:
        folder = folder_of(product)
        for file in product.files:
            key = f"{folder}/{file.key.rpartition('/')[2]}"
            if file.key == product.quicklook:
                key = thumbnail_of(product)
            place = Place(bucket=SHOP.bucket, key=key)
            try:
                found = self._buckets.kept(place).stored
            except NotFound:
                yield f"there is no {place}"
                continue
            if (found.size, found.sha256) != (file.size, file.sha256):
                yield f"{place} is not the file of the manifest"


def _is_another(before: Publication, after: Publication) -> bool:
    """It was refused, or its job was published anew from the beginning."""
    refused = after.refusals == before.refusals + 1
    begun_again = after.state is PublicationState.WAITING and not after.refusals
    return after.send == before.send + 1 and (refused or begun_again)
