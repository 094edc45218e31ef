"""Snow from Sentinel-1: SWS of the tiles in the mountains, WDS of those with an FSC of the day.

What is seen of a tile lies in one slice of a data take, or in two that follow one another: the
*assembly*. It is made once, by the first job that needs it, the master; the jobs of other tiles in
the same UTM zone rely on that one. A tile that reaches into a slice which is not listed yet waits
for it, but not for ever. A product that becomes possible later, when an FSC is there, gets a job of
its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from models.composing import Group, Ingredient, Made, Needs, Want
from models.creation import Area
from models.product_names import ProductType
from models.records import NewJob, Priority
from models.settings_composition import CompositionSettings
from models.slices import crosses, overlap_km2
from models.tiles import epsg_of
from models.urgency import TURNAROUND
from models.wording import wait
from reconcilers.creation.composition import (
    DAY,
    Bench,
    Composed,
    Composition,
    Reach,
    begin_of,
    newest_versions,
    told,
)

NAME = "sws_wds"
LEAST_KM2 = 10.0
"""A slice that shows less of a tile is none of the tile's."""
GAP = timedelta(seconds=5)
"""Slices that follow one another are closer together than this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Assembly:
    """The slices that show a tile. `is_open`: it reaches into one more, which is not listed."""

    id: str
    slices: tuple[Ingredient, ...]
    is_open: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    """What one job is to make of a tile."""

    tile: str
    assembly: _Assembly
    products: tuple[str, ...]
    snow: tuple[Ingredient, ...]

    @property
    def name(self) -> str:
        """Tile, unit and take, as people know them."""
        return f"{self.tile}_{self.assembly.slices[0].place}"

    @property
    def key(self) -> str:
        """The same with what is made: a later job makes what was not possible before."""
        return f"{self.name}_{'_'.join(self.products)}"

    @property
    def made(self) -> Made:
        """What is to be remembered of it."""
        covers = tuple(_cover(self.tile, product) for product in self.products)
        return Made(key=self.key, covers=covers, note=self.assembly.id)


def _cover(tile: str, product: str) -> str:
    return f"{tile}/{product}"


def _covers_of(key: str) -> tuple[str, ...]:
    """What the job of that key (`_Task.key`, perhaps with a campaign) makes."""
    tile, _, _, *products = key.partition("@")[0].split("_")
    return tuple(_cover(tile, product) for product in products)


def _opens(part: Ingredient, area: Area, settings: CompositionSettings) -> tuple[Group, ...]:
    del area, settings
    if part.type is not ProductType.GRDH:
        return ()
    day, tiles = part.sensing_at.date(), tuple(sorted(part.facts["tiles"]))
    return (Group(job_type=NAME, key=part.place, day=day, tiles=tiles, due_at=part.published_at),)


def _needs(group: Group, settings: CompositionSettings) -> Needs:
    del settings
    since = begin_of(group.day) - DAY
    until = since + 3 * DAY
    return Needs(
        wants=(
            Want(places=(group.key,), types=(ProductType.GRDH,), since=since, until=until),
            Want(places=group.tiles, types=(ProductType.FSC,), since=since, until=until),
        )
    )


def _compose(bench: Bench) -> Composed:
    chain = newest_versions(part for part in bench.parts if part.type is ProductType.GRDH)
    if not chain:
        return Composed()
    shown = _shown(bench.group.tiles, chain)
    tasks = _tasks(shown, bench)
    patience = max(part.published_at for part in chain) + bench.settings.slice_wait
    waiting = [task for task in tasks if task.assembly.is_open and bench.now < patience]
    ready = [task for task in tasks if task not in waiting]
    masters = _masters((*bench.group.made, *_made(ready)))
    return Composed(
        jobs=tuple(_job(task, masters[task.assembly.id], shown) for task in ready),
        made=_made(ready),
        again_at=patience if waiting else None,
        waits=_waits(waiting),
    )


def _waits(waiting: Sequence[_Task]) -> str:
    return f"{wait(len(waiting), 'tile')} for the next slice" if waiting else ""


def _masters(made: Sequence[Made]) -> dict[str, str]:
    """The key of the first job of each assembly."""
    return {each.note: each.key for each in reversed(made)}


def _made(tasks: Iterable[_Task]) -> tuple[Made, ...]:
    return tuple(task.made for task in tasks)


# ---- what is seen of a tile ----------------------------------------------------------------------


def _shown(tiles: Iterable[str], chain: Sequence[Ingredient]) -> dict[str, _Assembly]:
    """The assembly of each tile of which enough is to be seen."""
    found = {tile: _assembly(tile, chain) for tile in tiles}
    return {tile: assembly for tile, assembly in found.items() if assembly is not None}


def _assembly(tile: str, chain: Sequence[Ingredient]) -> _Assembly | None:
    """The one slice, or the two that follow one another, that show most of a tile; None where none
    shows enough of it.
    """
    shows = {part.name: overlap_km2(tile, part.facts["footprint"]) for part in chain}
    enough = [part for part in chain if shows[part.name] >= LEAST_KM2]
    if not enough:
        return None
    runs: list[tuple[Ingredient, ...]] = [pair for pair in pairwise(enough) if _follow(*pair)]
    runs += [(part,) for part in enough]
    best = max(runs, key=lambda run: sum(shows[part.name] for part in run))
    start, stop = best[0].sensing_at, _stop(best[-1])
    ends = (False, True) if len(best) == 1 else ()
    return _Assembly(
        id=f"{best[0].place}_{epsg_of(tile)}_{start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}",
        slices=best,
        is_open=any(_lacks_one(tile, best[0], chain, after=after) for after in ends),
    )


def _lacks_one(tile: str, part: Ingredient, chain: Sequence[Ingredient], *, after: bool) -> bool:
    """Whether a tile reaches over an end of a slice behind which one more must come."""
    facts = part.facts
    last = facts["slices"] if after else 1
    if last is not None and facts["slice"] == last:
        return False
    if any(_follow(part, each) if after else _follow(each, part) for each in chain):
        return False
    northern = (facts["direction"] == "ASCENDING") is after
    return crosses(tile, facts["footprint"], northern=northern)


def _follow(one: Ingredient, two: Ingredient) -> bool:
    return abs(two.sensing_at - _stop(one)) < GAP


def _stop(part: Ingredient) -> datetime:
    return datetime.fromisoformat(part.facts["sensing_stop"])


# ---- what is made of it --------------------------------------------------------------------------


def _tasks(shown: Mapping[str, _Assembly], bench: Bench) -> list[_Task]:
    found = (_task(tile, assembly, bench) for tile, assembly in shown.items())
    return [task for task in found if task is not None]


def _task(tile: str, assembly: _Assembly, bench: Bench) -> _Task | None:
    """What is possible and made by no job yet; None when there is nothing of that."""
    day = assembly.slices[0].sensing_at.date()
    snow = newest_versions(
        part for part in bench.parts if part.place == tile and part.sensing_at.date() == day
    )
    possible = {"SWS": tile in bench.area.mountains, "WDS": bool(snow)}
    served = {each for made in bench.group.made for each in made.covers}
    products = tuple(
        name for name, is_so in possible.items() if is_so and _cover(tile, name) not in served
    )
    if not products:
        return None
    return _Task(
        tile=tile, assembly=assembly, products=products, snow=snow if "WDS" in products else ()
    )


def _job(task: _Task, master: str, shown: Mapping[str, _Assembly]) -> NewJob:
    assembly, first = task.assembly, task.assembly.slices[0]
    priorities = [Priority(part.facts["priority"]) for part in assembly.slices]
    return NewJob(
        type=NAME,
        key=task.key,
        name=task.name,
        tile=task.tile,
        priority=max(priorities, key=lambda each: each.rank),
        deadline=max(part.published_at for part in (*assembly.slices, *task.snow)) + TURNAROUND,
        sensing_at=first.sensing_at,
        input={
            "day": f"{first.sensing_at:%Y-%m-%d}",
            "tiles": [task.tile],
            "unit": first.unit,
            "take": first.place,
            "relative_orbit": first.facts["relative_orbit"],
            "products": list(task.products),
            "slices": told(assembly.slices),
            "is_open": assembly.is_open,
            "fsc": told(task.snow),
            "assembly": assembly.id,
            "master": master,
            "siblings": [tile for tile in shown if shown[tile].id == assembly.id],
            "origin_at": max(
                (part.facts["origin_at"] or "" for part in assembly.slices), default=""
            )
            or None,
            "published_at": max(part.published_at for part in assembly.slices).isoformat(),
        },
    )


COMPOSITION = Composition(
    job_type=NAME,
    begins=datetime(2021, 6, 24, tzinfo=UTC),
    feeds_on=(ProductType.GRDH, ProductType.FSC),
    opens=_opens,
    needs=_needs,
    compose=_compose,
    touched_by=(ProductType.FSC,),
    reach=Reach(before=DAY),
    covers_of=_covers_of,
)
