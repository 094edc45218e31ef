"""The program that ships the logs of a run: Nomad starts it beside the program of every run.

It looks every few seconds until Nomad tells it to end, which is when the run's program has ended;
then it ships what is left. While the bucket is away it goes on asking: the logs lie on the disk. It
ends with 1 when it could not ship all before Nomad's kill timeout, and says so.

Environment: `NOMAD_ALLOC_DIR`, `NOMAD_ALLOC_ID` and `NOMAD_META_unique_id`, which Nomad sets;
`HRSI_RESULTS_BUCKET`, and `S3_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
`AWS_REGION` and `AWS_CA_BUNDLE`, which open it, here or in the worker's own settings
(`worker.assignment`).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from infra import s3
from infra.s3 import S3Access
from models.errors import ConfigurationError, PortError
from models.logs import logs_prefix
from worker.assignment import Settings, uuid_of
from worker.logfiles import LogFiles
from worker.shipping import Shipper, Target

EXIT_SHIPPED = 0
EXIT_LEFT = 1

ENDS = frozenset({signal.SIGTERM, signal.SIGINT})
"""What tells the program to end. A run may be over before this program listens: whoever starts it
has these blocked (`env --block-signal=TERM`), so that they wait until it does.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """In seconds: how often to look, how long to wait at most after failures, how long the end may
    take (Nomad kills 30 s after it told), how long what was said last may take to reach its file.
    """

    look: float = 2.0
    longest: float = 30.0
    end: float = 25.0
    settle: float = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Hands:
    """How the program waits, reads the time in seconds that only grow, and speaks."""

    say: Callable[[str], None]
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """Whose logs are to be shipped, from where to where."""

    folder: Path
    target: Target
    access: S3Access

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Assignment:
        """Read the assignment. Raises `ConfigurationError` naming what is missing or senseless."""
        try:
            unique_id = uuid_of(environment, "NOMAD_META_unique_id")
            return cls(
                folder=Path(environment["NOMAD_ALLOC_DIR"], "logs"),
                target=Target(
                    bucket=environment["HRSI_RESULTS_BUCKET"],
                    prefix=logs_prefix(unique_id, environment["NOMAD_ALLOC_ID"]),
                ),
                access=S3Access(
                    endpoint=environment["S3_ENDPOINT_URL"],
                    access_key=environment["AWS_ACCESS_KEY_ID"],
                    secret_key=environment["AWS_SECRET_ACCESS_KEY"],
                    region=environment.get("AWS_REGION") or "RegionOne",
                    verify=environment.get("AWS_CA_BUNDLE") or True,
                    connections=1,
                    silence=timedelta(seconds=10),
                ),
            )
        except KeyError as error:
            raise ConfigurationError(
                f"{error.args[0]} is not set: Nomad sets NOMAD_…, the worker's image or "
                "runs.environment the others; no logs are shipped"
            ) from error


class Shipping:
    """Ships until it is told to end, and then the rest."""

    def __init__(self, shipper: Shipper, hands: Hands, pace: Pace | None = None) -> None:
        self._shipper = shipper
        self._hands = hands
        self._pace = pace or Pace()

    def until(self, ending: threading.Event) -> int:
        """Ship until `ending` is set, then what is left; the exit code."""
        failed = 0
        while not ending.wait(min(self._pace.look * 2**failed, self._pace.longest)):
            try:
                self._shipper.ship()
                failed = 0
            except PortError as error:
                failed += 1
                self._hands.say(f"logs wait on this worker, tried {failed} times: {error}")
        return self._rest()

    def _rest(self) -> int:
        """Ship until twice in a row there was nothing more."""
        until, quiet = self._hands.monotonic() + self._pace.end, 0
        while quiet < 2:
            try:
                quiet = 0 if self._shipper.finish() else quiet + 1
                if quiet == 2:
                    self._shipper.close()
                    return EXIT_SHIPPED
            except PortError as error:
                quiet = 0
                self._hands.say(f"the end of the logs is not shipped yet: {error}")
            if self._hands.monotonic() >= until:
                break
            self._hands.sleep(self._pace.settle)
        self._hands.say("the end of the logs stays on this worker alone, and goes with it")
        return EXIT_LEFT


def main() -> int:
    """Ship the logs of the allocation that Nomad started this process for; the exit code."""
    ending = threading.Event()
    for told in ENDS:
        signal.signal(told, lambda *_: ending.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    try:
        assignment = Assignment.from_environment(Settings.of(os.environ).values)
    except ConfigurationError as error:
        _say(str(error))
        return EXIT_LEFT
    with closing(s3.connect(assignment.access)) as buckets:
        shipper = Shipper(buckets, assignment.target, LogFiles(assignment.folder), time.monotonic)
        return Shipping(shipper, Hands(say=_say)).until(ending)


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
