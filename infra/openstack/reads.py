"""Reading: GET, decode, and ask again while the deadline allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
import requests
from keystoneauth1.adapter import Adapter

from infra.openstack.access import Access
from infra.openstack.answers import Link, decoded
from infra.openstack.transport import Call
from infra.retry import Deadline, RetryPolicy
from models.errors import Malformed

WANTED_MICROVERSION = (2, 75)
"""From 2.69 on lists show servers of down cells as stubs, from 2.47 on the flavor by name, and
from 2.75 on an unknown filter is refused instead of listing everything. The same on every cloud
that offers it, so that a newer cloud changes nothing for us."""

Answer = TypeVar("Answer")


class Microversion:
    """The one compute microversion that every request of ours asks for."""

    def __init__(self) -> None:
        self._agreed: tuple[int, int] | None = None

    @property
    def agreed(self) -> str | None:
        """What was agreed on, if anything was yet."""
        return None if self._agreed is None else f"{self._agreed[0]}.{self._agreed[1]}"

    def agree(self, access: Access, attempt: str, call: Call) -> str:
        """The wanted one, or the nearest that the cloud offers; looked up once."""
        if self._agreed is None:
            least, most = access.microversions(attempt, call)
            self._agreed = max(least, min(most, WANTED_MICROVERSION))
        return f"{self._agreed[0]}.{self._agreed[1]}"

    def check(self, response: requests.Response, attempt: str, asked: str) -> None:
        """Raises `Malformed` when the answer is of another microversion than was asked for."""
        header = response.headers.get("OpenStack-API-Version", "")
        came = header.removeprefix("compute").strip() or response.headers.get(
            "X-OpenStack-Nova-API-Version", ""
        )
        if came != asked:
            raise Malformed(
                f"{attempt}: asked for compute microversion {asked} and got {came or 'none'}; "
                "what it lists cannot be trusted"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Reads:
    """The reads of one call of the port, all within its deadline."""

    access: Access
    microversion: Microversion
    call: Call
    attempt: str
    retry: RetryPolicy

    @property
    def deadline(self) -> Deadline:
        """When the call has ended."""
        return self.call.deadline

    def compute(self, path: str, kind: type[Answer]) -> Answer:
        """GET from Nova. Raises a `PortError`, never `Unknown`."""
        return self._again(lambda: self._decoded(self._compute(path), kind))

    def image(self, path: str, kind: type[Answer]) -> Answer:
        """GET from Glance. Raises as `compute`."""
        return self._again(lambda: self._decoded(self._get(self.access.image, path), kind))

    def network(self, path: str, name: str, kind: type[Answer]) -> Answer:
        """GET from Neutron what has a name. Raises as `compute`."""

        def read() -> Answer:
            url = self.access.network_path(path, self.attempt, self.call)
            query = urlencode({"name": name})
            return self._decoded(self._get(self.access.network, f"{url}?{query}"), kind)

        return self._again(read)

    def _again(self, read: Callable[[], Answer]) -> Answer:
        return self.retry.call(read, self.deadline)

    def _compute(self, path: str) -> requests.Response:
        asked = self.microversion.agree(self.access, self.attempt, self.call)
        response = self._get(self.access.compute, path, microversion=asked)
        self.microversion.check(response, self.attempt, asked)
        return response

    def _get(self, adapter: Adapter, path: str, **options: Any) -> requests.Response:
        attempt = f"{self.attempt}, GET {urlsplit(path).path}"
        response = self.access.send(adapter, "GET", path, attempt, self.call, **options)
        if response.status_code != requests.codes.ok:
            raise self.access.translator.refusal(attempt, response, is_write=False)
        return response

    def _decoded(self, response: requests.Response, kind: type[Answer]) -> Answer:
        try:
            return decoded(response.content, kind)
        except msgspec.DecodeError as error:
            raise Malformed(f"{self.attempt}: the answer makes no sense: {error}") from error


def next_path(links: Iterable[Link], path: str) -> str | None:
    """Path and query of the next page. Its host is dropped: behind a proxy it may be wrong.

    Raises `Malformed` when a list names itself as its next page.
    """
    href = next((link.href for link in links if link.rel == "next"), None)
    if href is None:
        return None
    following = f"{path.partition('?')[0]}?{urlsplit(href).query}"
    if following == path:
        raise Malformed(f"the list {path} names itself as its next page")
    return following
