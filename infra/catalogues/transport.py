"""The one place where requests to catalogues leave: one at a time, bounded in time and size.

    no answer, or one that is cut short     Unavailable
    429, or 503 that says when              Throttled
    401, 403                                Refused
    404                                     NotFound
    other 4xx                               Malformed
    5xx                                     Unavailable

A catalogue that asked to be left alone is: until then nothing is sent, whoever calls. Answers of
others never decide where we go: redirections are not followed, and neither are links in a page.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Timeout

from infra.catalogues.access import CatalogueAccess
from infra.retry import Deadline, rest_asked_for
from models.errors import (
    Malformed,
    NotFound,
    PortError,
    Refused,
    Throttled,
    Unavailable,
)

TEXT_KEPT = 300
"""Characters kept of any text of others."""

THROTTLED_FOR = timedelta(seconds=60)
"""When to come back after a 429 that does not say when: what operators were told to wait."""

LONGEST_REST = timedelta(minutes=15)
"""The longest rest that a catalogue may impose on us: a clock that is wrong must not stop us."""

CHUNK = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One GET to be: what for, as people and metrics read it, and to where."""

    name: str
    attempt: str
    path: str
    params: Mapping[str, str]


class Transport:
    """Sends requests to one catalogue, one after another whichever thread they come from."""

    def __init__(
        self,
        access: CatalogueAccess,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._access = access
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._rests_until = float("-inf")
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "hrsi-controller"
        self._session.headers["Accept"] = "application/json"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=1, max_retries=0))
        around = self._session.merge_environment_settings(
            access.base, {}, None, access.verify, None
        )
        # Asked for once: requests would look through the whole environment at every request, and
        # would send whatever password a .netrc holds.
        self._session.trust_env = False
        self._session.proxies.update(around["proxies"])
        self._session.verify = around["verify"]

    def close(self) -> None:
        """Close the connection that is kept."""
        self._session.close()

    def get(self, ask: Ask) -> bytes:
        """The whole body of a 200. Raises what the table above says, after the attempts of the
        policy that fit into the deadline.
        """
        deadline = Deadline.after(self._access.call_deadline(), self._clock)
        if not self._lock.acquire(timeout=max(0.0, deadline.remaining())):
            raise Unavailable(f"{ask.attempt}: another question to this catalogue takes too long")
        try:
            return self._access.retry.call(lambda: self._once(ask, deadline), deadline, self._sleep)
        finally:
            self._lock.release()

    def _once(self, ask: Ask, deadline: Deadline) -> bytes:
        left = deadline.require(ask.attempt)
        self._require_no_rest(ask)
        # Handed on as it is: urllib3's own bounds connecting and waiting together.
        bounds: dict[str, Any] = {"timeout": Timeout(total=left)}
        begun, ended = self._clock(), "no_connection"
        try:
            response = self._session.get(
                self._access.base + ask.path,
                params=dict(ask.params),
                stream=True,
                allow_redirects=False,
                **bounds,
            )
            ended = "cut_short"
            with response:
                body = self._body(response, ask, deadline)
            ended = str(response.status_code)
        except requests.RequestException as error:
            if isinstance(error, requests.Timeout):
                ended = "timeout"
            raise Unavailable(f"{ask.attempt}: {self._unanswered(error)}") from error
        finally:
            self._access.on_request(ask.name, ended, self._clock() - begun)
        if response.status_code != requests.codes.ok:
            raise self._answered(ask, response, body)
        return body

    def _body(self, response: requests.Response, ask: Ask, deadline: Deadline) -> bytes:
        """All of it, unless it takes longer than the call may or is bigger than any page."""
        parts: list[bytes] = []
        size = 0
        for part in response.iter_content(CHUNK):
            parts.append(part)
            size += len(part)
            if size > self._access.most_bytes:
                raise Malformed(f"{ask.attempt}: the answer is bigger than {size:,} bytes")
            if deadline.remaining() <= 0:
                raise Unavailable(
                    f"{ask.attempt}: too slow, {size:,} bytes came before the deadline"
                )
        return b"".join(parts)

    def _require_no_rest(self, ask: Ask) -> None:
        left = self._rests_until - self._clock()
        if left > 0:
            raise Throttled(
                f"{ask.attempt}: {self._access.name} asked to be left alone for {left:.0f} s more; "
                "nothing was sent",
                retry_after=timedelta(seconds=left),
            )

    def _answered(self, ask: Ask, response: requests.Response, body: bytes) -> PortError:
        said = _cut(body.decode("utf-8", "replace"))
        text = f"{ask.attempt}: {response.status_code} {said}"
        when = rest_asked_for(response.headers.get("Retry-After"), self._access.now())
        match response.status_code:
            case 429:
                return self._throttled(text, THROTTLED_FOR if when is None else when)
            case 503 if when is not None:
                return self._throttled(text, when)
            case 401 | 403:
                return Refused(f"{text}; check the address of catalogue {self._access.name}")
            case 404:
                return NotFound(f"{text}; check the address of catalogue {self._access.name}")
            case status if status >= 500:
                return Unavailable(text)
            case _:
                return Malformed(text)

    def _throttled(self, text: str, when: timedelta) -> Throttled:
        rest = min(when, LONGEST_REST)
        self._rests_until = self._clock() + rest.total_seconds()
        return Throttled(
            f"{text}; asked again after {rest.total_seconds():.0f} s", retry_after=rest
        )

    def _unanswered(self, error: requests.RequestException) -> str:
        address = urlsplit(self._access.base)
        where = f"{self._access.name} at {address.scheme}://{address.netloc}"
        said = str(error)
        if isinstance(error, requests.Timeout):
            return f"{where} does not answer in time"
        if "Connection refused" in said:
            return f"{where} refuses connections"
        if isinstance(error, requests.exceptions.ChunkedEncodingError):
            return f"the answer of {where} was cut short"
        return f"{where}: {_cut(said)}"


class OverHttp:
    """What every catalogue over HTTP is: a name, and a connection that is kept."""

    def __init__(self, access: CatalogueAccess, transport: Transport | None = None) -> None:
        self._access = access
        self._transport = transport or Transport(access)

    @property
    def name(self) -> str:
        """What this installation calls it."""
        return self._access.name

    def close(self) -> None:
        """Close the connection that is kept."""
        self._transport.close()


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= TEXT_KEPT else text[: TEXT_KEPT - 1] + "…"
