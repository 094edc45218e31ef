"""The event stream: hints with gaps. Nothing here says that an event was missed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from threading import Event as Flag

import msgspec
from werkzeug.wrappers import Request

from simulator.http.server import stopping
from simulator.nomad.render import Json, full
from simulator.nomad.rows import NAMESPACE
from simulator.nomad.state import Batch, Event, State

HEARTBEAT = 30.0
LOOK_AGAIN = 0.1


class Subscription:
    """One reader: which events it wants, and how far it has read."""

    def __init__(self, state: State, request: Request) -> None:
        self._state = state
        self._namespace = request.args.get("namespace", NAMESPACE)
        self._topics = [topic.split(":", 1) for topic in request.args.getlist("topic")]
        self._position = self._first(request.args.get("index", 0, type=int))

    def _first(self, index: int) -> int:
        """Where to begin: at this index, inclusive. Too old an index silently starts at the oldest
        event, one in the future tells the newest again.
        """
        buffer, published = self._state.buffer, self._state.published
        older = sum(batch.index < index for batch in buffer)
        return published - len(buffer) + min(older, max(0, len(buffer) - 1))

    def lines(self, ending: Flag) -> Iterator[bytes]:
        """Lines of JSON: a heartbeat at once and every 30 s, and what happens."""
        yield b"{}\n"
        spoke = time.monotonic()
        while not ending.is_set():
            with self._state.changed:
                if self._position == self._state.published:
                    self._state.changed.wait(LOOK_AGAIN)
                batches = self._unread()
            if batches is None:
                yield b'{"Error":"subscription closed by server, client should resubscribe"}\n'
                return
            for batch in batches:
                if wanted := [event for event in batch.events if self._wants(event)]:
                    yield msgspec.json.encode(event_line(batch, wanted)) + b"\n"
                    spoke = time.monotonic()
            if time.monotonic() - spoke >= HEARTBEAT:
                yield b"{}\n"
                spoke = time.monotonic()

    def _unread(self) -> list[Batch] | None:
        """What came since; None when the buffer dropped some of it: the reader was too slow."""
        buffer, published = self._state.buffer, self._state.published
        missed = published - self._position
        if missed > len(buffer):
            return None
        self._position = published
        return list(buffer)[len(buffer) - missed :]

    def _wants(self, event: Event) -> bool:
        namespace = getattr(event.row, "namespace", self._namespace)
        if self._namespace not in {"*", namespace}:
            return False
        return not self._topics or any(_matches(topic, event) for topic in self._topics)


def _matches(topic: Iterable[str], event: Event) -> bool:
    name, *key = topic
    keys = {event.key, *event.filter_keys}
    return name in {"*", event.topic} and (not key or key[0] == "*" or key[0] in keys)


def subscribe(state: State, request: Request) -> Iterator[bytes]:
    """The lines for one request, until the server stops or the reader leaves."""
    return Subscription(state, request).lines(stopping(request))


def event_line(batch: Batch, wanted: Iterable[Event]) -> Json:
    """One line of the event stream."""
    return {"Index": batch.index, "Events": [_event(event, batch.index) for event in wanted]}


def _event(event: Event, index: int) -> Json:
    return {
        "Topic": event.topic,
        "Type": event.type,
        "Key": event.key,
        "Namespace": getattr(event.row, "namespace", ""),
        "FilterKeys": list(event.filter_keys),
        "Index": index,
        "Payload": {event.topic: full(event.row)},
    }
