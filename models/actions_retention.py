"""What retention may decide to do. Part of `models.actions`, from where it is imported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from models.errors import System
from models.plan import Action


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveResults(Action):
    """Delete what a job left in the results bucket and what was written there at or before
    `before`. Whatever a new run writes is younger, however late this is carried out.
    """

    system: ClassVar[System] = System.OBJECTS
    unique_id: UUID
    before: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveL2a(Action):
    """Delete an L2A that no image begins with any more: what lies at `path` of the data bucket and
    was written there at or before `before`.
    """

    system: ClassVar[System] = System.OBJECTS
    job_id: int
    path: str
    before: datetime
