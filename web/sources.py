"""Catalogues: how far each feed has been met, what nobody understood, and meeting it again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from models.composing import Group, GroupPlace
from models.creation import Feed, Reject
from models.errors import NotFound
from models.ports import Verdict
from web.access import AtDesk, Operator, Viewer
from web.bodies import Name, RewindWish
from web.problems import RESPONSES

router = APIRouter(prefix="/sources", tags=["sources"], responses=dict(RESPONSES))


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedNow:
    """A feed by its name (source/collection/type): all that was published before `until` is met,
    and at `deep_at` it was last gone through far before that.
    """

    feed: str
    until: datetime
    deep_at: datetime


@router.get("", summary="List feeds")
def list_sources(desk: AtDesk, _: Viewer) -> tuple[FeedNow, ...]:
    """Every feed that has been read, and how far."""
    return tuple(
        FeedNow(feed=str(cursor.feed), until=cursor.until, deep_at=cursor.deep_at)
        for cursor in desk.feeds.cursors()
    )


@router.get("/rejects", summary="List rejected entries")
def list_rejects(
    desk: AtDesk,
    _: Viewer,
    source: Annotated[Name | None, Query(description="Only those of this catalogue.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
) -> tuple[Reject, ...]:
    """Entries of catalogues that nobody understood, newest first, with their text."""
    return desk.feeds.rejects(source, limit)


@router.get("/groups", summary="List groups of products that wait")
def list_groups(
    desk: AtDesk,
    _: Viewer,
    job_type: Annotated[
        Name | None, Query(alias="type", description="Only of this type of job.")
    ] = None,
    about: Annotated[
        Name | None,
        Query(description="Only of this key, or TILE-YYYY-MM-DD; also those that wait no more."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
) -> tuple[Group, ...]:
    """Groups of products that wait for more before a job is made of them, the longest waiting
    first: for what, since when, and at `due_at` they are looked at again at the latest; or, with
    `about`, by type and key.
    """
    if about is not None:
        return desk.feeds.groups_about(GroupPlace.named(about), job_type)[:limit]
    return desk.feeds.waiting(job_type, limit)


@router.post("/rewind", summary="Rewind a feed")
def rewind(desk: AtDesk, operator: Operator, wish: RewindWish) -> Verdict:
    """Move a feed's cursor back, so that all published from then on is met again.

    What has its job gets no second one.
    """
    try:
        feed = Feed.named(wish.feed)
    except ValueError as error:
        raise NotFound(str(error)) from error
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    return desk.feeds.rewind(feed, wish.to, asked)
