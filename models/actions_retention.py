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
