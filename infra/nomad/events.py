"""A reader of Nomad's event stream of our own: hints that something of ours may have changed.

The library's reader is of no use (defects of python-nomad 2.1.0): after a clean end or a silence it
reconnects at once with its first index and replays everything, its thread dies on refused
connections and broken chunks, and without a timeout it waits for ever on a half-open connection.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from requests import Response
from urllib3.exceptions import HTTPError

from infra.nomad.rows import EventHead, event_line
from infra.nomad.transport import Call, Transport
from infra.retry import Deadline
from models.errors import Unavailable
from models.ports import StopSignal

SILENCE = 45.0
"""Seconds without a line after which the stream is broken: a heartbeat comes every 30."""

BLOCK = 65_536
"""Bytes read at most at once."""

LOOK_AGAIN = 0.25
"""How often, in seconds, a reader that waits looks at its stop signal."""

TOPICS = ("Node:*", "Job:*", "Allocation:*", "Evaluation:*")


def hints(
    transport: Transport, prefix: str, deadline: Deadline, stop: StopSignal
) -> Iterator[None]:
    """Yield for every line of the stream that is about nodes or about jobs with this prefix.

    Ends by itself when `stop` is set. Raises `Unavailable` when the stream ends or falls silent.
    """
    attempt = "follow the event stream of Nomad"
    call = Call(
        name="watch", attempt=attempt, endpoint="event/stream", params={"topic": list(TOPICS)}
    )
    with transport.send(call, deadline, stream=SILENCE) as response, _stopped(response, stop):
        try:
            for line in _lines(response):
                if stop.is_set():
                    return
                if _is_ours(line, prefix, attempt):
                    yield
        except (HTTPError, OSError) as error:
            if not stop.is_set():
                raise Unavailable(f"{attempt}: it broke: {error}") from error
        if not stop.is_set():
            raise Unavailable(f"{attempt}: Nomad ended it")


def _lines(response: Response) -> Iterator[bytes]:
    """Lines as they come. Not `iter_lines`: on an answer that ends with its connection, as Nomad's
    does since 1.11.2, it waits for whole blocks.
    """
    unfinished = b""
    while part := response.raw.read1(BLOCK, decode_content=True):
        *lines, unfinished = (unfinished + part).split(b"\n")
        yield from lines


def _is_ours(line: bytes, prefix: str, attempt: str) -> bool:
    if not line.strip():
        return False
    try:
        said = event_line(line)
    except msgspec.DecodeError as error:
        raise Unavailable(f"{attempt}: a line makes no sense: {error}") from error
    if said.error:
        raise Unavailable(f"{attempt}: {said.error}")
    return any(_concerns_us(event, prefix) for event in said.events or ())


def _concerns_us(event: EventHead, prefix: str) -> bool:
    if event.topic == "Node":
        # Each update of any allocation is told as one of its node too.
        return event.type != "AllocationUpdated"
    return any(key.startswith(prefix) for key in (event.key, *(event.filter_keys or ())))


@contextmanager
def _stopped(response: Response, stop: StopSignal) -> Iterator[None]:
    """End a read that waits when `stop` is set: a read that timed out could not be taken up."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_AGAIN):
            if stop.is_set():
                response.raw.shutdown()
                return

    watcher = threading.Thread(target=look, name="nomad-stream-stop", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
