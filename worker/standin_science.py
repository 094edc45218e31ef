"""A stand-in for the science software: it makes products that look right and show nothing.

The demo and the tests run it in the place of the containers (`HRSI_SCIENCE_COMMAND`). It reads the
parameters as they do, takes `HRSI_STANDIN_SECONDS`, and makes products with the names, the files
and the `dias_catalog_submit.json` of the real ones; each image is a GeoTIFF of one grey pixel.
`standin_exit` in the input of the job makes it end with that code and make nothing.
"""

from __future__ import annotations

import json
import os
import re
import struct
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PARAMETERS = "processing_parameters.yaml"
BASELINE = "V102"
_LAYERS: Mapping[str, tuple[str, ...]] = {
    "FSC": ("FSCTOC", "FSCOG", "NDSI", "QCTOC", "QCOG", "QCFLAGS", "CLD"),
    "RLIE": ("RLIE", "QC", "QCFLAGS"),
    "SWS": ("WSM", "QCWSM"),
    "WDS": ("SSC", "QCSSC"),
    "GFSC": ("GF", "QC", "QCFLAGS", "AT"),
}
_MADE: Mapping[str, tuple[str, ...]] = {
    "fsc_rlie": ("FSC", "RLIE"),
    "rlies1": ("RLIE",),
    "rlies1s2": ("RLIE",),
    "sws_wds": ("SWS", "WDS"),
    "gfsc": ("GFSC",),
}
_RESOLUTION: Mapping[str, int] = {"WDS": 60, "SWS": 60, "GFSC": 60}
_OPTICAL = re.compile(r"(S2[A-Z])_MSIL1C_(\d{8}T\d{6})_.*_T(\d{2}[A-Z]{3})_")
_RADAR = re.compile(r"(S1[A-Z])_IW_GRDH_\w{4}_(\d{8}T\d{6})_")
_SOMEWHERE = "32TLR"


def main() -> int:
    """Make the products of the job whose parameters lie in the working directory."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path.cwd()
    parameters = json.loads((root / PARAMETERS).read_text(encoding="utf-8"))
    given = parameters["given"]
    _say(f"stand-in science for job {parameters['job']['name']}")
    time.sleep(float(os.environ.get("HRSI_STANDIN_SECONDS", "1")))
    if "standin_exit" in given:
        _say(f"asked to fail with {given['standin_exit']}")
        return int(given["standin_exit"])
    for name, science in _products(parameters["job"], given):
        _write(Path(parameters["outputs"]) / name, science)
        _say(f"made {name}")
    return 0


def _products(
    job: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    unit, sensed, tile = _seen(job, given)
    made = _MADE.get(job["type"], ())
    at = datetime.strptime(sensed, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    for kind in made:
        name = f"{kind}_{sensed}_{unit}_T{tile}_{BASELINE}_1"
        mission = unit[:2]
        if kind == "GFSC":
            mission = "S1-S2"
            name = f"GFSC_{at:%Y%m%d}-007_{mission}_T{tile}_{BASELINE}_{int(at.timestamp())}"
        yield name, _infos(kind, at, mission)


def _seen(job: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[str, str, str]:
    """Satellite, time and tile of what the job is about."""
    name = str(given.get("product", ""))
    tile = job["tile"] or _SOMEWHERE
    if found := _OPTICAL.match(name):
        return found[1], found[2], found[3]
    if found := _RADAR.match(name):
        return found[1], found[2], tile
    day = re.search(r"(\d{4})-(\d{2})-(\d{2})$", job["name"])
    return "S1-S2", f"{''.join(day.groups()) if day else '20220110'}T000000", tile


def _infos(kind: str, at: datetime, mission: str) -> dict[str, Any]:
    now = datetime.now(UTC).replace(tzinfo=None)
    return {
        "collection_name": "HR-S&I",
        "resto": {
            "type": "Feature",
            "geometry": {"wkt": "POLYGON((9.1 46.1,10.4 46.1,10.4 45.1,9.1 45.1,9.1 46.1))"},
            "properties": {
                "startDate": at.replace(tzinfo=None).isoformat(timespec="microseconds"),
                "completionDate": now.isoformat(timespec="microseconds"),
                "productType": kind,
                "mission": mission,
                "resolution": _RESOLUTION.get(kind, 20),
                "cloudCover": "12.5" if kind in {"FSC", "RLIE"} else None,
            },
        },
    }


def _write(folder: Path, infos: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True)
    kind = folder.name.partition("_")[0]
    for layer in _LAYERS[kind]:
        (folder / f"{folder.name}_{layer}.tif").write_bytes(_grey_geotiff())
    (folder / f"{folder.name}_MTD.xml").write_text(
        f'<?xml version="1.0"?>\n<metadata><fileIdentifier>{folder.name}</fileIdentifier>'
        "</metadata>\n",
        encoding="utf-8",
    )
    (folder / f"{folder.name}_QLK.png").write_bytes(_grey_png())
    (folder / "dias_catalog_submit.json").write_text(json.dumps(infos), encoding="utf-8")


def _grey_geotiff() -> bytes:
    """The shortest GeoTIFF: one byte of image, a scale and a tie point."""
    doubles = struct.pack("<9d", 20.0, 20.0, 0.0, 0.0, 0.0, 0.0, 300000.0, 5100000.0, 0.0)
    short, long, double, tags = 3, 4, 12, 11
    where = 8 + 2 + tags * 12 + 4
    entries = [
        (256, short, 1, 1), (257, short, 1, 1), (258, short, 1, 8), (259, short, 1, 1),
        (262, short, 1, 1), (273, long, 1, where + len(doubles)), (277, short, 1, 1),
        (278, short, 1, 1), (279, long, 1, 1),
        (33550, double, 3, where), (33922, double, 6, where + 24),
    ]  # fmt: skip
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    directory = struct.pack("<H", len(entries)) + packed + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8) + directory + doubles + b"\x80"


def _grey_png() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    image = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\x80"))
    return b"\x89PNG\r\n\x1a\n" + image + chunk(b"IEND", b"")


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
