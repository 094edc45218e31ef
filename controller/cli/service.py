"""`hrsi migrate`, `hrsi controller`, `hrsi plan`: the program, and a look at what it would do."""

from __future__ import annotations

from typing import Annotated

import typer

from controller import bootstrap, log
from controller.cli.output import EXIT_FAILED, complain, print_json, say
from controller.cli.session import AsJson, examples, settings
from controller.cli.worlds import WorldFile, seen
from controller.plan_text import plan_as_json, plan_lines
from controller.planning import decided
from controller.reconcilers import RECONCILERS

app = typer.Typer()

NAMES = ", ".join(reconciler.name for reconciler in RECONCILERS)

Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help=f"Only this loop; may be repeated. Of: {NAMES}."),
]


@app.command(
    epilog=examples(
        "DATABASE_URL=postgresql://hrsi@db/hrsi hrsi migrate",
        "hrsi migrate --down --revision 0002",
    )
)
def migrate(
    context: typer.Context,
    revision: Annotated[str, typer.Option(help="How far; base is an empty database.")] = "head",
    down: Annotated[
        bool, typer.Option("--down", help="Undo what came after the revision, with its data.")
    ] = False,
) -> None:
    """Bring the database to the shape that this program needs, or back to an older one.

    Only this command changes a database that DATABASE_URL names.
    """
    if down and revision == "head":
        raise typer.BadParameter("--down needs the --revision to go back to, or base")
    reached = bootstrap.migrate(settings(context), revision, down=down)
    say(f"The database is at revision {reached}.")


@app.command(
    epilog=examples(
        "hrsi controller",
        "hrsi controller --only execution --only monitor",
        "hrsi controller --once",
    )
)
def controller(
    context: typer.Context,
    only: Only = None,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="One pass of each loop, then end; 1 if one failed or a source is unknown.",
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log details, too.")] = False,
) -> None:
    """Run the controller until SIGTERM, Ctrl-C or the end of its terminal.

    Several may run at once, with all loops or some: the lease of each loop lets one of them act.
    """
    log.configure(verbose=verbose)
    config, names = settings(context), only or []
    bootstrap.reconcilers(names)
    process = bootstrap.controller(config, bootstrap.connect(config), names)
    well = process.once() if once else process.run()
    if once:
        for sentence in process.unknown():
            complain(f"hrsi controller: {sentence}")
    if once and well and process.unknown():
        raise typer.Exit(EXIT_FAILED)
    if not well:
        complain(
            "hrsi controller: a pass failed, see the log"
            if once
            else "hrsi controller: calls were still out at the end; their intents stay open, and "
            "the next controller looks at what came of them"
        )
        raise typer.Exit(EXIT_FAILED)


@app.command(
    epilog=examples(
        "hrsi plan", "hrsi plan --only worker-pool --json", "hrsi plan --world hrsi-world.json.gz"
    )
)
def plan(
    context: typer.Context, only: Only = None, world: WorldFile = None, as_json: AsJson = False
) -> None:
    """Look once and print what the controller would do, and what it holds back; change nothing.

    + makes, - ends, ~ changes or notes, ! holds back. No lease is taken and nothing is recorded.
    With --world the plan is that of the recorded world, and nothing at all is asked.
    """
    chosen = bootstrap.reconcilers(only or [])
    plan_of_now = decided(seen(context, chosen, world), chosen)
    if as_json:
        print_json(plan_as_json(plan_of_now))
        return
    for line in plan_lines(plan_of_now):
        say(line)
