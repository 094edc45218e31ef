"""The resto adapter over HTTP: the same records from another protocol."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.wrappers import Response

from infra.catalogues import RestoCatalogue
from models.catalogue import Collection, Orbit, PageMark, RejectReason, Sensing
from models.errors import Malformed
from models.product_names import ProductType
from tests.plugins.scripted import GRD, L1C, scripted

FSC = replace(L1C, collection=Collection.HRSI, type=ProductType.FSC, limit=200)
RING = [[6.5, 45], [7, 45], [7, 46.25], [6.5, 45]]


def a_page(*features: dict[str, Any]) -> dict[str, Any]:
    """An answer of resto."""
    return {"properties": {"itemsPerPage": len(features)}, "features": list(features)}


def a_feature(**properties: Any) -> dict[str, Any]:
    """A snow product as HR-S&I tells of it."""
    return {
        "type": "Feature",
        "id": "d9c7",
        "geometry": {"type": "Polygon", "coordinates": [RING]},
        "properties": {
            "productIdentifier": (
                "/eodata/HRSI/CLMS/Pan-European/High_Resolution_Layers/Snow/FSC/2021/04/13/"
                "FSC_20210413T101347_S2A_T34VEM_V100_1"
            ),
            "productType": "FSC",
            "cloudCover": 12,
            "mission": "S2",
            "startDate": "2021-04-13T10:13:47.000000Z",
            "completionDate": "2021-04-13T12:00:00Z",
            "published": "2021-04-13T12:05:00Z",
            "keywords": [{"name": "winter"}],
            **properties,
        },
    }


def test_a_feature_becomes_the_same_record_as_in_every_protocol() -> None:
    with scripted(RestoCatalogue, a_page(a_feature())) as (catalogue, _):
        (product,) = catalogue.page(FSC).products
    assert (product.name, product.type) == ("FSC_20210413T101347_S2A_T34VEM_V100_1", FSC.type)
    assert (product.id, product.unit, product.tile) == ("d9c7", "S2A", "34VEM")
    assert product.baseline == "V100"
    sensed = datetime(2021, 4, 13, 10, 13, 47, tzinfo=UTC)
    assert product.sensing == Sensing(start=sensed, stop=sensed)
    assert product.published_at == datetime(2021, 4, 13, 12, 5, tzinfo=UTC)
    assert product.path is not None
    assert product.path.startswith("/eodata/HRSI/CLMS/")
    assert product.footprint == "POLYGON ((6.5 45, 7 45, 7 46.25, 6.5 45))"
    assert product.attributes["cloudCover"] == 12
    assert "keywords" not in product.attributes


def test_a_radar_image_is_read_too() -> None:
    name = "S1C_IW_GRDH_1SDV_20260412T151111_20260412T151136_007419_046917_218A"
    feature = a_feature(
        productIdentifier=f"/eodata/Sentinel-1/SAR/GRD/2026/04/12/{name}.SAFE",
        startDate="2026-04-12T15:11:11.5Z",
        completionDate="2026-04-12T15:11:36.5Z",
        orbitNumber=7419,
        relativeOrbitNumber=15,
        orbitDirection="descending",
    )
    further = [[7.5, 45], [8, 45], [8, 46.25], [7.5, 45]]
    feature["geometry"] = {"type": "MultiPolygon", "coordinates": [[RING], [further]]}
    with scripted(RestoCatalogue, a_page(feature)) as (catalogue, script):
        (product,) = catalogue.page(GRD).products
    assert script.asked[0].path == "/api/collections/Sentinel1/search.json"
    assert script.asked[0].args["productType"] == "GRD"
    assert product.name == name
    assert product.orbit == Orbit(absolute=7419, relative=15, direction="descending")
    assert product.sensing.stop == datetime(2026, 4, 12, 15, 11, 36, 500_000, tzinfo=UTC)
    west, east = "((6.5 45, 7 45, 7 46.25, 6.5 45))", "((7.5 45, 8 45, 8 46.25, 7.5 45))"
    assert product.footprint == f"MULTIPOLYGON ({west}, {east})"


def test_pages_are_counted_until_one_is_empty() -> None:
    first = [a_feature(), a_feature(cloudCover=1)]
    with scripted(RestoCatalogue, a_page(*first), a_page()) as (catalogue, script):
        page = catalogue.page(replace(FSC, area="POLYGON ((6 45, 7 45, 7 46, 6 45))"))
        assert page.next is not None
        assert (page.complete, page.reached) == (False, FSC.since)
        end = catalogue.page(FSC, page.next)
    assert (end.complete, end.reached, end.products) == (True, FSC.until, ())
    assert [asked.args["page"] for asked in script.asked] == ["1", "2"]
    asked = script.asked[0].args
    assert asked["geometry"] == "POLYGON ((6 45, 7 45, 7 46, 6 45))"
    assert (asked["publishedAfter"], asked["publishedBefore"]) == (
        "2026-01-01T00:00:00.000Z",
        "2026-02-01T00:00:00.000Z",
    )
    assert (asked["sortParam"], asked["sortOrder"]) == ("published", "ascending")


@pytest.mark.parametrize(
    "pages", [pytest.param(1, id="the-same-page-again"), pytest.param(499, id="without-end")]
)
def test_pages_that_do_not_end_are_refused(pages: int) -> None:
    with scripted(RestoCatalogue, a_page(a_feature())) as (catalogue, _):
        mark = catalogue.page(FSC).next if pages == 1 else PageMark(since=FSC.since, skip=499 * 200)
        with pytest.raises(Malformed, match="circles"):
            catalogue.page(FSC, mark)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(
            {"properties": {"productIdentifier": ""}}, "productIdentifier", id="without-name"
        ),
        pytest.param({"properties": "none"}, "properties", id="without-properties"),
        pytest.param(
            {"geometry": {"type": "Point", "coordinates": [6, 45]}}, "Point", id="a-point"
        ),
        pytest.param(
            {"geometry": {"type": "Polygon", "coordinates": [6, 45]}}, "geometry", id="no-rings"
        ),
    ],
)
def test_a_feature_that_cannot_be_understood_stops_no_other(
    change: dict[str, Any], why: str
) -> None:
    with scripted(RestoCatalogue, a_page({**a_feature(), **change}, a_feature())) as (port, _):
        page = port.page(FSC)
    assert len(page.products) == 1
    assert why in page.rejected[0].why
    assert page.rejected[0].entry


@pytest.mark.parametrize(
    ("part", "broken"),
    [
        pytest.param(b'"cloudCover": 12', b'"cloudCover": Infinity', id="a-number-that-is-none"),
        pytest.param(b'"mission": "S2"', rb'"mission": "\ud83d"', id="half-a-character"),
        pytest.param(
            b'"productType": "FSC"', b'"productType": "\xff"', id="a-type-that-is-no-text"
        ),
        pytest.param(b'"id": "d9c7"', b'"id": "\xff"', id="a-name-that-is-no-text"),
    ],
)
def test_a_feature_that_breaks_the_rules_of_json_stops_no_other(part: bytes, broken: bytes) -> None:
    spoilt = json.dumps(a_feature()).encode().replace(part, broken, 1)
    good = json.dumps(a_feature()).encode()
    answer = b'{"properties": {}, "features": [' + spoilt + b", " + good + b"]}"
    several = replace(FSC, besides=(ProductType.RLIE,))
    with scripted(RestoCatalogue, Response(answer, mimetype="application/json")) as (catalogue, _):
        page = catalogue.page(several)
    assert [product.id for product in page.products] == ["d9c7"]
    (rejected,) = page.rejected
    assert rejected.entry
    assert rejected.reason is RejectReason.SHAPE


def test_a_product_of_another_type_is_rejected() -> None:
    other = "FSC/RLIE_20210413T101347_S2A_T34VEM_V100_1"
    with scripted(RestoCatalogue, a_page(a_feature(productIdentifier=other))) as (port, _):
        (rejected,) = port.page(FSC).rejected
    assert "is RLIE, asked for was FSC" in rejected.why
