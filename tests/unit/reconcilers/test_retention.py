"""Of which jobs the results go: of those that are over for long enough, and of no other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.lifecycle import FINAL, Status
from models.settings_retention import RetentionSettings
from reconcilers.retention import decide
from simulator.examples import NOW, a_job

KEPT = timedelta(days=30)
SETTINGS = RetentionSettings(results=KEPT)
OLD = NOW - KEPT


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("quarantined", [False, True])
def test_only_a_job_that_nobody_moves_any_more_loses_its_results(
    status: Status, quarantined: bool
) -> None:
    job = a_job(status=status, status_at=OLD, quarantined=quarantined)
    found = decide([job], SETTINGS, NOW)
    assert bool(found) is (quarantined or status in {Status.DONE, Status.CANCELLED})


@pytest.mark.parametrize(
    ("age", "goes"),
    [
        pytest.param(KEPT - timedelta(seconds=1), False, id="a-moment-too-young"),
        pytest.param(KEPT, True, id="just-old-enough"),
        pytest.param(10 * KEPT, True, id="long-forgotten"),
        pytest.param(-KEPT, False, id="a-clock-that-was-wrong"),
    ],
)
def test_it_loses_them_when_it_is_over_for_long_enough(age: timedelta, goes: bool) -> None:
    job = a_job(status=Status.DONE, status_at=NOW - age)
    assert bool(decide([job], SETTINGS, NOW)) is goes


@given(st.sampled_from(Status), st.timedeltas(timedelta(), 3 * KEPT), st.timedeltas(KEPT, 2 * KEPT))
def test_nothing_that_is_written_while_it_is_kept_is_ever_deleted(
    status: Status, age: timedelta, kept: timedelta
) -> None:
    job = a_job(status=status, status_at=NOW - age)
    for removal in decide([job], RetentionSettings(results=kept), NOW):
        assert removal.unique_id == job.unique_id
        assert removal.before == NOW - kept
        assert job.status in FINAL
