"""Leases, heartbeats, parameters, the decision ledger and the audit trail.

A decision that still holds has its row in `current_decisions`; when its reason changes, the row
moves to `decisions`, whose partitions are months of the time when it last held.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

UP = """
create table leases (
  name text primary key,
  holder text,  -- null: given back
  epoch bigint not null,
  expires_at timestamptz not null
);

create table heartbeats (
  loop text not null,
  holder text not null,
  at timestamptz not null,
  passes bigint not null,
  is_leading boolean not null,
  primary key (loop, holder)
);

create table parameters (
  key text primary key,
  value jsonb not null,
  expires_at timestamptz
);

create table parameter_changes (
  id bigint generated always as identity primary key,
  key text not null,
  at timestamptz not null default now(),
  author text not null,
  reason text not null,
  old_value jsonb,
  new_value jsonb,
  expires_at timestamptz
);

create table current_decisions (
  loop text not null,
  subject text not null,
  action text not null,
  reason text not null,
  because text not null,
  facts jsonb not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  count bigint not null,
  primary key (subject, action, loop, reason)
) with (fillfactor = 70);

create table decisions (
  loop text not null,
  subject text not null,
  action text not null,
  reason text not null,
  because text not null,
  facts jsonb not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  count bigint not null
) partition by range (last_at);
create table decisions_default partition of decisions default;
create index decisions_subject on decisions (subject, last_at);
create index decisions_last_at on decisions (last_at);

create table audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  subjects text[] not null,
  reason text not null,
  detail jsonb not null default '{}'
);
create index audit_at on audit (at);

-- What grows with time and may be forgotten: empty months before this one go, new ones come.
create function turn_months() returns void language plpgsql as $$
begin
  perform add_months('status_changes', 'at', 2);
  perform add_months('decisions', 'last_at', 2);
end $$;
"""

DOWN = """
drop function turn_months;
drop table audit, decisions, current_decisions, parameter_changes, parameters, heartbeats, leases;
"""


def upgrade() -> None:
    op.execute(UP)
    op.execute("select turn_months()")


def downgrade() -> None:
    op.execute(DOWN)
