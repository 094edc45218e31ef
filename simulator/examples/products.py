"""What runs make: manifests as programs on workers post them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any
from uuid import UUID

from models.manifest import Manifest, Product, ProductFile, ProductKind, Science, prefix_of
from models.records import Run
from simulator.examples.base import NOW

FSC = "FSC_20220827T130318_S2A_T28WEU_V102_1"
RLIE = "RLIE_20220827T130318_S2A_T28WEU_V102_1"


def a_product(name: str = FSC, **changes: Any) -> Product:
    """A product of three files: an image, its metadata and its quick-look."""
    kind = ProductKind(name.partition("_")[0].lower())
    files = (f"{name}_{kind.upper()}.tif", f"{name}_MTD.xml", f"{name}_QLK.png")
    default = Product(
        name=name,
        kind=kind,
        files=tuple(
            ProductFile(
                key=f"{name}/{file}",
                size=1000 + number,
                sha256=hashlib.sha256(file.encode()).hexdigest(),
            )
            for number, file in enumerate(files)
        ),
        science=Science(
            geometry="POLYGON((-17 66,-15 66,-15 65,-17 65,-17 66))",
            mission="S2",
            resolution=20,
            sensed_from=NOW,
            completed_at=NOW,
            cloud_cover=86.0,
        ),
        quicklook=f"{name}/{files[-1]}",
    )
    return replace(default, **changes)


def a_manifest(unique_id: UUID, run: Run, **changes: Any) -> Manifest:
    """What the last claim of this run made: FSC and RLIE of one image."""
    default = Manifest(
        unique_id=unique_id,
        run_id=run.id,
        attempt=run.attempt,
        claim=run.claim,
        prefix=prefix_of(unique_id, run.attempt, run.claim),
        products=(a_product(FSC), a_product(RLIE)),
    )
    return replace(default, **changes)
