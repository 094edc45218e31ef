"""People compare, announce again and replay by the command line, on a real database."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from controller.cli.app import app
from infra.postgres import connect
from models.lifecycle import Status
from models.publication import ParkMessage
from simulator.examples.products import FSC, RLIE
from tests.plugins.publishing import announced, publications, sending
from tests.plugins.stores import Desk, postgres_doors

pytestmark = pytest.mark.integration


@pytest.fixture
def desk(own_database_url: str) -> Iterator[Desk]:
    postgres = connect(own_database_url, pool_size=1)
    yield Desk(postgres_doors(postgres))
    postgres.dispose()


def say(url: str, *words: str) -> Result:
    return CliRunner().invoke(app, ["publication", *words], env={"DATABASE_URL": url})


def today(desk: Desk) -> str:
    return f"{desk.now():%Y-%m-%d}"


def test_an_audit_counts_and_a_republish_announces_again_once(
    desk: Desk, own_database_url: str
) -> None:
    job = announced(desk)
    counted = say(own_database_url, "audit", "--day", today(desk), "--json")
    assert counted.exit_code == 0, counted.output
    found = {row["kind"]: row for row in json.loads(counted.stdout)}
    assert {kind: (row["made"], row["confirmed"]) for kind, row in found.items()} == {
        "fsc": (1, 1),
        "rlie": (1, 1),
    }
    assert found["fsc"]["found"] is None
    table = say(own_database_url, "audit", "--day", today(desk), "--type", "fsc")
    assert "not asked: creation.products names none" in table.stdout
    assert "1 product made: 1 confirmed, 0 on the way, 0 missing" in table.stdout

    wish = ["republish", "--day", today(desk), "--type", "fsc"]
    tried = say(own_database_url, *wish, "--dry-run")
    assert tried.stdout == f"product:{FSC}: would be announced again: send 2, of job {job.id}\n"
    assert desk.job(job.id).status is Status.DONE
    assert say(own_database_url, *wish).exit_code != 0  # it wants a reason
    done = say(own_database_url, *wish, "--reason", "a test")
    assert done.exit_code == 0, done.output
    assert [row.send for row in publications(desk, job)] == [2, 1]
    assert desk.job(job.id).status is Status.START_PUBLICATION
    again = say(own_database_url, "republish", FSC, RLIE, "--reason", "a test")
    assert again.exit_code == 1
    assert f"product:{FSC}: not announced again: it is on its way" in again.stdout
    assert [row.send for row in publications(desk, job)] == [2, 2]


def test_why_says_what_each_product_waits_for(desk: Desk, own_database_url: str) -> None:
    job = sending(desk)
    env = {"DATABASE_URL": own_database_url}
    said = CliRunner().invoke(app, ["why", "job", str(job.id)], env=env)
    assert said.exit_code == 0, said.output
    assert f"{FSC} waits since" in said.stdout
    assert "for the broker to confirm send 1" in said.stdout
    assert "no controller leads publication" in said.stdout
    told = CliRunner().invoke(app, ["why", "job", str(job.id), "--json"], env=env)
    assert len(json.loads(told.stdout)["publication"]) == 2
    shown = CliRunner().invoke(app, ["job", "show", str(job.id)], env=env)
    assert "publishing" in shown.stdout


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["republish", "--reason", "x"], id="nothing-named"),
        pytest.param(["republish", FSC, "--day", "2026-01-05", "--reason", "x"], id="both"),
        pytest.param(["republish", FSC, "--missing", "--reason", "x"], id="missing-of-names"),
        pytest.param(
            ["republish", "--day", "2026-01-05", "--missing", "--reason", "x"], id="no-catalogue"
        ),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(own_database_url: str, words: list[str]) -> None:
    assert say(own_database_url, *words).exit_code == 2


def test_parked_messages_are_listed_with_their_ids_and_replayed(
    desk: Desk, own_database_url: str
) -> None:
    sending(desk)
    identifier = f"/eodata/HRSI/CLMS/{FSC}"
    body = json.dumps({"resto": {"properties": {"productIdentifier": identifier}}}).encode()
    for each in (body, b"nonsense"):
        desk.do(ParkMessage(at=desk.now(), body=each, why="it named nothing"))
    listed = json.loads(say(own_database_url, "parked", "--json").stdout)
    ids = [str(row["id"]) for row in listed]
    shown = say(own_database_url, "parked").stdout
    assert "it named nothing" in shown
    assert "hrsi publication replay" in shown
    done = say(own_database_url, "replay", *ids, "--reason", "a test")
    assert done.exit_code == 1
    assert f"replayed: a refusal of {FSC}" in done.stdout
    assert "it is no JSON" in done.stdout
    assert [each.body for each in desk.doors.outbox.parked()] == [b"nonsense"]
    (left,) = (str(each.id) for each in desk.doors.outbox.parked())
    assert say(own_database_url, "forget", left).exit_code != 0  # it wants a reason
    forgotten = say(own_database_url, "forget", left, "--reason", "a test")
    assert (
        forgotten.stdout == f"parked:{left}: forgotten: it was parked because: it named nothing\n"
    )
    assert desk.doors.outbox.parked() == ()
