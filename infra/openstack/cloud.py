"""The port `Cloud` on a real OpenStack, through the session of openstacksdk."""

from __future__ import annotations

import itertools
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec
import requests

from infra.openstack.access import Access
from infra.openstack.answers import (
    Console,
    Created,
    ImageMade,
    ServerEntry,
    ServerPage,
    Shown,
    decoded,
)
from infra.openstack.offers import Offers
from infra.openstack.reads import Microversion, Reads, next_path
from infra.openstack.transport import calling
from infra.retry import Deadline, RetryPolicy
from models.errors import ConfigurationError, Conflict, Malformed, NotFound, Unavailable, Unknown
from models.job_types import Registry
from models.ports import Clock, ImageOrder, ServerOrder
from models.world import CloudSnapshot, ImageList, Server


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudCalls:
    """How the adapter calls. `call_deadline` is asked for on every call: it is a parameter."""

    call_deadline: Callable[[], timedelta] = field(default=lambda: timedelta(seconds=30))
    """Longest time of one call of the port, with all the requests and retries that it needs."""

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    """For reads. Creates and deletes are sent once."""

    page_size: int = 1000
    """Servers per page; Nova's default maximum. Smaller costs requests, larger is cut by Nova."""

    kept: timedelta = timedelta(minutes=1)
    """How old quota, flavors and images may be."""


_Shown: TypeAlias = tuple[Mapping[str, ServerEntry], Mapping[str, str], tuple[Server, ...]]
"""A list, the flavors at that time, and what was made of both."""


class _MarkerGone(Conflict):
    """The list changed under us in a way that the pages to come cannot make up for."""


