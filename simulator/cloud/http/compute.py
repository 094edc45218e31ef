"""Nova of the simulated cloud: versions, servers, flavors, limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec
from werkzeug.routing import Rule
from werkzeug.wrappers import Request, Response

from models.errors import Malformed, PortError
from models.job_types import Flavor
from simulator.cloud.http.filters import selected
from simulator.cloud.http.replies import Troubled, nova_error, page, refusal, reply
from simulator.cloud.http.views import as_json, flavor_as_json
from simulator.cloud.options import DOWN_CELLS, NOVA_FAILED
from simulator.cloud.servers import CloudServer, Wanted
from simulator.cloud.state import SimulatedCloud

NETWORKS_REQUIRED = (2, 37)
IMAGE_ID_IN_BODY = (2, 45)
STRICT_FILTERS = (2, 75)
MIN_VERSION = (2, 1)

Handler = Callable[..., Response]


class Nova:
    """Serves the compute API over the state of the cloud."""

    def __init__(self, cloud: SimulatedCloud, trouble: Troubled, project_id: str) -> None:
        self._cloud = cloud
        self._trouble = trouble
        self._project_id = project_id
        newest = cloud.options.max_microversion.split(".")
        self._newest = (int(newest[0]), int(newest[1]))

    def rules(self) -> Iterable[Rule]:
        """Where it answers."""
        root = "/compute/v2.1"
        yield Rule("/compute/", methods=["GET"], endpoint=self._versions)
        for method, path, handler in (
            ("GET", "/", self._version_detail),
            ("GET", "/servers/detail", self._list),
            ("POST", "/servers", self._create),
            ("GET", "/servers/<server_id>", self._show),
            ("DELETE", "/servers/<server_id>", self._delete),
            ("POST", "/servers/<server_id>/action", self._act),
            ("GET", "/flavors/detail", self._flavors),
            ("GET", "/limits", self._limits),
        ):
            yield Rule(root + path, methods=[method], endpoint=self._versioned(handler))

    def _versioned(self, handler: Handler) -> Handler:
        """Give a handler its microversion, and say in the answer which it was."""

        def answer(request: Request, **arguments: str) -> Response:
            version = self._asked_version(request)
            if version is None:
                return nova_error(
                    406,
                    f"Version {_asked(request)} is not supported by the API. Minimum is "
                    f"{_text(MIN_VERSION)} and maximum is {_text(self._newest)}.",
                )
            try:
                result = handler(request, version, **arguments)
            except PortError as error:
                result = refusal(error)
            result.headers["OpenStack-API-Version"] = f"compute {_text(version)}"
            result.headers["X-OpenStack-Nova-API-Version"] = _text(version)
            return result

        return answer

    def _asked_version(self, request: Request) -> tuple[int, int] | None:
        asked = _asked(request)
        if asked == "latest":
            return self._newest
        major, _, minor = (asked or _text(MIN_VERSION)).partition(".")
        if not (major.isdigit() and minor.isdigit()):
            return None
        version = int(major), int(minor)
        return version if MIN_VERSION <= version <= self._newest else None

    def _versions(self, request: Request) -> Response:
        return reply({"versions": [self._version(request.host_url)]})

    def _version_detail(self, request: Request, _: tuple[int, int]) -> Response:
        return self._trouble.read(
            "cloud.versions", lambda: reply({"version": self._version(request.host_url)})
        )

    def _version(self, base: str) -> dict[str, Any]:
        return {
            "id": "v2.1",
            "status": "CURRENT",
            "version": _text(self._newest),
            "min_version": _text(MIN_VERSION),
            "updated": "2013-07-23T11:33:21Z",
            "links": [{"rel": "self", "href": f"{base}compute/v2.1/"}],
        }

    # ---- servers ---------------------------------------------------------------------------------

    def _list(self, request: Request, version: tuple[int, int]) -> Response:
        operation = "cloud.snapshot.page" if "marker" in request.args else "cloud.snapshot"
        return self._trouble.read(operation, lambda: self._page(request, version))

    def _page(self, request: Request, version: tuple[int, int]) -> Response:
        with self._cloud.lock:
            found = selected(self._cloud.servers(), request.args, strict=version >= STRICT_FILTERS)
            if version < DOWN_CELLS:
                found = [server for server in found if not server.cell_down]
            most = self._cloud.options.page_limit
            chosen, marker = page(found, request, most, lambda server: server.id)
            base = f"{request.host_url}compute/v2.1"
            body: dict[str, Any] = {
                "servers": [self._shown(s, base, version, in_list=True) for s in chosen]
            }
        if marker:
            kept = "&".join(
                f"{key}={value}" for key, value in request.args.items() if key != "marker"
            )
            href = f"{base}/servers/detail?{kept}{'&' if kept else ''}marker={marker}"
            body["servers_links"] = [{"rel": "next", "href": href}]
        return reply(body)

    def _show(self, request: Request, version: tuple[int, int], server_id: str) -> Response:
        def look() -> Response:
            with self._cloud.lock:
                server = self._cloud.server(server_id)
                if server.cell_down and version < DOWN_CELLS:
                    return nova_error(500, NOVA_FAILED)
                base = f"{request.host_url}compute/v2.1"
                return reply({"server": self._shown(server, base, version, in_list=False)})

        return self._trouble.read("cloud.exists", _refusing(look))

    def _shown(
        self, server: CloudServer, base: str, version: tuple[int, int], *, in_list: bool
    ) -> dict[str, Any]:
        shown = as_json(server, base, version, self._project_id)
        if in_list and server.in_cell0:
            shown.pop("fault", None)
        return shown

    def _create(self, request: Request, version: tuple[int, int]) -> Response:
        body = request.get_data()

        def effect() -> Response:
            server = self._cloud.create(_wanted(body, version))
            base = f"{request.host_url}compute/v2.1"
            link = f"{base}/servers/{server.id}"
            groups = server.wanted.security_groups or ("default",)
            made = {
                "id": server.id,
                "links": [{"rel": "self", "href": link}],
                "OS-DCF:diskConfig": "MANUAL",
                "security_groups": [{"name": name} for name in groups],
                "adminPass": "b4kR9zsVhLsM",
            }
            return reply({"server": made}, 202, {"Location": link})

        return self._trouble.write("cloud.create", _refusing(effect))

    def _delete(self, _: Request, __: tuple[int, int], server_id: str) -> Response:
        def effect() -> Response:
            self._cloud.delete(server_id)
            return Response(status=204)

        return self._trouble.write("cloud.delete", _refusing(effect))

    def _act(self, request: Request, version: tuple[int, int], server_id: str) -> Response:
        """The actions on a server that we need: its console, and an image of it."""
        try:
            asked = msgspec.json.decode(request.get_data(), type=_Act)
        except msgspec.DecodeError as error:
            return nova_error(400, f"Invalid input for field/attribute action. {error}")
        if asked.image is not None:
            return self._make_image(asked.image, version, server_id)
        if asked.console is None:
            return nova_error(400, "There is no such action.")

        def look() -> Response:
            return reply({"output": self._cloud.snapshots.console(server_id)})

        return self._trouble.read("cloud.console", _refusing(look))

    def _make_image(
        self, wanted: _CreateImage, version: tuple[int, int], server_id: str
    ) -> Response:
        def effect() -> Response:
            made = self._cloud.snapshots.make(server_id, wanted.name, wanted.metadata)
            if version >= IMAGE_ID_IN_BODY:
                return reply({"image_id": made.id}, 202)
            return Response(status=202, headers={"Location": f"http://glance/images/{made.id}"})

        return self._trouble.write("cloud.make_image", _refusing(effect))

    # ---- flavors and limits ----------------------------------------------------------------------

    def _flavors(self, request: Request, _: tuple[int, int]) -> Response:
        def look() -> Response:
            with self._cloud.lock:
                flavors = list(self._cloud.flavors.items())
            most = self._cloud.options.page_limit
            chosen, marker = page(flavors, request, most, _flavor_id)
            base = f"{request.host_url}compute/v2.1"
            body: dict[str, Any] = {"flavors": [flavor_as_json(*flavor) for flavor in chosen]}
            if marker:
                href = f"{base}/flavors/detail?marker={marker}"
                body["flavors_links"] = [{"rel": "next", "href": href}]
            return reply(body)

        return self._trouble.read("cloud.flavors", _refusing(look))

    def _limits(self, _: Request, __: tuple[int, int]) -> Response:
        def look() -> Response:
            quota = self._cloud.quota()
            absolute = {
                "maxTotalInstances": quota.max_servers,
                "totalInstancesUsed": quota.used_servers,
                "maxTotalCores": quota.max_vcpus,
                "totalCoresUsed": quota.used_vcpus,
                "maxTotalRAMSize": quota.max_memory_mb,
                "totalRAMUsed": quota.used_memory_mb,
            }
            shown = {name: -1 if value is None else value for name, value in absolute.items()}
            return reply({"limits": {"rate": [], "absolute": shown}})

        return self._trouble.read("cloud.limits", look)


def _refusing(effect: Callable[[], Response]) -> Callable[[], Response]:
    """Answer what the cloud refuses, so that a lost reply loses the refusal as well."""

    def answer() -> Response:
        try:
            return effect()
        except PortError as error:
            return refusal(error)

    return answer


class _Network(msgspec.Struct, forbid_unknown_fields=True):
    uuid: str


class _Group(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class _Server(
    msgspec.Struct,
    forbid_unknown_fields=True,
    rename={"flavor": "flavorRef", "image": "imageRef"},
):
    name: str
    flavor: str
    image: str
    networks: list[_Network] | Literal["auto", "none"] | None = None
    security_groups: list[_Group] = []
    key_name: str | None = None
    metadata: dict[str, str] = {}
    tags: list[str] = []
    user_data: str | None = None


class _Create(msgspec.Struct):
    server: _Server


class _CreateImage(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    metadata: dict[str, str] = {}


class _Console(msgspec.Struct, forbid_unknown_fields=True):
    length: int | None = None


class _Act(msgspec.Struct, rename={"image": "createImage", "console": "os-getConsoleOutput"}):
    image: _CreateImage | None = None
    console: _Console | None = None


def _wanted(body: bytes, version: tuple[int, int]) -> Wanted:
    """The request in the body of a create. Raises `Malformed` for any other body."""
    try:
        asked = msgspec.json.decode(body, type=_Create).server
    except msgspec.DecodeError as error:
        raise Malformed(f"Invalid input for field/attribute server. {error}") from error
    if asked.networks is None and version >= NETWORKS_REQUIRED:
        raise Malformed(
            "Invalid input for field/attribute server. 'networks' is a required property"
        )
    listed = isinstance(asked.networks, list)
    return Wanted(
        name=asked.name,
        flavor_id=asked.flavor,
        image_id=asked.image,
        networks=tuple(n.uuid for n in asked.networks or () if isinstance(n, _Network))
        if listed
        else None,
        security_groups=tuple(group.name for group in asked.security_groups),
        key_name=asked.key_name,
        metadata=asked.metadata,
        tags=tuple(asked.tags),
        user_data=asked.user_data,
    )


def _flavor_id(item: tuple[str, Flavor]) -> str:
    return item[0]


def _asked(request: Request) -> str:
    """The microversion in the headers; the newer header wins, as in Nova."""
    service, _, version = request.headers.get("OpenStack-API-Version", "").partition(" ")
    legacy = request.headers.get("X-OpenStack-Nova-API-Version", "")
    return version.strip() if service == "compute" else legacy.strip()


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
