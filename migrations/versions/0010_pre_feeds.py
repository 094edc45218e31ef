"""How far catalogues have been read, and what of them could not be understood."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"

UP = """
create table catalogue_cursors (
  source text not null,
  collection text not null,
  type text not null,
  until timestamptz not null,  -- all published before this has been met
  deep_at timestamptz not null,  -- when the feed was last looked through far before its cursor
  primary key (source, collection, type)
);

create table rejects (
  source text not null,
  collection text not null,
  entry text not null,  -- its name there, else a digest of its text
  why text not null,
  content text not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  count integer not null,
  primary key (source, collection, entry)
);
create index rejects_by_time on rejects (last_at desc, entry);

-- Which jobs are about what was measured when: what is published again is about the same. Apart
-- from the jobs, so that their rows, written a dozen times each, are in one index less.
create table acquisitions (
  type text not null,
  sensing_at timestamptz not null,
  key text not null,
  tile text,
  primary key (type, sensing_at, key)
);
insert into acquisitions (type, sensing_at, key, tile)
  select type, sensing_at, key, tile from jobs where sensing_at is not null;
"""

DOWN = """
drop table acquisitions;
drop table rejects;
drop table catalogue_cursors;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
