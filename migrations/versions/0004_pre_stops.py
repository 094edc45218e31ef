"""When the stop of a stuck run was last asked for: one without effect is asked again, later."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("alter table runs add column stop_asked_at timestamptz")


def downgrade() -> None:
    op.execute("alter table runs drop column stop_asked_at")
