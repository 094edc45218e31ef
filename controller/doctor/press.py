"""What publication needs: the buckets, which it reads and writes, and the message broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from controller.doctor.findings import Found, checked, failed, warning
from controller.doctor.patients import BucketPatient, PressPatient
from models.broker import UNBOUND
from models.checkup import Check, Health
from models.errors import NotFound, System
from models.outbox import Outbox
from models.publication import PublicationState
from models.wording import counted, in_utc, wait

_TAKEN = PublicationState.CONFIRMED
OBJECTS, BROKER = System.OBJECTS.value, System.BROKER.value

_REACH = (
    "check S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the bucket's name; of the "
    "product bucket also HRSI_PUBLICATION_ACCESS_KEY and its kin, where they are set"
)
_WRITE = "give these keys the right to write objects there (s3:PutObject, s3:DeleteObject)"
MOST_JOBS = 1000
LATELY = timedelta(days=1)
"""Among so many jobs messages that came back are looked for, and since then those that did not."""

_READ = "let whoever runs the controller read the folder `publication.spool`"
_MEND = "check AMQP_URL, and the user's permissions on the vhost (configure, write, read)"


def press_checks(patient: PressPatient, outbox: Outbox | None, now: datetime) -> Iterator[Check]:
    """All checks of the buckets and of the broker; a bucket is written to only if it is there. What
    is told of bindings is told by the outbox: without one nothing is.
    """
    for each in patient.buckets:
        yield from _bucket_checks(each)
    if patient.publishes:
        yield checked(BROKER, "access", lambda: _broker(patient), _MEND)
    if patient.publishes and patient.broker is not None:
        yield checked(BROKER, "files", lambda: _in_files(patient), _READ)
    if patient.publishes and patient.broker is not None and outbox is not None:
        yield checked(BROKER, "bindings", lambda: _bindings(patient, outbox, now), _MEND)


def _bucket_checks(patient: BucketPatient) -> Iterator[Check]:
    name, bucket = patient.name, patient.bucket

    def look(ask: Callable[[str], None], what: str) -> Callable[[], Found]:
        def found() -> Found:
            ask(bucket)
            return Found(what=f"bucket {bucket} {what}")

        return found

    reached = checked(OBJECTS, name, look(patient.probe.check, "answers"), _REACH)
    yield reached
    if reached.health is not Health.FAILED:
        may_write = look(patient.probe.prove_writable, "may be written")
        yield checked(OBJECTS, f"{name} written", may_write, _WRITE)


def _broker(patient: PressPatient) -> Found:
    if patient.broker is None:
        return warning(
            "no broker is set: messages are written to files, and nobody hears of products",
            "set AMQP_URL, then `hrsi publication send-spool`",
        )
    try:
        patient.broker.refused(0)
    except NotFound as error:
        if patient.declares:
            return warning(
                str(error), "nothing: a controller makes it when it connects (rabbitmq.declare)"
            )
        return failed(str(error), "make it, or correct its name in the group rabbitmq")
    return Found(what="it lets us in, and exchanges and queues are there")


def _in_files(patient: PressPatient) -> Found:
    """Of what was announced before there was a broker: nothing sends it by itself."""
    waiting = patient.in_files()
    if waiting:
        return warning(
            f"{wait(waiting, 'message')} in files since there was no broker, and nobody hears of "
            "these products",
            '`hrsi publication send-spool --reason "…"`, where the folder is',
        )
    return Found(what="no message waits in a file")


def _bindings(patient: PressPatient, outbox: Outbox, now: datetime) -> Found:
    """By what became of messages: no client of AMQP can look at a binding, and a message that would
    prove one could not be kept from the endpoint.
    """
    back = [
        each
        for job in outbox.pending(MOST_JOBS)
        for each in job.publications
        if each.note is not None and each.note.startswith(UNBOUND)
    ]
    if back:
        first = back[0]
        return failed(
            f"{counted(len(back), 'message')} came back: {first.note}; the first announces "
            f"{first.product}, of job {first.job_id}",
            "bind the queue, or correct the names in the group rabbitmq; the messages are then "
            "sent again by themselves, under their ids",
        )
    confirmed = [each for each in outbox.made(now - LATELY, now + LATELY) if each.state is _TAKEN]
    proof = "no message has come back"
    if confirmed:
        last = max(confirmed, key=lambda each: each.since)
        proof = f"a queue took {last.product} at {in_utc(last.since)}"
    if patient.declares:
        return Found(what=f"{proof}; a controller binds both queues whenever it connects")
    return Found(
        what=f"{proof}; a binding cannot be looked at (rabbitmq.declare is false): `rabbitmqctl "
        "list_bindings` shows also whether refusals can reach their queue, of which nothing is seen"
    )
