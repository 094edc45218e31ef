"""Jobs that must run in the order of measurement: what one waits for, and what it begins with."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from models.configuration import BACKWARD_IMAGES, REFERENCE_AGE, Neighbour, Unready
from models.job_configs import FscRlieConfig, MajaMode

NO_TILE = "no-tile"
"""Where the L2A of a job go that belongs to no tile, and so to no series."""


def fields(unready: Unready, output: str, order: str) -> FscRlieConfig:
    """How MAJA begins: from the L2A before, else from the images after, else from nothing."""
    reference = _usable(unready)
    images = _images_after(unready) if reference is None else ()
    mode = MajaMode.INIT
    if reference is not None:
        mode = MajaMode.NOMINAL
    elif images:
        mode = MajaMode.BACKWARD
    job = unready.job
    return FscRlieConfig(
        output=output,
        order=order,
        maja_mode=mode,
        l2a_path_in=str(reference.config["l2a_path_out"]) if reference else None,
        # By key, not by image: who reads the L2A of a job is not to find that of the next one that
        # does the same image.
        l2a_path_out=f"{job.tile or NO_TILE}/L2A/reference/{job.key}/{mode}",
        reference_job=reference.id if reference else None,
        first_job=_first(reference),
        n_jobs_run_since_last_init=len(images) + 1
        if images
        else _count(reference, "n_jobs_run_since_last_init", unready.between),
        n_l2a_produced_since_last_init=len(images) + 1
        if images
        else _count(reference, "n_l2a_produced_since_last_init"),
        inputs=images,
    )


def _usable(unready: Unready) -> Neighbour | None:
    """The job whose L2A is there to begin with."""
    found = unready.reference
    return found if found is not None and found.config.get("l2a_path_out") else None


def _count(reference: Neighbour | None, name: str, besides: int = 0) -> int:
    """One more than that of the job that this one begins with; 0 where the chain begins."""
    if reference is None:
        return 0
    return int(reference.config.get(name, 0)) + 1 + besides


def _first(reference: Neighbour | None) -> int | None:
    """The job that the chain of this one began with."""
    return None if reference is None else reference.config.get("first_job") or reference.id


def _images_after(unready: Unready) -> tuple[str, ...]:
    """The images that follow, if they are enough and none is too long after the one before."""
    following = unready.after[: BACKWARD_IMAGES - 1]
    moments = [unready.sensing_at, *(each.sensing_at for each in following)]
    paths = tuple(str(each.input.get("path") or "") for each in following)
    enough = len(following) == BACKWARD_IMAGES - 1 and all(paths)
    return paths if enough and all(are_close(*pair) for pair in pairwise(moments)) else ()


def are_close(one: datetime | None, two: datetime | None) -> bool:
    """Whether MAJA may go from one to the other."""
    return one is not None and two is not None and two - one <= REFERENCE_AGE
