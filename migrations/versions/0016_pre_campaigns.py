"""Campaigns: a window of measurements that is processed once more or late, part by part."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"

UP = """
create table campaigns (
  id bigint generated always as identity primary key,
  type text not null,
  source text not null,
  since timestamptz not null,
  until timestamptz not null,
  tiles text[] not null,
  again boolean not null,
  state text not null check (state in ('running', 'paused', 'done', 'cancelled')),
  reached timestamptz not null,  -- all that was measured before this is done with
  listed integer not null default 0,
  created integer not null default 0,
  existing integer not null default 0,
  left_out integer not null default 0,
  rejected integer not null default 0,
  asked_by text not null,
  reason text not null,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  check (since < until and reached between since and until)
);
create index campaigns_open on campaigns (id) where state in ('running', 'paused');

create table campaign_jobs (
  campaign bigint not null references campaigns,
  job_id bigint not null references jobs,
  primary key (campaign, job_id)
);
"""

DOWN = """
drop table campaign_jobs;
drop table campaigns;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
