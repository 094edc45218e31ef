"""Children in Nomad: strays are stopped, a program may tidy up, the forgotten are evaluated."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.actions import EvaluateChild, StopChild
from models.fleet import DEPLOYMENT_META, JOB_META, RUN_META
from models.plan import Held
from models.records import RunEnd
from models.settings import ExecutionSettings
from models.sightings import child_unevaluated
from models.world import NomadJob, Sighting
from reconcilers.execution import decide
from simulator.examples import (
    NOW,
    a_child,
    a_claimed_run,
    a_run,
    a_world,
    an_allocation,
    an_evaluation,
    an_id,
    in_flight,
)

SETTINGS = ExecutionSettings(wind_down=timedelta(minutes=15), evaluate_after_passes=2)


def _stray(**meta: str) -> NomadJob:
    child = a_child()
    return replace(child, meta={**child.meta, **meta})


@pytest.mark.parametrize(
    ("child", "run_id"),
    [
        pytest.param(_stray(), an_id("run", 1, 1), id="its-run-is-over"),
        pytest.param(_stray(**{RUN_META: "not a uuid"}), None, id="its-meta-makes-no-sense"),
        pytest.param(
            replace(a_child(), meta={DEPLOYMENT_META: "test"}), None, id="it-names-no-run"
        ),
        pytest.param(replace(_stray(), status="pending"), an_id("run", 1, 1), id="not-placed-yet"),
    ],
)
def test_a_child_of_ours_without_a_current_run_is_stopped(child: NomadJob, run_id: Any) -> None:
    (decision,) = decide(a_world(nomad={"jobs": (child,)}), SETTINGS, NOW)

    assert isinstance(decision, StopChild)
    assert decision.reason.value == "CHILD_WITHOUT_RUN"
    assert (decision.nomad_job_id, decision.run_id, decision.stuck) == (child.id, run_id, False)


@pytest.mark.parametrize(
    "child",
    [
        pytest.param(_stray(**{DEPLOYMENT_META: "somebody-else"}), id="another-deployments"),
        pytest.param(replace(a_child(), meta={}), id="nobodys"),
        pytest.param(replace(a_child(), status="dead"), id="dead"),
        pytest.param(replace(a_child(), stopped=True), id="stopped-already"),
        pytest.param(replace(a_child(), parent_id=""), id="no-child-at-all"),
    ],
)
def test_what_is_not_ours_or_is_over_is_never_touched(child: NomadJob) -> None:
    assert decide(a_world(nomad={"jobs": (child,)}), SETTINGS, NOW) == []


def test_a_child_whose_job_has_an_action_in_flight_may_have_a_run_that_we_do_not_see_yet() -> None:
    world = a_world(nomad={"jobs": (_stray(**{JOB_META: "17"}),)})

    assert decide(replace(world, busy=frozenset({"job:17"})), SETTINGS, NOW) == []
    assert len(decide(world, SETTINGS, NOW)) == 1


def test_a_child_that_is_being_stopped_is_not_stopped_twice() -> None:
    world = a_world(nomad={"jobs": (_stray(),)})

    assert decide(replace(world, busy=frozenset({f"child:{a_child().id}"})), SETTINGS, NOW) == []


@pytest.mark.parametrize(
    ("end", "minutes", "shown", "expected"),
    [
        pytest.param(RunEnd.PROCESSED, 0.5, {}, [], id="just-processed"),
        pytest.param(RunEnd.FAILED, 0.5, {}, [], id="just-failed-by-its-own-word"),
        pytest.param(RunEnd.PROCESSED, 14.9, {}, [Held], id="a-long-tidying-is-told"),
        pytest.param(RunEnd.PROCESSED, 15, {}, [StopChild], id="too-long"),
        pytest.param(RunEnd.CANCELLED, 0, {}, [StopChild], id="cancelled-by-a-person"),
        pytest.param(RunEnd.LOST, 0, {}, [StopChild], id="given-up-by-the-monitor"),
        pytest.param(RunEnd.NOT_DISPATCHED, 0, {}, [StopChild], id="given-up-by-execution"),
        pytest.param(None, 0, {}, [StopChild], id="ended-without-a-word-of-how"),
        pytest.param(
            RunEnd.FAILED, 0, {"status": "pending"}, [StopChild], id="nothing-there-to-tidy-up"
        ),
    ],
)
def test_a_program_that_ended_its_run_may_tidy_up_for_a_while(
    end: RunEnd | None, minutes: float, shown: dict[str, Any], expected: list[type]
) -> None:
    run = a_claimed_run(end=end, ended_at=NOW - timedelta(minutes=minutes))
    world = a_world(
        store={"ended_runs": (run,)},
        nomad={"jobs": (a_child(run, **shown),)},
    )

    assert [type(d) for d in decide(world, SETTINGS, NOW)] == expected


def test_a_pending_child_whose_program_was_just_placed_again_may_tidy_up() -> None:
    run = a_claimed_run(end=RunEnd.PROCESSED, ended_at=NOW)
    world = a_world(
        store={"ended_runs": (run,)},
        nomad={
            "jobs": (a_child(run, status="pending"),),
            "allocations": (an_allocation(),),
        },
    )

    assert decide(world, SETTINGS, NOW) == []


RUN = a_run(nomad_job_id=a_child().id)
FORGOTTEN = {child_unevaluated(a_child().id): Sighting(count=2, first_at=NOW, snapshot=1)}


@pytest.mark.parametrize(
    ("run", "child", "nomad", "sightings", "expected"),
    [
        pytest.param({}, {}, {}, FORGOTTEN, [EvaluateChild], id="forgotten"),
        pytest.param({}, {}, {}, {}, [], id="not-seen-so-before"),
        pytest.param(
            {},
            {},
            {},
            {child_unevaluated(a_child().id): Sighting(count=1, first_at=NOW, snapshot=1)},
            [],
            id="not-often-enough",
        ),
        pytest.param(
            {}, {}, {"evaluations": (an_evaluation(),)}, FORGOTTEN, [], id="it-is-evaluated"
        ),
        pytest.param({}, {}, {"allocations": (an_allocation(),)}, FORGOTTEN, [], id="it-is-placed"),
        pytest.param({}, {"status": "running"}, {}, FORGOTTEN, [], id="it-runs"),
        pytest.param({}, {"stopped": True}, {}, FORGOTTEN, [], id="it-was-stopped"),
        pytest.param(
            {"stop_reason": "too long"}, {}, {}, FORGOTTEN, [], id="its-stop-was-asked-for"
        ),
    ],
)
def test_a_child_that_nomad_forgot_is_evaluated(
    run: dict[str, Any],
    child: dict[str, Any],
    nomad: dict[str, Any],
    sightings: dict[str, Sighting],
    expected: list[type],
) -> None:
    current = replace(RUN, **run)
    world = a_world(
        store={"in_flight": (in_flight(run=current),)},
        nomad={"jobs": (a_child(current, **{"status": "pending", **child}),), **nomad},
        sightings=sightings,
    )

    decisions = decide(world, SETTINGS, NOW)

    assert [type(d) for d in decisions] == expected
