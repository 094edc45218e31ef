"""What a run is handed through Nomad: the envelope between the controller and the worker program.

The run token lets the program on the worker speak for its run. It is computed from a key and the
run uuid, so nobody stores it; it travels in the payload alone, never in meta, which is listed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from models.errors import Malformed

FILE = "payload.json"
"""Where a task finds its payload, below NOMAD_TASK_DIR."""

MAX_BYTES = 16_384
"""The longest payload that Nomad takes, before it is encoded for the wire."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Payload:
    """The run's token and what its job is to work on."""

    token: str = field(repr=False)
    input: Mapping[str, Any] = field(default_factory=dict)


def run_token(key: bytes, run_id: UUID) -> str:
    """The token of a run: HMAC-SHA256 of its uuid, in hex."""
    return hmac.new(key, str(run_id).encode(), hashlib.sha256).hexdigest()


def encode(payload: Payload) -> bytes:
    """The payload as JSON. Raises `Malformed` when Nomad would refuse it as too long."""
    document = {"token": payload.token, "input": dict(payload.input)}
    text = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    if len(text) > MAX_BYTES:
        raise Malformed(
            f"the input of the job makes a payload of {len(text)} bytes, Nomad takes {MAX_BYTES}; "
            "keep large inputs in the object store and name them"
        )
    return text


def decode(text: bytes) -> Payload:
    """The payload that `encode` wrote. Raises `Malformed` when it is none."""
    try:
        document = json.loads(text)
        return Payload(token=str(document["token"]), input=dict(document["input"]))
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed(f"the payload is not one of ours: {error!r}") from error
