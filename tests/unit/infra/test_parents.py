"""The template of the parents, and the number by which its changes reach Nomad."""

import hashlib
import json
from dataclasses import replace

import pytest

from infra.nomad.parents import job_of
from models.fleet import FINGERPRINT_META
from models.job_types import (
    DEFAULT_REGISTRY,
    JOB_TYPES,
    PARENT_TEMPLATE,
    JobType,
    Parent,
    Registry,
    TaskCommand,
)
from models.logs import MOST_BYTES, TASK

DIGESTS = {
    1: "0ba55dd6d8932e98",
    2: "ce8730dd41bc4a6d",
    3: "0747885ed2f6d6e5",
}
"""What each template made of `EXAMPLE`. Rows are added; none is ever changed."""

SHIPPER = TaskCommand(driver="docker", command="/bin/ship", args=("logs",))
EXAMPLE = Parent(
    id="hrsi-example-si-processing-hm.medium",
    service="si-processing",
    flavor="hm.medium",
    memory_mb=10_000,
    cpu_mhz=50,
    command=TaskCommand(
        driver="docker", command="/bin/run", args=("--once",), environment=(("NAME", "value"),)
    ),
    log_shipper=SHIPPER,
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


def test_the_program_of_the_run_leads_and_the_other_only_ships() -> None:
    (group,) = job_of(EXAMPLE, "example", "default")["TaskGroups"]
    run, shipper = group["Tasks"]

    assert (run["Name"], run["Leader"]) == (TASK, True)
    assert "DispatchPayload" not in shipper, "the run's token is for the run alone"
    assert shipper["RestartPolicy"]["Mode"] == "delay", "one that is given up ends the run, too"
    assert group["RestartPolicy"]["Attempts"] == group["ReschedulePolicy"]["Attempts"] == 0


def test_without_a_shipper_there_is_only_the_program_of_the_run() -> None:
    (group,) = job_of(replace(EXAMPLE, log_shipper=None), "example", "default")["TaskGroups"]

    assert [task["Name"] for task in group["Tasks"]] == [TASK]


def test_a_log_file_is_dropped_only_when_it_was_long_shipped() -> None:
    (group,) = job_of(EXAMPLE, "example", "default")["TaskGroups"]
    kept = group["Tasks"][0]["LogConfig"]

    assert kept["MaxFiles"] * kept["MaxFileSizeMB"] * 2**20 > MOST_BYTES
    assert all(
        task["LogConfig"]["MaxFiles"] * task["LogConfig"]["MaxFileSizeMB"]
        < group["EphemeralDisk"]["SizeMB"]
        for task in group["Tasks"]
    ), "Nomad refuses it"


@pytest.mark.parametrize("job_type", JOB_TYPES, ids=lambda job_type: job_type.name)
def test_one_run_and_its_shipper_fill_a_worker(job_type: JobType) -> None:
    flavor = DEFAULT_REGISTRY.flavors[job_type.flavor]
    (parent,) = Registry.of([job_type], [flavor]).parents("example", EXAMPLE.command, SHIPPER)
    (group,) = job_of(parent, "example", "default")["TaskGroups"]
    taken = sum(task["Resources"]["MemoryMB"] for task in group["Tasks"])

    assert taken < flavor.memory_mb < 2 * taken
