"""The `hrsi` command: one module per group of commands, one place where errors end.

What this program raises on purpose becomes one sentence on standard error and an exit status: 2
when the settings make no sense, 1 when something could not be done. Anything else is a defect and
keeps its traceback.
"""

from __future__ import annotations

import sys

import typer

from controller.cli import demo, jobs, service, why, workers
from controller.cli.output import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    EXIT_USAGE,
    complain,
)
from controller.cli.session import ConfigFile
from models.errors import ConfigurationError, HrsiError

ENDED_BY = {EXIT_INTERRUPTED: "Ctrl-C", EXIT_TERMINATED: "SIGTERM"}

app = typer.Typer(
    name="hrsi",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they show local variables, and with them passwords
    help="Turn waiting snow and ice jobs into finished products: jobs, workers, and why.",
    epilog="Try it out: hrsi demo. Every command has --help with examples.",
)
app.add_typer(service.app)
app.add_typer(demo.app)
app.add_typer(jobs.app, name="job")
app.add_typer(workers.app, name="worker")
app.add_typer(why.app, name="why")


@app.callback()
def hrsi(config: ConfigFile = None) -> None:
    """Turn waiting snow and ice jobs into finished products: jobs, workers, and why."""


def main() -> None:
    """Run one command and end with its exit status."""
    try:
        app()
    except ConfigurationError as error:
        complain(f"hrsi: {error}")
        sys.exit(EXIT_USAGE)
    except HrsiError as error:
        complain(f"hrsi: {error}")
        sys.exit(EXIT_FAILED)
    except SystemExit as ended:
        if ended.code in ENDED_BY:
            complain(f"hrsi: ended by {ENDED_BY[ended.code]}")
        raise
