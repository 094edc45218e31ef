"""Lists of jobs by what they are, in the order of their ids or of their last changes.

Every kind of job (status, type, flavor, priority) has its jobs in order, so that a page is read and
nothing else; `jobs_oldest` does the same by time for those under way. A status write adds to as
many indexes as before; only the last one of a job's life adds to one more.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"

UP = """
create index jobs_over_by_kind on jobs (status, type, flavor, priority, id)
  where status in ('done', 'cancelled');
create index jobs_over_by_time on jobs (status, type, flavor, priority, status_at, id)
  where status in ('done', 'cancelled');
create index jobs_under_way_by_kind on jobs (status, type, flavor, priority, id)
  where status not in ('done', 'cancelled');
drop index jobs_under_way, jobs_over;
"""

DOWN = """
create index jobs_under_way on jobs (status, id) where status not in ('done', 'cancelled');
create index jobs_over on jobs (status, id) where status in ('done', 'cancelled');
drop index jobs_over_by_kind, jobs_over_by_time, jobs_under_way_by_kind;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
