"""Every command of `hrsi`, group by group."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

from controller.cli import (
    audit,
    bench,
    breaker,
    demo,
    doctor,
    drain,
    jobs,
    param,
    pauses,
    service,
    simulate,
    simulator,
    status,
    web,
    why,
    workers,
    worlds,
)
from controller.cli.output import say
from controller.cli.session import ConfigFile

app = typer.Typer(
    name="hrsi",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they show local variables, and with them passwords
    help="Turn waiting snow and ice jobs into finished products: jobs, workers, and why.",
    epilog="Try it out: hrsi demo. Every command has --help with examples.",
)
app.add_typer(service.app)
app.add_typer(status.app)
app.add_typer(worlds.app)
app.add_typer(doctor.app)
app.add_typer(pauses.app)
app.add_typer(drain.app)
app.add_typer(audit.app)
app.add_typer(demo.app)
app.add_typer(simulate.app)
app.add_typer(simulator.app, name="simulator")
app.add_typer(bench.app, name="bench")
app.add_typer(jobs.app, name="job")
app.add_typer(workers.app, name="worker")
app.add_typer(param.app, name="param")
app.add_typer(web.app)
app.add_typer(web.tokens, name="token")
app.add_typer(breaker.app, name="breaker")
app.add_typer(why.app, name="why")


def _tell_version(wanted: bool) -> None:
    if wanted:
        say(f"hrsi {metadata.version('hrsi-controller')}")
        raise typer.Exit


@app.callback()
def hrsi(
    config: ConfigFile = None,
    version: Annotated[
        bool,
        typer.Option("--version", help="Say the version.", is_eager=True, callback=_tell_version),
    ] = False,
) -> None:
    """Turn waiting snow and ice jobs into finished products: jobs, workers, and why."""
