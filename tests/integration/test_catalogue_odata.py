"""The OData adapter over HTTP: what it makes of entries, how it goes from page to page."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import shapely
from werkzeug.wrappers import Response

from infra.catalogues import ODataCatalogue
from models.catalogue import TEXT_KEPT, CataloguePage, Orbit, PageMark, RejectReason, Sensing
from models.errors import Malformed
from tests.plugins.scripted import GRD, L1C, an_entity, scripted

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "odata-sentinel-1-grd.json").read_text(encoding="utf-8")
)
NEXT = "https://elsewhere.example/odata/v1/Products?$skip=2"


def at(minute: int, microsecond: int = 0) -> datetime:
    """A moment of the fifth of January."""
    return datetime(2026, 1, 5, 14, minute, 0, microsecond, tzinfo=UTC)


def told(moment: datetime) -> str:
    """The same as catalogues write it."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def test_a_recorded_page_is_read_without_loss() -> None:
    newest_first = {**RECORDED, "value": RECORDED["value"][::-1]}
    with scripted(ODataCatalogue, newest_first) as (catalogue, _):
        page = catalogue.page(GRD)
    assert page.rejected == ()
    assert len(page.products) == len(RECORDED["value"]) == 2
    for product, entity in zip(page.products, newest_first["value"], strict=True):
        told_of = {each["Name"]: each["Value"] for each in entity["Attributes"]}
        assert product.attributes == told_of
        assert product.id == entity["Id"]
        assert f"{product.name}.SAFE" == entity["Name"]
        assert product.path == entity["S3Path"]
        assert product.size is None  # its ContentLength is 0
        assert product.online is entity["Online"]
        assert entity["Footprint"] == f"geography'SRID=4326;{product.footprint}'"
        assert product.published_at == datetime.fromisoformat(entity["PublicationDate"])
        assert product.modified_at == datetime.fromisoformat(entity["ModificationDate"])
        assert product.origin_at == datetime.fromisoformat(entity["OriginDate"])
        assert product.sensing == Sensing(
            start=datetime.fromisoformat(entity["ContentDate"]["Start"]),
            stop=datetime.fromisoformat(entity["ContentDate"]["End"]),
        )
        assert product.orbit == Orbit(absolute=2673, relative=153, direction="ASCENDING")
        assert (product.unit, product.tile, product.baseline) == ("S1A", None, None)


def test_the_question_says_what_since_when_where_and_in_which_order() -> None:
    with scripted(ODataCatalogue, {"value": []}) as (catalogue, script):
        page = catalogue.page(
            replace(L1C, area="POLYGON ((6 45, 7 45, 7 46, 6 45))"),
            PageMark(since=at(3, microsecond=123_999), skip=4),
        )
    assert page == CataloguePage(products=(), rejected=(), reached=L1C.until)
    (asked,) = script.asked
    assert asked.path == "/odata/v1/Products"
    assert asked.args["$filter"] == (
        "Collection/Name eq 'SENTINEL-2' and Attributes/OData.CSC.StringAttribute/any("
        "att:att/Name eq 'productType' and att/OData.CSC.StringAttribute/Value eq 'S2MSI1C') and "
        "PublicationDate ge 2026-01-05T14:03:00.123Z and "
        "PublicationDate lt 2026-02-01T00:00:00.000Z and "
        "OData.CSC.Intersects(area=geography'SRID=4326;POLYGON ((6 45, 7 45, 7 46, 6 45))')"
    )
    assert asked.args["$orderby"] == "PublicationDate asc"
    assert (asked.args["$top"], asked.args["$skip"]) == ("2", "4")
    assert asked.args["$expand"] == "Attributes"


