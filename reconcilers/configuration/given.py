"""What a job was handed in with, as far as configuration reads it; anybody may have written it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from models.configuration import Unready
from models.records import Priority
from models.urgency import TURNAROUND, is_plausible, priority_of

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an input that configuration reads; the others are the program's."""

    path: str | None = None
    origin_at: Moment | None = None
    published_at: Moment | None = None
    campaign: int | None = None
    master: str | None = None
    assembly: str | None = None


class UnfitInput(Exception):
    """What a job was handed in with makes no sense; the message names the field."""


def given(unready: Unready) -> Given:
    """What is read of an input. Raises `UnfitInput` naming the field that makes no sense."""
    try:
        found = msgspec.convert(dict(unready.input), Given)
    except msgspec.ValidationError as error:
        raise UnfitInput(f"input: {error}") from error
    for name, at in (("origin_at", found.origin_at), ("published_at", found.published_at)):
        if at is not None and not is_plausible(at):
            raise UnfitInput(f"input: no image is of {at:%Y-%m-%d} - at `$.{name}`")
    return found


def priority(unready: Unready, read: Given) -> Priority:
    """By the times of the image; where a person or a rule has said it, that stands."""
    if read.campaign is not None:
        return Priority.REPROCESSING
    said, sensing = unready.job.priority, unready.sensing_at
    if said is not Priority.DELAYED or sensing is None or read.published_at is None:
        return said
    return priority_of(sensing, read.origin_at, read.published_at)


def deadline(unready: Unready, read: Given, urgency: Priority) -> datetime | None:
    """As it was said, else three hours after the image could be had; reprocessing has time."""
    if unready.job.deadline is not None or urgency is Priority.REPROCESSING:
        return unready.job.deadline
    return read.published_at + TURNAROUND if read.published_at is not None else None
