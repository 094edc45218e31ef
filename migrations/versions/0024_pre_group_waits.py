"""Since when groups of products wait for more: it is shown and measured."""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"

UP = """
alter table product_groups add waits_since timestamptz;
create index product_groups_waiting on product_groups (waits_since, job_type, due_at)
  where waits_since is not null;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("alter table product_groups drop waits_since")
