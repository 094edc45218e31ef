"""A pass of configuration that is cut off anywhere writes nothing, and may be made again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infra.postgres import Postgres
from models import errors
from models.actions import Configure
from models.configuration import Backlog, ConfigureJobs
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.records import NewJob
from models.settings_configuration import ConfigurationSettings
from reconcilers import configuration
from simulator.examples import NOW, a_world
from tests.plugins.readiness import a_config, configured
from tests.plugins.sessions import Scissors, cut_off_at_each_step
from tests.plugins.stores import ASKED, Desk, postgres_doors

DAY = timedelta(days=1)

pytestmark = pytest.mark.integration

TYPES = DEFAULT_REGISTRY.types
FLAVORS = {name: found.flavor for name, found in TYPES.items()}
BEGINNING = 8
"""Images that a chain begins with, all of them made already."""


@pytest.fixture
def desk(own_database: Postgres) -> Desk:
    """A chain of eight, the job after it, one that has to wait for that, one that makes no sense,
    and a slave of an assembly that shows nothing.
    """
    desk = Desk(postgres_doors(own_database))
    added = desk.doors.operations.submit([*images(), *assembly()], ASKED).added
    chain, master = added[:BEGINNING], added[-2]
    for place, each in enumerate(chain):
        first = {"first_job": chain[0]} if place else {}
        made(desk, each, 0, n_l2a_produced_since_last_init=place, **first)
    made(desk, master, 0xD1)
    return desk


def images() -> list[NewJob]:
    return [
        NewJob(
            type="fsc_rlie",
            key=f"image-{number}",
            name="32TLR",
            tile="32TLR",
            sensing_at=NOW + number * DAY,
            input={"path": f"/eodata/{number}"} if number < BEGINNING + 2 else {"path": 5},
        )
        for number in range(BEGINNING + 3)
    ]


def assembly() -> list[NewJob]:
    return [
        NewJob(type="sws_wds", key=key, name=key, input={"master": "master"})
        for key in ("master", "slave")
    ]


def made(desk: Desk, job_id: int, code: int, **config: object) -> None:
    """Bring a job to its end by a run that ended so."""
    job = desk.job(job_id)
    ready = configured(job, config=a_config(job.type, **config), overtakes=True)
    desk.do(ConfigureJobs(at=desk.now(), jobs=(ready,)))
    run = desk.claimed(job_id)
    desk.advanced(run, Status.POST_PROCESSING)
    desk.end(run, Status.PROCESSED, exit_code=code)


def changes(desk: Desk) -> list[ConfigureJobs]:
    """What a pass would write, by what it sees now."""
    world = a_world(backlog=seen(desk))
    decided = configuration.decide(world, ConfigurationSettings(), desk.now())
    actions = [each for each in decided if isinstance(each, Configure)]
    return [
        ConfigureJobs(
            at=desk.now(),
            jobs=each.jobs,
            unfit=each.unfit,
            futile=each.futile,
            again=each.again,
            flavors=FLAVORS,
        )
        for each in actions
    ]


def seen(desk: Desk) -> Backlog:
    return desk.doors.jobs.backlog(TYPES)


def test_a_pass_that_is_cut_off_after_any_statement_writes_nothing(
    own_database: Postgres, desk: Desk
) -> None:
    found = changes(desk)
    kinds = {
        "ready": sum(job.wait is None for change in found for job in change.jobs),
        "waiting": sum(job.wait is not None for change in found for job in change.jobs),
        "unfit": sum(len(change.unfit) for change in found),
        "futile": sum(len(change.futile) for change in found),
        "again": sum(len(change.again) for change in found),
    }
    assert kinds == {"ready": 1, "waiting": 1, "unfit": 1, "futile": 1, "again": BEGINNING}
    for change in found:
        steps = cut_off_at_each_step(own_database, desk, change, lambda: seen(desk))
        assert steps >= 4, "lease, locks, fields, statuses"


def test_what_was_committed_and_not_confirmed_is_done_once_when_it_is_done_again(
    own_database: Postgres, desk: Desk
) -> None:
    found = changes(desk)
    for change in found:
        with Scissors(own_database, at_commit=True).watching(), pytest.raises(errors.Unknown):
            desk.doors.jobs.commit(desk.lease, change)
    for change in found:
        desk.doors.jobs.commit(desk.lease, change)
    for change in found:
        with desk.nothing_written():
            assert desk.do(change).created == 0
    doing = {each.job.key for each in seen(desk).jobs}
    assert doing == {f"image-{number}@backward" for number in range(BEGINNING)}
