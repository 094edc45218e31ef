"""`hrsi bench`: what the controller costs on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.bench.passes import Size
from controller.bench.passes import bench as measured
from controller.cli.output import complain, print_json, print_table
from controller.cli.session import AsJson, examples

app = typer.Typer(no_args_is_help=True, help="Measure what the controller costs on this machine.")

DEFAULT = Size()


@app.callback()
def bench() -> None:
    """Measure what the controller costs on this machine."""


@app.command(
    "pass",
    epilog=examples(
        "hrsi bench pass",
        "hrsi bench pass --workers 1000 --jobs 100000 --json",
    ),
)
def one_pass(
    workers: Annotated[
        int, typer.Option(min=10, max=10_000, help="How many workers there are.")
    ] = DEFAULT.workers,
    jobs: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How many jobs wait in the busy half.")
    ] = DEFAULT.jobs,
    history: Annotated[
        int, typer.Option(min=0, max=10_000_000, help="How many jobs were done before.")
    ] = DEFAULT.history,
    passes: Annotated[
        int, typer.Option(min=1, max=10_000, help="How many passes of each half count.")
    ] = DEFAULT.passes,
    as_json: AsJson = False,
) -> None:
    """Measure passes beside bare reads of the same answers, with nothing to do and with much.

    A simulated cloud and Nomad stand still in another process; PostgreSQL is real and filled by
    COPY. A pass is one pass of each loop, all woken at once, up to and with the ledger: actions are
    decided and recorded, and none is begun. A fetch is the same requests, JSON decoding and SQL
    again, by bare clients. The ratio is the CPU time of a pass to that of a fetch.
    """
    size = Size(workers=workers, jobs=jobs, history=history, passes=passes)
    halves = measured(size, lambda sentence: complain(f"hrsi bench: {sentence}"))
    if as_json:
        print_json(halves)
        return
    rows = (
        (name, *(half[name] for half in halves.values()))
        for name in halves["idle"]
        if name not in {"requests", "decided"}
    )
    counts = (
        (f"{group}: {name}", *(half[group].get(name, 0) for half in halves.values()))
        for group in ("requests", "decided")
        for name in sorted({name for half in halves.values() for name in half[group]})
    )
    print_table(f"A pass with {workers} workers", ("what", *halves), [*rows, *counts])
