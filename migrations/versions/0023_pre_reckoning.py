"""What runs made is found by when they ended, to be compared with what was announced."""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"

UP = """
create index manifests_by_time on manifests (accepted_at);
"""

DOWN = """
drop index manifests_by_time;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
