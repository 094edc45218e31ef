"""How far feeds have been met, what was rejected, and the jobs that come of a look at one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, Connection, and_, insert, select, text, update

from infra.postgres import composing, trail
from infra.postgres.jobs import Note
from infra.postgres.people import add, rows_of
from infra.postgres.sessions import Sessions
from models.catalogue import Collection, RejectedEntry, RejectReason
from models.composing import ComposeJobs, Group, GroupPlace, GroupWaits, Material, Needs
from models.creation import (
    Acquisition,
    Arrivals,
    CreateJobs,
    Cursor,
    Feed,
    Known,
    KnownJob,
    Met,
    Reject,
    identity_of,
)
from models.errors import Superseded
from models.feeds import judged
from models.lifecycle import Status
from models.ports import Asked, Receipt, Verdict
from models.product_names import ProductType
from models.records import Lease
from models.tables import arrivals, rejects
from models.tables import catalogue_cursors as cursors

_KNOWN_JOBS = text("""
select type, key, acquisitions.tile, wanted.sensing_at, jobs.status = 'cancelled',
  coalesce(jobs.input -> 'stands_in' = 'true'::jsonb, false)
from (select distinct type, sensing_at from jsonb_to_recordset(:wanted)
      as given (type text, sensing_at timestamptz)) as wanted
join acquisitions using (type, sensing_at) join jobs using (type, key)
order by type collate "C", key collate "C"
""")

_KNOWN_REJECTS = text("""
select source, collection, entry
from jsonb_to_recordset(:wanted) as given (source text, collection text, entry text)
join rejects using (source, collection, entry)
group by source, collection, entry
order by source collate "C", collection collate "C", entry collate "C"
""")

_REJECT = text("""
insert into rejects as kept (
  source, collection, entry, reason, why, content, first_at, last_at, count)
  select distinct on (source, collection, entry)
         source, collection, entry, reason, why, content, cast(:at as timestamptz),
         cast(:at as timestamptz), 1
  from jsonb_to_recordset(:rows)
    as given (source text, collection text, entry text, reason text, why text, content text)
on conflict (source, collection, entry) do update set
  reason = excluded.reason, why = excluded.why, content = excluded.content,
  last_at = excluded.last_at, count = kept.count + 1
""")


_ARRIVED = text("""
insert into arrivals as former (type, hour, number)
  select type, date_trunc('hour', cast(:at as timestamptz), 'UTC'), count(*)
  from jobs where id = any(:ids) group by type
