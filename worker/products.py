"""What the software made: looked at, uploaded with its SHA-256, and named in the manifest.

Each folder below `outputs/` is a product. `dias_catalog_submit.json` in it says what is told about
it; it is read and not uploaded. The manifest is put last: whoever finds it finds all that it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from models.errors import Malformed
from models.manifest import (
    FILE,
    Manifest,
    Product,
    ProductFile,
    ProductKind,
    Science,
    checked,
    encode,
    prefix_of,
)
from models.ports import Claim
from models.product_names import parse_snow_name
from worker.failures import MISSING_FOLDER, MISSING_INFOS, SOFTWARE_GAVE_UP, RunFailed, internal
from worker.patience import side_by_side
from worker.uploads import AT_ONCE, Uploads

INFOS = "dias_catalog_submit.json"
QUICKLOOK = "_QLK.png"
METADATA = "_MTD.xml"

_KINDS: Mapping[str, Mapping[str, ProductKind]] = MappingProxyType(
    {
        "fsc_rlie": {"FSC": ProductKind.FSC, "RLIE": ProductKind.RLIE},
        "rlies1": {"RLIE": ProductKind.RLIE_S1},
        "rlies1s2": {"RLIE": ProductKind.RLIE_S1S2},
        "sws_wds": {"SWS": ProductKind.SWS, "WDS": ProductKind.WDS},
        "gfsc": {"GFSC": ProductKind.GFSC},
    }
)
"""What a product whose name begins so is, for each job type."""

_FINISHED_HERE = frozenset({ProductKind.FSC, ProductKind.RLIE, ProductKind.SWS, ProductKind.WDS})
"""Complete when the worker has them: what their software calls so is when the image was taken."""

_TIMED_BY_NAME = frozenset({ProductKind.SWS, ProductKind.WDS})
"""Sensed when their names say: their software need not say it again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """A product as it lies on the disk."""

    name: str
    kind: ProductKind
    science: Science
    files: tuple[Path, ...]


# ---- looking -------------------------------------------------------------------------------------


def outputs_of(folder: Path, job_type: str, now: datetime) -> tuple[Output, ...]:
    """The products below `outputs/`, which are finished by `now`. Raises `RunFailed` naming what is
    wrong with which.
    """
    if not folder.is_dir():
        raise internal(MISSING_FOLDER, f"the software left no folder {folder.name}/")
    found = [each for each in sorted(folder.iterdir()) if each.is_dir()]
    return tuple(_output(each, job_type, now) for each in found)


def _output(folder: Path, job_type: str, now: datetime) -> Output:
    kind = _KINDS.get(job_type, {}).get(folder.name.partition("_")[0])
    if kind is None:
        raise _wrong(folder, f"a {job_type} job makes no product of that name")
    files = _files(folder)
    names = {each.name for each in files}
    if f"{folder.name}{METADATA}" not in names:
        raise _wrong(folder, f"its metadata, {folder.name}{METADATA}, are missing")
    if not any(name.endswith(".tif") for name in names):
        raise _wrong(folder, "no image (.tif) is among its files")
    return Output(name=folder.name, kind=kind, science=_science(folder, kind, now), files=files)


def _files(folder: Path) -> tuple[Path, ...]:
    found = sorted(folder.iterdir())
    if odd := [each.name for each in found if not _is_file(each)]:
        raise _wrong(folder, f"{odd[0]!r} is no file, or no name of one")
    files = tuple(each for each in found if each.name != INFOS)
    if empty := [each.name for each in files if each.stat().st_size == 0]:
        raise _wrong(folder, f"{empty[0]} is empty")
    return files


def _is_file(path: Path) -> bool:
    """Names may be no text at all: nobody could be told of such a file."""
    return path.name.isprintable() and path.is_file() and not path.is_symlink()


