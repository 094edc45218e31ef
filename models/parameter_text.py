"""Live parameters in words: what each is, what people may write for a value, how a value is shown.

The explanations are the docstrings of the fields in `models.settings`: the command line, the page
docs/parameters.md and whoever reads the code are told the same.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from models.errors import ConfigurationError
from models.parameters import newest_by_key, standing
from models.records import ParameterChange
from models.settings import DEFAULT_SETTINGS, Settings, parameter_value
from models.wording import nearest

DEFAULT = "default"
"""What people write for the value that nobody has changed."""

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_SECONDS = {**dict(_UNITS), "m": 60, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|min|ms|m|s)\s*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One parameter: plain values as the store keeps them (seconds for waits), and what it is."""

    key: str
    kind: type
    default: float
    low: float
    high: float
    explanation: str

    @property
    def unit(self) -> str:
        """What its value counts, for JSON and tables."""
        if self.kind is timedelta:
            return "seconds"
        return "whole number" if self.kind is int else "number"

    def shown(self, value: float | None) -> str:
        """A value as people read it; None is the default's."""
        found = self.default if value is None else value
        return wait_in_words(found) if self.kind is timedelta else f"{found:.12g}"

    @property
    def bounds(self) -> str:
        """What it may be."""
        return f"{self.shown(self.low)} to {self.shown(self.high)}"

    def read(self, text: str) -> float | None:
        """What somebody wrote for a value; None for the default.

        Raises `ConfigurationError` naming the key for anything that it cannot be.
        """
        if text.strip().lower() == DEFAULT:
            return None
        value = self._number(text.strip())
        parameter_value(self.key, value)
        return value

    def _number(self, text: str) -> float:
        try:
            return float(text) if "." in text or "e" in text.lower() else int(text)
        except ValueError as error:
            if self.kind is not timedelta:
                raise ConfigurationError(
                    f"parameter {self.key}: {text!r} is not a {self.unit}; it may be "
                    f"{self.bounds}, or {DEFAULT}"
                ) from error
        try:
            return read_wait(text).total_seconds()
        except ValueError as error:
            raise ConfigurationError(f"parameter {self.key}: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One parameter as it stands: what it is, its history (newest first), and the change it has."""

    parameter: Parameter
    history: tuple[ParameterChange, ...]
    change: ParameterChange | None

    @property
    def value(self) -> Any:
        """What is in force."""
        changed = None if self.change is None else self.change.new
        return self.parameter.default if changed is None else changed

    def as_json(self) -> dict[str, Any]:
        """For scripts; waits in seconds."""
        described, change = self.parameter, self.change
        return {
            "key": described.key,
            "value": self.value,
            "default": described.default,
            "unit": described.unit,
            "low": described.low,
            "high": described.high,
            "until": change and change.expires_at,
            "changed_at": change and change.at,
            "author": change and change.author,
            "reason": change and change.reason,
        }


def standings(changes: Iterable[ParameterChange], now: datetime) -> tuple[Standing, ...]:
    """Every parameter as it stands at `now`, from the history of all, newest first."""
    history = newest_by_key(changes)
    return tuple(
        Standing(
            parameter=described,
            history=history.get(key, ()),
            change=standing(history.get(key, ()), now),
        )
        for key, described in parameters().items()
    )


@cache
def parameters() -> Mapping[str, Parameter]:
    """Every parameter by its key, in the order of the groups."""
    found = (each for group in fields(Settings) for each in _of_group(group.name))
    return MappingProxyType({each.key: each for each in found})


def parameter(key: str) -> Parameter:
    """One parameter. Raises `ConfigurationError` when there is none of this key."""
    found = parameters().get(key)
    if found is None:
        raise ConfigurationError(f"parameter {key!r} does not exist{nearest(key, parameters())}")
    return found


def read_pair(text: str) -> tuple[Parameter, float | None]:
    """What somebody wrote as KEY=VALUE. Raises `ConfigurationError` saying what it is not."""
    key, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError(f"{text!r} is not KEY=VALUE, as in pool.max_workers=50")
    found = parameter(key.strip())
    return found, found.read(value)


def read_wait(text: str) -> timedelta:
    """A wait as people write it: 90, 90s, 30m, 1h30m, 2d. Raises `ValueError`."""
    bare = text.strip().lower()
    try:
        if re.fullmatch(r"\d+(\.\d+)?", bare):
            return timedelta(seconds=float(bare))
        parts = _PART.findall(bare)
        if parts and not _PART.sub("", bare):
            return sum((timedelta(seconds=float(n) * _SECONDS[u]) for n, u in parts), timedelta())
    except OverflowError as error:
        raise ValueError(f"{text!r} is longer than anybody can wait") from error
    raise ValueError(f"{text!r} is no wait; write seconds, or 90s, 30m, 1h30m, 2d")


def wait_in_words(seconds: float) -> str:
    """A wait in the largest unit that it is a whole number of: 120 is "2 min"."""
    for unit, size in _UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.12g} {unit}"
    return f"{seconds:.12g} s"


# ---- from the source -----------------------------------------------------------------------------


def group_explanation(group: str) -> str:
    """What the parameters of a group are about."""
    return inspect.cleandoc(type(getattr(DEFAULT_SETTINGS, group)).__doc__ or "")


def _of_group(group: str) -> Iterator[Parameter]:
    record = getattr(DEFAULT_SETTINGS, group)
    told = _explanations(type(record))
    for field in fields(record):
        default: Any = getattr(record, field.name)
        yield Parameter(
            key=f"{group}.{field.name}",
            kind=type(default),
            default=default.total_seconds() if isinstance(default, timedelta) else default,
            low=field.metadata["low"],
            high=field.metadata["high"],
            explanation=told.get(field.name, ""),
        )


def _explanations(group: type) -> dict[str, str]:
    """The docstrings of the fields of a class; Python itself does not keep them."""
    tree = ast.parse(inspect.getsource(sys.modules[group.__module__]))
    name = group.__name__
    body = next(n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    found = {}
    for field, after in pairwise(body):
        match field, after:
            case (
                ast.AnnAssign(target=ast.Name(id=field_name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[field_name] = " ".join(text.split())
            case _:
                pass
    return found
