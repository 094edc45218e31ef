"""`hrsi param`, `hrsi record` and `hrsi plan --world` as people type them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from models.ports import Asked, ViewLimits
from simulator.examples import NOW, some_new_jobs
from tests.plugins.installation import Installation
from tests.plugins.readiness import make_ready

WHY = ("--reason", "a test")
ALL = ViewLimits(ready_per_flavor=100, ended_since=NOW)


def shown(place: Installation, key: str) -> dict[str, Any]:
    found: dict[str, Any] = place.type("param", "show", key, "--json").json
    return found


def everything(place: Installation) -> tuple[object, ...]:
    """All that a command could have changed."""
    store, reader = place.database.store, place.database.reader
    view = store.view(ALL)
    return (
        *(view.parameters, view.counts, view.workers, view.intents, view.orders),
        *(reader.parameters(), reader.leases(), reader.ledger(()), reader.totals()),
        place.served.outside.cloud.created,
    )


def test_parameters_are_set_shown_listed_and_rolled_back(installation: Installation) -> None:
    place = installation
    first = place.type("param", "set", "pool.idle_for=5m", *WHY)
    assert "pool.idle_for is 5 min; it was 2 min" in first.out, first.refused
    second = place.type("param", "set", "pool.idle_for=10m", "--for", "30m", *WHY, "--json").json
    assert second["new"] == 600
    assert second["expires_at"] is not None
    stands = shown(place, "pool.idle_for")
    assert (stands["value"], stands["default"], stands["unit"]) == (600, 120, "seconds")
    assert stands["until"] == second["expires_at"]
    assert stands["author"].count("@") == 1
    changed = place.type("param", "list", "--changed", "--json").json
    assert [each["key"] for each in changed] == ["pool.idle_for"]
    assert "10 min" in place.type("param", "list").out

    history = place.type("param", "history", "pool.idle_for", "--json").json
    assert [(row["number"], row["old"], row["new"]) for row in history] == [
        (2, 300, 600),
        (1, None, 300),
    ]
    assert {row["reason"] for row in history} == {"a test"}
    back = place.type("param", "rollback", "pool.idle_for")
    assert "pool.idle_for is 5 min; it was 10 min" in back.out
    assert shown(place, "pool.idle_for")["reason"].startswith("back to before change 2, made by ")
    further = place.type("param", "rollback", "pool.idle_for", "--change", "1")
    assert "pool.idle_for is 2 min; it was 5 min" in further.out
    assert place.database.store.view(ALL).parameters == {}


def test_a_change_that_is_only_tried_changes_nothing(installation: Installation) -> None:
    before = everything(installation)
    tried = installation.type("param", "set", "pool.max_workers=5", "--dry-run", *WHY)
    assert "pool.max_workers would be 5; it was 210" in tried.out
    assert everything(installation) == before


def test_a_change_for_a_while_to_the_default_is_one_to_its_value(
    installation: Installation,
) -> None:
    installation.type("param", "set", "pool.max_workers=5", *WHY)
    installation.type("param", "set", "pool.max_workers=default", "--for", "1h", *WHY)
    assert shown(installation, "pool.max_workers")["value"] == 210
    assert shown(installation, "pool.max_workers")["until"] is not None


def test_a_key_that_is_no_more_is_named_stops_nothing_and_can_be_taken_away(
    installation: Installation,
) -> None:
    place = installation
    with place.database.sessions.write("leave") as connection:
        connection.exec_driver_sql(
            "insert into parameter_changes (key, author, reason, new_value) "
            "values ('pool.of_old', 'an older one', 'of then', '7')"
        )
        connection.exec_driver_sql(
            "insert into parameters (key, value) values ('pool.of_old', '7')"
        )
    assert "pool.of_old is kept, but this program has no" in place.type("param", "list").out
    told = place.type("doctor", "--json").json["checks"]
    found = next(c for c in told if (c["about"], c["name"]) == ("postgres", "parameters"))
    assert (found["health"], "pool.of_old" in found["found"]) == ("warning", True)
    changed = place.type("param", "set", "pool.max_workers=50", *WHY)
    assert "pool.max_workers is 50" in changed.out, changed.refused
    previewed = place.type("param", "preview", "pool.max_workers=9")
    assert previewed.status == 0, previewed.refused
    gone = place.type("param", "set", "pool.of_old=default", *WHY)
    assert "pool.of_old is taken away" in gone.out, gone.refused
    assert "pool.of_old" not in place.type("param", "list").out
    assert place.database.store.view(ALL).parameters == {"pool.max_workers": 50}
    again = place.type("param", "set", "pool.of_old=default", *WHY)
    assert "'pool.of_old' does not exist" in again.refused


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(("set", "pool.most=5", *WHY), "'pool.most' does not exist", id="no-key"),
        pytest.param(("set", "pool.max_workers=-1", *WHY), "out of bounds", id="out-of-bounds"),
        pytest.param(("set", "passes.lease=10", *WHY), "passes.lease", id="against-a-rule"),
        pytest.param(("set", "pool.max_workers=5", "--reason", " "), "--reason", id="no-reason"),
        pytest.param(
            ("set", "pool.max_workers=5", "--for", "ever", *WHY), "--for: 'ever'", id="no-while"
        ),
        pytest.param(
            ("set", "pool.max_workers=5", "--for", "0s", *WHY), "--for: '0s'", id="no-time"
        ),
        pytest.param(("rollback", "pool.max_workers"), "nobody ever changed it", id="unchanged"),
        pytest.param(("show", "pool.most"), "'pool.most' does not exist", id="show-no-key"),
    ],
)
def test_what_cannot_be_is_refused(
    installation: Installation, arguments: tuple[str, ...], complaint: str
) -> None:
    before = everything(installation)
    typed = installation.type("param", *arguments)
    assert typed.status != 0
    assert complaint in typed.refused
    assert everything(installation) == before


def test_the_preview_shows_what_would_change_and_changes_nothing(
    installation: Installation,
) -> None:
    place = installation
    place.database.operations.submit(some_new_jobs(5), Asked(actor="test"))
    make_ready(place.database.store, NOW)
    before, began = everything(place), time.process_time()
    told = place.type("param", "preview", "pool.max_workers=2")
    assert time.process_time() - began < 3  # seconds of CPU: no other program makes it late
    assert "without: + create server os-worker-003" in told.out, told.refused
    assert "With:    Plan: 2 to create" in told.out
    said = place.type("param", "preview", "pool.max_workers=2", "pool.create_burst=1", "--json")
    assert (said.json["without"]["create"], said.json["with"]["create"]) == (5, 1)
    assert said.json["changes"] == {"pool.max_workers": 2, "pool.create_burst": 1}
    nothing = place.type("param", "preview", "passes.merge=1")
    assert "No decision about this world would be another one." in nothing.out
    refused = place.type("param", "preview", "passes.lease=10")
    assert "passes.lease" in refused.refused
    assert everything(place) == before


def test_the_preview_of_a_larger_fleet_sees_as_many_jobs_as_it_needs(
    installation: Installation,
) -> None:
    installation.database.operations.submit(some_new_jobs(260), Asked(actor="test"))
    make_ready(installation.database.store, NOW)
    larger = ("pool.max_workers=280", "pool.create_burst=280", "--json")
    said = installation.type("param", "preview", *larger).json
    assert (said["without"]["create"], said["with"]["create"]) == (10, 260)
    installation.type("param", "set", "pool.max_workers=280", *WHY)
    said = installation.type("param", "preview", "pool.max_workers=default", larger[1], "--json")
    assert said.json["with"]["create"] == 210


def test_a_recorded_world_has_the_plan_that_was_made_of_it(installation: Installation) -> None:
    place = installation
    place.database.operations.submit(some_new_jobs(5), Asked(actor="test"))
    make_ready(place.database.store, NOW)
    place.type("param", "set", "pool.create_burst=3", *WHY)
    before = everything(place)
    recorded = place.type("record", "world.json.gz")
    assert recorded.status == 0, recorded.refused
    assert (place.folder / "world.json.gz").stat().st_size > 500
    assert everything(place) == before

    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "NOMAD_ADDR": "http://x:1"}
    then = place.type("plan", "--world", "world.json.gz")
    assert then.status == 0, then.refused
    assert "Plan: 3 to create" in then.out
    assert place.type("plan", "--world", "world.json.gz", **nowhere).out == then.out
    now = place.type("plan", "--json").json
    assert place.type("plan", "--world", "world.json.gz", "--json").json == now
    one = place.type("plan", "--world", "world.json.gz", "--only", "monitor").out
    assert "worker-pool" not in one
    other = place.type("param", "preview", "pool.create_burst=1", "--world", "world.json.gz")
    assert "With:    Plan: 1 to create" in other.out


def test_no_file_is_written_over_and_no_other_file_is_read(installation: Installation) -> None:
    place = installation
    (place.folder / "mine.txt").write_text("mine")
    assert "exists already" in place.type("record", "mine.txt").refused
    assert (place.folder / "mine.txt").read_text() == "mine"
    assert "mine.txt: this is no recording" in place.type("plan", "--world", "mine.txt").refused
    assert "none.gz: it cannot be read" in place.type("plan", "--world", "none.gz").refused