def _science(folder: Path, kind: ProductKind, now: datetime) -> Science:
    """What is said of a product. Raises `RunFailed` naming what the software does not say."""
    try:
        said = msgspec.json.decode((folder / INFOS).read_bytes())["resto"]
        return _read(folder.name, kind, said, now)
    except FileNotFoundError as error:
        raise internal(MISSING_INFOS, f"product {folder.name} has no {INFOS}") from error
    except KeyError as error:
        raise internal(
            MISSING_INFOS, f"{INFOS} of product {folder.name} does not say {error.args[0]!r}"
        ) from error
    except (msgspec.DecodeError, AttributeError, OverflowError, TypeError, ValueError) as error:
        raise internal(
            MISSING_INFOS, f"{INFOS} of product {folder.name} makes no sense: {error}"
        ) from error


def _read(name: str, kind: ProductKind, said: Mapping[str, Any], now: datetime) -> Science:
    properties, named = said["properties"], parse_snow_name(name)
    start, end = named.sensing_at, now
    if kind not in _TIMED_BY_NAME:
        start = _time(properties["startDate"])
    if kind not in _FINISHED_HERE:
        end = _time(properties["completionDate"])
    cover = properties.get("cloudCover")
    return Science(
        geometry=_text(said["geometry"]["wkt"]),
        mission=_text(properties.get("mission") or _mission(named.unit)),
        resolution=int(properties["resolution"]),
        sensed_from=start,
        completed_at=end,
        cloud_cover=None if cover is None else float(cover),
    )


def _mission(unit: str) -> str:
    """S2 of S2A; S1-S2 is one as it is."""
    return unit if "-" in unit else unit[:2]


def _text(value: object) -> str:
    text = str(value)
    if "\0" in text:
        raise ValueError(f"{text!r} has a NUL character, which cannot be stored")
    return text


def _time(text: str) -> datetime:
    """The software writes UTC without saying so."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _wrong(folder: Path, what: str) -> RunFailed:
    return internal(SOFTWARE_GAVE_UP, f"product {folder.name} is not as it must be: {what}")


# ---- delivering ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Uploads what one claim made to its own place in the results bucket."""

    uploads: Uploads
    claim: Claim

    @property
    def prefix(self) -> str:
        """The place that is this claim's alone."""
        return prefix_of(self.claim.job.unique_id, self.claim.attempt, self.claim.number)

    def deliver(self, outputs: Iterable[Output]) -> Manifest:
        """Upload the products and then, last, their manifest. Raises what the store raises."""
        outputs = tuple(outputs)
        files = [(output, file) for output in outputs for file in output.files]
        uploaded = iter(side_by_side(self._upload, files, AT_ONCE))
        manifest = self._manifest(outputs, uploaded)
        self.uploads.put(encode(manifest), f"{self.prefix}{FILE}")
        return manifest

    def _upload(self, what: tuple[Output, Path]) -> ProductFile:
        output, file = what
        key = f"{output.name}/{file.name}"
        arrived = self.uploads.upload(file, f"{self.prefix}{key}")
        return ProductFile(key=key, size=arrived.size, sha256=arrived.sha256)

    def _manifest(self, outputs: Iterable[Output], uploaded: Iterator[ProductFile]) -> Manifest:
        products = []
        for output in outputs:
            files = tuple(next(uploaded) for _ in output.files)
            looks = [file.key for file in files if file.key.endswith(QUICKLOOK)]
            products.append(
                Product(
                    name=output.name,
                    kind=output.kind,
                    files=files,
                    science=output.science,
                    quicklook=looks[0] if looks else None,
                )
            )
        manifest = Manifest(
            unique_id=self.claim.job.unique_id,
            run_id=self.claim.run_id,
            attempt=self.claim.attempt,
            claim=self.claim.number,
            prefix=self.prefix,
            products=tuple(products),
        )
        try:
            return checked(manifest)
        except Malformed as error:
            raise internal(SOFTWARE_GAVE_UP, str(error)) from error
