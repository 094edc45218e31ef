"""What the cloud offers and allows: quota, flavors, images, networks, each asked at most once a
minute, the networks once.

Everything is looked up by name and handed to Nova by id: a name may be that of several things.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from infra.openstack.answers import (
    FlavorPage,
    ImagePage,
    LimitsAnswer,
    Link,
    Named,
    Networks,
    SecurityGroups,
)
from infra.openstack.reads import Reads, next_path
from models.errors import Malformed, Unavailable
from models.images import ACTIVE, IMAGE_PREFIX
from models.world import Image, ImageList, Quota

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenQuota:
    """The quota, and the ids of the servers that it surely counts: the list is older."""

    quota: Quota
    servers: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenImages:
    """Ids of the active images by name (of several the newest), and the images of workers."""

    active: Mapping[str, str]
    of_workers: ImageList


class Kept(Generic[Value]):
    """One answer, kept for `seconds`. Threads that want it at once wait for one request."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: tuple[float, Value] | None = None

    def get(self, ask: Reads, load: Callable[[], Value]) -> Value:
        """What is kept, or else what `load` answers; its errors pass and nothing is kept.

        Raises `Unavailable` when another thread asks for longer than the deadline of this call.
        """
        if not self._lock.acquire(timeout=ask.deadline.require(ask.attempt)):
            raise Unavailable(f"{ask.attempt}: another call waits for the same answer for too long")
        try:
            now, kept = self._monotonic(), self._kept
            if kept is None or now - kept[0] >= self._seconds:
                kept = self._kept = (now, load())
            return kept[1]
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Ask anew the next time."""
        self._kept = None


class Offers:
    """Quota, flavors, images, networks and security groups of the project."""

    def __init__(
        self, seconds: float, monotonic: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self._now = now
        self._lists = itertools.count(1)
        self._quota: Kept[SeenQuota] = Kept(seconds, monotonic)
        self._flavors: Kept[Mapping[str, str]] = Kept(seconds, monotonic)
        self._images: Kept[SeenImages] = Kept(seconds, monotonic)
        self._ids: dict[tuple[str, str], str] = {}

    def quota(self, ask: Reads, counted: Callable[[], frozenset[str]]) -> SeenQuota:
        """The quota at most a minute old."""

        def load() -> SeenQuota:
            answer = ask.compute("/limits", LimitsAnswer)
            return SeenQuota(quota=answer.as_quota(), servers=counted())

        return self._quota.get(ask, load)

    def flavors(self, ask: Reads) -> Mapping[str, str]:
        """Ids of the flavors by name."""

        def load() -> Mapping[str, str]:
            found: dict[str, str] = {}
            path: str | None = "/flavors/detail?limit=1000"
            while path:
                page = ask.compute(path, FlavorPage)
                found.update((flavor.name or "", flavor.id) for flavor in page.flavors)
                path = next_path(page.flavors_links, path)
            return found

        return self._flavors.get(ask, load)

    def images(self, ask: Reads) -> SeenImages:
        """The images at most a minute old."""
        return self._images.get(ask, lambda: self.images_now(ask))

    def images_now(self, ask: Reads) -> SeenImages:
        """All images, of which those of workers are kept whole.

        Only what is private to the project can be the image that we made: an image of others that
        bears its name is none to boot from.
        """
        requested_at = self._now()
        active: dict[str, str] = {}
        of_workers: list[Image] = []
        path: str | None = "/images?limit=1000&sort_key=created_at&sort_dir=desc"
        while path:
            page = ask.image(path, ImagePage)
            for entry in page.images:
                name = entry.name or ""
                if entry.status == ACTIVE:
                    active.setdefault(name, entry.id)
                if name.startswith(IMAGE_PREFIX) and entry.visibility == "private":
                    of_workers.append(entry.as_image())
            path = next_path([Link("next", page.next)] if page.next else [], path)
        listed = ImageList(
            number=next(self._lists), requested_at=requested_at, images=tuple(of_workers)
        )
        return SeenImages(active=active, of_workers=listed)

    def image_id(self, ask: Reads, image: str) -> str:
        """The image of this id, or the newest active one of this name. Raises `Malformed` when
        there is none of the name.
        """
        if _is_id(image):
            return image
        return self._newest(ask, image)

    def _newest(self, ask: Reads, name: str) -> str:
        try:
            return self.images(ask).active[name]
        except KeyError:
            raise Malformed(
                f"{ask.attempt}: there is no active image {name!r} in the project"
            ) from None

    def flavor_id(self, ask: Reads, name: str) -> str:
        """A flavor by name. Raises `Malformed` when the cloud lacks it."""
        try:
            return self.flavors(ask)[name]
        except KeyError:
            raise Malformed(f"{ask.attempt}: the cloud has no flavor {name!r}") from None

    def network_id(self, ask: Reads, name: str) -> str:
        """A network by name or id. Raises `Malformed` unless exactly one has the name."""
        return self._id(
            ask, "network", name, lambda: ask.network("/networks", name, Networks).networks
        )

    def security_group_id(self, ask: Reads, name: str) -> str:
        """A security group by name or id. Raises `Malformed` unless exactly one has the name."""
        return self._id(
            ask,
            "security group",
            name,
            lambda: ask.network("/security-groups", name, SecurityGroups).security_groups,
        )

    def forget_images(self) -> None:
        """List images anew: what was kept is no longer so."""
        self._images.forget()

    def forget_ids(self) -> None:
        """Look networks and security groups up anew: the cloud refused what we named."""
        self._ids.clear()

    def _id(self, ask: Reads, kind: str, name: str, look: Callable[[], list[Named]]) -> str:
        if _is_id(name):
            return name
        known = self._ids.get((kind, name))
        if known is not None:
            return known
        found = [thing.id for thing in look() if thing.name == name]
        if len(found) != 1:
            several = f"{len(found)} {kind}s are" if found else f"no {kind} is"
            raise Malformed(f"{ask.attempt}: {several} called {name!r}; name one by its id instead")
        self._ids[kind, name] = found[0]
        return found[0]


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name.lower()
    except ValueError:
        return False