@pytest.mark.parametrize(
    ("entities", "link", "following"),
    [
        pytest.param([], NEXT, None, id="an-empty-page-is-the-last-whatever-it-links-to"),
        pytest.param([an_entity(1, told(at(1)))], None, None, id="less-than-was-asked-for"),
        pytest.param(
            [an_entity(1, told(at(1)))],
            NEXT,
            PageMark(since=at(1)),
            id="less-than-was-asked-for-but-there-is-more",
        ),
        pytest.param(
            [an_entity(1, told(at(1))), an_entity(2, told(at(2, microsecond=1_999)))],
            None,
            PageMark(since=at(2, microsecond=1_000)),
            id="a-full-page-goes-on-at-its-last-moment-though-the-link-is-missing",
        ),
        pytest.param(
            [an_entity(1, told(L1C.since)), an_entity(2, told(L1C.since))],
            None,
            PageMark(since=L1C.since, skip=2, last="id-2"),
            id="a-page-of-one-moment-is-skipped",
        ),
        pytest.param(
            [{"Id": "a"}, {"Id": "b"}],
            None,
            PageMark(since=L1C.since, skip=2),
            id="a-page-of-which-nothing-can-be-read-is-skipped",
        ),
        pytest.param(
            [an_entity(1, told(at(1))), an_entity(2, told(at(1) - timedelta(milliseconds=900)))],
            None,
            PageMark(since=at(1)),
            id="a-little-disorder-is-borne",
        ),
        pytest.param(
            [an_entity(1, told(at(1))), an_entity(2, "9999-12-31T23:59:59.999Z")],
            NEXT,
            PageMark(since=at(1)),
            id="what-was-not-asked-for-leads-nowhere",
        ),
    ],
)
def test_the_next_page_begins_where_this_one_ends(
    entities: list[Any], link: str | None, following: PageMark | None
) -> None:
    with scripted(ODataCatalogue, {"value": entities, "@odata.nextLink": link}) as (catalogue, _):
        page = catalogue.page(L1C)
    assert page.next == following
    assert page.complete is (following is None)
    assert page.reached == (following.since if following else L1C.until)


@pytest.mark.parametrize(
    ("entities", "mark"),
    [
        pytest.param(
            [an_entity(1, told(at(1))), an_entity(2, told(at(1)))],
            PageMark(since=at(1), skip=2, last="id-2"),
            id="the-same-page-again",
        ),
        pytest.param(
            [an_entity(1, told(at(1))), an_entity(3, told(at(1)))],
            PageMark(since=at(1), skip=9_999, last="id-2"),
            id="one-moment-without-end",
        ),
        pytest.param(
            [an_entity(1, told(at(1))), an_entity(2, told(at(2)))],
            PageMark(since=at(30), last="id-9"),
            id="a-page-from-before",
        ),
        pytest.param(
            [an_entity(1, told(at(2))), an_entity(2, told(at(1)))],
            PageMark(since=at(0)),
            id="another-order-than-was-asked-for",
        ),
    ],
)
def test_an_answer_that_would_lead_round_in_circles_is_refused(
    entities: list[Any], mark: PageMark
) -> None:
    with (
        scripted(ODataCatalogue, {"value": entities, "@odata.nextLink": NEXT}) as (catalogue, _),
        pytest.raises(Malformed, match=r"circles|order"),
    ):
        catalogue.page(L1C, mark)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"Name": "S2C_OPER_MSI_L0"}, "no Sentinel product name", id="unknown-name"),
        pytest.param(
            {"Name": "S1C_IW_GRDH_1SDV_20260412T151111_20260412T151136_007419_046917_218A"},
            "asked for was S2MSI1C",
            id="another-type-than-asked-for",
        ),
        pytest.param({"PublicationDate": ""}, "PublicationDate is missing", id="no-publication"),
        pytest.param({"PublicationDate": "yesterday"}, "PublicationDate", id="no-moment"),
        pytest.param(
            {"ContentDate": {"Start": "2026-01-05T10:24:21", "End": "2026-01-05T10:24:21"}},
            "time zone",
            id="a-time-without-zone",
        ),
        pytest.param({"ContentDate": None}, "ContentDate", id="no-sensing-time"),
        pytest.param(
            {"Footprint": "geography'SRID=3857;POLYGON ((0 0, 1 0, 1 1, 0 0))'"},
            "SRID=3857",
            id="a-footprint-in-metres",
        ),
        pytest.param(
            {"Footprint": "geography'SRID=4326;POLYGON ((0 0'"},
            "no geometry",
            id="half-a-footprint",
        ),
        pytest.param({"Footprint": "geography'SRID=4326;POINT (7 45)'"}, "a Point", id="a-point"),
        pytest.param(
            {"Footprint": "geography'SRID=4326;POLYGON ((1e308 0, 9 4, 9 7, -1e308 0, 1e308 0))'"},
            "nowhere on earth",
            id="a-footprint-nowhere-on-earth",
        ),
        pytest.param({"Online": "perhaps"}, "bool", id="a-field-of-another-type"),
        pytest.param(
            {"ContentDate": {"Start": "9999-12-31T23:00:00Z", "End": "9999-12-31T23:00:01Z"}},
            "at 9999-12-31, which cannot be",
            id="a-time-to-which-nothing-can-be-added",
        ),
        pytest.param({"OriginDate": "0001-01-01T00:00:00+14:00"}, "all time", id="before-all-time"),
        pytest.param({"S3Path": "/eodata/\x00"}, "NUL", id="what-no-table-keeps"),
    ],
)
def test_an_entry_that_cannot_be_understood_is_given_back_with_its_text(
    changes: dict[str, Any], why: str
) -> None:
    bad, good = an_entity(1, told(at(1)), **changes), an_entity(2, told(at(2)))
    with scripted(ODataCatalogue, {"value": [bad, good]}) as (catalogue, _):
        page = catalogue.page(L1C)
    assert [product.id for product in page.products] == ["id-2"]
    (rejected,) = page.rejected
    assert why in rejected.why
    assert json.loads(rejected.text) == bad
    assert (rejected.source, rejected.collection) == ("creodias", L1C.collection)
    assert rejected.entry == bad["Name"]


