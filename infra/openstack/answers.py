"""The answers that we read, decoded straight into typed structs.

openstacksdk would make an object of ~80 attributes of every server, which costs as much as the
request itself. What we do not use is skipped while decoding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TypeVar

import msgspec

from models.fleet import DEPLOYMENT_METADATA, INTENT_METADATA
from models.images import TEMPLATE_METADATA
from models.world import Image, Quota, Server


class Link(msgspec.Struct):
    """A link of a list; `next` goes on with it."""

    rel: str
    href: str


class _Flavor(msgspec.Struct):
    original_name: str | None = None
    """From microversion 2.47 on; below there is only the id."""

    id: str | None = None


class _Address(msgspec.Struct):
    addr: str
    version: int = 4


class _Fault(msgspec.Struct):
    message: str = ""


class _Image(msgspec.Struct):
    id: str


class ServerEntry(
    msgspec.Struct,
    rename={
        "task_state": "OS-EXT-STS:task_state",
        "availability_zone": "OS-EXT-AZ:availability_zone",
    },
    omit_defaults=True,
):
    """A server in a list. One in a down cell is a stub with little more than its id."""

    id: str
    status: str
    created: datetime
    name: str = ""
    task_state: str | None = None
    availability_zone: str | None = None
    metadata: dict[str, str] = {}
    addresses: dict[str, list[_Address]] = {}
    flavor: _Flavor | None = None
    fault: _Fault | None = None
    image: _Image | str | None = None
    """An empty text where it booted from a volume."""

    def as_server(self, flavor_names: Mapping[str, str]) -> Server:
        """Our record of it. `flavor_names` by id, for clouds that show no name."""
        flavor = self.flavor or _Flavor()
        name = flavor.original_name or flavor_names.get(flavor.id or "", flavor.id)
        return Server(
            id=self.id,
            name=self.name,
            status=self.status,
            created_at=self.created,
            flavor=name or "",
            task_state=self.task_state,
            metadata=self.metadata,
            address=next(self._addresses(), None),
            fault=self.fault.message if self.fault else None,
            image_id=self.image.id if isinstance(self.image, _Image) else None,
        )

    @property
    def is_surely_counted(self) -> bool:
        """Whether a quota that is read next counts it: Nova looks for a host first, which gives the
        server a zone, and one that is being deleted may be gone by then.
        """
        awaits_host = self.task_state == "scheduling" and not self.availability_zone
        return not awaits_host and self.task_state != "deleting"

    def _addresses(self) -> Iterator[str]:
        """IPv4 first; in a network's own order."""
        every = [address for network in self.addresses.values() for address in network]
        return (address.addr for address in sorted(every, key=lambda a: a.version))


class ServerPage(msgspec.Struct):
    """One page of `GET /servers/detail`."""

    servers: list[ServerEntry]
    servers_links: list[Link] = []


class Named(msgspec.Struct):
    """A flavor, image, network or security group: what we use is its name and id."""

    id: str
    name: str | None = None


class FlavorPage(msgspec.Struct):
    """One page of `GET /flavors/detail`."""

    flavors: list[Named]
    flavors_links: list[Link] = []


class ImageEntry(msgspec.Struct):
    """An image in a list; what was given to it as metadata stands beside the rest."""

    id: str
    status: str
    created_at: datetime
    name: str | None = None
    visibility: str = ""
    instance_uuid: str | None = None
    hrsi_deployment: str | None = None
    hrsi_template: str | None = None
    hrsi_intent: str | None = None

    def as_image(self) -> Image:
        """Our record of it."""
        given = {key: getattr(self, key) for key in _IMAGE_METADATA}
        return Image(
            id=self.id,
            name=self.name or "",
            status=self.status,
            created_at=self.created_at,
            made_of=self.instance_uuid,
            metadata={key: value for key, value in given.items() if value is not None},
        )


_IMAGE_METADATA = (DEPLOYMENT_METADATA, TEMPLATE_METADATA, INTENT_METADATA)


class ImagePage(msgspec.Struct):
    """One page of `GET /v2/images`; `next` is the path of the next."""

    images: list[ImageEntry]
    next: str | None = None


class ImageMade(msgspec.Struct):
    """The answer to an order of an image, from microversion 2.45 on."""

    image_id: str


class Console(msgspec.Struct):
    """What a server has written."""

    output: str | None = None


class Networks(msgspec.Struct):
    """`GET /v2.0/networks`."""

    networks: list[Named]


class SecurityGroups(msgspec.Struct):
    """`GET /v2.0/security-groups`."""

    security_groups: list[Named]


class _Absolute(
    msgspec.Struct,
    rename={
        "max_servers": "maxTotalInstances",
        "used_servers": "totalInstancesUsed",
        "max_vcpus": "maxTotalCores",
        "used_vcpus": "totalCoresUsed",
        "max_memory_mb": "maxTotalRAMSize",
        "used_memory_mb": "totalRAMUsed",
    },
):
    max_servers: int
    used_servers: int
    max_vcpus: int
    used_vcpus: int
    max_memory_mb: int
    used_memory_mb: int


class _Limits(msgspec.Struct):
    absolute: _Absolute


class LimitsAnswer(msgspec.Struct):
    """`GET /limits`."""

    limits: _Limits

    def as_quota(self) -> Quota:
        """Our record of it; -1 is how Nova says unlimited."""
        found = self.limits.absolute
        return Quota(
            max_servers=_limit(found.max_servers),
            used_servers=found.used_servers,
            max_vcpus=_limit(found.max_vcpus),
            used_vcpus=found.used_vcpus,
            max_memory_mb=_limit(found.max_memory_mb),
            used_memory_mb=found.used_memory_mb,
        )


def _limit(value: int) -> int | None:
    return None if value < 0 else value


class _Made(msgspec.Struct):
    id: str


class Created(msgspec.Struct):
    """The answer to a create: an id, and no status."""

    server: _Made


class _Status(msgspec.Struct):
    status: str


class Shown(msgspec.Struct):
    """`GET /servers/{id}`, of which only the status matters."""

    server: _Status


Answer = TypeVar("Answer")


def decoded(content: bytes, kind: type[Answer]) -> Answer:
    """Decode an answer. Raises `msgspec.DecodeError` when it makes no sense."""
    return msgspec.json.decode(content, type=kind)
