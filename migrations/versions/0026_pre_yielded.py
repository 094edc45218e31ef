"""Whether a feed ever listed anything: one that never did is not missed when it lists nothing."""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.execute("alter table catalogue_cursors add yielded boolean not null default false")


def downgrade() -> None:
    op.execute("alter table catalogue_cursors drop yielded")
