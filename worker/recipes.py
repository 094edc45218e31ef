"""What each job type needs: its inputs in the buckets, its software, its limits. Reads nothing.

A new job type is a new row here, beside that in `models.job_types`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum, auto
from types import MappingProxyType
from typing import Any

from models.l2a import place_of
from models.product_names import ProductType, parse_product_name
from worker.exits import FSC, PLAIN, SWS, ExitTable
from worker.failures import internal
from worker.l2a import FOLDER

S1_WRONG = "S1 inputs inconsistency"
L1C_WRONG = "L1C inputs inconsistency"
L2A_WRONG = "Bad L2A input content"
L2A_MISSING = "Missing L2A input"
SSP_VERSION = "V20211119"

_EODATA = "/eodata/"
_PRODUCTS = "HRSI/"


class Form(StrEnum):
    """How an input lies in its bucket, and so how it comes."""

    TREE = auto()
    """Every object whose key begins so."""
    ARCHIVE = auto()
    """One tar, of which the content is wanted."""
    KEPT = auto()
    """What a run has kept (`worker.l2a`): a document that names the files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Want:
    """One input: what it is to people, where it lies, and the folder below `inputs/` it goes to.

    `missing` is what operators call it when it is not there, `remedy` what they can do about it.
    """

    what: str
    role: str
    key: str
    folder: str
    form: Form = Form.TREE
    missing: str = "S3 object not found"
    remedy: str = (
        "put it there: until then every attempt ends like this, and once they are used up the job "
        "waits for a relaunch"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One job type on a worker.

    `image` runs in a container, with the working directory as `/job`; a `command` runs as it is,
    in the working directory. `wants` says, of the job's tile and input, what is to be fetched, or
    raises `RunFailed` when they do not tell. `inconsistent` is what operators call an input that
    cannot be used. `keeps` is the field of the input that says where the L2A goes.
    """

    wants: Callable[[str | None, Mapping[str, Any]], Iterator[Want]]
    exits: ExitTable = PLAIN
    image: str | None = None
    command: tuple[str, ...] = ()
    inconsistent: str = L1C_WRONG
    keeps: str | None = None
    time_limit: timedelta = timedelta(minutes=260)
    """Less than the monitor lets a run process (270 min): the program says itself what it was."""


def _image_of(name: str) -> Want:
    """A Sentinel product by its name, where the catalogue says nothing of a path."""
    product = parse_product_name(name)
    optical = product.type is ProductType.L1C
    collection = "Sentinel-2/MSI/L1C" if optical else "Sentinel-1/SAR/GRD"
    return Want(
        what=f"the image {product.name}",
        role="eodata",
        key=f"{collection}/{product.sensing_at:%Y/%m/%d}/{product.name}.SAFE/",
        folder=f"{product.name}.SAFE",
    )


def _at_path(path: str) -> Want:
    """A product by its path below /eodata, where our own products lie, too, in their own bucket."""
    key = path.removeprefix(_EODATA).strip("/")
    name = key.rpartition("/")[2]
    role = "products" if key.startswith(_PRODUCTS) else "eodata"
    return Want(what=name, role=role, key=f"{key.removeprefix(_PRODUCTS)}/", folder=name)


def _named(entry: Mapping[str, Any]) -> Want:
    """A product as the input of a job names it: by its path, or by a name that tells its place."""
    if path := entry.get("path"):
        return _at_path(str(path))
    try:
        return _image_of(str(entry.get("product")))
    except ValueError as error:
        raise internal(
            L1C_WRONG, f"the input of the job does not say where its product lies: {error}"
        ) from error


def _listed(given: Mapping[str, Any], *fields: str) -> Iterator[Want]:
    """The products that these fields of a job's input name: several, one or none each."""
    for field in fields:
        entries = given.get(field) or ()
        for entry in [entries] if isinstance(entries, Mapping) else entries:
            yield _named(entry)


def _for_fsc(tile: str | None, given: Mapping[str, Any]) -> Iterator[Want]:
    yield _named(given)
    yield Want(
        what=f"the auxiliary data of tile {tile}",
        role="aux",
        key=f"csi_aux/csi_aux_{tile}.tar",
        folder="csi_aux",
        form=Form.ARCHIVE,
    )
    # Of MAJA's backward mode: the images after its own.
    for path in given.get("inputs") or ():
        yield _at_path(str(path))
    if path := given.get("l2a_path_in"):
        yield Want(
            what="the L2A that MAJA begins with",
            role="data",
            key=place_of(str(path)),
            folder=FOLDER,
            form=Form.KEPT,
            missing=L2A_MISSING,
            remedy=f"relaunch job {given.get('reference_job')}, which makes it, and then this one",
        )


def _for_rlies1(_: str | None, given: Mapping[str, Any]) -> Iterator[Want]:
    yield _named(given)
    yield Want(
        what="the auxiliary data of RLIE S1",
        role="aux",
        key="rlie_s1_static_aux.tar.gz",
        folder="rlie_s1_static_aux",
        form=Form.ARCHIVE,
    )


def _for_sws(tile: str | None, given: Mapping[str, Any]) -> Iterator[Want]:
    if "slices" in given:
        yield from _listed(given, "slices", "fsc")
    else:
        yield _named(given)
    if tile:
        key = f"ssp_aux/{given.get('ssp_aux_version', SSP_VERSION)}/{tile}/"
        yield Want(
            what=f"the snow auxiliary data of tile {tile}",
            role="aux",
            key=key,
            folder="ssp_aux",
        )


def _for_rlies1s2(_: str | None, given: Mapping[str, Any]) -> Iterator[Want]:
    yield from _listed(given, "rlie_s1", "rlie_s2")


def _for_gfsc(_: str | None, given: Mapping[str, Any]) -> Iterator[Want]:
    yield from _listed(given, "fsc", "wds", "sws", "former")


def _for_nothing(_: str | None, _given: Mapping[str, Any]) -> Iterator[Want]:
    yield from ()


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "fsc_rlie": Recipe(image="si_software", wants=_for_fsc, exits=FSC, keeps="l2a_path_out"),
        "rlies1": Recipe(image="rliepart2", wants=_for_rlies1, inconsistent=S1_WRONG),
        "rlies1s2": Recipe(image="rliepart2", wants=_for_rlies1s2, inconsistent=L2A_WRONG),
        "sws_wds": Recipe(image="sws_wds", wants=_for_sws, exits=SWS, inconsistent=S1_WRONG),
        "gfsc": Recipe(image="gfsc", wants=_for_gfsc, inconsistent=L2A_WRONG),
        "test": Recipe(
            command=("echo", "a test job has nothing to do, and did it"),
            wants=_for_nothing,
            time_limit=timedelta(minutes=10),
        ),
    }
)
"""By the name of the job type."""


def recipe_of(job_type: str, given: Mapping[str, Any], instead: tuple[str, ...] = ()) -> Recipe:
    """The recipe of a job type; what a job's input says of the image counts, `instead` before it.

    Raises `RunFailed` for a type that this program does not know.
    """
    recipe = RECIPES.get(job_type)
    if recipe is None:
        raise internal(
            "Invalid Job Name Error",
            f"this worker knows no job type {job_type!r}: there is no recipe for it, or the image "
            "of this worker is older than the controller; renew the workers, then relaunch the job",
        )
    changes: dict[str, Any] = {}
    if recipe.image is not None and given.get("image"):
        changes["image"] = str(given["image"])
    if recipe.image is not None and instead:
        changes = {"image": None, "command": instead}
    return replace(recipe, **changes)
