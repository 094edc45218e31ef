"""What configuration finds out about a job; a new job wakes those who configure it."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"

HISTORY = """
create or replace function keep_history() returns trigger language plpgsql as $$
begin
  insert into status_changes (job_id, seq, at, before, after, subtype, message, actor, attempt)
    values (new.id, new.seq, new.status_at, new.status_before, new.status, new.error_subtype,
            new.status_message, new.status_actor, new.attempt);
  -- %s
  if new.status not in (%s) then
    perform pg_notify('hrsi', '');
  end if;
  return null;
end $$;
"""


def upgrade() -> None:
    op.execute("alter table jobs add config jsonb")
    op.execute(HISTORY % ("`queued` is written by whoever dispatches.", "'queued'"))


def downgrade() -> None:
    why = "`queued` is written by whoever dispatches, and the first two lead to `ready` at once."
    op.execute(HISTORY % (why, "'initialized', 'configured', 'queued'"))
    op.execute("alter table jobs drop config")
