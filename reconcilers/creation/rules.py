"""What becomes of one product: a job, a cancelled job, or nothing. One rule per type of job.

A rule is asked once about each product of a feed, and again whenever it is met again; it must say
the same each time. A new type of job is a new row here and in `models.creation.JOB_TYPES_OF`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from models import urgency
from models.areas import tiles_under
from models.catalogue import CatalogueProduct
from models.creation import Area, acquisition_of
from models.records import NewJob, Priority
from models.urgency import TURNAROUND

TOO_EARLY = "measured before the operation began: it is a matter of reprocessing"
"""What the history of a job says that is cancelled for that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Which products of its feed a type of job is for, and since when.

    `tiles` gives those of the area that a product is about; none: it is of no interest. `begins`
    is when operation began: what was measured before becomes a cancelled job.
    """

    job_type: str
    begins: datetime
    tiles: Callable[[CatalogueProduct, Area], tuple[str, ...]]

    def job(
        self, product: CatalogueProduct, tiles: tuple[str, ...], *, stands_in: bool = False
    ) -> NewJob:
        """The job of a product that is about these tiles. Its key is the product's name.

        `stands_in`: it is also the job of the next version of the image that is met.
        """
        seen = acquisition_of(product, self.job_type)
        return NewJob(
            type=self.job_type,
            key=product.name,
            name=f"{product.tile or product.unit}-{seen.sensing_at:%Y-%m-%d}",
            tile=product.tile,
            priority=priority_of(product),
            deadline=product.published_at + TURNAROUND,
            sensing_at=seen.sensing_at,
            input={**_input(product, tiles), **({"stands_in": True} if stands_in else {})},
        )


def priority_of(product: CatalogueProduct) -> Priority:
    """That of the work on a product; see `models.urgency`."""
    return urgency.priority_of(product.sensing.start, product.origin_at, product.published_at)


def _of_its_tile(product: CatalogueProduct, area: Area) -> tuple[str, ...]:
    return (product.tile,) if product.tile and product.tile in area.tiles else ()


def _under_its_footprint(product: CatalogueProduct, area: Area) -> tuple[str, ...]:
    return tiles_under(area, product.footprint) if product.footprint else ()


RULES: Mapping[str, Rule] = {
    rule.job_type: rule
    for rule in (
        Rule(
            job_type="fsc_rlie",
            begins=datetime(2020, 5, 1, tzinfo=UTC),
            tiles=_of_its_tile,
        ),
        Rule(
            job_type="rlies1",
            begins=datetime(2021, 5, 1, tzinfo=UTC),
            tiles=_under_its_footprint,
        ),
    )
}


def _input(product: CatalogueProduct, tiles: tuple[str, ...]) -> dict[str, Any]:
    """What the processing, and later the configuration, needs to know of a product."""

    def written(at: datetime | None) -> str | None:
        return at.isoformat() if at else None

    return {
        "product": product.name,
        "catalogue_id": product.id,
        "path": product.path,
        "unit": product.unit,
        "tiles": list(tiles),
        "baseline": product.baseline,
        "is_cog": product.is_cog,
        "sensing_start": written(product.sensing.start),
        "sensing_stop": written(product.sensing.stop),
        "origin_at": written(product.origin_at),
        "published_at": written(product.published_at),
        "made_at": written(product.made_at),
        "relative_orbit": product.orbit.relative,
        "cloud_cover": product.attributes.get("cloudCover"),
    }
