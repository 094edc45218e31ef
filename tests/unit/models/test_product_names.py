"""Product names of every unit are understood; anything else is named in the error."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.product_names import ProductType, parse_product_name, parse_snow_name


@pytest.mark.parametrize(
    ("name", "unit", "tile", "sensing"),
    [
        pytest.param(
            "S2A_MSIL1C_20220827T130311_N0400_R038_T28WEU_20220827T182117.SAFE",
            "S2A",
            "28WEU",
            datetime(2022, 8, 27, 13, 3, 11, tzinfo=UTC),
            id="sentinel-2-with-suffix",
        ),
        pytest.param(
            "S2C_MSIL1C_20260105T102421_N0511_R065_T32TLR_20260105T120000",
            "S2C",
            "32TLR",
            datetime(2026, 1, 5, 10, 24, 21, tzinfo=UTC),
            id="a-unit-the-original-choked-on",
        ),
        pytest.param(
            "S1A_IW_GRDH_1SDV_20210412T151111_20210412T151136_037419_046917_218A",
            "S1A",
            None,
            datetime(2021, 4, 12, 15, 11, 11, tzinfo=UTC),
            id="sentinel-1",
        ),
        pytest.param(
            "S1D_IW_GRDH_1SDV_20260412T151111_20260412T151136_007419_046917_218A_COG.SAFE",
            "S1D",
            None,
            datetime(2026, 4, 12, 15, 11, 11, tzinfo=UTC),
            id="cloud-optimised-sentinel-1",
        ),
    ],
)
def test_a_product_name_tells_unit_tile_and_sensing_time(
    name: str, unit: str, tile: str | None, sensing: datetime
) -> None:
    product = parse_product_name(name)
    assert (product.unit, product.tile, product.sensing_at) == (unit, tile, sensing)
    assert product.name == name.removesuffix(".SAFE").removesuffix("_COG")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("S3A_OL_1_EFR", id="another-mission"),
        pytest.param("S2A_MSIL1C_20220827T130311_N0400_R038_T28WEU", id="cut-short"),
        pytest.param(
            "S2A_MSIL1C_20221341T130311_N0400_R038_T28WEU_20220827T182117", id="no-such-month"
        ),
    ],
)
def test_anything_else_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"product name|point in time") as refusal:
        parse_product_name(name)
    assert repr(name) in str(refusal.value)


def test_a_sentinel_2_name_tells_baseline_orbit_and_when_it_was_made() -> None:
    product = parse_product_name("S2D_MSIL1C_20260105T102421_N0511_R065_T32TLR_20260105T120000")
    assert product.type is ProductType.L1C
    assert (product.unit, product.baseline, product.orbit) == ("S2D", "0511", 65)
    assert product.made_at == datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert (product.stop_at, product.take, product.is_cog) == (None, None, False)


def test_a_sentinel_1_name_tells_until_when_and_in_which_take() -> None:
    name = "S1C_IW_GRDH_1SDV_20260412T151111_20260412T151136_007419_04E917_218A"
    packed = parse_product_name(f"{name}_COG.SAFE")
    assert packed.type is ProductType.GRDH
    assert packed.stop_at == datetime(2026, 4, 12, 15, 11, 36, tzinfo=UTC)
    assert (packed.unit, packed.orbit, packed.take) == ("S1C", 7419, "04E917")
    assert packed.is_cog
    assert not parse_product_name(name).is_cog


@pytest.mark.parametrize(
    ("name", "type_", "unit", "sensing", "made"),
    [
        pytest.param(
            "FSC_20210413T101347_S2A_T34VEM_V100_1",
            ProductType.FSC,
            "S2A",
            datetime(2021, 4, 13, 10, 13, 47, tzinfo=UTC),
            None,
            id="snow",
        ),
        pytest.param(
            "RLIE_20210412T151111_S1C_T34VEM_V100_1",
            ProductType.RLIE,
            "S1C",
            datetime(2021, 4, 12, 15, 11, 11, tzinfo=UTC),
            None,
            id="ice-from-radar",
        ),
        pytest.param(
            "GFSC_20220110-007_S1-S2_T34VEM_V101_1641859200",
            ProductType.GFSC,
            "S1-S2",
            datetime(2022, 1, 10, tzinfo=UTC),
            datetime(2022, 1, 11, tzinfo=UTC),
            id="gap-filled",
        ),
    ],
)
def test_the_names_of_our_own_products_are_understood(
    name: str, type_: ProductType, unit: str, sensing: datetime, made: datetime | None
) -> None:
    product = parse_snow_name(name)
    assert (product.type, product.unit, product.tile) == (type_, unit, "34VEM")
    assert (product.sensing_at, product.made_at) == (sensing, made)


@pytest.mark.parametrize(
    "name", ["", "FSC_20210413T101347_S2A_T34VEM", "SWS_20210013T101347_S1A_T34VEM_V100_1"]
)
def test_what_is_no_name_of_ours_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"snow or ice product|point in time"):
        parse_snow_name(name)


@given(st.text(max_size=120))
def test_no_text_raises_anything_but_that_it_is_no_name(text: str) -> None:
    for parse in (parse_product_name, parse_snow_name):
        with contextlib.suppress(ValueError):
            parse(text)


@given(
    st.from_regex(
        r"S[12][A-Z]_(MSIL1C|IW_GRDH_1SDV)_\d{8}T\d{6}_(N\d{4}|\d{8}T\d{6})_(R\d{3}|\d{6})_"
        r"(T\d{2}[A-Z]{3}|[0-9A-F]{6})_(\d{8}T\d{6}|[0-9A-F]{4})",
        fullmatch=True,
    )
)
def test_a_text_of_the_form_of_a_name_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_product_name(f"{text}_COG.SAFE").name == text
