"""What shipping the logs of a run takes of one core, before a real S3 server."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

from models.logs import Stream, file_name
from simulator.buckets import serving
from tests.bench.conftest import Figures

SECONDS = 30
LINES_PER_SECOND = 200
LINE = b"2026-01-01T00:00:00Z INFO tile 32TLR: 5% of the snow cover is computed, going on\n"
SHARE = 0.02
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def test_shipping_takes_little_of_a_core(figures: Figures, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    with serving() as server:
        server.make("bench-logs")
        environment = {
            "PATH": os.environ["PATH"],
            "NOMAD_ALLOC_DIR": str(tmp_path),
            "NOMAD_ALLOC_ID": "alloc-1",
            "NOMAD_META_unique_id": str(uuid4()),
            "HRSI_RESULTS_BUCKET": "bench-logs",
            **server.environment(),
        }
        with subprocess.Popen([sys.executable, "-m", "worker.ship"], env=environment) as process:
            try:
                time.sleep(5)  # its imports are over
                before, began = cpu_seconds(process.pid), time.monotonic()
                with (logs / file_name(Stream.STDOUT, 0)).open("ab", buffering=0) as file:
                    while time.monotonic() - began < SECONDS:
                        file.write(LINE * (LINES_PER_SECOND // 10))
                        time.sleep(0.1)
                used, passed = cpu_seconds(process.pid) - before, time.monotonic() - began
                started_with = before
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
        server.remove("bench-logs")
    assert process.returncode == 0, "all was shipped"
    figures.ratio("log shipping: share of one core", used / passed, SHARE)
    figures.ratio("log shipping: CPU seconds to start", started_with)
    assert used / passed <= SHARE
