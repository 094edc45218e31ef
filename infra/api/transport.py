"""The one place where requests to the API leave: bounded in time, never repeated.

Problem details (RFC 9457) become the errors of `models.errors`. Every write of the API may be said
twice, so that whoever got no answer asks again; that is decided by the caller, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlencode

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

from infra.retry import rest_asked_for
from models.errors import (
    ConfigurationError,
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

Answered = TypeVar("Answered")

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
_IN_WORDS_OF_THE_STORE = frozenset(
    {"not-found", "malformed", "impossible-value", *_CONFLICTS, "unavailable", "no-answer"}
)
"""Problems whose detail is the sentence that the store itself says to whoever asks it."""


class _Problem(msgspec.Struct):
    type: str = ""
    detail: str = ""

    @property
    def kind(self) -> str:
        return self.type.rpartition(":")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Where the API is and what opens it. `ca_cert`: who signed its certificate, as a file;
    `agent`: who calls, for the API's log.
    """

    url: str
    token: str
    ca_cert: str | None = None
    call_deadline: timedelta = timedelta(seconds=30)
    agent: str = "hrsi-worker"


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
            headers={"Authorization": f"Bearer {access.token}", "User-Agent": access.agent},
        )

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.clear()

    def post(self, attempt: str, path: str, body: Mapping[str, Any]) -> bytes:
        """Send one request; the body of its answer, which is a 2xx. Raises `models.errors`, and
        says what was attempted.
        """
        try:
            answer = self._sent("POST", path, body)
        except HTTPError as error:
            raise _unanswered(f"{attempt}: the API", error) from error
        if _is_good(answer):
            return answer.data
        problem = _problem_of(answer)
        message = f"{attempt}: the API answered {answer.status}: {problem.detail}"
        raise _refusal(answer, problem)(message)

    def get(
        self, kind: type[Answered], path: str, query: Sequence[tuple[str, object]] = ()
    ) -> Answered:
        """Read one thing. Raises as `ask`."""
        written = [(name, _written(value)) for name, value in query if value is not None]
        answer = self.answer("GET", f"{path}?{urlencode(written)}" if written else path)
        return self._read(kind, answer)

    def order(
        self, kind: type[Answered], path: str, body: Mapping[str, Any], *, method: str = "POST"
    ) -> Answered:
        """Order one thing. Raises as `ask`."""
        return self._read(kind, self.answer(method, path, body))

    def answer(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> urllib3.BaseHTTPResponse:
        """What the API answers to a person: a 2xx. Raises `models.errors` in the words of the store
        where it was the store that refused, so that a person reads the same wherever they ask.
        """
        api = f"the API at {self._access.url}"
        try:
            answer = self._sent(method, path, body)
        except HTTPError as error:
            raise _unanswered(api, error) from error
        if _is_good(answer):
            return answer
        problem = _problem_of(answer)
        kind = _refusal(answer, problem)
        if problem.kind == "impossible-value":
            kind = ConfigurationError
        if problem.kind in _IN_WORDS_OF_THE_STORE:
            raise kind(problem.detail)
        raise kind(f"{api} answered {answer.status}: {problem.detail}")

    def _sent(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self._access.url.rstrip('/')}/api/v1{path}"
        given = {} if body is None else {"json": dict(body)}
        return self._pool.request(method, url, **given)

    def _read(self, kind: type[Answered], answer: urllib3.BaseHTTPResponse) -> Answered:
        try:
            return msgspec.json.decode(answer.data, type=kind)
        except msgspec.MsgspecError as error:
            raise Malformed(
                f"the API at {self._access.url} answers what this program does not understand; is "
                f"HRSI_URL right, and are both of one version? {error}"
            ) from error


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _is_good(answer: urllib3.BaseHTTPResponse) -> bool:
    return HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES


def _unanswered(who: str, error: HTTPError) -> HrsiError:
    cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    kind: Callable[[str], HrsiError] = Unavailable if isinstance(cause, _NOT_SENT) else Unknown
    return kind(f"{who} gave no answer: {cause}")


def _problem_of(answer: urllib3.BaseHTTPResponse) -> _Problem:
    try:
        return msgspec.json.decode(answer.data, type=_Problem)
    except msgspec.MsgspecError:
        return _Problem(detail=answer.data[:200].decode(errors="replace"))


def _refusal(answer: urllib3.BaseHTTPResponse, problem: _Problem) -> Callable[[str], HrsiError]:
    if answer.status == HTTPStatus.CONFLICT and problem.kind in _CONFLICTS:
        return _CONFLICTS[problem.kind]
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return partial(Throttled, retry_after=_wait(answer))
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE and problem.kind == "unavailable":
        return partial(Unavailable, retry_after=_wait(answer))
    # Any other 5xx may have been sent by something between us and the API, or after the effect.
    return _STATUSES.get(answer.status, Unknown)


def _wait(answer: urllib3.BaseHTTPResponse) -> timedelta | None:
    return rest_asked_for(answer.headers.get("Retry-After"), datetime.now(UTC))
