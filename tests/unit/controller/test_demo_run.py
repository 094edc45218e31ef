"""When a demo is over."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.demo.run import is_late, is_quiet, time_for
from controller.demo.scene import Duty, Scene, Stage

ENDED = Scene(
    elapsed=timedelta(seconds=60),
    submitted=4,
    jobs={Stage.DONE: 2, Stage.CANCELLED: 1, Stage.IN_ERROR: 1},
    quarantined=1,
    workers={"hm.medium": {}, "hm.large": {}},
)


@pytest.mark.parametrize(
    ("scene", "quiet"),
    [
        pytest.param(ENDED, True, id="every-job-has-ended-and-no-worker-is-left"),
        pytest.param(replace(ENDED, quarantined=0), False, id="a-job-in-error-will-be-tried-again"),
        pytest.param(
            replace(ENDED, workers={"hm.large": {Duty.DELETING: 1}}),
            False,
            id="a-server-is-still-being-deleted",
        ),
        pytest.param(replace(ENDED, submitted=5), False, id="a-job-is-still-waiting"),
        pytest.param(
            replace(ENDED, submitted=0, jobs={}, quarantined=0), False, id="nothing-has-begun"
        ),
    ],
)
def test_a_demo_is_quiet_when_nothing_more_will_happen(scene: Scene, *, quiet: bool) -> None:
    assert is_quiet(scene) is quiet


def test_more_jobs_may_take_longer() -> None:
    assert time_for(40) == timedelta(seconds=200) < time_for(41)


@pytest.mark.parametrize(("seconds", "late"), [(128, False), (129, True)], ids=["in-time", "late"])
def test_a_demo_is_late_when_all_jobs_that_came_had_their_time(seconds: int, *, late: bool) -> None:
    assert is_late(replace(ENDED, elapsed=timedelta(seconds=seconds))) is late


def test_jobs_that_jobs_made_have_their_time_too() -> None:
    scene = replace(ENDED, elapsed=timedelta(seconds=201), submitted=40)
    assert is_late(scene)
    assert not is_late(replace(scene, submitted=120))
