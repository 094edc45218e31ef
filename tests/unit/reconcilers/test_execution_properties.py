"""What holds of execution in every world, also in those that nobody thought of."""

import time
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from models.actions import (
    AbandonDispatch,
    ConfirmDispatch,
    DispatchRun,
    EvaluateChild,
    ResendDispatch,
    StopChild,
)
from models.fleet import DEPLOYMENT_META, RUN_META, demands, in_dispatch_order, join
from models.plan import Action, Decision, Held
from models.settings import ExecutionSettings
from models.world import World
from reconcilers.execution import decide
from simulator.examples import DEPLOYMENT, NOW, a_job, a_machine, a_world
from simulator.strategies import reordered, worlds

settings_drawn = st.builds(
    ExecutionSettings,
    lead=st.integers(0, 4),
    evaluate_after_passes=st.integers(1, 3),
)


def _dispatches(decisions: list[Decision]) -> list[DispatchRun]:
    return [d for d in decisions if isinstance(d, DispatchRun)]


def _known(world: World) -> World:
    return world if world.nomad is not None else replace(world, nomad=a_world().nomad)


@given(world=worlds(), settings=settings_drawn)
def test_no_flavor_is_sent_more_than_its_slots_and_the_lead(
    world: World, settings: ExecutionSettings
) -> None:
    jobs = {job.id: job for job in world.store.ready}
    sent = Counter(jobs[d.job_id].flavor for d in _dispatches(decide(world, settings, NOW)))
    under_way = Counter(j.flavor for j in jobs.values() if f"job:{j.id}" in world.busy)

    supply = demands(world, join(world))

    for flavor, count in sent.items():
        assert count + under_way[flavor] <= max(0, supply[flavor].slots + settings.lead)


@given(world=worlds(), settings=settings_drawn)
def test_no_job_overtakes_one_before_it_that_could_have_gone(
    world: World, settings: ExecutionSettings
) -> None:
    decisions = decide(world, settings, NOW)
    sent = {d.job_id for d in _dispatches(decisions)}
    next_in_line = {
        str(d.subject): dict(d.facts)["next_job"]
        for d in decisions
        if isinstance(d, Held) and d.reason.value == "NO_SLOT"
    }
    order = [job.id for job in in_dispatch_order(world.store.ready)]
    flavors = {job.id: f"flavor:{job.flavor}" for job in world.store.ready}

    for subject, waiting in next_in_line.items():
        ahead = [n for n in order if n in sent and flavors[n] == subject]
        assert all(order.index(n) < order.index(int(str(waiting))) for n in ahead)


@given(world=worlds(), settings=settings_drawn, more=st.integers(1, 5))
def test_more_demand_never_yields_fewer_dispatches(
    world: World, settings: ExecutionSettings, more: int
) -> None:
    ready = world.store.ready
    added = tuple(a_job(id=50 + n) for n in range(more))
    total = Counter(job.flavor for job in (*ready, *added))
    busier = replace(world.store, ready=(*ready, *added), ready_total=dict(total))

    before = len(_dispatches(decide(world, settings, NOW)))
    after = len(_dispatches(decide(replace(world, store=busier), settings, NOW)))

    assert after >= before


@given(world=worlds(), settings=settings_drawn, data=st.data())
def test_the_order_of_the_lists_changes_nothing(
    world: World, settings: ExecutionSettings, data: st.DataObject
) -> None:
    other = data.draw(reordered(world))

    assert decide(other, settings, NOW) == decide(world, settings, NOW)


@given(world=worlds(), settings=settings_drawn)
def test_no_target_gets_two_actions_and_a_busy_one_gets_none(
    world: World, settings: ExecutionSettings
) -> None:
    subjects = Counter(
        str(d.subject) for d in decide(world, settings, NOW) if isinstance(d, Action)
    )

    assert set(subjects.values()) <= {1}
    assert not subjects.keys() & world.busy


