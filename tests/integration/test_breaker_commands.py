"""`hrsi breaker` as people type it, and where else an open breaker shows."""

from __future__ import annotations

import pytest

from models.breakers import BreakerName
from models.changes import TripBreaker
from models.plan import Held, Reason, Subject, SubjectKind
from tests.plugins.installation import Installation
from tests.plugins.stores import Desk, postgres_doors

SUSPECTS = {f"s-{number}": f"os-worker-{number:03d}" for number in range(1, 11)}
BECAUSE = "10 of 12 servers are missing from the list of the cloud"


@pytest.fixture
def desk(installation: Installation) -> Desk:
    """The installation's store, with an open breaker."""
    made = Desk(postgres_doors(installation.database))
    change = TripBreaker(
        at=made.now(), name=BreakerName.SERVERS, because=BECAUSE, suspects=SUSPECTS
    )
    made.do(change)
    return made


def test_an_open_breaker_is_listed_tried_closed_and_looked_up_later(
    installation: Installation, desk: Desk
) -> None:
    told = installation.type("breaker", "list")
    assert BECAUSE in told.out
    assert "os-worker-008 and 2 more" in told.out
    [shown] = installation.type("breaker", "list", "--json").json
    assert (shown["name"], shown["suspects"], shown["closed_at"]) == ("servers", SUSPECTS, None)

    with desk.nothing_written():
        tried = installation.type("breaker", "close", "servers", "--dry-run")
    assert "breaker:servers: would be closed" in tried.out
    assert "os-worker-010" in tried.out
    done = installation.type("breaker", "close", "servers", "--reason", "a rack burnt")
    assert (done.status, "breaker:servers: closed" in done.out) == (0, True)
    assert "Open breakers: none" in installation.type("breaker", "list").out
    [past] = installation.type("breaker", "list", "--all", "--json").json
    assert (past["close_reason"], sorted(past["accepted"])) == ("a rack burnt", sorted(SUSPECTS))
    assert desk.audit() == [(past["closed_by"], "breaker:servers")]


def test_one_that_is_not_open_is_refused_and_a_reason_is_required(
    installation: Installation, desk: Desk
) -> None:
    with desk.nothing_written():
        told = installation.type("breaker", "close", "nodes", "--reason", "x")
        assert (told.status, "it is not open" in told.out) == (1, True)
        told = installation.type("breaker", "close", "cloud", "--reason", "x")
        assert (told.status, "servers, nodes, removals" in told.out) == (1, True)
        assert (
            "--reason is empty"
            in installation.type("breaker", "close", "servers", "--reason", " ").refused
        )


def test_it_shows_in_status_doctor_and_the_reasons_of_flavors_and_workers(
    installation: Installation, desk: Desk
) -> None:
    worker = desk.ready()
    held = Held(
        subject=Subject(SubjectKind.BREAKER, "servers"),
        reason=Reason.BREAKER_OPEN,
        because=BECAUSE,
    )
    desk.doors.jobs.record("worker-pool", [held], desk.now())

    assert f"Breaker servers is open since {desk.now():%Y-%m-%d}" in installation.type("status").out
    checks = {
        check["name"]: check for check in installation.type("doctor", "--json").json["checks"]
    }
    assert checks["breaker servers"]["health"] == "failed"
    assert "hrsi breaker close servers" in checks["breaker servers"]["remedy"]
    assert checks["breaker nodes"]["health"] == "ok"
    for subject in (("flavor", worker.flavor), ("worker", worker.name)):
        assert "BREAKER_OPEN" in installation.type("why", *subject).out
