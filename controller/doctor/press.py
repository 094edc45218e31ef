"""What publication needs: the buckets, which it reads and writes, and the message broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from controller.doctor.findings import Found, checked, failed, warning
from controller.doctor.patients import PressPatient
from models.checkup import Check, Health
from models.errors import NotFound, System

OBJECTS, BROKER = System.OBJECTS.value, System.BROKER.value

_REACH = "check S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the bucket's name"
_WRITE = "give these keys the right to write objects there (s3:PutObject, s3:DeleteObject)"
_MEND = "check AMQP_URL, and the user's permissions on the vhost (configure, write, read)"


def press_checks(patient: PressPatient) -> Iterator[Check]:
    """All checks of the buckets and of the broker; a bucket is written to only if it is there."""
    for name, bucket in patient.buckets:
        yield from _bucket_checks(patient, name, bucket)
    if patient.publishes:
        yield checked(BROKER, "access", lambda: _broker(patient), _MEND)


def _bucket_checks(patient: PressPatient, name: str, bucket: str) -> Iterator[Check]:
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
