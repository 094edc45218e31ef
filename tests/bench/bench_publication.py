"""From processed to confirmed: beside a bare pika client, one lone job, and after an outage.

RabbitMQ and PostgreSQL are real, and so is the S3 server of the lone jobs; the products of the
outage lie in memory, for what is measured there is the way of their messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import pika
import psycopg
from psycopg import sql

from controller import bootstrap
from controller.bench.passes import Farm, Size, ground
from controller.bootstrap import Ports
from controller.clock import SystemClock
from controller.config_groups import PublicationConfig, RabbitConfig, S3Config
from controller.config_values import Secret
from infra.postgres import connect
from infra.rabbitmq import RabbitAccess, RabbitBroker, Topology
from models.announcement import Shop, message_of
from models.broker import Fate, Message
from models.lifecycle import Status
from models.objects import ObjectStore, Place
from models.publication import PublicationState
from models.reports import RunResult
from models.settings import DEFAULT_SETTINGS
from simulator.buckets import ACCESS_KEY, REGION, SECRET_KEY, ServedBuckets
from simulator.examples.products import a_manifest
from simulator.objects import MemoryObjects, SimulatedBuckets
from simulator.press import content_of
from tests.bench.conftest import Figures
from tests.plugins.pressroom import names as names_of
from tests.plugins.pressroom import written
from tests.plugins.rabbitmq import Rabbit
from tests.plugins.stores import Desk, postgres_doors

MESSAGES = 3_000
CALLERS = 8
"""As many jobs as a controller publishes at once by default."""

OF_A_JOB = 2
LONE = 20
WAITING = 1_000
PASSES = int(timedelta(hours=1) / DEFAULT_SETTINGS.passes.resync)
"""As many as an outage of an hour has: in each of them the broker is tried once more."""

WARM = 20
PATIENCE_SECONDS = 900.0
RESULTS, PRODUCTS = "bench-results", "bench-products"


class QuickDesk(Desk):
    """Jobs by the thousand: what is judged after each change elsewhere is not, here."""

    def check_history(self) -> None:
        """Nothing."""


@dataclass(frozen=True, kw_only=True)
class AtWork:
    """A controller that publishes, and who makes jobs for it."""

    ports: Ports
    desk: Desk
    objects: ObjectStore
    url: str
    farm: Farm

    def hand_in(self, number: int) -> tuple[int, float]:
        """Let a run with two products end; its job, and when it said so."""
        desk = self.desk
        run = desk.claimed()
        desk.advanced(run, Status.POST_PROCESSING)
        made = a_manifest(
            desk.job(run.job_id).unique_id,
            desk.run(run),
            products=tuple(written(name) for name in names_of(number)),
        )
        for product in made.products:
            for file in product.files:
                place = Place(bucket=RESULTS, key=f"{made.prefix}{file.key}")
                self.objects.put(place, content_of(file.key))
        result = RunResult(status=Status.PROCESSED, exit_code=0, manifest=made)
        began = time.perf_counter()
        desk.doors.reports.end(run.id, 1, result)
        return run.job_id, began

    def stand(self, state: PublicationState) -> int:
        """How many publications stand there."""
        query = "select count(*) from publications where state = %s"
        with psycopg.connect(self.url) as connection:
            row = connection.execute(query, [state.value]).fetchone()
        return int(row[0]) if row else 0

    def passes(self) -> int:
        """How many passes the loop has made."""
        value = self.ports.metrics.registry.get_sample_value
        labels = ({"loop": "publication", "result": each} for each in ("done", "failed"))
        return int(sum(value("hrsi_passes_total", each) or 0 for each in labels))


@contextmanager
def at_work(
    rabbit: Rabbit, topology: Topology, s3: ServedBuckets, objects: ObjectStore | None = None
) -> Iterator[AtWork]:
    """The publication loop of a whole controller, with its wake-ups; products on `s3`, or there."""
    with ExitStack() as stack:
        farm = stack.enter_context(ground(Size(workers=1, history=1), lambda _: None))
        for bucket in (RESULTS, PRODUCTS):
            s3.make(bucket)
            stack.callback(s3.remove, bucket)
        config = replace(
            farm.config,
            s3=S3Config(
                endpoint=s3.url,
                access_key=ACCESS_KEY,
                secret_key=Secret(SECRET_KEY),
                region=REGION,
                results=RESULTS,
            ),
            publication=PublicationConfig(bucket=PRODUCTS),
            rabbitmq=RabbitConfig(
                urls=Secret(rabbit.url),
                exchange=topology.exchange,
                queue=topology.queue,
                failures_exchange=topology.failures_exchange,
                failures_queue=topology.failures_queue,
            ),
        )
        ports = bootstrap.connect(config, farm.outside.served.environment)
        stack.callback(ports.close)
        press = ports.press
        assert press is not None
        if objects is not None:
            press = replace(press, results=objects, products=objects)
            ports = replace(ports, press=press)
        url = config.database.url.reveal()
        postgres = connect(url, application_name="bench")
        stack.callback(postgres.dispose)
        process = bootstrap.controller(config, ports, ["publication"])
        process.start()
        stack.callback(process.stop)
        desk = QuickDesk(postgres_doors(postgres))
        yield AtWork(ports=ports, desk=desk, objects=press.results, url=url, farm=farm)


def wait(done: Callable[[], bool], what: str, every: float = 0.05) -> None:
    """Look until it is so."""
    over = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < over, f"not in time: {what}"
        time.sleep(every)


# ---- beside a bare client ------------------------------------------------------------------------


def test_confirmed_publications_beside_a_bare_client(
    rabbit: Rabbit, names: Topology, figures: Figures
) -> None:
    messages = announcements(MESSAGES)
    ours_, bare_ = [], []
    for _ in range(3):
        bare_.append(bare(rabbit, names, messages[: MESSAGES // 3]))
        ours_.append(ours(rabbit, names, messages))
    ours_rate, bare_rate = median(ours_), median(bare_)
    bound = min(1_000.0, bare_rate / 2)
    figures.time(
        "confirmed messages a second, 8 callers with 2 each on one connection / a bare pika loop",
        f"{ours_rate:,.0f} / {bare_rate:,.0f}",
        f"≥ {bound:,.0f}",
        holds=ours_rate >= bound,
    )
    figures.ratio("confirmed messages a second, ours ÷ a bare pika loop", ours_rate / bare_rate)


def announcements(count: int) -> list[Message]:
    """Messages of products, as the outbox keeps them."""
    return [
        Message(
            id=f"{name}:{'0' * 64}:1",
            body=message_of(written(name), Shop()),
            headers={"job": number, "run": "0" * 36, "send": 1, "product_type": "fsc"},
        )
        for number in range(count)
        for name in names_of(number)[:1]
    ]


def ours(rabbit: Rabbit, topology: Topology, messages: Sequence[Message]) -> float:
    """Confirmed messages a second, sent as jobs do."""
    access = RabbitAccess(
        urls=(rabbit.url,), topology=topology, call_deadline=lambda: timedelta(seconds=60)
    )
    with closing(RabbitBroker(access)) as broker, ThreadPoolExecutor(CALLERS) as callers:
        broker.publish(messages[:OF_A_JOB])
        jobs = [messages[at : at + OF_A_JOB] for at in range(0, len(messages), OF_A_JOB)]
        began = time.perf_counter()
        told = [each for found in callers.map(broker.publish, jobs) for each in found]
        took = time.perf_counter() - began
    assert {each.fate for each in told} == {Fate.CONFIRMED}
    return len(messages) / took


def bare(rabbit: Rabbit, topology: Topology, messages: Sequence[Message]) -> float:
    """Confirmed messages a second of a client that does nothing else."""
    with closing(pika.BlockingConnection(pika.URLParameters(rabbit.url))) as connection:
        channel = connection.channel()
        channel.exchange_declare(topology.exchange, "direct", durable=True)
        channel.queue_declare(topology.queue, durable=True)
        channel.queue_bind(topology.queue, topology.exchange, topology.routing_key)
        channel.confirm_delivery()
        began = time.perf_counter()
        for message in messages:
            channel.basic_publish(
                topology.exchange,
                topology.routing_key,
                message.body,
                pika.BasicProperties(
                    message_id=message.id, delivery_mode=2, headers=dict(message.headers)
                ),
                mandatory=True,
            )
        return len(messages) / (time.perf_counter() - began)


# ---- a lone job ----------------------------------------------------------------------------------


def test_a_lone_job_is_announced_soon(
    rabbit: Rabbit, names: Topology, s3_server: ServedBuckets, figures: Figures
) -> None:
    with at_work(rabbit, names, s3_server) as work:
        wait(lambda: work.passes() > 1, "the first passes")
        waits = [lone_job(work, number) for number in range(LONE)]
    p95 = quantiles(waits, n=20)[-1]
    figures.time(
        "processed → both messages confirmed, a lone job of 6 small files, wake-ups on, p50 / p95",
        f"{median(waits) * 1000:.0f} / {p95 * 1000:.0f} ms",
        "p95 ≤ 1 s",
        holds=p95 <= 1,
    )


def lone_job(work: AtWork, number: int) -> float:
    """Seconds from a run's last word to the job's last status, which confirms come before."""
    time.sleep(0.6)  # until the wake-ups of the one before are over
    job_id, began = work.hand_in(number)
    wait(lambda: work.desk.job(job_id).status is Status.DONE, f"job {job_id} is done", 0.005)
    return time.perf_counter() - began


# ---- after an outage -----------------------------------------------------------------------------


_JOBS_LIKE_IT = (
    ("jobs", "'id', t.id + n, 'unique_id', gen_random_uuid(), 'key', t.key || n"),
    ("status_changes", "'job_id', t.job_id + n"),
    ("publications", "'id', t.id + 2 * n, 'job_id', t.job_id + n, 'product', t.product || n"),
)
"""Tables that know of a job, and what differs in the rows of the n-th one like it."""


def multiply(connection: psycopg.Connection[Any], jobs: int) -> None:
    """Let there be as many jobs like the one whose products are copied: making each takes long."""
    connection.execute("set local session_replication_role = replica")
    for table, changes in _JOBS_LIKE_IT:
        found = connection.execute(
            "select column_name from information_schema.columns"
            " where table_name = %s and table_schema = 'public' and is_generated = 'NEVER'",
            [table],
        )
        columns = sql.SQL(", ").join(sql.Identifier(str(name)) for (name,) in found.fetchall())
        statement = sql.SQL(
            "insert into {table} ({columns}) overriding system value select {columns} from ("
            " select (jsonb_populate_record(t, jsonb_build_object({changes}))).*"
            " from {table} t, generate_series(1, {more}) n"
            " where {job} = (select min(job_id) from publications)) made"
        ).format(
            table=sql.Identifier(table),
            columns=columns,
            changes=sql.SQL(changes),
            more=sql.Literal(jobs - 1),
            job=sql.SQL("t.id" if table == "jobs" else "t.job_id"),
        )
        connection.execute(statement)
    connection.execute("delete from job_counts")
    connection.execute(
        "insert into job_counts (type, flavor, status, priority, quarantined, number)"
        " select type, flavor, status, priority, quarantined, count(*) from jobs"
        " group by 1, 2, 3, 4, 5"
    )


def test_what_waited_for_the_broker_leaves_soon_and_memory_stays_flat(
    rabbit: Rabbit, names: Topology, s3_server: ServedBuckets, figures: Figures
) -> None:
    with ExitStack() as stack:
        buckets = SimulatedBuckets(SystemClock())
        buckets.make(RESULTS, PRODUCTS)
        rabbit.kill()
        work = stack.enter_context(at_work(rabbit, names, s3_server, MemoryObjects(buckets)))
        work.hand_in(0)
        wait(lambda: work.stand(PublicationState.COPIED) == 2, "the first is copied")
        with psycopg.connect(work.url) as connection:
            multiply(connection, WAITING)
        assert work.stand(PublicationState.COPIED) == 2 * WAITING
        before, after = memory_of_an_outage(work)
        rabbit.start()
        began = time.perf_counter()
        wait(lambda: work.stand(PublicationState.CONFIRMED) == 2 * WAITING, "all is confirmed")
        took = time.perf_counter() - began
    figures.time(
        f"{2 * WAITING:,} products that waited for the broker are confirmed after",
        f"{took:.1f} s",
        "≤ 60 s",
        holds=took <= 60,
    )
    figures.time(
        f"memory before and after {PASSES} passes, an hour's, in which {2 * WAITING:,} products "
        "wait for it",
        f"{before:.1f} → {after:.1f} MB",
        "≤ 5 MB more",
        holds=after - before <= 5,
    )


def memory_of_an_outage(work: AtWork) -> tuple[float, float]:
    """Megabytes of this process, once it is warm, before and after the passes of an hour. They
    follow close upon one another: what a pass leaves behind it leaves however long the next waits.
    """
    work.farm.set({"passes.resync": 0.05, "passes.merge": 0})
    begun = work.passes()
    wait(lambda: work.passes() >= begun + WARM, "it is warm")
    before = resident()
    wait(lambda: work.passes() >= begun + WARM + PASSES, "the passes of an hour", 0.5)
    after = resident()
    work.farm.set({"passes.resync": 5, "passes.merge": 0.2})
    return before, after


def resident() -> float:
    """Megabytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20
