"""Short ways to where tests of publication begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from infra.spool import Spool
from models.broker import Fate
from models.changes import Change
from models.lifecycle import Status
from models.manifest import digest_of
from models.publication import (
    BeginPublication,
    Draft,
    FailPublication,
    FinishJob,
    NoteCopied,
    NoteRefusal,
    NoteSending,
    NoteSent,
    Outgoing,
    ParkMessage,
    Publication,
)
from models.records import Job, Run
from simulator.examples.products import a_manifest
from tests.plugins.stores import Desk

PAUSE = timedelta(minutes=5)


def processed(desk: Desk, job_id: int | None = None, **manifest: Any) -> Job:
    """A job whose run made products: FSC and RLIE, unless `manifest` says otherwise."""
    return ended(desk, desk.claimed(job_id), **manifest)


def ended(desk: Desk, run: Run, **manifest: Any) -> Job:
    """The job of a run, which ends having made products."""
    desk.advanced(run, Status.POST_PROCESSING)
    made = a_manifest(desk.job(run.job_id).unique_id, desk.run(run), **manifest)
    desk.end(run, Status.PROCESSED, manifest=made)
    return desk.job(run.job_id)


def begin(desk: Desk, job: Job) -> BeginPublication:
    """The change by which its publication begins."""
    manifest = desk.doors.outbox.manifest(job.id)
    assert manifest is not None
    return BeginPublication(
        at=desk.now(),
        job_id=job.id,
        expected_seq=job.seq,
        run_id=manifest.run_id,
        digest=digest_of(manifest),
        drafts=tuple(
            Draft(product=made.name, kind=made.kind.value, body=f"{made.name}!".encode())
            for made in manifest.products
        ),
    )


def begun(desk: Desk) -> Job:
    """A job in start_publication."""
    job = processed(desk)
    desk.do(begin(desk, job))
    return desk.job(job.id)


def publications(desk: Desk, job: Job) -> tuple[Publication, ...]:
    """All of a job, by id."""
    return tuple(each.publication for each in outgoing(desk, job))


def outgoing(desk: Desk, job: Job) -> tuple[Outgoing, ...]:
    """The same with their messages."""
    return desk.doors.outbox.outgoing(job.id)


def copied(desk: Desk) -> Job:
    """A job whose products are in the product bucket."""
    job = begun(desk)
    desk.do(copy(desk, job))
    return desk.job(job.id)


def sending(desk: Desk) -> Job:
    """A job whose messages are about to be sent, or were."""
    job = copied(desk)
    desk.do(send(desk, job))
    return desk.job(job.id)


def announced(desk: Desk) -> Job:
    """A job whose messages are confirmed: it is done."""
    job = sending(desk)
    desk.do(hear(desk, job))
    return desk.job(job.id)


def copy(desk: Desk, job: Job) -> NoteCopied:
    return NoteCopied(
        at=desk.now(), job_id=job.id, expected_seq=job.seq, publication_ids=_ids(desk, job)
    )


def send(desk: Desk, job: Job) -> NoteSending:
    return NoteSending(
        at=desk.now(), job_id=job.id, expected_seq=job.seq, publication_ids=_ids(desk, job)
    )


def hear(desk: Desk, job: Job, *fates: Fate) -> NoteSent:
    """What the broker said of the job's messages; of those that are not named, that it has them."""
    keys = _ids(desk, job)
    heard = (*fates, *(Fate.CONFIRMED for _ in keys[len(fates) :]))
    return NoteSent(
        at=desk.now(),
        job_id=job.id,
        expected_seq=job.seq,
        fates=tuple((key, fate, "") for key, fate in zip(keys, heard, strict=True)),
        message="2 products announced",
    )


def refuse(desk: Desk, product: str, **changes: Any) -> NoteRefusal:
    """The endpoint could not take the newest announcement of a product."""
    default: dict[str, Any] = {"message_id": None, "most_refusals": 3, "message": "refused"}
    return NoteRefusal(
        at=desk.now(), product=product, retries_at=(desk.now() + PAUSE,), **{**default, **changes}
    )


def fail(desk: Desk, job: Job, *, quarantined: bool = False) -> FailPublication:
    return FailPublication(
        at=desk.now(),
        job_id=job.id,
        expected_seq=job.seq,
        subtype="S3 object not found",
        message="it is gone",
        quarantined=quarantined,
    )


def finish(desk: Desk, job: Job) -> FinishJob:
    return FinishJob(at=desk.now(), job_id=job.id, expected_seq=job.seq, message="no product")


def _ids(desk: Desk, job: Job) -> tuple[int, ...]:
    return tuple(each.id for each in publications(desk, job))


def _refusal(desk: Desk) -> Change:
    job = announced(desk)
    return refuse(desk, publications(desk, job)[0].product)


PUBLICATION_CHANGES: Mapping[type[Change], Callable[[Desk], Change]] = {
    BeginPublication: lambda d: begin(d, processed(d)),
    NoteCopied: lambda d: copy(d, begun(d)),
    NoteSending: lambda d: send(d, copied(d)),
    NoteSent: lambda d: hear(d, sending(d)),
    FinishJob: lambda d: finish(d, processed(d, products=())),
    FailPublication: lambda d: fail(d, begun(d)),
    NoteRefusal: _refusal,
    ParkMessage: lambda d: ParkMessage(at=d.now(), body=b"nonsense", why="it is no JSON"),
}
"""One of each change, where it may be done."""


def in_files(spool: Spool) -> list[tuple[str, bytes]]:
    """Ids and bodies of the messages that wait in files."""
    return [(message.id, message.body) for message in (file.read() for file in spool.files())]
