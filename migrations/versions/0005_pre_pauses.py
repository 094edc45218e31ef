"""What people have paused."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

UP = """
create table pauses (
  target text primary key,  -- everything, loop:NAME or type:NAME
  paused_by text not null,
  reason text not null,
  since timestamptz not null,
  until timestamptz  -- null: until a person resumes
);
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("drop table pauses")
