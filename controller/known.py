"""Which sources are known: people are told once when one turns unknown, and when it is back."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import structlog

from models.world import Source

log = structlog.get_logger(__name__)

NAMES: Mapping[Source, str] = {
    Source.STORE: "PostgreSQL",
    Source.NOMAD: "Nomad",
    Source.CLOUD: "OpenStack",
    Source.CATALOGUES: "what the catalogues list",
    Source.BACKLOG: "what is to be configured",
    Source.OUTBOX: "the outbox",
    Source.BROKER: "RabbitMQ",
    Source.READBACK: "what was made and what was announced",
    Source.RESULTS: "the results bucket",
}

HELD_BACK: Mapping[Source, str] = {
    Source.STORE: "nothing is decided until it answers",
    Source.NOMAD: "nothing is dispatched and no worker is deleted until it answers",
    Source.CLOUD: "no worker is created or deleted until it answers",
    Source.CATALOGUES: "no job is created until it is read",
    Source.BACKLOG: "no job becomes ready until it is read",
    Source.OUTBOX: "nothing is published until it answers",
    Source.BROKER: "products are copied, and their messages wait until it answers",
    Source.READBACK: "nobody is told of products that are missing until it is read",
    Source.RESULTS: "nothing in it is deleted until it answers",
}


class Knowledge:
    """What the loops of one process last heard of each source; used by all their threads."""

    def __init__(self) -> None:
        self._unknown: dict[Source, str] = {}
        self._lock = threading.Lock()

    def heard(self, source: Source, unknown: str) -> None:
        """Note that a pass found the source known (no words) or why it did not."""
        with self._lock:
            before = self._unknown.pop(source, "")
            if unknown:
                self._unknown[source] = unknown
        told = {"source": source.value}
        if unknown and not before:
            sentence = f"{NAMES[source]} is unknown; {HELD_BACK[source]}"
            log.warning(sentence, action="source_unknown", **told, error=unknown)
        elif before and not unknown:
            sentence = f"{NAMES[source]} is known again"
            log.info(sentence, action="source_known", **told)

    def unknown(self) -> list[str]:
        """A sentence for every source that is unknown."""
        with self._lock:
            found = dict(self._unknown)
        return [
            f"{NAMES[source]} is unknown: {why}; {HELD_BACK[source]}"
            for source, why in sorted(found.items())
        ]
