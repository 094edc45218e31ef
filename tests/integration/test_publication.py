"""Publication as it runs: PostgreSQL, an S3 server over HTTP, and RabbitMQ."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from controller.cli.app import app
from controller.spooling import Sent, send_spool
from infra.postgres import Postgres
from infra.s3 import Buckets
from infra.spool import Spool, SpooledFile
from models.broker import Fate, Message
from models.lifecycle import Status
from models.objects import Place
from models.publication import (
    FAILED_ENDPOINT,
    FAILED_MESSAGE,
    FAILED_OBJECTS,
    REFUSED_BY_ENDPOINT,
    PublicationState,
)
from simulator.broker import MemoryBroker
from simulator.examples import NOW
from tests.plugins.brokers import OnRabbit
from tests.plugins.pressroom import ForReal, InMemory, for_real, names, written
from tests.plugins.publishing import in_files, processed
from tests.plugins.stores import ASKED, Desk, postgres_doors


@pytest.fixture
def real(
    own_database: Postgres,
    buckets: Buckets,
    real_broker: OnRabbit,
    new_bucket: Callable[[str], str],
) -> Iterator[ForReal]:
    wanted = {"results": new_bucket("results"), "products": new_bucket("products")}
    with for_real(Desk(postgres_doors(own_database)), buckets, real_broker, wanted) as room:
        yield room


def test_products_reach_the_bucket_and_their_messages_the_queue(real: ForReal) -> None:
    jobs = [real.room.made(*names(number)) for number in range(3)]
    nothing = processed(real.room.parts.desk, products=())
    real.room.until_done(*jobs, nothing)
    told = real.rabbit.announced()
    assert {each.id.partition(":")[0] for each in told} == {
        name for number in range(3) for name in names(number)
    }
    properties = [json.loads(each.body)["resto"]["properties"] for each in told]
    assert {each["s3_bucket"] for each in properties} == {real.room.parts.shop.bucket}
    by_attempt = {(each.headers["job"], each.headers["attempt"]) for each in told}
    assert by_attempt == {(job.id, job.attempt) for job in jobs}
    history = real.room.parts.desk.story(nothing.id).history
    assert "made no product" in (history[-1].message or "")


def test_while_the_broker_is_away_products_are_copied_and_later_announced(real: ForReal) -> None:
    job = real.room.made(*names(0))
    real.rabbit.deadline = timedelta(seconds=5)
    real.rabbit.go_away()
    real.room.step_unjudged()
    states = {row.publication.state for row in real.room.press.outbox.outgoing(job.id)}
    assert states == {PublicationState.COPIED}
    real.rabbit.come_back()
    real.room.until_done(job)


def test_a_refused_product_is_sent_again_under_a_new_id(real: ForReal) -> None:
    desk = real.room.parts.desk
    desk.doors.operations.set_parameter("publication.refusal_pause", 0, ASKED)
    job = real.room.made(*names(0))
    real.room.until_done(job)
    first = real.rabbit.announced()[0]
    real.rabbit.refuse(first.body, first.id)
    real.rabbit.refuse(b"nonsense")
    while desk.job(job.id).status is Status.DONE:
        real.room.step()
    assert desk.story(job.id).history[-1].subtype == REFUSED_BY_ENDPOINT
    real.room.until_done(job)
    again = [each for each in real.rabbit.announced() if each.body == first.body]
    assert [each.id.rpartition(":")[2] for each in again] == ["1", "2"]
    assert [each.body for each in desk.doors.outbox.parked()] == [b"nonsense"]
    assert real.rabbit.client().refused(10) == ()


# ---- what goes wrong with products ---------------------------------------------------------------


def failed(world: InMemory, **manifest: Any) -> Any:
    """The job after a pass over what cannot be published."""
    desk = world.room.parts.desk
    job = processed(desk, **manifest)
    world.room.upload(world.room.manifest(job))
    world.room.step()
    return desk.job(job.id)


def test_missing_metadata_is_an_error_that_names_product_and_field() -> None:
    world = InMemory()
    job = failed(world, products=(written(names(0)[0], cloud_cover=None),))
    assert (job.status, job.error_subtype) == (Status.INTERNAL_ERROR, FAILED_MESSAGE)
    assert job.quarantined
    message = world.room.parts.desk.story(job.id).history[-1].message or ""
    assert names(0)[0] in message
    assert "cloud_cover" in message
    assert world.broker.announced == []


def test_a_product_without_a_quick_look_is_not_announced_with_a_dead_thumbnail() -> None:
    world = InMemory()
    job = failed(world, products=(replace(written(names(0)[0]), quicklook=None),))
    assert job.error_subtype == FAILED_MESSAGE


@pytest.mark.parametrize("at_once", [1, 3], ids=["one-by-one", "together"])
@pytest.mark.parametrize("how", ["missing", "shorter", "another"])
def test_what_is_not_as_the_manifest_says_is_made_again(how: str, at_once: int) -> None:
    world = InMemory()
    world.room.parts.at_once = at_once
    world.room.begin()
    desk = world.room.parts.desk
    job = world.room.made(*names(0))
    manifest = world.room.manifest(job)
    key = f"{manifest.prefix}{manifest.products[0].files[0].key}"
    place = Place(bucket="results", key=key)
    good = world.objects.read(place)
    world.objects.delete("results", [key])
    if how == "shorter":
        world.objects.put(place, good[:-1])
    elif how == "another":
        world.objects.put(place, bytes(len(good)))
    world.room.step()
    job = desk.job(job.id)
    assert (job.status, job.error_subtype) == (Status.INTERNAL_ERROR, FAILED_OBJECTS)
    assert (job.quarantined, job.resume_status) == (False, Status.READY)
    assert world.broker.announced == []


def test_after_so_many_refusals_the_job_rests() -> None:
    world = InMemory()
    desk = world.room.parts.desk
    job = world.room.made(names(0)[0])
    for _ in range(3):
        world.room.until_done(job)
        world.broker.refuse(world.broker.announced[-1].body)
        world.room.step()
        world.time.advance(timedelta(hours=2))
    job = desk.job(job.id)
    assert (job.status, job.error_subtype) == (Status.INTERNAL_ERROR, FAILED_ENDPOINT)
    assert job.quarantined
    assert len(world.broker.announced) == 3
    assert len({each.id for each in world.broker.announced}) == 3


def test_what_lies_in_the_product_bucket_is_announced_again_without_what_the_run_left() -> None:
    world = InMemory()
    desk = world.room.parts.desk
    desk.doors.operations.set_parameter("publication.sends", 1, ASKED)
    job = world.room.made(names(0)[0])
    world.room.until_done(job)
    world.broker.refuse(world.broker.announced[-1].body)
    world.room.step()
    assert desk.job(job.id).error_subtype == FAILED_ENDPOINT
    # Outputs of runs are kept for a while only.
    keys = [stored.place.key for stored in world.objects.objects("results", "work/jobs/")]
    world.objects.delete("results", keys)
    desk.doors.operations.relaunch([job.id], ASKED)
    world.room.until_done(job)
    assert len(world.broker.announced) == 2


def test_each_refusal_of_a_product_lets_it_wait_longer() -> None:
    world = InMemory()
    desk = world.room.parts.desk
    desk.doors.operations.set_parameter("publication.sends", 5, ASKED)
    job = world.room.made(names(0)[0])
    waits = []
    for _ in range(4):
        world.room.until_done(job)
        world.broker.refuse(world.broker.announced[-1].body)
        world.room.step()
        (row,) = world.room.press.outbox.outgoing(job.id)
        assert row.publication.not_before is not None
        waits.append(row.publication.not_before - row.publication.changed_at)
        world.time.advance(timedelta(hours=2))
    assert waits == [timedelta(minutes=minutes) for minutes in (5, 10, 20, 40)]


def test_access_refused_says_what_to_mend_and_products_are_copied() -> None:
    world = InMemory()
    world.broker.admits = False
    job = world.room.made(*names(0))
    report = world.room.step()
    held = [d for d in report.decisions if d.reason.value == "SOURCE_UNKNOWN"]
    assert "check user and password" in held[0].because
    world.broker.admits = True
    world.room.until_done(job)


# ---- without a broker ----------------------------------------------------------------------------


def test_without_a_broker_messages_are_files_and_the_history_says_so(tmp_path: Path) -> None:
    world = InMemory()
    spool = Spool(tmp_path / "spool", world.time.now)
    world.room.parts.broker = lambda: spool
    world.room.parts.announced = lambda: in_files(spool)
    world.room.begin()
    job = world.room.made(*names(0))
    world.room.until_done(job)
    assert len(spool.files()) == 2
    message = world.room.parts.desk.story(job.id).history[-1].message
    assert message == "2 products written to files, for no broker is set"


def test_the_same_message_is_one_file_whoever_writes_it(tmp_path: Path) -> None:
    first, second = Spool(tmp_path, lambda: NOW), Spool(tmp_path, lambda: NOW + timedelta(hours=1))
    sent = Message(id="a:b:1", body=b'{"a": "\xc3\xa4"}', headers={"job": 1})
    assert [told.fate for told in first.publish([sent])] == [Fate.SPOOLED]
    second.publish([sent, replace(sent, id="a:b:2")])
    assert [each.read() for each in first.files()] == [sent, replace(sent, id="a:b:2")]


def spooled(tmp_path: Path) -> tuple[InMemory, Spool]:
    """A world in which two products were announced to files."""
    world, spool = InMemory(), Spool(tmp_path / "spool", lambda: NOW)
    world.room.parts.broker = lambda: spool
    world.room.parts.announced = lambda: in_files(spool)
    world.room.begin()
    world.room.until_done(world.room.made(*names(0)))
    return world, spool


def test_once_there_is_a_broker_the_files_are_sent_and_gone(tmp_path: Path) -> None:
    world, spool = spooled(tmp_path)
    ids = [each.read().id for each in spool.files()]
    broker = MemoryBroker(world.broker)
    assert send_spool(spool, broker, world.store, ASKED) == Sent(confirmed=2, kept=())
    assert [each.id for each in world.broker.announced] == ids
    assert spool.files() == ()
    states = {row.publication.state for row in world.store.outgoing(1)}
    assert states == {PublicationState.CONFIRMED}
    assert send_spool(spool, broker, world.store, ASKED) == Sent(confirmed=0, kept=())


def test_a_file_that_is_no_message_is_named_and_stops_no_other(tmp_path: Path) -> None:
    world, spool = spooled(tmp_path)
    strange = tmp_path / "spool" / "20000101T000000000000-x.json"
    strange.write_text("nonsense")
    sent = send_spool(spool, MemoryBroker(world.broker), world.store, ASKED)
    assert (sent.confirmed, len(sent.kept)) == (2, 1)
    assert f"{strange} is no message" in sent.kept[0]
    assert [each.path for each in spool.files()] == [strange]


def test_what_another_sent_meanwhile_is_no_error(tmp_path: Path) -> None:
    world, _ = spooled(tmp_path)

    class Late(Spool):
        """Lists files that are gone when they are read."""

        def files(self) -> tuple[SpooledFile, ...]:
            found = super().files()
            for each in found:
                each.remove()
            return found

    late = Late(tmp_path / "spool", lambda: NOW)
    sent = send_spool(late, MemoryBroker(world.broker), world.store, ASKED)
    assert sent == Sent(confirmed=0, kept=())


def test_what_is_not_confirmed_stays_in_its_file(tmp_path: Path) -> None:
    world, spool = spooled(tmp_path)
    world.broker.bound = False
    sent = send_spool(spool, MemoryBroker(world.broker), world.store, ASKED)
    assert (sent.confirmed, len(sent.kept), len(spool.files())) == (0, 2, 2)
    assert "no queue is bound" in sent.kept[0]


def test_people_send_what_waits_in_files_to_a_real_broker(
    real_broker: OnRabbit, own_database_url: str, tmp_path: Path
) -> None:
    sent = [Message(id=f"a:b:{number}", body=b"{}") for number in range(3)]
    Spool(tmp_path, lambda: NOW).publish(sent)
    names_ = real_broker.names
    environment = {
        "DATABASE_URL": own_database_url,
        "HRSI_PUBLICATION_SPOOL": str(tmp_path),
        "HRSI_RABBITMQ_EXCHANGE": names_.exchange,
        "HRSI_RABBITMQ_QUEUE": names_.queue,
        "HRSI_RABBITMQ_FAILURES_EXCHANGE": names_.failures_exchange,
        "HRSI_RABBITMQ_FAILURES_QUEUE": names_.failures_queue,
    }
    words = ["publication", "send-spool", "--reason", "a test"]
    without = CliRunner().invoke(app, words, env={**environment, "AMQP_URL": ""})
    assert "AMQP_URL is not set" in str(without.exception)
    environment["AMQP_URL"] = real_broker.rabbit.url
    before = CliRunner().invoke(app, [*words, "--dry-run"], env={**environment, "AMQP_URL": ""})
    assert before.stdout == "3 messages would be sent\n"
    done = CliRunner().invoke(app, words, env=environment)
    assert done.exit_code == 0, done.exception
    assert done.stdout == "3 messages sent and confirmed\n"
    assert sorted(real_broker.announced(), key=lambda each: each.id) == sent
    assert list(tmp_path.iterdir()) == []
    listed = CliRunner().invoke(app, ["publication", "parked", "--json"], env=environment)
    assert json.loads(listed.stdout) == []
