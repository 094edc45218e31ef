"""What goes wrong, as problem details (RFC 9457): a status, a type to branch on, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from math import ceil
from types import MappingProxyType
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from models.errors import (
    ConfigurationError,
    HrsiError,
    IllegalTransition,
    Malformed,
    NotFound,
    Permanent,
    Superseded,
    Temporary,
    Unknown,
)

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:hrsi:problem:"

LATER = timedelta(seconds=5)
"""When to come back where the store does not say so itself."""

_KINDS: tuple[tuple[type[HrsiError], HTTPStatus, str], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND, "not-found"),
    (Malformed, HTTPStatus.UNPROCESSABLE_ENTITY, "malformed"),
    (ConfigurationError, HTTPStatus.UNPROCESSABLE_ENTITY, "impossible-value"),
    (Superseded, HTTPStatus.CONFLICT, "superseded"),
    (IllegalTransition, HTTPStatus.CONFLICT, "illegal-transition"),
    (Temporary, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
    # Whoever asked may ask again: every write of this API says the same when it is said twice.
    (Unknown, HTTPStatus.SERVICE_UNAVAILABLE, "no-answer"),
    (Permanent, HTTPStatus.INTERNAL_SERVER_ERROR, "refused-by-the-store"),
)

SCHEMA: Mapping[str, Any] = MappingProxyType(
    {
        "title": "Problem",
        "description": "Problem details (RFC 9457): branch on `type`, show `detail`.",
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "examples": [f"{TYPE}not-found"]},
            "title": {"type": "string", "examples": ["Not Found"]},
            "status": {"type": "integer", "examples": [404]},
            "detail": {"type": "string", "examples": ["there is no job '17'"]},
        },
    }
)
"""What a problem looks like, for the description of the API."""

SCHEMA_NAME = "Problem"

_MEANINGS: Mapping[int | str, str] = MappingProxyType(
    {
        401: "No token came, or one that is not known, expired or revoked.",
        403: "The token's role is too small for this.",
        404: "There is no such thing.",
        409: "It has been overtaken: what was asked for no longer fits what is.",
        413: "The request is longer than any that makes sense.",
        422: "The request makes no sense; `detail` names the field.",
        429: "Too many wrong tokens came from this address; `Retry-After` says when to come back.",
        503: "The database gave no answer; `Retry-After` says when to come back.",
        "default": "Anything else that went wrong.",
    }
)

RESPONSES: Mapping[int | str, dict[str, Any]] = MappingProxyType(
    {
        status: {
            "description": meaning,
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{SCHEMA_NAME}"}}},
        }
        for status, meaning in _MEANINGS.items()
    }
)
"""How the description of every route names its problems."""


class Problem(HTTPException):
    """A refusal of the API itself, with its type."""

    def __init__(
        self, status: HTTPStatus, kind: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.kind = kind


def answer(
    status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """One problem as a response."""
    return JSONResponse(
        {
            "type": f"{TYPE}{kind}",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
        },
        status_code=status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def install(app: FastAPI) -> None:
    """Let every error that a route raises become a problem."""
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_request)
    app.add_exception_handler(HrsiError, _of_ours)
    app.add_exception_handler(Exception, _of_a_defect)


def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        return answer(error.status_code, error.kind, str(error.detail), error.headers)
    kind = HTTPStatus(error.status_code).name.lower().replace("_", "-")
    return answer(error.status_code, kind, _of_no_route(request, error), error.headers)


def _of_no_route(request: Request, error: HTTPException) -> str:
    """What the framework refused before any of our code saw it, and where to look."""
    path, described = request.url.path, request.app.openapi_url
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"there is nothing at {path}; {described} says what there is"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.method} is not for {path}; {described} says what is"
    return str(error.detail)


def _of_request(request: Request, error: Exception) -> JSONResponse:
    del request
    assert isinstance(error, RequestValidationError)
    faults = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed", "; ".join(faults))


def _of_ours(request: Request, error: Exception) -> JSONResponse:
    del request
    for kind, status, name in _KINDS:
        if isinstance(error, kind):
            return answer(status, name, str(error), _come_back(error))
    raise error


def _come_back(error: Exception) -> dict[str, str]:
    if not isinstance(error, Temporary | Unknown):
        return {}
    return {"Retry-After": str(ceil((error.retry_after or LATER).total_seconds()))}


def _of_a_defect(request: Request, error: Exception) -> JSONResponse:
    # What it was stands in the log, not in the answer: it may hold what is none of the caller's.
    log.error("a request failed", path=request.url.path, exc_info=error)
    detail = "The service failed; its log says why. Nothing is known of what was done."
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, "defect", detail)
