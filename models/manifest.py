"""What a run made: the manifest, written last and posted with `processed`.

A manifest says of every product which files it has, how long they are and what their SHA-256 is,
and what is told about it when it is announced. A product that no accepted manifest names does not
exist: files without one are what a run left that came to nothing. Publication copies what it names
and nothing else.

Files lie at `prefix` + `key` in the results bucket, the manifest itself at `prefix` + `FILE`.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from models.errors import Malformed
from models.records import Run

VERSION = 1
"""Of the document. A reader refuses any that it does not know."""

FILE = "manifest.json"
MOST_PRODUCTS = 500
"""A Sentinel-1 image gives one product for every tile it touches: some dozens."""

MOST_FILES = 200
"""Of one product."""


class ProductKind(StrEnum):
    """What a job can make; the words of `models.job_types.JobType.products`."""

    FSC = "fsc"
    RLIE = "rlie"
    RLIE_S1 = "rlies1"
    RLIE_S1S2 = "rlies1s2"
    SWS = "sws"
    WDS = "wds"
    GFSC = "gfsc"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductFile:
    """One file of a product. `key` is below the manifest's prefix, `size` in bytes."""

    key: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Science:
    """What the science software says of a product, and the announcement repeats.

    `geometry` is WKT in degrees, `resolution` in metres, `cloud_cover` in percent (None where it
    means nothing). The product shows the ground from `sensed_from` to `sensed_to`; it was finished
    at `completed_at`.
    """

    geometry: str
    mission: str
    resolution: int
    sensed_from: datetime
    completed_at: datetime
    sensed_to: datetime | None = None
    cloud_cover: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """One product: `name` is its identity for everybody (FSC_20220827T130318_S2A_T28WEU_V102_1).

    `quicklook` is the key of the file that becomes its thumbnail; it is one of `files`.
    """

    name: str
    kind: ProductKind
    files: tuple[ProductFile, ...]
    science: Science
    quicklook: str | None = None

    @property
    def size(self) -> int:
        """All its files together, in bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """Everything that one claim of one run made; no product at all is a result, too."""

    unique_id: UUID
    run_id: UUID
    attempt: int
    claim: int
    prefix: str
    products: tuple[Product, ...]
    version: int = VERSION


def prefix_of(unique_id: UUID, attempt: int, claim: int) -> str:
    """Where a claim uploads what it made: no other claim ever writes there."""
    return f"{folder_of(unique_id)}runs/{attempt}-{claim}/products/"


def folder_of(unique_id: UUID) -> str:
    """Everything about a job in the results bucket is below this."""
    return f"work/jobs/{unique_id}/"


def encode(manifest: Manifest) -> bytes:
    """The manifest as JSON; the same manifest gives the same bytes."""
    return msgspec.json.encode(manifest, order="sorted")


def digest_of(manifest: Manifest) -> str:
    """SHA-256 of what `encode` gives, in hex: the name of exactly this result."""
    return hashlib.sha256(encode(manifest)).hexdigest()


def decode(text: bytes) -> Manifest:
    """The manifest that `encode` wrote, checked. Raises `Malformed` naming what is wrong."""
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise Malformed(f"this is no manifest: {error}") from error
    return checked(manifest)


def checked(manifest: Manifest) -> Manifest:
    """The same manifest. Raises `Malformed` when it cannot be what one claim of one run made."""
    if manifest.version != VERSION:
        raise _wrong(f"its version is {manifest.version}, known is {VERSION}")
    prefix = prefix_of(manifest.unique_id, manifest.attempt, manifest.claim)
    if manifest.prefix != prefix:
        raise _wrong(f"its prefix is {manifest.prefix!r}, that of its claim is {prefix!r}")
    if len(manifest.products) > MOST_PRODUCTS:
        raise _wrong(f"it has {len(manifest.products)} products, {MOST_PRODUCTS} are allowed")
    names = Counter(product.name for product in manifest.products)
    keys = Counter(file.key for product in manifest.products for file in product.files)
    for what, counts in (("product", names), ("file", keys)):
        if twice := [value for value, count in counts.most_common(1) if count > 1]:
            raise _wrong(f"{what} {twice[0]!r} is in it twice")
    for product in manifest.products:
        _check_product(product)
    return manifest


def of_claim(manifest: Manifest, unique_id: UUID, run: Run) -> Manifest:
    """The same manifest. Raises `Malformed` unless this run's last claim can have made it."""
    expected = {
        "unique_id": unique_id,
        "run_id": run.id,
        "attempt": run.attempt,
        "claim": run.claim,
    }
    for field, value in expected.items():
        if (said := getattr(manifest, field)) != value:
            raise _wrong(f"its {field} is {said}, that of the claim is {value}")
    return checked(manifest)


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _check_product(product: Product) -> None:
    name, keys = product.name, [file.key for file in product.files]
    if _NAME.fullmatch(name) is None:
        raise _wrong(f"{name!r} is no name of a product")
    if not 0 < len(keys) <= MOST_FILES:
        raise _wrong(f"product {name} has {len(keys)} files, 1 to {MOST_FILES} are allowed")
    if product.quicklook is not None and product.quicklook not in keys:
        raise _wrong(f"the quick-look of {name}, {product.quicklook!r}, is none of its files")
    if not _has_zones(product.science):
        raise _wrong(f"a time of product {name} has no zone")
    for file in product.files:
        _check_file(name, file)


def _check_file(product: str, file: ProductFile) -> None:
    folder, _, last = file.key.partition("/")
    if folder != product or _NAME.fullmatch(last) is None:
        raise _wrong(f"file {file.key!r} is not directly in the folder of its product {product}")
    if file.size < 0 or _SHA256.fullmatch(file.sha256) is None:
        raise _wrong(f"file {file.key!r} has no size or no SHA-256")


def _has_zones(science: Science) -> bool:
    times = (science.sensed_from, science.sensed_to, science.completed_at)
    return all(time is None or time.tzinfo is not None for time in times)


def _wrong(what: str) -> Malformed:
    return Malformed(f"the manifest is not acceptable: {what}; nothing was written")
