"""The shipping program as Nomad starts it, before a real S3 server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from infra.s3 import Buckets
from models.logs import CHUNK_BYTES, Stream, file_name, in_order, logs_prefix
from simulator.buckets import ServedBuckets
from worker.ship import ENDS

pytestmark = pytest.mark.integration

JOB = UUID("5ba0e7a4-64ae-44a1-8e3e-d0ed3ab3d2b6")
PREFIX = logs_prefix(JOB, "alloc-1")
PATIENCE = 120.0


class Allocation:
    """An allocation on this machine, whose logs somebody ships."""

    def __init__(self, folder: Path, bucket: str, buckets: Buckets, server: ServedBuckets) -> None:
        self.folder, self._bucket, self._buckets = folder, bucket, buckets
        (folder / "logs").mkdir()
        self._environment = {
            "PATH": os.environ["PATH"],
            "NOMAD_ALLOC_DIR": str(folder),
            "NOMAD_ALLOC_ID": "alloc-1",
            "NOMAD_META_unique_id": str(JOB),
            "HRSI_RESULTS_BUCKET": bucket,
            **server.environment(),
        }

    def says(self, stream: Stream, content: bytes, number: int = 0) -> None:
        """The run says something."""
        with (self.folder / "logs" / file_name(stream, number)).open("ab") as file:
            file.write(content)

    @contextmanager
    def shipper(self) -> Iterator[subprocess.Popen[str]]:
        """The program, until it ends or the block does; told early, it hears it when it listens."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        with subprocess.Popen(
            [sys.executable, "-m", "worker.ship"],
            env=self._environment,
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            try:
                yield process
            finally:
                process.kill()

    def shipped(self, stream: Stream) -> bytes:
        """What there is of a stream in the bucket, which must have no gap."""
        stored = self._buckets.objects(self._bucket, PREFIX)
        chunks = in_order([(each.place.key, each.size) for each in stored], stream)
        content = b""
        for chunk in chunks:
            assert chunk.start == len(content)
            place = next(each.place for each in self._buckets.objects(self._bucket, chunk.key))
            content += self._buckets.read(place)
        return content


@pytest.fixture
def allocation(
    tmp_path: Path, bucket: str, buckets: Buckets, s3_server: ServedBuckets
) -> Allocation:
    return Allocation(tmp_path, bucket, buckets, s3_server)


def eventually(what: Callable[[], bool]) -> bool:
    """Whether something becomes true within a while."""
    deadline = time.monotonic() + PATIENCE
    while not what() and time.monotonic() < deadline:
        time.sleep(0.05)
    return what()


def test_a_run_is_heard_to_its_last_word_though_its_shipper_is_killed(
    allocation: Allocation,
) -> None:
    early, late = b"early\n" * 50_000, b"late\n"
    allocation.says(Stream.STDOUT, early)
    with allocation.shipper() as killed:
        assert eventually(lambda: len(allocation.shipped(Stream.STDOUT)) == CHUNK_BYTES)
        killed.send_signal(signal.SIGKILL)
    allocation.says(Stream.STDOUT, late, number=1)
    allocation.says(Stream.SCIENCE, b"0 snow\n")
    with allocation.shipper() as second:
        second.send_signal(signal.SIGTERM)
        assert second.wait(PATIENCE) == 0
    assert allocation.shipped(Stream.STDOUT) == early + late
    assert allocation.shipped(Stream.SCIENCE) == b"0 snow\n"


def test_a_shipper_without_a_bucket_says_what_is_missing(allocation: Allocation) -> None:
    del allocation._environment["HRSI_RESULTS_BUCKET"]
    with allocation.shipper() as process:
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "HRSI_RESULTS_BUCKET is not set" in said
