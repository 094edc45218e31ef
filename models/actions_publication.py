"""What publication may decide to do. Part of `models.actions`, from where it is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from models.broker import RefusedMessage
from models.errors import System
from models.plan import Action


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishJob(Action):
    """Go on with the publication of a job as far as it comes: begin it if it is processed, copy
    what is not in the product bucket, and, with `send`, send what may be sent.

    `expected_seq` is the job's history number in the world: anything newer refuses the action.
    """

    system: ClassVar[System] = System.OBJECTS
    job_id: int
    expected_seq: int
    begin: bool
    send: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class EndJob(Action):
    """Let a job be done that has nothing (more) to publish."""

    job_id: int
    expected_seq: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CountRefusal(Action):
    """Count a refusal of the endpoint against the product that it names, or park it if that was
    never announced; then take it out of the queue.
    """

    system: ClassVar[System] = System.BROKER
    message: RefusedMessage
    product: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ParkRefusal(Action):
    """Keep a refusal that names no product of ours; then take it out of the queue."""

    system: ClassVar[System] = System.BROKER
    message: RefusedMessage
