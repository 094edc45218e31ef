"""Products of one tile or take, days and groups, for the tests of jobs made of several products."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from models.areas import area_of_tiles
from models.composing import Active, Group, Ingredient, MovingJob
from models.product_names import ProductType
from models.settings_composition import CompositionSettings
from reconcilers.creation.composition import Bench, Composed
from reconcilers.creation.compositions import COMPOSITIONS

TILE, OTHER = "32TLR", "32TMR"
AREA = replace(area_of_tiles((TILE, OTHER)), mountains=frozenset({TILE}))
DAY = date(2026, 1, 10)
NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTINGS = CompositionSettings()


def a_product(
    kind: ProductType, unit: str = "S2B", at: datetime = NOON, **changes: Any
) -> Ingredient:
    """A product of the tile, published three hours after its measurement."""
    version = changes.pop("version", 1)
    name = f"{kind}_{at:%Y%m%dT%H%M%S}_{unit}_T{TILE}_V102_{version}"
    part = Ingredient(
        place=TILE,
        type=kind,
        name=name,
        unit=unit,
        sensing_at=at,
        published_at=at + 3 * HOUR,
        facts={"path": f"/eodata/{name}", "catalogue_id": name},
    )
    return replace(part, **changes)


def composed(group: Group, parts: Iterable[Ingredient], now: datetime, **seen: Any) -> Composed:
    """What becomes of a group that has these parts."""
    bench = Bench(
        group=group,
        parts=tuple(parts),
        moving=seen.get("moving", ()),
        active=seen.get("active", frozenset()),
        area=seen.get("area", AREA),
        settings=SETTINGS,
        now=now,
    )
    return COMPOSITIONS[group.job_type].compose(bench)


def opened(part: Ingredient, job_type: str) -> tuple[Group, ...]:
    """The groups that a product opens."""
    return COMPOSITIONS[job_type].opens(part, AREA, SETTINGS)


def after(group: Group, what: Composed) -> Group:
    """The group with what was made of it."""
    return replace(group, made=(*group.made, *what.made), due_at=what.again_at)


def a_moving_job(*tiles: str) -> MovingJob:
    """A job that may still give a product of these tiles."""
    return MovingJob(type="rlies1", key="S1A", sensing_at=NOON, tiles=tiles)


def measured_on(day: date) -> frozenset[Active]:
    """Something of snow was measured that day, somewhere."""
    kinds = (ProductType.FSC, ProductType.SWS, ProductType.WDS)
    return frozenset({Active(types=kinds, day=day)})
