"""The logs of runs: which there are, a part of one, its end, and the end as it grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response, StreamingResponse

from models.errors import PortError
from models.log_reading import LogNow, is_over
from models.logs import Stream
from web.access import AtDesk, Viewer
from web.bodies import LARGEST
from web.desk import Desk
from web.jobs import Reference
from web.log_reader import Log, StoreLogs
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


@router.get("", summary="List logs of a job")
def list_logs(desk: AtDesk, _: Viewer, reference: Reference) -> tuple[LogNow, ...]:
    """Every log that there is of any run of a job, also when Nomad has forgotten it."""
    return StoreLogs(desk.reader, desk.logs).logs(reference)


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
    logs = StoreLogs(desk.reader, desk.logs)
    part = logs.read(reference, allocation_id, stream, start, length)
    said = {"X-Log-Start": part.start, "X-Log-Next": part.next, "X-Log-Size": part.size}
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
            after_the_end += is_over(story.runs, log.allocation_id)
            log = await run_sync(partial(desk.logs.log, story, log.allocation_id, log.stream))
