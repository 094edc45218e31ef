"""The four lists of a snapshot, each with the proof that a leader answered.

A default read is answered by the leader, which says so: `X-Nomad-KnownLeader: true` and a
`X-Nomad-LastContact` of 0. An index that fell since the last answer about the same table means
another leader, or a restored one, in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from requests import Response

from infra.nomad.transport import Call, Transport, decoded
from infra.retry import Deadline

Record = TypeVar("Record")


class OtherLeader(Exception):
    """This answer does not belong to one leader's term: everything has to be read again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed(Generic[Record]):
    """A list as it was answered: its bytes, its Raft index and what was made of it."""

    content: bytes
    index: int
    records: tuple[Record, ...]


class NomadList(Generic[Record]):
    """One list. Remembers its last answer: the same bytes again are not decoded again."""

    def __init__(
        self, transport: Transport, call: Call, decode: Callable[[bytes], tuple[Record, ...]]
    ) -> None:
        self._transport = transport
        self._call = call
        self._decode = decode
        self._last: Listed[Record] | None = None

    def read(self, deadline: Deadline) -> Listed[Record]:
        """The whole list; raises `OtherLeader`, or what `Transport.send` raises."""
        response = self._transport.send(self._call, deadline)
        index = _led(response, self._call)
        # The body is read whatever the headers say: the connection is used again.
        content = decoded(bytes, response, self._call)
        last = self._last
        if last is not None and content == last.content:
            records = last.records
        else:
            records = decoded(self._decode, response, self._call)
        listed = self._last = Listed(content=content, index=index, records=records)
        if last is not None and index < last.index:
            raise OtherLeader(f"{self._call.attempt}: the index fell from {last.index} to {index}")
        return listed


def _led(response: Response, call: Call) -> int:
    headers = response.headers
    known, contact = headers.get("X-Nomad-KnownLeader"), headers.get("X-Nomad-LastContact", "0")
    if known != "true" or contact != "0":
        raise OtherLeader(
            f"{call.attempt}: not answered by a leader (X-Nomad-KnownLeader: {known}, "
            f"X-Nomad-LastContact: {contact} ms)"
        )
    index = headers.get("X-Nomad-Index", "")
    return int(index) if index.isdecimal() else 0
