"""What becomes of jobs that have neighbours: order, MAJA modes, masters, patience, priorities."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.actions import Configure
from models.configuration import Backlog, Configured, Neighbour, Unready, Wait
from models.job_configs import checked
from models.lifecycle import Status
from models.records import Priority
from models.settings_configuration import ConfigurationSettings
from reconcilers import configuration
from simulator.examples import LONG_AGO, NOW, a_job, a_world

SETTINGS = ConfigurationSettings()
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def an_image(number: int = 1, *, job_type: str = "fsc_rlie", **changes: Any) -> Unready:
    """A new job about an image of a tile, measured a day ago."""
    job = a_job(id=number, type=job_type, status=Status.INITIALIZED, seq=1)
    return replace(Unready(job=job, sensing_at=NOW - DAY), **changes)


def another(number: int, status: Status = Status.DONE, **changes: Any) -> Neighbour:
    """Another job; one that is made has left an L2A."""
    config = {
        "l2a_path_out": f"l2a/{number}",
        "n_jobs_run_since_last_init": 3,
        "n_l2a_produced_since_last_init": 2,
    }
    default = Neighbour(
        id=number, key=f"k{number}", status=status, sensing_at=NOW - 2 * DAY, config=config
    )
    return replace(default, **changes)


def action_of(*jobs: Unready, now: datetime = NOW) -> Configure:
    world = replace(a_world(), backlog=Backlog(jobs=jobs))
    (action,) = configuration.decide(world, SETTINGS, now)
    assert isinstance(action, Configure)
    return action


def become(unready: Unready, now: datetime = NOW) -> Configured:
    (made,) = action_of(unready, now=now).jobs
    return made


# ---- order ---------------------------------------------------------------------------------------


def test_a_job_waits_for_the_open_one_before_it_and_for_so_long() -> None:
    made = become(an_image(before=another(7, Status.PROCESSING)))
    assert made.wait is not None
    assert (made.wait.for_job, made.wait.since) == (7, NOW)
    assert made.wait.until == NOW + SETTINGS.wait_most
    assert "job 7" in made.wait.why
    assert not made.overtakes


def test_patience_is_counted_from_when_a_job_first_waited_for_anything() -> None:
    since = NOW - SETTINGS.wait_most + HOUR
    former = Wait(for_job=6, since=since, until=since + SETTINGS.wait_most, why="")
    waiting = an_image(before=another(7, Status.READY), wait=former)
    wait = become(waiting).wait
    assert wait is not None
    assert (wait.for_job, wait.until) == (7, NOW + HOUR)
    gone_on = become(waiting, NOW + HOUR)
    assert (gone_on.wait, gone_on.overtakes) == (None, True)
    assert "did not wait any longer for job 7" in gone_on.config["order"]


def test_a_job_that_came_after_a_later_one_says_that_it_is_out_of_series() -> None:
    made = become(an_image(after=(another(9, sensing_at=NOW),)))
    assert made.wait is None
    assert "out of series" in made.config["order"]
    assert "job 9" in made.config["order"]


# ---- MAJA ----------------------------------------------------------------------------------------


def test_a_job_begins_with_the_l2a_before_it_and_counts_on() -> None:
    found = become(an_image(reference=another(7), between=2)).config
    assert (found["maja_mode"], found["reference_job"]) == ("nominal", 7)
    assert found["l2a_path_in"] == "l2a/7"
    assert found["n_jobs_run_since_last_init"] == 3 + 1 + 2
    assert found["n_l2a_produced_since_last_init"] == 2 + 1


def test_without_an_l2a_before_it_a_job_begins_anew() -> None:
    found = become(an_image()).config
    assert found["maja_mode"] == "init"
    assert found["n_l2a_produced_since_last_init"] == 0
    assert {"l2a_path_in", "reference_job", "inputs"}.isdisjoint(found)
    assert found["l2a_path_out"] == "32TLR/L2A/reference/example-1/init"


@pytest.mark.parametrize(
    ("count", "gap", "mode"),
    [
        pytest.param(7, 5, "backward", id="seven-images-follow"),
        pytest.param(6, 5, "init", id="one-too-few"),
        pytest.param(7, 61, "init", id="too-far-apart"),
        pytest.param(7, 60, "backward", id="just-close-enough"),
    ],
)
def test_a_job_goes_backward_where_enough_images_follow(count: int, gap: int, mode: str) -> None:
    after = tuple(
        another(n, sensing_at=NOW - DAY + n * gap * DAY, input={"path": f"/eodata/{n}"})
        for n in range(1, count + 1)
    )
    found = become(an_image(after=after)).config
    assert found["maja_mode"] == mode
    images = [f"/eodata/{n}" for n in range(1, 8)]
    goes_backward = mode == "backward"
    assert found.get("inputs") == (images if goes_backward else None)
    counters = found["n_jobs_run_since_last_init"], found["n_l2a_produced_since_last_init"]
    assert counters == ((8, 8) if goes_backward else (0, 0))


def test_a_job_knows_what_its_chain_began_with() -> None:
    assert become(an_image(reference=another(7))).config["first_job"] == 7
    later = another(7, config={**another(7).config, "first_job": 3})
    assert become(an_image(reference=later)).config["first_job"] == 3
    assert "first_job" not in become(an_image()).config


# ---- masters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("master", "waits", "own"),
    [
        pytest.param(another(7, Status.PROCESSING), True, False, id="under-way"),
        pytest.param(another(7, Status.INTERNAL_ERROR), True, False, id="failed-and-tried-again"),
        pytest.param(another(7, Status.PROCESSED), False, False, id="made"),
        pytest.param(another(7, exit_code=0xD0), False, False, id="made-and-says-so"),
        pytest.param(another(7, exit_code=0xD6), False, False, id="made-and-neither-product"),
        pytest.param(another(7, Status.CANCELLED), False, True, id="cancelled"),
        pytest.param(
            another(7, Status.INTERNAL_ERROR, quarantined=True), False, True, id="quarantined"
        ),
        pytest.param(None, False, True, id="never-was"),
    ],
)
def test_a_slave_waits_for_its_master_or_makes_the_assembly_itself(
    master: Neighbour | None, waits: bool, own: bool
) -> None:
    slave = an_image(job_type="sws_wds", input={"master": "k7"}, master=master)
    made = become(slave)
    assert (made.wait is not None) is waits
    assert made.config.get("master_job") == (None if own else 7)
    assert made.config["makes_assembly"] is own
    assert bool(made.config.get("order")) is own


@pytest.mark.parametrize("code", [0xD1, 0xD3, 0xD7], ids=hex)
def test_a_slave_of_an_assembly_that_shows_nothing_is_cancelled_and_says_why(code: int) -> None:
    slave = an_image(
        2, job_type="sws_wds", input={"master": "k7"}, master=another(7, exit_code=code)
    )
    action = action_of(slave, an_image(3, job_type="sws_wds"))
    (futile,) = action.futile
    assert [made.job_id for made in action.jobs] == [3]
    assert (futile.job_id, futile.expected_seq) == (2, slave.job.seq)
    assert "job 7" in futile.why
    assert "shows nothing" in futile.why


def test_the_master_of_an_empty_assembly_may_be_done_again() -> None:
    own = another(1, exit_code=0xD1)
    action = action_of(an_image(job_type="sws_wds", input={"master": "example-1"}, master=own))
    assert not action.futile
    assert action.jobs[0].config["makes_assembly"] is True


def test_a_slave_whose_patience_is_over_makes_the_assembly_itself() -> None:
    since = NOW - 3 * DAY
    former = Wait(for_job=7, since=since, until=NOW, why="")
    master = another(7, Status.READY)
    made = become(an_image(job_type="sws_wds", input={"master": "k7"}, master=master, wait=former))
    assert (made.wait, made.config["makes_assembly"]) == (None, True)
    assert "master_job" not in made.config


@pytest.mark.parametrize("job_type", ["gfsc", "test", "rlies1"])
@pytest.mark.parametrize("master", [None, another(7), another(7, exit_code=0xD1)])
def test_a_master_means_nothing_to_a_job_that_needs_no_assembly(
    job_type: str, master: Neighbour | None
) -> None:
    made = become(an_image(job_type=job_type, input={"master": "k7"}, master=master))
    assert made.wait is None
    assert checked(job_type, made.config) == made.config


def test_a_master_waits_for_nobody() -> None:
    own = another(1, Status.INITIALIZED)
    made = become(an_image(job_type="sws_wds", input={"master": "example-1"}, master=own))
    assert (made.wait, made.config["makes_assembly"]) == (None, True)


# ---- what was handed in --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"path": 5}, id="a-path-that-is-a-number"),
        pytest.param({"published_at": "yesterday"}, id="a-time-that-is-none"),
        pytest.param({"origin_at": "2026-03-01T10:00:00"}, id="a-time-without-a-zone"),
        pytest.param({"published_at": "9999-12-31T23:59:59Z"}, id="a-time-nothing-can-be-added-to"),
        pytest.param({"origin_at": "0001-01-01T00:00:00Z"}, id="a-time-of-no-image"),
    ],
)
def test_one_bad_job_is_put_aside_by_its_field_and_stops_no_other(given: dict[str, Any]) -> None:
    action = action_of(an_image(1), an_image(2, input=given), an_image(3))
    assert [job.job_id for job in action.jobs] == [1, 3]
    (unfit,) = action.unfit
    assert unfit.job_id == 2
    assert f"$.{next(iter(given))}" in unfit.why


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("sensing", "origin", "published", "campaign", "priority"),
    [
        pytest.param(
            "2022-09-06T13:03:11",
            "2022-09-06T19:31:30",
            "2022-09-06T20:12:38",
            None,
            Priority.NRT,
            id="28WEU-of-6-september-as-it-was",
        ),
        pytest.param(
            "2022-08-27T13:03:11",
            "2022-08-27T19:37:58",
            "2022-08-28T21:34:14",
            None,
            Priority.DELAYED,
            id="28WEU-of-27-august-as-it-was",
        ),
        pytest.param(
            "2022-09-06T13:00:00",
            "2022-09-07T12:59:59",
            "2022-09-07T15:59:58",
            None,
            Priority.NRT,
            id="just-in-time-twice",
        ),
        pytest.param(
            "2022-09-06T13:00:00",
            "2022-09-07T13:00:00",
            "2022-09-07T13:00:01",
            None,
            Priority.DELAYED,
            id="a-day-at-its-origin",
        ),
        pytest.param(
            "2022-09-06T13:00:00",
            "2022-09-06T14:00:00",
            "2022-09-06T17:00:00",
            None,
            Priority.DELAYED,
            id="three-hours-on-its-way",
        ),
        pytest.param(
            "2022-09-06T13:00:00",
            None,
            "2022-09-06T14:00:00",
            None,
            Priority.DELAYED,
            id="nobody-knows-the-origin",
        ),
        pytest.param(
            "2022-09-06T13:00:00",
            "2022-09-06T14:00:00",
            "2022-09-06T15:00:00",
            4,
            Priority.REPROCESSING,
            id="of-a-campaign",
        ),
    ],
)
def test_priorities_are_those_of_the_seven_jobs(
    sensing: str, origin: str | None, published: str, campaign: int | None, priority: Priority
) -> None:
    given = {
        "origin_at": at(origin).isoformat() if origin else None,
        "published_at": at(published).isoformat(),
        "campaign": campaign,
    }
    made = become(an_image(sensing_at=at(sensing), input=given))
    assert made.priority is priority
    due = None if campaign else at(published) + 3 * HOUR
    assert made.deadline == due


def test_a_priority_that_was_said_stands() -> None:
    job = a_job(status=Status.INITIALIZED, priority=Priority.REPROCESSING, deadline=LONG_AGO)
    published = {"published_at": NOW.isoformat(), "origin_at": NOW.isoformat()}
    made = become(an_image(job=job, input=published))
    assert (made.priority, made.deadline) == (Priority.REPROCESSING, LONG_AGO)
