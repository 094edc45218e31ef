"""What about a rejected entry could not be understood, as a word that can be counted."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"

UP = """
alter table rejects add column reason text not null default 'field'
  check (reason in ('shape', 'name', 'type', 'field'));
alter table rejects alter column reason drop default;
"""

DOWN = """
alter table rejects drop column reason;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
