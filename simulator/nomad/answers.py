"""What Nomad is told and what it says back: bodies of requests, and the answers to writes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from werkzeug.wrappers import Request

from simulator.nomad.jobs import Dispatched, Evaluated
from simulator.nomad.rows import NomadError

UUID_LENGTH = 36
WRITE_META = {"LastContact": 0, "KnownLeader": False, "NextToken": ""}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What is said: a body that becomes JSON, its Raft index (None: it is not about the replicated
    state), and the token of a next page.
    """

    body: Any
    index: int | None = None
    next_token: str = ""


def body_of(request: Request) -> Mapping[str, Any]:
    """What a request brings; 400 when it brings nothing or no object."""
    try:
        body = msgspec.json.decode(request.get_data())
    except msgspec.DecodeError as error:
        said = str(error) if request.get_data() else "Request body is empty"
        raise NomadError(400, said) from error
    if not isinstance(body, dict):
        raise NomadError(400, "request body must be a JSON object")
    return body


def payload_of(payload: str) -> bytes:
    """A payload as it was before base64; 400 when it never was."""
    try:
        return base64.b64decode(payload, validate=True)
    except binascii.Error as error:
        raise NomadError(400, f"illegal base64 data at input byte 0 ({error})") from error


def check_uuid(text: str, what: str) -> None:
    """Refuse, with 500, what cannot be the id of anything that has a uuid."""
    if len(text) != UUID_LENGTH:
        raise NomadError(500, f"{what} lookup failed: index error: UUID must be 36 characters")


def drain_deadline(spec: Mapping[str, Any]) -> timedelta | None:
    """How long a drain waits: Nomad counts nanoseconds, 0 is for ever, below 0 not at all."""
    nanoseconds = int(spec.get("Deadline") or 0)
    return timedelta(microseconds=max(0, nanoseconds) / 1000) if nanoseconds else None


def dispatched(made: Dispatched) -> Answer:
    """What is said to a dispatch."""
    body = {
        "DispatchedJobID": made.job_id,
        "EvalID": made.eval_id,
        "EvalCreateIndex": made.eval_index,
        "JobCreateIndex": made.job_index,
        "Index": made.index,
    }
    return Answer(body=body, index=made.index)


def evaluated(made: Evaluated, **more: Any) -> Answer:
    """What is said to whatever makes an evaluation; `more` is said besides."""
    body = {
        "EvalID": made.eval_id,
        "EvalCreateIndex": made.index if made.eval_id else 0,
        "JobModifyIndex": made.job_modify_index,
        "Index": made.index,
        **more,
        **WRITE_META,
    }
    return Answer(body=body, index=made.index)
