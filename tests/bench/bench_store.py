"""What people do to many jobs at once, and what a long past costs."""

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from statistics import median
from uuid import uuid4

import pytest
from sqlalchemy import Connection, event, text

from controller.bench.bare import Statement, listening
from controller.bench.fill import Filler
from controller.bench.passes import Size, ground
from infra.postgres import Postgres, connect
from models.changes import QueueRun
from models.lifecycle import Status
from models.ports import Asked, Placement, RunResult, Verdict, ViewLimits
from models.records import Intent, IntentKind, Job, NewJob
from tests.bench.conftest import Figures

BENCH = Asked(actor="bench", reason="bench")
SUBMITTED = 500
RELAUNCHED = 10_000
FEW = 10_000
MANY = int(os.environ.get("HRSI_BENCH_HISTORY", "1000000"))
"""Finished jobs, of twelve changes each; to copy a million takes some minutes."""

SAME = 1.2
WRITES = 60
"""Of each kind. The first are dearer, for they find pages that have yet to be cleared: the one in
the middle is of those after them.
"""
WRITTEN = ("a dispatch", "a claim", "a status write", "the end of a run")


def limits() -> ViewLimits:
    """What a pass of the farm asks for at this moment."""
    return ViewLimits(ready_per_flavor=222, ended_since=datetime.now(UTC))


TOUCHED = text("""
select sum(pg_stat_get_xact_blocks_fetched(oid))::int from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'i', 'p', 't')
""")


def count(heard: list[Statement]) -> int:
    """How many statements there are, less the ends of transactions."""
    return sum(each.sql is not None for each in heard)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def test_five_hundred_jobs_are_submitted_at_once(own_database: Postgres, figures: Figures) -> None:
    wanted = [NewJob(type="gfsc", key=f"{n}", name=f"{n}", tile="32TLS") for n in range(SUBMITTED)]
    own_database.store.view(limits())  # its connection is told how long a statement may take
    with listening() as one:
        own_database.operations.submit([NewJob(type="gfsc", key="one", name="one")], BENCH)
    with listening() as all_of_them:
        took = seconds(lambda: own_database.operations.submit(wanted, BENCH))
    statements = count(all_of_them)
    figures.ratio(f"statements to submit {SUBMITTED} jobs", statements)
    figures.time(f"submitting {SUBMITTED} jobs", f"{took * 1000:.0f} ms")
    assert statements == count(one)


def test_ten_thousand_jobs_are_relaunched(
    own_database: Postgres, own_database_url: str, figures: Figures
) -> None:
    Filler(own_database_url, lambda _: None).history(RELAUNCHED)
    ids = range(1, RELAUNCHED + 1)
    verdicts: list[Verdict] = []
    with listening() as seen:
        took = seconds(lambda: verdicts.extend(own_database.operations.relaunch(ids, BENCH)))
    figures.ratio(f"statements to relaunch {RELAUNCHED:,} jobs", count(seen))
    figures.time(f"relaunching {RELAUNCHED:,} jobs", f"{took:.1f} s", "≤ 10 s", holds=took <= 10)
    assert sum(verdict.done for verdict in verdicts) == RELAUNCHED


# ---- a long past ---------------------------------------------------------------------------------


def queries(database: Postgres) -> list[Statement]:
    """What a view asks, as it asks it."""
    with listening() as heard:
        database.store.view(limits())
    return [statement for statement in heard if statement.sql is not None]


