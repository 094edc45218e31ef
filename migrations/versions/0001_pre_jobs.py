"""Jobs, their history and their runs; the status machine as triggers.

One UPDATE of a job's row changes its status: it raises `seq` by one, the first trigger refuses what
the table `status_transitions` does not hold, the second writes the history row. PostgreSQL locks
the row for the UPDATE and shows the trigger its newest version: two sessions never both win, and
the cost does not depend on the history.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

PARTITIONS = """
-- Make the partitions of this month and of the next ones. What the default partition caught of a
-- month, because nobody had called this for long, moves into the month's own.
create function add_months(parent text, key text, ahead int) returns void language plpgsql as $$
declare
  first date; last date; name text;
begin
  perform pg_advisory_xact_lock(hashtext('add_months ' || parent));
  perform set_config('hrsi.maintenance', 'on', true);
  for i in 0..ahead loop
    first := date_trunc('month', now() at time zone 'utc') + make_interval(months => i);
    last := first + interval '1 month';
    name := parent || to_char(first, '"_y"YYYY"m"MM');
    continue when to_regclass(name) is not null;
    execute format('create table %I (like %I including defaults including constraints)',
                   name, parent);
    execute format('with moved as (delete from %1$I where %2$I >= %4$L and %2$I < %5$L returning *)'
                   ' insert into %3$I select * from moved',
                   parent || '_default', key, name, first || ' 00:00+00', last || ' 00:00+00');
    execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                   parent, name, first || ' 00:00+00', last || ' 00:00+00');
  end loop;
  perform set_config('hrsi.maintenance', '', true);
end $$;
"""

TABLES = """
create table status_transitions (
  before text not null,  -- '' for a job that has no history yet
  after text not null,
  primary key (before, after)
);

create table jobs (
  id bigint generated always as identity primary key,
  unique_id uuid not null default gen_random_uuid() unique,
  type text not null,
  key text not null,
  name text not null,
  tile text,
  flavor text not null,
  priority text not null check (priority in ('nrt', 'delayed', 'reprocessing')),
  priority_rank smallint not null generated always as (
    case priority when 'nrt' then 0 when 'delayed' then 1 else 2 end) stored,
  deadline timestamptz,
  sensing_at timestamptz,
  input jsonb not null default '{}',
  created_at timestamptz not null default now(),
  status text not null,
  status_at timestamptz not null default now(),
  status_before text,
  status_message text,
  status_actor text not null,
  error_subtype text,
  seq int not null default 1,
  resume_status text not null,
  attempt int not null default 0,
  internal_failures int not null default 0,
  external_failures int not null default 0,
  losses int not null default 0,
  not_before timestamptz,
  quarantined boolean not null default false,
  unique (type, key)
);
create index jobs_status on jobs (status, id);
create index jobs_tile on jobs (tile, id) where tile is not null;
create index jobs_dispatch_order on jobs (flavor, priority_rank, deadline, created_at, id)
  where status = 'ready';
create index jobs_held_back on jobs (flavor, not_before)
  where status = 'ready' and not_before is not null;
create index jobs_errors on jobs ((coalesce(not_before, status_at)), id)
  where status in ('internal_error', 'external_error', 'error_checked') and not quarantined;
create index jobs_oldest on jobs (status, type, flavor, priority, status_at)
  where status not in ('done', 'cancelled');

create table status_changes (
  job_id bigint not null references jobs (id),
  seq int not null,
  at timestamptz not null,
  before text,
  after text not null,
  subtype text,
  message text,
  actor text not null,
  attempt int not null,
  primary key (job_id, seq, at)
) partition by range (at);
create table status_changes_default partition of status_changes default;

-- How many jobs there are of each kind, as sums of these rows: changes are added, never looked up,
-- so that no two writers wait for one another. `fold_job_counts` keeps them few.
create table job_counts (
  type text not null,
  flavor text not null,
  status text not null,
  priority text not null,
  quarantined boolean not null,
  number bigint not null
);

create table runs (
  id uuid primary key,
  job_id bigint not null references jobs (id),
  attempt int not null,
  claim int not null default 0,
  created_at timestamptz not null,
  sent_at timestamptz,
  nomad_job_id text,
  allocation_id text,
  node_id text,
  node_name text,
  server_id text,
  address text,
  claimed_at timestamptz,
  ended_at timestamptz,
  ended_as text check (ended_as in ('processed', 'failed', 'lost', 'cancelled', 'not_dispatched')),
  ended_in text,  -- the status that its own program ended it with
  exit_code int,
  stop_reason text,
  unique (job_id, attempt),
  check ((ended_at is null) = (ended_as is null))
);
create unique index runs_one_open on runs (job_id) where ended_at is null;
create index runs_ended on runs (ended_at) where ended_at is not null;
"""

GUARDS = """
create function guard_status() returns trigger language plpgsql as $$
declare
  earlier text := '';
