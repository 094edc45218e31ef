"""Workers that a person orders outside the pool."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"

UP = """
alter table workers add column outside_pool boolean not null default false;
alter table worker_orders add column outside_pool boolean not null default false;
"""

DOWN = """
alter table worker_orders drop column outside_pool;
alter table workers drop column outside_pool;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
