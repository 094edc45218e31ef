"""What people ask of the outbox: announce again, and take parked messages in hand once more."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select

from infra.postgres.jobs import locked_job, move
from infra.postgres.outbox import of_jobs, refused, write
from infra.postgres.people import note_of
from models.errors import Malformed, Superseded
from models.lifecycle import Status
from models.outbox import forgotten, moot
from models.ports import Asked, Verdict
from models.publication import Parked, announced_again, replayed, why_not_again
from models.tables import parked_messages, publications


def republish(connection: Connection, products: Sequence[str], asked: Asked) -> tuple[Verdict, ...]:
    """See `models.outbox.Outbox.republish`."""
    newest = select(publications.c.product, func.max(publications.c.id)).group_by(
        publications.c.product
    )
    wanted = newest.where(publications.c.product == func.any([*products]))
    ids = [key for _, key in connection.execute(wanted)]
    owners = select(publications.c.product, publications.c.job_id).where(
        publications.c.id == func.any(ids)
    )
    # Locked in the order of their ids, as everybody does who locks several.
    jobs_of = sorted((job_id, product) for product, job_id in connection.execute(owners))
    verdicts = {product: _again(connection, product, job_id, asked) for job_id, product in jobs_of}
    return tuple(verdicts.get(product) or _never(product) for product in products)


def _never(product: str) -> Verdict:
    because = why_not_again(None, None) or ""
    return Verdict(subject=f"product:{product}", done=False, because=because)


def _again(connection: Connection, product: str, job_id: int, asked: Asked) -> Verdict:
    job = locked_job(connection, job_id)
    (found,) = (each for each in of_jobs(connection, [job_id]) if each.product == product)
    refusal = why_not_again(found, job)
    subject = f"product:{product}"
    if refusal is not None:
        return Verdict(subject=subject, done=False, because=refusal)
    if not asked.dry_run:
        note = note_of(connection, asked)
        write(connection, announced_again(found, note.at), confirmed_at=None)
        if job.status is Status.DONE:
            job = move(connection, job, Status.ERROR_CHECKED, note)
            move(connection, job, Status.START_PUBLICATION, note)
    return Verdict(subject=subject, done=True, because=f"send {found.send + 1}, of job {job_id}")


def replay_parked(
    connection: Connection, ids: Sequence[int], most_refusals: int, asked: Asked
) -> tuple[Verdict, ...]:
    """See `models.outbox.Outbox.replay_parked`."""
    verdicts = {key: _replayed(connection, key, most_refusals, asked) for key in sorted(set(ids))}
    return tuple(verdicts[key] for key in ids)


def _replayed(connection: Connection, key: int, most_refusals: int, asked: Asked) -> Verdict:
    subject, columns = f"parked:{key}", parked_messages.c
    query = select(columns.body, columns.why, columns.first_at, columns.last_at)
    row = connection.execute(query.where(columns.id == key).with_for_update()).one_or_none()
    if row is None:
        return Verdict(subject=subject, done=False, because="there is no such parked message")
    body, why, first_at, last_at = row
    parked = Parked(id=key, body=bytes(body), why=why, first_at=first_at, last_at=last_at)
    note = note_of(connection, asked)
    # What is only tried is taken back.
    trial = connection.begin_nested()
    try:
        change = replayed(parked, most_refusals, note.at)
        counted = refused(connection, asked.actor, change).job is not None
    except (Malformed, Superseded) as error:
        trial.rollback()
        return Verdict(subject=subject, done=False, because=str(error))
    if not counted:
        trial.rollback()
        return Verdict(subject=subject, done=False, because=moot(change.product))
    connection.execute(delete(parked_messages).where(columns.id == key))
    if asked.dry_run:
        trial.rollback()
    else:
        trial.commit()
    return Verdict(subject=subject, done=True, because=f"a refusal of {change.product}")


def forget_parked(connection: Connection, ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
    """See `models.outbox.Outbox.forget_parked`."""
    columns = parked_messages.c
    wanted = select(columns.id, columns.why).where(columns.id == func.any([*ids]))
    ordered = wanted.order_by(columns.id).with_for_update()
    there = {row.id: row.why for row in connection.execute(ordered)}
    if not asked.dry_run:
        connection.execute(delete(parked_messages).where(columns.id == func.any([*there])))
    return tuple(forgotten(key, there.get(key)) for key in ids)
