"""However a delivery ends: a manifest that is there names what is there."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import PortError, Refused
from models.manifest import FILE, ProductKind, Science, decode
from models.objects import Place, Stored
from models.ports import Claim
from simulator.examples import NOW, a_job
from simulator.objects import MemoryObjects, SimulatedBuckets
from simulator.timeline import Timeline
from worker.failures import RunFailed
from worker.l2a import MARKER, keep
from worker.l2a import decode as l2a_from
from worker.products import Delivery, Output, outputs_of
from worker.uploads import Uploads

BUCKET = "results"
CLAIM = Claim(run_id=UUID(int=1), number=2, attempt=1, job=a_job(), input={})
SCIENCE = Science(
    geometry="POINT(0 0)", mission="S2", resolution=20, sensed_from=NOW, completed_at=NOW
)


@dataclass
class Failing(MemoryObjects):
    """Refuses every write of these numbers."""

    buckets: SimulatedBuckets
    refused: frozenset[int]
    written: list[str] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        MemoryObjects.__init__(self, self.buckets)

    def put(self, place: Place, content: bytes) -> Stored:
        """See the port."""
        self._ask(place)
        return super().put(place, content)

    def upload(self, place: Place, source: BinaryIO, *, sha256: str) -> Stored:
        """See the port."""
        self._ask(place)
        return super().upload(place, source, sha256=sha256)

    def _ask(self, place: Place) -> None:
        if next(self.numbers) in self.refused:
            raise Refused(f"{place}: no")
        self.written.append(place.key)


def stocked(refused: frozenset[int]) -> Failing:
    buckets = SimulatedBuckets(Timeline(NOW))
    buckets.make(BUCKET)
    return Failing(buckets, refused)


def outputs(folder: Path, files: dict[str, dict[str, bytes]]) -> tuple[Output, ...]:
    """Products of these names, with these files."""
    made = []
    for name, contents in files.items():
        (folder / name).mkdir()
        for file, content in contents.items():
            (folder / name / file).write_bytes(content)
        paths = tuple(folder / name / file for file in contents)
        made.append(Output(name=name, kind=ProductKind.FSC, science=SCIENCE, files=paths))
    return tuple(made)


NAMES = st.from_regex(r"[A-Z][a-z]{1,3}", fullmatch=True)
FILES = st.dictionaries(
    NAMES,
    st.dictionaries(NAMES.map(lambda name: f"{name}.tif"), st.binary(min_size=1), min_size=1),
    max_size=4,
)


@given(files=FILES, refused=st.frozensets(st.integers(1, 20), max_size=2))
def test_the_manifest_comes_last_and_names_what_is_there(
    files: dict[str, dict[str, bytes]], refused: frozenset[int]
) -> None:
    store = stocked(refused)
    delivery = Delivery(uploads=Uploads(store=store, bucket=BUCKET), claim=CLAIM)
    with TemporaryDirectory() as folder, suppress(PortError):
        delivery.deliver(outputs(Path(folder), files))
    marker = f"{delivery.prefix}{FILE}"

    assert marker not in store.written[:-1]
    if store.written[-1:] == [marker]:
        there = store.buckets.buckets[BUCKET]
        manifest = decode(there[marker].content)
        named = {file.key: file for each in manifest.products for file in each.files}
        assert named.keys() == {f"{name}/{file}" for name in files for file in files[name]}
        for key, file in named.items():
            content = there[f"{delivery.prefix}{key}"].content
            assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256)


@given(
    contents=st.dictionaries(NAMES, st.binary(), min_size=1, max_size=4),
    refused=st.frozensets(st.integers(1, 6), max_size=1),
)
def test_the_word_of_an_l2a_comes_last_and_names_all_of_it(
    contents: dict[str, bytes], refused: frozenset[int]
) -> None:
    store = stocked(refused)
    uploads = Uploads(store=store, bucket=BUCKET)
    with TemporaryDirectory() as folder, suppress(PortError):
        for name, content in contents.items():
            (Path(folder) / name).write_bytes(content)
        keep(uploads, CLAIM, Path(folder), "/tile/L2A/")
    marker = f"tile/L2A/{MARKER}"

    assert marker not in store.written[:-1]
    if store.written[-1:] == [marker]:
        there = store.buckets.buckets[BUCKET]
        kept = l2a_from(there[marker].content)
        assert {file.key for file in kept.files} == contents.keys()
        for file in kept.files:
            found = there[f"tile/L2A/{kept.folder}{file.key}"].content
            assert (len(found), hashlib.sha256(found).hexdigest()) == (file.size, file.sha256)


FSC = "FSC_20220827T130318_S2A_T28WEU_V102_1"
INFOS = (
    b'{"resto": {"geometry": {"wkt": "POINT(0 0)"}, "properties": {"mission": "S2",'
    b'"resolution": 20, "startDate": "2022-08-27T13:03:18.0",'
    b'"completionDate": "2022-08-27T15:00:00.0", "cloudCover": "86.0"}}}'
)
NO_PROPERTIES = b'{"resto": {"geometry": {"wkt": "POINT(0 0)"}, "properties": []}}'
WHOLE = {
    f"{FSC}_FSCTOC.tif": b"II*",
    f"{FSC}_MTD.xml": b"<x/>",
    "dias_catalog_submit.json": INFOS,
}


@pytest.mark.parametrize(
    ("changes", "subtype", "message"),
    [
        pytest.param({f"{FSC}_MTD.xml": None}, "SIP unrecoverable", "metadata", id="no-metadata"),
        pytest.param({f"{FSC}_FSCTOC.tif": None}, "SIP unrecoverable", "no image", id="no-image"),
        pytest.param({f"{FSC}_FSCTOC.tif": b""}, "SIP unrecoverable", "empty", id="empty-image"),
        pytest.param({"dias_catalog_submit.json": None}, "Missing infos", "no dias", id="no-infos"),
        pytest.param({"dias_catalog_submit.json": b"{"}, "Missing infos", "no sense", id="cut-off"),
        pytest.param(
            {"dias_catalog_submit.json": INFOS.replace(b"resolution", b"r")},
            "Missing infos",
            "does not say 'resolution'",
            id="says-no-resolution",
        ),
        pytest.param(
            {"dias_catalog_submit.json": INFOS.replace(b"20,", b'"a lot",')},
            "Missing infos",
            "makes no sense",
            id="no-resolution",
        ),
        pytest.param(
            {"dias_catalog_submit.json": NO_PROPERTIES},
            "Missing infos",
            "makes no sense",
            id="no-properties",
        ),
        pytest.param(
            {"dias_catalog_submit.json": INFOS.replace(b'"S2"', rb'"S\u00002"')},
            "Missing infos",
            "cannot be stored",
            id="a-nul",
        ),
        pytest.param(
            {os.fsdecode(b"\xff.tif"): b"II*"}, "SIP unrecoverable", "no name", id="no-text"
        ),
    ],
)
def test_an_output_that_is_no_product_is_named_with_what_is_wrong(
    tmp_path: Path, changes: dict[str, bytes | None], subtype: str, message: str
) -> None:
    (tmp_path / FSC).mkdir()
    for name, content in {**WHOLE, **changes}.items():
        if content is not None:
            (tmp_path / FSC / name).write_bytes(content)
    with pytest.raises(RunFailed, match=message) as raised:
        outputs_of(tmp_path, "fsc_rlie", NOW)

    assert raised.value.failure.subtype.startswith(subtype)
    assert FSC in raised.value.failure.message


def test_a_whole_output_is_a_product(tmp_path: Path) -> None:
    (tmp_path / FSC).mkdir()
    for name, content in WHOLE.items():
        (tmp_path / FSC / name).write_bytes(content)
    [output] = outputs_of(tmp_path, "fsc_rlie", NOW)

    assert (output.name, output.science.cloud_cover) == (FSC, 86.0)
    assert [file.name for file in output.files] == sorted(
        WHOLE.keys() - {"dias_catalog_submit.json"}
    )


AT = "2022-08-27T13:03:11.024000"
LATER = "2022-08-29T00:57:19.250000"
SAYS: dict[str, dict[str, str]] = {
    "FSC": {"startDate": f"{AT}Z", "completionDate": f"{AT}Z", "cloudCover": "86.0"},
    "RLIE": {"startDate": AT, "completionDate": AT, "cloudCover": "86.0"},
    "RLIE-S1": {"startDate": f"{AT}Z", "completionDate": f"{LATER}Z", "mission": "S1"},
    "SWS": {},
    "GFSC": {"startDate": f"{AT}Z", "completionDate": f"{LATER}Z", "cloudCover": "12"},
}
"""What the software says of each beyond geometry and resolution; nothing of what others know."""


@pytest.mark.parametrize(
    ("says", "job_type", "name", "mission", "sensed_from", "completed_at"),
    [
        pytest.param("FSC", "fsc_rlie", FSC, "S2", AT, None, id="fsc"),
        pytest.param(
            "RLIE", "fsc_rlie", "RLIE_20220827T130318_S2A_T28WEU_V102_1", "S2", AT, None, id="rlie"
        ),
        pytest.param(
            "RLIE-S1", "rlies1", "RLIE_20210412T151111_S1A_T32TLR_V100_1", "S1", AT, LATER,
            id="rlies1",
        ),
        pytest.param(
            "SWS", "sws_wds", "SWS_20210701T053217_S1A_T32TLR_V101_1", "S1", "2021-07-01T05:32:17",
            None, id="sws",
        ),
        pytest.param(
            "GFSC", "gfsc", "GFSC_20220110-007_S1-S2_T32TLR_V101_1641859200", "S1-S2", AT, LATER,
            id="gfsc",
        ),
    ],
)  # fmt: skip
def test_what_the_software_leaves_to_others_is_known_without_it(
    tmp_path: Path,
    says: str,
    job_type: str,
    name: str,
    mission: str,
    sensed_from: str,
    completed_at: str | None,
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / f"{name}_MTD.xml").write_bytes(b"<x/>")
    (tmp_path / name / f"{name}_IMAGE.tif").write_bytes(b"II*")
    properties, cover = {"resolution": 20, **SAYS[says]}, SAYS[says].get("cloudCover")
    infos = {"resto": {"geometry": {"wkt": "POINT(0 0)"}, "properties": properties}}
    (tmp_path / name / "dias_catalog_submit.json").write_text(json.dumps(infos))

    [output] = outputs_of(tmp_path, job_type, NOW)

    ended = NOW if completed_at is None else datetime.fromisoformat(f"{completed_at}+00:00")
    assert output.science == Science(
        geometry="POINT(0 0)",
        mission=mission,
        resolution=20,
        sensed_from=datetime.fromisoformat(f"{sensed_from}+00:00"),
        completed_at=ended,
        cloud_cover=None if cover is None else float(cover),
    )
