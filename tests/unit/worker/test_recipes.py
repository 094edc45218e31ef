"""What each job type fetches, by what its input says."""

from __future__ import annotations

from typing import Any

import pytest

from models.job_types import JOB_TYPES
from worker.failures import RunFailed
from worker.recipes import RECIPES, Form, recipe_of

L1C = "S2A_MSIL1C_20220827T130311_N0400_R038_T28WEU_20220827T182117"
GRD = "S1A_IW_GRDH_1SDV_20210412T151111_20210412T151136_037419_046917_218A"
FSC = "/eodata/HRSI/CLMS/Pan-European/High_Resolution_Layers/Snow/FSC/2022/08/27/FSC_X"


@pytest.mark.parametrize(
    ("job_type", "given", "wanted"),
    [
        pytest.param(
            "fsc_rlie",
            {"product": L1C},
            [
                ("eodata", f"Sentinel-2/MSI/L1C/2022/08/27/{L1C}.SAFE/"),
                ("aux", "csi_aux/csi_aux_28WEU.tar"),
            ],
            id="image-by-its-name",
        ),
        pytest.param(
            "fsc_rlie",
            {"product": L1C, "path": f"/eodata/elsewhere/{L1C}_COG.SAFE", "l2a_path_in": "/a/b"},
            [
                ("eodata", f"elsewhere/{L1C}_COG.SAFE/"),
                ("aux", "csi_aux/csi_aux_28WEU.tar"),
                ("data", "a/b/"),
            ],
            id="image-by-its-path-and-the-l2a-before-it",
        ),
        pytest.param(
            "fsc_rlie",
            {"product": L1C, "inputs": ["/eodata/later/1.SAFE", "/eodata/later/2.SAFE"]},
            [
                ("eodata", f"Sentinel-2/MSI/L1C/2022/08/27/{L1C}.SAFE/"),
                ("aux", "csi_aux/csi_aux_28WEU.tar"),
                ("eodata", "later/1.SAFE/"),
                ("eodata", "later/2.SAFE/"),
            ],
            id="the-images-after-it",
        ),
        pytest.param(
            "rlies1",
            {"product": GRD},
            [
                ("eodata", f"Sentinel-1/SAR/GRD/2021/04/12/{GRD}.SAFE/"),
                ("aux", "rlie_s1_static_aux.tar.gz"),
            ],
            id="radar-image",
        ),
        pytest.param(
            "sws_wds",
            {"slices": [{"product": GRD}], "fsc": [{"product": "FSC_X", "path": FSC}]},
            [
                ("eodata", f"Sentinel-1/SAR/GRD/2021/04/12/{GRD}.SAFE/"),
                ("products", FSC.removeprefix("/eodata/HRSI/") + "/"),
                ("aux", "ssp_aux/V20211119/28WEU/"),
            ],
            id="slices-and-snow",
        ),
        pytest.param(
            "gfsc",
            {"fsc": [{"path": FSC}], "wds": [], "sws": None, "former": {"path": "/eodata/HRSI/G"}},
            [("products", FSC.removeprefix("/eodata/HRSI/") + "/"), ("products", "G/")],
            id="products-of-ours",
        ),
        pytest.param("rlies1s2", {}, [], id="nothing-named"),
        pytest.param("test", {"product": L1C}, [], id="a-test-job-wants-nothing"),
    ],
)
def test_what_a_run_fetches_follows_from_its_jobs_type_tile_and_input(
    job_type: str, given: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    wants = list(RECIPES[job_type].wants("28WEU", given))

    assert [(want.role, want.key) for want in wants] == wanted
    assert all(want.key.endswith("/") is (want.form is not Form.ARCHIVE) for want in wants)
    assert len({want.folder for want in wants}) == len(wants)


@pytest.mark.parametrize("given", [{}, {"product": "a rabbit"}, {"path": ""}])
def test_an_input_that_names_no_image_is_for_a_person(given: dict[str, Any]) -> None:
    with pytest.raises(RunFailed, match="does not say where"):
        list(RECIPES["fsc_rlie"].wants("28WEU", given))


def test_every_job_type_has_a_recipe_and_something_to_run() -> None:
    assert set(RECIPES) == {job_type.name for job_type in JOB_TYPES}
    for recipe in RECIPES.values():
        assert bool(recipe.image) is not bool(recipe.command)


def test_the_job_may_name_its_image_and_the_settings_may_do_without_any() -> None:
    assert recipe_of("gfsc", {"image": "gfsc:2.1"}).image == "gfsc:2.1"
    instead = recipe_of("gfsc", {"image": "gfsc:2.1"}, ("true",))
    assert (instead.image, instead.command) == (None, ("true",))
    assert recipe_of("test", {}, ("true",)).command[0] == "echo"


def test_a_job_type_that_is_newer_than_the_worker_is_said_to_be() -> None:
    with pytest.raises(
        RunFailed, match="no job type 'psa': there is no recipe for it, or the image"
    ):
        recipe_of("psa", {})
