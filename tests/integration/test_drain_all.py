"""`hrsi drain-all` as people type it."""

from __future__ import annotations

from models.records import RetireCause, WorkerState
from tests.plugins.installation import Installation
from tests.plugins.stores import PLACES, Desk, postgres_doors

LEAVING_FOR_GOOD = {"deleting", "gone", "closed"}


def test_every_worker_goes_once_and_each_refusal_is_told(installation: Installation) -> None:
    desk = Desk(postgres_doors(installation.database))
    made = {place: desk.at(place) for place in PLACES}
    by_hand = desk.marking(RetireCause.PERSON)
    wanted = {made[place].name for place in PLACES if place not in LEAVING_FOR_GOOD}

    with desk.nothing_written():
        tried = installation.type("drain-all", "--dry-run", "--json")
    told = installation.type("drain-all", "--reason", "a test", "--json")

    assert tried.json == told.json
    assert {verdict["subject"] for verdict in told.json} == {f"worker:{name}" for name in wanted}
    refused = [verdict["subject"] for verdict in told.json if not verdict["done"]]
    assert refused == [f"worker:{made['creating'].name}"]
    assert told.status == 1
    leaving = {
        worker.name
        for worker in desk.view().workers
        if worker.retirement is not None and worker.retirement.cause is RetireCause.PERSON
    }
    assert leaving == wanted - {made["creating"].name} | {by_hand.name}
    assert desk.worker(made["undoing"].id).state is WorkerState.READY

    again = installation.type("drain-all", "--reason", "a test", "--json")
    assert [verdict["subject"] for verdict in again.json] == refused


def test_a_machine_of_ones_own_stays_and_that_is_told(installation: Installation) -> None:
    desk = Desk(postgres_doors(installation.database))
    own, ready = desk.apart(), desk.at("ready")

    tried = installation.type("drain-all", "--dry-run")
    told = installation.type("drain-all", "--reason", "a test")

    for typed in (tried, told):
        assert f"{own.name} is outside the pool and stays" in typed.out
        assert f"worker:{own.name}" not in typed.out
        assert f"worker:{ready.name}" in typed.out
    assert desk.worker(own.id).retirement is None
    again = installation.type("drain-all", "--reason", "a test").out
    assert "There is no worker to drain." in again
    assert f"hrsi worker delete {own.name}" in again


def test_where_there_is_no_worker_nothing_is_done(installation: Installation) -> None:
    told = installation.type("drain-all", "--reason", "a test")

    assert (told.status, told.out) == (0, "There is no worker to drain.\n")
    assert installation.type("drain-all", "--reason", "a test", "--json").json == []
    assert "--reason is empty" in installation.type("drain-all", "--reason", " ").refused
    assert "--reason is empty" in installation.type("drain-all").refused


def test_of_a_worker_that_is_gone_nobody_says_that_it_goes(installation: Installation) -> None:
    desk = Desk(postgres_doors(installation.database))
    made = {place: desk.at(place).name for place in ("marking", "deleting", "closed")}

    told = installation.type("worker", "list", "--all").out

    lines = {line.split()[0]: line for line in told.splitlines()}
    assert "ready, going: idle by " in lines[made["marking"]]
    assert "(marking)" in lines[made["marking"]]
    assert "deleting: idle by " in lines[made["deleting"]]
    assert "closed, went: idle by " in lines[made["closed"]]
    assert "going" not in lines[made["deleting"]] + lines[made["closed"]]
