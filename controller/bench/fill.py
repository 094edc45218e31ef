"""Fills a store by COPY: workers and their runs as the frozen world has them, history, a queue.

Triggers are off meanwhile; what they would have written is written here. History is what a whole
life of a job leaves: a row of `jobs`, one of `runs`, twelve of `status_changes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from controller.bench.frozen import Seat
from controller.bench.scenery import WAITING_TYPES, Errand, Post, identity
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import LIFE, Status
from models.ports import ENDS_SHOWN

Row: TypeAlias = tuple[Any, ...]
Tell: TypeAlias = Callable[[str], None]

_AT_WORK = LIFE[: LIFE.index(Status.PROCESSING) + 1]
_WAITING = LIFE[: LIFE.index(Status.READY) + 1]
_CHUNK = 20_000

_JOBS = (
    "id unique_id type key name tile flavor priority deadline created_at status status_at "
    "status_before status_actor seq resume_status attempt"
)
_CHANGES = "job_id seq at before after actor attempt"
_RUNS = (
    "id job_id attempt claim created_at sent_at nomad_job_id allocation_id node_id node_name "
    "server_id address claimed_at ended_at ended_as is_recent"
)
_WORKERS = (
    "name flavor state intent_id created_at server_id node_id address booted_at admitted_at busy_at"
)
_IDENTITIES = "node_id server_id name node_class"

_COUNT = """
delete from job_counts;
insert into job_counts (type, flavor, status, priority, quarantined, number)
  select type, flavor, status, priority, quarantined, count(*) from jobs group by 1, 2, 3, 4, 5;
select setval(pg_get_serial_sequence('jobs', 'id'), (select max(id) from jobs));
"""


class Filler:
    """Copies rows into one migrated, empty database."""

    def __init__(self, url: str, tell: Tell) -> None:
        self._url = url
        self._tell = tell
        self._next_id = 1
        self._now = datetime.now(UTC)

    def workers(self, wanted: Sequence[Post], seats: Iterable[Seat]) -> None:
        """The workers of the frozen world, and the jobs and runs that are on them."""
        seated = {seat.name: seat for seat in seats}
        errands = [post.errand for post in wanted if post.errand is not None]
        self._next_id = max((errand.job_id for errand in errands), default=0) + 1
        with psycopg.connect(self._url) as connection:
            _without_triggers(connection)
            rows = (self._worker(post, seated[post.name]) for post in wanted)
            _copy(connection, "workers", _WORKERS, rows)
            proved = ((seated[post.name].node_id, post) for post in wanted)
            _copy(
                connection,
                "node_identities",
                _IDENTITIES,
                ((node, seated[p.name].server_id, p.name, p.flavor) for node, p in proved),
            )
            self._at_work(connection, errands, {seat.job_id: seat for seat in seated.values()})
            connection.execute(_COUNT)
        self.settle()

    def _at_work(
        self,
        connection: psycopg.Connection[Any],
        errands: Sequence[Errand],
        seats: Mapping[int | None, Seat],
    ) -> None:
        """Jobs that process, their runs and how they came there."""
        began = self._now - timedelta(minutes=5)
        jobs = (self._job(e.job_id, e.unique_id, e.type, _AT_WORK, began) for e in errands)
        _copy(connection, "jobs", _JOBS, jobs)
        _copy(connection, "runs", _RUNS, (self._run(e, seats[e.job_id]) for e in errands))
        past = (row for e in errands for row in _changes(e.job_id, _AT_WORK, began))
        _copy(connection, "status_changes", _CHANGES, past)

    def history(self, jobs: int) -> None:
        """So many jobs that are done, over ninety days that ended two days ago, as `prune` leaves
        them.
        """
        with psycopg.connect(self._url) as connection:
            _without_triggers(connection)
            for first in range(0, jobs, _CHUNK):
                many = min(_CHUNK, jobs - first)
                self._chunk(connection, range(self._next_id, self._next_id + many), jobs)
                self._next_id += many
                self._tell(f"history: {first + many} of {jobs} jobs")
            connection.execute(_COUNT)
        self.settle()

    def waiting(self, jobs: int) -> None:
        """So many jobs that are ready."""
        ids = range(self._next_id, self._next_id + jobs)
        self._next_id += jobs
        kinds = list(islice(cycle(WAITING_TYPES), jobs))
        since = self._now - timedelta(minutes=10)
        with psycopg.connect(self._url) as connection:
            _without_triggers(connection)
            _copy(
                connection,
                "jobs",
                _JOBS,
                (
                    self._job(i, identity(f"job {i}"), kind, _WAITING, since)
                    for i, kind in zip(ids, kinds, strict=True)
                ),
            )
            _copy(
                connection,
                "status_changes",
                _CHANGES,
                (row for i in ids for row in _changes(i, _WAITING, since)),
            )
            connection.execute(_COUNT)
        self.settle()

    def settle(self) -> None:
        """Let the planner know what there is, as the autovacuum of a server at work has."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("vacuum analyze")

    def _chunk(self, connection: psycopg.Connection[Any], ids: range, jobs: int) -> None:
        step = timedelta(days=90) / jobs
        began = {i: self._now - ENDS_SHOWN - timedelta(days=91) + step * (i % jobs) for i in ids}
        _copy(
            connection,
            "jobs",
            _JOBS,
            (self._job(i, identity(f"job {i}"), _kind(i), LIFE, began[i]) for i in ids),
        )
        _copy(connection, "runs", _RUNS, (_past_run(i, began[i]) for i in ids))
        _copy(
            connection,
            "status_changes",
            _CHANGES,
            (row for i in ids for row in _changes(i, LIFE, began[i])),
        )

    def _job(
        self, job_id: int, unique_id: object, kind: str, life: Sequence[Status], began: datetime
    ) -> Row:
        flavor = DEFAULT_REGISTRY.types[kind].flavor
        attempt = int(Status.QUEUED in life)
        return (
            *(job_id, unique_id, kind, f"key-{job_id}", f"name-{job_id}", _tile(job_id), flavor),
            *("delayed", began + timedelta(hours=3), began, life[-1].value),
            *(_at(began, len(life)), life[-2].value, "bench", len(life), "ready", attempt),
        )

    def _run(self, errand: Errand, seat: Seat) -> Row:
        began = self._now - timedelta(minutes=4)
        return (
            *(errand.run_id, errand.job_id, 1, 1, began, began, seat.child_id),
            *(seat.allocation_id, seat.node_id, seat.name, seat.server_id, seat.address),
            *(began, None, None, True),
        )

    def _worker(self, post: Post, seat: Seat) -> Row:
        up = self._now - timedelta(minutes=6)
        return (
            *(post.name, post.flavor, "ready", post.intent_id, up - timedelta(minutes=2)),
            *(seat.server_id, seat.node_id, seat.address, up, up, up + timedelta(minutes=2)),
        )


