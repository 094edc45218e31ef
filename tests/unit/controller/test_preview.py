"""The preview of other parameters: what differs, and nothing else."""

import pytest
from hypothesis import given, settings

from controller.planning import Look
from controller.preview import preview, preview_as_json, preview_lines, told
from controller.reconcilers import RECONCILERS
from controller.recording import Recording
from models.errors import ConfigurationError
from models.plan import Reason
from models.world import World
from simulator.examples import NOW, a_job, a_machine, a_world
from simulator.strategies import worlds


def look_at(world: World) -> Look:
    return Look.at(Recording(now=NOW, world=world))


def waiting(parameters: dict[str, float] | None = None) -> Look:
    """Three jobs wait and nobody is there to do them."""
    jobs = tuple(a_job(id=number) for number in (1, 2, 3))
    return look_at(a_world(store={"ready": jobs, "parameters": parameters or {}}))


def test_a_cap_shows_what_it_would_hold_back() -> None:
    found = preview(waiting(), {"pool.max_workers": 1}, RECONCILERS)
    created = [d for d in found.differences if d.with_them is None]
    held = [d.with_them for d in found.differences if d.without is None]
    assert {each.loop for each in found.differences} == {"worker-pool"}
    assert len(created) == 2
    assert Reason.MAX_WORKERS in {decision.reason for decision in held if decision}
    lines = "\n".join(preview_lines(told(found)))
    assert "  without: + create server" in lines
    assert "1 more stay as they are and only go by other numbers" in lines
    assert "Without: Plan: 3 to create" in lines
    assert "With:    Plan: 1 to create" in lines


def test_the_default_takes_the_place_of_what_is_in_force() -> None:
    found = preview(waiting({"pool.max_workers": 1}), {"pool.max_workers": None}, RECONCILERS)
    said = preview_as_json(told(found))
    assert (said["without"]["create"], said["with"]["create"]) == (1, 3)


def test_what_changes_no_decision_says_so() -> None:
    found = preview(waiting(), {"passes.merge": 1}, RECONCILERS)
    assert list(preview_lines(told(found))) == [
        "No decision about this world would be another one."
    ]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"passes\.lease"):
        preview(waiting(), {"passes.lease": 5}, RECONCILERS)


def test_another_sentence_about_the_same_is_a_difference() -> None:
    worker = a_machine()
    found = preview(look_at(a_world(worker)), {"pool.idle_for": 86_400}, RECONCILERS)
    (difference,) = [d for d in found.differences if d.loop == "worker-pool"][:1]
    assert difference.without != difference.with_them


@settings(max_examples=15)
@given(world=worlds())
def test_the_values_in_force_change_nothing(world: World) -> None:
    same = {"pool.max_workers": 210, "execution.lead": 2, "monitor.limit_started": None}
    assert preview(look_at(world), same, RECONCILERS).differences == ()
