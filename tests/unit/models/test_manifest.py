"""What a run made, as it is posted and as publication reads it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from models.errors import Malformed
from models.job_types import JOB_TYPES
from models.manifest import (
    MOST_FILES,
    MOST_PRODUCTS,
    Manifest,
    Product,
    ProductFile,
    ProductKind,
    Science,
    checked,
    decode,
    digest_of,
    encode,
    prefix_of,
)

JOB, RUN = UUID(int=7), UUID(int=8)
NAME = "FSC_20220827T130318_S2A_T28WEU_V102_1"
SEEN = datetime(2022, 8, 27, 13, 3, 18, tzinfo=UTC)
SCIENCE = Science(
    geometry="POLYGON((0 0,1 0,1 1,0 0))",
    mission="S2",
    resolution=20,
    sensed_from=SEEN,
    completed_at=SEEN,
    cloud_cover=86.0,
)
FILE = ProductFile(key=f"{NAME}/{NAME}_MTD.xml", size=12, sha256="0" * 64)
PRODUCT = Product(
    name=NAME, kind=ProductKind.FSC, files=(FILE,), science=SCIENCE, quicklook=FILE.key
)
MANIFEST = Manifest(
    unique_id=JOB,
    run_id=RUN,
    attempt=2,
    claim=3,
    prefix=f"work/jobs/{JOB}/runs/2-3/products/",
    products=(PRODUCT,),
)


def test_what_was_encoded_is_decoded_and_has_one_digest() -> None:
    again = decode(encode(MANIFEST))

    assert again == MANIFEST
    assert digest_of(again) == digest_of(MANIFEST)
    assert digest_of(replace(MANIFEST, claim=4)) != digest_of(MANIFEST)


def test_a_run_without_any_product_has_a_manifest_too() -> None:
    assert decode(encode(replace(MANIFEST, products=()))).products == ()


def test_each_claim_has_a_prefix_of_its_own() -> None:
    places = {prefix_of(JOB, attempt, claim) for attempt in (1, 11) for claim in (1, 11)}

    assert len(places) == 4
    assert prefix_of(JOB, 2, 3) == MANIFEST.prefix


def test_every_product_of_a_job_type_is_a_kind() -> None:
    assert {name for job_type in JOB_TYPES for name in job_type.products} == set(ProductKind)


def _file(**changes: Any) -> Manifest:
    return _product(files=(replace(FILE, **changes),), quicklook=None)


def _product(**changes: Any) -> Manifest:
    return replace(MANIFEST, products=(replace(PRODUCT, **changes),))


@pytest.mark.parametrize(
    ("wrong", "because"),
    [
        pytest.param(lambda: replace(MANIFEST, version=2), "version is 2", id="unknown-version"),
        pytest.param(lambda: replace(MANIFEST, claim=4), "prefix", id="place-of-another-claim"),
        pytest.param(
            lambda: replace(MANIFEST, products=(PRODUCT, PRODUCT)), "twice", id="product-twice"
        ),
        pytest.param(lambda: _product(files=(FILE, FILE)), "twice", id="file-twice"),
        pytest.param(lambda: _product(files=(), quicklook=None), "0 files", id="no-file"),
        pytest.param(
            lambda: _product(
                files=tuple(replace(FILE, key=f"{NAME}/{n}") for n in range(MOST_FILES + 1)),
                quicklook=None,
            ),
            "201 files",
            id="too-many-files",
        ),
        pytest.param(
            lambda: replace(MANIFEST, products=(PRODUCT,) * (MOST_PRODUCTS + 1)),
            "501 products",
            id="too-many-products",
        ),
        pytest.param(lambda: _product(name="../x"), "no name", id="name-that-climbs"),
        pytest.param(lambda: _product(quicklook="no.png"), "quick-look", id="no-such-quicklook"),
        pytest.param(
            lambda: _product(science=replace(SCIENCE, sensed_from=SEEN.replace(tzinfo=None))),
            "no zone",
            id="naive-time",
        ),
        pytest.param(lambda: _file(key="other/file"), "folder", id="file-of-another-product"),
        pytest.param(lambda: _file(key=f"{NAME}/../x"), "folder", id="key-that-climbs"),
        pytest.param(lambda: _file(size=-1), "no size", id="negative-size"),
        pytest.param(lambda: _file(sha256="F" * 64), "no SHA-256", id="digest-not-in-lower-case"),
    ],
)
def test_what_no_claim_can_have_made_is_refused(
    wrong: Callable[[], Manifest], because: str
) -> None:
    with pytest.raises(Malformed, match=because):
        checked(wrong())


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff", b'{"version": 1}'])
def test_what_is_no_manifest_is_malformed(text: bytes) -> None:
    with pytest.raises(Malformed, match="this is no manifest"):
        decode(text)
