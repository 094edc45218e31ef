"""What the doctor says of buckets and broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from controller.doctor.patients import BucketPatient, PressPatient
from controller.doctor.press import press_checks
from models.checkup import Check, Health
from models.errors import Refused
from models.objects import BucketNotFound
from simulator.broker import MemoryBroker, SimulatedBroker
from simulator.examples import NOW
from simulator.examples.products import FSC, RLIE
from tests.plugins.pressroom import InMemory

OK, WARNING, FAILED = Health.OK, Health.WARNING, Health.FAILED


@dataclass
class Buckets:
    """Buckets that are there, and those of them that may be written."""

    there: tuple[str, ...] = ("results", "HRSI")
    writable: tuple[str, ...] = ("results", "HRSI")

    def check(self, bucket: str) -> None:
        if bucket not in self.there:
            raise BucketNotFound(f"there is no bucket {bucket}")

    def prove_writable(self, bucket: str) -> None:
        if bucket not in self.writable:
            raise Refused(f"begin an upload to {bucket}: access denied")


def said(patient: PressPatient) -> dict[str, Check]:
    checks = press_checks(patient, None, NOW)
    return {f"{check.about} {check.name}": check for check in checks}


def a_bucket(name: str, bucket: str, probe: Buckets | None = None) -> BucketPatient:
    return BucketPatient(name=name, bucket=bucket, probe=probe or Buckets())


def a_patient(probe: Buckets | None = None, **changes: Any) -> PressPatient:
    default: dict[str, Any] = {
        "buckets": (
            a_bucket("results bucket", "results", probe),
            a_bucket("product bucket", "HRSI", probe),
        ),
        "publishes": True,
        "broker": MemoryBroker(SimulatedBroker()),
        "declares": True,
        "in_files": lambda: 0,
    }
    return PressPatient(**{**default, **changes})


def test_all_is_well() -> None:
    found = said(a_patient())
    assert list(found) == [
        "s3 results bucket",
        "s3 results bucket written",
        "s3 product bucket",
        "s3 product bucket written",
        "rabbitmq access",
        "rabbitmq files",
    ]
    assert {check.health for check in found.values()} == {OK}


@pytest.mark.parametrize(
    ("buckets", "check", "words"),
    [
        pytest.param(
            Buckets(there=("results",)), "s3 product bucket", "no bucket HRSI", id="not-there"
        ),
        pytest.param(
            Buckets(writable=("results",)), "s3 product bucket written", "denied", id="read-only"
        ),
    ],
)
def test_a_bucket_that_cannot_be_used_is_told_with_a_remedy(
    buckets: Buckets, check: str, words: str
) -> None:
    found = said(a_patient(buckets))
    assert found[check].health is FAILED
    assert words in found[check].found
    assert found[check].remedy
    assert found["s3 results bucket written"].health is OK
    assert ("s3 product bucket written" in found) == ("HRSI" in buckets.there)


@pytest.mark.parametrize(
    ("broker", "declares", "health"),
    [
        pytest.param({"reachable": False}, True, FAILED, id="away"),
        pytest.param({"admits": False}, True, FAILED, id="access-refused"),
        pytest.param({"whole": False}, True, WARNING, id="to-be-made"),
        pytest.param({"whole": False}, False, FAILED, id="to-be-made-by-hand"),
    ],
)
def test_a_broker_that_cannot_be_used_is_told_with_a_remedy(
    broker: dict[str, Any], declares: bool, health: Health
) -> None:
    client = MemoryBroker(SimulatedBroker(**broker))
    check = said(a_patient(broker=client, declares=declares))["rabbitmq access"]
    assert check.health is health
    assert check.remedy


def test_without_a_broker_nobody_hears_of_products() -> None:
    check = said(a_patient(broker=None))["rabbitmq access"]
    assert check.health is WARNING
    assert "send-spool" in check.remedy


def test_once_there_is_a_broker_what_still_waits_in_files_is_told() -> None:
    check = said(a_patient(in_files=lambda: 3))["rabbitmq files"]
    assert check.health is WARNING
    assert check.found.startswith("3 messages wait in files")
    assert "hrsi publication send-spool" in check.remedy
    assert "rabbitmq files" not in said(a_patient(broker=None, in_files=lambda: 3))


def test_who_publishes_nothing_needs_no_broker() -> None:
    bucket = a_bucket("results bucket", "results")
    patient = a_patient(buckets=(bucket,), publishes=False, broker=None)
    assert list(said(patient)) == ["s3 results bucket", "s3 results bucket written"]


def bindings(world: InMemory, *, declares: bool = True) -> Check:
    """What is said of bindings, by what became of messages in a world."""
    patient = a_patient(declares=declares)
    found = {each.name: each for each in press_checks(patient, world.store, world.time.now())}
    return found["bindings"]


def test_a_missing_binding_is_told_by_the_messages_that_came_back() -> None:
    world = InMemory()
    job = world.room.made(FSC, RLIE)
    assert bindings(world).health is OK
    world.broker.bound = False
    world.room.step()
    check = bindings(world)
    assert check.health is FAILED
    assert "2 messages came back: no queue is bound to exchange" in check.found
    assert FSC in check.found
    assert "bind the queue" in check.remedy
    world.broker.bound = True
    world.room.until_done(job)
    check = bindings(world)
    assert check.health is OK
    assert "a queue took" in check.found


@pytest.mark.parametrize(
    ("declares", "words"),
    [
        pytest.param(True, "a controller binds both queues", id="made-by-us"),
        pytest.param(False, "cannot be looked at", id="looked-for-only"),
    ],
)
def test_what_cannot_be_seen_of_bindings_is_said(declares: bool, words: str) -> None:
    check = bindings(InMemory(), declares=declares)
    assert check.health is OK
    assert "no message has come back" in check.found
    assert words in check.found
