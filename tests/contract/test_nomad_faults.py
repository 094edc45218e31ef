"""What the port `Orchestrator` promises when things go wrong that only the simulator can bring
about: faults on order, late effects, and times of day.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from models.errors import PortError, Throttled, Unavailable, Unknown
from models.fleet import RUN_META
from models.ports import Orchestrator
from simulator.faults import Fault
from simulator.nomad.jobs import Oddity
from tests.plugins.nomad import ADMITTING, MakeNomad, SimulatedNomad
from tests.plugins.nomad_in_test import DEPLOYMENT, PARENT, Watcher, a_parent, an_order

# ---- an error is never an empty list -------------------------------------------------------------

CALLS: dict[str, tuple[bool, Callable[[Orchestrator], Any]]] = {
    "snapshot": (False, lambda port: port.snapshot()),
    "identify": (False, lambda port: port.identify("some-node")),
    "modify_index": (False, lambda port: port.modify_index("some-node")),
    "exit_code": (False, lambda port: port.exit_code("some-job")),
    "dispatch": (True, lambda port: port.dispatch(an_order())),
    "register": (True, lambda port: port.register(a_parent(), DEPLOYMENT)),
    "set_eligibility": (True, lambda port: port.set_eligibility("some-node", eligible=True)),
    "stop": (True, lambda port: port.stop("some-job")),
    "evaluate": (True, lambda port: port.evaluate(PARENT)),
    "purge": (True, lambda port: port.purge("some-node")),
}
OUTCOMES: dict[Fault, tuple[type[PortError], type[PortError]]] = {
    Fault.REFUSED: (Unavailable, Unavailable),
    Fault.THROTTLED: (Throttled, Throttled),
    Fault.TIMEOUT: (Unavailable, Unknown),
    Fault.SERVER_ERROR: (Unavailable, Unknown),
}


@pytest.mark.parametrize("fault", OUTCOMES, ids=lambda fault: fault.value)
@pytest.mark.parametrize("operation", CALLS)
def test_a_call_that_fails_says_how(
    simulated_nomad: SimulatedNomad, operation: str, fault: Fault
) -> None:
    writes, call = CALLS[operation]
    simulated_nomad.faults.order(f"nomad.{operation}", fault)
    before = simulated_nomad.cluster.state.index
    with pytest.raises(PortError) as caught:
        call(simulated_nomad.hurried)
    assert type(caught.value) is OUTCOMES[fault][writes]
    assert simulated_nomad.cluster.state.index == before


def test_who_is_throttled_is_told_when_to_come_back(simulated_nomad: SimulatedNomad) -> None:
    simulated_nomad.faults.order("nomad.snapshot", Fault.THROTTLED)
    with pytest.raises(Throttled) as caught:
        simulated_nomad.port.snapshot()
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > timedelta(0)


def test_a_read_whose_answer_is_lost_is_unavailable(simulated_nomad: SimulatedNomad) -> None:
    simulated_nomad.faults.order("nomad.snapshot", Fault.LOST_REPLY)
    with pytest.raises(Unavailable):
        simulated_nomad.port.snapshot()
    assert simulated_nomad.port.snapshot().jobs


def test_a_write_whose_answer_is_lost_was_done(simulated_nomad: SimulatedNomad) -> None:
    node_id = simulated_nomad.ready_node()
    simulated_nomad.faults.order("nomad.set_eligibility", Fault.LOST_REPLY)
    with pytest.raises(Unknown):
        simulated_nomad.port.set_eligibility(node_id, eligible=False)
    (node,) = simulated_nomad.port.snapshot().nodes
    assert not node.eligible
    assert simulated_nomad.port.set_eligibility(node_id, eligible=False) == 0


# ---- dispatches that are lost, late or beaten ----------------------------------------------------


def test_dispatch_answers_before_anything_is_scheduled(simulated_nomad: SimulatedNomad) -> None:
    simulated_nomad.ready_node()
    child = simulated_nomad.port.dispatch(an_order())
    seen = simulated_nomad.port.snapshot()
    assert simulated_nomad.job(child).status == "pending"
    assert [(e.job_id, e.status) for e in seen.evaluations] == [(child, "pending")]
    assert seen.allocations == ()


def test_a_dispatch_whose_answer_is_lost_is_found_again_by_its_token(
    simulated_nomad: SimulatedNomad,
) -> None:
    order = an_order()
    simulated_nomad.faults.order("nomad.dispatch", Fault.LOST_REPLY)
    with pytest.raises(Unknown):
        simulated_nomad.port.dispatch(order)
    (made,) = simulated_nomad.children()
    assert made.meta[RUN_META] == str(order.token)
    assert simulated_nomad.port.dispatch(order) == made.id


def test_a_lost_dispatch_may_take_effect_later(make_nomad: MakeNomad) -> None:
    nomad = make_nomad(replace(ADMITTING, late_effect=timedelta(seconds=30)))
    nomad.register()
    nomad.faults.order("nomad.dispatch", Fault.LOST_REPLY)
    order = an_order()
    with pytest.raises(Unknown):
        nomad.port.dispatch(order)
    assert nomad.children() == []
    nomad.wait(31)
    (made,) = nomad.children()
    assert nomad.port.dispatch(order) == made.id


def test_the_answer_to_a_lost_race_names_a_child_that_does_not_exist(
    simulated_nomad: SimulatedNomad,
) -> None:
    simulated_nomad.cluster.spoil_next_dispatch(Oddity.PHANTOM)
    order = an_order()
    answered = simulated_nomad.port.dispatch(order)
    (real,) = simulated_nomad.children()
    assert answered != real.id
    assert real.meta[RUN_META] == str(order.token)
    assert simulated_nomad.port.dispatch(order) == real.id


# ---- placements that are late --------------------------------------------------------------------


def test_a_placement_may_land_after_the_mark_while_its_evaluation_is_open(
    simulated_nomad: SimulatedNomad,
) -> None:
    node_id = simulated_nomad.ready_node()
    simulated_nomad.cluster.delay_next_placement(timedelta(seconds=40))
    child = simulated_nomad.port.dispatch(an_order())
    simulated_nomad.wait(1)
    index = simulated_nomad.port.set_eligibility(node_id, eligible=False)
    between = simulated_nomad.port.snapshot()
    assert between.allocations == ()
    assert [(e.job_id, e.status) for e in between.evaluations] == [(child, "pending")]
    assert between.evaluations[0].create_index <= index
    simulated_nomad.wait(60)
    (allocation,) = simulated_nomad.live(child)
    assert allocation.node_id == node_id
    assert allocation.create_index > index
    assert simulated_nomad.port.snapshot().evaluations == ()


def test_a_late_placement_of_a_stopped_job_never_happens(simulated_nomad: SimulatedNomad) -> None:
    simulated_nomad.ready_node()
    simulated_nomad.cluster.delay_next_placement(timedelta(seconds=40))
    child = simulated_nomad.port.dispatch(an_order())
    simulated_nomad.wait(1)
    simulated_nomad.port.stop(child)
    simulated_nomad.wait(60)
    assert simulated_nomad.live(child) == []
    assert simulated_nomad.job(child).status == "dead"
    assert simulated_nomad.port.snapshot().evaluations == ()


def test_a_late_placement_reserves_its_room(simulated_nomad: SimulatedNomad) -> None:
    node_id = simulated_nomad.ready_node()
    simulated_nomad.cluster.delay_next_placement(timedelta(seconds=40))
    first = simulated_nomad.port.dispatch(an_order())
    simulated_nomad.wait(1)
    second = simulated_nomad.port.dispatch(an_order())
    simulated_nomad.wait(60)
    assert [a.node_id for a in simulated_nomad.live(first)] == [node_id]
    assert simulated_nomad.live(second) == []


# ---- what cannot be waited for elsewhere ---------------------------------------------------------


def test_a_lost_allocation_is_replaced_on_a_node_that_lives(
    simulated_nomad: SimulatedNomad,
) -> None:
    simulated_nomad.ready_node()
    child = simulated_nomad.running_child()
    (lost,) = simulated_nomad.live(child)
    simulated_nomad.cluster.lose_allocation(lost.id)
    simulated_nomad.wait(10)
    (replacement,) = simulated_nomad.live(child)
    assert replacement.id != lost.id
    assert simulated_nomad.job(child).lost == 1
    assert list(simulated_nomad.tasks.running) == [replacement.id]


def test_a_dead_child_sets_its_token_free_when_it_is_old(simulated_nomad: SimulatedNomad) -> None:
    simulated_nomad.ready_node()
    order = an_order()
    child = simulated_nomad.port.dispatch(order)
    simulated_nomad.settle()
    simulated_nomad.exit(child, 0)
    simulated_nomad.wait(5 * 3600)
    assert simulated_nomad.children() == []
    assert simulated_nomad.port.dispatch(order) != child


def test_a_node_is_initializing_before_it_is_ready(simulated_nomad: SimulatedNomad) -> None:
    simulated_nomad.boot()
    starting = simulated_nomad.port.snapshot().nodes[0]
    simulated_nomad.wait(10)
    ready = simulated_nomad.port.snapshot().nodes[0]
    assert (starting.status, ready.status) == ("initializing", "ready")
    assert starting.modify_index == starting.create_index < ready.modify_index


# ---- who is who ----------------------------------------------------------------------------------


def test_a_node_without_meta_tells_its_server_by_its_host_id(
    simulated_nomad: SimulatedNomad,
) -> None:
    server_id = str(UUID(int=0xABCDEF))
    node_id = simulated_nomad.boot(server_id=server_id.upper(), identified_by="host_id")
    assert simulated_nomad.port.identify(node_id).server_id == server_id


def test_a_node_that_names_no_server_has_none(simulated_nomad: SimulatedNomad) -> None:
    assert (
        simulated_nomad.port.identify(simulated_nomad.boot(identified_by="nothing")).server_id
        is None
    )


# ---- hints ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST_REPLY], ids=lambda f: f.value)
def test_a_watch_that_cannot_be_had_is_unavailable(
    simulated_nomad: SimulatedNomad, fault: Fault
) -> None:
    simulated_nomad.faults.order("nomad.watch", fault)
    with Watcher(simulated_nomad.port) as watcher:
        assert watcher.ended()
    assert isinstance(watcher.error, Unavailable)


def test_a_list_that_breaks_off_is_no_list(simulated_nomad: SimulatedNomad) -> None:
    simulated_nomad.faults.order("nomad.snapshot", Fault.CUT_SHORT, times=9)
    with pytest.raises(Unavailable):
        simulated_nomad.port.snapshot()
