"""`hrsi controller` on a machine whose clock is wrong: as many seconds as the file says.

python tests/e2e/jumping.py FILE controller
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller import bootstrap, log
from controller.clock import SystemClock
from controller.config import load


class JumpingClock(SystemClock):
    """The clocks of this machine, the one on the wall as it was set."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        """The wall clock."""
        return datetime.now(UTC) + timedelta(seconds=float(self._file.read_text()))


def main() -> None:
    """Run the controller until it is told to end."""
    log.configure(verbose=False)
    config = load()
    ports = bootstrap.connect(config, os.environ, JumpingClock(Path(sys.argv[1])))
    sys.exit(0 if bootstrap.controller(config, ports).run() else 1)


if __name__ == "__main__":
    main()
