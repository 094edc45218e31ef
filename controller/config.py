"""Start-up settings: `hrsi.toml`, and the environment over it, read once and checked.

Names that other tools know are kept (`DATABASE_URL`, `NOMAD_ADDR`, `OS_CLOUD`…); the rest is
`HRSI_<GROUP>_<FIELD>`. What is unknown or impossible stops the start: every refusal names the key
or variable, where it stands and the remedy, an unknown one the nearest that exists, and all that
is wrong is said at once.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from controller.config_groups import Config
from models.errors import ConfigurationError
from models.wording import nearest

__all__ = [
    "Config",
    "Key",
    "keys",
    "load",
    "require_for_controller",
    "require_for_web",
    "through_api",
]

DEFAULT_FILE = Path("hrsi.toml")
PREFIX = "HRSI_"

OTHERS = frozenset({"HRSI_CONFIG"})
"""Variables with our prefix that the command line reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One setting: its group ("" for none), its field, its variable, and how it is read."""

    group: str
    name: str
    variable: str
    read: Any

    @property
    def path(self) -> str:
        """As it stands in the file: `nomad.address`."""
        return f"{self.group}.{self.name}" if self.group else self.name


def keys() -> Iterator[Key]:
    """Every setting there is."""
    for outer in fields(Config):
        group = getattr(_DEFAULTS, outer.name)
        if is_dataclass(group) and "read" not in outer.metadata:
            yield from (_key(outer.name, inner.name, inner.metadata) for inner in fields(group))
        else:
            yield _key("", outer.name, outer.metadata)


def _key(group: str, name: str, metadata: Mapping[str, Any]) -> Key:
    own = f"{PREFIX}{group}_{name}" if group else f"{PREFIX}{name}"
    return Key(
        group=group,
        name=name,
        variable=metadata["env"] or own.upper(),
        read=metadata["read"],
    )


_DEFAULTS = Config()


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """The settings from `path` (default: `./hrsi.toml`, if it exists) and the environment.

    Raises `ConfigurationError` that lists everything wrong with them, one line each.
    """
    environment = os.environ if environment is None else environment
    known = {key.path: key for key in keys()}
    given, wrong = _from_file(path, known)
    given_there, wrong_there = _from_environment(environment, known)
    wrong += wrong_there
    changes: dict[str, dict[str, Any]] = {}
    for where, key, value in [*given, *given_there]:
        try:
            changes.setdefault(key.group, {})[key.name] = key.read(value)
        except (TypeError, ValueError) as error:
            wrong.append(f"{where}: {error}")
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    return _with(changes)


def _with(changes: Mapping[str, Mapping[str, Any]]) -> Config:
    groups = {
        group: replace(getattr(_DEFAULTS, group), **new) for group, new in changes.items() if group
    }
    return replace(_DEFAULTS, **changes.get("", {}), **groups)


Given = list[tuple[str, Key, Any]]


def _from_file(path: Path | None, known: Mapping[str, Key]) -> tuple[Given, list[str]]:
    file = path or DEFAULT_FILE
    if path is None and not file.exists():
        return [], []
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: it cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: it is no TOML: {error}") from error
    given: Given = []
    wrong: list[str] = []
    for name, value in _flattened(document, known):
        where = f"{file}: {name}"
        if name in known:
            given.append((where, known[name], value))
        else:
            wrong.append(f"{where}: there is no such key{nearest(name, known)}")
    return given, wrong


def _flattened(document: Mapping[str, Any], known: Mapping[str, Key]) -> Iterator[tuple[str, Any]]:
    groups = {key.group for key in known.values()}
    for name, value in document.items():
        if name in groups and isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", given) for inner, given in value.items())
        else:
            yield name, value


def _from_environment(
    environment: Mapping[str, str], known: Mapping[str, Key]
) -> tuple[Given, list[str]]:
    """What our keys are set to. An empty variable is one that is not set."""
    variables = {key.variable: key for key in known.values()}
    ours = {name: value for name, value in environment.items() if value}
    given = [(name, key, ours[name]) for name, key in variables.items() if name in ours]
    wrong = [
        f"{name}: there is no such variable{nearest(name, variables)}"
        for name in ours
        if name.startswith(PREFIX) and name not in variables and name not in OTHERS
    ]
    return given, wrong


NEEDED_BY_WEB = (
    ("deployment", "the name of this installation, on everything that it makes outside"),
    ("runs.token_key", "the key of the run tokens; make one with `openssl rand -hex 32`"),
)
NEEDED_BY_CONTROLLER = (
    *NEEDED_BY_WEB,
    ("openstack.project", "the project that the credentials must lead to"),
)


def through_api(config: Config) -> bool:
    """Whether commands go through the API: somebody has a token, and no database is set.

    Raises `ConfigurationError` for a token without an address.
    """
    if not config.web.token or config.database.url:
        return False
    if config.web.url is None:
        raise ConfigurationError(
            "web.token (HRSI_TOKEN): it is set, and web.url (HRSI_URL) does not say where the API "
            "is; set that too, or unset the token to work on a database"
        )
    return True


def require_for_controller(config: Config) -> None:
    """Raise `ConfigurationError` naming every setting that a controller cannot do without."""
    _require(config, NEEDED_BY_CONTROLLER)


def require_for_web(config: Config) -> None:
    """Raise `ConfigurationError` naming every setting that the API cannot do without."""
    _require(config, NEEDED_BY_WEB)


def _require(config: Config, needed: Iterable[tuple[str, str]]) -> None:
    by_path = {key.path: key for key in keys()}
    missing = [
        f"{path}: it is not set; set it in hrsi.toml or as {by_path[path].variable}: {what}"
        for path, what in needed
        if not _value(config, by_path[path])
    ]
    if missing:
        raise ConfigurationError("\n".join(missing))


def _value(config: Config, key: Key) -> Any:
    return getattr(getattr(config, key.group) if key.group else config, key.name)
