"""What goes wrong with calls: by order, by outage, by chance, and only what can happen."""

from __future__ import annotations

from collections import Counter

import pytest

from models.ports import Cloud, JobStore, Orchestrator, RunReports
from simulator.faults import LISTS, PEOPLE, PROGRAMS, WRITES, Fault, Faults, may_befall


def test_an_order_comes_before_an_outage_and_an_outage_before_chance() -> None:
    faults = Faults(rates={Fault.REFUSED: 1.0})
    faults.begin_outage("nomad", Fault.TIMEOUT)
    faults.order("nomad.stop", Fault.THROTTLED)
    assert [faults.take("nomad.stop") for _ in range(2)] == [Fault.THROTTLED, Fault.TIMEOUT]
    faults.end_outage("nomad")
    assert faults.take("nomad.stop") is Fault.REFUSED
    faults.clear()
    assert faults.take("nomad.stop") is None
    assert faults.is_calm


def test_an_outage_is_of_one_system_and_not_of_the_people() -> None:
    faults = Faults()
    faults.begin_outage("store", Fault.REFUSED)
    assert not faults.is_calm
    assert faults.take("cloud.create") is None
    assert faults.take("store.commit") is Fault.REFUSED
    assert {faults.take(operation) for operation in PEOPLE} == {None}


@pytest.mark.parametrize("fault", list(Fault))
def test_what_cannot_happen_to_a_call_does_not(fault: Fault) -> None:
    faults = Faults(rates={fault: 1.0})
    suffered = {call for call in WRITES | LISTS if faults.take(call) is not None}
    expected = {
        Fault.STALE: LISTS,
        Fault.CUT_SHORT: LISTS,
        Fault.CRASH: (WRITES | LISTS) - PROGRAMS,
        Fault.CRASH_AFTER: (WRITES | LISTS) - PROGRAMS,
    }.get(fault, WRITES | LISTS)
    assert suffered == expected
    assert {operation for operation, _ in faults.taken} == expected


def test_chance_gives_each_fault_its_share_of_the_calls() -> None:
    faults = Faults(rates={Fault.REFUSED: 0.1, Fault.LOST_REPLY: 0.3}, seed=5)
    counted = Counter(faults.take("cloud.create") for _ in range(10_000))
    assert 900 < counted[Fault.REFUSED] < 1100
    assert 2800 < counted[Fault.LOST_REPLY] < 3200
    assert may_befall(Fault.STALE, "nomad.snapshot")


READS = {
    *("snapshot", "identify", "modify_index", "exit_code", "watch"),
    *("exists", "check_project", "worker_images", "console", "view"),
}


@pytest.mark.parametrize(
    ("system", "port"),
    [("nomad", Orchestrator), ("cloud", Cloud), ("store", JobStore), ("store", RunReports)],
)
def test_every_method_of_a_port_is_known_to_read_or_to_write(system: str, port: type) -> None:
    methods = {name for name in vars(port) if not name.startswith("_")}
    assert {f"{system}.{name}" for name in methods - READS} <= WRITES
    assert not {f"{system}.{name}" for name in methods & READS} & WRITES
