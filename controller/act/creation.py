"""Handlers of creation: what a look at a feed found is added in one transaction."""

from __future__ import annotations

from controller.act.effects import Acting
from models.actions import AddJobs
from models.creation import CreateJobs


def add_jobs(action: AddJobs, acting: Acting) -> None:
    """Add jobs, cancelled ones and rejected entries, and move the cursor: all or nothing."""
    types = acting.world.registry.types
    receipt = acting.commit(
        CreateJobs(
            at=acting.at,
            cursor=action.cursor,
            expected=action.expected,
            flavors={name: found.flavor for name, found in types.items()},
            jobs=action.jobs,
            cancelled=action.cancelled,
            why=action.why,
            rejected=action.rejected,
        )
    )
    acting.tools.metrics.jobs_created(action, receipt.created, acting.at)
