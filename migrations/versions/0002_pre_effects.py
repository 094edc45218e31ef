"""Intents, workers and what the pool knows of servers and nodes."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

UP = """
create table intents (
  id uuid primary key,
  kind text not null,
  subject text not null,
  opened_at timestamptz not null,
  deadline timestamptz not null,
  lease text not null,
  epoch bigint not null,
  state text not null default 'open' check (state in ('open', 'done', 'refuted', 'failed')),
  note text,
  closed_at timestamptz,
  check ((state = 'open') = (closed_at is null))
);
create index intents_open on intents (subject, kind) where state = 'open';
create index intents_closed on intents (opened_at) where state <> 'open';

create table workers (
  id bigint generated always as identity primary key,
  name text not null,
  flavor text not null,
  state text not null check (state in ('creating', 'booting', 'ready', 'deleting', 'closed')),
  intent_id uuid not null,
  created_at timestamptz not null,
  server_id text,
  node_id text,
  address text,
  booted_at timestamptz,
  admitted_at timestamptz,
  busy_at timestamptz,
  keep_until timestamptz,
  delete_sent_at timestamptz,
  gone_at timestamptz,
  retire_cause text,
  retire_by text,
  retire_step smallint check (retire_step in (1, 2, 3)),
  retire_started_at timestamptz,
  retire_index bigint,
  retire_modify_index bigint,
  retire_seen_at timestamptz,
  retire_forced boolean not null default false,
  check (num_nulls(retire_cause, retire_by, retire_step, retire_started_at) in (0, 4)),
  check (state <> 'closed' or gone_at is not null or server_id is null)
);
create unique index workers_open_name on workers (name) where state <> 'closed';
create unique index workers_server on workers (server_id);
create index workers_open on workers (id) where state <> 'closed';

create table worker_orders (
  id bigint generated always as identity primary key,
  flavor text not null,
  ordered_by text not null,
  ordered_at timestamptz not null default now(),
  keep_until timestamptz not null,
  closed_at timestamptz,
  worker_id bigint references workers (id)
);
create index worker_orders_open on worker_orders (id) where closed_at is null;

create table node_identities (
  node_id text primary key,
  server_id text,
  name text not null,
  node_class text not null
);
create index node_identities_server on node_identities (server_id);

create table backoffs (
  subject text not null,
  failure text not null,
  failures int not null,
  until timestamptz not null,
  message text not null,
  primary key (subject, failure)
);

create table counters (
  name text primary key,
  value bigint not null
);
"""

DOWN = "drop table counters, backoffs, node_identities, worker_orders, workers, intents"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
