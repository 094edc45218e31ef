"""Products that jobs of several products are made of, their groups, and what is made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from models.composing import (
    KEPT,
    OVERRIDDEN,
    Active,
    Group,
    GroupPlace,
    GroupWaits,
    Ingredient,
    Material,
    MovingJob,
    Needs,
    Overridden,
    Touch,
    Want,
)
from models.errors import Superseded
from models.lifecycle import Status
from models.product_names import ProductType
from models.records import Job
from simulator.store.tables import Note, Tables

UNBEGUN = frozenset({Status.INITIALIZED, Status.CONFIGURED, Status.READY})
LISTED = frozenset({Status.PROCESSED, Status.START_PUBLICATION, Status.PUBLISHED, Status.DONE})
"""Statuses in which the product of a job is listed, or will be before long."""


_NEVER = datetime.max.replace(tzinfo=UTC)


def keep(tables: Tables, parts: Iterable[Ingredient]) -> None:
    """Keep these products; those that are known stay as they are."""
    for part in parts:
        if part.identity not in tables.ingredients:
            tables.ingredients.put(part.identity, part)


def open_groups(
    tables: Tables, groups: Iterable[Group], touched: Iterable[Touch], at: datetime
) -> None:
    """Open groups, or note what is new in them, then in those that are touched."""
    for group in groups:
        held = tables.groups.get((group.job_type, group.key))
        tables.groups.put((group.job_type, group.key), _widened(held, group) if held else group)
    found = {
        (held.job_type, held.key): held
        for touch in touched
        for held in _of_days_around(tables, touch)
        if touch.tile in held.tiles
    }
    for key, held in found.items():
        due_at = _earlier(held.due_at, at)
        tables.groups.put(key, replace(held, due_at=due_at, version=held.version + 1))


def _widened(held: Group, group: Group) -> Group:
    return replace(
        held,
        day=min(held.day, group.day),
        tiles=tuple(sorted({*held.tiles, *group.tiles})),
        due_at=_earlier(held.due_at, group.due_at),
        version=held.version + 1,
    )


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _of_days_around(tables: Tables, touch: Touch) -> list[Group]:
    days = (touch.day + timedelta(days=off) for off in (-1, 0, 1))
    return tables.groups_by_day.of(*((touch.job_type, day) for day in days))


def settle(tables: Tables, groups: Iterable[Group]) -> None:
    """Write down what was made of groups. Raises `Superseded` when one of them has moved on."""
    for group in groups:
        key = (group.job_type, group.key)
        held = tables.groups.get(key)
        if held is None or held.version != group.version:
            raise Superseded(
                f"something is new in {group.job_type} {group.key} since it was looked at: nothing "
                "was written; the groups are looked at again"
            )
        settled = replace(
            held,
            due_at=group.due_at,
            made=group.made,
            waits=group.waits,
            waits_since=group.waits_since,
            version=held.version + 1,
        )
        tables.groups.put(key, settled)


def override(tables: Tables, jobs: Iterable[Overridden], note: Note) -> None:
    """Cancel those of these jobs that nobody has begun."""
    told = replace(note, message=OVERRIDDEN)
    found = (tables.jobs_by_key.one((each.job_type, each.key)) for each in jobs)
    for job in sorted({job for job in found if job is not None}, key=lambda job: job.id):
        if job.status in UNBEGUN:
            tables.move(job, Status.CANCELLED, told)


def prune(tables: Tables, before: datetime) -> None:
    """Drop products and groups of long before that."""
    since = before - KEPT
    for part in [part for part in tables.ingredients.values() if part.sensing_at < since]:
        tables.ingredients.drop(part.identity)
    for group in [group for group in tables.groups.values() if group.day < since.date()]:
        tables.groups.drop((group.job_type, group.key))


# ---- questions -----------------------------------------------------------------------------------


def known(
    tables: Tables, identities: Iterable[tuple[str, ProductType, str]]
) -> tuple[tuple[str, ProductType, str], ...]:
    """Which of these products are kept."""
    return tuple(sorted(each for each in identities if each in tables.ingredients))


def waiting(tables: Tables, job_type: str | None, limit: int) -> tuple[Group, ...]:
    """See `models.feeds.Feeds.waiting`."""
    found = [
        (group.due_at or _NEVER, group.waits_since, group.job_type, group.key, group)
        for group in tables.groups.values()
        if group.waits_since is not None and job_type in (None, group.job_type)
    ]
    return tuple(group for *_, group in sorted(found, key=lambda each: each[:4]))[:limit]


def groups_about(tables: Tables, place: GroupPlace, job_type: str | None) -> tuple[Group, ...]:
    """See `models.feeds.Feeds.groups_about`."""
    found = (
        group
        for group in tables.groups.values()
        if job_type in (None, group.job_type)
        and (group.key == place.key or (group.day == place.day and place.tile in group.tiles))
    )
    return tuple(sorted(found, key=lambda group: (group.job_type, group.key))[:100])


def group_waits(tables: Tables) -> tuple[GroupWaits, ...]:
    """See `models.feeds.Feeds.group_waits`."""
    since: defaultdict[str, list[datetime]] = defaultdict(list)
    for group in tables.groups.values():
        if group.waits_since is not None and group.due_at is not None:
            since[group.job_type].append(group.waits_since)
    return tuple(
        GroupWaits(job_type=name, number=len(moments), since=min(moments))
        for name, moments in sorted(since.items())
    )


def due(tables: Tables, now: datetime, limit: int) -> tuple[Group, ...]:
    """See `models.feeds.Feeds.due`."""
    hours = [hour for hour in tables.groups_by_hour.values() if hour <= now]
    found = [
        each for each in tables.groups_by_hour.of(*hours) if each.due_at and each.due_at <= now
    ]
    found.sort(key=lambda each: (each.due_at, each.job_type, each.key))
    return tuple(found[:limit])


def material(tables: Tables, needs: Needs, now: datetime) -> Material:
    """See `models.feeds.Feeds.material`."""
    parts = {part.identity: part for want in needs.wants for part in _wanted(tables, want)}
    moving = {(job.type, job.key): job for job in _moving(tables, needs, now)}
    return Material(
        ingredients=tuple(parts[each] for each in sorted(parts)),
        moving=tuple(moving[each] for each in sorted(moving)),
        active=tuple(each for each in needs.active if _is_active(tables, each)),
    )


def _wanted(tables: Tables, want: Want) -> Iterator[Ingredient]:
    places = ((place, kind) for place in want.places for kind in want.types)
    for part in tables.ingredients_by_place.of(*places):
        if want.since <= part.sensing_at < want.until:
            yield part


def _moving(tables: Tables, needs: Needs, now: datetime) -> Iterator[MovingJob]:
    for asked in needs.moving:
        for day in _days(asked.since, asked.until):
            for seen in tables.acquired_by_day.of(*((kind, day) for kind in asked.job_types)):
                acquisition = seen.acquisition
                job = tables.jobs_by_key.one((acquisition.job_type, seen.key))
                inside = asked.since <= acquisition.sensing_at < asked.until
                if job and inside and _may_give_a_product(job, now - asked.settled_for):
                    yield MovingJob(
                        type=job.type,
                        key=job.key,
                        sensing_at=acquisition.sensing_at,
                        tiles=_tiles(tables, job),
                    )


def _may_give_a_product(job: Job, settled_by: datetime) -> bool:
    if job.quarantined or job.status is Status.CANCELLED:
        return False
    return job.status not in LISTED or job.status_at > settled_by


def _tiles(tables: Tables, job: Job) -> tuple[str, ...]:
    given = tables.inputs[job.id].get("tiles")
    return tuple(given) if isinstance(given, list | tuple) else (job.tile or "",)


def _days(since: datetime, until: datetime) -> Iterator[date]:
    day = since.date()
    while day <= until.date():
        yield day
        day += timedelta(days=1)


def _is_active(tables: Tables, active: Active) -> bool:
    return any(tables.ingredients_by_day.count((kind, active.day)) for kind in active.types)
