"""What the program is told before it begins: which run, on which worker, with which settings.

Nomad says which run (`NOMAD_…`) and where (`HRSI_NODE_ID`, `HRSI_NODE_NAME`, `HRSI_ADDRESS`); the
settings of the controller say where the API is (`HRSI_URL`, `HRSI_CACERT`). What is the worker's
own — its keys to the buckets above all, which Nomad would show — stands in a file that the image
brings (`HRSI_WORKER_SETTINGS`, lines NAME=value); the environment wins.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from infra.s3 import S3Access
from models.errors import ConfigurationError, Malformed
from models.job_types import KILL_TIMEOUT
from models.payload import FILE, decode
from models.ports import Placement
from worker.failures import MISSING_SETTING, internal

SETTINGS_FILE = "/etc/hrsi/worker.env"
DEFAULT_ENGINE = "unix:///var/run/docker.sock"
LONGEST = timedelta(days=7)
"""No run takes longer."""

ROLES = ("results", "eodata", "aux", "data", "infra", "products")
"""What buckets are for; `HRSI_<ROLE>_BUCKET` names each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """Which run, where, and the way to the API."""

    run_id: UUID
    placement: Placement
    folder: Path
    logs: Path
    url: str
    token: str = field(repr=False)
    ca_cert: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Assignment:
        """Read the assignment. Raises `ConfigurationError` naming what is missing or senseless."""
        try:
            task = Path(environment["NOMAD_TASK_DIR"])
            return cls(
                run_id=uuid_of(environment, "NOMAD_META_run"),
                placement=Placement(
                    allocation_id=environment["NOMAD_ALLOC_ID"],
                    node_id=environment.get("HRSI_NODE_ID"),
                    node_name=environment.get("HRSI_NODE_NAME"),
                    address=environment.get("HRSI_ADDRESS"),
                ),
                folder=Path(environment.get("HRSI_WORK_DIR") or task / "work"),
                logs=Path(environment["NOMAD_ALLOC_DIR"], "logs"),
                url=environment["HRSI_URL"],
                token=_token(task / FILE),
                ca_cert=environment.get("HRSI_CACERT") or None,
            )
        except KeyError as error:
            raise ConfigurationError(
                f"{error.args[0]} is not set: Nomad sets NOMAD_…, the settings of the controller "
                "(web.url, runs.environment) the others"
            ) from error


def uuid_of(environment: Mapping[str, str], name: str) -> UUID:
    """A UUID that Nomad hands on. Raises `KeyError`, and `ConfigurationError` when it is none."""
    try:
        return UUID(environment[name])
    except ValueError as error:
        raise ConfigurationError(
            f"{name} is {environment[name]!r}, which is no UUID: runs are dispatched by the "
            "controller, which says which one in the meta of the Nomad job"
        ) from error


def _token(file: Path) -> str:
    try:
        return decode(file.read_bytes()).token
    except OSError as error:
        raise ConfigurationError(
            f"the payload of the run cannot be read: {error}; Nomad puts it there when the "
            "controller dispatches the run"
        ) from error
    except Malformed as error:
        raise ConfigurationError(f"{file}: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The worker's own settings; what is missing is told when it is needed.

    `science_command` stands in for the containers of all job types: in the demo, and where no
    engine is. `science_limit` is how long the software of any job may take, None: as long as its
    type says; `kill_timeout` how long Nomad waits between asking the program to end and making it.
    """

    values: Mapping[str, str] = field(repr=False)
    science_limit: timedelta | None = None
    kill_timeout: timedelta = KILL_TIMEOUT

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """The environment, over the worker's file where there is one.

        Raises `ConfigurationError` for a time that is none: once a run is to end it is too late.
        """
        file = Path(environment.get("HRSI_WORKER_SETTINGS", SETTINGS_FILE))
        written = file.read_text(encoding="utf-8") if file.is_file() else ""
        values = {**dict(_lines(written)), **environment}
        return cls(
            values=values,
            science_limit=_seconds(values, "HRSI_SCIENCE_LIMIT"),
            kill_timeout=_seconds(values, "HRSI_KILL_TIMEOUT") or KILL_TIMEOUT,
        )

    def need(self, name: str) -> str:
        """A setting. Raises `RunFailed` when it is not there."""
        value = self.values.get(name)
        if not value:
            raise internal(
                MISSING_SETTING,
                f"{name} is not set: neither the environment of the run nor the settings file of "
                "the worker has it; set it there and relaunch the job",
            )
        return value

    def bucket(self, role: str) -> str:
        """The name of the bucket for this. Raises `RunFailed` when it is not known."""
        return self.need(f"HRSI_{role.upper()}_BUCKET")

    @property
    def s3(self) -> S3Access:
        """The way to the buckets. Raises `RunFailed` when a part of it is missing."""
        endpoint, *keys = map(
            self.need, ("S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        )
        try:
            return S3Access(
                endpoint=endpoint,
                access_key=keys[0],
                secret_key=keys[1],
                region=self.values.get("AWS_REGION") or "RegionOne",
                verify=self.values.get("AWS_CA_BUNDLE") or True,
            )
        except ConfigurationError as error:
            raise internal(MISSING_SETTING, str(error)) from error

    @property
    def engine(self) -> str:
        """Where the container engine listens."""
        return self.values.get("DOCKER_HOST") or DEFAULT_ENGINE

    @property
    def science_command(self) -> tuple[str, ...]:
        """What runs instead of every container; empty: containers run."""
        return tuple(shlex.split(self.values.get("HRSI_SCIENCE_COMMAND", "")))


def _seconds(values: Mapping[str, str], name: str) -> timedelta | None:
    text = values.get(name, "")
    if not text:
        return None
    with suppress(ValueError):
        if 0 < (seconds := float(text)) <= LONGEST.total_seconds():
            return timedelta(seconds=seconds)
    raise ConfigurationError(
        f"{name} is {text!r}: seconds are wanted, more than 0 and at most "
        f"{LONGEST.total_seconds():.0f}"
    )


def _lines(text: str) -> list[tuple[str, str]]:
    pairs = (line.split("=", 1) for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [(pair[0].strip(), pair[1].strip()) for pair in pairs if len(pair) == 2]
