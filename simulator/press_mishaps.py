"""What goes wrong behind publication, each by its name: the broker, the buckets, the endpoint.

Like `simulator.mishaps`, for worlds in which something is published; each is over after a while.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from types import MappingProxyType

from simulator.mishaps import AWAY, Mishap, seconds
from simulator.press import SimulatedPress
from simulator.systems import Systems

ENDPOINT_AWAY = (60, 7200)
"""Seconds for which the endpoint takes nothing."""


def _broker_is_away(press: SimulatedPress, *, wrong: bool) -> None:
    press.broker.reachable = not wrong


def _broker_is_short(press: SimulatedPress, *, wrong: bool) -> None:
    press.broker.short = wrong


def _broker_lets_nobody_in(press: SimulatedPress, *, wrong: bool) -> None:
    press.broker.admits = not wrong


def _queue_is_unbound(press: SimulatedPress, *, wrong: bool) -> None:
    press.broker.bound = not wrong


def _exchange_is_missing(press: SimulatedPress, *, wrong: bool) -> None:
    press.broker.whole = not wrong


def _buckets_are_away(press: SimulatedPress, *, wrong: bool) -> None:
    press.buckets.reachable = not wrong


def _for_a_while(what: Callable[..., None], systems: Systems, chance: Random) -> bool:
    press = systems.press
    if press is not None:
        what(press, wrong=True)
        systems.timeline.after(seconds(chance, AWAY), partial(what, press, wrong=False))
    return press is not None


def _endpoint_is_away(systems: Systems, chance: Random) -> bool:
    press = systems.press
    if press is not None:
        press.endpoint.opens_at = systems.timeline.now() + seconds(chance, ENDPOINT_AWAY)
    return press is not None


PRESS_MISHAPS: Mapping[str, Mishap] = MappingProxyType(
    {
        "broker_away": partial(_for_a_while, _broker_is_away),
        "broker_short_of_memory": partial(_for_a_while, _broker_is_short),
        "broker_lets_nobody_in": partial(_for_a_while, _broker_lets_nobody_in),
        "queue_unbound": partial(_for_a_while, _queue_is_unbound),
        "exchange_missing": partial(_for_a_while, _exchange_is_missing),
        "buckets_away": partial(_for_a_while, _buckets_are_away),
        "endpoint_away": _endpoint_is_away,
    }
)
"""Everything that may go wrong behind publication, by name."""
