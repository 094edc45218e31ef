"""The one place where requests to Nomad leave: bounded in time, counted, never repeated.

All go through python-nomad's public `request`, whose answer keeps the headers that its named
methods drop. Its defects (version 2.1.0) that are worked around here:

- each endpoint makes a session of its own, 37 in all, against Nomad's limit of 100 connections per
  address: they share ours;
- TLS is not checked by default: `verify` is always passed;
- `nomad.Nomad` reads address, token, namespace and region from the environment when it is told
  none: the endpoints are made one by one, told everything;
- it changes the `params` and `headers` that it is handed: it gets copies;
- a `user_agent` without a token is a TypeError: ours is on the session;
- ids go into the path as they are: `?` and `#` are quoted, `/` may stay;
- whatever is below 400 counts as success: only 2xx does here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
import requests
from nomad import api
from requests import Response
from requests.adapters import HTTPAdapter
from urllib3.util import Timeout

from infra.nomad.access import NomadAccess, OnRequest
from infra.nomad.translation import LIBRARY_ERRORS, answered, outcome, translated
from infra.retry import Deadline
from models.errors import Malformed, Unknown

POOL_SIZE = 32
"""Connections kept; one for every thread that may call at once, and some."""

Params = Mapping[str, str | Sequence[str]]
Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request to be: what for, as people and metrics read it, and to where.

    Booleans in `params` are lowercase words: `reverse` is ignored when it is anything else.
    """

    name: str
    attempt: str
    endpoint: str
    path: tuple[str, ...] = ()
    method: str = "get"
    params: Params = field(default_factory=dict)
    json: Any = None

    @property
    def writes(self) -> bool:
        """Whether it may change something in Nomad."""
        return self.method != "get"


class Transport:
    """Sends requests to one Nomad; used by all threads."""

    def __init__(self, access: NomadAccess, on_request: OnRequest) -> None:
        self._access = access
        self._on_request = on_request
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "hrsi-controller"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=POOL_SIZE, max_retries=0))
        around = self._session.merge_environment_settings(
            access.base, {}, None, access.verify, None
        )
        # Asked for once: requests would look through the whole environment at every request.
        self._session.trust_env = False
        self._session.proxies.update(around["proxies"])
        settings = {
            "address": access.base,
            "token": access.token,
            "namespace": access.namespace,
            "region": access.region,
            "verify": around["verify"],
            "cert": access.certificate or (),
            "session": self._session,
        }
        self._endpoints = {
            "acl": api.Acl(**settings),
            "agent": api.Agent(**settings),
            "job": api.Job(**settings),
            "jobs": api.Jobs(**settings),
            "node": api.Node(**settings),
            "nodes": api.Nodes(**settings),
            "evaluations": api.Evaluations(**settings),
            "allocations": api.Allocations(**settings),
            "allocation": api.Allocation(**settings),
            "client/fs/ls": api.client.ls(**settings),
            "client/fs/readat": api.client.read_at(**settings),
            "event/stream": api.Event(**settings).stream,
        }

    def close(self) -> None:
        """Close the connections that are kept."""
        self._session.close()

    def send(self, call: Call, deadline: Deadline, *, stream: float | None = None) -> Response:
        """Send one request; its answer, which is a 2xx. Raises what `translation` says.

        The deadline covers connecting and waiting for the answer to begin. `stream`: the answer is
        read as it comes, with at most that many seconds of silence.
        """
        left = deadline.require(call.attempt)
        timeout = Timeout(total=left) if stream is None else Timeout(connect=left, read=stream)
        begun, ended = time.monotonic(), "no_connection"
        try:
            response: Response = self._endpoints[call.endpoint].request(
                *(quote(part, safe="/") for part in call.path),
                method=call.method,
                params=dict(call.params),
                json=call.json,
                timeout=timeout,
                stream=stream is not None,
                # Compressed, a line would wait in the compressor for those after it.
                headers=None if stream is None else {"Accept-Encoding": "identity"},
            )
            ended = str(response.status_code)
        except LIBRARY_ERRORS as error:
            ended = outcome(error)
            raise translated(call.attempt, error, write=call.writes) from error
        finally:
            self._on_request(call.name, ended, time.monotonic() - begun)
        if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            raise answered(call.attempt, response, write=call.writes)
        return response


def decoded(decode: Callable[[bytes], Answer], response: Response, call: Call) -> Answer:
    """What `decode` makes of the answer. Nonsense is `Malformed`, after a write `Unknown`."""
    try:
        return decode(response.content)
    except msgspec.DecodeError as error:
        text = f"{call.attempt}: the answer is not what Nomad sends: {error}"
        raise (Unknown if call.writes else Malformed)(text) from error
    except requests.RequestException as error:
        raise translated(call.attempt, error, write=call.writes) from error
