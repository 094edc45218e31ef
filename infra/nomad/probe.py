"""A closer look at Nomad, for `hrsi doctor`: version, clock, rights of the token, event stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec
import requests
from msgspec import Struct, field
from urllib3.exceptions import HTTPError

from infra.nomad.access import NomadAccess
from infra.nomad.events import TOPICS
from infra.nomad.transport import Call, Transport, decoded
from infra.retry import Deadline
from models.checkup import Rights
from models.errors import Malformed, NotFound, Refused, Unavailable

Answer = TypeVar("Answer")

ACL_OFF = "ACL support disabled"
"""What older versions say of tokens when everybody may do everything."""

ACL_OFF_ACCESSOR = "acls-disabled"
"""Whose token the newer ones then show to everybody: a client token without any policy."""

ANYBODY = Rights(who="anybody (access control is off)", everything_read=True, nodes_written=True)

HALF_A_SECOND = timedelta(milliseconds=500)
"""The middle of the second that a Date header names."""


class _Named(Struct, frozen=True):
    name: str = field(name="Name", default="")
    id: str = field(name="ID", default="")


class _Token(Struct, frozen=True):
    accessor: str = field(name="AccessorID", default="")
    name: str = field(name="Name", default="")
    type: str = field(name="Type", default="")
    policies: list[str] | None = field(name="Policies", default=None)
    roles: list[_Named] | None = field(name="Roles", default=None)


class _Role(Struct, frozen=True):
    policies: list[_Named] | None = field(name="Policies", default=None)


class NamespaceRule(Struct, frozen=True):
    """What a policy says of one namespace, or of those that a pattern names."""

    name: str = field(name="Name", default="")
    policy: str = field(name="Policy", default="")
    capabilities: list[str] | None = field(name="Capabilities", default=None)

    def reads(self) -> bool:
        """Whether jobs, evaluations and allocations may be listed there."""
        allowed = set(self.capabilities or ())
        return self.policy in {"read", "write"} or {"list-jobs", "read-job"} <= allowed

    def denies(self) -> bool:
        """Whether it takes away what other rules give."""
        return self.policy == "deny" or "deny" in (self.capabilities or ())


class _Coarse(Struct, frozen=True):
    policy: str = field(name="Policy", default="")


class Rules(Struct, frozen=True):
    """A policy, as far as it concerns us."""

    namespaces: list[NamespaceRule] | None = field(name="Namespaces", default=None)
    node: _Coarse | None = field(name="Node", default=None)


class _Policy(Struct, frozen=True):
    rules: Rules | None = field(name="RulesJSON", default=None)


class _Version(Struct, frozen=True):
    version: str = field(name="Version")


class _Config(Struct, frozen=True):
    version: _Version = field(name="Version")


class _Agent(Struct, frozen=True):
    config: _Config


_token = msgspec.json.Decoder(_Token).decode
_role = msgspec.json.Decoder(_Role).decode
_policy = msgspec.json.Decoder(_Policy).decode
_agent = msgspec.json.Decoder(_Agent).decode


class NomadHttpProbe:
    """Implements `models.checkup.NomadProbe`. `close` it at the end."""

    def __init__(self, access: NomadAccess, now: Callable[[], datetime]) -> None:
        self._access = access
        self._now = now
        self._transport = Transport(access, lambda *_: None)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._transport.close()

    def version(self) -> str:
        """The version of the agent behind the address."""
        call = Call(
            name="version", attempt="read the agent of Nomad", endpoint="agent", path=("self",)
        )
        return decoded(_agent, self._send(call), call).config.version.version

    def ahead(self) -> timedelta:
        """How far Nomad's clock is ahead of ours, to a second."""
        attempt = "ask Nomad for the time"
        call = Call(name="clock", attempt=attempt, endpoint="nodes", params={"per_page": "1"})
        asked = self._now()
        response = self._send(call)
        ours = asked + (self._now() - asked) / 2
        try:
            told = parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError) as error:
            raise Malformed(f"{call.attempt}: its answer has no Date") from error
        return told + HALF_A_SECOND - ours

    def rights(self) -> Rights:
        """What our token may do."""
        try:
            token = self._read(_token, "token", "self")
        except Malformed as error:
            if ACL_OFF in str(error):
                return ANYBODY
            raise
        if token.accessor == ACL_OFF_ACCESSOR:
            return ANYBODY
        who = f"token {token.name!r}"
        if token.type == "management":
            return Rights(who=f"{who} (management)", everything_read=True, nodes_written=True)
        try:
            return rights_of(who, [*self._rules(token)])
        except (Refused, NotFound, Malformed):
            return Rights(who=who, everything_read=None, nodes_written=None)

    def _rules(self, token: _Token) -> Iterator[Rules]:
        names = list(token.policies or ())
        for role in token.roles or ():
            found = self._read(_role, "role", role.id)
            names += [policy.name for policy in found.policies or ()]
        for name in dict.fromkeys(names):
            rules = self._read(_policy, "policy", name).rules
            if rules is None:
                raise Malformed(f"policy {name!r} comes without its rules")
            yield rules

    def listen(self) -> None:
        """Open the event stream, wait for its first line, and close it."""
        attempt = "follow the event stream of Nomad"
        call = Call(
            name="watch", attempt=attempt, endpoint="event/stream", params={"topic": list(TOPICS)}
        )
        deadline = self._deadline()
        with self._transport.send(call, deadline, stream=deadline.remaining()) as response:
            try:
                first = response.raw.read1(1, decode_content=True)
            except (HTTPError, OSError) as error:
                raise Unavailable(f"{attempt}: no line came: {error}") from error
            if not first:
                raise Unavailable(f"{attempt}: it ended without a line")

    def _read(self, decode: Callable[[bytes], Answer], kind: str, name: str) -> Answer:
        call = Call(
            name="rights", attempt=f"read the ACL {kind} {name}", endpoint="acl", path=(kind, name)
        )
        return decoded(decode, self._send(call), call)

    def _send(self, call: Call) -> requests.Response:
        return self._transport.send(call, self._deadline())

    def _deadline(self) -> Deadline:
        return Deadline.after(self._access.call_deadline)


def rights_of(who: str, policies: Iterable[Rules]) -> Rights:
    """What the policies of a token allow together; a denial of any namespace counts."""
    rules = list(policies)
    spaces = [rule for policy in rules for rule in policy.namespaces or ()]
    everywhere = [rule for rule in spaces if rule.name == "*"]
    return Rights(
        who=who,
        everything_read=any(map(NamespaceRule.reads, everywhere))
        and not any(map(NamespaceRule.denies, spaces)),
        nodes_written=any(policy.node and policy.node.policy == "write" for policy in rules),
    )
