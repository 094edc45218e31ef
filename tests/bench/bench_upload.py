"""The delivery of what a run made, beside boto3's own transfer of the same files.

Boto3 is at its best: one transfer of its own for all files, with its own defaults. A delivery takes
the SHA-256 of each file besides, and puts the manifest last. The S3 server is another process. Both
take turns, and the least of some counts: the rest is other work on this machine.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from uuid import UUID

import boto3
import pytest
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config

from infra.s3 import S3Access, connect
from models.manifest import ProductKind, Science
from models.ports import Claim
from simulator.buckets import ACCESS_KEY, REGION, SECRET_KEY
from simulator.examples import a_job
from tests.bench.conftest import ROOT, Figures
from worker.products import Delivery, Output
from worker.uploads import Uploads

BUCKET = "bench-upload"
SECONDS, LEAST = 8.0, 7
"""How long both take turns, and how often at least: a short transfer needs many turns until one of
them is disturbed by nothing.
"""

BUDGET = 1.2
SERVE = f"""
import sys
from simulator.buckets import serving
with serving("{BUCKET}") as served:
    print(served.url, flush=True)
    sys.stdin.read()
"""

_KIB, _MIB = 1 << 10, 1 << 20
SETS = {
    "an FSC and an RLIE, 14 files of 1.6 MiB": [160 * _KIB] * 8 + [60 * _KIB] * 4 + [20 * _KIB] * 2,
    "4 files of 32 MiB": [32 * _MIB] * 4,
}


@dataclass(frozen=True, kw_only=True)
class Took:
    """Seconds of the clock and of our process."""

    wall: float
    cpu: float


@contextmanager
def server() -> Iterator[str]:
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def outputs(folder: Path, sizes: list[int]) -> tuple[Output, ...]:
    """A product of files of these sizes, of bytes that nobody can guess."""
    name = "FSC_20220827T130318_S2A_T28WEU_V102_1"
    chance, files = random.Random(len(sizes)), []
    for number, size in enumerate(sizes):
        files.append(folder / f"{name}_{number}.tif")
        files[-1].write_bytes(chance.randbytes(size))
    at = datetime(2022, 8, 27, 13, 3, tzinfo=UTC)
    science = Science(
        geometry="POINT(0 0)", mission="S2", resolution=20, sensed_from=at, completed_at=at
    )
    return (Output(name=name, kind=ProductKind.FSC, science=science, files=tuple(files)),)


def took(work: Callable[[], object]) -> Took:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Took(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)


@pytest.mark.parametrize(("what", "sizes"), SETS.items(), ids=["small", "large"])
def test_a_delivery_takes_hardly_longer_than_boto3_by_itself(
    what: str, sizes: list[int], figures: Figures, tmp_path: Path
) -> None:
    made, number = outputs(tmp_path, sizes), count(1)
    with server() as url:
        access = S3Access(endpoint=url, access_key=ACCESS_KEY, secret_key=SECRET_KEY, region=REGION)
        bare = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name=REGION,
            config=Config(s3={"addressing_style": "path"}),
        )

        def theirs() -> None:
            place = f"bare/{next(number)}"
            with create_transfer_manager(bare, TransferConfig()) as transfer:
                sent = [
                    transfer.upload(str(file), BUCKET, f"{place}/{file.name}")
                    for output in made
                    for file in output.files
                ]
                for each in sent:
                    each.result()

        with closing(bare), closing(connect(access)) as store:
            uploads = Uploads(store=store, bucket=BUCKET)

            def ours() -> None:
                claim = Claim(
                    run_id=UUID(int=1), number=next(number), attempt=1, job=a_job(), input={}
                )
                Delivery(uploads=uploads, claim=claim).deliver(made)

            for work in (theirs, ours):
                work()  # its connections are open, its modules loaded
            turns: list[tuple[Took, Took]] = []
            over = time.monotonic() + SECONDS
            while len(turns) < LEAST or time.monotonic() < over:
                turns.append((took(theirs), took(ours)))
    bare_wall, our_wall = (min(turn[who].wall for turn in turns) for who in (0, 1))
    bare_cpu, our_cpu = (min(turn[who].cpu for turn in turns) for who in (0, 1))
    ratio = our_wall / bare_wall
    figures.ratio(f"delivery ÷ boto3's own transfer, time of the clock, {what}", ratio, BUDGET)
    figures.ratio(f"delivery ÷ boto3's own transfer, CPU, {what}", our_cpu / bare_cpu)
    figures.time(f"delivery / boto3's own transfer, {what}", f"{our_wall:.2f} / {bare_wall:.2f} s")
