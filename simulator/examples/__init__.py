"""Records for tests and demonstrations, each whole and sensible as it is.

`a_job(status=Status.QUEUED)` reads as what the test is about; everything else is a default. What
is numbered (`id=7`) gets its other identities from the number, so that records made for the same
number fit together: `a_machine(7)` is worker 7, its server, its node and the proof of which is
which. Nothing here reads a clock or draws a chance: the same call makes the same record.
"""

from __future__ import annotations

from simulator.examples.base import (
    CALL,
    COMMAND,
    DEPLOYMENT,
    FLAVOR,
    LONG_AGO,
    NOW,
    SERVICE,
    a_child_id,
    a_parent_id,
    address_of,
    an_id,
)
from simulator.examples.changes import (
    end_run,
    queue_run,
    reserve_worker,
)
from simulator.examples.jobs import (
    SENTINEL_2_NAMES,
    a_claimed_run,
    a_job,
    a_new_job,
    a_run,
    in_flight,
    some_new_jobs,
)
from simulator.examples.nomad import (
    a_child,
    a_node,
    a_nomad,
    an_allocation,
    an_evaluation,
    an_identity,
)
from simulator.examples.openstack import (
    a_cloud,
    a_quota,
    a_server,
    a_template,
    an_image,
    some_images,
)
from simulator.examples.workers import (
    a_booting_worker,
    a_creating_worker,
    a_retirement,
    a_worker,
    an_intent,
)
from simulator.examples.worlds import (
    Machine,
    a_machine,
    a_site,
    a_store,
    a_world,
    parents_in_nomad,
)

__all__ = [
    "CALL",
    "COMMAND",
    "DEPLOYMENT",
    "FLAVOR",
    "LONG_AGO",
    "NOW",
    "SENTINEL_2_NAMES",
    "SERVICE",
    "Machine",
    "a_booting_worker",
    "a_child",
    "a_child_id",
    "a_claimed_run",
    "a_cloud",
    "a_creating_worker",
    "a_job",
    "a_machine",
    "a_new_job",
    "a_node",
    "a_nomad",
    "a_parent_id",
    "a_quota",
    "a_retirement",
    "a_run",
    "a_server",
    "a_site",
    "a_store",
    "a_template",
    "a_worker",
    "a_world",
    "address_of",
    "an_allocation",
    "an_evaluation",
    "an_id",
    "an_identity",
    "an_image",
    "an_intent",
    "end_run",
    "in_flight",
    "parents_in_nomad",
    "queue_run",
    "reserve_worker",
    "some_images",
    "some_new_jobs",
]
