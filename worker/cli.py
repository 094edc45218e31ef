"""`hrsi-worker`: what runs on a worker. Each command is composed here and nowhere else."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from infra import containers, s3
from infra.api import connect
from models.errors import ConfigurationError
from worker.assignment import Assignment, Settings
from worker.interrupts import Interrupts
from worker.persistent import Persistent
from worker.replay import LOG, Replay, replay
from worker.run import Parts, Program
from worker.ship import main as ship_logs
from worker.steps import EXIT_AGAIN

CALL_DEADLINE = timedelta(seconds=10)

EXIT_INTERRUPTED = 130

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments ask for; the exit code."""
    parser = argparse.ArgumentParser(prog="hrsi-worker", description="What runs on a worker.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="do the run that Nomad's environment names")
    run.set_defaults(do=_run)
    ship = commands.add_parser("ship-logs", help="ship the logs of the allocation, beside its run")
    ship.set_defaults(do=lambda _: ship_logs())
    again = commands.add_parser(
        "replay", help="run the software again on what `hrsi job fetch` brought, for yourself alone"
    )
    again.add_argument("folder", type=Path, metavar="DIR", help="with its inputs in DIR/inputs")
    again.set_defaults(do=_replay)
    given = parser.parse_args(arguments)
    do: Command = given.do
    try:
        return do(given)
    except ConfigurationError as error:
        _say(f"cannot begin: {error}")
        return EXIT_AGAIN


def _run(_: argparse.Namespace) -> int:
    code = run_program(os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    if threading.active_count() > 1:
        # What still waits for a service that is silent must not keep the allocation alive.
        os._exit(code)
    return code


def _replay(given: argparse.Namespace) -> int:
    # A person's: SIGTERM ends the software with it, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = Settings.of(os.environ)
    replaying = Replay(
        folder=given.folder,
        engine=lambda: containers.connect(settings.engine),
        say=_say,
        instead=settings.science_command,
    )
    try:
        return replay(replaying)
    except KeyboardInterrupt:
        log = given.folder / LOG
        _say(f"ended before the software was done; what it said, if it began, is in {log}")
        return EXIT_INTERRUPTED


def run_program(environment: Mapping[str, str]) -> int:
    """Do one run. Raises `ConfigurationError` when it is not told which."""
    interrupts = Interrupts()
    interrupts.install()
    assignment, settings = Assignment.of(environment), Settings.of(environment)
    reports = connect(
        assignment.url,
        assignment.token,
        ca_cert=assignment.ca_cert,
        call_deadline=CALL_DEADLINE,
    )
    parts = Parts(
        assignment=assignment,
        settings=settings,
        reports=Persistent(reports),
        buckets=lambda: s3.connect(settings.s3),
        engine=lambda: containers.connect(settings.engine),
        interrupts=interrupts,
        say=_say,
    )
    return Program(parts).run()


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
