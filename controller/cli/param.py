"""`hrsi param`: the live parameters, their history, and what a change would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.cli.output import print_json, print_table, say
from controller.cli.session import (
    AsJson,
    Because,
    DryRun,
    Lasts,
    asked,
    asked_why,
    examples,
    lasting,
    office,
)
from controller.cli.worlds import WorldFile, seen
from controller.clock import SystemClock
from controller.preview import preview as decided_twice
from controller.preview import preview_as_json, preview_lines, told
from controller.reconcilers import RECONCILERS
from models.errors import ConfigurationError
from models.parameter_text import (
    DEFAULT,
    Standing,
    parameter,
    parameters,
    read_pair,
    standings,
)
from models.parameters import newest_by_key, standing
from models.ports import Reader
from models.previews import Previewed
from models.records import ParameterChange
from models.settings import forgotten_keys
from models.wording import in_utc

app = typer.Typer(
    no_args_is_help=True,
    help="Live parameters: list, show, set, history, rollback, preview.",
)

Key = Annotated[str, typer.Argument(metavar="KEY", help="As in pool.max_workers.")]
Pair = Annotated[
    str,
    typer.Argument(metavar="KEY=VALUE", help=f"A number, a wait as 90s or 1h30m, or {DEFAULT}."),
]
Pairs = Annotated[
    list[str],
    typer.Argument(metavar="KEY=VALUE…", help=f"Numbers, waits as 90s or 1h30m, or {DEFAULT}."),
]


def _standings(reader: Reader) -> tuple[Standing, ...]:
    return standings(reader.parameters(), SystemClock().now())


def _forgotten(reader: Reader) -> tuple[str, ...]:
    """Keys that are kept, by an older or a newer program, and that this one does not have."""
    now, history = SystemClock().now(), newest_by_key(reader.parameters())
    stand = {key: standing(changes, now) for key, changes in history.items()}
    return forgotten_keys(key for key, change in stand.items() if change and change.new is not None)


def _standing(reader: Reader, key: str) -> Standing:
    described = parameter(key)
    return next(each for each in _standings(reader) if each.parameter is described)


@app.command("list", epilog=examples("hrsi param list", "hrsi param list --changed --json"))
def list_parameters(
    context: typer.Context,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only those that differ from their defaults.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the parameters with what is in force."""
    with office(context) as desk:
        found, forgotten = _standings(desk.reader), _forgotten(desk.reader)
    if changed:
        found = tuple(each for each in found if each.value != each.parameter.default)
    if as_json:
        print_json([each.as_json() for each in found])
        return
    for key in forgotten:
        say(
            f"{key} is kept, but this program has no such parameter: it counts for nothing. "
            f"`hrsi param set {key}={DEFAULT}` takes it away."
        )
    columns = ("parameter", "in force", "default", "may be", "until", "by", "why")
    print_table("Parameters", columns, [_row(each) for each in found])


def _row(each: Standing) -> tuple[object, ...]:
    described, change = each.parameter, each.change
    return (
        *(described.key, described.shown(each.value), described.shown(None), described.bounds),
        *((change.expires_at, change.author, change.reason) if change else (None, None, None)),
    )


@app.command(epilog=examples("hrsi param show pool.idle_for"))
def show(context: typer.Context, key: Key, as_json: AsJson = False) -> None:
    """Show one parameter: what it does, what is in force, and its history."""
    with office(context) as desk:
        found = _standing(desk.reader, key)
    described = found.parameter
    if as_json:
        history = _numbered(found)
        print_json({**found.as_json(), "explanation": described.explanation, "history": history})
        return
    say(f"{key} = {described.shown(found.value)}")
    say(f"Default {described.shown(None)}; it may be {described.bounds}.")
    say(described.explanation)
    _tell_history([found])


