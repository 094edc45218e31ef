"""Live parameters over time: what is in force, and what will be once a temporary change is over.

A change may be for a while. When it is over the last value that was set for good is in force again,
whatever was set for a while in between; nobody has to write anything for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.errors import ConfigurationError
from models.records import ParameterChange
from models.settings import parameter_keys, settings_kept
from models.wording import in_utc


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A parameter's value as it is kept: in force until `expires_at`, and then `lasting`.

    None is the default. One without expiry is in force until somebody changes it.
    """

    value: Any
    expires_at: datetime | None = None
    lasting: Any = None

    def at(self, now: datetime) -> Any:
        """The value in force at `now`, None for the default."""
        over = self.expires_at is not None and self.expires_at <= now
        return self.lasting if over else self.value

    def changed(self, change: ParameterChange) -> Kept:
        """As it is kept after a change."""
        if change.expires_at is None:
            return Kept(value=change.new)
        lasting = self.value if self.expires_at is None else self.lasting
        return Kept(value=change.new, expires_at=change.expires_at, lasting=lasting)


UNSET = Kept(value=None)


def in_force(kept: Mapping[str, Kept], now: datetime) -> dict[str, Any]:
    """What differs from the defaults at `now`."""
    values = {key: each.at(now) for key, each in kept.items()}
    return {key: value for key, value in values.items() if value is not None}


def admit(kept: Mapping[str, Kept], change: ParameterChange) -> Kept:
    """How the changed parameter is kept; raises `ConfigurationError` naming what is impossible.

    Checked against all others, now and after each change that will be over by itself: what goes
    together for half an hour must not stop the controller from reading its parameters afterwards.
    A key that is kept and that this program does not have counts for nothing; it may be put back to
    its default, which takes it away.
    """
    _require_possible(kept, change)
    after = kept.get(change.key, UNSET).changed(change)
    whole = {**kept, change.key: after}
    ends = (each.expires_at for each in whole.values())
    for moment in sorted({change.at, *(end for end in ends if end and end > change.at)}):
        _require_consistent(whole, moment, change)
    return after


def _require_possible(kept: Mapping[str, Kept], change: ParameterChange) -> None:
    key = change.key
    taken_away = change.new is None and key in kept
    if key not in set(parameter_keys()) and not taken_away:
        known = ", ".join(parameter_keys())
        raise ConfigurationError(f"parameter {key!r} does not exist; there are: {known}")
    if change.expires_at is None:
        return
    if change.new is None:
        raise ConfigurationError(
            f"parameter {key}: back to the default for a while is a change for a while to the "
            "value of the default; name it"
        )
    if change.expires_at <= change.at:
        raise ConfigurationError(f"parameter {key}: a change cannot be over before it is made")


def _require_consistent(
    kept: Mapping[str, Kept], moment: datetime, change: ParameterChange
) -> None:
    try:
        settings_kept(in_force(kept, moment))
    except ConfigurationError as error:
        if moment == change.at:
            raise
        raise ConfigurationError(
            f"{error}; so it would be from {in_utc(moment)} on, when what was set "
            "for a while is over"
        ) from error


def newest_by_key(changes: Iterable[ParameterChange]) -> dict[str, tuple[ParameterChange, ...]]:
    """The history of each parameter, newest first, from the history of all, newest first."""
    found: dict[str, tuple[ParameterChange, ...]] = {}
    for change in changes:
        found[change.key] = (*found.get(change.key, ()), change)
    return found


def standing(history: Iterable[ParameterChange], now: datetime) -> ParameterChange | None:
    """The change of one parameter, newest first, that stands at `now`; None before the first.

    It is the newest, or, when that was for a while and is over, the newest for good.
    """
    return next(_candidates(history, now), None)


def _candidates(history: Iterable[ParameterChange], now: datetime) -> Iterator[ParameterChange]:
    for number, change in enumerate(history):
        until = change.expires_at
        if until is None or (number == 0 and until > now):
            yield change
