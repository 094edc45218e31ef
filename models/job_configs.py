"""What configuration stores with a job, by type: a schema each, checked whenever it is written.

The fields of a job's configuration are handed to the program that does the job, over those of its
input. A type without a schema of its own has that of `JobConfig`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

import msgspec

from models.errors import Malformed

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Path: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]


class MajaMode(StrEnum):
    """How MAJA begins: from the L2A before, from the images after, or from nothing."""

    NOMINAL = "nominal"
    BACKWARD = "backward"
    INIT = "init"


class JobConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of every job. `order` says in words how it stands to the jobs that it might have waited for,
    `output` where in the bucket of results its files go.
    """

    output: Path
    order: str = ""


class FscRlieConfig(JobConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a job in the series of a tile. `reference_job` made the L2A that it begins with.

    The two counters are since the last job of the chain that began without one, which is
    `first_job` (None: this one): jobs that ran, and L2A that were made; one that goes backward
    counts the images that it goes through. `inputs` are those after its own.
    """

    maja_mode: MajaMode
    l2a_path_out: Path
    l2a_path_in: Path | None = None
    reference_job: int | None = None
    first_job: int | None = None
    n_jobs_run_since_last_init: Count = 0
    n_l2a_produced_since_last_init: Count = 0
    inputs: tuple[Path, ...] = ()


class SwsWdsConfig(JobConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a job that needs an assembly of slices: its own, or that of `master_job`."""

    makes_assembly: bool = True
    master_job: int | None = None


CONFIGS: Mapping[str, type[JobConfig]] = {"fsc_rlie": FscRlieConfig, "sws_wds": SwsWdsConfig}
"""The schema of each type that has more than `JobConfig`."""


def has_masters(job_type: str) -> bool:
    """Whether jobs of a type may rely on the assembly of another one."""
    return issubclass(CONFIGS.get(job_type, JobConfig), SwsWdsConfig)


def schema_of(job_type: str) -> dict[str, Any]:
    """The JSON Schema of a type's configuration."""
    return msgspec.json.schema(CONFIGS.get(job_type, JobConfig))


def plain(config: JobConfig) -> dict[str, Any]:
    """A configuration as it is stored: the fields that say something."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(config))
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def checked(job_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration that fits the schema of its type.

    Raises `Malformed` naming the field that does not.
    """
    try:
        msgspec.convert(dict(config), CONFIGS.get(job_type, JobConfig))
    except msgspec.ValidationError as error:
        raise Malformed(
            f"the configuration of a {job_type} job does not fit its schema: {error}; "
            "nothing was written"
        ) from error
    return dict(config)