@app.command(
    "set",
    epilog=examples(
        'hrsi param set pool.max_workers=150 --reason "maintenance of the cloud" --for 4h',
        'hrsi param set pool.idle_for=5m --reason "workers flap"',
        'hrsi param set pool.idle_for=default --reason "they do not any more"',
    ),
)
def set_parameter(
    context: typer.Context,
    pair: Pair,
    reason: Because = "",
    lasts: Lasts = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change a parameter, for good or for a while; it is in force from the next pass on.

    Refused when it is out of bounds or does not go together with the others, now or once a change
    for a while is over.
    """
    while_for = lasting(lasts)
    asking = asked_why(reason, dry_run=dry_run)
    with office(context) as desk:
        key, _, text = pair.partition("=")
        if key in _forgotten(desk.reader) and text == DEFAULT:
            value = None
        else:
            described, value = read_pair(pair)
            key = described.key
            if value is None and while_for is not None:
                value = described.default
        change = desk.operations.set_parameter(key, value, asking, lasts=while_for)
    _tell_change(change, as_json=as_json, dry_run=dry_run)


def _tell_change(change: ParameterChange, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json(change)
        return
    would = "would be " if dry_run else "is "
    if change.key not in parameters():
        say(f"{change.key} {would}taken away; it counted for nothing")
        return
    described = parameter(change.key)
    until = f" until {in_utc(change.expires_at)}" if change.expires_at else ""
    say(
        f"{change.key} {would}{described.shown(change.new)}{until}; "
        f"it was {described.shown(change.old)}"
    )


@app.command(epilog=examples("hrsi param history", "hrsi param history pool.max_workers --json"))
def history(
    context: typer.Context,
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="Only that of this parameter.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the changes of all parameters or of one, newest first, with who and why."""
    with office(context) as desk:
        found = [_standing(desk.reader, key)] if key else _standings(desk.reader)
    if as_json:
        print_json(_changes(found))
        return
    _tell_history(found)


def _changes(found: Sequence[Standing]) -> list[dict[str, Any]]:
    rows = [row for each in found for row in _numbered(each)]
    return sorted(rows, key=lambda row: row["at"], reverse=True)


def _numbered(found: Standing) -> list[dict[str, Any]]:
    """The changes of one parameter, numbered from its first: a number is that of one change for
    ever.
    """
    total = len(found.history)
    return [
        {
            "key": change.key,
            "number": total - place,
            "at": change.at,
            "author": change.author,
            "reason": change.reason,
            "old": change.old,
            "new": change.new,
            "until": change.expires_at,
        }
        for place, change in enumerate(found.history)
    ]


def _tell_history(found: Sequence[Standing]) -> None:
    rows = [
        (
            *(row["at"], row["key"], row["number"]),
            *(parameter(row["key"]).shown(row[side]) for side in ("old", "new")),
            *(row["until"], row["author"], row["reason"]),
        )
        for row in _changes(found)
    ]
    columns = ("at", "parameter", "change", "from", "to", "until", "by", "why")
    print_table("Changes", columns, rows)


@app.command(
    epilog=examples(
        "hrsi param rollback pool.max_workers",
        "hrsi param rollback pool.max_workers --change 3 --dry-run",
    )
)
def rollback(
    context: typer.Context,
    key: Key,
    number: Annotated[
        int | None,
        typer.Option(
            "--change", min=1, help="To before this change (see history), not to before the last."
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the history.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put a parameter back, for good, to what it was before a change."""
    with office(context) as desk:
        change, told = _to_undo(_standing(desk.reader, key), number)
        asking = asked(reason or told, dry_run=dry_run)
        made = desk.operations.set_parameter(key, change.old, asking)
    _tell_change(made, as_json=as_json, dry_run=dry_run)


def _to_undo(found: Standing, number: int | None) -> tuple[ParameterChange, str]:
    key, total = found.parameter.key, len(found.history)
    if not total:
        raise ConfigurationError(f"parameter {key}: nobody ever changed it")
    chosen = total if number is None else number
    if chosen > total:
        raise ConfigurationError(f"parameter {key}: it has {total} changes, none numbered {chosen}")
    change = found.history[total - chosen]
    return change, f"back to before change {chosen}, made by {change.author}"


@app.command(
    epilog=examples(
        "hrsi param preview pool.max_workers=150",
        "hrsi param preview pool.idle_for=5m pool.min_workers=4 --json",
        "hrsi param preview execution.lead=0 --world hrsi-world-20260301-120000.json.gz",
    )
)
def preview(
    context: typer.Context,
    pairs: Pairs,
    world: WorldFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what other values would change in the plan of this moment; change nothing.

    Looks once, decides twice, and prints the decisions that differ.
    """
    read = [read_pair(pair) for pair in pairs]
    changes = {described.key: value for described, value in read}
    found = _previewed(context, world, changes)
    if as_json:
        print_json({"changes": changes, **preview_as_json(found)})
        return
    for line in preview_lines(found):
        say(line)
    if all(key.startswith("passes.") for key in changes):
        say("What passes.* says is how often and how long things are done, never which.")


def _previewed(
    context: typer.Context, world: Path | None, changes: Mapping[str, float | None]
) -> Previewed:
    """About a recorded world it is decided here; about that of this moment where it can be seen."""
    if world is not None:
        return told(decided_twice(seen(context, RECONCILERS, world), changes, RECONCILERS))
    with office(context) as desk:
        return desk.preview(changes)
