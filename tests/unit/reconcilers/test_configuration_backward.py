"""The first images of a chain are done again, backward, once it has made eight L2A."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias

import pytest

from models.actions import Configure
from models.configuration import Backlog, Neighbour, Unready
from models.lifecycle import Status
from models.records import Priority
from models.settings_configuration import ConfigurationSettings
from reconcilers import configuration
from simulator.examples import NOW, a_job, a_world

DAY = timedelta(days=1)
SETTINGS = ConfigurationSettings()
OFF = ConfigurationSettings(backward_reprocessing=0)

Chain: TypeAlias = tuple[Neighbour, ...]


def link(place: int, **changes: Any) -> Neighbour:
    """The job of a chain that has this many L2A before it."""
    first = {} if place == 0 else {"first_job": 100}
    return Neighbour(
        id=100 + place,
        key=f"image-{place}",
        status=Status.DONE,
        sensing_at=NOW + (place - 20) * DAY,
        input={"path": f"/eodata/{place}", "product": f"image-{place}", "campaign": 4},
        config={
            "l2a_path_out": f"l2a/{place}",
            "maja_mode": "nominal" if place else "init",
            "n_l2a_produced_since_last_init": place,
            **first,
            **changes,
        },
    )


CHAIN = tuple(map(link, range(8)))


def ninth(chain: Chain = CHAIN, reference: Neighbour = CHAIN[-1]) -> Unready:
    """The job that goes on where a chain of eight ends."""
    job = a_job(id=200, type="fsc_rlie", status=Status.INITIALIZED, seq=1)
    return Unready(job=job, sensing_at=NOW, reference=reference, chain=chain)


def action_of(job: Unready, settings: ConfigurationSettings = SETTINGS) -> Configure:
    world = replace(a_world(), backlog=Backlog(jobs=(job,)))
    (action,) = configuration.decide(world, settings, NOW)
    assert isinstance(action, Configure)
    return action


def test_eight_images_are_done_again_for_reprocessing_the_first_one_first() -> None:
    action = action_of(ninth())
    assert action.jobs[0].wait is None
    assert [new.key for new in action.again] == [f"image-{n}@backward" for n in range(8)]
    first = action.again[0]
    assert (first.type, first.tile, first.sensing_at) == ("fsc_rlie", "32TLR", CHAIN[0].sensing_at)
    assert (first.priority, first.deadline) == (Priority.REPROCESSING, None)
    assert first.input == {
        "path": "/eodata/0",
        "product": "image-0",
        "reprocessing_context": "backward",
    }
    assert "8 images to be done again" in action.because


def apart(chain: Chain) -> Chain:
    late = replace(chain[-1], sensing_at=NOW + 48 * DAY)
    return (*chain[:-1], late)


def without_a_path(chain: Chain) -> Chain:
    return (*chain[:3], replace(chain[3], input={}), *chain[4:])


def of_good_snow(chain: Chain) -> Chain:
    return (*chain[:3], link(3, n_l2a_produced_since_last_init=9), *chain[4:])


def done_again_otherwise(chain: Chain) -> Chain:
    return (replace(chain[0], id=999), *chain[1:])


def begun_backward(chain: Chain) -> Chain:
    return (link(0, maja_mode="backward"), *chain[1:])


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda chain: chain[:7], id="one-too-few"),
        pytest.param(lambda _: (), id="done-again-already"),
        *(
            pytest.param(each, id=each.__name__.replace("_", "-"))
            for each in (apart, without_a_path, of_good_snow, done_again_otherwise, begun_backward)
        ),
    ],
)
def test_a_chain_that_is_no_whole_beginning_stays_as_it_is(
    spoil: Callable[[Chain], Chain],
) -> None:
    action = action_of(ninth(spoil(CHAIN)))
    assert len(action.jobs) == 1
    assert action.again == ()


def test_a_chain_of_seven_stays_as_it_is() -> None:
    assert action_of(ninth(reference=CHAIN[-2])).again == ()


def test_whoever_turned_it_off_is_obeyed() -> None:
    assert action_of(ninth(), OFF).again == ()


def test_nothing_is_done_again_before_the_ninth_is_ready() -> None:
    waiting = replace(ninth(), before=Neighbour(id=150, key="x", status=Status.PROCESSING))
    action = action_of(waiting)
    assert action.jobs[0].wait is not None
    assert action.again == ()
