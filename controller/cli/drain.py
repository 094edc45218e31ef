"""`hrsi drain-all`: every worker that there is finishes its work and goes."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from controller.cli.jobs import tell_verdicts
from controller.cli.output import say
from controller.cli.session import AsJson, Because, DryRun, asked_why, examples, office
from models.records import RetireCause, Worker, WorkerState
from models.wording import in_utc

app = typer.Typer()


@app.command(
    "drain-all",
    epilog=examples(
        "hrsi drain-all --dry-run",
        'hrsi drain-all --reason "all of them boot from the wrong image"',
    ),
)
def drain_all(
    context: typer.Context,
    reason: Because = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let every worker finish what runs on it, give it nothing new, then delete it.

    While jobs wait new workers take their place; for no workers at all set pool.max_workers=0
    before. One whose server has not been seen yet is refused: ask again when it boots. A machine
    outside the pool is somebody's own and stays.
    """
    with office(context) as desk:
        workers = desk.reader.workers()
        names = to_drain(workers)
        asking = asked_why(reason, dry_run=dry_run)
        verdicts = desk.operations.retire(names, asking, forced=False) if names else ()
    if not as_json:
        for worker in workers:
            if worker.outside_pool and not _goes_for_good(worker):
                say(_stays(worker))
        if not verdicts:
            say("There is no worker to drain.")
    tell_verdicts("drained", verdicts, as_json=as_json, dry_run=dry_run, later=True)


def to_drain(workers: Iterable[Worker]) -> list[str]:
    """The workers that are not on their way out for good: a person's wish is never taken back, and
    neither is a deletion. A machine outside the pool does no work, and whoever ordered it uses it.
    """
    return [w.name for w in workers if not w.outside_pool and not _goes_for_good(w)]


def _stays(worker: Worker) -> str:
    until = "" if worker.keep_until is None else f" until {in_utc(worker.keep_until)}"
    return (
        f"{worker.name} is outside the pool and stays{until}: somebody ordered it for themselves; "
        f"hrsi worker delete {worker.name} ends it"
    )


def _goes_for_good(worker: Worker) -> bool:
    retirement = worker.retirement
    by_person = retirement is not None and retirement.cause is RetireCause.PERSON
    return by_person or worker.state in {WorkerState.DELETING, WorkerState.CLOSED}
