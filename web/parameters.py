"""Live parameters: what there are, what is in force, who changed them, changing and previewing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from models.errors import NotFound
from models.parameter_text import Standing, parameter, standings
from models.previews import Previewed
from models.records import ParameterChange
from web.access import Admin, AtDesk, Operator, Viewer
from web.bodies import ParameterWish, PreviewWish, lasting
from web.desk import Desk
from web.problems import RESPONSES, Problem

router = APIRouter(prefix="/parameters", tags=["parameters"], responses=dict(RESPONSES))

Key = Annotated[str, Path(min_length=1, max_length=100, examples=["pool.max_workers"])]


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterNow:
    """One parameter: what is in force and why, its default and bounds. Waits are in seconds."""

    key: str
    value: float
    default: float
    low: float
    high: float
    unit: str
    explanation: str
    changed_at: datetime | None
    author: str | None
    reason: str | None
    until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeParameter:
    """One parameter and all its changes, newest first."""

    now: ParameterNow
    history: tuple[ParameterChange, ...]


@router.get("", summary="List parameters")
def list_parameters(desk: AtDesk, _: Viewer, *, changed: bool = False) -> tuple[ParameterNow, ...]:
    """Every parameter with what is in force; with `changed` those that are not at their default."""
    found = _standing(desk)
    return tuple(
        _now(each) for each in found if not changed or each.value != each.parameter.default
    )


@router.get("/history", summary="List changes of parameters")
def parameter_changes(
    desk: AtDesk,
    _: Viewer,
    limit: Annotated[int, Query(ge=1, le=100_000, description="At most so many.")] = 100,
) -> Sequence[ParameterChange]:
    """The changes of all parameters, newest first."""
    return desk.reader.parameters()[:limit]


@router.post("/preview", summary="Preview other parameters")
def preview(desk: AtDesk, _: Operator, wish: PreviewWish) -> Previewed:
    """What other values would change in the plan of this moment; nothing is changed.

    It looks once at the database, Nomad and the cloud, as a controller does, and decides twice.
    """
    for key in wish.changes:
        parameter(key)
    if desk.preview is None:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "not-set-up",
            "this service cannot look at Nomad and the cloud: it has not the settings of a "
            "controller (openstack.project); `hrsi param preview` does the same where they are",
        )
    return desk.preview(wish.changes)


@router.get("/{key}", summary="Show a parameter")
def show_parameter(desk: AtDesk, _: Viewer, key: Key) -> WholeParameter:
    """One parameter, what it does, and its history."""
    found = next((each for each in _standing(desk) if each.parameter.key == key), None)
    if found is None:
        raise _unknown(key)
    return WholeParameter(now=_now(found), history=found.history)


@router.put("/{key}", summary="Set a parameter")
def set_parameter(desk: AtDesk, admin: Admin, key: Key, wish: ParameterWish) -> ParameterChange:
    """Change a live parameter, for good or for a while; it is in force from the next pass on.

    Refused when it is out of bounds or does not go together with the others, now or once a change
    for a while is over.
    """
    # One that an older program kept has no standing, and may be taken away all the same.
    kept = {change.key for change in desk.reader.parameters()}
    if key not in kept | {each.parameter.key for each in _standing(desk)}:
        raise _unknown(key)
    asked = admin.asks(wish.reason, dry_run=wish.dry_run)
    return desk.operations.set_parameter(key, wish.value, asked, lasts=lasting(wish.seconds))


def _standing(desk: Desk) -> tuple[Standing, ...]:
    return standings(desk.reader.parameters(), desk.clock.now())


def _now(each: Standing) -> ParameterNow:
    return ParameterNow(explanation=each.parameter.explanation, **each.as_json())


def _unknown(key: str) -> NotFound:
    return NotFound(f"there is no parameter {key!r}; GET /api/v1/parameters lists them")
