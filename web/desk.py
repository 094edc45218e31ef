"""What the routes work with: the store's ports, time, and the key of the run tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from models.access import Tokens
from models.ports import Clock, Operations, Reader, RunReports


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Everything behind the API."""

    deployment: str
    reader: Reader
    operations: Operations
    reports: RunReports
    tokens: Tokens
    clock: Clock
    token_key: bytes = field(repr=False)


def _desk(request: Request) -> Desk:
    return cast("Desk", request.app.state.desk)


AtDesk = Annotated[Desk, Depends(_desk)]
