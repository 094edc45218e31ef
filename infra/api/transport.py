"""The one place where requests to the API leave: bounded in time, never repeated.

Problem details (RFC 9457) become the errors of `models.errors`. Every write of the API may be said
twice, so that whoever got no answer asks again; that is decided by the caller, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import msgspec
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
)

from models.errors import (
    HrsiError,
    IllegalTransition,
    Malformed,
    NotFound,
    Refused,
    Superseded,
    Throttled,
    Unavailable,
    Unknown,
)

_NOT_SENT = (ConnectTimeoutError, NewConnectionError, NameResolutionError, SSLError)
"""With these no request left: nothing can have happened."""

_CONFLICTS: Mapping[str, type[HrsiError]] = MappingProxyType(
    {"superseded": Superseded, "illegal-transition": IllegalTransition}
)
_STATUSES: Mapping[int, type[HrsiError]] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: Refused,
        HTTPStatus.FORBIDDEN: Refused,
        HTTPStatus.NOT_FOUND: NotFound,
        HTTPStatus.UNPROCESSABLE_ENTITY: Malformed,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Malformed,
    }
)


class _Problem(msgspec.Struct):
    type: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Where the API is and what opens it. `ca_cert`: who signed its certificate, as a file."""

    url: str
    token: str
    ca_cert: str | None = None
    call_deadline: timedelta = timedelta(seconds=30)


class Transport:
    """Sends requests to one API."""

    def __init__(self, access: Access) -> None:
        self._access = access
        deadline = access.call_deadline.total_seconds()
        self._pool = urllib3.PoolManager(
            retries=False,
            timeout=urllib3.Timeout(total=deadline),
            cert_reqs="CERT_REQUIRED",
            ca_certs=access.ca_cert,
            headers={"Authorization": f"Bearer {access.token}", "User-Agent": "hrsi-worker"},
        )

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.clear()

    def post(self, attempt: str, path: str, body: Mapping[str, Any]) -> bytes:
        """Send one request; the body of its answer, which is a 2xx. Raises `models.errors`."""
        url = f"{self._access.url.rstrip('/')}/api/v1{path}"
        try:
            answer = self._pool.request("POST", url, json=dict(body))
        except HTTPError as error:
            raise _unanswered(attempt, error) from error
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer.data
        raise _refusal(attempt, answer)


def _unanswered(attempt: str, error: HTTPError) -> HrsiError:
    cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    kind: Callable[[str], HrsiError] = Unavailable if isinstance(cause, _NOT_SENT) else Unknown
    return kind(f"{attempt}: the API gave no answer: {cause}")


def _refusal(attempt: str, answer: urllib3.BaseHTTPResponse) -> HrsiError:
    try:
        problem = msgspec.json.decode(answer.data, type=_Problem)
    except msgspec.MsgspecError:
        problem = _Problem(detail=answer.data[:200].decode(errors="replace"))
    message = f"{attempt}: the API answered {answer.status}: {problem.detail}"
    kind = problem.type.rpartition(":")[2]
    if answer.status == HTTPStatus.CONFLICT and kind in _CONFLICTS:
        return _CONFLICTS[kind](message)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(message, retry_after=_wait(answer))
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE and kind == "unavailable":
        return Unavailable(message, retry_after=_wait(answer))
    # Any other 5xx may have been sent by something between us and the API, or after the effect.
    return _STATUSES.get(answer.status, Unknown)(message)


def _wait(answer: urllib3.BaseHTTPResponse) -> timedelta | None:
    text = answer.headers.get("Retry-After", "")
    return timedelta(seconds=int(text)) if text.isdecimal() else None