class OpenStackCloud:
    """Implements `models.ports.Cloud`. Threads may share it."""

    def __init__(self, access: Access, clock: Clock, calls: CloudCalls | None = None) -> None:
        self._access = access
        self._clock = clock
        self._calls = calls or CloudCalls()
        self._offers = Offers(self._calls.kept.total_seconds(), clock.monotonic, clock.now)
        self._microversion = Microversion()
        self._numbers = itertools.count(1)
        self._shown: _Shown = {}, {}, ()

    def close(self) -> None:
        """Close the connections that are kept."""
        self._access.close()

    @property
    def microversion(self) -> str | None:
        """The compute microversion that was agreed on; None before the first request."""
        return self._microversion.agreed

    # ---- the port --------------------------------------------------------------------------------

    def snapshot(self) -> CloudSnapshot:
        """All pages of the server list or an error; see the port."""
        with self._asking("snapshot", "list servers") as ask:
            requested_at, entries = self._list(ask)
            flavors = self._offers.flavors(ask)
            quota = self._offers.quota(ask, lambda: _surely_counted(entries))
            images = self._offers.images(ask)
            return CloudSnapshot(
                number=next(self._numbers),
                requested_at=requested_at,
                servers=self._servers(entries, flavors),
                quota=quota.quota,
                quota_servers=quota.servers,
                flavors=frozenset(flavors),
                images=frozenset(images.active),
                worker_images=images.of_workers,
            )

    def _servers(
        self, entries: dict[str, ServerEntry], flavors: Mapping[str, str]
    ) -> tuple[Server, ...]:
        """The records of a list: the very same ones while the list says the same, so that whoever
        has joined them need not do it again.
        """
        listed, offered, servers = self._shown
        if entries != listed or flavors != offered:
            names = {flavor_id: name for name, flavor_id in flavors.items()}
            servers = tuple(entry.as_server(names) for entry in entries.values())
            self._shown = entries, flavors, servers
        return servers

    def create(self, order: ServerOrder) -> str:
        """POST once; see the port. What is looked up before it raises as a read does."""
        attempt = f"create server {order.name} ({order.flavor})"
        with self._asking("create", attempt) as ask:
            body = self._body(order, ask)
            response = self._send(ask, "POST", "/servers", json={"server": body})
            if response.status_code != requests.codes.accepted:
                error = self._access.translator.refusal(
                    attempt, response, is_write=True, private=_private(order, body)
                )
                if isinstance(error, Malformed):
                    self._offers.forget_ids()
                raise error
            try:
                return decoded(response.content, Created).server.id
            except msgspec.DecodeError as error:
                raise Unknown(
                    f"{attempt}: accepted, but the answer names no id ({error}); look for it"
                ) from error

    def delete(self, server_id: str) -> None:
        """DELETE once; a 404 that names the server is success."""
        attempt = f"delete server {server_id}"
        with self._asking("delete", attempt) as ask:
            response = self._send(ask, "DELETE", _path(server_id))
            if response.status_code not in {requests.codes.no_content, requests.codes.accepted}:
                error = self._access.translator.refusal(attempt, response, is_write=True)
                if not isinstance(error, NotFound):
                    raise error
                _require_named(error, server_id)

    def exists(self, server_id: str) -> bool:
        """False for DELETED and for a 404 that names the server; every other doubt raises."""
        with self._asking("exists", f"look for server {server_id}") as ask:
            try:
                shown = ask.compute(_path(server_id), Shown)
            except NotFound as error:
                _require_named(error, server_id)
                return False
            return shown.server.status != "DELETED"

    def worker_images(self) -> ImageList:
        """The list of images, asked for now."""
        with self._asking("worker_images", "list images") as ask:
            return self._offers.images_now(ask).of_workers

    def console(self, server_id: str) -> str:
        """POST, as Nova wants it, of what only reads: no answer is never `Unknown`."""
        attempt = f"read the console of server {server_id}"
        with self._asking("console", attempt) as ask:
            try:
                response = self._act(ask, server_id, {"os-getConsoleOutput": {}})
            except Unknown as error:
                raise Unavailable(f"{attempt}: no answer") from error
            if response.status_code != requests.codes.ok:
                raise self._access.translator.refusal(attempt, response, is_write=False)
            try:
                return decoded(response.content, Console).output or ""
            except msgspec.DecodeError as error:
                raise Malformed(f"{attempt}: the answer makes no sense: {error}") from error

    def make_image(self, order: ImageOrder) -> str:
        """POST once; see the port."""
        attempt = f"make image {order.name} of server {order.server_id}"
        with self._asking("make_image", attempt) as ask:
            wanted = {"name": order.name, "metadata": dict(order.metadata)}
            response = self._act(ask, order.server_id, {"createImage": wanted})
            self._offers.forget_images()
            if response.status_code != requests.codes.accepted:
                raise self._access.translator.refusal(attempt, response, is_write=True)
            try:
                # Below microversion 2.45 the id stands in the Location alone.
                if not response.content:
                    return response.headers["Location"].rstrip("/").rpartition("/")[2]
                return decoded(response.content, ImageMade).image_id
            except (KeyError, msgspec.DecodeError) as error:
                raise Unknown(
                    f"{attempt}: accepted, but the answer names no id ({error}); look for it"
                ) from error

    def delete_image(self, image_id: str) -> None:
        """DELETE once; a 404 that names the image is success."""
        attempt = f"delete image {image_id}"
        with self._asking("delete_image", attempt) as ask:
            response = self._access.send(
                self._access.image,
                "DELETE",
                f"/images/{quote(image_id, safe='')}",
                ask.attempt,
                ask.call,
            )
            self._offers.forget_images()
            if response.status_code != requests.codes.no_content:
                error = self._access.translator.refusal(attempt, response, is_write=True)
                if not isinstance(error, NotFound):
                    raise error
                _require_named(error, image_id)

    # ---- before the start ------------------------------------------------------------------------

    def check_project(self, expected: str) -> None:
        """Make sure that the credentials open the project that the settings name, by name or id.

        Raises `ConfigurationError` when it is another one, and a `PortError` when the cloud cannot
        be asked.
        """
        with self._asking("check_project", "check the project") as ask:
            found = self._calls.retry.call(
                lambda: self._access.project(ask.attempt, ask.call), ask.deadline
            )
        if expected not in found:
            raise ConfigurationError(
                f"the settings name the OpenStack project {expected!r}, but "
                f"{self._access.translator.who} opens project {found[1]!r} (id {found[0]}); "
                "nothing was touched: correct the setting, or OS_PROJECT_NAME / OS_CLOUD"
            )

    def check_flavors(self, registry: Registry) -> tuple[str, ...]:
        """Flavors of the registry that the cloud lacks, by name; jobs on them will wait.

        Raises a `PortError` when the cloud cannot be asked.
        """
        with self._asking("check_flavors", "list flavors") as ask:
            offered = self._offers.flavors(ask)
        return tuple(sorted(name for name in registry.flavors if name not in offered))

    def check_networks(self, networks: Sequence[str], security_groups: Sequence[str]) -> None:
        """Make sure that these exist, each once. Raises `Malformed` naming the one that does not.

        Raises another `PortError` when the cloud cannot be asked.
        """
        with self._asking("check_networks", "look for networks and security groups") as ask:
            for name in networks:
                self._offers.network_id(ask, name)
            for name in security_groups:
                self._offers.security_group_id(ask, name)

    def agreed_microversion(self) -> tuple[int, int]:
        """The compute microversion that this cloud and this program speak.

        Raises a `PortError` when the cloud cannot be asked.
        """
        with self._asking("agreed_microversion", "agree on a microversion") as ask:
            least, most = self._microversion.agree(self._access, ask.attempt, ask.call).split(".")
        return int(least), int(most)

    def ahead(self) -> timedelta:
        """How far the cloud's clock is ahead of ours, to a second: that of its compute service.

        Raises a `PortError` when the cloud cannot be asked.
        """
        with self._asking("ahead", "ask the cloud for the time") as ask:
            self._microversion.agree(self._access, ask.attempt, ask.call)
            asked = self._clock.now()
            response = self._send(ask, "GET", "/limits")
            ours = asked + (self._clock.now() - asked) / 2
            try:
                told = parsedate_to_datetime(response.headers["Date"])
            except (KeyError, ValueError) as error:
                raise Malformed(f"{ask.attempt}: its answer has no Date") from error
        return told + timedelta(milliseconds=500) - ours

    # ---- how -------------------------------------------------------------------------------------

    @contextmanager
    def _asking(self, name: str, attempt: str) -> Iterator[Reads]:
        deadline = Deadline.after(self._calls.call_deadline())
        with calling(name, deadline) as call:
            yield Reads(
                access=self._access,
                microversion=self._microversion,
                call=call,
                attempt=attempt,
                retry=self._calls.retry,
            )

    def _list(self, ask: Reads) -> tuple[datetime, dict[str, ServerEntry]]:
        """Every page, and when the first was asked for.

        The server that the next page was to follow may vanish meanwhile: the list starts again.
        """
        for _ in range(1, self._calls.retry.attempts):
            try:
                return self._pages(ask)
            except _MarkerGone:
                continue
        return self._pages(ask)

    def _pages(self, ask: Reads) -> tuple[datetime, dict[str, ServerEntry]]:
        requested_at = self._clock.now()
        found: dict[str, ServerEntry] = {}
        path: str | None = f"/servers/detail?limit={self._calls.page_size}"
        while path:
            try:
                page = ask.compute(path, ServerPage)
            except Malformed as error:
                if "marker=" in path and "marker" in str(error):
                    raise _MarkerGone(f"{ask.attempt}: {error}") from error
                raise
            # By id: a server that two pages show is one.
            found.update((entry.id, entry) for entry in page.servers)
            path = next_path(page.servers_links, path)
        return requested_at, found

    def _send(self, ask: Reads, method: str, path: str, **options: Any) -> requests.Response:
        asked = self._microversion.agree(self._access, ask.attempt, ask.call)
        return self._access.send(
            self._access.compute,
            method,
            path,
            ask.attempt,
            ask.call,
            microversion=asked,
            **options,
        )

    def _act(self, ask: Reads, server_id: str, what: Mapping[str, Any]) -> requests.Response:
        return self._send(ask, "POST", f"{_path(server_id)}/action", json=what)

    def _body(self, order: ServerOrder, ask: Reads) -> dict[str, Any]:
        networks = [{"uuid": self._offers.network_id(ask, name)} for name in order.networks]
        groups = [
            {"name": self._offers.security_group_id(ask, name)} for name in order.security_groups
        ]
        body: dict[str, Any] = {
            "name": order.name,
            "flavorRef": self._offers.flavor_id(ask, order.flavor),
            "imageRef": self._offers.image_id(ask, order.image),
            "networks": networks or "auto",
            "metadata": dict(order.metadata),
        }
        if groups:
            body["security_groups"] = groups
        if order.key_name:
            body["key_name"] = order.key_name
        if order.user_data is not None:
            body["user_data"] = b64encode(order.user_data.encode()).decode()
        return body


def _private(order: ServerOrder, body: Mapping[str, Any]) -> tuple[str | None, ...]:
    return order.user_data, body.get("user_data")


def _surely_counted(entries: Mapping[str, ServerEntry]) -> frozenset[str]:
    return frozenset(entry.id for entry in entries.values() if entry.is_surely_counted)


def _path(server_id: str) -> str:
    return f"/servers/{quote(server_id, safe='')}"


def _require_named(error: NotFound, thing_id: str) -> None:
    """A service's 404 names what it lacks; any other may be of a wrong URL, and proves nothing."""
    if thing_id not in str(error).partition(": ")[2]:
        raise Unavailable(f"{error}; it does not name {thing_id}, so it proves nothing") from error
