"""Product names of every unit are understood; anything else is named in the error."""

from datetime import UTC, datetime

import pytest

from models.product_names import parse_product_name


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
