"""Ice from both missions: per tile and day, from the RLIE of Sentinel-2 and those of Sentinel-1.

The day is let come to its end first, and what our own jobs may still make of it is waited for, but
not for ever. Then there is one job, for all the products there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from models.composing import Group, Ingredient, Made, Moving, Needs, Want
from models.creation import Area
from models.product_names import ProductType
from models.records import NewJob, Priority
from models.settings_composition import CompositionSettings
from models.urgency import TURNAROUND
from models.wording import counted
from reconcilers.creation.composition import (
    DAY,
    Bench,
    Composed,
    Composition,
    begin_of,
    newest_versions,
    told,
)

NAME = "rlies1s2"
MAKERS = ("fsc_rlie", "rlies1")
"""The types of job whose products are put together."""
LISTING = timedelta(minutes=15)
"""How long after a job is processed its product is sure to be listed."""


def _opens(part: Ingredient, area: Area, settings: CompositionSettings) -> tuple[Group, ...]:
    tile, day = part.place, part.sensing_at.date()
    late = part.published_at - part.sensing_at > settings.rlie_window
    if _mission(part) is None or tile in area.without_rlie or late:
        return ()
    due_at = begin_of(day) + DAY + settings.rlie_wait
    return (Group(job_type=NAME, key=f"{tile}-{day}", day=day, tiles=(tile,), due_at=due_at),)


def _mission(part: Ingredient) -> str | None:
    """S1 or S2; None for what is made of both already."""
    return part.unit[:2] if part.unit[:2] in {"S1", "S2"} and "-" not in part.unit else None


def _needs(group: Group, settings: CompositionSettings) -> Needs:
    del settings
    since = begin_of(group.day)
    return Needs(
        wants=(
            Want(places=group.tiles, types=(ProductType.RLIE,), since=since, until=since + DAY),
        ),
        moving=(Moving(job_types=MAKERS, since=since, until=since + DAY, settled_for=LISTING),),
    )


def _compose(bench: Bench) -> Composed:
    group, settings, now = bench.group, bench.settings, bench.now
    (tile,), over = group.tiles, begin_of(group.day) + DAY
    if group.made:
        return Composed()
    by_mission: defaultdict[str | None, list[Ingredient]] = defaultdict(list)
    for part in newest_versions(bench.parts):
        by_mission[_mission(part)].append(part)
    optical, radar = by_mission["S2"], by_mission["S1"]
    if not optical or not radar:
        missing = "Sentinel-1" if optical else "Sentinel-2"
        return Composed(waits=f"there is no RLIE of {missing} of that day yet")
    if now < over + settings.rlie_wait:
        return Composed(again_at=over + settings.rlie_wait, waits="the day is let come to its end")
    last = over + settings.rlie_wait_most
    moving = [job for job in bench.moving if tile in job.tiles]
    if moving and now < last:
        return Composed(
            again_at=min(now + settings.look_again, last),
            waits=f"{counted(len(moving), 'job')} may still make an RLIE of it",
        )
    job = _job(bench, optical, _nearest(radar, optical))
    return Composed(jobs=(job,), made=(Made(key=job.key, covers=(group.key,)),))


def _nearest(radar: Sequence[Ingredient], optical: Sequence[Ingredient]) -> list[Ingredient]:
    """The products of the one satellite of Sentinel-1 that came nearest to Sentinel-2 in time."""
    middle = _mean(optical)
    by_unit: defaultdict[str, list[Ingredient]] = defaultdict(list)
    for part in radar:
        by_unit[part.unit].append(part)
    unit = min(by_unit, key=lambda each: (abs(_mean(by_unit[each]) - middle), each))
    return by_unit[unit]


def _mean(parts: Sequence[Ingredient]) -> datetime:
    seconds = sum(part.sensing_at.timestamp() for part in parts) / len(parts)
    return datetime.fromtimestamp(seconds, UTC)


def _job(bench: Bench, optical: list[Ingredient], radar: list[Ingredient]) -> NewJob:
    group = bench.group
    (tile,) = group.tiles
    complete_at = max(part.published_at for part in (*optical, *radar))
    wanted_at = begin_of(group.day) + DAY + bench.settings.rlie_wait
    return NewJob(
        type=NAME,
        key=group.key,
        name=group.key,
        tile=tile,
        priority=Priority.DELAYED,
        deadline=max(complete_at, wanted_at) + TURNAROUND,
        sensing_at=begin_of(group.day),
        input={
            "day": group.day.isoformat(),
            "tiles": [tile],
            "unit": radar[0].unit,
            "rlie_s2": told(optical),
            "rlie_s1": told(radar),
            "published_at": complete_at.isoformat(),
        },
    )


COMPOSITION = Composition(
    job_type=NAME,
    begins=datetime(2021, 5, 1, tzinfo=UTC),
    feeds_on=(ProductType.RLIE,),
    opens=_opens,
    needs=_needs,
    compose=_compose,
)
