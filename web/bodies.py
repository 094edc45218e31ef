"""What people send: every wish has a reason, and can be tried first."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from models.access import Role

MOST = 10_000
"""So many things one request may name."""

DAY_HOURS = 24

Name = Annotated[str, Field(min_length=1, max_length=200)]
Seconds = Annotated[float, Field(gt=0, le=366 * DAY_HOURS * 3600)]
Names = Annotated[list[Name], Field(min_length=1, max_length=MOST)]


class Wish(BaseModel):
    """Why somebody wants something, and whether it is only to be tried."""

    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, Field(max_length=1000)] = ""
    dry_run: bool = False


class JobsWish(Wish):
    """A wish about jobs, by their ids."""

    jobs: Annotated[
        list[Annotated[int, Field(ge=1, lt=2**63)]], Field(min_length=1, max_length=MOST)
    ]


class RetireWish(Wish):
    """Workers to go; `forced`: even while a run is on them."""

    names: Names
    forced: bool = False


class OrderWish(Wish):
    """Workers to come, and how long they are kept even when they are idle."""

    flavor: Name
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    keep_hours: Annotated[float, Field(ge=0, le=30 * DAY_HOURS)] = 1.0


class PauseWish(Wish):
    """What is to rest (`everything`, `loop:NAME`, `type:NAME`); `seconds` None: until resumed."""

    targets: Names
    seconds: Seconds | None = None


class ResumeWish(Wish):
    """What is to go on."""

    targets: Names


class ParameterWish(Wish):
    """A parameter's new value (None: its default), for a while or for good."""

    value: Any = None
    seconds: Seconds | None = None


class TokenWish(Wish):
    """A token to be made; `seconds` None: until it is revoked."""

    name: Name
    role: Role
    seconds: Seconds | None = None


class RevokeWish(Wish):
    """Tokens to end."""

    names: Names
