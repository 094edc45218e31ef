"""What runs made: written once, with `processed`, and by the last claim alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from models.errors import IllegalTransition, Malformed, Superseded
from models.lifecycle import Status
from models.manifest import Manifest
from models.ports import RunResult
from models.records import Run
from simulator.examples.products import a_manifest
from tests.plugins.stores import ASKED, Desk


def done(desk: Desk) -> tuple[Run, Manifest]:
    """A run whose products are uploaded, and what it would say of them."""
    run = desk.claimed()
    desk.advanced(run, Status.POST_PROCESSING)
    return run, a_manifest(desk.job(run.job_id).unique_id, desk.run(run))


def test_what_a_run_made_is_written_with_its_end(desk: Desk) -> None:
    run, manifest = done(desk)
    desk.end(run, Status.PROCESSED, manifest=manifest, exit_code=0)

    assert desk.story(run.job_id).manifests == (manifest,)


def test_a_run_may_have_made_nothing(desk: Desk) -> None:
    run, manifest = done(desk)
    nothing = replace(manifest, products=())
    desk.end(run, Status.PROCESSED, manifest=nothing)

    assert desk.story(run.job_id).manifests == (nothing,)


def test_a_manifest_is_accepted_once(desk: Desk) -> None:
    run, manifest = done(desk)
    desk.end(run, Status.PROCESSED, manifest=manifest)
    with desk.nothing_written():
        desk.end(run, Status.PROCESSED, manifest=manifest)
        with pytest.raises(Superseded):
            desk.end(run, Status.PROCESSED, manifest=manifest, exit_code=1)


def test_an_outdated_claim_has_made_nothing(desk: Desk) -> None:
    run, manifest = done(desk)
    desk.claim(run, "allocation-2")
    with desk.nothing_written(), pytest.raises(Superseded):
        desk.end(run, Status.PROCESSED, manifest=manifest)


def test_each_run_of_a_job_has_its_own(desk: Desk) -> None:
    run, first = done(desk)
    desk.end(run, Status.PROCESSED, manifest=first)
    desk.doors.operations.cancel([run.job_id], ASKED)
    desk.doors.operations.relaunch([run.job_id], ASKED)
    again = desk.claimed(run.job_id)
    desk.advanced(again, Status.POST_PROCESSING)
    second = a_manifest(first.unique_id, desk.run(again))
    desk.end(again, Status.PROCESSED, manifest=second)

    assert desk.story(run.job_id).manifests == (first, second)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"unique_id": UUID(int=1)}, id="of-another-job"),
        pytest.param({"run_id": UUID(int=1)}, id="of-another-run"),
        pytest.param({"attempt": 2}, id="of-another-attempt"),
        pytest.param({"claim": 2}, id="of-another-claim"),
        pytest.param({"prefix": "work/jobs/elsewhere/"}, id="from-another-place"),
        pytest.param({"version": 99}, id="of-a-version-to-come"),
    ],
)
def test_a_manifest_that_the_claim_cannot_have_made_is_refused(
    desk: Desk, wrong: dict[str, Any]
) -> None:
    run, manifest = done(desk)
    with desk.nothing_written(), pytest.raises(Malformed):
        desk.end(run, Status.PROCESSED, manifest=replace(manifest, **wrong))


def test_before_its_last_step_a_run_has_made_nothing(desk: Desk) -> None:
    run = desk.claimed()
    with desk.nothing_written(), pytest.raises(IllegalTransition):
        desk.end(run, Status.PROCESSED)


def test_what_ended_in_error_has_made_nothing(desk: Desk) -> None:
    run, made = done(desk)
    result = RunResult(status=Status.INTERNAL_ERROR, manifest=made)
    desk.doors.reports.end(run.id, 1, result)

    assert desk.story(run.job_id).manifests == ()
