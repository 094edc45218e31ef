"""The types of job that are made of several products; a new one is a module and a row here."""

from __future__ import annotations

from collections.abc import Mapping

from models.product_names import ProductType
from reconcilers.creation import gfsc, rlies1s2, sws_wds
from reconcilers.creation.composition import Composition

COMPOSITIONS: Mapping[str, Composition] = {
    each.job_type: each for each in (rlies1s2.COMPOSITION, sws_wds.COMPOSITION, gfsc.COMPOSITION)
}

INGREDIENTS: frozenset[ProductType] = frozenset(
    kind for each in COMPOSITIONS.values() for kind in each.feeds_on
)
"""The types of product that are kept for them."""
