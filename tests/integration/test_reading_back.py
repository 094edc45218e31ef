"""A whole controller reads back what it announced, and a person mends what is missing there.

PostgreSQL, an S3 server, RabbitMQ, and our own catalogue over HTTP: what the endpoint takes it
lists there, but for one product that it loses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from controller import bootstrap
from controller.bootstrap import Ports
from controller.clock import SystemClock
from controller.log import silence
from models.catalogue import CatalogueProduct, Collection, Sensing
from models.lifecycle import Status
from models.objects import Place
from models.overview import Holding, overview
from models.plan import Reason
from models.product_names import parse_snow_name
from models.records import Job
from models.reports import RunResult
from simulator.buckets import ServedBuckets
from simulator.catalogues.listing import Listed
from simulator.catalogues.state import SimulatedCatalogue
from simulator.catalogues.web import serve_catalogue
from simulator.examples.products import a_manifest
from simulator.press import content_of
from tests.plugins.brokers import OnRabbit
from tests.plugins.installation import Installation
from tests.plugins.pressroom import names, written
from tests.plugins.stores import ASKED, Desk, postgres_doors

pytestmark = pytest.mark.integration

PATIENCE = 120.0
LOST = names(1)[0]
QUICK = {"passes.resync": 0.2, "readback.every": 1, "readback.late": 86_400}


@dataclass
class Endpoint:
    """Takes what is announced and lists it, but for what it loses."""

    rabbit: OnRabbit
    catalogue: SimulatedCatalogue
    loses: set[str] = field(default_factory=set)
    taken: list[str] = field(default_factory=list)

    def work(self) -> None:
        """Look at every message; a message is taken once."""
        for each in self.rabbit.announced():
            if each.id not in self.taken:
                self.taken.append(each.id)
                name = each.id.partition(":")[0]
                if name not in self.loses:
                    self.catalogue.publish(_entry(name))

    def sends(self, product: str) -> list[str]:
        """Which sends of a product were taken."""
        return [key.rpartition(":")[2] for key in self.taken if key.startswith(f"{product}:")]


def _entry(name: str) -> Listed:
    found, now = parse_snow_name(name), SystemClock().now()
    product = CatalogueProduct(
        id=f"id-of-{name}",
        name=name,
        collection=Collection.HRSI,
        type=found.type,
        unit=found.unit,
        sensing=Sensing(start=found.sensing_at, stop=found.sensing_at),
        published_at=now,
        footprint="POLYGON ((0 0, 0 1, 1 1, 1 0, 0 0))",
        path=f"/eodata/HRSI/CLMS/{name}",
    )
    return Listed(product=product, title=name, visible_at=now)


@dataclass
class AtWork:
    """A controller that publishes and reads back, the endpoint, and who is on call."""

    place: Installation
    ports: Ports
    endpoint: Endpoint
    desk: Desk

    def made(self, *products: str) -> Job:
        """A job whose run put its products into the results bucket and has just said so."""
        press, desk = self.ports.press, self.desk
        assert press is not None
        run = desk.claimed()
        desk.advanced(run, Status.POST_PROCESSING)
        manifest = a_manifest(
            desk.job(run.job_id).unique_id,
            desk.run(run),
            products=tuple(written(name) for name in products),
        )
        for product in manifest.products:
            for file in product.files:
                place = Place(bucket=press.results_bucket, key=f"{manifest.prefix}{file.key}")
                press.results.put(place, content_of(file.key))
        result = RunResult(status=Status.PROCESSED, exit_code=0, manifest=manifest)
        desk.doors.reports.end(run.id, 1, result)
        return desk.job(run.job_id)

    def until(self, done: Callable[[], bool], what: str) -> None:
        """Let the endpoint work until it is so."""
        over = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < over, f"not in time: {what}"
            self.endpoint.work()
            time.sleep(0.05)

    def done(self, jobs: Iterable[Job]) -> bool:
        """Whether all of these are."""
        return {self.desk.job(job.id).status for job in jobs} == {Status.DONE}

    def told(self) -> list[Holding]:
        """What `hrsi status` shows of products that are missing."""
        found = overview(self.ports.people.reader, (), self.desk.now())
        return [each for each in found.held if each.reason == Reason.PRODUCTS_MISSING]

    def tells_of(self, product: str) -> bool:
        """Whether that is the only condition, and this product is all that it is about."""
        about = f"products:fsc/{self.day}/found"
        words = (
            f"fsc products of {self.day} 1 product is confirmed by the broker and not in our "
            f"catalogue for more than 1 s: {product}; ask the endpoint"
        )
        return [(each.about, words in each.because) for each in self.told()] == [(about, True)]

    def alarms(self) -> float:
        """How many conditions the last pass of read-back saw."""
        labels = {"loop": "read-back", "reason": Reason.PRODUCTS_MISSING.value}
        return self.ports.metrics.registry.get_sample_value("hrsi_alarms", labels) or 0.0

    def audit(self) -> tuple[int, str]:
        """The status of `hrsi publication audit` for the day of it all, and its words."""
        told = self.place.type("publication", "audit", "--day", self.day, "--type", "fsc")
        assert not told.refused, told.refused
        return told.status, told.out

    @property
    def day(self) -> str:
        """The day on which the lost product was made."""
        now = self.desk.now()
        made = self.desk.doors.outbox.made(now - timedelta(days=1), now)
        (lost,) = (each for each in made if each.product == LOST)
        return f"{lost.made_at:%Y-%m-%d}"


@pytest.fixture
def work(
    installation: Installation,
    s3_server: ServedBuckets,
    new_bucket: Callable[[str], str],
    real_broker: OnRabbit,
) -> Iterator[AtWork]:
    catalogue = SimulatedCatalogue("ours", SystemClock())
    endpoint = Endpoint(real_broker, catalogue, loses={LOST})
    topology = real_broker.names
    with ExitStack() as stack:
        stack.enter_context(silence())  # what is typed answers on the same standard output
        served = stack.enter_context(serve_catalogue(catalogue))
        installation.environment.update(
            s3_server.environment(),
            HRSI_RESULTS_BUCKET=new_bucket("results"),
            HRSI_PUBLICATION_BUCKET=new_bucket("products"),
            HRSI_CREATION_PRODUCTS=f"ours={served.url}",
            HRSI_CREATION_TILES="28WEU",
            AMQP_URL=real_broker.rabbit.url,
            HRSI_RABBITMQ_EXCHANGE=topology.exchange,
            HRSI_RABBITMQ_QUEUE=topology.queue,
            HRSI_RABBITMQ_FAILURES_EXCHANGE=topology.failures_exchange,
            HRSI_RABBITMQ_FAILURES_QUEUE=topology.failures_queue,
        )
        desk = Desk(postgres_doors(installation.database))
        for key, value in QUICK.items():
            installation.database.operations.set_parameter(key, value, ASKED)
        config = installation.config
        ports = bootstrap.connect(config, installation.environment)
        process = bootstrap.controller(config, ports, ["publication", "read-back"])
        process.start()
        stack.callback(process.stop)
        yield AtWork(place=installation, ports=ports, endpoint=endpoint, desk=desk)


def test_a_product_that_our_catalogue_lacks_is_told_of_found_and_announced_again(
    work: AtWork,
) -> None:
    jobs = [work.made(*names(number)) for number in range(3)]
    work.until(lambda: work.done(jobs), "all jobs are done")
    work.until(lambda: len(work.endpoint.taken) == 6, "all is taken")
    assert work.told() == []

    told = work.place.type("param", "set", "readback.late=1", "--reason", "we want to know soon")
    assert told.status == 0, told
    # A comparison that was begun before the last of it was listed may name more, for a while.
    work.until(lambda: work.tells_of(LOST), "one product is told of, and no other")
    assert work.alarms() == 1

    status, said = work.audit()
    assert status == 1
    assert f"1 product is confirmed by the broker and not in our catalogue: {LOST}; ask" in said
    assert "3 products made: 2 in our catalogue, 0 on the way, 1 missing" in said

    wish = ["publication", "republish", "--day", work.day, "--missing"]
    tried = work.place.type(*wish, "--dry-run")
    assert tried.out == f"product:{LOST}: would be announced again: send 2, of job {jobs[1].id}\n"
    assert work.done(jobs)

    work.endpoint.loses.clear()
    done = work.place.type(*wish, "--reason", "the endpoint lost it")
    assert (done.status, done.refused) == (0, ""), done
    work.until(lambda: work.endpoint.sends(LOST) == ["1", "2"], "it is announced again")
    work.until(lambda: work.done(jobs) and not work.alarms(), "nothing is told of any more")
    status, said = work.audit()
    assert (status, LOST in said) == (0, False), said
    assert {work.endpoint.sends(name)[-1] for name in (*names(0), *names(2))} == {"1"}
