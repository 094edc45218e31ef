"""`hrsi plan` decides what a controller would, and changes nothing."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from controller.crew import Inline
from controller.loop import Reconciler
from controller.metrics import Metrics
from controller.observe import Observer, Sources
from controller.planning import Look, decided, plan
from models.actions import CreateServer, DispatchRun, RegisterParent
from models.job_types import DEFAULT_REGISTRY
from models.plan import Decision, Held, Reason
from models.ports import Asked, ViewLimits
from models.settings import DEFAULT_SETTINGS
from models.world import Site, Source, World
from reconcilers import execution, pool
from simulator.examples import COMMAND, DEPLOYMENT, NOW, a_world, some_new_jobs
from simulator.faults import Fault
from simulator.systems import Scenario, Systems, in_memory
from tests.plugins.readiness import make_ready

ALL = ViewLimits(ready_per_flavor=100, ended_since=NOW)
BOTH = frozenset({Source.NOMAD, Source.CLOUD})
RECONCILERS = (
    Reconciler(
        name="execution",
        decide=execution.decide,
        sources=BOTH,
        settings_of=lambda settings: settings.execution,
    ),
    Reconciler(
        name="worker-pool",
        decide=pool.decide,
        sources=BOTH,
        settings_of=lambda settings: settings.pool,
    ),
)


@pytest.fixture
def systems() -> Systems:
    """A quiet world with three jobs in it."""
    made = in_memory(Scenario())
    made.store.submit(some_new_jobs(3), Asked(actor="test"))
    make_ready(made.store, made.timeline.now())
    return made


def observer_of(systems: Systems) -> Observer:
    return Observer(
        Sources(
            store=systems.store,
            orchestrator=systems.nomad_port(DEPLOYMENT),
            cloud=systems.cloud_port(),
        ),
        site=Site(
            deployment=DEPLOYMENT,
            image="os-worker-template",
            parents=DEFAULT_REGISTRY.parents(DEPLOYMENT, COMMAND),
        ),
        registry=DEFAULT_REGISTRY,
        clock=systems.timeline,
        crew=Inline(),
        metrics=Metrics(CollectorRegistry(), systems.timeline),
    )


def test_jobs_that_wait_bring_parents_and_servers(systems: Systems) -> None:
    found = plan(observer_of(systems), RECONCILERS, systems.timeline)
    assert list(found) == ["execution", "worker-pool"]
    assert sum(isinstance(d, RegisterParent) for d in found["execution"]) == 6
    assert sum(isinstance(d, CreateServer) for d in found["worker-pool"]) == 3


def test_only_what_is_asked_for_is_planned(systems: Systems) -> None:
    assert list(plan(observer_of(systems), RECONCILERS[1:], systems.timeline)) == ["worker-pool"]


def test_planning_changes_nothing_and_says_the_same_again(systems: Systems) -> None:
    store = systems.store
    before = store.view(ALL), store.totals(), store.leases(), store.ledger(())
    first = plan(observer_of(systems), RECONCILERS, systems.timeline)
    assert plan(observer_of(systems), RECONCILERS, systems.timeline) == first
    assert (store.view(ALL), store.totals(), store.leases(), store.ledger(())) == before
    assert systems.outside.cloud.created == 0


def test_what_a_silent_nomad_holds_back_is_said(systems: Systems) -> None:
    systems.faults.order("nomad.snapshot", Fault.REFUSED)
    found = plan(observer_of(systems), RECONCILERS, systems.timeline)
    assert not any(isinstance(d, DispatchRun | RegisterParent) for d in found["execution"])
    held = [d.reason for d in found["execution"] if isinstance(d, Held)]
    assert Reason.SOURCE_UNKNOWN in held


def test_each_reconciler_is_shown_only_what_it_looks_at() -> None:
    shown: list[World] = []

    def look_on(world: World, _settings: object, _now: object) -> list[Decision]:
        shown.append(world)
        return []

    def looking_at(*sources: Source) -> Reconciler:
        return Reconciler(
            name="", decide=look_on, sources=frozenset(sources), settings_of=lambda all_: all_
        )

    whole = replace(a_world(), unknown={Source.CLOUD: "no answer"})
    seen = Look(world=whole, settings=DEFAULT_SETTINGS, now=NOW)
    for sources in ((Source.STORE,), (Source.NOMAD,), (Source.NOMAD, Source.CLOUD)):
        decided(seen, [looking_at(*sources)])
    nothing, nomad, both = shown
    assert (nothing.nomad, nothing.cloud, nothing.unknown) == (None, None, {})
    assert (nomad.nomad, nomad.cloud, nomad.unknown) == (whole.nomad, None, {})
    assert both == whole
