"""What configuration decides about jobs that are not ready."""

from __future__ import annotations

from dataclasses import replace

from models.actions import Configure
from models.configuration import Backlog, Unready
from models.lifecycle import Status
from models.plan import Decision, Held, Reason
from models.records import Priority
from models.settings_configuration import ConfigurationSettings
from models.world import JobCount, Source, World
from reconcilers import configuration
from simulator.examples import LONG_AGO, NOW, a_job, a_world

SETTINGS = ConfigurationSettings()


def new(number: int, job_type: str = "test", **changes: object) -> Unready:
    """A job that was handed in."""
    job = a_job(id=number, type=job_type, status=Status.INITIALIZED, seq=1, **changes)
    return Unready(job=job)


def decided(world: World) -> list[Decision]:
    return configuration.decide(world, SETTINGS, NOW)


def seen(*jobs: Unready) -> World:
    """A world in which these jobs are to be configured."""
    return replace(a_world(), backlog=Backlog(jobs=jobs))


def test_jobs_of_each_type_are_configured_together() -> None:
    found = decided(seen(new(1), new(2, "gfsc"), new(3)))
    actions = [decision for decision in found if isinstance(decision, Configure)]
    assert [str(action.subject) for action in actions] == ["type:test", "type:gfsc"]
    assert [[job.job_id for job in action.jobs] for action in actions] == [[1, 3], [2]]


def test_what_was_said_of_a_job_stays_said() -> None:
    unready = new(1, priority=Priority.NRT, deadline=LONG_AGO)
    (action,) = decided(seen(unready))
    assert isinstance(action, Configure)
    (made,) = action.jobs
    assert (made.expected_seq, made.priority, made.deadline) == (1, Priority.NRT, LONG_AGO)


def test_with_nothing_to_configure_nothing_is_decided() -> None:
    assert decided(seen()) == []


def test_while_the_backlog_is_unknown_nothing_is_decided_and_people_are_told() -> None:
    blind = replace(a_world(), unknown={Source.BACKLOG: "no answer for 30 s"})
    (held,) = decided(blind)
    assert isinstance(held, Held)
    assert (held.reason, "no answer for 30 s" in held.because) == (Reason.SOURCE_UNKNOWN, True)


def test_jobs_of_a_type_that_is_gone_are_told_of() -> None:
    row = JobCount(
        type="psa_arlie",
        flavor="hm.medium",
        status=Status.INITIALIZED,
        priority=Priority.DELAYED,
        count=3,
        oldest_at=LONG_AGO,
    )
    world = seen(new(1))
    found = decided(replace(world, store=replace(world.store, counts=(row,))))
    (held,) = (decision for decision in found if isinstance(decision, Held))
    assert (str(held.subject), held.reason) == ("type:psa_arlie", Reason.TYPE_UNKNOWN)
    assert any(isinstance(decision, Configure) for decision in found), "the others go on"
