"""The template of the parents, and the number by which its changes reach Nomad."""

import hashlib
import json
from dataclasses import replace

from infra.nomad.parents import job_of
from models.fleet import FINGERPRINT_META
from models.job_types import PARENT_TEMPLATE, Parent, TaskCommand

DIGESTS = {
    1: "0ba55dd6d8932e98",
    2: "ce8730dd41bc4a6d",
}
"""What each template made of `EXAMPLE`. Rows are added; none is ever changed."""

EXAMPLE = Parent(
    id="hrsi-example-si-processing-hm.medium",
    service="si-processing",
    flavor="hm.medium",
    memory_mb=10_000,
    cpu_mhz=50,
    command=TaskCommand(
        driver="docker", command="/bin/run", args=("--once",), environment=(("NAME", "value"),)
    ),
)


def digest(parent: Parent) -> str:
    """Of the job as Nomad is told of it, without the fingerprint."""
    job = job_of(parent, "example", "default")
    del job["Meta"][FINGERPRINT_META]
    return hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:16]


def test_a_changed_template_has_a_new_number() -> None:
    found = digest(EXAMPLE)

    assert DIGESTS.get(PARENT_TEMPLATE) == found, (
        "the Nomad job that infra/nomad/parents.py makes has changed: raise PARENT_TEMPLATE in "
        f"models/job_types.py to {max(DIGESTS) + 1} and add the row "
        f'{max(DIGESTS) + 1}: "{found}" to DIGESTS here'
    )


def test_a_parent_of_another_template_has_another_fingerprint() -> None:
    later = replace(EXAMPLE, template=PARENT_TEMPLATE + 1)

    assert later.fingerprint() != EXAMPLE.fingerprint()
