"""What is kept of products for jobs that are made of several, and what becomes of groups of them.

`kept_of` is asked about each look at a feed, `of_due` about the groups that are due. The two are
told apart by the store: a product is kept, with its groups, in the transaction that moves the
cursor, and what was made of a group is written together with the jobs. A crash in between leaves
the group due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

from models.actions import Compose
from models.areas import tiles_under
from models.catalogue import CatalogueProduct
from models.composing import (
    Due,
    Group,
    Ingredient,
    Material,
    MovingJob,
    Needs,
    Overridden,
    Touch,
    Want,
)
from models.creation import Area, Sweep, place_of
from models.plan import Decision, Reason, Subject, SubjectKind
from models.records import NewJob
from models.settings_composition import CompositionSettings
from models.wording import counted
from models.world import World
from reconcilers.creation.composition import Bench, Composed, Composition
from reconcilers.creation.compositions import COMPOSITIONS, INGREDIENTS
from reconcilers.creation.rules import TOO_EARLY, priority_of

GroupKey: TypeAlias = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What one look at a feed gives for later: products, and the groups that they belong to."""

    ingredients: tuple[Ingredient, ...] = ()
    groups: tuple[Group, ...] = ()
    touched: tuple[Touch, ...] = ()


def kept_of(sweep: Sweep, area: Area, settings: CompositionSettings) -> Kept:
    """What is new in a look and may become part of a job."""
    found: dict[tuple[str, str, str], Ingredient] = {}
    known = set(sweep.known.ingredients)
    for product in sweep.products:
        place = place_of(product) if product.type in INGREDIENTS else None
        if place is None or (place, product.type, product.name) in known:
            continue
        ingredient = ingredient_of(product, place, area)
        if ingredient is not None:
            found.setdefault(ingredient.identity, ingredient)
    parts = tuple(found[each] for each in sorted(found))
    return Kept(
        ingredients=parts,
        groups=tuple(opened(parts, area, settings)),
        touched=tuple(sorted(set(_touched(parts)))),
    )


def ingredient_of(product: CatalogueProduct, place: str, area: Area) -> Ingredient | None:
    """A product as it is kept; None: it is not of the area."""
    tiles: tuple[str, ...] = (place,) if place in area.tiles else ()
    if product.tile is None:
        tiles = tiles_under(area, product.footprint) if product.footprint else ()
    if not tiles:
        return None
    return Ingredient(
        place=place,
        type=product.type,
        name=product.name,
        unit=product.unit,
        sensing_at=product.sensing.start,
        published_at=product.published_at,
        facts=_facts(product, tiles),
    )


def _facts(product: CatalogueProduct, tiles: tuple[str, ...]) -> dict[str, Any]:
    facts: dict[str, Any] = {"path": product.path, "catalogue_id": product.id}
    if product.tile is None:
        facts |= {
            "tiles": list(tiles),
            "footprint": product.footprint,
            "sensing_stop": product.sensing.stop.isoformat(),
            "origin_at": product.origin_at.isoformat() if product.origin_at else None,
            "priority": priority_of(product).value,
            "relative_orbit": product.orbit.relative,
            "direction": product.orbit.direction,
            "slice": product.attributes.get("sliceNumber"),
            "slices": product.attributes.get("totalSlices"),
        }
    return facts


def opened(
    parts: Iterable[Ingredient], area: Area, settings: CompositionSettings
) -> Iterator[Group]:
    """The groups of these products, each once, due when the first of them says."""
    found: dict[GroupKey, Group] = {}
    for part in parts:
        for composition in _fed_by(part):
            for group in composition.opens(part, area, settings):
                key = (group.job_type, group.key)
                found[key] = _together(found[key], group) if key in found else group
    yield from (found[key] for key in sorted(found))


def _together(one: Group, other: Group) -> Group:
    dues = [each.due_at for each in (one, other) if each.due_at is not None]
    return replace(
        one,
        day=min(one.day, other.day),
        tiles=tuple(sorted({*one.tiles, *other.tiles})),
        due_at=min(dues, default=None),
    )


def _touched(parts: Iterable[Ingredient]) -> Iterator[Touch]:
    for part in parts:
        for composition in COMPOSITIONS.values():
            if part.type in composition.touched_by:
                yield Touch(
                    job_type=composition.job_type, tile=part.place, day=part.sensing_at.date()
                )


def _fed_by(part: Ingredient) -> Iterator[Composition]:
    return (each for each in COMPOSITIONS.values() if part.type in each.feeds_on)


# ---- groups that are due -------------------------------------------------------------------------


