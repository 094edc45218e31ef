"""Products that jobs of several products are made of, and which of them belong together."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"

UP = """
create table ingredients (
  place text not null,  -- the tile, or the data take of a slice
  type text not null,
  name text not null,
  unit text not null,
  sensing_at timestamptz not null,
  published_at timestamptz not null,
  facts jsonb not null,
  primary key (place, type, name)
);
create index ingredients_by_place on ingredients (place, type, sensing_at);
create index ingredients_by_time on ingredients (type, sensing_at);

create table product_groups (
  job_type text not null,
  key text not null,
  day date not null,
  tiles text[] not null,
  due_at timestamptz,  -- null: not before something in it is new
  version integer not null,
  made jsonb not null,  -- what was made of it already
  waits text not null,
  primary key (job_type, key)
);
create index product_groups_due on product_groups (due_at) where due_at is not null;
create index product_groups_by_day on product_groups (job_type, day);
"""

DOWN = """
drop table product_groups;
drop table ingredients;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
