"""The logs of runs: which there are, a part of one, its end, and the end as it grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response, StreamingResponse

from models.errors import PortError
from models.logs import Stream
from models.ports import JobStory
from web.access import AtDesk, Viewer
from web.bodies import LARGEST
from web.desk import Desk
from web.jobs import Reference
from web.log_reader import Log, LogReader, Where
from web.problems import RESPONSES

router = APIRouter(prefix="/jobs/{reference}/logs", tags=["logs"], responses=dict(RESPONSES))

MOST_BYTES = 8 * 1024 * 1024
"""Of one answer."""

STEP_BYTES = 256 * 1024
LOOK_SECONDS = 1.0
"""How often it is looked for more while a log is followed."""

LOOKS_AFTER_THE_END = 3
"""The last words of a run may come a little after it is over."""

MOST_LOOKS = 3600
"""Who follows longer asks again, from where it ended."""

PLAIN = "text/plain; charset=utf-8"

AllocationId = Annotated[
    str,
    Path(pattern=r"^[0-9A-Za-z-]{1,64}$", examples=["5456bd7a-9fc0-c0dd-6131-cbee77f57577"]),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class LogNow:
    """One log: how many bytes it has by now, and where it is read."""

    allocation_id: str
    stream: Stream
    size: int
    where: Where


@router.get("", summary="List logs of a job")
def list_logs(desk: AtDesk, _: Viewer, reference: Reference) -> tuple[LogNow, ...]:
    """Every log that there is of any run of a job, also when Nomad has forgotten it."""
    story, reader = desk.reader.story(reference), desk.logs
    return tuple(
        LogNow(allocation_id=log.allocation_id, stream=log.stream, size=log.size, where=log.where)
        for allocation_id in reader.allocations(story)
        for log in _found(reader, story, allocation_id)
    )


def _found(reader: LogReader, story: JobStory, allocation_id: str) -> tuple[Log, ...]:
    """The logs of one of several: that it has none, or cannot be asked, hides no other."""
    try:
        return reader.logs(story, allocation_id)
    except PortError:
        return ()


@router.get(
    "/{allocation_id}/{stream}",
    summary="Read a log",
    response_class=Response,
    responses={
        200: {
            "description": "The text. `X-Log-Start` and `X-Log-Next` say which bytes it is and "
            "where to go on, `X-Log-Size` how many there are by now.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
)
def read_log(
    *,
    desk: AtDesk,
    _: Viewer,
    reference: Reference,
    allocation_id: AllocationId,
    stream: Stream,
    start: Annotated[
        int | None, Query(ge=0, le=LARGEST, description="From this byte on; else the end is read.")
    ] = None,
    length: Annotated[int, Query(ge=1, le=MOST_BYTES, description="At most so many bytes.")] = (
        STEP_BYTES
    ),
) -> Response:
    """A part of a log: its last `length` bytes, or `length` bytes from `start` on.

    Bytes that nobody kept are passed over. While its worker lives a log is read through Nomad, up
    to the last byte, and afterwards from the results bucket.
    """
    log = desk.logs.log(desk.reader.story(reference), allocation_id, stream)
    part = desk.logs.read(log, max(0, log.size - length) if start is None else start, length)
    said = {"X-Log-Start": part.start, "X-Log-Next": part.next, "X-Log-Size": log.size}
    headers = {name: str(value) for name, value in said.items()}
    return Response(part.content, media_type=PLAIN, headers=headers)


@router.get(
    "/{allocation_id}/{stream}/follow",
    summary="Follow a log",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The text as it grows.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
)
def follow_log(
    *,
    desk: AtDesk,
    _: Viewer,
    reference: Reference,
    allocation_id: AllocationId,
    stream: Stream,
    start: Annotated[
        int | None, Query(ge=0, le=LARGEST, description="From this byte on; else near the end.")
    ] = None,
) -> StreamingResponse:
    """A log as it grows, a second behind, until the run is over or an hour has passed."""
    log = desk.logs.log(desk.reader.story(reference), allocation_id, stream)
    place = max(0, log.size - STEP_BYTES) if start is None else start
    return StreamingResponse(_growing(desk, reference, log, place), media_type=PLAIN)


async def _growing(desk: Desk, reference: str, log: Log, place: int) -> AsyncIterator[bytes]:
    """What is there, and what comes: threads are borrowed for each look alone.

    What does not answer now may a moment later, or the bucket has it by then.
    """
    after_the_end = 0
    for _ in range(MOST_LOOKS):
        with suppress(PortError):
            part = await run_sync(partial(desk.logs.read, log, place, STEP_BYTES))
            if part.content:
                yield part.content
                place = part.next
                continue
        if after_the_end >= LOOKS_AFTER_THE_END:
            return
        await asyncio.sleep(LOOK_SECONDS)
        with suppress(PortError):
            story = await run_sync(partial(desk.reader.story, reference))
            after_the_end += _is_over(story, log.allocation_id)
            log = await run_sync(partial(desk.logs.log, story, log.allocation_id, log.stream))


def _is_over(story: JobStory, allocation_id: str) -> bool:
    """Nothing more is said: its run has ended, or goes on elsewhere."""
    return not any(
        run.allocation_id == allocation_id and run.ended_at is None for run in story.runs
    )
