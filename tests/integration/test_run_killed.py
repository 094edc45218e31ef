"""Killed at any request to the buckets, a run has one manifest: the next allocation makes it."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

import pytest

from models.lifecycle import Status
from models.objects import Place
from models.records import Run
from tests.plugins.readiness import SERIES
from tests.plugins.runs import LIMIT, Worker
from tests.plugins.tap import tapped
from worker.l2a import MARKER, decode

pytestmark = pytest.mark.integration

REQUEST = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) /")
SOME = (4, 7, 9, 20, 23, 30)
"""While it fetches, keeps its L2A, says so, delivers, says that, and tidies up."""

ALL = os.environ.get("HYPOTHESIS_PROFILE") == "long"


@dataclass
class Killer:
    """Kills a process at a request of it, by its number: neither that one nor a later one arrives.

    What was killed after a request was answered is killed before the next one.
    """

    number: int
    process: subprocess.Popen[str] | None = None
    has_killed: bool = False
    numbers: count[int] = field(default_factory=lambda: count(1))

    def __call__(self, chunk: bytes) -> None:
        """Hear what the process sends, on any of its connections."""
        if self.process is None or REQUEST.match(chunk) is None:
            return
        if next(self.numbers) >= self.number:
            self.process.kill()
            self.has_killed = True
            raise ConnectionResetError("the request goes nowhere")


def killed_at(worker: Worker, run: Run, number: int) -> bool:
    """Start the run and kill its program at this request; whether it came so far."""
    address = urlsplit(worker.served.url)
    killer = Killer(number)
    with tapped((address.hostname or "", address.port or 0), killer) as tap:
        url = f"http://127.0.0.1:{tap.port}"
        killer.process = worker.start(run, f"{run.id}-killed", S3_ENDPOINT_URL=url)
        killer.process.communicate(timeout=LIMIT)
    return killer.has_killed


def whole(worker: Worker, run: Run) -> bool:
    """Whether all that the one manifest names is there, and the L2A with it."""
    [manifest] = worker.story(run).manifests
    kept = worker.kept(run)
    begins = f"runs/{manifest.attempt}-{manifest.claim}/products/"
    files = {f"{begins}{file.key}": file.size for each in manifest.products for file in each.files}
    bucket, place = worker.names["data"], SERIES["l2a_path_out"]
    l2a = decode(worker.buckets.read(Place(bucket=bucket, key=f"{place}/{MARKER}")))
    there = {
        each.place.key: each.size
        for each in worker.buckets.objects(bucket, f"{place}/{l2a.folder}")
    }
    return (
        files.items() <= kept.items()
        and worker.manifest(run, manifest.claim) == manifest
        and l2a.folder == f"{run.id}-{manifest.claim}/"
        and there == {f"{place}/{l2a.folder}{file.key}": file.size for file in l2a.files}
    )


def test_killed_at_any_request_to_the_buckets_the_next_allocation_makes_the_one_manifest(
    worker: Worker,
) -> None:
    """What was said last may be heard late, after the next claim: then it is another's turn."""
    for number in count(1) if ALL else SOME:
        run = worker.queued()
        has_killed = killed_at(worker, run, number)
        for allocation in ("second", "third"):
            if worker.status(run) is Status.PROCESSED:
                break
            code, said = worker.do(run, f"{run.id}-{allocation}")
            assert code == 0, said
        assert worker.desk.path(run.job_id).count(Status.PROCESSED) == 1, number
        assert whole(worker, run), f"killed at request {number}"
        if not has_killed:
            assert number > max(SOME), "there are as many requests as this test goes by"
            break
