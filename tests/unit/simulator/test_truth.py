"""The judge of simulated worlds: what it finds of what was written, and that it misses nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from controller.simulation import Plan, Simulation
from models.errors import Superseded
from models.lifecycle import Status
from models.ports import Asked, Claim, Placement, RunResult
from models.records import Job, NewJob, WorkerState
from simulator.store.tables import Tables
from simulator.truth import Breach
from simulator.witness import Words

ASKED = Asked(actor="test")


def world_with_work_under_way() -> Simulation:
    sim = Simulation(Plan())
    jobs = [NewJob(type="test", key=f"t{number}", name=f"t{number}") for number in range(3)]
    sim.systems.store.submit(jobs, ASKED)
    assert sim.run_until(lambda: bool(_processing(sim)), timedelta(hours=1))
    return sim


def _processing(sim: Simulation) -> list[Job]:
    return sim.systems.store.tables.jobs_by_status.of((Status.PROCESSING, False))


def _lie_about_status(tables: Tables, job: Job) -> None:
    tables.jobs.put(job.id, replace(job, status=Status.POST_PROCESSING))


def _end_its_run(tables: Tables, job: Job) -> None:
    run = tables.current_run(job)
    assert run is not None
    tables.runs.put(run.id, replace(run, ended_at=run.created_at))


def _drop_its_claim(tables: Tables, job: Job) -> None:
    run = tables.current_run(job)
    assert run is not None
    tables.runs.put(run.id, replace(run, claim=0))


def _forget_its_history(tables: Tables, job: Job) -> None:
    history = tables.history[job.id]
    tables.history.put(job.id, history[:-1])


def _dispatch_unexplained(tables: Tables, job: Job) -> None:
    for number in [n for n in tables.ledger if tables.ledger[n].subject == f"job:{job.id}"]:
        tables.ledger.drop(number)
    run = tables.current_run(job)
    assert run is not None
    tables.runs.put(run.id, replace(run, exit_code=0))


def _wish_for_a_worker_unexplained(tables: Tables, _: Job) -> None:
    worker = next(iter(tables.workers.values()))
    tables.workers.put(99, replace(worker, id=99, name="os-worker-099"))


def _wish_for_too_many(tables: Tables, _: Job) -> None:
    worker = next(iter(tables.workers.values()))
    for number in range(100, 311):
        intent = UUID(int=number)
        row = replace(worker, id=number, intent_id=intent, server_id=None)
        tables.workers.put(number, replace(row, state=WorkerState.CREATING))


def _intend_in_the_name_of_a_deposed_leader(tables: Tables, _: Job) -> None:
    intent = next(iter(tables.intents.values()))
    tables.intents.put(UUID(int=1), replace(intent, id=UUID(int=1), epoch=intent.epoch + 1))


LIES = [
    pytest.param(_lie_about_status, "I11", id="a-row-that-is-not-its-history"),
    pytest.param(_forget_its_history, "I11", id="a-history-that-lost-a-row"),
    pytest.param(_end_its_run, "I3", id="a-job-on-a-worker-without-a-run"),
    pytest.param(_drop_its_claim, "I2", id="a-job-on-a-worker-that-nobody-claimed"),
    pytest.param(_dispatch_unexplained, "I10", id="a-run-without-a-reason"),
    pytest.param(_wish_for_a_worker_unexplained, "I10", id="a-worker-without-a-reason"),
    pytest.param(_wish_for_too_many, "I4", id="more-workers-than-allowed"),
]


OF_THE_MOMENT = pytest.param(
    _intend_in_the_name_of_a_deposed_leader, "I6", id="an-intent-of-another-epoch"
)
"""Seen when it is written, and never again."""


@pytest.mark.parametrize(("lie", "invariant"), [*LIES, OF_THE_MOMENT])
def test_a_lie_is_found_among_what_was_written(
    lie: Callable[[Tables, Job], None], invariant: str
) -> None:
    sim = world_with_work_under_way()
    assert sim.truth.check() == []
    lie(sim.systems.store.tables, _processing(sim)[0])
    assert {breach.invariant for breach in sim.truth.check()} == {invariant}


@pytest.mark.parametrize(("lie", "invariant"), LIES)
def test_looking_at_everything_finds_an_old_lie_once_more(
    lie: Callable[[Tables, Job], None], invariant: str
) -> None:
    sim = world_with_work_under_way()
    lie(sim.systems.store.tables, _processing(sim)[0])
    first = list(sim.truth.check())
    assert sim.truth.check() == first, "a row that nobody wrote is not judged again"
    assert set(sim.truth.check(everything=True)) == set(first)
    assert len(sim.truth.violations) == 2 * len(first)


@pytest.mark.parametrize(
    ("pass_begins", "found"),
    [
        pytest.param(True, set[str](), id="a-pass-found-the-higher-cap"),
        pytest.param(False, {"I4"}, id="no-pass-found-it"),
    ],
)
def test_a_cap_that_was_higher_for_a_moment_allows_what_a_pass_did_then(
    *, pass_begins: bool, found: set[str]
) -> None:
    sim = world_with_work_under_way()
    store, tables = sim.systems.store, sim.systems.store.tables
    worker = next(iter(tables.workers.values()))
    store.set_parameter("pool.max_workers", len(tables.workers), ASKED)
    assert sim.truth.check() == []
    store.set_parameter("pool.max_workers", len(tables.workers) + 1, ASKED)
    if pass_begins:
        sim.truth.a_pass_begins(within_another=True)
    wish = replace(worker, intent_id=UUID(int=1), server_id=None, state=WorkerState.CREATING)
    tables.workers.put(worker.id, wish)
    tables.workers.put(100, replace(worker, id=100))
    store.set_parameter("pool.max_workers", len(tables.workers) - 1, ASKED)
    assert {breach.invariant for breach in sim.truth.check() if breach.subject == "pool"} == found


def test_what_was_clean_step_by_step_is_clean_as_a_whole() -> None:
    sim = world_with_work_under_way()
    assert sim.run_until(sim.is_quiet, timedelta(hours=6))
    assert sim.truth.check(everything=True) == []
    assert sim.truth.deletions == 3


def test_a_change_that_was_taken_back_is_no_lie() -> None:
    sim = world_with_work_under_way()
    tables = sim.systems.store.tables

    def give_up_half_way() -> None:
        with tables.journal:
            _lie_about_status(tables, _processing(sim)[0])
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        give_up_half_way()
    assert sim.truth.check() == []


def test_a_breach_reads_as_a_sentence() -> None:
    assert str(Breach(invariant="I4", subject="pool", what="9 servers, cap 8")) == (
        "I4 pool: 9 servers, cap 8"
    )


class Gullible:
    """A store that believes whoever speaks."""

    def claim(self, run_id: UUID, placement: Placement) -> Claim:
        raise Superseded("nobody claims here")

    def report(self, run_id: UUID, claim: int, status: Status, message: str = "") -> None:
        """Believe it."""

    def end(self, run_id: UUID, claim: int, result: RunResult) -> None:
        """Believe it."""


@pytest.mark.parametrize(
    ("claim", "believed"),
    [pytest.param(0, True, id="the-last-claim"), pytest.param(1, False, id="one-too-high")],
)
def test_a_store_that_believes_an_outdated_claim_is_found_out(
    claim: int, *, believed: bool
) -> None:
    sim = world_with_work_under_way()
    tables = sim.systems.store.tables
    run = tables.current_run(_processing(sim)[0])
    assert run is not None
    found: list[str] = []
    words = Words(Gullible(), tables, lambda invariant, *_: found.append(invariant))

    words.report(run.id, run.claim + claim, Status.POST_PROCESSING)
    words.end(run.id, run.claim + claim, RunResult(status=Status.PROCESSED))

    assert found == ([] if believed else ["I2", "I2"])
