"""Glance and Neutron of the simulated cloud: images, networks and security groups by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from werkzeug.routing import Rule
from werkzeug.wrappers import Request, Response

from models.errors import Malformed
from simulator.cloud.http.replies import Troubled, glance_error, nova_error, page, reply
from simulator.cloud.servers import Image
from simulator.cloud.state import SimulatedCloud


class Glance:
    """Serves the image API, newest image first."""

    def __init__(self, cloud: SimulatedCloud, trouble: Troubled) -> None:
        self._cloud = cloud
        self._trouble = trouble

    def rules(self) -> Iterable[Rule]:
        """Where it answers."""
        yield Rule("/image/", methods=["GET"], endpoint=self._versions)
        yield Rule("/image/v2/images", methods=["GET"], endpoint=self._list)
        yield Rule("/image/v2/images/<image_id>", methods=["GET"], endpoint=self._show)
        yield Rule("/image/v2/images/<image_id>", methods=["DELETE"], endpoint=self._delete)

    def _versions(self, request: Request) -> Response:
        version = {
            "id": "v2.16",
            "status": "CURRENT",
            "links": [{"rel": "self", "href": f"{request.host_url}image/v2/"}],
        }
        return self._trouble.read("cloud.versions", lambda: reply({"versions": [version]}, 300))

    def _list(self, request: Request) -> Response:
        return self._trouble.read("cloud.images", lambda: self._page(request))

    def _page(self, request: Request) -> Response:
        with self._cloud.lock:
            images = list(reversed(self._cloud.images.values()))
        for key in ("name", "status"):
            if key in request.args:
                images = [i for i in images if getattr(i, key) == request.args[key]]
        try:
            chosen, marker = page(
                images, request, self._cloud.options.page_limit, lambda image: image.id
            )
        except Malformed as error:
            return nova_error(400, str(error))
        body: dict[str, Any] = {
            "images": [_image(image) for image in chosen],
            "schema": "/v2/schemas/images",
            "first": "/v2/images",
        }
        if marker:
            body["next"] = f"/v2/images?marker={marker}"
        return reply(body)

    def _show(self, request: Request, image_id: str) -> Response:
        def look() -> Response:
            image = self._cloud.images.get(image_id)
            if image is None:
                return glance_error(request, 404, f"No image found with ID {image_id}")
            return reply(_image(image))

        return self._trouble.read("cloud.images", look)

    def _delete(self, request: Request, image_id: str) -> Response:
        def effect() -> Response:
            if image_id not in self._cloud.images:
                return glance_error(request, 404, f"Failed to find image {image_id} to delete")
            self._cloud.remove_image(image_id)
            return Response(status=204)

        return self._trouble.write("cloud.delete_image", effect)


class Neutron:
    """Serves networks and security groups."""

    def __init__(self, cloud: SimulatedCloud, trouble: Troubled) -> None:
        self._cloud = cloud
        self._trouble = trouble

    def rules(self) -> Iterable[Rule]:
        """Where it answers."""
        yield Rule("/network/", methods=["GET"], endpoint=self._versions)
        yield Rule("/network/v2.0/networks", methods=["GET"], endpoint=self._networks)
        yield Rule("/network/v2.0/security-groups", methods=["GET"], endpoint=self._groups)

    def _versions(self, request: Request) -> Response:
        version = {
            "id": "v2.0",
            "status": "CURRENT",
            "links": [{"rel": "self", "href": f"{request.host_url}network/v2.0/"}],
        }
        return reply({"versions": [version]})

    def _networks(self, request: Request) -> Response:
        found = _named(self._cloud.networks, request)
        return self._trouble.read("cloud.networks", lambda: reply({"networks": found}))

    def _groups(self, request: Request) -> Response:
        found = _named(self._cloud.security_groups, request)
        return self._trouble.read("cloud.networks", lambda: reply({"security_groups": found}))


def _named(things: Mapping[str, str], request: Request) -> list[dict[str, str]]:
    wanted = request.args.get("name")
    return [
        {"id": identity, "name": name, "status": "ACTIVE"}
        for identity, name in things.items()
        if wanted in {None, name}
    ]


def _image(image: Image) -> dict[str, Any]:
    created = image.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": image.id,
        "name": image.name,
        "status": image.status,
        "visibility": "private",
        "created_at": created,
        "updated_at": created,
        "min_disk": image.min_disk,
        "min_ram": 0,
        "tags": [],
        **({"image_type": "snapshot", "instance_uuid": image.made_of} if image.made_of else {}),
        **image.metadata,
    }
