"""What the endpoint is told of a product: names, types and derivations, to the letter."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.announcement import Shop, folder_of, message_of, schema
from models.errors import Malformed
from models.manifest import Product, ProductFile, ProductKind, Science
from models.refusal_reading import product_in
from tools.announcement_schema import text

SQUARE = "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))"
LAYERS = "CLMS/Pan-European/High_Resolution_Layers"
CONTRACT = Path(__file__).parents[3] / "docs" / "announcement.schema.json"


def product(name: str, kind: ProductKind, *, size: int = 4096, **science: Any) -> Product:
    said: dict[str, Any] = {
        "geometry": SQUARE,
        "mission": "S2",
        "resolution": 20,
        "sensed_from": datetime(2022, 8, 27, 13, 3, 18, tzinfo=UTC),
        "completed_at": datetime(2022, 8, 29, 0, 57, 19, 250_000, tzinfo=UTC),
        "cloud_cover": 86.0,
    }
    return Product(
        name=name,
        kind=kind,
        files=(ProductFile(key=f"{name}/{name}_MTD.xml", size=size, sha256="0" * 64),),
        science=Science(**(said | science)),
    )


FSC = product("FSC_20220827T130318_S2A_T28WEU_V102_1", ProductKind.FSC, size=1_286_144)


def told(announced: Product) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message_of(announced, Shop()))
    return found


def test_the_example_of_the_endpoint_is_met_to_the_letter() -> None:
    path = f"{LAYERS}/Snow/FSC/2022/08/27/FSC_20220827T130318_S2A_T28WEU_V102_1"
    assert told(FSC) == {
        "collection_name": "HR-S&I",
        "resto": {
            "type": "Feature",
            "geometry": {"wkt": SQUARE},
            "properties": {
                "productIdentifier": f"/eodata/HRSI/{path}",
                "title": "FSC_20220827T130318_S2A_T28WEU_V102_1",
                "resourceSize": 1286144,
                "organisationName": "EEA",
                "startDate": "2022-08-27T13:03:18.000000",
                "completionDate": "2022-08-29T00:57:19.250000",
                "productType": "FSC",
                "resolution": 20,
                "mission": "S2",
                "cloudCover": "86.0",
                "processingBaseline": "V102",
                "host_base": "s3.waw2-1.cloudferro.com",
                "s3_bucket": "HRSI",
                "thumbnail": f"Preview/{path}/thumbnail.png",
            },
        },
    }


@pytest.mark.parametrize(
    ("name", "size", "folder", "science"),
    [
        pytest.param(
            "RLIE_20220827T130318_S2A_T28WEU_V102_1",
            356_352,
            "Ice/RLIE/2022/08/27",
            {"startDate": "2022-08-27T13:03:18.000000", "productType": "RLIE"},
            id="ice",
        ),
        pytest.param(
            "FSC_20220906T130317_S2A_T28WEU_V102_0",
            2048,
            "Snow/FSC/2022/09/06",
            {"startDate": "2022-09-06T13:03:17.000000", "productType": "FSC"},
            id="degraded",
        ),
        pytest.param(
            "FSC_20210415T091255_S2A_T36VVQ_V100_1",
            2048,
            "Snow/FSC/2021/04/15",
            {
                "startDate": "2021-04-15T09:12:55.000000",
                "productType": "FSC",
                "processingBaseline": "V100",
            },
            id="an-older-baseline",
        ),
        pytest.param(
            "WDS_20210701T053217_S1A_T32TLR_V101_1",
            4096,
            "Snow/WDS/2021/07/01",
            {
                "startDate": "2021-07-01T05:32:17.000000",
                "productType": "WDS",
                "processingBaseline": "V101",
                "mission": "S1",
                "resolution": 60,
                "cloudCover": None,
            },
            id="wet-snow",
        ),
        pytest.param(
            "GFSC_20220110-007_S1-S2_T32TLR_V101_1641859200",
            1_000_001,
            "Snow/GFSC/2022/01/10",
            {
                "startDate": "2022-01-03T00:00:00.000000",
                "productType": "GFSC",
                "processingBaseline": "V101",
                "mission": "S1-S2",
                "resolution": 60,
                "cloudCover": "12",
            },
            id="gap-filled",
        ),
    ],
)
def test_every_example_that_is_known_is_met_to_the_letter(
    name: str, size: int, folder: str, science: dict[str, Any]
) -> None:
    cover = science.get("cloudCover", "86.0")
    made = product(
        name,
        ProductKind(name.partition("_")[0].lower()),
        size=size,
        sensed_from=datetime.fromisoformat(f"{science['startDate']}+00:00"),
        mission=science.get("mission", "S2"),
        resolution=science.get("resolution", 20),
        cloud_cover=None if cover is None else float(cover),
    )
    expected = told(FSC)
    path = f"{LAYERS}/{folder}/{name}"
    expected["resto"]["properties"] |= {
        "productIdentifier": f"/eodata/HRSI/{path}",
        "title": name,
        "resourceSize": size,
        "thumbnail": f"Preview/{path}/thumbnail.png",
        **science,
    }
    assert told(made) == expected


@pytest.mark.parametrize(
    ("name", "kind", "folder", "typed", "baseline"),
    [
        ("FSC_20210413T101347_S2A_T34VEM_V100_1", "fsc", "Snow/FSC/2021/04/13", "FSC", "V100"),
        ("RLIE_20210413T101347_S2A_T34VEM_V100_1", "rlie", "Ice/RLIE/2021/04/13", "RLIE", "V100"),
        (
            "RLIE_20210412T151111_S1A_T32TLR_V100_1",
            "rlies1",
            "Ice/RLIE_S1/2021/04/12",
            "RLIE",
            "V100",
        ),
        (
            "RLIE_20210412T151111_S1-S2_T32TLR_V100_1",
            "rlies1s2",
            "Ice/RLIE_S1S2/2021/04/12",
            "RLIE",
            "V100",
        ),
        ("SWS_20210701T053217_S1A_T32TLR_V101_1", "sws", "Snow/SWS/2021/07/01", "SWS", "V101"),
        ("WDS_20210701T053217_S1A_T32TLR_V101_1", "wds", "Snow/WDS/2021/07/01", "WDS", "V101"),
        (
            "GFSC_20220110-007_S1-S2_T32TLR_V101_1641859200",
            "gfsc",
            "Snow/GFSC/2022/01/10",
            "GFSC",
            "V101",
        ),
    ],
)
def test_every_kind_has_its_folder_type_and_baseline(
    name: str, kind: str, folder: str, typed: str, baseline: str
) -> None:
    made = product(name, ProductKind(kind))
    properties = told(made)["resto"]["properties"]
    assert folder_of(made) == f"{LAYERS}/{folder}/{name}"
    assert properties["productIdentifier"] == f"/eodata/HRSI/{folder_of(made)}"
    assert (properties["productType"], properties["processingBaseline"]) == (typed, baseline)


@pytest.mark.parametrize(
    ("kind", "name", "size", "told_size"),
    [
        pytest.param("rlie", "RLIE_20220827T130318_S2A_T28WEU_V102_1", 356_352, 356_352, id="KiB"),
        pytest.param("rlie", "RLIE_20220827T130318_S2A_T28WEU_V102_1", 1, 1024, id="rounded-up"),
        pytest.param(
            "gfsc",
            "GFSC_20220110-007_S1-S2_T32TLR_V101_1641859200",
            1_000_001,
            1_000_001,
            id="gfsc",
        ),
    ],
)
def test_sizes_are_in_whole_kib_but_for_gap_filled_products(
    kind: str, name: str, size: int, told_size: int
) -> None:
    made = product(name, ProductKind(kind), size=size)
    assert told(made)["resto"]["properties"]["resourceSize"] == told_size


def test_times_are_told_in_utc_without_saying_so() -> None:
    there = timezone(timedelta(hours=2))
    made = replace(
        FSC, science=replace(FSC.science, sensed_from=datetime(2022, 8, 27, 15, 3, tzinfo=there))
    )
    assert told(made)["resto"]["properties"]["startDate"] == "2022-08-27T13:03:00.000000"


def test_wet_snow_has_no_clouds_and_says_null() -> None:
    made = product(
        "SWS_20210701T053217_S1A_T32TLR_V101_1", ProductKind.SWS, mission="S1", cloud_cover=None
    )
    assert told(made)["resto"]["properties"]["cloudCover"] is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"geometry": ""}, "geometry", id="no-geometry"),
        pytest.param({"geometry": "POLYGON EMPTY"}, "geometry", id="empty-geometry"),
        pytest.param({"mission": ""}, "mission", id="no-mission"),
        pytest.param({"mission": "S9"}, "mission", id="another-mission"),
        pytest.param({"resolution": 0}, "resolution", id="no-resolution"),
        pytest.param({"cloud_cover": None}, "cloud_cover", id="no-clouds-of-an-optical-image"),
        pytest.param({"cloud_cover": float("nan")}, "cloudCover", id="clouds-that-are-no-number"),
        pytest.param({"cloud_cover": -1.0}, "cloudCover", id="negative-clouds"),
    ],
)
def test_what_is_missing_is_an_error_of_the_product_that_names_the_field(
    change: dict[str, Any], field: str
) -> None:
    with pytest.raises(Malformed, match=rf"{FSC.name} cannot be announced: .*{field}"):
        message_of(replace(FSC, science=replace(FSC.science, **change)), Shop())


def test_a_gap_filled_product_says_how_much_of_it_is_cloud() -> None:
    made = product(
        "GFSC_20220110-007_S1-S2_T32TLR_V101_1641859200", ProductKind.GFSC, cloud_cover=None
    )
    with pytest.raises(Malformed, match=f"{made.name} cannot be announced: .*cloud_cover"):
        message_of(made, Shop())


def test_a_little_haze_is_written_out() -> None:
    made = replace(FSC, science=replace(FSC.science, cloud_cover=0.00001))
    assert told(made)["resto"]["properties"]["cloudCover"] == "0.00001"


def test_a_product_of_no_size_is_not_announced() -> None:
    with pytest.raises(Malformed, match="resourceSize"):
        message_of(product(FSC.name, ProductKind.FSC, size=0), Shop())


def test_a_name_of_another_kind_is_no_name() -> None:
    with pytest.raises(Malformed, match="said to be a rlie"):
        message_of(replace(FSC, kind=ProductKind.RLIE), Shop())
    with pytest.raises(Malformed, match="no name of a snow"):
        message_of(replace(FSC, name="nonsense"), Shop())


def test_the_message_is_an_object_and_not_an_encoded_text() -> None:
    # The original encoded it twice: whoever decoded it once had a text.
    assert isinstance(json.loads(message_of(FSC, Shop())), dict)


@given(
    st.floats(0, 100),
    st.integers(1, 10**12),
    st.sampled_from([20, 60]),
    st.datetimes(datetime(2016, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_every_message_obeys_the_published_schema(
    cover: float, size: int, resolution: int, at: datetime
) -> None:
    made = product(
        FSC.name,
        ProductKind.FSC,
        size=size,
        resolution=resolution,
        cloud_cover=cover,
        sensed_from=at,
    )
    contract = jsonschema_rs.validator_for(json.loads(CONTRACT.read_text()))
    contract.validate(told(made))


def test_the_published_schema_is_the_one_in_force() -> None:
    assert CONTRACT.read_text() == text()
    assert "$ref" in schema()


REFUSED = {
    "fsc": ("Snow/FSC", "FSC_20220827T130318_S2A_T28WEU_V102_1"),
    "rlie": ("Ice/RLIE", "RLIE_20210413T101347_S2A_T34VEM_V100_1"),
    "rlies1": ("Ice/RLIE_S1", "RLIE_20210412T151111_S1A_T32TLR_V100_1"),
    "rlies1s2": ("Ice/RLIE_S1S2", "RLIE_20210412T151111_S1-S2_T32TLR_V100_1"),
    "sws": ("Snow/SWS", "SWS_20210701T053217_S1A_T32TLR_V101_1"),
    "wds": ("Snow/WDS", "WDS_20210701T053217_S1A_T32TLR_V101_1"),
    "gfsc": ("Snow/GFSC", "GFSC_20220110-007_S1-S2_T32TLR_V101_1641859200"),
}
"""By kind, the folder of the kind and a product; the original read the kind out of the path, from
its fifth last part, or from the third last when there were at most eleven of them.
"""

LAYOUTS = {
    "mounted": "/eodata/HRSI/{layers}/{folder}/2022/01/10/{name}",
    "bucket-path": "{layers}/{folder}/2022/01/10/{name}",
    "bucket-path-with-slash": "/{layers}/{folder}/2022/01/10/{name}",
    "eleven-parts-or-fewer": "/eodata/HRSI/{layers}/{folder}/2022/{name}",
    "name-alone": "{name}",
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("end", ["", "/"], ids=["plain", "slash-at-the-end"])
@pytest.mark.parametrize("twice", [False, True], ids=["encoded-once", "encoded-twice"])
def test_the_product_of_a_refusal_is_found_in_every_layout(
    kind: str, layout: str, end: str, twice: bool
) -> None:
    folder, name = REFUSED[kind]
    path = LAYOUTS[layout].format(layers=LAYERS, folder=folder, name=name)
    message = told(FSC)
    message["resto"]["properties"]["productIdentifier"] = f"{path}{end}"
    body = json.dumps(message)
    assert product_in((json.dumps(body) if twice else body).encode()) == name


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"resto": []}',
        b'{"resto": {"properties": {"productIdentifier": 7}}}',
        b'{"resto": {"properties": {"productIdentifier": "/eodata/HRSI/"}}}',
        b'{"resto": {"properties": {"productIdentifier": "/eodata/HRSI/CLMS/x/unknown_1"}}}',
        pytest.param(b"[" * 100_000, id="deeper-than-anybody-reads"),
        pytest.param(json.dumps("[" * 100_000).encode(), id="deep-and-encoded-twice"),
    ],
)
def test_a_refusal_that_names_no_product_of_ours_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        product_in(body)


@given(st.binary(max_size=200))
def test_no_body_whatever_breaks_the_reader(body: bytes) -> None:
    try:
        product_in(body)
    except Malformed:
        return
