"""What creation knows: which feeds are read, how far, and what was met there.

A *feed* is one type of product in one collection of one catalogue (the *source*). Its *cursor* says
up to which time of publication everything has been met. Catalogues list things late, so that each
look begins a little before the cursor, and now and then far before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from models.catalogue import CatalogueProduct, Collection, RejectedEntry
from models.changes import Change
from models.composing import Due, Group, Ingredient, Touch
from models.product_names import ProductType, parse_product_name
from models.records import NewJob

JOB_TYPES_OF: Mapping[ProductType, tuple[str, ...]] = {
    ProductType.L1C: ("fsc_rlie",),
    ProductType.GRDH: ("rlies1",),
}
"""Which jobs a product may make: one rule of `reconcilers.creation` for each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Area:
    """The area of interest: tiles, and a polygon over all of them, `wkt`, in degrees, longitude
    first, without holes (`models.areas` makes both).

    Catalogues are asked for the polygon, which is no less than the area; what they give beyond
    that is left out by the tiles. `mountains` are the tiles of which SWS are made, `without_rlie`
    those without a river or lake to see.
    """

    tiles: tuple[str, ...]
    wkt: str
    mountains: frozenset[str] = frozenset()
    without_rlie: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Feed:
    """One type of product, in one collection, of one source."""

    source: str
    collection: Collection
    type: ProductType

    def __str__(self) -> str:
        return f"{self.source}/{self.collection}/{self.type}"

    @classmethod
    def named(cls, text: str) -> Feed:
        """The feed of that name. Raises `ValueError` saying how names look."""
        parts = text.split("/")
        try:
            source, collection, kind = parts
            return cls(source=source, collection=Collection(collection), type=ProductType(kind))
        except ValueError as error:
            raise ValueError(
                f"{text!r} is no feed; one is called source/collection/type, such as "
                f"creodias/{Collection.SENTINEL_2}/{ProductType.L1C}"
            ) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """How far a feed has been met: all that was published before `until`, as far as it was listed.

    `deep_at` is when the feed was last looked through far before its cursor, and to its end;
    `yielded` whether it ever listed anything.
    """

    feed: Feed
    until: datetime
    deep_at: datetime
    yielded: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Acquisition:
    """What a satellite saw at one moment: of a tile, or (None) in a slice of an orbit.

    Products that are published again have the same. `job_type` is the type of the jobs asked for.
    """

    job_type: str
    sensing_at: datetime
    tile: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownJob:
    """A job that is there already, and which acquisition it is about.

    `stands_in`: it was made of a packing of the image, or of a version that came late, when nothing
    else of the acquisition was known. It is the job of one version that is met afterwards.
    """

    key: str
    acquisition: Acquisition
    cancelled: bool = False
    stands_in: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """An entry that could not be understood, as it is kept; `count` is how often it was written."""

    entry: RejectedEntry
    first_at: datetime
    last_at: datetime
    count: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Met:
    """What the store is asked about: acquisitions, entries that were rejected, and ingredients by
    their identity.
    """

    acquisitions: frozenset[Acquisition] = frozenset()
    rejected: tuple[RejectedEntry, ...] = ()
    ingredients: frozenset[tuple[str, ProductType, str]] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What of it the store has already: jobs by type and key, entries as `identity_of` names them,
    ingredients by identity, all in order.
    """

    jobs: tuple[KnownJob, ...] = ()
    rejected: tuple[tuple[str, str, str], ...] = ()
    ingredients: tuple[tuple[str, ProductType, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """One look at a feed: what it listed from `since` on, and what of that is known.

    `reached` is as of `CataloguePage`. `complete`: nothing is left up to now. `deep`: what lies far
    before the cursor was looked through as well, to its end. `unknown` says why the look ended
    early, if it did; what came before is good.
    """

    feed: Feed
    cursor: Cursor | None
    since: datetime
    at: datetime
    reached: datetime
    products: tuple[CatalogueProduct, ...] = ()
    rejected: tuple[RejectedEntry, ...] = ()
    complete: bool = True
    deep: bool = False
    unknown: str = ""
    known: Known = Known()


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrivals:
    """How many jobs catalogues have brought lately, by type; a type that ever had jobs is there,
    with 0 if need be. `began` is when counting began (None: there was none yet).
    """

    began: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedDay:
    """What a feed listed as published in the 24 h before `at`, looked through to its end: of the
    area, each measurement once, by the type of job whose range says how many are ordinary.
    `yielded`: it has listed something, then or ever before.
    """

    feed: Feed
    at: datetime
    counts: Mapping[str, int]
    yielded: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Harvest:
    """What one reading of the feeds gave: looks (None: there was none), groups of products that
    are due, what arrived in the last 24 h (None: not looked at yet), and what each feed that
    answers listed of a day when it was last looked through.
    """

    sweeps: tuple[Sweep, ...] | None = None
    due: Due | None = None
    arrivals: Arrivals | None = None
    days: tuple[FeedDay, ...] = ()


def acquisition_of(product: CatalogueProduct, job_type: str) -> Acquisition:
    """The acquisition that a product is about; its time is that of the name, in whole seconds."""
    sensing_at = parse_product_name(product.name).sensing_at
    return Acquisition(job_type=job_type, sensing_at=sensing_at, tile=product.tile)


def place_of(product: CatalogueProduct) -> str | None:
    """Where a product is kept that may become part of a job: its tile, or, of a slice, its data
    take, as unit and number.
    """
    if product.tile is not None or product.type is not ProductType.GRDH:
        return product.tile
    return f"{product.unit}_{parse_product_name(product.name).take}"


def identity_of(entry: RejectedEntry) -> tuple[str, str, str]:
    """What makes a rejected entry the same one when it is met again."""
    return entry.source, entry.collection.value, entry.entry


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateJobs(Change):
    """Add what one look at a feed found: `jobs`, `cancelled` ones, `rejected` entries, the cursor.

    A job whose (type, key) is in the table is left as it is; the others are added all at once, in
    the order given: `jobs` begin initialized, `cancelled` begin and rest
    cancelled, with `why`. A rejected entry that is known is counted once more. `flavors` has
    that of every type of job. The receipt says how many of `jobs` were added. Guard: the feed's
    cursor is still at `expected` (None: there is none): a person who moved it is obeyed.

    `ingredients` that are known stay as they are. A group of `groups` that is there gets the tiles
    besides its own, and is due when either is; a group that is `touched` is due at `at`, unless it
    was earlier. Each such group is one version further. None of the groups is named twice.
    """

    cursor: Cursor
    expected: datetime | None
    flavors: Mapping[str, str]
    jobs: tuple[NewJob, ...] = ()
    cancelled: tuple[NewJob, ...] = ()
    why: str = ""
    rejected: tuple[RejectedEntry, ...] = ()
    ingredients: tuple[Ingredient, ...] = ()
    groups: tuple[Group, ...] = ()
    touched: tuple[Touch, ...] = ()
