"""What is handed in for reprocessing holds up no new image of its tile."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"

UP = """
alter table series add reprocessing boolean not null default false;
update series s set reprocessing = true from jobs j
  where j.id = s.job_id and j.priority = 'reprocessing';
drop index series_open;
create index series_open on series (type, tile, sensing_at, job_id, reprocessing) where is_open;
"""

DOWN = """
drop index series_open;
create index series_open on series (type, tile, sensing_at, job_id) where is_open;
alter table series drop reprocessing;
"""

BEGIN = """
create or replace function begin_in_series() returns trigger language plpgsql as $$
begin
  insert into series (job_id, type, tile, sensing_at, is_open%s)
    select id, type, tile, sensing_at, status <> 'cancelled'%s from fresh
    where tile is not null and sensing_at is not null;
  return null;
end $$;
"""


def upgrade() -> None:
    op.execute(UP)
    op.execute(BEGIN % (", reprocessing", ", priority = 'reprocessing'"))


def downgrade() -> None:
    op.execute(BEGIN % ("", ""))
    op.execute(DOWN)
