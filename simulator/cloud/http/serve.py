"""Brings the simulated cloud up on a port, and says how to reach it.

    with serve_cloud(cloud, faults) as running:
        subprocess.run(["openstack", "server", "list"], env=running.auth_environment())

The state and its timeline stay with the caller: virtual time passes only when the caller advances
it, with `cloud.lock` held.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

from werkzeug.routing import Map
from werkzeug.wrappers import Request, Response

from simulator.cloud.http.compute import Nova
from simulator.cloud.http.identity import Account, Keystone
from simulator.cloud.http.replies import Troubled, nova_error
from simulator.cloud.http.resources import Glance, Neutron
from simulator.cloud.state import SimulatedCloud
from simulator.faults import Faults
from simulator.http.server import HttpServer

VERSION_DOCUMENTS = {"/compute", "/compute/v2.1", "/image", "/network"}


class CloudApplication:
    """The four services under one root; an application for `HttpServer`."""

    def __init__(self, cloud: SimulatedCloud, faults: Faults, account: Account) -> None:
        trouble = Troubled(cloud, faults)
        self.keystone = Keystone(account, trouble)
        services = (
            self.keystone,
            Nova(cloud, trouble, account.project_id),
            Glance(cloud, trouble),
            Neutron(cloud, trouble),
        )
        rules = [rule for service in services for rule in service.rules()]
        self._routes = Map(rules, strict_slashes=False)

    def __call__(self, request: Request) -> Response:
        """Route one request; all but versions and Keystone itself want a good token."""
        endpoint, arguments = self._routes.bind_to_environ(request.environ).match()
        open_to_all = (
            request.path.startswith("/identity") or request.path.rstrip("/") in VERSION_DOCUMENTS
        )
        if not (open_to_all or self.keystone.admits(request)):
            return nova_error(401, "The request you have made requires authentication.")
        handler = cast(Callable[..., Response], endpoint)
        return handler(request, **arguments)


class RunningCloud:
    """A simulated cloud that real clients can reach; a context manager."""

    def __init__(self, application: CloudApplication, account: Account, port: int) -> None:
        self.account = account
        self.keystone = application.keystone
        self._server = HttpServer(application, name="cloud", port=port)

    @property
    def url(self) -> str:
        """The root under which the services are."""
        return self._server.url

    @property
    def auth_url(self) -> str:
        """Where Keystone is."""
        return f"{self.url}/identity/v3"

    def auth_environment(self) -> dict[str, str]:
        """The `OS_*` variables with which any OpenStack client reaches this cloud."""
        account = self.account
        return {
            "OS_AUTH_URL": self.auth_url,
            "OS_AUTH_TYPE": "password",
            "OS_USERNAME": account.user,
            "OS_PASSWORD": account.password,
            "OS_PROJECT_NAME": account.project,
            "OS_USER_DOMAIN_NAME": account.domain,
            "OS_PROJECT_DOMAIN_NAME": account.domain,
            "OS_REGION_NAME": account.region,
            "OS_INTERFACE": "public",
            "OS_IDENTITY_API_VERSION": "3",
        }

    def start(self) -> Self:
        """Answer from here on."""
        self._server.start()
        return self

    def stop(self) -> None:
        """End every connection; the state stays as it is."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def serve_cloud(
    cloud: SimulatedCloud,
    faults: Faults | None = None,
    *,
    account: Account | None = None,
    port: int = 0,
) -> RunningCloud:
    """Serve a cloud on 127.0.0.1; `port` 0 takes a free one. To be started and stopped."""
    account = account or Account()
    application = CloudApplication(cloud, faults or Faults(), account)
    return RunningCloud(application, account, port)
