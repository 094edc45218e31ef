"""How Nomad is reached: address, credentials, and how long any one call may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias
from urllib.parse import urlsplit

from models.errors import ConfigurationError

OnRequest: TypeAlias = Callable[[str, str, float], None]
"""Told of every request: what it was for, how it ended (a status, `timeout` or `no_connection`),
and how many seconds that took."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NomadAccess:
    """Everything needed to speak to one Nomad region in the name of one deployment.

    `verify` is True (the system's authorities) or the path of a CA file; False checks nothing.
    `certificate` is (certificate file, key file) where Nomad wants one of its clients.
    """

    address: str
    deployment: str
    token: str | None = field(default=None, repr=False)
    namespace: str = "default"
    region: str | None = None
    verify: bool | str = True
    certificate: tuple[str, str] | None = None
    call_deadline: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(
                f"NOMAD_ADDR: {self.address!r} is no address of Nomad; it looks like "
                "http://10.0.0.4:4646"
            )

    @property
    def base(self) -> str:
        """The address without a slash at its end: with one, every path would begin with two, which
        Nomad answers by a redirect that the library takes for success.
        """
        return self.address.rstrip("/")

    @property
    def prefix(self) -> str:
        """How the ids of all our Nomad jobs begin."""
        return f"hrsi-{self.deployment}-"
