"""No call reaches a cloud whose project is not proved to be ours."""

from collections.abc import Callable

import pytest

from controller.guard import GuardedCloud
from models.errors import ConfigurationError, Refused, Unavailable
from simulator.systems import Scenario, in_memory


class Proof:
    """Says what the cloud says when it is asked for its project, one answer after another."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)

    def __call__(self) -> None:
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer


def guarded(*answers: Exception | None) -> GuardedCloud:
    return GuardedCloud(in_memory(Scenario()).cloud_port(), Proof(*answers))


def test_another_project_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="another"):
        guarded(ConfigurationError("another project")).prove()


def test_a_cloud_that_cannot_be_asked_is_away_until_it_is_proved() -> None:
    cloud = guarded(Unavailable("away"), Unavailable("still away"), None)

    assert cloud.prove() == "away"
    with pytest.raises(Unavailable, match="still away"):
        cloud.snapshot()
    assert cloud.snapshot().servers == ()
    assert not cloud.exists("nobody")


CALLS: list[Callable[[GuardedCloud], object]] = [
    lambda cloud: cloud.snapshot(),
    lambda cloud: cloud.delete("x"),
    lambda cloud: cloud.exists("x"),
]


@pytest.mark.parametrize("call", CALLS, ids=["snapshot", "delete", "exists"])
def test_a_project_that_proves_wrong_later_refuses_every_call(
    call: Callable[[GuardedCloud], object],
) -> None:
    cloud = guarded(Unavailable("away"), ConfigurationError("another project"))
    cloud.prove()

    with pytest.raises(Refused, match="another project"):
        call(cloud)
