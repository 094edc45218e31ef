"""Breakers: what opened them, who closed them, and for what a person's word still holds."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

UP = """
create table breakers (
  id bigint generated always as identity primary key,
  name text not null,
  opened_at timestamptz not null,
  because text not null,
  suspects jsonb not null,  -- server id: worker name
  closed_at timestamptz,
  closed_by text,
  close_reason text,
  accepted text[] not null default '{}',  -- server ids among the suspects
  check (num_nulls(closed_at, closed_by, close_reason) in (0, 3)),
  check (closed_at is not null or accepted = '{}')
);
create unique index breakers_open on breakers (name) where closed_at is null;
create index breakers_accepted on breakers (id) where accepted <> '{}';
create index workers_failed on workers (retire_started_at)
  where retire_cause in ('stale', 'server_error');
create index workers_vanished on workers (gone_at)
  where gone_at is not null and delete_sent_at is null;
"""

DOWN = """
drop index workers_vanished, workers_failed;
drop table breakers;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
