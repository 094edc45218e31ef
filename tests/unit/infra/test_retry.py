"""Reads are asked again within their deadline; everything else is shown at once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.retry import ONCE, Deadline, RetryPolicy, rest_asked_for
from models.errors import NotFound, PortError, Throttled, Unavailable, Unknown


class Script:
    """A read that fails as told, then answers; its clock moves only while it sleeps."""

    def __init__(self, *failures: PortError) -> None:
        self.failures = list(failures)
        self.calls = 0
        self.now = 0.0

    def read(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "answer"

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def run(self, policy: RetryPolicy, allowed: float = 30) -> str:
        deadline = Deadline.after(timedelta(seconds=allowed), self.clock)
        return policy.call(self.read, deadline, self.sleep)


POLICY = RetryPolicy(attempts=3, first_wait=timedelta(seconds=1), max_wait=timedelta(seconds=1.5))


def test_a_read_is_asked_again_after_temporary_errors_with_a_doubling_bounded_wait() -> None:
    script = Script(Unavailable("no"), Unavailable("no"))
    assert script.run(POLICY) == "answer"
    assert (script.calls, script.now) == (3, 2.5)


@pytest.mark.parametrize(
    ("failure", "policy", "allowed", "calls"),
    [
        pytest.param(lambda: NotFound("no"), POLICY, 30, 1, id="a-permanent-error-is-final"),
        pytest.param(lambda: Unknown("?"), POLICY, 30, 1, id="an-unknown-outcome-is-looked-at"),
        pytest.param(lambda: Unavailable("no"), POLICY, 30, 3, id="attempts-are-limited"),
        pytest.param(lambda: Unavailable("no"), ONCE, 30, 1, id="once-means-once"),
        pytest.param(lambda: Unavailable("no"), POLICY, 0.5, 1, id="a-wait-must-fit"),
        pytest.param(
            lambda: Throttled("slow down", retry_after=timedelta(seconds=60)),
            POLICY,
            30,
            1,
            id="a-wait-that-the-system-asks-for-must-fit-too",
        ),
    ],
)
def test_the_last_error_comes_out_unchanged(
    failure: Callable[[], PortError], policy: RetryPolicy, allowed: float, calls: int
) -> None:
    errors = [failure() for _ in range(5)]
    script = Script(*errors)
    with pytest.raises(PortError) as caught:
        script.run(policy, allowed)
    assert script.calls == calls
    assert caught.value is errors[calls - 1]


def test_the_wait_that_the_system_asks_for_is_kept() -> None:
    script = Script(Throttled("slow down", retry_after=timedelta(seconds=7)))
    assert script.run(POLICY) == "answer"
    assert script.now == 7


@given(failures=st.integers(0, 10), attempts=st.integers(1, 8), allowed=st.floats(0.1, 60))
def test_retries_never_outlive_the_deadline(failures: int, attempts: int, allowed: float) -> None:
    script = Script(*(Unavailable("no") for _ in range(failures)))
    policy = RetryPolicy(attempts=attempts)
    try:
        script.run(policy, allowed)
    except Unavailable:
        assert script.calls <= attempts
    assert script.now < allowed


def test_a_deadline_that_has_passed_stops_the_request_before_it_leaves() -> None:
    script = Script()
    deadline = Deadline.after(timedelta(seconds=1), script.clock)
    assert deadline.require("list servers") == 1
    script.sleep(1)
    with pytest.raises(Unavailable, match="list servers"):
        deadline.require("list servers")


NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def dated(rest: timedelta) -> str:
    return format_datetime(NOW + rest, usegmt=True)


@pytest.mark.parametrize(
    ("said", "rest"),
    [
        pytest.param("20", timedelta(seconds=20), id="seconds"),
        pytest.param(" 20 ", timedelta(seconds=20), id="among-blanks"),
        pytest.param("000", timedelta(0), id="at-once"),
        pytest.param("9" * 5_000, timedelta(seconds=999_999_999), id="longer-than-a-number-may-be"),
        pytest.param(dated(timedelta(seconds=45)), timedelta(seconds=45), id="a-date"),
        pytest.param(dated(-timedelta(days=1)), timedelta(0), id="a-past-date"),
        pytest.param("Mon, 05 Jan 2026 12:00:45", None, id="a-date-of-no-zone"),
        pytest.param("-5", None, id="seconds-that-are-over"),
        pytest.param("²", None, id="a-digit-that-is-no-number"),
        pytest.param("soon", None, id="nonsense"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_a_rest_is_read_in_seconds_or_as_a_date(said: str | None, rest: timedelta | None) -> None:
    assert rest_asked_for(said, NOW) == rest


@given(st.text())
def test_whatever_is_said_of_a_rest_ends_nothing(said: str) -> None:
    rest = rest_asked_for(said, NOW)
    assert rest is None or rest >= timedelta(0)
