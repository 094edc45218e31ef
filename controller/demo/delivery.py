"""The buckets of a demo: a real S3 server, with an input for every run and room for what it makes.

The inputs are stand-ins: a file of a few bytes where an image would lie, and an archive of one.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from controller.config_groups import S3Config
from controller.config_values import Secret
from infra.s3 import Buckets, S3Access, connect
from models.catalogue import CatalogueProduct
from models.logs import Stream, chunk_of
from models.manifest import FILE, decode
from models.records import NewJob
from simulator.buckets import ACCESS_KEY, REGION, SECRET_KEY, ServedBuckets, serving
from worker.recipes import RECIPES, Form, Want

ROLES = ("results", "eodata", "aux", "data", "products")


class DemoBuckets:
    """The buckets, one for each role that the program on a worker knows."""

    def __init__(self, served: ServedBuckets, store: Buckets) -> None:
        self._served = served
        self._store = store

    def environment(self) -> tuple[tuple[str, str], ...]:
        """What a run finds them with."""
        names = {f"HRSI_{role.upper()}_BUCKET": _name(role) for role in ROLES}
        return tuple({**self._served.environment(), **names}.items())

    def settings(self) -> S3Config:
        """What the controller and its commands find them with."""
        return S3Config(
            endpoint=self._served.url,
            access_key=ACCESS_KEY,
            secret_key=Secret(SECRET_KEY),
            region=REGION,
            results=_name("results"),
            data=_name("data"),
        )

    def provide(self, jobs: Iterable[NewJob]) -> None:
        """Put there what runs of these jobs will want."""
        for job in jobs:
            self._provide(job.type, job.tile, job.input)

    def provide_images(self, images: Iterable[CatalogueProduct]) -> None:
        """Put there what runs of the jobs will want that these images make."""
        for image in images:
            given = {"product": image.name, "path": image.path}
            self._provide("fsc_rlie" if image.tile else "rlies1", image.tile, given)

    @property
    def shop(self) -> str:
        """The product bucket."""
        return _name("products")

    def in_shop(self) -> int:
        """How many products lie where users find them."""
        listed = self._store.objects(self.shop, "CLMS/")
        return len({each.place.key.rpartition("/")[0] for each in listed})

    def provide_product(self, product: CatalogueProduct) -> None:
        """Put one of our own products there, for the runs that are made of several."""
        self._provide(
            "gfsc", product.tile, {"fsc": [{"product": product.name, "path": product.path}]}
        )

    def provide_tiles(self, tiles: Iterable[str]) -> None:
        """Put there what runs about snow want of these tiles besides images."""
        for tile in tiles:
            self._provide("sws_wds", tile, {"path": "/eodata/no/image"})

    def delivered(self) -> int:
        """How many products the manifests in the results bucket name."""
        listed = self._store.objects(_name("results"), "work/jobs/")
        places = [each.place for each in listed if each.place.key.endswith(f"/products/{FILE}")]
        return sum(len(decode(self._store.read(place)).products) for place in places)

    def logged(self) -> int:
        """Of how many runs the results bucket has what the program said."""
        listed = self._store.objects(_name("results"), "work/jobs/")
        chunks = (chunk_of(each.place.key, each.size) for each in listed)
        return len(
            {
                each.key.rpartition("/")[0]
                for each in chunks
                if each and each.stream is Stream.STDOUT
            }
        )

    def _provide(self, job_type: str, tile: str | None, given: Mapping[str, Any]) -> None:
        for want in RECIPES[job_type].wants(tile, given):
            self._served.fill(_name(want.role), [_standin(want)])


@contextmanager
def buckets() -> Iterator[DemoBuckets]:
    """The buckets, for the length of a block."""
    with serving(*map(_name, ROLES)) as served:
        access = S3Access(
            endpoint=served.url, access_key=ACCESS_KEY, secret_key=SECRET_KEY, region=REGION
        )
        with closing(connect(access)) as store:
            yield DemoBuckets(served, store)


def _name(role: str) -> str:
    return f"demo-{role}"


def _standin(want: Want) -> tuple[str, bytes]:
    if want.form is Form.TREE:
        return f"{want.key}MTD.xml", f"<standin>{want.what}</standin>\n".encode()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("nodata"))
    return want.key, content.getvalue()
