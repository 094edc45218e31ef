"""The one place where requests to OpenStack leave: bounded in time, counted, never repeated.

keystoneauth may send several requests for one call of ours (a token, a version document, the
request itself, a new token after a 401 and the request once more). All of them share the deadline
of the call, and each is reported. `Call.left` says afterwards whether a write may have reached the
cloud, which tells "nothing was done" from "nobody knows".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

import requests
from keystoneauth1.session import TCPKeepAliveAdapter
from requests.exceptions import ConnectTimeout
from urllib3.exceptions import MaxRetryError, NewConnectionError
from urllib3.util import Timeout

from infra.retry import Deadline

OnRequest: TypeAlias = Callable[[str, str, float], None]
"""Told of every request: what it was for, how it ended (a status, `timeout` or `no_connection`),
and how many seconds that took."""

POOL_SIZE = 32
"""Connections kept per service; one for every thread that may call at once, and some."""


@dataclass(kw_only=True, slots=True)
class Call:
    """One call of the port. `left`: a write may have reached the cloud without an answer."""

    name: str
    deadline: Deadline
    left: bool = False


_current: ContextVar[Call] = ContextVar("openstack_call")


@contextmanager
def calling(name: str, deadline: Deadline) -> Iterator[Call]:
    """Let every request of this thread be part of a call until the end of the block."""
    call = Call(name=name, deadline=deadline)
    before = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(before)


class BoundedTransport(TCPKeepAliveAdapter):
    """Sends requests within the deadline of the current call and reports each of them.

    The deadline covers connecting and waiting for the answer to begin; once it arrives, no pause
    in it may be longer than what was left.
    """

    def __init__(self, on_request: OnRequest) -> None:
        super().__init__(pool_maxsize=POOL_SIZE, max_retries=0)
        self._on_request = on_request

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        """Send one request. Raises what requests raises; `ConnectTimeout` when no time is left."""
        call = _current.get()
        remaining = call.deadline.remaining()
        if remaining <= 0:
            raise ConnectTimeout(f"the deadline of {call.name} has passed", request=request)
        options["timeout"] = Timeout(total=remaining)
        is_write = request.method not in {"GET", "HEAD"} and not _is_authentication(request)
        call.left = call.left or is_write
        begun, outcome = time.monotonic(), "no_connection"
        try:
            response = super().send(request, *args, **options)
            outcome = str(response.status_code)
        except requests.Timeout:
            outcome = "timeout"
            raise
        except requests.ConnectionError as error:
            call.left = call.left and not (is_write and _never_left(error))
            raise
        finally:
            self._on_request(_purpose(call, request), outcome, time.monotonic() - begun)
        if response.status_code == requests.codes.unauthorized and is_write:
            call.left = False  # keystoneauth gets a new token and sends it once more
        return response


def _never_left(error: requests.ConnectionError) -> bool:
    """Whether the connection could not even be opened: refused, no route, no such host."""
    reason = error.args[0] if error.args else None
    return isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError)


def _is_authentication(request: requests.PreparedRequest) -> bool:
    return (request.url or "").partition("?")[0].endswith("/auth/tokens")


def _purpose(call: Call, request: requests.PreparedRequest) -> str:
    return "authenticate" if _is_authentication(request) else call.name
