"""Jobs in the order of measurement, and what configured jobs wait for.

Both are apart from the jobs, whose rows are written a dozen times each: a job's place in its series
is written when it is added and when it is settled, its wait while it has one. Whoever settles a job
marks the waits for it in the same transaction, so that nobody has to look at all that wait.
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"

UP = """
create table series (
  job_id bigint primary key references jobs (id),
  type text not null,
  tile text not null,
  sensing_at timestamptz not null,
  is_open boolean not null
);
create index series_in_order on series (type, tile, sensing_at, job_id);
create index series_open on series (type, tile, sensing_at, job_id) where is_open;

create table waits (
  job_id bigint primary key references jobs (id),
  for_job bigint not null references jobs (id),
  since timestamptz not null,
  until timestamptz not null,
  why text not null,
  is_over boolean not null
);
create index waits_for_job on waits (for_job) where not is_over;
create index waits_over on waits (job_id) where is_over;
create index waits_until on waits (until) where not is_over;

insert into series (job_id, type, tile, sensing_at, is_open)
  select id, type, tile, sensing_at,
         not quarantined and status not in
           ('processed', 'start_publication', 'published', 'done', 'cancelled')
  from jobs where tile is not null and sensing_at is not null;

create function begin_in_series() returns trigger language plpgsql as $$
begin
  insert into series (job_id, type, tile, sensing_at, is_open)
    select id, type, tile, sensing_at, status <> 'cancelled' from fresh
    where tile is not null and sensing_at is not null;
  return null;
end $$;
create trigger begin_in_series after insert on jobs
  referencing new table as fresh for each statement execute function begin_in_series();

create function settle_job() returns trigger language plpgsql as $$
begin
  update series set is_open = false where job_id = new.id and is_open;
  update waits set is_over = true where for_job = new.id and not is_over;
  if found then
    perform pg_notify('hrsi', '');
  end if;
  return null;
end $$;
create trigger settle_job after update on jobs for each row
  when ((new.status in ('processed', 'done', 'cancelled') and new.status <> old.status)
        or (new.quarantined and not old.quarantined))
  execute function settle_job();

create function end_wait() returns trigger language plpgsql as $$
begin
  delete from waits where job_id = new.id;
  return null;
end $$;
create trigger end_wait after update on jobs for each row
  when (old.status = 'configured' and new.status <> 'configured')
  execute function end_wait();
"""

DOWN = """
drop trigger end_wait on jobs;
drop trigger settle_job on jobs;
drop trigger begin_in_series on jobs;
drop function end_wait, settle_job, begin_in_series;
drop table waits, series;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
