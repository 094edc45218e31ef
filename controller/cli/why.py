"""`hrsi why`: the recorded reasons behind what happened, or did not, to one thing.

The ledger has a row for every decision, refusals included, from the moment its reason changed. A
job is also explained by what was decided about the groups that it belongs to: `models.causes`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.output import EXIT_FAILED, complain, print_json, print_table, say
from controller.cli.session import AsJson, examples, office
from controller.clock import SystemClock
from controller.plan_text import action_in_words
from models.causes import about_flavor, about_job, about_worker, parent_of, who_leads
from models.composing import Group
from models.composing_text import group_told
from models.configuration import Wait
from models.errors import NotFound
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import OWNER
from models.office import Office
from models.parameter_text import standings
from models.ports import JobStory, Reader
from models.publication_text import standing_of
from models.records import Job, LedgerRow
from models.wording import in_utc
from reconcilers.creation.compositions import COMPOSITIONS

app = typer.Typer(no_args_is_help=True, help="Why: the recorded reasons about one thing.")

Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many reasons.")]


@app.command(epilog=examples("hrsi why job 17", "hrsi why job gfsc/28WEU-2022-09-06 --json"))
def job(
    context: typer.Context,
    reference: Annotated[str, typer.Argument(metavar="JOB", help="Id, unique id or TYPE/KEY.")],
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Why a job is where it is: decisions about it, its runs, and what it is held back with."""
    with office(context) as desk:
        try:
            story = desk.reader.story(reference)
        except NotFound as error:
            _tell_groups(_groups_instead(desk, reference, error), as_json=as_json)
            return
        parent = parent_of(story.job, DEFAULT_REGISTRY, desk.deployment())
        rows = about_job(desk.reader, story, parent, limit)
        # Of a job that is on its way somebody decides; of one that rests nobody has to.
        owner = OWNER.get(story.job.status)
        moving = owner is not None and not story.job.quarantined
        leads = _who_leads(desk.reader, owner.value) if owner and moving and not rows else None
        products = _of_products(desk, story.job)
        groups = _groups_of(desk, story.job)
    if as_json:
        told = {"job": story.job, "decisions": rows, "publication": products, "groups": groups}
        print_json(told)
        return
    say(_standing(story))
    for group in groups:
        say(group_told(group))
    for sentence in products:
        say(sentence)
    _tell(rows)
    if leads is not None:
        say(f"Nothing was decided about it yet: {leads}")


@app.command(
    epilog=examples(
        "hrsi why group gfsc/32TLR-2026-01-10", "hrsi why group sws_wds/S1A_046917 --json"
    )
)
def group(
    context: typer.Context,
    reference: Annotated[
        str, typer.Argument(metavar="GROUP", help="TYPE/KEY, or TYPE/TILE-YYYY-MM-DD.")
    ],
    as_json: AsJson = False,
) -> None:
    """Why there is no job yet of a tile and day, or data take: what its group of products waits
    for, until when at the latest, and which jobs were made of it.
    """
    with office(context) as desk:
        nothing = NotFound(f"{reference!r} names no group of products; write TYPE/KEY")
        found = _groups_instead(desk, reference, nothing)
    _tell_groups(found, as_json=as_json)


def _groups_instead(desk: Office, reference: str, otherwise: NotFound) -> tuple[Group, ...]:
    """The groups that a reference to a job may mean. Raises `otherwise`, or that there are none."""
    job_type, slash, about = reference.partition("/")
    if not slash or job_type not in COMPOSITIONS:
        raise otherwise
    found = desk.groups(job_type, about)
    if not found:
        raise NotFound(
            f"there is no job {reference}, and no group of products of that name: nothing was "
            f"listed yet that {job_type} is made of; `hrsi source groups --type {job_type}` lists "
            "those that wait"
        ) from otherwise
    return found


def _groups_of(desk: Office, found: Job) -> tuple[Group, ...]:
    """The groups that a job was made of."""
    if found.type not in COMPOSITIONS:
        return ()
    made = desk.groups(found.type, found.name.removeprefix(f"{found.tile}_"))
    return tuple(each for each in made if any(job.key == found.key for job in each.made))


def _tell_groups(found: tuple[Group, ...], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for each in found:
        say(group_told(each))


def _standing(story: JobStory) -> str:
    found = story.job
    newest = story.history[-1]
    told = ": ".join(part for part in (newest.subtype, newest.message) if part)
    waits = "" if story.wait is None else f". {_waits(story.wait)}"
    rests = ", quarantined until a person relaunches it" if found.quarantined else ""
    return (
        f"Job {found.id} ({found.type}, {found.name}) is {found.status} since "
        f"{in_utc(found.status_at)}, attempt {found.attempt}{rests}"
        + (f". {told}" if told else "")
        + waits
    )


def _of_products(desk: Office, job: Job) -> list[str]:
    """How the announcement of each of its products stands, while that is what it waits for."""
    stand = standings(desk.reader.parameters(), SystemClock().now())
    sends = next(each.value for each in stand if each.parameter.key == "publication.sends")
    return list(standing_of(job, desk.publications(job.id), sends))


def _waits(wait: Wait) -> str:
    """What a configured job waits for."""
    return (
        f"Since {in_utc(wait.since)} {wait.why}; at "
        f"{in_utc(wait.until)} it goes on all the same. What holds that one "
        f"up: hrsi why job {wait.for_job}"
    )


def _who_leads(reader: Reader, loop: str) -> str:
    return who_leads(reader.leases(), reader.heartbeats(), loop, SystemClock().now())


@app.command(epilog=examples("hrsi why worker os-worker-003"))
def worker(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Worker name, e.g. os-worker-007.")],
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Why a worker was created, kept, marked or deleted."""
    with office(context) as desk:
        rows = about_worker(desk.reader, name, limit)
        leads = _who_leads(desk.reader, "worker-pool")
    _answer(f"worker {name}", rows, leads, as_json=as_json)


@app.command(epilog=examples("hrsi why flavor hm.large --limit 5"))
def flavor(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Flavor, e.g. hm.medium.")],
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Why workers of a flavor were created, or why not."""
    if name not in DEFAULT_REGISTRY.flavors:
        known = ", ".join(DEFAULT_REGISTRY.flavors)
        raise typer.BadParameter(f"{name!r} is no flavor of the pool; there are: {known}")
    with office(context) as desk:
        rows = about_flavor(desk.reader, name, limit)
        leads = _who_leads(desk.reader, "worker-pool")
    _answer(f"flavor {name}", rows, leads, as_json=as_json)


def _answer(what: str, rows: tuple[LedgerRow, ...], leads: str, *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
    elif rows:
        _tell(rows)
    else:
        complain(f"{what}: nothing was decided about it, or its records were pruned; {leads}")
        raise typer.Exit(EXIT_FAILED)


def _tell(rows: tuple[LedgerRow, ...]) -> None:
    print_table(
        "Decisions, newest first",
        ("last", "first", "noted", "about", "action", "reason", "because"),
        [
            (
                *(r.last_at, r.first_at, r.count, r.subject),
                *(action_in_words(r.action), r.reason, r.because),
            )
            for r in rows
        ],
    )
