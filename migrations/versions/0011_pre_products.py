"""What runs made: the manifest that came with `processed`, and the products that it names."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"

UP = """
create table manifests (
  run_id uuid primary key references runs,  -- one a run, whatever else a program says
  job_id bigint not null,
  digest text not null,  -- the SHA-256 of the document as it came
  document jsonb not null,
  accepted_at timestamptz not null default now()
);
create index manifests_by_job on manifests (job_id);

create table products (
  id bigint generated always as identity primary key,
  run_id uuid not null references manifests,
  job_id bigint not null,
  name text not null,
  kind text not null,
  size bigint not null,  -- bytes of all its files
  files integer not null,
  unique (run_id, name)
);
create index products_by_job on products (job_id);
create index products_by_name on products (name);
"""

DOWN = """
drop table products;
drop table manifests;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
