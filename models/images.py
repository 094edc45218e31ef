"""Which image workers boot from: what is a template, what is its image, and whose is it.

A template is a server that people set up once; workers boot from an image made of it. The image
bears the first 8 characters of the template's id in its name, so that a new template means a new
image. Everything here is read off one world: no table keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from models.fleet import DEPLOYMENT_METADATA
from models.remembered import remembered
from models.world import CloudSnapshot, Image, Server, Site

IMAGE_PREFIX = "os-worker-template-"
"""What the names of the images that we make begin with."""

TEMPLATE_METADATA = "hrsi_template"
"""Key in the metadata of an image: the id of the server that it was made of."""

FINISHED_METADATA = "hrsi_finished"
"""Key in the metadata of a template by which a person says that its set-up has finished (`true`):
the console of a server that was started again says nothing of it any more."""

FINISHED_TEXT = "init_instance_finished_with_success"
"""What the set-up of an instance writes on the console at its end."""

IN_THE_MAKING = frozenset({"queued", "saving", "importing", "uploading"})
"""Statuses of an image that becomes active by itself, unless whoever makes it has died."""

GOING = frozenset({"deleted", "pending_delete"})
LOST = frozenset({"killed", "error"}) | GOING
"""Statuses of an image that never becomes active."""

ACTIVE = "active"


def image_name(template_id: str) -> str:
    """The name of the image of a template."""
    return f"{IMAGE_PREFIX}{template_id[:8]}"


def template_of(cloud: CloudSnapshot, site: Site) -> Server | None:
    """The template: of several servers of its name the newest; None: there is none."""
    return _template(cloud.servers, site.template)


@remembered
def _template(servers: tuple[Server, ...], name: str) -> Server | None:
    named = [server for server in servers if server.name == name and not _is_going(server)]
    return max(named, key=lambda s: (s.created_at, s.id), default=None)


def _is_going(server: Server) -> bool:
    return server.status in {"DELETED", "SOFT_DELETED"} or server.task_state == "deleting"


def is_said_finished(template: Server) -> bool:
    """A person has said that its set-up has finished."""
    return template.metadata.get(FINISHED_METADATA) == "true"


def is_ours(image: Image, site: Site) -> bool:
    """This deployment has made it, and may delete it.

    Nova hands the metadata of an image on to what is made of the servers that booted from it: an
    image that a person made of such a server says that it is ours, but not of which template.
    """
    told = image.metadata.get(TEMPLATE_METADATA)
    inherited = image.made_of is not None and told != image.made_of
    return image.metadata.get(DEPLOYMENT_METADATA) == site.deployment and not inherited


def is_of(image: Image, template_id: str) -> bool:
    """It is an image of this very template, whoever made it: two servers may share 8 characters."""
    made_of = image.made_of or image.metadata.get(TEMPLATE_METADATA)
    return image.name == image_name(template_id) and made_of == template_id


def images_of(images: Iterable[Image], template_id: str) -> list[Image]:
    """All images of a template that may still be of use, the newest first."""
    found = [i for i in images if is_of(i, template_id) and i.status not in LOST]
    return sorted(found, key=_age, reverse=True)


def image_at_hand(cloud: CloudSnapshot, site: Site) -> Image | None:
    """The image to boot from, if the pool makes it: the template's newest active one. Until there
    is one, the newest active one of ours of an earlier template: work goes on meanwhile.
    """
    template = template_of(cloud, site)
    images = cloud.worker_images.images
    current = images_of(images, template.id) if template is not None else []
    active = [image for image in current if image.status == ACTIVE]
    if active:
        return active[0]
    earlier = [i for i in images if i.status == ACTIVE and is_ours(i, site)]
    return max(earlier, key=_age, default=None)


def image_to_boot(cloud: CloudSnapshot, site: Site) -> str | None:
    """The id of the image to boot from, or the name that the settings give; None: there is none."""
    if site.image is not None:
        return site.image if site.image in cloud.images else None
    found = image_at_hand(cloud, site)
    return None if found is None else found.id


def _age(image: Image) -> tuple[datetime, str]:
    return image.created_at, image.id
