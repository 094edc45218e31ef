"""The logs of runs, over the HTTP API."""

from __future__ import annotations

from urllib.parse import quote

from infra.api.reading import ApiReader, path_of
from infra.api.transport import Transport
from models.errors import Malformed
from models.log_reading import LogNow, Part
from models.logs import Stream


class ApiLogs:
    """`models.log_reading.JobLogs` over the HTTP API, for whoever has a token."""

    def __init__(self, transport: Transport, reader: ApiReader) -> None:
        self._transport = transport
        self._reader = reader

    def logs(self, reference: str) -> tuple[LogNow, ...]:
        """See `models.log_reading.JobLogs.logs`."""
        return self._transport.get(tuple[LogNow, ...], f"{self._path(reference)}/logs")

    def read(
        self, reference: str, allocation_id: str, stream: Stream, start: int | None, length: int
    ) -> Part:
        """See `models.log_reading.JobLogs.read`."""
        place = f"{self._path(reference)}/logs/{quote(allocation_id, safe='')}/{stream}"
        begin = "" if start is None else f"&start={start}"
        answer = self._transport.answer("GET", f"{place}?length={length}{begin}")
        try:
            first, behind, size = (
                int(answer.headers[f"X-Log-{name}"]) for name in ("Start", "Next", "Size")
            )
        except (KeyError, ValueError) as error:
            raise Malformed("the API does not say which bytes of the log these are") from error
        return Part(content=answer.data, start=first, next=behind, size=size)

    def _path(self, reference: str) -> str:
        """A job by its type and key is looked up first: routes below a job go by its id."""
        known = reference if "/" not in reference else str(self._reader.story(reference).job.id)
        return path_of(known)
