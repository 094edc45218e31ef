"""What all examples share: when and where they happen, and identities made from numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from models.job_types import TaskCommand, parent_id

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""The moment at which examples happen: a test passes it as `now`."""

LONG_AGO = NOW - timedelta(hours=2)
"""When everything in the examples was made, unless said otherwise."""

DEPLOYMENT = "test"
FLAVOR = "hm.medium"
SERVICE = "si-processing"
COMMAND = TaskCommand(driver="raw_exec", command="/usr/local/bin/hrsi-worker", args=("run",))


def an_id(*parts: object) -> UUID:
    """A uuid that is the same for the same parts: `an_id("run", 7, 1)`."""
    return uuid5(NAMESPACE_URL, "hrsi:" + "/".join(str(part) for part in parts))


CALL = timedelta(seconds=30)
"""How long an outside call may take in the examples."""


def address_of(number: int) -> str:
    """The address of worker `number`."""
    return f"10.0.{number // 250}.{number % 250 + 1}"


def a_parent_id(flavor: str = FLAVOR, service: str = SERVICE) -> str:
    """The parameterized Nomad job of a service on a flavor, in the example deployment."""
    return parent_id(DEPLOYMENT, service, flavor)


def a_child_id(job_id: int = 1, attempt: int = 1) -> str:
    """What Nomad called the child of a run."""
    return f"{a_parent_id()}/dispatch-{job_id}-{attempt}"
