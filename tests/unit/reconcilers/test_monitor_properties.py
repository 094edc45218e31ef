"""What holds of the monitor in every world, also in those that nobody thought of."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from models.actions import FailRun, SettleError, StopChild
from models.fleet import JOB_META, Live, children_by_run, our_children
from models.lifecycle import ERRORS, Status, is_allowed
from models.plan import Action, Held, Next
from models.records import InFlight, RunEnd
from models.settings import MonitorSettings
from models.world import Allocation, NomadJob, World
from reconcilers.monitor import decide
from simulator.examples import NOW
from simulator.strategies import reordered, worlds

settings_drawn = st.builds(
    MonitorSettings,
    vanished_after_passes=st.integers(1, 3),
    internal_attempts=st.integers(1, 4),
    external_attempts=st.integers(1, 10),
    lost_attempts=st.integers(1, 12),
    external_backoff=st.sampled_from([timedelta(), timedelta(seconds=60)]),
)


def _shown(world: World, flight: InFlight) -> tuple[Sequence[NomadJob], tuple[Allocation, ...]]:
    assert world.nomad is not None
    children = children_by_run(world).get(str(flight.run.id), [])
    return children, Live.among(world.nomad).of(flight.run, children)


@given(world=worlds(), settings=settings_drawn)
def test_no_run_fails_while_something_of_it_may_run_or_be_placed(
    world: World, settings: MonitorSettings
) -> None:
    flights = {flight.job.id: flight for flight in world.store.in_flight}
    for decision in decide(world, settings, NOW):
        if isinstance(decision, FailRun):
            children, live = _shown(world, flights[decision.job_id])
            assert not live
            assert all(child.over for child in children)


@given(world=worlds(), settings=settings_drawn)
def test_no_error_is_settled_while_something_of_its_job_may_run_or_be_placed(
    world: World, settings: MonitorSettings
) -> None:
    settled = {str(d.job_id) for d in decide(world, settings, NOW) if isinstance(d, SettleError)}
    if world.nomad is None:
        assert not settled
        return
    live = {allocation.job_id for allocation in world.nomad.allocations}
    for child in our_children(world).values():
        if child.meta.get(JOB_META) in settled:
            assert child.over
            assert child.id not in live


@given(world=worlds(), settings=settings_drawn)
def test_every_job_in_flight_gets_one_kind_of_action_or_is_left_alone(
    world: World, settings: MonitorSettings
) -> None:
    kinds: defaultdict[str, set[type]] = defaultdict(set)
    decisions = decide(world, settings, NOW)
    runs = {flight.run.id: str(flight.job.id) for flight in world.store.in_flight}
    for decision in decisions:
        if isinstance(decision, FailRun):
            kinds[str(decision.job_id)].add(FailRun)
        if isinstance(decision, StopChild):
            assert decision.run_id is not None
            assert decision.stuck
            kinds[runs[decision.run_id]].add(StopChild)
        if isinstance(decision, Held):
            kinds[decision.subject.id].add(Held)

    assert all(len(found) == 1 for found in kinds.values())


@given(world=worlds(), settings=settings_drawn)
def test_no_target_gets_two_actions_and_a_busy_one_gets_none(
    world: World, settings: MonitorSettings
) -> None:
    subjects = Counter(
        str(d.subject) for d in decide(world, settings, NOW) if isinstance(d, Action)
    )

    assert set(subjects.values()) <= {1}
    assert not subjects.keys() & world.busy


@given(world=worlds(), settings=settings_drawn)
def test_every_job_in_error_is_settled_busy_or_told_why_not(
    world: World, settings: MonitorSettings
) -> None:
    if world.nomad is None:
        return
    decisions = decide(world, settings, NOW)
    errors = {str(job.id): job for job in world.store.errors}
    answered = {d.subject.id for d in decisions if d.subject.id in errors}
    waiting = {d.subject.id for d in decisions if d.reason.value == "BACKING_OFF"}

    for identity, job in errors.items():
        assert identity in answered or job.type in waiting or f"job:{identity}" in world.busy


@given(world=worlds(), settings=settings_drawn)
def test_queued_and_pending_is_never_a_failure(world: World, settings: MonitorSettings) -> None:
    if world.nomad is None:
        return
    waiting = set()
    for flight in world.store.in_flight:
        children, _ = _shown(world, flight)
        pending = any(c.status == "pending" and not c.stopped for c in children)
        if flight.job.status is Status.QUEUED and pending:
            waiting.add(flight.job.id)

    failed = {d.job_id for d in decide(world, settings, NOW) if isinstance(d, FailRun)}

    assert not failed & waiting


@given(world=worlds(), settings=settings_drawn)
def test_every_error_that_is_written_is_allowed_and_says_how_it_goes_on(
    world: World, settings: MonitorSettings
) -> None:
    flights = {flight.job.id: flight for flight in world.store.in_flight}
    for decision in decide(world, settings, NOW):
        if isinstance(decision, FailRun):
            flight = flights[decision.job_id]
            assert decision.status in ERRORS
            assert is_allowed(flight.job.status, decision.status)
            assert decision.run_id == flight.run.id
            assert decision.expected_seq == flight.job.seq
            assert decision.end is not RunEnd.LOST or decision.then is not Next.BACK_OFF
        if isinstance(decision, FailRun | SettleError):
            assert (decision.retry_at is not None) == (decision.then is Next.BACK_OFF)
            assert decision.retry_at is None or decision.retry_at > NOW


@given(world=worlds(), settings=settings_drawn)
def test_a_smaller_budget_never_saves_a_job_from_quarantine(
    world: World, settings: MonitorSettings
) -> None:
    smaller = replace(
        settings,
        internal_attempts=max(1, settings.internal_attempts - 1),
        external_attempts=max(1, settings.external_attempts - 1),
        lost_attempts=max(1, settings.lost_attempts - 1),
    )

    def quarantined(budget: MonitorSettings) -> set[int]:
        decisions = decide(world, budget, NOW)
        ends = [d for d in decisions if isinstance(d, FailRun | SettleError)]
        return {d.job_id for d in ends if d.then is Next.QUARANTINE}

    assert quarantined(settings) <= quarantined(smaller)


@given(world=worlds(), settings=settings_drawn)
def test_without_nomad_there_is_no_action(world: World, settings: MonitorSettings) -> None:
    decisions = decide(replace(world, nomad=None), settings, NOW)

    assert not any(isinstance(d, Action) for d in decisions)
    assert len(decisions) == bool(world.store.in_flight or world.store.errors)


@given(world=worlds(), settings=settings_drawn, data=st.data())
def test_the_order_of_the_lists_changes_nothing(
    world: World, settings: MonitorSettings, data: st.DataObject
) -> None:
    other = data.draw(reordered(world))

    assert decide(other, settings, NOW) == decide(world, settings, NOW)


@given(world=worlds(), settings=settings_drawn)
def test_the_cloud_is_not_needed_to_see_what_runs(world: World, settings: MonitorSettings) -> None:
    assert decide(replace(world, cloud=None), settings, NOW) == decide(world, settings, NOW)