@given(world=worlds(), settings=settings_drawn)
def test_a_subject_waits_for_one_reason_at_a_time(
    world: World, settings: ExecutionSettings
) -> None:
    reasons: dict[str, set[str]] = {}
    for held in (d for d in decide(world, settings, NOW) if isinstance(d, Held)):
        reasons.setdefault(str(held.subject), set()).add(held.reason.value)

    assert all(len(found) == 1 for found in reasons.values())


@given(world=worlds(), settings=settings_drawn)
def test_every_ready_job_is_sent_under_way_or_told_why_it_waits(
    world: World, settings: ExecutionSettings
) -> None:
    world = _known(world)
    decisions = decide(world, settings, NOW)
    sent = {d.job_id for d in _dispatches(decisions)}
    told = sum(int(str(dict(d.facts).get("waiting", 0))) for d in decisions if isinstance(d, Held))

    silent = [j for j in world.store.ready if j.id not in sent and f"job:{j.id}" not in world.busy]

    assert told == len(silent)


@given(world=worlds(), settings=settings_drawn)
def test_without_nomad_there_is_one_refusal_and_no_action(
    world: World, settings: ExecutionSettings
) -> None:
    (decision,) = decide(replace(world, nomad=None), settings, NOW)

    assert isinstance(decision, Held)


@given(world=worlds(), settings=settings_drawn)
def test_a_child_is_stopped_only_when_it_is_ours_and_not_the_one_of_a_current_run(
    world: World, settings: ExecutionSettings
) -> None:
    listed = {job.id: job for job in world.nomad.jobs} if world.nomad else {}
    current = {str(flight.run.id) for flight in world.store.in_flight}
    stops = [d for d in decide(world, settings, NOW) if isinstance(d, StopChild)]

    assert all(listed[d.nomad_job_id].meta[DEPLOYMENT_META] == DEPLOYMENT for d in stops)
    assert not any(listed[d.nomad_job_id].over or d.stuck for d in stops)
    stopped = {d.nomad_job_id for d in stops}
    for run in {listed[d.nomad_job_id].meta.get(RUN_META) for d in stops} & current:
        family = [j.id for j in listed.values() if j.meta.get(RUN_META) == run]
        assert len(stopped & set(family)) < len(family)


@given(world=worlds(), settings=settings_drawn)
def test_only_a_queued_and_unclaimed_run_is_sent_again_or_given_up(
    world: World, settings: ExecutionSettings
) -> None:
    flights = {flight.job.id: flight for flight in world.store.in_flight}
    for decision in decide(world, settings, NOW):
        if isinstance(decision, ResendDispatch | AbandonDispatch):
            run = flights[decision.job_id].run
            assert flights[decision.job_id].job.status.value == "queued"
            assert (run.claim, run.nomad_job_id) == (0, None)
            young = NOW - run.created_at < settings.resend_for
            assert isinstance(decision, ResendDispatch) == young


@given(world=worlds(), settings=settings_drawn)
def test_only_what_the_list_shows_is_confirmed_or_evaluated(
    world: World, settings: ExecutionSettings
) -> None:
    listed = {job.id: job for job in world.nomad.jobs} if world.nomad else {}
    for decision in decide(world, settings, NOW):
        if isinstance(decision, ConfirmDispatch):
            assert listed[decision.nomad_job_id].meta[RUN_META] == str(decision.run_id)
        if isinstance(decision, EvaluateChild):
            assert listed[decision.nomad_job_id].status == "pending"


@given(world=worlds(), settings=settings_drawn)
def test_deciding_twice_decides_the_same(world: World, settings: ExecutionSettings) -> None:
    assert decide(world, settings, NOW) == decide(world, settings, NOW)


def test_deciding_on_two_thousand_ready_jobs_and_workers_is_quick() -> None:
    machines = [a_machine(n) for n in range(1, 2001)]
    world = a_world(*machines, store={"ready": tuple(a_job(id=n) for n in range(1, 2001))})

    # The budget is 100 ms; this guards against quadratic rules on a machine that is busy.
    begun = time.process_time()
    decisions = decide(world, ExecutionSettings(), NOW)
    taken = time.process_time() - begun

    assert len(decisions) == 2000
    assert taken < 1
