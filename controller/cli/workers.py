"""`hrsi worker`: look at the workers of the pool, order one, send one away."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from controller.cli.jobs import tell_verdicts
from controller.cli.output import print_json, print_table
from controller.cli.session import AsJson, DryRun, Why, asked, examples, office
from models.job_types import DEFAULT_REGISTRY
from models.records import Worker, WorkerState

app = typer.Typer(no_args_is_help=True, help="Workers: list, drain, delete, create.")

Names = Annotated[list[str], typer.Argument(metavar="NAME…", help="Worker names.")]


@app.command("list", epilog=examples("hrsi worker list", "hrsi worker list --all --json"))
def list_workers(
    context: typer.Context,
    closed: Annotated[bool, typer.Option("--all", help="Those that are gone, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the workers, with what the store knows of their server and node."""
    with office(context) as desk:
        workers = desk.reader.workers(closed=closed)
    if as_json:
        print_json(workers)
        return
    rows = [
        (
            *(w.name, w.flavor, _state(w), w.address, w.created_at, w.admitted_at, w.idle_since),
            *(w.server_id, w.node_id),
        )
        for w in workers
    ]
    columns = ("name", "flavor", "state", "address", "created", "admitted", "last busy")
    print_table("Workers", (*columns, "server", "node"), rows)


def _state(worker: Worker) -> str:
    going = worker.retirement
    state = f"{worker.state}, outside the pool" if worker.outside_pool else worker.state.value
    if going is None:
        return state
    why = f"{going.cause} by {going.by}"
    if worker.state is WorkerState.CLOSED:
        return f"{state}, went: {why}"
    if worker.state is WorkerState.DELETING:
        return f"{state}: {why}"
    return f"{state}, going: {why} ({going.step.name.lower()})"


@app.command(epilog=examples('hrsi worker drain os-worker-003 --reason "its disk fails"'))
def drain(
    context: typer.Context,
    names: Names,
    reason: Why = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let workers finish what runs on them, give them nothing new, then delete them."""
    with office(context) as desk:
        asking = asked(reason, dry_run=dry_run)
        verdicts = desk.operations.retire(names, asking, forced=False)
    tell_verdicts("drained", verdicts, as_json=as_json, dry_run=dry_run, later=True)


@app.command(epilog=examples("hrsi worker delete os-worker-003 --force --dry-run"))
def delete(
    context: typer.Context,
    names: Names,
    force: Annotated[
        bool, typer.Option("--force", help="Even while a run is on it; the job runs again.")
    ] = False,
    reason: Why = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Delete workers. Without --force what runs there is finished first, as by drain."""
    with office(context) as desk:
        asking = asked(reason, dry_run=dry_run)
        verdicts = desk.operations.retire(names, asking, forced=force)
    tell_verdicts("deleted", verdicts, as_json=as_json, dry_run=dry_run, later=True)


@app.command(epilog=examples("hrsi worker create hm.large --count 2 --keep-hours 4"))
def create(
    context: typer.Context,
    flavor: Annotated[str, typer.Argument(help="Flavor, e.g. hm.medium.")],
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 1,
    keep_hours: Annotated[
        float, typer.Option(min=0, max=24 * 30, help="Keep them so long even when idle.")
    ] = 1.0,
    outside_pool: Annotated[
        bool,
        typer.Option("--outside-pool", help="They join no Nomad, get no job, and then go."),
    ] = False,
    reason: Why = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Order workers by hand; the pool creates them within its caps."""
    if flavor not in DEFAULT_REGISTRY.flavors:
        known = ", ".join(DEFAULT_REGISTRY.flavors)
        raise typer.BadParameter(f"{flavor!r} is no flavor of the pool; there are: {known}")
    with office(context) as desk:
        verdicts = desk.operations.order(
            flavor,
            count,
            timedelta(hours=keep_hours),
            asked(reason, dry_run=dry_run),
            outside_pool=outside_pool,
        )
    tell_verdicts("ordered", verdicts, as_json=as_json, dry_run=dry_run)
