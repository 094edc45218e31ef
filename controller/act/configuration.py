"""The handler of configuration: what was found out about many jobs is one transaction."""

from __future__ import annotations

from controller.act.effects import Acting, flavors
from models.actions import Configure
from models.configuration import ConfigureJobs


def configure(action: Configure, acting: Acting) -> None:
    """Write down what became of these jobs: all of it or nothing."""
    acting.commit(
        ConfigureJobs(
            at=acting.at,
            jobs=action.jobs,
            unfit=action.unfit,
            futile=action.futile,
            again=action.again,
            flavors=flavors(acting),
        )
    )
