"""How the outbox is read: which products of a job are to be told of, and how far that came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import func, select, update

from infra.postgres import trail
from infra.postgres.outbox import COLUMNS, manifest_of, of_jobs, publication_in
from infra.postgres.rows import JOB, Row, job_from
from infra.postgres.sessions import Sessions
from infra.postgres.statements import statement
from models.lifecycle import Status
from models.manifest import Manifest
from models.ports import Asked
from models.publication import (
    OpenCount,
    OutboxFigures,
    Outgoing,
    Parked,
    Publication,
    PublicationState,
    Publishing,
    time_in,
)
from models.tables import jobs, parked_messages, publications

_JOB_WIDTH = len(JOB)

_PENDING = statement("""
select $JOB_j, (select jsonb_array_length(m.document -> 'products')
                from runs r join manifests m on m.run_id = r.id
                where r.job_id = j.id and r.attempt = j.attempt)
from jobs j
where j.status in ('processed', 'start_publication', 'published')
order by j.priority_rank, j.status_at, j.id limit :most
""")

_OPEN = statement("""
select p.kind, p.state, count(*), min(p.created_at)
from jobs j join publications p on p.job_id = j.id
where j.status = 'start_publication' and p.state not in ('confirmed', 'spooled', 'failed')
group by p.kind, p.state order by p.kind, p.state
""")

_OUTGOING = (
    select(*COLUMNS, publications.c.body, jobs.c.input["published_at"].astext)
    .join(jobs, jobs.c.id == publications.c.job_id)
    .order_by(publications.c.id)
)


class PostgresOutbox:
    """`models.outbox.Outbox` in PostgreSQL."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def pending(self, limit: int) -> tuple[Publishing, ...]:
        """See `models.outbox.Outbox.pending`."""
        with self._sessions.read("look at the outbox") as connection:
            rows = connection.execute(_PENDING, {"most": limit}).cursor.fetchall()
            found = [(job_from(row), row[_JOB_WIDTH]) for row in rows]
            begun = [job.id for job, _ in found if job.status is Status.START_PUBLICATION]
            kept = _by_job(of_jobs(connection, begun))
        return tuple(
            Publishing(job=job, products=number, publications=tuple(kept[job.id]))
            for job, number in found
        )

    def figures(self) -> OutboxFigures:
        """See `models.outbox.Outbox.figures`."""
        with self._sessions.read("count what is in the outbox") as connection:
            rows = connection.execute(_OPEN).all()
            parked = connection.scalar(select(func.count()).select_from(parked_messages))
        return OutboxFigures(
            open=tuple(
                OpenCount(kind=kind, state=PublicationState(state), number=number, oldest_at=oldest)
                for kind, state, number, oldest in rows
            ),
            parked=parked or 0,
        )

    def manifest(self, job_id: int) -> Manifest | None:
        """See `models.outbox.Outbox.manifest`."""
        with self._sessions.read("read what a run made") as connection:
            return manifest_of(connection, job_id)

    def outgoing(self, job_id: int) -> tuple[Outgoing, ...]:
        """See `models.outbox.Outbox.outgoing`."""
        query = _OUTGOING.where(publications.c.job_id == job_id)
        with self._sessions.read("read the messages of a job") as connection:
            return tuple(_outgoing(row) for row in connection.execute(query))

    def parked(self, limit: int = 100) -> tuple[Parked, ...]:
        """See `models.outbox.Outbox.parked`."""
        columns = parked_messages.c
        query = (
            select(
                columns.id,
                columns.body,
                columns.why,
                columns.first_at,
                columns.last_at,
                columns["count"],
            )
            .order_by(columns.last_at.desc(), columns.id)
            .limit(limit)
        )
        with self._sessions.read("list parked messages") as connection:
            rows = connection.execute(query).all()
        return tuple(
            Parked(id=key, body=bytes(body), why=why, first_at=first, last_at=last, count=count)
            for key, body, why, first, last, count in rows
        )

    def confirm_spooled(self, message_ids: Sequence[str], asked: Asked) -> int:
        """See `models.outbox.Outbox.confirm_spooled`."""
        columns = publications.c
        whole = func.concat(columns.product, ":", columns.digest, ":", columns.send)
        # The name alone has an index.
        names = [message_id.partition(":")[0] for message_id in message_ids]
        with self._sessions.write("confirm spooled messages") as connection:
            found = connection.execute(
                update(publications)
                .where(columns.product == func.any(names), whole == func.any([*message_ids]))
                .where(columns.state == PublicationState.SPOOLED)
                .values(
                    state=PublicationState.CONFIRMED,
                    changed_at=func.now(),
                    confirmed_at=func.now(),
                    note=None,
                )
                .returning(columns.product)
            ).scalars()
            subjects = [f"product:{name}" for name in found]
            trail.note(connection, "send-spool", asked, sorted(subjects))
            return len(subjects)


def _by_job(found: Iterable[Publication]) -> defaultdict[int, list[Publication]]:
    kept: defaultdict[int, list[Publication]] = defaultdict(list)
    for publication in found:
        kept[publication.job_id].append(publication)
    return kept


def _outgoing(row: Row) -> Outgoing:
    body, listed_at = row[len(COLUMNS) :]
    return Outgoing(publication=publication_in(row), body=bytes(body), listed_at=time_in(listed_at))
