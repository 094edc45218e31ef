"""The way in: credentials from `OS_*` settings or clouds.yaml, endpoints, and who we are there."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import requests
from keystoneauth1 import exceptions as keystone
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity.base import BaseIdentityPlugin
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion
from openstack.exceptions import ConfigException

from infra.openstack.translation import Translator
from infra.openstack.transport import BoundedTransport, Call, OnRequest
from models.errors import ConfigurationError, Malformed, Refused, Unavailable

_NOT_OPTIONS = {"OS_CLOUD", "OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE"}
_IN_JSON = {"Accept": "application/json"}
"""Without it Glance refuses with a page for a browser, as a proxy would."""

_SECRET = ("password", "secret", "token", "passcode")


class Access:
    """A session with one project, and its endpoints; opened once, used by all threads."""

    def __init__(self, region: CloudRegion, on_request: OnRequest) -> None:
        auth: Mapping[str, Any] = region.config.get("auth", {})
        self._region = region
        self.translator = Translator(who=_who(auth), secrets=_secrets(auth))
        self._session = region.get_session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, BoundedTransport(on_request))
        self.compute = self._adapter("compute")
        self.image = self._adapter("image", min_version="2", max_version="2.latest")
        self.network = self._adapter("network")

    def close(self) -> None:
        """Close the connections that are kept."""
        self._session.session.close()

    def send(
        self, adapter: Adapter, method: str, path: str, attempt: str, call: Call, **options: Any
    ) -> requests.Response:
        """One request and its answer, whatever its status; nothing below us sends it twice.

        Raises `Unavailable`, `Unknown`, `Refused` or `Malformed` when there is no answer.
        """
        try:
            return adapter.request(
                path,
                method,
                raise_exc=False,
                connect_retries=0,
                status_code_retries=0,
                headers=_IN_JSON,
                **options,
            )
        except keystone.ClientException as error:
            raise self.translator.no_answer(attempt, error, call) from error

    def microversions(self, attempt: str, call: Call) -> tuple[tuple[int, int], tuple[int, int]]:
        """The lowest and highest compute microversion that is offered.

        Raises what `send` raises. keystoneauth swallows a version document that cannot be read, so
        that "none offered" is `Unavailable`: it may be there the next time.
        """
        try:
            found = self.compute.get_endpoint_data()
        except keystone.ClientException as error:
            raise self.translator.no_answer(attempt, error, call) from error
        least, most = (found.min_microversion, found.max_microversion) if found else (None, None)
        if least is None or most is None:
            raise Unavailable(
                f"{attempt}: the compute endpoint shows no microversions; if this lasts, check "
                "OS_REGION_NAME, OS_INTERFACE and that the catalog's endpoint ends in /v2.1"
            )
        return _pair(least), _pair(most)

    def network_path(self, path: str, attempt: str, call: Call) -> str:
        """The URL of a network resource: Neutron's catalog entry may or may not end in v2.0."""
        try:
            root = self.network.get_endpoint(skip_discovery=True)
        except keystone.ClientException as error:
            raise self.translator.no_answer(attempt, error, call) from error
        if root is None:
            raise Malformed(f"{attempt}: the catalog has no network endpoint; check OS_REGION_NAME")
        return f"{root.rstrip('/').removesuffix('/v2.0')}/v2.0{path}"

    def project(self, attempt: str, call: Call) -> tuple[str, str]:
        """Id and name of the project that the token is good for.

        Raises what `send` raises, and `Refused` when the token has no project.
        """
        auth = self._session.auth
        try:
            access = (
                auth.get_access(self._session) if isinstance(auth, BaseIdentityPlugin) else None
            )
        except keystone.ClientException as error:
            raise self.translator.no_answer(attempt, error, call) from error
        if access is None or access.project_id is None:
            raise Refused(
                f"{attempt}: {self.translator.who} gives a token without a project; "
                "set OS_PROJECT_NAME or OS_PROJECT_ID"
            )
        return access.project_id, access.project_name or ""

    def _adapter(
        self, service: str, min_version: str | None = None, max_version: str | None = None
    ) -> Adapter:
        region = self._region
        return Adapter(
            session=self._session,
            service_type=region.get_service_type(service),
            interface=region.get_interface(service),
            region_name=region.get_region_name(service),
            endpoint_override=region.get_endpoint(service),
            min_version=min_version,
            max_version=max_version,
        )


def open_access(environment: Mapping[str, str], on_request: OnRequest) -> Access:
    """Read the credentials; nothing is sent yet.

    `OS_CLOUD` names an entry of clouds.yaml (`OS_CLIENT_CONFIG_FILE`, else the usual places); else
    `OS_AUTH_URL` and the other `OS_*` variables are taken; else the only entry of clouds.yaml.
    Raises `ConfigurationError` naming what is missing.
    """
    # Why there is no answer is in the error that we raise: it would be said twice, and less well.
    logging.getLogger("keystoneauth").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Every CloudRegion warns of an optional back end for metrics that nobody here uses.
            warnings.filterwarnings("ignore", message=".*InfluxDB.*")
            region = _region(environment)
        _require_user(region)
        return Access(region, on_request)
    except (ConfigException, keystone.ClientException) as error:
        raise ConfigurationError(
            f"OpenStack credentials: {error}; set OS_CLOUD to an entry of clouds.yaml, or "
            "OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME and the domains"
        ) from error


def _region(environment: Mapping[str, str]) -> CloudRegion:
    named = environment.get("OS_CLOUD")
    in_variables = named is None and "OS_AUTH_URL" in environment
    config = OpenStackConfig(
        config_files=_files(environment, "OS_CLIENT_CONFIG_FILE"),
        secure_files=_files(environment, "OS_CLIENT_SECURE_FILE"),
        load_yaml_config=not in_variables,
        load_envvars=False,  # what counts was handed in
    )
    if in_variables:
        options: dict[str, Any] = {
            name.removeprefix("OS_").lower(): value
            for name, value in environment.items()
            if name.startswith("OS_") and name not in _NOT_OPTIONS
        }
        return config.get_one(**options)
    if named is None and len(config.get_cloud_names()) != 1:
        raise ConfigException("neither OS_CLOUD nor OS_AUTH_URL is set")
    return config.get_one(cloud=named, region_name=environment.get("OS_REGION_NAME") or "")


def _require_user(region: CloudRegion) -> None:
    """Keystoneauth sends a password of nobody without complaint, and Keystone says 400."""
    auth = region.config.get("auth", {})
    by_password = str(region.config.get("auth_type", "password")).endswith("password")
    if by_password and not ({"username", "user_id"} & auth.keys() and auth.get("password")):
        raise ConfigException("there is no user or no password")


def _files(environment: Mapping[str, str], variable: str) -> list[str] | None:
    return [environment[variable]] if environment.get(variable) else None


def _who(auth: Mapping[str, Any]) -> str:
    user = auth.get("username") or auth.get("user_id")
    credential = auth.get("application_credential_id") or auth.get("application_credential_name")
    project = auth.get("project_name") or auth.get("project_id")
    parts = [
        f"user {user!r}" if user else "",
        f"application credential {credential!r}" if credential else "",
        f"project {project!r}" if project else "",
        f"at {auth.get('auth_url')}",
    ]
    return " ".join(part for part in parts if part)


def _secrets(auth: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        str(value) for key, value in auth.items() if value and any(s in key for s in _SECRET)
    )


def _pair(version: tuple[int | float, ...]) -> tuple[int, int]:
    return int(version[0]), int(version[1])
