"""What people ask of the outbox in memory: announce again, and take parked messages in hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from models.errors import Malformed
from models.lifecycle import Status
from models.outbox import forgotten, moot
from models.ports import Verdict
from models.publication import after_refusal, announced_again, replayed, why_not_again
from models.reckoning import Made
from simulator.store.outbox import of_job, refused
from simulator.store.people import Asking
from simulator.store.tables import Tables


def made(tables: Tables, since: datetime, until: datetime) -> tuple[Made, ...]:
    """See `models.outbox.Outbox.made`."""
    found = sorted(_made(tables, since, until), key=lambda each: (each.made_at, each.product))
    return tuple(found)


def _made(tables: Tables, since: datetime, until: datetime) -> Iterator[Made]:
    for manifest in tables.manifests.values():
        run = tables.runs[manifest.run_id]
        job = tables.jobs[run.job_id]
        current = job.attempt == run.attempt and job.status is not Status.CANCELLED
        if run.ended_at is None or not current or not since <= run.ended_at < until:
            continue
        rows = {each.product: each for each in of_job(tables, job.id) if each.run_id == run.id}
        for product in manifest.products:
            row = rows.get(product.name)
            yield Made(
                product=product.name,
                kind=product.kind.value,
                job_id=job.id,
                status=job.status,
                made_at=run.ended_at,
                since=run.ended_at if row is None else row.changed_at,
                files=len(product.files),
                state=None if row is None else row.state,
            )


def republish(asking: Asking, products: Sequence[str]) -> tuple[Verdict, ...]:
    """See `models.outbox.Outbox.republish`."""
    verdicts = {product: _again(asking, product) for product in dict.fromkeys(products)}
    asking.audit("republish", [each.subject for each in verdicts.values() if each.done])
    return tuple(verdicts[product] for product in products)


def _again(asking: Asking, product: str) -> Verdict:
    tables, subject = asking.tables, f"product:{product}"
    named = tables.publications_by_product.of(product)
    found = max(named, key=lambda each: each.id, default=None)
    job = tables.jobs.get(found.job_id) if found is not None else None
    refusal = why_not_again(found, job)
    if found is None or job is None or refusal is not None:
        return Verdict(subject=subject, done=False, because=refusal or "")

    def do() -> None:
        tables.publications.put(found.id, announced_again(found, asking.now))
        if job.status is Status.DONE:
            checked = tables.move(job, Status.ERROR_CHECKED, asking.note)
            tables.move(checked, Status.START_PUBLICATION, asking.note)

    return asking.decided(subject, f"send {found.send + 1}, of job {job.id}", do)


def replay_parked(asking: Asking, ids: Sequence[int], most_refusals: int) -> tuple[Verdict, ...]:
    """See `models.outbox.Outbox.replay_parked`."""
    verdicts = {key: _replayed(asking, key, most_refusals) for key in sorted(set(ids))}
    asking.audit("replay-parked", [each.subject for each in verdicts.values() if each.done])
    return tuple(verdicts[key] for key in ids)


def _replayed(asking: Asking, key: int, most_refusals: int) -> Verdict:
    tables, subject = asking.tables, f"parked:{key}"
    parked = next((each for each in tables.parked.values() if each.id == key), None)
    if parked is None:
        return Verdict(subject=subject, done=False, because="there is no such parked message")
    try:
        change = replayed(parked, most_refusals, asking.now)
    except Malformed as error:
        return Verdict(subject=subject, done=False, because=str(error))
    named = tables.publications_by_product.of(change.product)
    if not named:
        never = f"product {change.product} was never announced; nothing was written"
        return Verdict(subject=subject, done=False, because=never)
    if after_refusal(max(named, key=lambda each: each.id), change) is None:
        return Verdict(subject=subject, done=False, because=moot(change.product))

    def do() -> None:
        refused(tables, asking.asked.actor, change)
        tables.parked.drop(parked.body)

    return asking.decided(subject, f"a refusal of {change.product}", do)


def forget_parked(asking: Asking, ids: Sequence[int]) -> tuple[Verdict, ...]:
    """See `models.outbox.Outbox.forget_parked`."""
    rows = {each.id: each for each in asking.tables.parked.values() if each.id in set(ids)}
    if not asking.asked.dry_run:
        for row in rows.values():
            asking.tables.parked.drop(row.body)
    verdicts = tuple(forgotten(key, rows[key].why if key in rows else None) for key in ids)
    asking.audit("forget-parked", [each.subject for each in verdicts if each.done])
    return verdicts
