"""How each kind of start-up value is read: the typed value, or a sentence that says what it is not.

A reader is given text (environment) or a TOML value (file) and raises `ValueError` or `TypeError`
with the sentence that ends "hrsi.toml: nomad.address: …"; `controller.config` says where.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SHORTEST_KEY = 32


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is shown to nobody by accident: it is neither printed, logged nor compared."""

    _text: str

    def reveal(self) -> str:
        """The text itself, for the one who needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)" if self._text else "Secret()"

    def __str__(self) -> str:
        return "***" if self._text else ""

    def __bool__(self) -> bool:
        return bool(self._text)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def text(value: Any) -> str:
    """Any text but an empty one."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text; put it in quotes")
    if not value.strip():
        raise TypeError("it is empty; give it a value or leave the key out")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """A list of texts; in the environment separated by commas."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        raise TypeError(f'{value!r} is not a list; write ["a", "b"]')
    return tuple(text(item).strip() for item in items)


def pairs(value: Any) -> tuple[tuple[str, str], ...]:
    """A table of texts; in the environment NAME=VALUE separated by commas."""
    if isinstance(value, str):
        items = [item.partition("=") for item in value.split(",")]
        if any(not name or not equals for name, equals, _ in items):
            raise TypeError(f"{value!r} is not a list of NAME=VALUE separated by commas")
        return tuple((name.strip(), given) for name, _, given in items)
    if not isinstance(value, Mapping):
        raise TypeError(f'{value!r} is not a table; write {{ NAME = "value" }}')
    return tuple((name, text(given)) for name, given in value.items())


def web_addresses(value: Any) -> tuple[tuple[str, str], ...]:
    """A table of addresses of services, by the names that they have here. They may have a path:
    what the protocol of the service puts its own after.
    """
    return tuple((name, _base(given)) for name, given in pairs(value))


def _base(value: Any) -> str:
    found = text(value).rstrip("/")
    parts = urlsplit(found)
    whole = not parts.query and not parts.fragment
    if parts.scheme not in {"http", "https"} or not parts.hostname or not whole:
        raise ValueError(f"{value!r} is no address of a service; write https://host/resto")
    return found


def number(low: float, high: float) -> Callable[[Any], float]:
    """A reader of numbers between two bounds."""

    def read(value: Any) -> float:
        found = _as_number(value)
        if not low <= found <= high:
            raise TypeError(f"{value} is out of bounds; it may be {low:g} to {high:g}")
        return found

    return read


def whole(low: int, high: int) -> Callable[[Any], int]:
    """A reader of whole numbers between two bounds."""
    bounded = number(low, high)

    def read(value: Any) -> int:
        found = bounded(value)
        if not found.is_integer():
            raise ValueError(f"{value} is not a whole number")
        return int(found)

    return read


def wait(low: float, high: float) -> Callable[[Any], timedelta]:
    """A reader of waits in seconds."""
    bounded = number(low, high)
    return lambda value: timedelta(seconds=bounded(value))


def _as_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"{value!r} is not a number")
    try:
        return float(value)
    except ValueError as error:
        raise TypeError(f"{value!r} is not a number") from error


def secret(value: Any) -> Secret:
    """A text to keep to ourselves. What is wrong with it never shows it."""
    if not isinstance(value, str):
        raise TypeError("it is not a text; put it in quotes")
    return Secret(value.strip())


def truth(value: Any) -> bool:
    """Yes or no."""
    found = {"true": True, "false": False}.get(str(value).lower())
    if found is None:
        raise ValueError(f"{value!r} is neither true nor false")
    return found


def token_key(value: Any) -> Secret:
    """A key that cannot be guessed."""
    key = secret(value)
    if len(key.reveal()) < SHORTEST_KEY:
        raise ValueError(
            f"it has {len(key.reveal())} characters and needs {SHORTEST_KEY}; "
            "make one with `openssl rand -hex 32`"
        )
    return key


def database_url(value: Any) -> Secret:
    """A PostgreSQL url. It may hold a password, so a bad one is not shown."""
    url = secret(value)
    if url and not re.match(r"postgres(ql)?://", url.reveal()):
        raise ValueError("it is not a PostgreSQL url; write postgresql://user@host:5432/name")
    return url


def web_address(value: Any) -> str:
    """An http or https address without a path."""
    found = text(value).rstrip("/")
    parts = urlsplit(found)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path:
        raise ValueError(f"{value!r} is no address of a server; write http://host:4646")
    return found


def address(value: Any) -> Address:
    """host:port, where something of ours listens. Port 0: any free one."""
    host, colon, port = text(value).rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{value!r} is not host:port, as in 127.0.0.1:9464")
    return Address(host.strip("[]"), int(port))


def existing_file(value: Any) -> str:
    """The path of a file that is there."""
    path = text(value)
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path!r}")
    return path


def deployment(value: Any) -> str:
    """The name of an installation; it becomes part of names in Nomad and OpenStack."""
    found = text(value)
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", found):
        raise ValueError(
            f"{found!r} cannot be part of other names; use a-z, 0-9 and hyphens between them, "
            "at most 32"
        )
    return found


def name_prefix(value: Any) -> str:
    """What server names begin with: they are host names too."""
    found = text(value)
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,40}-", found):
        raise ValueError(
            f"{found!r} is no prefix of host names; use a-z, 0-9 and hyphens, the last one a hyphen"
        )
    return found
