"""What the program on a worker loads before it has anything to do with it."""

import subprocess
import sys


def test_a_run_is_claimed_before_the_clients_of_buckets_and_containers_are_loaded() -> None:
    """They take twice as long to load as all the rest."""
    asked = (
        "import sys, worker.cli; print(sorted({'boto3', 'docker', 'requests'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
