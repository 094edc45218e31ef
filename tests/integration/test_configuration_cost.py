"""What waits costs a pass of configuration nothing: counted in the buffers that it touches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from infra.postgres import Postgres, configuration, connect
from models.job_types import DEFAULT_REGISTRY
from simulator.examples import some_new_jobs
from tests.plugins.stores import ASKED

pytestmark = pytest.mark.integration

TYPES = DEFAULT_REGISTRY.types

# Past the triggers, which would write a history for each.
WAITING = """
set local session_replication_role = replica;
insert into jobs (type, key, name, tile, flavor, priority, sensing_at, status, status_actor,
                  resume_status)
  select 'fsc_rlie', 'waits-' || n, 'waits', 'T' || mod(n, 1000), 'hm.medium', 'delayed',
         now() - n * interval '1 hour', 'configured', 'test', 'initialized'
  from generate_series(1, 100000) as n;
insert into series (job_id, type, tile, sensing_at, is_open)
  select id, type, tile, sensing_at, true from jobs where status = 'configured';
insert into waits (job_id, for_job, since, until, why, is_over)
  select id, lag(id, 1, id) over (partition by tile order by sensing_at), now(),
         now() + interval '2 days', 'it waits', false
  from jobs where status = 'configured';
"""

TOUCHED = text("""
select coalesce(sum(pg_stat_get_xact_blocks_fetched(oid)), 0)::int from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'i', 'p', 't')
""")


@pytest.fixture
def own_database(own_database_url: str) -> Iterator[Postgres]:
    # One session: what it has touched is counted in the session itself.
    postgres = connect(own_database_url, pool_size=1)
    yield postgres
    postgres.dispose()


def touched(database: Postgres) -> int:
    """Buffers that one look at the backlog touches."""
    with database.sessions.write("count what a look touches") as connection:
        before: int = connection.execute(TOUCHED).scalar_one()
        configuration.backlog(connection, TYPES)
        after: int = connection.execute(TOUCHED).scalar_one()
    return after - before


def analyzed(database: Postgres) -> None:
    with database.sessions.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("vacuum analyze")


def test_100_000_jobs_that_wait_cost_a_pass_no_more_than_twice_an_empty_one(
    own_database: Postgres,
) -> None:
    # Not an empty table, of which nothing can be touched: the jobs of a while ago have ended.
    added = own_database.operations.submit(some_new_jobs(100, type="test"), ASKED).added
    own_database.operations.cancel(added, ASKED)
    analyzed(own_database)
    touched(own_database)  # the catalogue of the session is filled
    alone = touched(own_database)
    with own_database.sessions.engine.begin() as connection:
        connection.exec_driver_sql(WAITING)
    analyzed(own_database)
    touched(own_database)
    assert 0 < touched(own_database) <= 2 * alone
    assert own_database.store.backlog(TYPES).jobs == ()
