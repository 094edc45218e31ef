"""How a simulated cloud is set up: what it offers, what it allows, how long things take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from models.job_types import FLAVORS, Flavor

NO_VALID_HOST = "No valid host was found. "
"""Nova's words, the space at the end included."""

DOWN_CELLS = (2, 69)
"""The microversion from which on lists show stubs of servers in down cells; below they leave them
out without a word."""

SLOWER = 10
"""How many times as long a slow boot takes."""

NOVA_FAILED = (
    "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the "
    "Nova API log if possible."
)


class BootFailure(StrEnum):
    """How a boot may go wrong."""

    NO_VALID_HOST = "no_valid_host"
    """ERROR after a moment; the fault shows when the server is asked for by id, not in lists."""
    SPAWN = "spawn"
    """ERROR at the end of the boot, when every host has failed to start it."""
    NETWORK = "network"
    """ERROR when Neutron gives it no network."""
    NEVER_ENDS = "never_ends"
    """BUILD until it is deleted."""
    SLOW = "slow"
    """ACTIVE in the end, after `SLOWER` times as long."""


SAID_OF: Mapping[BootFailure, str] = MappingProxyType(
    {
        BootFailure.SPAWN: (
            "Exceeded maximum number of retries. Exhausted all hosts available for retrying build "
            "failures for instance {}."
        ),
        BootFailure.NETWORK: (
            "Build of instance {} aborted: Failed to allocate the network(s), not rescheduling."
        ),
    }
)
"""The fault of a server whose boot ends in ERROR on its host."""


class SnapshotFailure(StrEnum):
    """How the making of an image may go wrong."""

    GIVEN_UP = "given_up"
    """Nova fails half-way and deletes the image, as it does when the upload fails."""
    KILLED = "killed"
    """Glance refuses the data: the image stays, in a status from which nothing leads on."""
    STUCK = "stuck"
    """The host dies: the image is queued, and the server's task goes on, for ever."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudOptions:
    """What one project of the cloud has and may do. A quota of None is unlimited."""

    flavors: tuple[Flavor, ...] = FLAVORS
    images: tuple[str, ...] = ("os-worker-template",)
    networks: tuple[str, ...] = ("farm-net",)
    security_groups: tuple[str, ...] = ("default",)
    key_names: tuple[str, ...] = ()
    max_servers: int | None = 300
    max_vcpus: int | None = 920
    max_memory_mb: int | None = 8_000_000
    largest_host_vcpus: int | None = None
    """A flavor with more finds no valid host."""

    boot_time: timedelta = timedelta(seconds=60)
    """From the create to ACTIVE; each boot takes up to `boot_spread` longer, by the seed."""

    boot_spread: float = 0.0
    error_time: timedelta = timedelta(milliseconds=400)
    """From the create to ERROR when no host is valid."""

    delete_time: timedelta = timedelta(seconds=3)
    """From the delete to DELETED."""

    deleted_shown: timedelta = timedelta(milliseconds=500)
    """How long a deleted server is shown as DELETED by id before it is a 404."""

    image_time: timedelta = timedelta(seconds=90)
    """From the order of an image of a server until it is active."""

    template: str | None = None
    """The name of a server that is there from the start for images to be made of."""

    template_setup: timedelta = timedelta(minutes=3)
    """From ACTIVE until the console of a template says that its set-up has finished."""

    late_effect: timedelta = timedelta(0)
    """How long after a lost reply its create takes effect, of a server or of an image: longer than
    any client waits."""

    page_limit: int = 1000
    """Most servers in one page of a list, Nova's `osapi_max_limit`."""

    max_microversion: str = "2.93"
    """The newest compute microversion that is offered over HTTP."""

    quota_age: timedelta = timedelta(minutes=1)
    """How old quota, flavors and images in a snapshot of the memory port may be."""

    seed: int = 0

    @property
    def shows_down_cells(self) -> bool:
        """Whether lists have stubs of servers in down cells."""
        major, _, minor = self.max_microversion.partition(".")
        return (int(major), int(minor)) >= DOWN_CELLS
