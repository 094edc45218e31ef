"""Doing the first images of a chain again, backward, once it has made eight L2A.

A chain of L2A begins with nothing, and the snow of its first images is less exact for it. As soon
as eight are made they are done again: the first one backward, through the seven after it, and those
one after the other from what that leaves. All of it is for reprocessing: no new image waits for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from models.configuration import AGAIN, BACKWARD_IMAGES, Neighbour, Unready, finished_beginning
from models.job_configs import MajaMode
from models.records import NewJob, Priority
from reconcilers.configuration.series import are_close

CONTEXT = "reprocessing_context"
"""The field of an input that says why a job does another one's work again, as operators know it."""

_OF_THE_FORMER = ("campaign", "stands_in")
"""What of the input of a job is not of the one that does its work again."""


def again(unready: Unready) -> Iterator[NewJob]:
    """The jobs that do the first images of this one's chain again, in their order; none while the
    chain is not what MAJA can go backward through.
    """
    chain = unready.chain
    first = finished_beginning(unready.reference)
    if len(chain) == BACKWARD_IMAGES and chain[0].id == first and _is_beginning(chain):
        for each in chain:
            yield _again(unready, each)


def _is_beginning(chain: tuple[Neighbour, ...]) -> bool:
    """Whether it began with nothing, and is whole: no image is too long after the one before."""
    is_whole = all(are_close(one.sensing_at, two.sensing_at) for one, two in pairwise(chain))
    begins = chain[0].config.get("maja_mode") == MajaMode.INIT
    return begins and is_whole and all(_is_degraded(each) for each in chain)


def _is_degraded(one: Neighbour) -> bool:
    """Its snow is less exact, for too few L2A were before it; and its image can be had again."""
    made = int(one.config.get("n_l2a_produced_since_last_init", 0))
    return made < BACKWARD_IMAGES and bool(one.input.get("path"))


def _again(unready: Unready, former: Neighbour) -> NewJob:
    job = unready.job
    given = {name: value for name, value in former.input.items() if name not in _OF_THE_FORMER}
    return NewJob(
        type=job.type,
        key=former.key + AGAIN,
        name=f"{job.tile}-{former.sensing_at:%Y-%m-%d}",
        tile=job.tile,
        priority=Priority.REPROCESSING,
        sensing_at=former.sensing_at,
        input={**given, CONTEXT: MajaMode.BACKWARD.value},
    )
