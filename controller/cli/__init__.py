"""The `hrsi` command: one module per group of commands, one place where errors end.

What this program raises on purpose becomes one sentence on standard error and an exit status: 2
when the settings make no sense, 1 when something could not be done. Anything else is a defect and
keeps its traceback.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

from controller.cli.output import (
    EXIT_FAILED,
    EXIT_HUNG_UP,
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    EXIT_USAGE,
    complain,
)
from models.errors import ConfigurationError, HrsiError

ENDED_BY = {
    EXIT_HUNG_UP: "a closed terminal",
    EXIT_INTERRUPTED: "Ctrl-C",
    EXIT_TERMINATED: "SIGTERM",
}


def main() -> None:
    """Run one command and end with its exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _ended_by)
    try:
        _run()
    except KeyboardInterrupt:
        complain("hrsi: ended by Ctrl-C before it began")
        sys.exit(EXIT_INTERRUPTED)
    except HrsiError as error:
        for fault in str(error).splitlines() or [type(error).__name__]:
            complain(f"hrsi: {fault}")
        sys.exit(EXIT_USAGE if isinstance(error, ConfigurationError) else EXIT_FAILED)
    except SystemExit as ended:
        if ended.code in ENDED_BY:
            complain(f"hrsi: ended by {ENDED_BY[ended.code]}")
        raise


def _ended_by(number: int, _: FrameType | None) -> None:
    """Leave every block on the way, so that a server or a folder of ours is put away; once: a
    second signal of the kind ends us where we are.
    """
    signal.signal(number, signal.SIG_DFL)
    raise SystemExit(128 + number)


def _run() -> None:
    # It takes a second to load them all, in which a Ctrl-C should find us ready.
    from controller.cli.app import app  # noqa: PLC0415

    app()
