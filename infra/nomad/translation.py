"""From what Nomad, python-nomad and the network say to `models.errors`.

    no answer to a read                 Unavailable
    no answer to a write                Unknown, unless it certainly never left: Unavailable
    400                                 Malformed
    403, or a 500 that says so          Refused, with what the token needs
    404, or a 500 that says so          NotFound
    429                                 Throttled
    500 without a leader                Unavailable: nothing was done
    500 about what was asked            Malformed
    other 5xx                           Unavailable for a read, Unknown for a write

Nomad says 500 for nearly everything but a GET of one thing, hence the texts. They are matched in
the middle: an agent that is no leader puts `rpc error: ` before them, once per hop.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import nomad.api.exceptions
import requests
from requests.exceptions import ConnectTimeout
from urllib3.exceptions import MaxRetryError, NewConnectionError

from infra.retry import rest_asked_for
from models.errors import (
    Malformed,
    NotFound,
    PortError,
    Refused,
    Throttled,
    Unavailable,
    Unknown,
)

TEXT_KEPT = 300
"""Characters kept of any text of others."""

THROTTLED_FOR = timedelta(seconds=1)
"""When to come back after a 429 that does not say when: Nomad's limit is on open connections."""

LIBRARY_ERRORS = (
    nomad.api.exceptions.BaseNomadException,
    # Defect: this one is outside the library's own tree.
    nomad.api.exceptions.TimeoutNomadException,
)

NEEDED = (
    "check NOMAD_TOKEN; its policy needs list-jobs, read-job, dispatch-job, submit-job on the "
    "namespace and node write"
)

_NOT_FOUND = (
    "node not found",
    "job not found",
    "alloc not found",
    "allocation not found",
    "eval not found",
)
_NO_SUCH_HOST = ("Name or service not known", "Temporary failure in name resolution")
_REFUSED = ("Permission denied", "ACL token not found", "failed to parse signed token")
_NO_LEADER = ("No cluster leader", "Not ready to serve consistent reads")
_SENSELESS = (
    "is not a parameterized job",
    "is stopped",
    "by parameterized job",
    "Payload exceeds maximum size",
    "unpermitted metadata keys",
    "required meta keys",
    "job priority must be between",
    "error occurred",
    "errors occurred",
    "nonexistent node pool",
    "can't evaluate",
    "UUID must be 36 characters",
    "while it is draining",
)


def translated(attempt: str, error: Exception, *, write: bool) -> PortError:
    """What to raise for what the library raised."""
    cause = _cause(error)
    if isinstance(cause, requests.Response):
        return answered(attempt, cause, write=write)
    text = f"{attempt}: {_unanswered(cause)}"
    if not write or _never_left(cause):
        return Unavailable(text)
    return Unknown(f"{text}; it may have been done: look before asking again")


def outcome(error: Exception) -> str:
    """How the request ended, as metrics name it."""
    cause = _cause(error)
    if isinstance(cause, requests.Response):
        return str(cause.status_code)
    return "timeout" if isinstance(cause, requests.Timeout) else "no_connection"


def answered(attempt: str, response: requests.Response, *, write: bool) -> PortError:
    """What to raise for an answer that is no success."""
    said = _cut(response.text)
    text = f"{attempt}: {response.status_code} {said}"
    match response.status_code:
        case 400:
            return Malformed(text)
        case 403:
            return Refused(f"{text}; {NEEDED}")
        case 404:
            return _not_there(text, said)
        case 429:
            return Throttled(text, retry_after=_retry_after(response))
        case status if status >= 500:
            return _server_error(text, said, write=write)
        case _:
            return Malformed(f"{text}; check that NOMAD_ADDR names Nomad itself")


def _not_there(text: str, said: str) -> PortError:
    if _says(said, _NOT_FOUND):
        return NotFound(text)
    return Malformed(f"{text}; check that NOMAD_ADDR names Nomad itself")


def _server_error(text: str, said: str, *, write: bool) -> PortError:
    if _says(said, _NOT_FOUND):
        return NotFound(text)
    if _says(said, _REFUSED):
        return Refused(f"{text}; {NEEDED}")
    if _says(said, _NO_LEADER):
        return Unavailable(text)
    if "No path to region" in said:
        return Malformed(f"{text}; check NOMAD_REGION")
    if _says(said, _SENSELESS):
        return Malformed(text)
    if write:
        return Unknown(f"{text}; it may have been done: look before asking again")
    return Unavailable(text)


def _cause(error: Exception) -> object:
    """The library keeps either an answer or the exception of requests: only the type of what it
    kept tells "Nomad said no" from "nobody knows".
    """
    if isinstance(error, nomad.api.exceptions.BaseNomadException):
        return error.nomad_resp
    if isinstance(error, nomad.api.exceptions.TimeoutNomadException) and error.args:
        return error.args[0]
    return error


def _unanswered(cause: object) -> str:
    """Why there was no answer: a sentence where the reason is known, else what was said of it."""
    request = getattr(cause, "request", None)
    address = urlsplit(request.url if request is not None and request.url else "")
    where = f"Nomad at {address.scheme}://{address.netloc}" if address.netloc else "Nomad"
    said = str(cause)
    if "Connection refused" in said:
        return f"{where} refuses connections; check NOMAD_ADDR"
    if any(text in said for text in _NO_SUCH_HOST):
        return f"{where} has a name that nobody knows; check NOMAD_ADDR"
    if isinstance(cause, requests.Timeout):
        return f"{where} does not answer in time"
    return _cut(said)


def _never_left(cause: object) -> bool:
    """Whether the connection could not even be opened: refused, no route, no such host."""
    if isinstance(cause, ConnectTimeout):
        return True
    reason = cause.args[0] if isinstance(cause, requests.ConnectionError) and cause.args else None
    return isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError)


def _retry_after(response: requests.Response) -> timedelta:
    asked_for = rest_asked_for(response.headers.get("Retry-After"), datetime.now(UTC))
    return THROTTLED_FOR if asked_for is None else asked_for


def _says(said: str, texts: tuple[str, ...]) -> bool:
    return any(text in said for text in texts)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= TEXT_KEPT else text[: TEXT_KEPT - 1] + "…"