class Cost:
    """Buffers and seconds of each query of a view, and of each write of a status."""

    def __init__(self, database: Postgres, filler: Filler) -> None:
        self.buffers: dict[str, float] = {}
        self.wall: dict[str, float] = {}
        # The queries first: to which pages the writes move a row depends on where there is room.
        filler.settle()
        database.store.view(limits())  # its connection is told how long a statement may take
        for number, asked in enumerate(queries(database), start=1):
            self._read(database, f"query {number} of a view", asked)
        self._write(database)

    def _read(self, database: Postgres, name: str, asked: Statement) -> None:
        explain = f"explain (analyze, buffers, format json) {asked.sql}"
        found = []
        for _ in range(5):
            with database.sessions.read("explain") as connection:
                answer = connection.exec_driver_sql(explain, asked.parameters).scalar_one()
            found.append((answer if isinstance(answer, list) else json.loads(answer))[0])
        plans = [each["Plan"] for each in found]
        self.buffers[name] = min(p["Shared Hit Blocks"] + p["Shared Read Blocks"] for p in plans)
        self.wall[name] = median(each["Execution Time"] for each in found)

    def _write(self, database: Postgres) -> None:
        lease = database.store.acquire("bench", "bench", timedelta(hours=1))
        assert lease is not None
        view = database.store.view(limits())
        reports, touched = database.reports, defaultdict[str, list[tuple[int, float]]](list)
        for job, flight in islice(zip(view.ready, view.in_flight, strict=False), WRITES):
            dispatch = _dispatch_of(job)
            fresh, run_id = dispatch.intent.id, flight.run.id
            placed, result = Placement(allocation_id=str(fresh)), RunResult(status=Status.PROCESSED)
            steps: tuple[Callable[[], object], ...] = (
                partial(database.store.commit, lease, dispatch),
                partial(reports.claim, fresh, placed),
                partial(reports.report, run_id, 1, Status.POST_PROCESSING),
                partial(reports.end, run_id, 1, result),
            )
            for name, step in zip(WRITTEN, steps, strict=True):
                touched[name].append(_touched(database, step))
        for name, costs in touched.items():
            assert len(costs) == WRITES
            self.buffers[name] = median(buffers for buffers, _ in costs)
            self.wall[name] = median(took for _, took in costs) * 1000


def _dispatch_of(job: Job) -> QueueRun:
    now, number = datetime.now(UTC), uuid4()
    intent = Intent(
        id=number,
        kind=IntentKind.DISPATCH,
        subject=str(number),
        opened_at=now,
        deadline=now + timedelta(minutes=1),
    )
    return QueueRun(at=now, job_id=job.id, intent=intent)


def _touched(database: Postgres, step: Callable[[], object]) -> tuple[int, float]:
    """Buffers of our tables and indexes that one transaction touches, and its seconds."""
    found: list[int] = []

    def count(connection: Connection) -> None:
        found.append(connection.execute(TOUCHED).scalar_one())

    with database.sessions.write("begin to count at nothing") as connection:
        connection.execute(text("select pg_stat_force_next_flush()"))
    event.listen(database.sessions.engine, "commit", count)
    try:
        took = seconds(step)
    finally:
        event.remove(database.sessions.engine, "commit", count)
    return found[-1], took


def cost_after(history: int) -> Cost:
    """What a farm at work costs that has done so many jobs; all else is the same."""
    with ground(Size(history=history), lambda _: None) as farm:
        farm.set({"pool.idle_for": 86_400})
        farm.filler.waiting(2_000)
        database = connect(farm.config.database.url.reveal(), pool_size=1)
        try:
            return Cost(database, farm.filler)
        finally:
            database.dispose()


@pytest.mark.timeout(0)
def test_a_long_past_costs_nothing(figures: Figures) -> None:
    few, many = cost_after(FEW), cost_after(MANY)
    grown = f"{FEW:,} → {MANY:,} finished jobs"
    dearer = {name: many.buffers[name] / max(1, few.buffers[name]) for name in few.buffers}
    worst = max(dearer, key=lambda name: dearer[name])
    total = sum(many.buffers.values()) / sum(few.buffers.values())
    figures.ratio(f"buffers of a view and of each kind of write, {grown}", total, SAME)
    for name in dict.fromkeys((worst, *WRITTEN)):
        touched = f"{few.buffers[name]:.0f} → {many.buffers[name]:.0f}"
        figures.ratio(
            f"buffers of {name} ({touched}), {grown}",
            dearer[name],
            SAME,
        )
    figures.time(
        f"wall time of a view's queries, {grown}",
        f"{sum(few.wall.values()):.1f} → {sum(many.wall.values()):.1f} ms",
    )
    # A plan that the planner's sample of a million rows tips over may touch a page more.
    assert all(
        many.buffers[name] <= max(SAME * few.buffers[name], 1 + few.buffers[name])
        for name in dearer
    ), dearer
