"""Which L2A are in the data bucket: a job's newest attempt leaves one, until it is given up.

`l2a_of` is the attempt that `l2a` is about, so that a job that is published again does not seem to
have left it once more.
"""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"

UP = """
alter table series
  add l2a text constraint series_l2a_state check (l2a in ('kept', 'going')), add l2a_of integer;
update series s set l2a = 'kept', l2a_of = j.attempt from jobs j
  where j.id = s.job_id and not s.is_open and j.config ? 'l2a_path_out';
create index series_l2a on series (job_id) where l2a is not null;

create or replace function settle_job() returns trigger language plpgsql as $$
begin
  if new.config ? 'l2a_path_out' then
    update series set is_open = false, l2a = 'kept', l2a_of = new.attempt
      where job_id = new.id and (is_open or l2a_of is distinct from new.attempt);
  else
    update series set is_open = false where job_id = new.id and is_open;
  end if;
  update waits set is_over = true where for_job = new.id and not is_over;
  if found then
    perform pg_notify('hrsi', '');
  end if;
  return null;
end $$;
"""

DOWN = """
create or replace function settle_job() returns trigger language plpgsql as $$
begin
  update series set is_open = false where job_id = new.id and is_open;
  update waits set is_over = true where for_job = new.id and not is_over;
  if found then
    perform pg_notify('hrsi', '');
  end if;
  return null;
end $$;
drop index series_l2a;
alter table series drop l2a, drop l2a_of;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
