"""The outbox of announcements, and the refused messages that nobody could match."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"

UP = """
create table publications (
  id bigint generated always as identity primary key,
  job_id bigint not null references jobs,
  run_id uuid not null,  -- whose manifest it is; the digest is of that
  product text not null,
  kind text not null,
  digest text not null,
  body bytea not null,  -- the message as it is sent
  state text not null,
  send integer not null,
  refusals integer not null default 0,
  not_before timestamptz,
  note text,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  confirmed_at timestamptz,
  unique (job_id, product)
);
create index publications_by_product on publications (product, id);

create table parked_messages (
  id bigint generated always as identity primary key,
  digest bytea not null unique,  -- SHA-256 of the body
  body bytea not null,
  why text not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  count integer not null
);
create index parked_messages_by_time on parked_messages (last_at);
"""

DOWN = """
drop table parked_messages;
drop table publications;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
