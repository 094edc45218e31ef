"""Gap-filled snow: per tile and day, from all FSC, SWS and WDS of the seven days that end with it.

Whatever is new of a day makes its GFSC anew, and the newest one, by its *curation*, counts: it
takes the place of jobs of the same tile and day that nobody has begun yet. A new version of
something that was used already makes nothing. A tile of which nothing was measured on a day gets
its GFSC from the days before, unless there was nothing of that day anywhere: then it is we who lack
something, and it is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from models.composing import Active, Group, Ingredient, Made, Needs, Want
from models.creation import Area
from models.product_names import ProductType
from models.records import NewJob, Priority
from models.settings_composition import CompositionSettings
from models.urgency import TURNAROUND
from reconcilers.creation.composition import (
    DAY,
    Bench,
    Composed,
    Composition,
    Reach,
    begin_of,
    newest_versions,
    told,
    urgency,
)

NAME = "gfsc"
DAYS = 7
"""The days that a GFSC fills its gaps from, its own included."""
INPUTS = (ProductType.FSC, ProductType.SWS, ProductType.WDS)
RADAR = frozenset({ProductType.SWS, ProductType.WDS})


def _opens(part: Ingredient, area: Area, settings: CompositionSettings) -> tuple[Group, ...]:
    """The tile's group of the day, and those of the days after, whose gaps it may fill."""
    del area
    if part.type not in INPUTS:
        return ()
    first = part.sensing_at.date()
    later = tuple(first + DAY * number for number in range(1, DAYS))
    return (
        _group(part.place, first, part.published_at),
        *(_group(part.place, day, max(part.published_at, _gap_at(day, settings))) for day in later),
    )


def _group(tile: str, day: date, due_at: datetime) -> Group:
    return Group(job_type=NAME, key=f"{tile}-{day}", day=day, tiles=(tile,), due_at=due_at)


def _gap_at(day: date, settings: CompositionSettings) -> datetime:
    return begin_of(day) + DAY + settings.gap_wait


def _needs(group: Group, settings: CompositionSettings) -> Needs:
    del settings
    begins = begin_of(group.day)
    since, until = begins - (DAYS - 1) * DAY, begins + DAY
    return Needs(
        wants=(
            Want(places=group.tiles, types=INPUTS, since=since, until=until),
            Want(places=group.tiles, types=(ProductType.GFSC,), since=since - DAY, until=begins),
        ),
        active=(_active(group),),
    )


def _active(group: Group) -> Active:
    return Active(types=INPUTS, day=group.day)


def _compose(bench: Bench) -> Composed:
    day = bench.group.day
    inputs = newest_versions(part for part in bench.parts if part.type in INPUTS)
    own = tuple(part for part in inputs if part.sensing_at.date() == day)
    new = _not_covered(own, bench.group)
    if new:
        return _of_new(bench, inputs, own, new)
    if own or bench.group.made or not inputs:
        return Composed()
    return _of_days_before(bench, inputs)


def _not_covered(parts: Sequence[Ingredient], group: Group) -> tuple[Ingredient, ...]:
    """Those whose measurement no job of the group has used."""
    covered = {each for made in group.made for each in made.covers}
    return tuple(part for part in parts if part.measurement not in covered)


def _of_new(
    bench: Bench,
    inputs: Sequence[Ingredient],
    own: Sequence[Ingredient],
    new: Sequence[Ingredient],
) -> Composed:
    patience = min(part.published_at for part in new) + bench.settings.radar_wait
    if RADAR.isdisjoint(part.type for part in own) and bench.now < patience:
        return Composed(again_at=patience, waits="the SWS and WDS of that day are waited for")
    covers = tuple(part.measurement for part in own)
    return _made(bench, inputs, covers, urgency(new))


def _of_days_before(bench: Bench, inputs: Sequence[Ingredient]) -> Composed:
    day, settings, now = bench.group.day, bench.settings, bench.now
    at = _gap_at(day, settings)
    if now < at:
        return Composed(again_at=at, waits="the day is let come to its end")
    if _active(bench.group) in bench.active:
        return _made(bench, inputs, (), Priority.DELAYED)
    if now >= begin_of(day) + DAYS * DAY:
        return Composed(waits="nothing of that day was ever listed, of any tile")
    again = now + max(settings.gap_wait, settings.look_again)
    return Composed(again_at=again, waits="nothing of that day is listed, of any tile")


def _made(
    bench: Bench, inputs: Sequence[Ingredient], covers: tuple[str, ...], priority: Priority
) -> Composed:
    """The job, and what it takes the place of."""
    group = bench.group
    (tile,) = group.tiles
    moments = (int(part.published_at.timestamp()) for part in inputs)
    curation = max(*moments, *(int(made.note) + 1 for made in group.made), 0)
    job = NewJob(
        type=NAME,
        key=f"{group.key}-{curation}",
        name=group.key,
        tile=tile,
        priority=priority,
        deadline=datetime.fromtimestamp(curation, UTC) + TURNAROUND,
        sensing_at=begin_of(group.day),
        input=_input(bench, inputs, curation),
    )
    return Composed(
        jobs=(job,),
        made=(Made(key=job.key, covers=covers, note=str(curation)),),
        overridden=tuple(made.key for made in group.made),
    )


def _input(bench: Bench, inputs: Sequence[Ingredient], curation: int) -> dict[str, Any]:
    former = [part for part in bench.parts if part.type is ProductType.GFSC]
    newest = max(former, key=lambda each: (each.sensing_at, each.published_at), default=None)
    missions = sorted({part.unit[:2] for part in inputs})
    return {
        "day": bench.group.day.isoformat(),
        "days": DAYS,
        "tiles": list(bench.group.tiles),
        "unit": "-".join(missions),
        "curation": curation,
        "former": told([newest])[0] if newest else None,
        **{
            kind.value.lower(): told(part for part in inputs if part.type is kind)
            for kind in INPUTS
        },
        "published_at": max(part.published_at for part in inputs).isoformat(),
    }


COMPOSITION = Composition(
    job_type=NAME,
    begins=datetime(2020, 5, 1, tzinfo=UTC),
    feeds_on=(*INPUTS, ProductType.GFSC),
    opens=_opens,
    needs=_needs,
    compose=_compose,
    reach=Reach(before=DAYS * DAY),
)
