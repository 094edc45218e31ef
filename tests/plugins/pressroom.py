"""The publication loop in a world of its own: real rules and handlers, chosen parts outside.

A `PressRoom` steps the loop, plays the worker whose run made products, and judges after every step
that nothing is published that was not confirmed or has no objects (I8). With parts in memory time
is virtual and any call may fail or be the last of its process.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from controller.act.effects import Tools
from controller.act.executor import Executor, Lane
from controller.act.hands import Hands
from controller.act.press import Press
from controller.clock import RandomIds, StoreClock, SystemClock
from controller.crew import Inline
from controller.loop import Loop, PassReport, Shell, loop_of
from controller.metrics import Metrics
from controller.observe import Observer, Sources
from controller.reconcilers import RECONCILERS
from models.announcement import MOUNTED, Shop, folder_of, message_of, thumbnail_of
from models.broker import Broker
from models.errors import System
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.manifest import Manifest, Product
from models.objects import ObjectStore, Place
from models.ports import Clock, Ids
from models.publication import ANNOUNCED, PublicationState
from models.records import Job
from simulator.broker import MemoryBroker, SimulatedBroker
from simulator.examples import NOW, a_site
from simulator.examples.products import a_product
from simulator.faults import Faults
from simulator.ids import SeededIds
from simulator.objects import MemoryObjects, SimulatedBuckets
from simulator.press import content_of
from simulator.store import MemoryStore
from simulator.systems import Scenario, in_memory
from simulator.timeline import Timeline
from tests.plugins.brokers import OnRabbit
from tests.plugins.publishing import processed
from tests.plugins.stores import Desk, Doors

RESULTS, PRODUCTS = "results", "HRSI"


@dataclass
class Parts:
    """What a press room is made of. `announced` are the ids that the broker ever confirmed to keep,
    as whoever looks into it sees them; `content` is what lies at a place.
    """

    desk: Desk
    results: ObjectStore
    products: ObjectStore
    broker: Callable[[], Broker]
    announced: Callable[[], list[tuple[str, bytes]]]
    clock: Clock
    ids: Ids
    shop: Shop = field(default_factory=lambda: Shop(bucket=PRODUCTS))
    results_bucket: str = RESULTS
    one_service: bool = True
    at_once: int = 1
    calm: Callable[[], AbstractContextManager[object]] = nullcontext
    """No call fails for the length of a block."""
    metrics: Metrics | None = None
    """What the process counts with; its own unless somebody gives it some."""


@dataclass
class PressRoom:
    """The loop, its process, and the judge."""

    parts: Parts
    holder: str = "press-1"
    loops: dict[str, Loop] = field(default_factory=dict)
    press: Press = field(init=False)
    _lives: int = 0

    def __post_init__(self) -> None:
        self._elsewhere = in_memory(Scenario())
        self.metrics = self.parts.metrics or Metrics(CollectorRegistry(), self.parts.clock)
        self.begin()

    def begin(self) -> None:
        """Start a process that remembers nothing; the connections of the one before are gone."""
        if self._lives:
            self.press.broker.close()
        self._lives += 1
        parts, doors = self.parts, self.parts.desk.doors
        systems, metrics = self._elsewhere, self.metrics
        broker = parts.broker()
        self.press = Press(
            results=parts.results,
            results_bucket=parts.results_bucket,
            products=parts.products,
            shop=parts.shop,
            broker=broker,
            outbox=doors.outbox,
            one_service=parts.one_service,
            at_once=parts.at_once,
        )
        clock = StoreClock(parts.clock)
        tools = Tools(
            store=doors.jobs,
            orchestrator=systems.nomad_port("press"),
            cloud=systems.cloud_port(),
            clock=clock,
            ids=parts.ids,
            metrics=metrics,
            ending=threading.Event(),
            token_key=b"a key that nobody asks for in here",
            press=self.press,
        )
        observer = Observer(
            Sources(
                store=doors.jobs,
                orchestrator=tools.orchestrator,
                cloud=tools.cloud,
                outbox=doors.outbox,
                broker=broker,
            ),
            site=a_site(),
            registry=DEFAULT_REGISTRY,
            clock=clock,
            crew=Inline(),
            metrics=metrics,
        )
        lanes = {system: Lane(crew=Inline(), capacity=10_000) for system in System}
        executor = Executor(lanes, clock, lambda _: None)
        hands = Hands(executor, metrics)
        shell = Shell(tools=tools, observer=observer, hands=hands, told=clock.told)
        holder = f"{self.holder}.{self._lives}"
        self.loops = {
            each.name: loop_of(each, shell, holder)
            for each in RECONCILERS
            if each.name == "publication"
        }

    def step(self) -> PassReport:
        """One pass of the loop, judged."""
        report = self.loops["publication"].step()
        assert not report.violations, report.violations
        with self.parts.calm():
            self.judge()
        return report

    def step_unjudged(self) -> PassReport:
        """One pass while nobody can look into the broker."""
        report = self.loops["publication"].step()
        assert not report.violations, report.violations
        return report

    def until_done(self, *jobs: Job, passes: int = 20) -> list[PassReport]:
        """Passes until these jobs are done."""
        reports: list[PassReport] = []
        for _ in range(passes):
            if all(self.parts.desk.job(job.id).status is Status.DONE for job in jobs):
                return reports
            reports.append(self.step())
            assert reports[-1].error is None, reports[-1].error
        stands = [self.parts.desk.job(job.id) for job in jobs]
        raise AssertionError(f"not done after {passes} passes: {stands}")

    # ---- what a run made -------------------------------------------------------------------------

    def made(self, *names: str, **science: Any) -> Job:
        """A job that is processed: its products lie in the results bucket."""
        products = tuple(written(name, **science) for name in names)
        job = processed(self.parts.desk, products=products)
        self.upload(self.manifest(job))
        return job

    def manifest(self, job: Job) -> Manifest:
        """What its run said."""
        found = self.parts.desk.doors.outbox.manifest(job.id)
        assert found is not None
        return found

    def upload(self, manifest: Manifest) -> None:
        """Put everything where its worker would."""
        for product in manifest.products:
            for file in product.files:
                place = Place(bucket=self.parts.results_bucket, key=f"{manifest.prefix}{file.key}")
                self.parts.results.put(place, content_of(file.key))

    # ---- the judge -------------------------------------------------------------------------------

    def judge(self) -> None:
        """I8. Whatever is published has its objects and was confirmed; every message is right."""
        heard = self.parts.announced()
        ids = {key for key, _ in heard}
        for job in self._published():
            manifest = self.manifest(job)
            rows = self.parts.desk.doors.outbox.outgoing(job.id)
            assert {row.publication.product for row in rows} == {p.name for p in manifest.products}
            for row in rows:
                assert row.publication.state in ANNOUNCED
                assert row.publication.message_id in ids, f"{row.publication} was never confirmed"
            for product in manifest.products:
                self._objects_are_there(product)
        known = {product.name: product for product in self._products()}
        for key, body in heard:
            product = known[key.partition(":")[0]]
            assert body == message_of(product, self.parts.shop)
            told = json.loads(body)["resto"]["properties"]
            assert told["productIdentifier"] == f"{MOUNTED}{folder_of(product)}"

    def _published(self) -> Iterator[Job]:
        for story in self.parts.desk.stories():
            if story.job.status in {Status.PUBLISHED, Status.DONE} and story.manifests:
                assert not story.manifests[-1].products or Status.PUBLISHED in {
                    row.after for row in story.history
                }
                yield story.job

    def _products(self) -> Iterator[Product]:
        for story in self.parts.desk.stories():
            for manifest in story.manifests:
                yield from manifest.products

    def _objects_are_there(self, product: Product) -> None:
        for file in product.files:
            key = f"{folder_of(product)}/{file.key.split('/')[-1]}"
            if file.key == product.quicklook:
                key = thumbnail_of(product)
            found = self.parts.products.read(Place(bucket=self.parts.shop.bucket, key=key))
            assert found == content_of(file.key)


def written(name: str, **science: Any) -> Product:
    """A product whose files have the content that `content_of` says."""
    product = a_product(name)
    files = tuple(
        replace(
            file,
            size=len(content_of(file.key)),
            sha256=hashlib.sha256(content_of(file.key)).hexdigest(),
        )
        for file in product.files
    )
    return replace(product, files=files, science=replace(product.science, **science))


def names(number: int) -> tuple[str, str]:
    """The FSC and the RLIE of one of many images."""
    at = f"{datetime(2022, 1, 1, tzinfo=UTC) + timedelta(hours=number):%Y%m%dT%H%M%S}"
    return f"FSC_{at}_S2A_T28WEU_V102_1", f"RLIE_{at}_S2A_T28WEU_V102_1"


# ---- in memory -----------------------------------------------------------------------------------


@dataclass
class InMemory:
    """A press room whose time is virtual and whose calls may fail, and what lies behind it."""

    seed: int = 0
    time: Timeline = field(default_factory=lambda: Timeline(NOW))
    faults: Faults = field(default_factory=Faults)
    broker: SimulatedBroker = field(default_factory=SimulatedBroker)
    metrics: Metrics | None = None

    def __post_init__(self) -> None:
        self.buckets = SimulatedBuckets(self.time)
        self.buckets.make(RESULTS, PRODUCTS)
        self.store = MemoryStore(self.time, SeededIds(self.seed))
        desk = Desk(
            Doors(
                jobs=self.store,
                reports=self.store,
                operations=self.store,
                reader=self.store,
                feeds=self.store,
                campaigns=self.store,
                outbox=self.store,
                now=self.time.now,
                pass_time=lambda step: (self.time.advance(step), None)[1],
            )
        )
        self.objects = MemoryObjects(self.buckets)
        self.room = PressRoom(
            Parts(
                desk=desk,
                results=self.objects,
                products=self.objects,
                broker=self._client,
                announced=self._announced,
                clock=self.time,
                ids=SeededIds(self.seed + 1),
                calm=self.calm,
                metrics=self.metrics,
            )
        )

    def go_wrong(self, faults: Faults) -> None:
        """From here on calls fail as these say; processes that begin later suffer them as well."""
        self.faults = faults
        self.store._faults = self.objects._faults = faults
        self.room.begin()

    @contextmanager
    def calm(self) -> Iterator[None]:
        """No call fails for the length of a block."""
        self.store._faults = self.objects._faults = Faults()
        reachable, self.buckets.reachable = self.buckets.reachable, True
        try:
            yield
        finally:
            self.buckets.reachable = reachable
            self.store._faults = self.objects._faults = self.faults

    def _client(self) -> Broker:
        return MemoryBroker(self.broker, self.faults)

    def _announced(self) -> list[tuple[str, bytes]]:
        """Every message that was kept; of none of them may a publication be confirmed of which
        the broker said nothing.
        """
        for row in self.store.tables.publications.values():
            assert row.state is not PublicationState.CONFIRMED or (
                row.message_id in self.broker.confirmed
            ), row
        return [(each.id, each.body) for each in (*self.broker.taken, *self.broker.announced)]


# ---- for real ------------------------------------------------------------------------------------


@dataclass
class ForReal:
    """A press room on PostgreSQL, an S3 server and RabbitMQ."""

    room: PressRoom
    rabbit: OnRabbit


@contextmanager
def for_real(
    desk: Desk, buckets: ObjectStore, rabbit: OnRabbit, bucket: Mapping[str, str]
) -> Iterator[ForReal]:
    """Put real parts together; `bucket` has the results' and the products' name."""
    parts = Parts(
        desk=desk,
        results=buckets,
        products=buckets,
        broker=rabbit.client,
        announced=lambda: [(each.id, each.body) for each in rabbit.announced()],
        clock=SystemClock(),
        ids=RandomIds(),
        shop=Shop(bucket=bucket["products"]),
        results_bucket=bucket["results"],
        at_once=3,
    )
    yield ForReal(room=PressRoom(parts), rabbit=rabbit)
