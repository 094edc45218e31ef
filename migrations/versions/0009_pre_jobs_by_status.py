"""Jobs by status: those under way apart from those that are over.

A status write adds to every index that the job's row is in. The index of the jobs that are over
grows for ever; a job on its way is not in it any more.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

UP = """
create index jobs_under_way on jobs (status, id) where status not in ('done', 'cancelled');
create index jobs_over on jobs (status, id) where status in ('done', 'cancelled');
drop index jobs_status;
"""

DOWN = """
create index jobs_status on jobs (status, id);
drop index jobs_under_way, jobs_over;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
