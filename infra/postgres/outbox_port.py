"""How the outbox is read: which products of a job are to be told of, and how far that came."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import func, select, update

from infra.postgres import republishing, trail
from infra.postgres.ledger import add_to_counter
from infra.postgres.outbox import COLUMNS, manifest_of, of_jobs, publication_in
from infra.postgres.rows import JOB, Row, job_from
from infra.postgres.sessions import Sessions
from infra.postgres.statements import statement
from models.lifecycle import Status
from models.manifest import Manifest
from models.ports import Asked, Verdict
from models.publication import (
    FROM_FILES,
    OpenCount,
    OutboxFigures,
    Outgoing,
    Parked,
    Publication,
    PublicationState,
    Publishing,
    time_in,
)
from models.reckoning import Made
from models.tables import counters, jobs, parked_messages, publications, runs

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

_MADE = statement("""
select p.name, p.kind, j.id, j.status, m.accepted_at, p.files, b.state, b.changed_at
from manifests m
join runs r on r.id = m.run_id
join jobs j on j.id = r.job_id and j.attempt = r.attempt and j.status <> 'cancelled'
join products p on p.run_id = m.run_id
left join publications b on b.job_id = j.id and b.product = p.name and b.run_id = m.run_id
where m.accepted_at >= :since and m.accepted_at < :until
order by m.accepted_at, p.name collate "C"
""")

_OUTGOING = (
    select(
        *COLUMNS,
        publications.c.body,
        runs.c.attempt,
        jobs.c.created_at,
        runs.c.claimed_at,
        runs.c.ended_at,
        jobs.c.input["published_at"].astext,
    )
    .join(jobs, jobs.c.id == publications.c.job_id)
    .join(runs, runs.c.id == publications.c.run_id)
    .order_by(publications.c.id)
)


_FROM_FILES = select(counters).where(counters.c.name.startswith(FROM_FILES))


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
            sent = connection.execute(_FROM_FILES).all()
        return OutboxFigures(
            open=tuple(
                OpenCount(kind=kind, state=PublicationState(state), number=number, oldest_at=oldest)
                for kind, state, number, oldest in rows
            ),
            parked=parked or 0,
            from_files={name.removeprefix(FROM_FILES): number for name, number in sent},
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

    def made(self, since: datetime, until: datetime) -> tuple[Made, ...]:
        """See `models.outbox.Outbox.made`."""
        with self._sessions.read("read what runs made") as connection:
            rows = connection.execute(_MADE, {"since": since, "until": until}).all()
        return tuple(
            Made(
                product=product,
                kind=kind,
                job_id=job_id,
                status=Status(status),
                made_at=made_at,
                since=made_at if state is None else changed_at,
                files=files,
                state=None if state is None else PublicationState(state),
            )
            for product, kind, job_id, status, made_at, files, state, changed_at in rows
        )

    def republish(self, products: Sequence[str], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.outbox.Outbox.republish`."""
        with self._sessions.write(f"publish {len(products)} products again") as connection:
            verdicts = republishing.republish(connection, products, asked)
            trail.note(connection, "republish", asked, trail.done(verdicts))
            return verdicts

    def replay_parked(
        self, ids: Sequence[int], most_refusals: int, asked: Asked
    ) -> tuple[Verdict, ...]:
        """See `models.outbox.Outbox.replay_parked`."""
        with self._sessions.write(f"replay {len(ids)} parked messages") as connection:
            verdicts = republishing.replay_parked(connection, ids, most_refusals, asked)
            trail.note(connection, "replay-parked", asked, trail.done(verdicts))
            return verdicts

    def forget_parked(self, ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.outbox.Outbox.forget_parked`."""
        with self._sessions.write(f"forget {len(ids)} parked messages") as connection:
            verdicts = republishing.forget_parked(connection, ids, asked)
            trail.note(connection, "forget-parked", asked, trail.done(verdicts))
            return verdicts

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
                .returning(columns.product, columns.kind)
            ).all()
            for kind, number in Counter(kind for _, kind in found).items():
                add_to_counter(connection, f"{FROM_FILES}{kind}", number)
            subjects = [f"product:{name}" for name, _ in found]
            trail.note(connection, "send-spool", asked, sorted(subjects))
            return len(subjects)


def _by_job(found: Iterable[Publication]) -> defaultdict[int, list[Publication]]:
    kept: defaultdict[int, list[Publication]] = defaultdict(list)
    for publication in found:
        kept[publication.job_id].append(publication)
    return kept


def _outgoing(row: Row) -> Outgoing:
    body, attempt, came_at, started_at, ended_at, listed_at = row[len(COLUMNS) :]
    return Outgoing(
        publication=publication_in(row),
        attempt=attempt,
        body=bytes(body),
        came_at=came_at,
        started_at=started_at,
        ended_at=ended_at,
        listed_at=time_in(listed_at),
    )
