"""The status table: what the original allowed plus the edges of the design, and its two rules."""

import itertools

import pytest

from models.errors import IllegalTransition
from models.lifecycle import (
    ALLOWED,
    ERRORS,
    FINAL,
    FIRST,
    IN_FLIGHT,
    ON_WORKER,
    OWNER,
    RESUME_STATUSES,
    Owner,
    Status,
    check,
    is_allowed,
    transition_pairs,
)

HAPPY = (
    "initialized configured ready queued started pre_processing processing post_processing "
    "processed start_publication published done"
).split()

ADDED = [
    ("queued", "ready"),
    ("queued", "external_error"),
    ("queued", "cancelled"),
    ("configured", "external_error"),
    ("published", "internal_error"),
    ("published", "external_error"),
    ("done", "error_checked"),
    ("cancelled", "error_checked"),
    ("external_error", "started"),
]


@pytest.mark.parametrize(("before", "after"), list(itertools.pairwise(HAPPY)))
def test_a_job_may_go_all_the_way(before: str, after: str) -> None:
    assert is_allowed(Status(before), Status(after))


@pytest.mark.parametrize(("before", "after"), ADDED)
def test_the_edges_that_the_original_lacked_are_there(before: str, after: str) -> None:
    assert is_allowed(Status(before), Status(after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("started", "queued"),
        ("processing", "started"),
        ("pre_processing", "started"),
        ("queued", "processing"),
        ("done", "ready"),
        ("cancelled", "ready"),
        ("internal_error", "ready"),
        ("external_error", "ready"),
        ("internal_error", "started"),
        ("published", "cancelled"),
        ("done", "cancelled"),
    ],
)
def test_no_status_is_skipped_or_entered_from_behind(before: str, after: str) -> None:
    assert not is_allowed(Status(before), Status(after))


def test_an_illegal_change_names_what_it_would_have_changed() -> None:
    with pytest.raises(IllegalTransition, match=r"job 7: done may not become ready; nothing"):
        check(Status.DONE, Status.READY, of="job 7")
    with pytest.raises(IllegalTransition, match="job 7: no status may not become done"):
        check(None, Status.DONE, of="job 7")


def test_a_legal_change_is_let_through() -> None:
    check(Status.READY, Status.QUEUED, of="job 7")
    check(None, Status.INITIALIZED, of="job 7")


def test_every_status_is_final_or_has_one_owner() -> None:
    assert OWNER.keys() | FINAL == set(Status)
    assert not OWNER.keys() & FINAL


def test_the_error_statuses_belong_to_the_monitor_alone() -> None:
    assert {OWNER[status] for status in ERRORS} == {Owner.MONITOR}


@pytest.mark.parametrize("status", sorted(Status))
def test_every_status_has_a_way_out(status: Status) -> None:
    assert ALLOWED[status] - {status}


@pytest.mark.parametrize("status", sorted(set(Status) - FINAL - ERRORS))
def test_whatever_is_under_way_may_fail(status: Status) -> None:
    assert is_allowed(status, Status.INTERNAL_ERROR)
    assert is_allowed(status, Status.EXTERNAL_ERROR)


@pytest.mark.parametrize("status", sorted(ERRORS | FINAL))
@pytest.mark.parametrize("resume", sorted(RESUME_STATUSES))
def test_a_job_at_rest_can_be_sent_back_to_where_it_resumes(status: Status, resume: Status) -> None:
    assert is_allowed(status, Status.ERROR_CHECKED)
    assert is_allowed(Status.ERROR_CHECKED, resume)


def test_a_run_in_flight_is_queued_or_on_a_worker() -> None:
    assert ON_WORKER | {Status.QUEUED} == IN_FLIGHT


def test_the_pairs_for_the_trigger_are_the_table_each_once() -> None:
    pairs = list(transition_pairs())

    assert len(pairs) == len(set(pairs))
    assert {after for before, after in pairs if before is None} == FIRST
    for status in Status:
        assert {after for before, after in pairs if before is status} == ALLOWED[status]
