"""How many jobs the catalogues bring, by type and hour: silence is to be heard."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"

UP = """
create table arrivals (
  type text not null,
  hour timestamptz not null,
  number bigint not null,
  primary key (type, hour)
);
"""

DOWN = """
drop table arrivals;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