def needs_of(groups: Iterable[Group], settings: CompositionSettings) -> Needs:
    """All that the store is to be asked about these groups, each thing once."""
    found = [_needs(group, settings) for group in groups]
    return Needs(
        wants=tuple(dict.fromkeys(each for needs in found for each in needs.wants)),
        moving=tuple(dict.fromkeys(each for needs in found for each in needs.moving)),
        active=tuple(dict.fromkeys(each for needs in found for each in needs.active)),
    )


def _needs(group: Group, settings: CompositionSettings) -> Needs:
    composition = COMPOSITIONS.get(group.job_type)
    return composition.needs(group, settings) if composition else Needs()


@dataclass(kw_only=True, slots=True)
class _Outcome:
    """What became of the groups of one type."""

    groups: list[Group] = field(default_factory=list)
    jobs: list[NewJob] = field(default_factory=list)
    cancelled: list[NewJob] = field(default_factory=list)
    overridden: list[Overridden] = field(default_factory=list)

    def take(
        self, group: Group, composed: Composed, composition: Composition, now: datetime
    ) -> None:
        """One more group."""
        self.groups.append(
            replace(
                group,
                due_at=composed.again_at,
                made=(*group.made, *composed.made),
                waits=composed.waits,
                waits_since=(group.waits_since or now) if composed.waits else None,
            )
        )
        early = group.day < composition.begins.date()
        (self.cancelled if early else self.jobs).extend(composed.jobs)
        self.overridden += [
            Overridden(job_type=group.job_type, key=key) for key in composed.overridden
        ]


def of_due(world: World, settings: CompositionSettings, now: datetime) -> list[Decision]:
    """What becomes of the groups that are due: one action for each type of job."""
    if world.due is None or world.area is None:
        return []
    shelf = Shelf.of(world.due)
    outcomes: defaultdict[str, _Outcome] = defaultdict(_Outcome)
    for group in world.due.groups:
        composition = COMPOSITIONS.get(group.job_type)
        if composition is None:
            continue
        bench = shelf.bench(group, world.area, settings, now)
        outcomes[group.job_type].take(group, composition.compose(bench), composition, now)
    return [_action(name, outcome) for name, outcome in sorted(outcomes.items())]


def _action(name: str, outcome: _Outcome) -> Compose:
    waiting = sum(bool(group.waits) for group in outcome.groups)
    parts = [
        f"{counted(len(outcome.groups), 'group')} of products looked at",
        f"{counted(len(outcome.jobs), 'job')} to create",
    ]
    if outcome.cancelled:
        parts.append(f"{counted(len(outcome.cancelled), 'job')} of before the operation began")
    if waiting:
        parts.append(f"{waiting} wait for more")
    return Compose(
        subject=Subject(SubjectKind.TYPE, name),
        reason=Reason.GROUPS_DUE,
        because=", ".join(parts),
        facts=(
            ("groups", len(outcome.groups)),
            ("jobs", len(outcome.jobs)),
            ("cancelled", len(outcome.cancelled)),
            ("waiting", waiting),
        ),
        groups=tuple(outcome.groups),
        jobs=tuple(outcome.jobs),
        cancelled=tuple(outcome.cancelled),
        why=TOO_EARLY,
        overridden=tuple(outcome.overridden),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Shelf:
    """The material of a pass, where each group finds its own."""

    places: Mapping[str, list[Ingredient]]
    material: Material

    @classmethod
    def of(cls, due: Due) -> Shelf:
        """The shelf with what is due."""
        places: defaultdict[str, list[Ingredient]] = defaultdict(list)
        for part in due.material.ingredients:
            places[part.place].append(part)
        return cls(places=places, material=due.material)

    def bench(
        self, group: Group, area: Area, settings: CompositionSettings, now: datetime
    ) -> Bench:
        """A group with what its composition needs to see of it."""
        needs = _needs(group, settings)
        return Bench(
            group=group,
            parts=tuple(part for want in needs.wants for part in self._wanted(want)),
            moving=tuple(self._moving(needs)),
            active=frozenset(each for each in self.material.active if each in needs.active),
            area=area,
            settings=settings,
            now=now,
        )

    def _wanted(self, want: Want) -> Iterator[Ingredient]:
        for place in want.places:
            for part in self.places.get(place, ()):
                if part.type in want.types and want.since <= part.sensing_at < want.until:
                    yield part

    def _moving(self, needs: Needs) -> Iterator[MovingJob]:
        for job in self.material.moving:
            if any(
                job.type in each.job_types and each.since <= job.sensing_at < each.until
                for each in needs.moving
            ):
                yield job
