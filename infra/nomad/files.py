"""The log files of allocations through Nomad's file API, which reaches every stream of a run.

Nomad hands the request on to the agent of the worker: once that is gone, so are the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from infra.nomad.access import NomadAccess, OnRequest
from infra.nomad.transport import Call, Transport, decoded
from infra.retry import Deadline
from models.errors import NotFound

FOLDER = "alloc/logs"
CALL_DEADLINE = timedelta(seconds=5)
"""Somebody waits for the page, and what the bucket has is there all the same."""


class _Entry(msgspec.Struct, frozen=True):
    name: str = msgspec.field(name="Name")
    size: int = msgspec.field(name="Size", default=0)
    is_folder: bool = msgspec.field(name="IsDir", default=False)


_entries = msgspec.json.Decoder(list[_Entry]).decode


def connect_files(access: NomadAccess, on_request: OnRequest | None = None) -> NomadFiles:
    """The port over HTTP. Nothing is sent before the first call; `close` it at the end."""
    return NomadFiles(Transport(access, on_request or _nobody))


class NomadFiles:
    """Implements `models.log_reading.LiveLogs`. One for all threads."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def close(self) -> None:
        """Close the connections that are kept."""
        self._transport.close()

    def knows(self, allocation_id: str) -> bool:
        """See `models.log_reading.LiveLogs.knows`."""
        call = Call(
            name="allocation",
            attempt=f"look for allocation {allocation_id}",
            endpoint="allocation",
            path=(allocation_id,),
        )
        try:
            self._transport.send(call, Deadline.after(CALL_DEADLINE))
        except NotFound:
            return False
        return True

    def files(self, allocation_id: str) -> Mapping[str, int]:
        """See `models.log_reading.LiveLogs.files`."""
        call = Call(
            name="log_files",
            attempt=f"list the log files of allocation {allocation_id}",
            endpoint="client/fs/ls",
            path=(allocation_id,),
            params={"path": FOLDER},
        )
        response = self._transport.send(call, Deadline.after(CALL_DEADLINE))
        found = decoded(_entries, response, call)
        return {entry.name: entry.size for entry in found if not entry.is_folder}

    def read(self, allocation_id: str, name: str, start: int, length: int) -> bytes:
        """See `models.log_reading.LiveLogs.read`."""
        call = Call(
            name="read_log",
            attempt=f"read {name} of allocation {allocation_id}",
            endpoint="client/fs/readat",
            path=(allocation_id,),
            params={"path": f"{FOLDER}/{name}", "offset": str(start), "limit": str(length)},
        )
        response = self._transport.send(call, Deadline.after(CALL_DEADLINE))
        return decoded(bytes, response, call)


def _nobody(_: str, __: str, ___: float) -> None:
    """Nobody counts the requests."""
