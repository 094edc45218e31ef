"""What OpenStack lists: servers and the quota."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from models.fleet import DEPLOYMENT_METADATA, FLAVOR_METADATA, INTENT_METADATA
from models.images import TEMPLATE_METADATA, image_name
from models.job_types import DEFAULT_REGISTRY
from models.world import CloudSnapshot, Image, ImageList, Quota, Server
from simulator.examples.base import DEPLOYMENT, FLAVOR, LONG_AGO, NOW, address_of, an_id


def a_server(number: int = 1, **changes: Any) -> Server:
    """The active server of worker `number`, with the metadata that says whose it is."""
    flavor = changes.get("flavor", FLAVOR)
    default = Server(
        id=str(an_id("server", number)),
        name=f"os-worker-{number:03d}",
        status="ACTIVE",
        created_at=LONG_AGO,
        flavor=flavor,
        metadata={
            DEPLOYMENT_METADATA: DEPLOYMENT,
            FLAVOR_METADATA: flavor,
            INTENT_METADATA: str(an_id("create", number)),
        },
        address=address_of(number),
    )
    return replace(default, **changes)


TEMPLATE = "tf-titi"


def a_template(number: int = 1, **changes: Any) -> Server:
    """Template server `number`, set up long ago."""
    default = Server(
        id=str(an_id("template", number)),
        name=TEMPLATE,
        status="ACTIVE",
        created_at=LONG_AGO,
        flavor="eo1.xsmall",
    )
    return replace(default, **changes)


def an_image(number: int = 1, **changes: Any) -> Image:
    """The active image that we made of template `number`."""
    template = str(an_id("template", number))
    default = Image(
        id=str(an_id("image", number)),
        name=image_name(template),
        status="active",
        created_at=LONG_AGO,
        made_of=template,
        metadata={
            DEPLOYMENT_METADATA: DEPLOYMENT,
            TEMPLATE_METADATA: template,
            INTENT_METADATA: str(an_id("make-image", number)),
        },
    )
    return replace(default, **changes)


def some_images(*images: Image, **changes: Any) -> ImageList:
    """A list of these images, asked for a moment ago."""
    default = ImageList(number=1, requested_at=NOW - timedelta(seconds=1), images=images)
    return replace(default, **changes)


def a_quota(**changes: Any) -> Quota:
    """A quota as the project has it, with nothing used."""
    default = Quota(
        max_servers=220,
        used_servers=0,
        max_vcpus=920,
        used_vcpus=0,
        max_memory_mb=None,
        used_memory_mb=0,
    )
    return replace(default, **changes)


def a_cloud(*servers: Server, **changes: Any) -> CloudSnapshot:
    """What the cloud shows with these servers and no others, its quota counting them."""
    flavors = [DEFAULT_REGISTRY.flavors[s.flavor] for s in servers]
    default = CloudSnapshot(
        number=1,
        requested_at=NOW - timedelta(seconds=1),
        servers=servers,
        quota=a_quota(
            used_servers=len(servers),
            used_vcpus=sum(f.vcpus for f in flavors),
            used_memory_mb=sum(f.memory_mb for f in flavors),
        ),
        quota_servers=frozenset(server.id for server in servers),
        flavors=frozenset(DEFAULT_REGISTRY.flavors),
        images=frozenset({"os-worker-template"}),
    )
    return replace(default, **changes)
