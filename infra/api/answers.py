"""What the API answers where that is no record of `models` by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from models.configuration import Wait
from models.manifest import Manifest
from models.ports import JobStory
from models.publication import Publication
from models.records import Heartbeat, Job, Lease, Run, StatusChange


class JobPage(msgspec.Struct):
    """A page of a list of jobs."""

    jobs: tuple[Job, ...]
    next: str | None


class WholeJob(msgspec.Struct):
    """Everything about one job."""

    job: Job
    input: Mapping[str, Any]
    config: Mapping[str, Any] | None
    wait: Wait | None
    history: tuple[StatusChange, ...]
    runs: tuple[Run, ...]
    manifests: tuple[Manifest, ...]
    publications: tuple[Publication, ...]

    def story(self) -> JobStory:
        """The job as every store tells it."""
        return JobStory(
            job=self.job,
            input=self.input,
            history=self.history,
            runs=self.runs,
            manifests=self.manifests,
            config=self.config,
            wait=self.wait,
        )


class Services(msgspec.Struct):
    """Who leads and who lives."""

    deployment: str
    leases: tuple[Lease, ...]
    heartbeats: tuple[Heartbeat, ...]
    totals: Mapping[str, int]


class RefusedJob(msgspec.Struct):
    """A job that was not taken."""

    number: int
    error: str


class Handed(msgspec.Struct):
    """What became of jobs that were handed in."""

    added: tuple[int, ...]
    existing: tuple[int, ...]
    refused: tuple[RefusedJob, ...]
