"""What publication counts: what is open, what was sent, what came back, and how late it all was."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from controller.spooling import send_spool
from infra.spool import Spool
from models.lifecycle import Status
from models.ports import Asked
from simulator.broker import MemoryBroker
from simulator.examples.products import FSC, RLIE
from tests.plugins.pressroom import InMemory, names, written
from tests.plugins.publishing import ended, in_files


def value(world: InMemory, name: str, **labels: Any) -> float | None:
    return world.room.metrics.registry.get_sample_value(name, labels)


def test_everything_is_there_at_nought_from_the_start() -> None:
    world = InMemory()
    for fate in ("confirmed", "spooled", "returned", "rejected", "unknown"):
        assert value(world, "hrsi_messages_total", type="gfsc", fate=fate) == 0
    for outcome in ("counted", "parked"):
        assert value(world, "hrsi_refusals_total", outcome=outcome) == 0
    for since in ("sensing", "publication"):
        assert value(world, "hrsi_product_delay_seconds_count", type="fsc", since=since) == 0


def test_what_waits_is_shown_with_its_age_until_it_is_announced() -> None:
    world = InMemory()
    job = world.room.made(FSC, RLIE)
    world.broker.reachable = False
    world.room.step()
    world.time.advance(timedelta(minutes=10))
    world.room.step()
    assert value(world, "hrsi_outbox", type="fsc", state="copied") == 1
    age = value(world, "hrsi_outbox_age_seconds", type="rlie")
    assert age is not None
    assert 600 <= age < 660
    world.broker.reachable = True
    world.room.until_done(job)
    world.room.step()
    assert value(world, "hrsi_outbox", type="fsc", state="copied") is None
    assert value(world, "hrsi_outbox_age_seconds", type="rlie") == 0


def test_a_confirmed_message_is_counted_with_its_delay() -> None:
    world = InMemory()
    world.room.until_done(world.room.made(FSC, RLIE))
    for kind in ("fsc", "rlie"):
        assert value(world, "hrsi_messages_total", type=kind, fate="confirmed") == 1
        delay = {"type": kind, "since": "sensing"}
        assert value(world, "hrsi_product_delay_seconds_count", **delay) == 1
    assert value(world, "hrsi_confirm_seconds_count") == 2


def test_products_within_three_hours_are_told_from_later_ones() -> None:
    world = InMemory()
    within = {"type": "fsc", "since": "sensing", "le": "10800.0"}
    for name, hours, in_time in ((FSC, 2, 1), (names(0)[0], 2, 1)):
        # Both were sensed when the world began: the second is announced after four hours.
        world.time.advance(timedelta(hours=hours))
        world.room.until_done(world.room.made(name))
        assert value(world, "hrsi_product_delay_seconds_bucket", **within) == in_time
    count = value(world, "hrsi_product_delay_seconds_count", type="fsc", since="sensing")
    assert count == 2


def test_the_steps_of_a_products_way_make_up_the_whole() -> None:
    world = InMemory()
    world.time.advance(timedelta(hours=1))
    listed_at = world.time.now() - timedelta(minutes=50)
    desk = world.room.parts.desk
    job_id, *_ = desk.submit(input={"published_at": listed_at.isoformat()})
    world.time.advance(timedelta(minutes=7))
    run = desk.claimed(job_id)
    world.time.advance(timedelta(minutes=30))
    job = ended(desk, run, products=(written(FSC),))
    world.room.upload(world.room.manifest(job))
    world.time.advance(timedelta(minutes=2))
    world.room.until_done(job)
    took = {
        step: value(world, "hrsi_turnaround_seconds_total", type="fsc", step=step)
        for step in ("creation", "waiting", "running", "publication")
    }
    assert took == {"creation": 3000, "waiting": 420, "running": 1800, "publication": 120}
    whole = value(world, "hrsi_product_delay_seconds_sum", type="fsc", since="publication")
    assert sum(filter(None, took.values())) == whole


def test_a_product_that_was_refused_is_no_second_product() -> None:
    world = InMemory()
    job = world.room.made(FSC)
    world.room.until_done(job)
    world.broker.refuse(world.broker.announced[0].body)
    world.room.step()
    assert world.room.parts.desk.job(job.id).status is Status.START_PUBLICATION
    assert value(world, "hrsi_refusals_total", outcome="counted") == 1
    world.time.advance(timedelta(hours=2))
    world.room.until_done(job)
    assert value(world, "hrsi_messages_total", type="fsc", fate="confirmed") == 2
    assert value(world, "hrsi_product_delay_seconds_count", type="fsc", since="sensing") == 1


def test_what_nobody_can_match_is_shown_as_parked() -> None:
    world = InMemory()
    world.broker.refuse(b"nonsense")
    world.room.step()
    world.room.step()
    assert value(world, "hrsi_refusals_total", outcome="parked") == 1
    assert value(world, "hrsi_parked_messages") == 1
    world.room.metrics.forget()
    assert value(world, "hrsi_parked_messages") == 0


def test_what_people_send_from_files_is_counted_by_whoever_publishes(tmp_path: Path) -> None:
    world = InMemory()
    spool = Spool(tmp_path, world.time.now)
    world.room.parts.broker = lambda: spool
    world.room.parts.announced = lambda: in_files(spool)
    world.room.begin()
    world.room.until_done(world.room.made(FSC, RLIE))
    world.room.step()
    asked = Asked(actor="ada@desk", reason="a test")
    send_spool(spool, MemoryBroker(world.broker), world.store, asked)
    for _ in range(2):
        world.room.step_unjudged()
        for kind in ("fsc", "rlie"):
            for fate in ("spooled", "confirmed"):
                assert value(world, "hrsi_messages_total", type=kind, fate=fate) == 1
    # Whoever begins to count later has not sent them.
    world.room.metrics.forget()
    world.room.step_unjudged()
    assert value(world, "hrsi_messages_total", type="fsc", fate="confirmed") == 1