begin
  if tg_op = 'UPDATE' then
    earlier := old.status;
    if new.seq <> old.seq + 1 then
      raise exception 'job % stands at change %, not %: somebody else was faster, or a status was '
        'written without its change', old.id, old.seq, new.seq - 1 using errcode = 'HS002';
    end if;
  elsif new.seq <> 1 then
    raise exception 'a new job begins with change 1, not %', new.seq using errcode = 'HS002';
  end if;
  perform from status_transitions where before = earlier and after = new.status;
  if not found then
    raise exception 'job %: % may not become %; nothing was written',
      new.id, coalesce(nullif(earlier, ''), 'no status'), new.status using errcode = 'HS001';
  end if;
  new.status_before := nullif(earlier, '');
  return new;
end $$;

create trigger guard_first_status before insert on jobs
  for each row execute function guard_status();
-- Whoever writes one of these columns changes the status, even to what it is.
create trigger guard_status before update of status, seq, status_at, status_before, status_message,
    status_actor, error_subtype, attempt on jobs
  for each row execute function guard_status();

create function keep_history() returns trigger language plpgsql as $$
begin
  insert into status_changes (job_id, seq, at, before, after, subtype, message, actor, attempt)
    values (new.id, new.seq, new.status_at, new.status_before, new.status, new.error_subtype,
            new.status_message, new.status_actor, new.attempt);
  -- `queued` is written by whoever dispatches, and the first two lead to `ready` at once.
  if new.status not in ('initialized', 'configured', 'queued') then
    perform pg_notify('hrsi', '');
  end if;
  return null;
end $$;

create trigger keep_first_history after insert on jobs
  for each row execute function keep_history();
create trigger keep_history after update on jobs
  for each row when (new.seq is distinct from old.seq) execute function keep_history();

create function guard_history() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' and pg_trigger_depth() > 1 then
    return new;
  elsif tg_op = 'DELETE' and current_setting('hrsi.maintenance', true) = 'on' then
    return old;
  end if;
  raise exception 'history is written by changing the job, and never changed (% refused)', tg_op
    using errcode = 'HS002';
end $$;

create trigger guard_history before insert or update or delete on status_changes
  for each row execute function guard_history();
create trigger guard_history_whole before truncate on status_changes
  for each statement execute function guard_history();
"""

COUNTS = """
create function count_new_jobs() returns trigger language plpgsql as $$
begin
  insert into job_counts (type, flavor, status, priority, quarantined, number)
    select type, flavor, status, priority, quarantined, count(*) from fresh group by 1, 2, 3, 4, 5;
  return null;
end $$;

create function count_changed_jobs() returns trigger language plpgsql as $$
begin
  insert into job_counts (type, flavor, status, priority, quarantined, number)
    select type, flavor, status, priority, quarantined, sum(one)
      from (select type, flavor, status, priority, quarantined, 1 as one from fresh
            union all
            select type, flavor, status, priority, quarantined, -1 from stale) as both_versions
      group by 1, 2, 3, 4, 5 having sum(one) <> 0;
  return null;
end $$;

create trigger count_new_jobs after insert on jobs
  referencing new table as fresh for each statement execute function count_new_jobs();
create trigger count_changed_jobs after update on jobs
  referencing new table as fresh old table as stale
  for each statement execute function count_changed_jobs();

-- Replace many rows of the counts by one per kind. Two at a time take different rows.
create function fold_job_counts(most int) returns void language plpgsql as $$
begin
  if (select count(*) from job_counts) <= most then
    return;
  end if;
  with old as (
    delete from job_counts where ctid = any (
      array(select ctid from job_counts for update skip locked))
    returning *)
  insert into job_counts (type, flavor, status, priority, quarantined, number)
    select type, flavor, status, priority, quarantined, sum(number) from old
      group by 1, 2, 3, 4, 5 having sum(number) <> 0;
end $$;
"""

DOWN = """
drop table runs, status_changes, jobs, job_counts, status_transitions;
drop function guard_status, keep_history, guard_history, count_new_jobs, count_changed_jobs,
  fold_job_counts, add_months;
"""


def upgrade() -> None:
    for part in (PARTITIONS, TABLES, GUARDS, COUNTS):
        op.execute(part)
    op.execute("select add_months('status_changes', 'at', 2)")


def downgrade() -> None:
    op.execute(DOWN)
