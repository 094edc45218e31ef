"""`hrsi plan` decides what a controller would, and changes nothing."""

import pytest
from prometheus_client import CollectorRegistry

from controller.crew import Inline
from controller.loop import Reconciler
from controller.metrics import Metrics
from controller.observe import Observer, Sources
from controller.planning import plan
from models.actions import CreateServer, DispatchRun, RegisterParent
from models.job_types import DEFAULT_REGISTRY
from models.plan import Held, Reason
from models.ports import Asked, ViewLimits
from models.world import Site, Source
from reconcilers import execution, pool
from simulator.examples import COMMAND, DEPLOYMENT, NOW, some_new_jobs
from simulator.faults import Fault
from simulator.systems import Scenario, Systems, in_memory

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
    return made


def observer_of(systems: Systems) -> Observer:
    return Observer(
        Sources(
            store=systems.store,
            orchestrator=systems.nomad_port(DEPLOYMENT),
            cloud=systems.cloud_port(),
        ),
        site=Site(deployment=DEPLOYMENT, parents=DEFAULT_REGISTRY.parents(DEPLOYMENT, COMMAND)),
        registry=DEFAULT_REGISTRY,
        clock=systems.timeline,
        crew=Inline(),
        metrics=Metrics(CollectorRegistry(), systems.timeline),
    )


def test_jobs_that_wait_bring_parents_and_servers(systems: Systems) -> None:
    decided = plan(observer_of(systems), RECONCILERS, systems.timeline)
    assert list(decided) == ["execution", "worker-pool"]
    assert sum(isinstance(d, RegisterParent) for d in decided["execution"]) == 6
    assert sum(isinstance(d, CreateServer) for d in decided["worker-pool"]) == 3


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
    decided = plan(observer_of(systems), RECONCILERS, systems.timeline)
    assert not any(isinstance(d, DispatchRun | RegisterParent) for d in decided["execution"])
    held = [d.reason for d in decided["execution"] if isinstance(d, Held)]
    assert Reason.SOURCE_UNKNOWN in held
