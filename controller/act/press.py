"""What publishes: it brings products from the results bucket to the product bucket, and knows who
sends their messages. Nothing else writes into the product bucket.

Bringing a file twice is no harm: what is there already, and is the file of the manifest, stays. A
file is copied within the service where the product bucket's keys may read the results bucket, else
it passes through here; either way it is looked at afterwards.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, TypeAlias, cast

from models.announcement import Shop, folder_of, message_of, thumbnail_of
from models.broker import Broker
from models.errors import Malformed, NotFound, Refused
from models.manifest import Manifest, Product, ProductFile
from models.objects import BucketNotFound, ObjectStore, Place, Stored
from models.outbox import Outbox
from models.publication import Draft

READ_AT_ONCE = 1 << 20


class Differs(Malformed):
    """What lies in the results bucket is not what the manifest says: the run has to be repeated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Press:
    """Where products come from, where they go, and by whom they are announced."""

    results: ObjectStore
    results_bucket: str
    products: ObjectStore
    shop: Shop
    broker: Broker
    outbox: Outbox
    one_service: bool = True
    at_once: int = 1
    """How many files of a job are brought at the same time."""

    def drafts(self, manifest: Manifest) -> tuple[Draft, ...]:
        """The messages of a manifest. Raises `Malformed` naming the product and field at fault."""
        return tuple(
            Draft(product=made.name, kind=made.kind.value, body=self._message(made))
            for made in manifest.products
        )

    def _message(self, product: Product) -> bytes:
        if product.quicklook is None:
            raise Malformed(
                f"product {product.name} cannot be announced: thumbnail: it has no quick-look"
            )
        return message_of(product, self.shop)

    def errands(self, manifest: Manifest, products: Iterable[Product]) -> Iterator[Errands]:
        """What has to be brought where, as many files together as are brought at once; the
        quick-look is the thumbnail.
        """
        every = (errand for made in products for errand in self._of_product(manifest, made))
        while some := tuple(islice(every, self.at_once)):
            yield some

    def _of_product(self, manifest: Manifest, product: Product) -> Iterator[Errand]:
        folder = folder_of(product)
        for file in product.files:
            is_thumbnail = file.key == product.quicklook
            key = thumbnail_of(product) if is_thumbnail else f"{folder}/{file.key.split('/')[-1]}"
            yield Errand(
                file=file,
                source=Place(bucket=self.results_bucket, key=f"{manifest.prefix}{file.key}"),
                target=Place(bucket=self.shop.bucket, key=key),
            )

    def bring(self, errands: Errands, *, anew: bool = False) -> None:
        """Let these files lie at their targets, verified. `anew`: none of them was brought before,
        and nobody looks whether it is there, which takes two of six requests.

        Raises `Differs` when a source is not the file of the manifest, and like `ObjectStore`; by
        then nothing is under way any more.
        """
        if len(errands) == 1:
            self._bring(errands[0], anew=anew)
            return
        with ThreadPoolExecutor(len(errands)) as hands:
            for brought in [hands.submit(self._bring, errand, anew=anew) for errand in errands]:
                brought.result()

    def _bring(self, errand: Errand, *, anew: bool) -> None:
        file = errand.file
        if not anew and self._is_there(file, errand.target):
            return
        stored = self._source(file, errand.source)
        copied = self._copied(stored, file, errand.target)
        if copied.size != file.size or copied.sha256 != file.sha256 or _another(copied, stored):
            raise Malformed(
                f"{errand.target} is not {errand.source} after it was copied: {copied.size} bytes, "
                f"expected {file.size}; it is copied again"
            )

    def _is_there(self, file: ProductFile, target: Place) -> bool:
        try:
            found = self.products.head(target)
        except BucketNotFound:
            raise
        except NotFound:
            return False
        return found.size == file.size and found.sha256 == file.sha256

    def _source(self, file: ProductFile, source: Place) -> Stored:
        try:
            stored = self.results.head(source)
        except BucketNotFound:
            raise
        except NotFound as error:
            raise Differs(f"{source} is not there, though the manifest names it") from error
        if stored.size != file.size or stored.sha256 not in {None, file.sha256}:
            raise Differs(
                f"{source} has {stored.size} bytes and SHA-256 {stored.sha256}; the manifest says "
                f"{file.size} and {file.sha256}"
            )
        return stored

    def _copied(self, stored: Stored, file: ProductFile, target: Place) -> Stored:
        # What the writer did not say of its content is found out by reading it.
        if self.one_service and stored.sha256 is not None:
            try:
                return self.products.copy(stored, target)
            except (Refused, NotFound):
                pass  # these keys may not read, or see, the results bucket: it passes through here
        return self._carried(stored, file, target)

    def _carried(self, stored: Stored, file: ProductFile, target: Place) -> Stored:
        with tempfile.TemporaryFile() as opened:
            passing = cast(BinaryIO, opened)
            self.results.fetch(stored, passing)
            passing.seek(0)
            digest = hashlib.sha256()
            while some := passing.read(READ_AT_ONCE):
                digest.update(some)
            if digest.hexdigest() != file.sha256:
                raise Differs(f"{stored.place} has another content than the manifest says")
            passing.seek(0)
            return self.products.upload(target, passing, sha256=file.sha256)


@dataclass(frozen=True, kw_only=True, slots=True)
class Errand:
    """A file of a manifest, and its way."""

    file: ProductFile
    source: Place
    target: Place


Errands: TypeAlias = tuple[Errand, ...]


def _another(copied: Stored, stored: Stored) -> bool:
    """Whether their contents differ, as far as their etags tell: of what was put in parts they tell
    nothing.
    """
    whole = "-" not in copied.etag and "-" not in stored.etag
    return whole and copied.etag != stored.etag
