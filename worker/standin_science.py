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
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.expected_products import expected_products
from models.product_names import (
    ProductType,
    SnowProduct,
    gap_filled_name,
    parse_product_name,
    parse_snow_name,
    snow_name,
)

PARAMETERS = "processing_parameters.yaml"
_LAYERS: Mapping[str, tuple[str, ...]] = {
    "FSC": ("FSCTOC", "FSCOG", "NDSI", "QCTOC", "QCOG", "QCFLAGS", "CLD"),
    "RLIE": ("RLIE", "QC", "QCFLAGS"),
    "SWS": ("WSM", "QCWSM"),
    "WDS": ("SSC", "QCSSC"),
    "GFSC": ("GF", "QC", "QCFLAGS", "AT"),
}
_MADE: Mapping[str, tuple[ProductType, ...]] = {
    "fsc_rlie": (ProductType.FSC, ProductType.RLIE),
    "rlies1": (ProductType.RLIE,),
    "rlies1s2": (ProductType.RLIE,),
    "sws_wds": (ProductType.SWS, ProductType.WDS),
    "gfsc": (ProductType.GFSC,),
}
_RESOLUTION: Mapping[str, int] = {"WDS": 60, "SWS": 60, "GFSC": 60}
_SOMEWHERE, _SOME_DAY = "32TLR", "2022-01-10"
_COMBINED = "S1-S2"


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
    if parameters["job"]["type"] == "fsc_rlie":
        _leave_l2a(Path(parameters["inputs"]) / "l2a", Path(parameters["l2a"]))
    for name, science in products_of(parameters["job"], given):
        _write(Path(parameters["outputs"]) / name, science)
        _say(f"made {name}")
    return 0


def _leave_l2a(before: Path, after: Path) -> None:
    """What MAJA begins with next time: how many images it has seen so far."""
    seen = before / "images.txt"
    count = int(seen.read_text(encoding="utf-8")) if seen.exists() else 0
    _say(f"began with an L2A of {count} images" if count else "began without an L2A")
    (after / "images.txt").write_text(f"{count + 1}\n", encoding="utf-8")


def products_of(
    job: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the software makes for a job: each product's name, and what it says of it."""
    made = expected_products(job["type"], given) or tuple(_by_hand(job, given))
    for product in made:
        yield product.name, _infos(product)


def _by_hand(job: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[SnowProduct]:
    """The products of a job that a person handed in by the name of an image, or of the job."""
    unit, at, tile = _seen(job, given)
    for kind in _MADE.get(job["type"], ()):
        name = snow_name(kind, at, unit, tile)
        if kind is ProductType.GFSC:
            name = gap_filled_name(at, _COMBINED, tile, int(at.timestamp()))
        yield parse_snow_name(name)


def _seen(job: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[str, datetime, str]:
    """Satellite, time and tile of what the job is about."""
    tile = job["tile"] or _SOMEWHERE
    with suppress(ValueError):
        image = parse_product_name(str(given.get("product", "")))
        return image.unit, image.sensing_at, image.tile or tile
    day = re.search(r"\d{4}-\d{2}-\d{2}$", job["name"])
    at = datetime.fromisoformat(day[0] if day else _SOME_DAY).replace(tzinfo=UTC)
    return _COMBINED, at, tile


def _infos(product: SnowProduct) -> dict[str, Any]:
    return {
        "collection_name": "HR-S&I",
        "resto": {
            "type": "Feature",
            "geometry": {"wkt": "POLYGON((9.1 46.1,10.4 46.1,10.4 45.1,9.1 45.1,9.1 46.1))"},
            "properties": {
                "productType": product.type.value,
                "resolution": _RESOLUTION.get(product.type, 20),
                **_said_besides(product),
            },
        },
    }


def _said_besides(product: SnowProduct) -> dict[str, str]:
    """What the real software says besides: of times, clouds and mission each something else."""
    seen, now = _time(product.sensing_at), _time(datetime.now(UTC))
    if product.type in {ProductType.SWS, ProductType.WDS}:
        return {}
    if product.type is ProductType.GFSC:
        return {"startDate": seen, "completionDate": now, "cloudCover": "12"}
    if product.unit.startswith("S2"):
        return {"startDate": seen, "completionDate": seen, "cloudCover": "12.5"}
    mission = _COMBINED if product.unit == _COMBINED else product.unit[:2]
    return {"startDate": seen, "completionDate": now, "mission": mission}


def _time(at: datetime) -> str:
    """UTC, without saying so."""
    return at.replace(tzinfo=None).isoformat(timespec="microseconds")


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
