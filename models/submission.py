"""Jobs as people hand them in: JSON Lines, checked line by line.

A bad line is refused with its number, its field and the remedy; the good ones go on. A line is an
object with `type` and either `product` (a Sentinel product name, which gives key, name, tile and
sensing time) or `name`; further fields: `key`, `tile`, `priority`, `deadline`, `input`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import msgspec

from models.job_types import Registry
from models.product_names import parse_product_name
from models.records import NewJob, Priority

Tile = Annotated[str, msgspec.Meta(pattern=r"^\d{2}[A-Z]{3}$")]
Name = Annotated[str, msgspec.Meta(pattern=r"^\S{1,200}$")]
Aware = Annotated[datetime, msgspec.Meta(tz=True)]


class Line(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One job as it is handed in; `job_of` says what becomes of it."""

    type: str
    product: str | None = None
    name: Name | None = None
    key: Name | None = None
    tile: Tile | None = None
    priority: Priority = Priority.DELAYED
    deadline: Aware | None = None
    input: dict[str, Any] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why one line was not taken."""

    line: int
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """What a file of JSON Lines came to: the jobs of its good lines, and every refusal."""

    jobs: tuple[NewJob, ...] = ()
    refused: tuple[Refusal, ...] = field(default=())


def parse_submission(lines: Iterable[bytes], registry: Registry) -> Submission:
    """Read JSON Lines; empty lines are passed over, nothing is raised for a bad one."""
    jobs: list[NewJob] = []
    refused: list[Refusal] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            jobs.append(_job(line, registry))
        except ValueError as error:
            refused.append(Refusal(line=number, error=str(error)))
    return Submission(jobs=tuple(jobs), refused=tuple(refused))


def _job(line: bytes, registry: Registry) -> NewJob:
    try:
        wanted = msgspec.json.decode(line, type=Line)
    except msgspec.DecodeError as error:
        raise ValueError(_in_words(str(error))) from error
    return job_of(wanted, registry)


def job_of(wanted: Line, registry: Registry) -> NewJob:
    """The job that somebody hands in. Raises `ValueError` naming the field and the remedy."""
    _require_type(wanted.type, registry)
    if (wanted.product is None) == (wanted.name is None):
        raise ValueError("give either field product (a Sentinel product name) or field name")
    return _of_product(wanted) if wanted.product is not None else _of_name(wanted)


def line_of(job: NewJob, registry: Registry) -> Line:
    """A line that `job_of` makes this job of. Raises `ValueError` when there is none."""
    _require_type(job.type, registry)
    products = [job.input.get("product"), job.key] if job.sensing_at is not None else [None]
    for product in products:
        line = _line_of(job, product)
        with suppress(ValueError):
            if job_of(line, registry) == job:
                return line
    raise ValueError(
        f"job {job.key}: its input names another product than its name and time are from, and its "
        "key names none; leave field product out of its input"
    )


def _require_type(name: str, registry: Registry) -> None:
    if name not in registry.types:
        raise ValueError(
            f"field type: {name!r} is no job type; there are: {', '.join(registry.types)}"
        )


def _line_of(job: NewJob, product: str | None) -> Line:
    return Line(
        type=job.type,
        product=product,
        name=job.name if product is None else None,
        key=job.key,
        tile=job.tile,
        priority=job.priority,
        deadline=job.deadline,
        input=dict(job.input),
    )


def _of_product(wanted: Line) -> NewJob:
    try:
        product = parse_product_name(wanted.product or "")
    except ValueError as error:
        raise ValueError(f"field product: {error}") from error
    tile = wanted.tile or product.tile
    return NewJob(
        type=wanted.type,
        key=wanted.key or product.name,
        name=f"{tile or product.unit}-{product.sensing_at:%Y-%m-%d}",
        tile=tile,
        priority=wanted.priority,
        deadline=wanted.deadline,
        sensing_at=product.sensing_at,
        input={"product": product.name, **wanted.input},
    )


def _of_name(wanted: Line) -> NewJob:
    name = wanted.name or ""
    return NewJob(
        type=wanted.type,
        key=wanted.key or name,
        name=name,
        tile=wanted.tile,
        priority=wanted.priority,
        deadline=wanted.deadline,
        input=wanted.input,
    )


def _in_words(error: str) -> str:
    """Name the field first: msgspec says `… - at `$.tile``."""
    what, _, where = error.partition(" - at ")
    path = where.strip("`").removeprefix("$.")
    if path == "priority":
        what = f"{what}; there are: {', '.join(Priority)}"
    return f"field {path}: {what}" if path and path != "$" else what
