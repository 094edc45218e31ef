"""What `hrsi doctor` finds, and whom it asks: reads that nobody needs in a pass.

Part of what adapters promise: a probe only reads, has a deadline of its own on every call, and
raises what the ports raise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol


class Health(StrEnum):
    """How a check ended. `WARNING`: it works, but not as well or not as safely as it could."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was looked at: what was found and, unless all is well, how to mend it."""

    about: str
    name: str
    health: Health
    found: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rights:
    """What a Nomad token may do. None: its policies may not be read, so that nobody knows.

    `everything_read`: jobs, evaluations and allocations of every namespace. Where it is False
    Nomad leaves out what may not be seen without a word, and a list looks shorter than it is.
    """

    who: str
    everything_read: bool | None
    nodes_written: bool | None


class NomadProbe(Protocol):
    """Nomad, looked at more closely than by `Orchestrator`."""

    def version(self) -> str:
        """The version of the agent behind the address."""

    def ahead(self) -> timedelta:
        """How far Nomad's clock is ahead of ours, to a second."""

    def rights(self) -> Rights:
        """What our token may do."""

    def listen(self) -> None:
        """Open the event stream, wait for its first line, and close it."""


class CloudProbe(Protocol):
    """OpenStack, looked at more closely than by `Cloud`."""

    def check_project(self, expected: str) -> None:
        """Raise `ConfigurationError` when the credentials open another project."""

    def check_networks(self, networks: Sequence[str], security_groups: Sequence[str]) -> None:
        """Raise `Malformed` when one of these is not there, or not the only one of its name."""

    def agreed_microversion(self) -> tuple[int, int]:
        """The compute microversion that this cloud and this program speak."""

    def ahead(self) -> timedelta:
        """How far the cloud's clock is ahead of ours, to a second."""


class BucketProbe(Protocol):
    """Buckets, looked at from outside; both raise like `models.objects.ObjectStore`."""

    def check(self, bucket: str) -> None:
        """Raise `BucketNotFound` or `Refused` when this bucket cannot be used."""

    def prove_writable(self, bucket: str) -> None:
        """Begin an upload and give it up: raise `Refused` when objects may not be written there.

        Nothing of it is ever to be seen.
        """


class StoreProbe(Protocol):
    """The database, looked at from outside its tables."""

    def version(self) -> str:
        """The version of the server."""

    def revision(self) -> str | None:
        """The migration that the database is at; None for one without our tables."""

    def newest_revision(self) -> str:
        """The migration that this program needs."""

    def ahead(self) -> timedelta:
        """How far the database's clock is ahead of ours."""
