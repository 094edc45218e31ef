"""When a lease was last renewed: how long it is, and how long nobody renewed it."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("alter table leases add column renewed_at timestamptz not null default now()")


def downgrade() -> None:
    op.execute("alter table leases drop column renewed_at")
