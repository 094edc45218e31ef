"""What the program on a worker says of its run, over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from uuid import UUID

import msgspec

from infra.api.transport import Access, Transport
from models.errors import Unknown
from models.lifecycle import Status
from models.ports import Claim, Placement, RunResult


class ApiReports:
    """`models.ports.RunReports` over the HTTP API, for the one run whose token it has."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def claim(self, run_id: UUID, placement: Placement) -> Claim:
        """See `models.ports.RunReports.claim`."""
        attempt = f"claim run {run_id}"
        body = self._transport.post(attempt, f"/runs/{run_id}/claims", asdict(placement))
        try:
            return msgspec.json.decode(body, type=Claim)
        except msgspec.MsgspecError as error:
            # It was carried out, whatever came back: the same claim may be asked for again.
            raise Unknown(f"{attempt}: the answer is no claim: {error}") from error

    def report(self, run_id: UUID, claim: int, status: Status, message: str = "") -> None:
        """See `models.ports.RunReports.report`."""
        body = {"status": status.value, "message": message}
        self._transport.post(
            f"report {status} of run {run_id}", f"/runs/{run_id}/claims/{claim}/status", body
        )

    def end(self, run_id: UUID, claim: int, result: RunResult) -> None:
        """See `models.ports.RunReports.end`."""
        body = msgspec.to_builtins(result)
        self._transport.post(
            f"end run {run_id} as {result.status}", f"/runs/{run_id}/claims/{claim}/end", body
        )

    def close(self) -> None:
        """Close the connections that are kept."""
        self._transport.close()


def connect(
    url: str,
    token: str,
    *,
    ca_cert: str | None = None,
    call_deadline: timedelta = timedelta(seconds=30),
) -> ApiReports:
    """The API at `url`, for the run whose token this is. Nothing is sent before it is used."""
    access = Access(url=url, token=token, ca_cert=ca_cert, call_deadline=call_deadline)
    return ApiReports(Transport(access))
