"""The tokens with which people use the HTTP API; their hashes alone."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

UP = """
create table tokens (
  id bigint generated always as identity primary key,
  name text not null,
  role text not null,
  digest bytea not null unique,  -- SHA-256 of 32 random bytes in text
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  expires_at timestamptz,  -- null: until revoked
  revoked_at timestamptz
);
create index tokens_name on tokens (name) where revoked_at is null;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("drop table tokens")
