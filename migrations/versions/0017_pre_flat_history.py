"""A long past makes no write of a status and no view any dearer.

A history row is made from its job's own row, by its trigger, and by nobody else: that its job
exists need not be looked up. That a job with a history stays is kept by a trigger of the jobs
instead. Jobs and runs that are open are found by indexes that hold no others. The index of the ends
of runs holds those that may still matter to a pass; the rest is put aside by the pruning.
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"

UP = """
-- For what is looked up by its id and known to be open. The condition of the first is put in words
-- that no list of jobs uses, so that none of them goes through it instead of its own index.
create unique index jobs_open on jobs (id) where (status in ('cancelled', 'done')) is false;
create unique index runs_open on runs (id) where ended_at is null;

-- By default a table is cleaned once a fifth of it is dead, and indexes are left alone for less
-- than a fiftieth: what is under way would drag the more dead rows along the more is over.
alter table jobs set (vacuum_index_cleanup = on,
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000);
-- Room on each page as well, so that a run's confirmation and its claim stay on it and touch no
-- index.
alter table runs set (fillfactor = 70, vacuum_index_cleanup = on,
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000);

-- Whether a run is open or ended lately. All there are count as long over at first: a table is not
-- rewritten for a default.
alter table runs add column is_recent boolean not null default false;
alter table runs alter column is_recent set default true;
update runs set is_recent = true where ended_at is null or ended_at >= now() - interval '2 days';
drop index runs_ended;
create index runs_ended on runs (ended_at) where ended_at is not null and is_recent;

alter table status_changes drop constraint status_changes_job_id_fkey;
create function keep_jobs() returns trigger language plpgsql as $$
begin
  raise exception 'a job has a history and stays (% refused)', tg_op using errcode = 'HS002';
end $$;
create trigger keep_jobs before delete on jobs for each row execute function keep_jobs();
create trigger keep_all_jobs before truncate on jobs
  for each statement execute function keep_jobs();
"""

DOWN = """
drop trigger keep_all_jobs on jobs;
drop trigger keep_jobs on jobs;
drop function keep_jobs;
alter table status_changes add constraint status_changes_job_id_fkey
  foreign key (job_id) references jobs (id);
drop index runs_ended, runs_open, jobs_open;
alter table runs drop column is_recent, reset (fillfactor, vacuum_index_cleanup,
  autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
  autovacuum_analyze_scale_factor, autovacuum_analyze_threshold);
alter table jobs reset (vacuum_index_cleanup,
  autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
  autovacuum_analyze_scale_factor, autovacuum_analyze_threshold);
create index runs_ended on runs (ended_at) where ended_at is not null;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