on conflict (type, hour) do update set number = former.number + excluded.number
""")

_ARRIVALS = text("""
select type, min(hour), coalesce(sum(number) filter (where hour >= :since), 0)::bigint
from arrivals group by type order by type collate "C"
""")


def create_jobs(connection: Connection, fence: Lease, change: CreateJobs) -> Receipt:
    """See `models.changes.CreateJobs`."""
    _move(connection, change.cursor, change.expected)
    created = _add_all(connection, change, fence.name)
    keep(connection, change.rejected, change.at)
    composing.keep(connection, change.ingredients)
    composing.open_groups(connection, change.groups, change.touched, change.at)
    return Receipt(created=created)


def compose_jobs(connection: Connection, fence: Lease, change: ComposeJobs) -> Receipt:
    """See `models.composing.ComposeJobs`."""
    composing.settle(connection, change.groups)
    created = _add_all(connection, change, fence.name)
    composing.override(connection, change.overridden, Note(at=change.at, actor=fence.name))
    return Receipt(created=created)


def _add_all(connection: Connection, change: CreateJobs | ComposeJobs, actor: str) -> int:
    """Add what was found; how many of its jobs were not there."""
    note = Note(at=change.at, actor=actor)
    added = add(connection, rows_of(change.jobs, change.flavors), note, Status.INITIALIZED)
    if added:
        connection.execute(_ARRIVED, {"ids": added, "at": change.at})
    refused = Note(at=change.at, actor=actor, message=change.why)
    add(connection, rows_of(change.cancelled, change.flavors), refused, Status.CANCELLED)
    return len(added)


def _move(connection: Connection, cursor: Cursor, expected: datetime | None) -> None:
    values = {"until": cursor.until, "deep_at": cursor.deep_at, "yielded": cursor.yielded}
    if expected is None:
        return _begin(connection, cursor)
    moved = update(cursors).where(_is(cursor.feed), cursors.c.until == expected)
    if connection.execute(moved.values(**values)).rowcount != 1:
        raise Superseded(
            f"the cursor of {cursor.feed} is at {expected} no more: nothing was added; the feed is "
            "looked through again"
        )
    return None


def _begin(connection: Connection, cursor: Cursor) -> None:
    feed = cursor.feed
    # The lease is held: nobody else can be about to begin it.
    if connection.execute(select(cursors.c.until).where(_is(feed))).one_or_none() is not None:
        raise Superseded(f"the feed {feed} has a cursor already: nothing was added")
    connection.execute(
        insert(cursors).values(
            source=feed.source,
            collection=feed.collection,
            type=feed.type,
            until=cursor.until,
            deep_at=cursor.deep_at,
            yielded=cursor.yielded,
        )
    )


def keep(connection: Connection, entries: Iterable[RejectedEntry], at: datetime) -> None:
    """Write down entries that nobody understood; one that is known is counted once more."""
    rows = [
        {
            **_identity(each),
            "reason": each.reason,
            "why": _plain(each.why),
            "content": _plain(each.text),
        }
        for each in entries
    ]
    if rows:
        connection.execute(_REJECT, {"rows": Jsonb(rows), "at": at})


def _plain(content: str) -> str:
    """PostgreSQL keeps every character but this one."""
    return content.replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _identity(entry: RejectedEntry) -> dict[str, str]:
    source, collection, name = identity_of(entry)
    return {"source": source, "collection": collection, "entry": _plain(name)}


def _is(feed: Feed) -> ColumnElement[bool]:
    columns = cursors.c
    return and_(
        columns.source == feed.source,
        columns.collection == feed.collection,
        columns.type == feed.type,
    )


def prune(connection: Connection, before: datetime) -> None:
    """Drop rejected entries that were last met before that, and what is older still."""
    composing.prune(connection, before)
    connection.execute(rejects.delete().where(rejects.c.last_at < before))
    connection.execute(arrivals.delete().where(arrivals.c.hour < before))


class PostgresFeeds:
    """`models.feeds.Feeds` in PostgreSQL."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def cursors(self) -> tuple[Cursor, ...]:
        """See `models.feeds.Feeds.cursors`."""
        columns = cursors.c
        query = select(
            columns.source,
            columns.collection,
            columns.type,
            columns.until,
            columns.deep_at,
            columns.yielded,
        ).order_by(columns.source, columns.collection, columns.type)
        with self._sessions.read("read the cursors of feeds") as connection:
            return tuple(
                Cursor(
                    feed=Feed(
                        source=source, collection=Collection(collection), type=ProductType(kind)
                    ),
                    until=until,
                    deep_at=deep_at,
                    yielded=yielded,
                )
                for source, collection, kind, until, deep_at, yielded in connection.execute(query)
            )

    def known(self, met: Met) -> Known:
        """See `models.feeds.Feeds.known`."""
        wanted = [
            {"type": each.job_type, "sensing_at": each.sensing_at.isoformat()}
            for each in met.acquisitions
        ]
        entries = [_identity(each) for each in met.rejected]
        with self._sessions.read("ask what is known of a feed") as connection:
            jobs = connection.execute(_KNOWN_JOBS, {"wanted": Jsonb(wanted)}).all()
            kept = connection.execute(_KNOWN_REJECTS, {"wanted": Jsonb(entries)}).all()
            parts = composing.known(connection, sorted(met.ingredients))
        return Known(
            jobs=tuple(
                KnownJob(
                    key=key,
                    acquisition=Acquisition(job_type=kind, sensing_at=sensing_at, tile=tile),
                    cancelled=cancelled,
                    stands_in=stands_in,
                )
                for kind, key, tile, sensing_at, cancelled, stands_in in jobs
            ),
            rejected=tuple((row[0], row[1], row[2]) for row in kept),
            ingredients=parts,
        )

    def arrivals(self, since: datetime) -> Arrivals:
        """See `models.feeds.Feeds.arrivals`."""
        with self._sessions.read("count what arrived") as connection:
            rows = connection.execute(_ARRIVALS, {"since": since}).all()
        began = min((row[1] for row in rows), default=None)
        return Arrivals(began=began, counts={row[0]: row[2] for row in rows})

    def due(self, now: datetime, limit: int) -> tuple[Group, ...]:
        """See `models.feeds.Feeds.due`."""
        with self._sessions.read("read which groups of products are due") as connection:
            return composing.due(connection, now, limit)

    def waiting(self, job_type: str | None = None, limit: int = 100) -> tuple[Group, ...]:
        """See `models.feeds.Feeds.waiting`."""
        with self._sessions.read("list groups of products that wait") as connection:
            return composing.waiting(connection, job_type, limit)

    def groups_about(self, place: GroupPlace, job_type: str | None = None) -> tuple[Group, ...]:
        """See `models.feeds.Feeds.groups_about`."""
        with self._sessions.read("read groups of products") as connection:
            return composing.groups_about(connection, place, job_type)

    def group_waits(self) -> tuple[GroupWaits, ...]:
        """See `models.feeds.Feeds.group_waits`."""
        with self._sessions.read("count groups of products that wait") as connection:
            return composing.group_waits(connection)

    def material(self, needs: Needs, now: datetime) -> Material:
        """See `models.feeds.Feeds.material`."""
        with self._sessions.read("read what groups of products have") as connection:
            return composing.material(connection, needs, now)

    def rejects(self, source: str | None = None, limit: int = 100) -> tuple[Reject, ...]:
        """See `models.feeds.Feeds.rejects`."""
        columns = rejects.c
        query = select(
            columns.source,
            columns.collection,
            columns.entry,
            columns.why,
            columns.content,
            columns.first_at,
            columns.last_at,
            columns.count,
            columns.reason,
        ).order_by(columns.last_at.desc(), columns.entry)
        if source is not None:
            query = query.where(columns.source == source)
        with self._sessions.read("list rejected entries") as connection:
            return tuple(
                Reject(
                    entry=RejectedEntry(
                        source=row[0],
                        collection=Collection(row[1]),
                        entry=row[2],
                        why=row[3],
                        text=row[4],
                        reason=RejectReason(row[8]),
                    ),
                    first_at=row[5],
                    last_at=row[6],
                    count=row[7],
                )
                for row in connection.execute(query.limit(limit))
            )

    def rewind(self, feed: Feed, to: datetime, asked: Asked) -> Verdict:
        """See `models.feeds.Feeds.rewind`."""
        with self._sessions.write(f"rewind {feed}") as connection:
            query = select(cursors.c.until).where(_is(feed)).with_for_update()
            until = connection.execute(query).scalar_one_or_none()
            verdict = judged(feed, until, to)
            if verdict.done and not asked.dry_run:
                connection.execute(update(cursors).where(_is(feed)).values(until=to))
                trail.note(connection, "rewind", asked, [verdict.subject])
            return verdict