BROKEN = [
    pytest.param(b'"Online": true', b'"Online": NaN', id="a-number-that-is-none"),
    pytest.param(b"/eodata/", rb"/eodata/\ud83d", id="half-a-character"),
    pytest.param(b'"S2C_', b'"S2\xff_', id="a-name-that-is-no-text"),
]


@pytest.mark.parametrize(("part", "broken"), BROKEN)
def test_an_entry_that_breaks_the_rules_of_json_stops_no_other(part: bytes, broken: bytes) -> None:
    bad, good = an_entity(1, told(at(1))), an_entity(2, told(at(2)))
    spoilt = json.dumps(bad).encode().replace(part, broken, 1)
    answer = b'{"value": [' + spoilt + b", " + json.dumps(good).encode() + b"]}"
    with scripted(ODataCatalogue, Response(answer, mimetype="application/json")) as (catalogue, _):
        page = catalogue.page(L1C)
    assert [product.id for product in page.products] == ["id-2"]
    (rejected,) = page.rejected
    assert rejected.entry
    assert rejected.text
    assert rejected.reason is RejectReason.SHAPE


def test_a_footprint_whose_sides_cross_is_taken_apart() -> None:
    crossed = "POLYGON ((6 44, 8 46, 8 44, 6 46, 6 44))"
    entity = an_entity(1, told(at(1)), Footprint=f"geography'SRID=4326;{crossed}'")
    with scripted(ODataCatalogue, {"value": [entity]}) as (catalogue, _):
        (product,) = catalogue.page(L1C).products
    found = shapely.from_wkt(product.footprint or "")
    assert found.is_valid
    assert found.area == pytest.approx(2)


def test_the_name_of_an_entry_is_told_as_it_can_be_kept() -> None:
    entity = an_entity(1, told(at(1)), Name="S2\x00")
    with scripted(ODataCatalogue, {"value": [entity]}) as (catalogue, _):
        (rejected,) = catalogue.page(L1C).rejected
    assert rejected.entry == "S2\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"Name": "S2C_OPER_MSI_L0"}, RejectReason.NAME, id="name"),
        pytest.param(
            {"Name": "S1C_IW_GRDH_1SDV_20260412T151111_20260412T151136_007419_046917_218A"},
            RejectReason.TYPE,
            id="type",
        ),
        pytest.param({"PublicationDate": ""}, RejectReason.FIELD, id="field"),
        pytest.param({"Online": "perhaps"}, RejectReason.SHAPE, id="shape"),
    ],
)
def test_what_about_an_entry_is_odd_is_a_word_that_can_be_counted(
    changes: dict[str, Any], reason: RejectReason
) -> None:
    with scripted(ODataCatalogue, {"value": [an_entity(1, told(at(1)), **changes)]}) as (port, _):
        page = port.page(L1C)
    assert [rejected.reason for rejected in page.rejected] == [reason]


def test_a_text_without_end_is_kept_in_part_and_one_without_name_by_its_digest() -> None:
    bad = {"Nonsense": "x" * 2 * TEXT_KEPT}
    with scripted(ODataCatalogue, {"value": [bad]}) as (catalogue, _):
        first, second = (catalogue.page(L1C).rejected[0] for _ in range(2))
    assert len(first.text) == TEXT_KEPT
    assert len(first.entry) == 16
    assert first == second


def test_what_a_catalogue_leaves_out_stops_nothing() -> None:
    bare = {
        key: value
        for key, value in an_entity(1, told(at(1))).items()
        if key in {"Id", "Name", "PublicationDate", "ContentDate"}
    }
    empty: dict[str, Any] = {
        "Checksum": [{}],
        "Attributes": None,
        "OriginDate": "",
        "ContentLength": None,
    }
    with scripted(ODataCatalogue, {"value": [bare, {**bare, **empty}]}) as (catalogue, _):
        page = catalogue.page(L1C)
    assert page.rejected == ()
    for product in page.products:
        assert (product.origin_at, product.footprint, product.size) == (None, None, None)
        assert product.checksums == ()