_KINDS = tuple(DEFAULT_REGISTRY.types)
_TILES = 1_000


def _kind(job_id: int) -> str:
    """Of a past job: half of them are the most frequent type, the rest is of all."""
    return _KINDS[0] if job_id % 2 else _KINDS[job_id // 2 % len(_KINDS)]


def _tile(job_id: int) -> str:
    """One of as many tiles as there are between Iceland and Turkey."""
    zone, place = divmod(job_id % _TILES, 100)
    return f"{28 + zone}T{chr(65 + place // 10)}{chr(65 + place % 10)}"


def _past_run(job_id: int, began: datetime) -> Row:
    name = f"os-worker-{job_id % 210:03d}"
    ended = _at(began, len(LIFE))
    return (
        *(identity(f"run {job_id}"), job_id, 1, 1, began, began, f"child-{job_id}"),
        *(f"allocation-{job_id}", f"node-{job_id}", name, f"server-{job_id}", "10.77.0.1"),
        *(began, ended, "processed", False),
    )


def _changes(job_id: int, life: Sequence[Status], began: datetime) -> Iterator[Row]:
    before: str | None = None
    for seq, status in enumerate(life, start=1):
        attempt = int(status in LIFE[3:])
        yield job_id, seq, _at(began, seq), before, status.value, "bench", attempt
        before = status.value


def _at(began: datetime, seq: int) -> datetime:
    return began + timedelta(seconds=5 * seq)


def _without_triggers(connection: psycopg.Connection[Any]) -> None:
    connection.execute("set local session_replication_role = replica")


def _copy(
    connection: psycopg.Connection[Any], table: str, columns: str, rows: Iterable[Row]
) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns.split()))
    command = sql.SQL("copy {} ({}) from stdin").format(sql.Identifier(table), names)
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        for row in rows:
            copy.write_row(row)
