"""The run program before the real API and a real S3 server: a worker, but for its Nomad."""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from infra.s3 import Buckets
from models.lifecycle import Status
from models.manifest import Manifest, decode, prefix_of
from models.objects import Place
from models.payload import FILE, Payload, encode, run_token
from models.ports import JobStory
from models.records import Run
from simulator.buckets import ServedBuckets
from tests.plugins.commands import ROOT
from tests.plugins.stores import Desk, postgres_doors
from tests.plugins.web import KEY, Api

PRODUCT = "S2A_MSIL1C_20220827T130311_N0400_R038_T28WEU_20220827T182117"
L1C = f"Sentinel-2/MSI/L1C/2022/08/27/{PRODUCT}.SAFE/"
TILE = "28WEU"
AUX = f"csi_aux/csi_aux_{TILE}.tar"
ROLES = ("results", "eodata", "aux", "data", "infra", "products")
STANDIN = f"{shlex.quote(sys.executable)} -m worker.standin_science"
LIMIT = 60.0
"""Seconds within which a program has ended, however busy the machine."""


def archive(files: dict[str, bytes]) -> bytes:
    """A tar with these files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return content.getvalue()


@dataclass
class Worker:
    """A worker: runs of the table are done on it by the real program."""

    api: Api
    desk: Desk
    served: ServedBuckets
    buckets: Buckets
    names: dict[str, str]
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = (sys.executable, "-m", "worker.cli", "run")
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def fill(self) -> None:
        """Put an image and the auxiliary data of its tile where they belong."""
        self.served.fill(
            self.names["eodata"],
            [(f"{L1C}MTD_MSIL1C.xml", b"<x/>"), (f"{L1C}GRANULE/B02.jp2", b"J" * 100_000)],
        )
        self.served.fill(
            self.names["aux"], [(AUX, archive({"eu_dem/dem.tif": b"II*", "nodata": b""}))]
        )

    def queued(self, **given: Any) -> Run:
        """A queued run of an FSC job; `given` is in its input besides the product."""
        [job_id] = self.desk.submit(tile=TILE, input={"product": PRODUCT, **given})
        return self.desk.queued(job_id)

    def queued_of(self, job_type: str, **given: Any) -> Run:
        """A queued run of a job of another type."""
        [job_id] = self.desk.submit(type=job_type, tile=TILE, input=given)
        return self.desk.queued(job_id)

    def environment(self, run: Run, allocation: str) -> dict[str, str]:
        """What Nomad and the worker's settings tell the program."""
        place = self.folder / allocation
        task = place / "main" / "local"
        task.mkdir(parents=True, exist_ok=True)
        (task / FILE).write_bytes(encode(Payload(token=run_token(KEY, run.id))))
        return {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "HRSI_URL": self.api.url,
            "NOMAD_META_run": str(run.id),
            "NOMAD_ALLOC_ID": allocation,
            "NOMAD_ALLOC_DIR": str(place / "alloc"),
            "NOMAD_TASK_DIR": str(task),
            "HRSI_NODE_NAME": "os-worker-001",
            "HRSI_ADDRESS": "10.0.0.1",
            "HRSI_SCIENCE_COMMAND": STANDIN,
            "HRSI_STANDIN_SECONDS": "0",
            # A busy machine is no drained one.
            "HRSI_KILL_TIMEOUT": "60",
            "HRSI_WORKER_SETTINGS": str(place / "no-such-file"),
            **self.served.environment(),
            **{f"HRSI_{role.upper()}_BUCKET": name for role, name in self.names.items()},
            **self.settings,
        }

    def start(self, run: Run, allocation: str = "a1", **environment: str) -> subprocess.Popen[str]:
        """Start the program for an allocation of the run."""
        process = subprocess.Popen(
            self.program,
            cwd=ROOT,
            env={**self.environment(run, allocation), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def do(self, run: Run, allocation: str = "a1", **environment: str) -> tuple[int, str]:
        """Let the program do the run; its exit code and what it said."""
        process = self.start(run, allocation, **environment)
        said, _ = process.communicate(timeout=LIMIT)
        return process.returncode, said

    def story(self, run: Run) -> JobStory:
        """Everything about the run's job."""
        return self.desk.story(run.job_id)

    def status(self, run: Run) -> Status:
        """Where its job stands."""
        return self.desk.job(run.job_id).status

    def kept(self, run: Run) -> dict[str, int]:
        """What the results bucket has of the job: size by key below the job's place."""
        place = f"work/jobs/{self.desk.job(run.job_id).unique_id}/"
        listed = self.buckets.objects(self.names["results"], place)
        return {stored.place.key.removeprefix(place): stored.size for stored in listed}

    def manifest(self, run: Run, claim: int = 1) -> Manifest:
        """The manifest as it lies in the bucket."""
        prefix = prefix_of(self.desk.job(run.job_id).unique_id, run.attempt, claim)
        place = Place(bucket=self.names["results"], key=f"{prefix}manifest.json")
        return decode(self.buckets.read(place))

    def left(self, allocation: str = "a1") -> list[str]:
        """What is left of the working directory on the disk."""
        work = self.folder / allocation / "main" / "local" / "work"
        return sorted(str(path.relative_to(work)) for path in work.rglob("*"))

    def science_log(self, allocation: str = "a1") -> str:
        """What the software said."""
        file = self.folder / allocation / "alloc" / "logs" / "science.0"
        return file.read_text() if file.exists() else ""

    def close(self) -> None:
        """End what is still running."""
        for process in self.started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def worker(
    api: Api,
    s3_server: ServedBuckets,
    buckets: Buckets,
    new_bucket: Callable[[str], str],
    tmp_path: Path,
) -> Iterator[Worker]:
    """A worker with all that it needs, and an image with its auxiliary data in the buckets."""
    made = Worker(
        api=api,
        desk=Desk(postgres_doors(api.database)),
        served=s3_server,
        buckets=buckets,
        names={role: new_bucket(role) for role in ROLES},
        folder=tmp_path,
    )
    made.fill()
    yield made
    made.close()
