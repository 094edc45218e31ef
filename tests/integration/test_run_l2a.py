"""An image of a tile begins with what the one before it has left."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from models.lifecycle import Status
from models.objects import Place
from models.records import Run
from tests.plugins.readiness import SERIES
from tests.plugins.runs import Worker
from worker.l2a import MARKER, Kept, decode

pytestmark = pytest.mark.integration

PLACE = str(SERIES["l2a_path_out"])
"""Where the configuration of the tests lets every run leave its L2A."""


def in_data(worker: Worker) -> set[str]:
    return {each.place.key for each in worker.buckets.objects(worker.names["data"], "")}


def kept_now(worker: Worker) -> Kept:
    return decode(worker.buckets.read(Place(bucket=worker.names["data"], key=f"{PLACE}/{MARKER}")))


def made(worker: Worker) -> Run:
    """A run that has left an L2A."""
    run = worker.queued()
    code, said = worker.do(run, "first")
    assert code == 0, said
    return run


def test_an_image_begins_with_the_l2a_that_the_one_before_has_left(worker: Worker) -> None:
    first = made(worker)
    assert in_data(worker) == {f"{PLACE}/{MARKER}", f"{PLACE}/{first.id}-1/images.txt"}
    assert not any("l2a" in key for key in worker.kept(first)), "it is kept once"
    assert "began without an L2A" in worker.science_log("first")

    second = worker.queued(l2a_path_in=PLACE, reference_job=first.job_id)
    code, said = worker.do(second)
    assert code == 0, said
    assert "began with an L2A of 1 images" in worker.science_log()
    [file] = kept_now(worker).files
    place = Place(bucket=worker.names["data"], key=f"{PLACE}/{second.id}-1/{file.key}")
    assert worker.buckets.read(place) == b"2\n"


def test_the_l2a_of_each_claim_lies_by_itself(worker: Worker) -> None:
    run = worker.queued()
    worker.desk.claim(run, "lost")
    code, said = worker.do(run, "a2")
    assert code == 0, said

    assert kept_now(worker).folder == f"{run.id}-2/"


def test_going_backward_the_images_after_it_are_fetched_too(worker: Worker) -> None:
    later = [f"/eodata/Sentinel-2/later-{number}.SAFE" for number in range(7)]
    worker.served.fill(
        worker.names["eodata"],
        [(f"{path.removeprefix('/eodata/')}/MTD.xml", b"<x/>") for path in later],
    )
    worker.settings["HRSI_SCIENCE_COMMAND"] = "sh -c 'ls inputs; exit 200'"
    code, said = worker.do(worker.queued(inputs=later))
    assert code == 0, said

    assert {f"later-{number}.SAFE" for number in range(7)} <= set(worker.science_log().split())


def lost(worker: Worker) -> None:
    keys = in_data(worker)
    worker.buckets.delete(worker.names["data"], keys)


def incomplete(worker: Worker) -> None:
    worker.buckets.delete(
        worker.names["data"], [key for key in in_data(worker) if not key.endswith(MARKER)]
    )


def nonsense(worker: Worker) -> None:
    worker.buckets.put(Place(bucket=worker.names["data"], key=f"{PLACE}/{MARKER}"), b"{}")


@pytest.mark.parametrize(
    ("breaks", "subtype"),
    [
        pytest.param(lost, "Missing L2A input", id="lost"),
        pytest.param(incomplete, "Bad L2A input content", id="incomplete"),
        pytest.param(nonsense, "Bad L2A input content", id="nonsense"),
    ],
)
def test_an_l2a_that_is_not_there_is_for_a_person_who_is_told_what_to_do(
    worker: Worker, breaks: Callable[[Worker], None], subtype: str
) -> None:
    made(worker)
    breaks(worker)
    run = worker.queued(l2a_path_in=PLACE, reference_job=17)
    assert worker.do(run)[0] == 0
    newest = worker.story(run).history[-1]

    assert (newest.after, newest.subtype) == (Status.INTERNAL_ERROR, subtype)
    assert "relaunch job 17" in (newest.message or "")


@pytest.mark.parametrize(
    ("command", "status", "exit_code"),
    [
        pytest.param("exit 200", Status.PROCESSED, 200, id="too-cloudy"),
        pytest.param("mkdir outputs/x", Status.INTERNAL_ERROR, 0, id="nothing-left"),
        pytest.param("echo > l2a/x; exit 205", Status.PROCESSED, 205, id="a-missing-band"),
        pytest.param("echo > l2a/x; exit 3", Status.INTERNAL_ERROR, 3, id="failed"),
    ],
)
def test_who_made_no_l2a_keeps_none_and_the_table_knows_it_by_the_exit_code(
    worker: Worker, command: str, status: Status, exit_code: int
) -> None:
    """The next image passes over those that ended well and made none, by this code alone."""
    worker.settings["HRSI_SCIENCE_COMMAND"] = f"sh -c '{command}'"
    run = worker.queued()
    assert worker.do(run)[0] == 0
    story = worker.story(run)

    assert in_data(worker) == set()
    assert (story.history[-1].after, story.runs[-1].exit_code) == (status, exit_code)
