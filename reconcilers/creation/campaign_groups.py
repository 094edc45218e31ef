"""Campaigns of the types that are made of several products: groups are made anew, at once.

What was measured long ago is not waited for. The products are those that the catalogues list today,
not those that were kept while the days went by, and each group is composed as creation composes it
when all waits are over. The products from which gaps are filled may lie before the part of the
campaign: a job belongs to the part in which its own time lies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from models.campaigns import Campaign, CampaignLook, Tally
from models.composing import Due, Group, Ingredient, Made, Material
from models.creation import Acquisition, Known, KnownJob, place_of
from models.records import NewJob, Priority
from models.settings_composition import CompositionSettings
from reconcilers.creation.composition import DAY, Composition, begin_of, newest_versions
from reconcilers.creation.compositions import COMPOSITIONS
from reconcilers.creation.groups import Shelf, ingredient_of, needs_of, opened

PATIENT = CompositionSettings(rlie_window=timedelta.max)
"""However late something was published, a campaign puts it together."""

ALL_WAITS = timedelta(days=400)
"""Longer than anything is waited for."""


def images_of_groups(look: CampaignLook) -> frozenset[Acquisition]:
    """What the jobs of a part would be about, if none of them was there."""
    pending = _Part.of(look)
    return frozenset(_image(job) for job in pending.jobs({}))


def of_groups(look: CampaignLook) -> tuple[list[NewJob], Tally]:
    """The jobs of a part that are not there yet, oldest first, and what was met."""
    part, again = _Part.of(look), look.campaign.order.again
    there: defaultdict[Acquisition, list[KnownJob]] = defaultdict(list)
    for known in () if again else live(look.known, part.composition.job_type):
        there[known.acquisition].append(known)
    possible = part.jobs({})
    missing = part.jobs(there) if there else possible
    jobs = _keyed(missing, look)
    listed = [each for each in look.products if _within(look, each.sensing.start)]
    used = {each.name for each in part.newest()}
    tally = Tally(
        listed=len(listed),
        existing=len(possible) - len(jobs),
        left_out=len(listed) - len({each.name for each in listed} & used),
    )
    return jobs, tally


def live(known: Known, job_type: str) -> Iterator[KnownJob]:
    """The jobs of a type that are there and that nobody cancelled."""
    for each in known.jobs:
        if each.acquisition.job_type == job_type and not each.cancelled:
            yield each


def free_key(key: str, campaign: Campaign, taken: Collection[str]) -> str | None:
    """The key itself, or with the campaign where a job has it; None: this campaign made the job."""
    if key not in taken:
        return key
    own = f"{key}@{campaign.id}"
    return None if own in taken else own


def reprocessed(job: NewJob, key: str, campaign: Campaign) -> NewJob:
    """The job as one of a campaign."""
    return replace(
        job,
        key=key,
        priority=Priority.REPROCESSING,
        deadline=None,
        input={**job.input, "campaign": campaign.id},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """A part of a campaign, ready to be composed: its products and their groups."""

    look: CampaignLook
    composition: Composition
    ingredients: tuple[Ingredient, ...]
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, look: CampaignLook) -> _Part:
        composition = COMPOSITIONS[look.campaign.order.job_type]
        parts = tuple(_ingredients(look, composition))
        return cls(
            look=look,
            composition=composition,
            ingredients=parts,
            groups=tuple(
                group
                for group in opened(parts, look.area, PATIENT)
                if group.job_type == composition.job_type and _is_near(look, group)
            ),
        )

    def jobs(self, there: Mapping[Acquisition, list[KnownJob]]) -> list[NewJob]:
        """What becomes of the groups, besides the jobs that are there, oldest first."""
        needs = needs_of(self.groups, PATIENT)
        # Whether anything was measured on a day tells what is late from what never comes. Of a
        # campaign nothing is late: all gaps are filled.
        material = Material(ingredients=self.ingredients, active=needs.active)
        shelf = Shelf.of(Due(groups=self.groups, material=material))
        now = max((p.published_at for p in self.ingredients), default=self.look.reached) + ALL_WAITS
        found: list[NewJob] = []
        made = self._made(there)
        for group in self.groups:
            known = replace(group, made=made.get(group.key, ()))
            bench = shelf.bench(known, self.look.area, PATIENT, now)
            found += self.composition.compose(bench).jobs
        jobs = [job for job in found if _within(self.look, _image(job).sensing_at)]
        if self.composition.covers_of is None:
            jobs = [job for job in jobs if _image(job) not in there]
        return sorted(jobs, key=lambda job: (_image(job).sensing_at, job.key))

    def newest(self) -> Iterator[Ingredient]:
        """Of each measurement of each place the newest version."""
        places: defaultdict[str, list[Ingredient]] = defaultdict(list)
        for part in self.ingredients:
            places[part.place].append(part)
        return (part for parts in places.values() for part in newest_versions(parts))

    def _made(self, there: Mapping[Acquisition, list[KnownJob]]) -> Mapping[str, tuple[Made, ...]]:
        """What jobs that are there have made of each group, where one may have several."""
        covers_of = self.composition.covers_of
        if covers_of is None:
            return {}
        found: defaultdict[str, tuple[Made, ...]] = defaultdict(tuple)
        for known in (each for jobs in there.values() for each in jobs):
            for group in self.groups:
                if f"_{group.key}_" in known.key:
                    found[group.key] += (Made(key=known.key, covers=covers_of(known.key)),)
        return found


def _ingredients(look: CampaignLook, composition: Composition) -> Iterator[Ingredient]:
    """What is of use of the products, each once, in order."""
    found: dict[tuple[str, str, str], Ingredient] = {}
    for product in look.products:
        place = place_of(product) if product.type in composition.feeds_on else None
        ingredient = ingredient_of(product, place, look.area) if place is not None else None
        if ingredient is not None:
            found.setdefault(ingredient.identity, ingredient)
    yield from (found[each] for each in sorted(found))


def _within(look: CampaignLook, at: datetime) -> bool:
    return look.campaign.reached <= at < look.reached


def _is_near(look: CampaignLook, group: Group) -> bool:
    """Whether a job of a group may be of the part: a data take may go on beyond midnight."""
    begins = begin_of(group.day)
    return look.campaign.reached - 2 * DAY < begins < look.reached


def _image(job: NewJob) -> Acquisition:
    """What a job is about, as the store knows it by."""
    if job.sensing_at is None:
        raise ValueError(f"{job.type} {job.key} is about no time")
    return Acquisition(job_type=job.type, sensing_at=job.sensing_at, tile=job.tile)


def _keyed(jobs: Iterable[NewJob], look: CampaignLook) -> list[NewJob]:
    """The jobs as they are added, with keys that are free; who relies on one knows it by that."""
    campaign, taken = look.campaign, {known.key for known in look.known.jobs}
    keys = {job.key: free_key(job.key, campaign, taken) for job in jobs}
    found: list[NewJob] = []
    for job in jobs:
        key, master = keys[job.key], job.input.get("master")
        if key is not None:
            relies = {"master": keys.get(master) or master} if master is not None else {}
            found.append(reprocessed(replace(job, input={**job.input, **relies}), key, campaign))
    return found
