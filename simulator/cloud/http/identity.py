"""Keystone v3 of the simulated cloud: one user, one project, passwords, application credentials."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from werkzeug.routing import Rule
from werkzeug.wrappers import Request, Response

from simulator.cloud.http.replies import Troubled, reply

TOKEN_LIFE = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Who may use the simulated cloud, and the one project that he has a role in."""

    user: str = "hrsi"
    password: str = "simulated"  # noqa: S105 (opens nothing but a simulation)
    project: str = "hrsi"
    domain: str = "Default"
    region: str = "simulated"
    credential_id: str = "5c1e0e0b6f9b4f8e9a3a6d1f2b7c8d90"
    credential_secret: str = "simulated-secret"  # noqa: S105 (as above)

    @property
    def project_id(self) -> str:
        """The project's id, different from its name as in any cloud."""
        return uuid.uuid5(uuid.NAMESPACE_URL, f"project:{self.project}").hex

    @property
    def user_id(self) -> str:
        """The user's id."""
        return uuid.uuid5(uuid.NAMESPACE_URL, f"user:{self.user}").hex


class Keystone:
    """Issues tokens to the account and knows which are still good."""

    def __init__(self, account: Account, trouble: Troubled) -> None:
        self.account = account
        self._trouble = trouble
        self._lock = threading.Lock()
        self._tokens: set[str] = set()

    def rules(self) -> Iterable[Rule]:
        """Where it answers."""
        yield Rule("/identity/", methods=["GET"], endpoint=self._versions)
        yield Rule("/identity/v3/", methods=["GET"], endpoint=self._version)
        yield Rule("/identity/v3/auth/tokens", methods=["POST"], endpoint=self._authenticate)

    def admits(self, request: Request) -> bool:
        """Whether a request to another service carries a good token."""
        with self._lock:
            return request.headers.get("X-Auth-Token") in self._tokens

    def revoke_all(self) -> None:
        """Let every token be bad from here on, as when they expire."""
        with self._lock:
            self._tokens.clear()

    def _versions(self, request: Request) -> Response:
        return reply({"versions": {"values": [_version_of(request.host_url)]}}, 300)

    def _version(self, request: Request) -> Response:
        return reply({"version": _version_of(request.host_url)})

    def _authenticate(self, request: Request) -> Response:
        return self._trouble.read("cloud.authenticate", lambda: self._token(request))

    def _token(self, request: Request) -> Response:
        try:
            asked = msgspec.json.decode(request.get_data())["auth"]
            methods = self._proved(asked["identity"])
            scoped = "scope" in asked or "application_credential" in methods
            known = bool(methods) and self._may_scope(asked.get("scope"))
        except (msgspec.DecodeError, KeyError, TypeError):
            return _keystone_error(400, "Bad Request", "Expecting to find auth in request body.")
        if not known:
            return _keystone_error(
                401, "Unauthorized", "The request you have made requires authentication."
            )
        token = uuid.uuid4().hex
        with self._lock:
            self._tokens.add(token)
        body = self._body(request.host_url, methods, scoped=scoped)
        return reply({"token": body}, 201, {"X-Subject-Token": token, "Vary": "X-Auth-Token"})

    def _proved(self, identity: Mapping[str, Any]) -> list[str]:
        """The methods by which the account proved itself; none when it did not."""
        account, methods = self.account, list(identity["methods"])
        if methods == ["password"]:
            user = identity["password"]["user"]
            named = user.get("id") == account.user_id or (
                user.get("name") == account.user
                and user.get("domain", {}).get("name", account.domain) == account.domain
            )
            return methods if named and user["password"] == account.password else []
        if methods == ["application_credential"]:
            asked = identity["application_credential"]
            pair = asked.get("id"), asked.get("secret")
            return methods if pair == (account.credential_id, account.credential_secret) else []
        return []

    def _may_scope(self, scope: Mapping[str, Mapping[str, str]] | None) -> bool:
        if scope is None:
            return True
        project = scope.get("project", {})
        wanted = project.get("id"), project.get("name")
        return self.account.project_id == wanted[0] or self.account.project == wanted[1]

    def _body(self, base: str, methods: list[str], *, scoped: bool) -> dict[str, Any]:
        account, now = self.account, datetime.now(UTC)
        domain = {"id": "default", "name": account.domain}
        body: dict[str, Any] = {
            "methods": methods,
            "user": {"id": account.user_id, "name": account.user, "domain": domain},
            "issued_at": _instant(now),
            "expires_at": _instant(now + TOKEN_LIFE),
            "audit_ids": [uuid.uuid4().hex],
        }
        if scoped:
            body["project"] = {"id": account.project_id, "name": account.project, "domain": domain}
            body["roles"] = [{"id": uuid.uuid5(uuid.NAMESPACE_URL, "member").hex, "name": "member"}]
            body["catalog"] = self._catalog(base)
        return body

    def _catalog(self, base: str) -> list[dict[str, Any]]:
        region = self.account.region
        return [
            {
                "id": uuid.uuid5(uuid.NAMESPACE_URL, kind).hex,
                "type": kind,
                "name": name,
                "endpoints": [
                    {
                        "id": uuid.uuid5(uuid.NAMESPACE_URL, kind + interface).hex,
                        "interface": interface,
                        "region": region,
                        "region_id": region,
                        "url": base + path,
                    }
                    for interface in ("public", "internal")
                ],
            }
            for kind, name, path in (
                ("identity", "keystone", "identity"),
                ("compute", "nova", "compute/v2.1"),
                ("image", "glance", "image"),
                ("network", "neutron", "network"),
            )
        ]


def _version_of(base: str) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{base}identity/v3/"}],
        "media-types": [],
    }


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _keystone_error(status: int, title: str, message: str) -> Response:
    return reply({"error": {"code": status, "title": title, "message": message}}, status)
