"""Breakers: when one opens, what it holds back and what not, and how it closes again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.actions import (
    CloseBreaker,
    CommitDelete,
    CreateServer,
    DeleteServer,
    EndAcceptance,
    MarkWorker,
    OpenBreaker,
    ProveGone,
    PurgeNode,
    RecordSeen,
)
from models.breakers import REMOVAL_CAUSES, Breaker, BreakerName
from models.plan import Decision, Held, Reason
from models.records import RetireCause, RetireStep, Worker, WorkerState
from models.settings import BreakerSettings, PoolSettings
from models.sightings import node_away, server_missing
from models.wishes import is_by_person
from models.world import Sighting, World
from reconcilers.pool import decide
from simulator.examples import NOW, Machine, a_job, a_machine, a_retirement, a_world, an_id
from simulator.strategies import worlds

REMOVALS, SERVERS, NODES = BreakerName.REMOVALS, BreakerName.SERVERS, BreakerName.NODES
LONG = timedelta(minutes=30)
KEPT = PoolSettings(idle_for=timedelta(hours=9))
"""Idle workers stay: what is decided is about what failed or is missing."""


def _blind(world: World, unknown: str) -> World:
    """The world without what one source shows."""
    if unknown == "nomad":
        return replace(world, nomad=None)
    return replace(world, cloud=None)


def _server(number: int) -> str:
    return str(an_id("server", number))


def _without_server(machine: Machine) -> Machine:
    node = machine.node
    assert node is not None
    return replace(machine, server=None, node=replace(node, status="down"))


def _without_node(machine: Machine) -> Machine:
    return replace(machine, node=None)


def _in_error(machine: Machine) -> Machine:
    server, node = machine.server, machine.node
    assert server is not None
    assert node is not None
    return replace(
        machine, server=replace(server, status="ERROR"), node=replace(node, status="down")
    )


def _long_ago(key: str) -> tuple[str, Sighting]:
    return key, Sighting(count=99, first_at=NOW - LONG, snapshot=1)


BAD = {SERVERS: _without_server, NODES: _without_node, REMOVALS: _in_error}
"""What happens to a machine that the breaker of this name counts."""


def _fleet(size: int, name: BreakerName, bad: int, **changes: Any) -> World:
    """A fleet of which the first so many are bad in this breaker's way, since long."""
    machines = [a_machine(number) for number in range(1, size + 1)]
    shown = [BAD[name](m) if m.worker.id <= bad else m for m in machines]
    memory = [
        _long_ago(key(_server(n))) for n in range(1, bad + 1) for key in (server_missing, node_away)
    ]
    return a_world(*shown, sightings=dict(memory), **changes)


def _pool(world: World, settings: PoolSettings = KEPT) -> list[Decision]:
    return decide(world, settings, NOW)


def _opened(decisions: Iterable[Decision]) -> list[OpenBreaker]:
    return [d for d in decisions if isinstance(d, OpenBreaker)]


def _ending(decisions: Iterable[Decision]) -> list[Decision]:
    """Steps that would end a worker for what lists say of it."""
    return [
        d
        for d in decisions
        if isinstance(d, ProveGone | PurgeNode | DeleteServer)
        or (isinstance(d, MarkWorker | CommitDelete) and d.cause in REMOVAL_CAUSES)
    ]


def _open(name: BreakerName, *servers: int, **changes: Any) -> Breaker:
    """An open breaker that names the workers of these numbers."""
    default = Breaker(
        id=1,
        name=name,
        opened_at=NOW - LONG,
        because="9 of 10",
        suspects={_server(n): f"os-worker-{n:03d}" for n in servers},
    )
    return replace(default, **changes)


def _accepted(name: BreakerName, *servers: int) -> Breaker:
    """One that a person closed."""
    return _open(
        name,
        *servers,
        closed_at=NOW - LONG,
        closed_by="ada@desk",
        close_reason="they are gone",
        accepted=frozenset(map(_server, servers)),
    )


# ---- when one opens ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size", "bad", "opens"),
    [
        pytest.param(SERVERS, 10, 5, False, id="5-of-10-servers"),
        pytest.param(SERVERS, 10, 6, True, id="6-of-10-servers"),
        pytest.param(SERVERS, 40, 8, False, id="20-percent-of-40-servers"),
        pytest.param(SERVERS, 40, 9, True, id="more-than-20-percent-of-40-servers"),
        pytest.param(SERVERS, 5, 5, False, id="all-of-5-servers"),
        pytest.param(NODES, 10, 5, False, id="5-of-10-nodes"),
        pytest.param(NODES, 10, 6, True, id="6-of-10-nodes"),
        pytest.param(NODES, 40, 8, False, id="20-percent-of-40-nodes"),
        pytest.param(NODES, 40, 9, True, id="more-than-20-percent-of-40-nodes"),
        pytest.param(NODES, 1, 1, True, id="the-only-node"),
        pytest.param(NODES, 4, 4, True, id="all-of-4-nodes"),
        pytest.param(NODES, 4, 3, False, id="3-of-4-nodes"),
        pytest.param(REMOVALS, 10, 3, False, id="3-of-10-removals"),
        pytest.param(REMOVALS, 10, 4, True, id="4-of-10-removals"),
        pytest.param(REMOVALS, 50, 5, False, id="10-percent-of-50-removals"),
        pytest.param(REMOVALS, 50, 6, True, id="more-than-10-percent-of-50-removals"),
    ],
)
def test_a_breaker_opens_above_its_number_and_its_share(
    name: BreakerName, size: int, bad: int, *, opens: bool
) -> None:
    opened = [d for d in _opened(_pool(_fleet(size, name, bad))) if d.name is name]
    assert len(opened) == opens
    for decision in opened:
        assert set(decision.suspects) == {_server(n) for n in range(1, bad + 1)}
        assert f"{bad} of " in decision.because
        assert dict(decision.facts)["suspects"] == bad


@pytest.mark.parametrize("name", BreakerName)
def test_what_opens_a_breaker_is_held_back_in_the_same_pass(name: BreakerName) -> None:
    decisions = _pool(_fleet(10, name, 7))
    assert _opened(decisions)
    assert _ending(decisions) == []


def test_what_a_missing_server_would_have_done_is_said() -> None:
    decisions = _pool(_fleet(10, SERVERS, 7))
    held = [d for d in decisions if isinstance(d, Held) and d.reason is Reason.BREAKER_OPEN]
    assert {str(d.subject) for d in held} == {f"worker:os-worker-{n:03d}" for n in range(1, 8)}
    assert all("held back: 7 of 10 servers are missing" in d.because for d in held)
    assert all(dict(d.facts)["would_be"] == "SERVER_VANISHED" for d in held)


@pytest.mark.parametrize(
    ("limits", "opens"),
    [
        pytest.param(BreakerSettings(removals=2), True, id="fewer-allowed"),
        pytest.param(
            BreakerSettings(removals=2, removal_share=0.3), False, id="a-larger-share-allowed"
        ),
        pytest.param(BreakerSettings(removals=0, removal_share=0), True, id="none-allowed"),
    ],
)
def test_the_limits_are_parameters(limits: BreakerSettings, *, opens: bool) -> None:
    assert bool(_opened(decide(_fleet(10, REMOVALS, 3), KEPT, NOW, limits))) is opens


def _removed(number: int, **changes: Any) -> Worker:
    """A worker of another time that was removed lately because it was stale."""
    retirement = a_retirement(cause=RetireCause.STALE, started_at=NOW - timedelta(minutes=5))
    return replace(
        a_machine(number).worker, state=WorkerState.CLOSED, retirement=retirement, **changes
    )


def test_removals_of_the_last_minutes_count_though_their_rows_are_closed() -> None:
    before = tuple(_removed(90 + n) for n in range(3))
    assert _opened(_pool(_fleet(10, REMOVALS, 1))) == []
    [opened] = _opened(_pool(_fleet(10, REMOVALS, 1, store={"removed": before})))
    assert opened.name is REMOVALS
    assert len(opened.suspects) == 4


def test_removals_that_are_over_open_nothing_when_nothing_more_would_be_removed() -> None:
    before = tuple(_removed(90 + n) for n in range(9))
    assert _opened(_pool(_fleet(10, REMOVALS, 0, store={"removed": before}))) == []


def test_what_we_delete_and_what_a_person_wants_gone_is_no_wonder() -> None:
    machines = []
    for number in range(1, 11):
        machine = _without_node(_without_server(a_machine(number)))
        gone = (
            replace(machine.worker, state=WorkerState.DELETING, delete_sent_at=NOW)
            if number % 2
            else replace(machine.worker, retirement=a_retirement(cause=RetireCause.PERSON))
        )
        machines.append(replace(machine, worker=gone))
    assert _opened(_pool(a_world(*machines))) == []


def test_a_node_that_is_down_is_not_missing() -> None:
    machines = [_in_error(a_machine(n)) for n in range(1, 11)]
    well = [replace(m, server=a_machine(m.worker.id).server) for m in machines]
    assert _opened(_pool(a_world(*well))) == []


@pytest.mark.parametrize("unknown", ["nomad", "cloud"])
def test_an_unknown_source_opens_nothing(unknown: str) -> None:
    world = _blind(_fleet(10, NODES if unknown == "nomad" else SERVERS, 9), unknown)
    assert _opened(_pool(world)) == []


# ---- what an open one holds back -----------------------------------------------------------------


def _retiring(cause: RetireCause, step: RetireStep = RetireStep.SEEN, **worker: Any) -> Machine:
    machine = a_machine(1)
    assert machine.node is not None
    retirement = a_retirement(
        cause=cause,
        step=step,
        index=10,
        modify_index=300,
        seen_at=NOW - LONG,
        started_at=NOW - LONG,
    )
    node = replace(machine.node, eligible=False, modify_index=300)
    row = replace(machine.worker, retirement=retirement, **worker)
    return replace(machine, worker=row, node=node)


def _gone(cause: RetireCause | None) -> Machine:
    """Its server answered 404; its node is listed still. Without a cause it vanished."""
    retirement = None if cause is None else a_retirement(cause=cause)
    sent_at = None if cause is None else NOW - LONG
    machine = a_machine(
        1, state=WorkerState.DELETING, gone_at=NOW, retirement=retirement, delete_sent_at=sent_at
    )
    return replace(machine, server=None)


def _sent(cause: RetireCause, *, listed: bool) -> Machine:
    """Its deletion was asked for long ago."""
    machine = _retiring(cause, state=WorkerState.DELETING, delete_sent_at=NOW - LONG)
    return machine if listed else replace(machine, server=None)


IDLE, STALE, PERSON = RetireCause.IDLE, RetireCause.STALE, RetireCause.PERSON
ALL, LISTS, NONE = frozenset(BreakerName), frozenset({SERVERS, NODES}), frozenset[BreakerName]()
STEPS = [
    pytest.param(_in_error(a_machine(1)), MarkWorker, ALL, id="mark-one-in-error"),
    pytest.param(_retiring(STALE), CommitDelete, ALL, id="delete-a-stale-one"),
    pytest.param(_sent(STALE, listed=True), DeleteServer, ALL, id="delete-a-stale-one-again"),
    pytest.param(_gone(None), PurgeNode, ALL, id="purge-the-node-of-one-that-vanished"),
    pytest.param(_gone(STALE), PurgeNode, ALL, id="purge-the-node-of-a-stale-one"),
    pytest.param(a_machine(1), MarkWorker, NONE, id="mark-an-idle-one"),
    pytest.param(_retiring(IDLE, RetireStep.MARKING), RecordSeen, NONE, id="see-an-idle-ones-mark"),
    pytest.param(_retiring(IDLE), CommitDelete, LISTS, id="delete-an-idle-one"),
    pytest.param(_sent(IDLE, listed=True), DeleteServer, LISTS, id="delete-an-idle-one-again"),
    pytest.param(_sent(IDLE, listed=False), ProveGone, LISTS, id="prove-an-idle-one-gone"),
    pytest.param(_gone(IDLE), PurgeNode, LISTS, id="purge-the-node-of-an-idle-one"),
    pytest.param(_retiring(PERSON), CommitDelete, NONE, id="delete-one-that-a-person-drained"),
    pytest.param(_sent(PERSON, listed=False), ProveGone, NONE, id="prove-a-persons-gone"),
    pytest.param(_gone(PERSON), PurgeNode, NONE, id="purge-the-node-of-a-persons"),
]


@pytest.mark.parametrize("name", BreakerName)
@pytest.mark.parametrize(("machine", "step", "held_by"), STEPS)
def test_an_open_breaker_holds_back_what_goes_by_what_is_in_doubt(
    machine: Machine, step: type[Decision], held_by: frozenset[BreakerName], name: BreakerName
) -> None:
    others = [a_machine(n, busy_at=NOW) for n in range(2, 9)]
    # Unexplained, so that it stays open: these are bad in its way, though not for long.
    bad = [BAD[name](a_machine(n)) for n in range(20, 27)]
    world = a_world(
        machine,
        *others,
        *bad,
        store={"breakers": (_open(name, *range(20, 27)),)},
    )
    decisions = _pool(world, PoolSettings())
    mine = [d for d in decisions if str(d.subject) == "worker:os-worker-001"]
    if name in held_by:
        [held] = mine
        assert (type(held), held.reason) == (Held, Reason.BREAKER_OPEN)
        assert f"breaker {name} is open since" in held.because
    else:
        assert [type(d) for d in mine] == [step]


def test_the_same_steps_are_taken_while_no_breaker_is_open() -> None:
    for machine, step in ((case.values[0], case.values[1]) for case in STEPS):
        assert isinstance(machine, Machine)
        others = [a_machine(n, busy_at=NOW) for n in range(2, 9)]
        decisions = _pool(a_world(machine, *others), PoolSettings())
        mine = [type(d) for d in decisions if str(d.subject) == "worker:os-worker-001"]
        assert mine == [step]


@pytest.mark.parametrize("name", BreakerName)
def test_growth_goes_on_while_a_breaker_is_open(name: BreakerName) -> None:
    world = _fleet(10, name, 7, store={"breakers": (_open(name, *range(1, 8)),)})
    waiting = tuple(a_job(id=n) for n in range(1, 30))
    ready = replace(world.store, ready=waiting, ready_total={waiting[0].flavor: len(waiting)})
    assert any(isinstance(d, CreateServer) for d in _pool(replace(world, store=ready)))


# ---- how one closes ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BreakerName)
def test_an_open_breaker_says_so_in_every_pass_until_it_is_explained(name: BreakerName) -> None:
    breaker = _open(name, *range(1, 8))
    decisions = _pool(_fleet(10, name, 1, store={"breakers": (breaker,)}))
    [said] = [d for d in decisions if str(d.subject) == f"breaker:{name}"]
    assert (type(said), said.reason) == (Held, Reason.BREAKER_OPEN)
    assert f"hrsi breaker close {name}" in said.because
    assert dict(said.facts) == {"unexplained": 1, "suspects": 7}


@pytest.mark.parametrize("name", BreakerName)
def test_it_closes_by_itself_when_all_of_it_is_explained(name: BreakerName) -> None:
    breaker = _open(name, *range(1, 8))
    decisions = _pool(_fleet(10, name, 0, store={"breakers": (breaker,)}))
    [closed] = [d for d in decisions if isinstance(d, CloseBreaker)]
    assert (closed.name, closed.breaker_id) == (name, breaker.id)
    assert closed.reason is Reason.BREAKER_EXPLAINED


@pytest.mark.parametrize(
    ("name", "unknown"), [(SERVERS, "cloud"), (NODES, "nomad"), (REMOVALS, "nomad")]
)
def test_an_unknown_source_explains_nothing(name: BreakerName, unknown: str) -> None:
    world = _fleet(10, name, 0, store={"breakers": (_open(name, *range(1, 8)),)})
    decisions = _pool(_blind(world, unknown))
    assert not any(isinstance(d, CloseBreaker) for d in decisions)
    assert any(d.reason is Reason.BREAKER_OPEN for d in decisions)


def test_what_a_list_in_doubt_does_not_show_opens_no_breaker_of_removals() -> None:
    assert [d.name for d in _opened(_pool(_fleet(10, SERVERS, 7)))] == [SERVERS]


def test_nor_does_it_explain_one_that_is_open_for_the_same_workers() -> None:
    breaker = _open(REMOVALS, 1, 2, 3, 4)
    decisions = _pool(_fleet(10, SERVERS, 7, store={"breakers": (breaker,)}))
    assert [d.name for d in _opened(decisions)] == [SERVERS]
    assert not any(isinstance(d, CloseBreaker) for d in decisions)


def test_an_open_breaker_names_what_comes_to_it() -> None:
    breaker = _open(SERVERS, *range(1, 7))
    decisions = _pool(_fleet(10, SERVERS, 8, store={"breakers": (breaker,)}))
    [opened] = [d for d in _opened(decisions) if d.name is SERVERS]
    assert set(opened.suspects) == {_server(7), _server(8)}


@pytest.mark.parametrize("name", BreakerName)
def test_what_a_person_accepted_counts_no_more_and_is_held_back_no_more(name: BreakerName) -> None:
    accepted = _accepted(name, *range(1, 8))
    decisions = _pool(_fleet(10, name, 7, store={"breakers": (accepted,)}))
    assert _opened(decisions) == []
    assert _ending(decisions) != []


def test_a_persons_word_covers_nothing_that_was_not_named() -> None:
    accepted = _accepted(REMOVALS, 1, 2, 3, 4)
    decisions = _pool(_fleet(10, REMOVALS, 8, store={"breakers": (accepted,)}))
    [opened] = _opened(decisions)
    assert set(opened.suspects) == {_server(n) for n in (5, 6, 7, 8)}
    # What was accepted goes on though the breaker is open again for others.
    assert [str(d.subject) for d in _ending(decisions)] == ["worker:os-worker-001"]


@pytest.mark.parametrize(
    ("bad", "left"),
    [
        pytest.param(0, (), id="all-are-well"),
        pytest.param(2, (1, 2), id="some-are-well"),
    ],
)
def test_a_persons_word_ends_when_the_worker_is_well(bad: int, left: tuple[int, ...]) -> None:
    accepted = _accepted(SERVERS, 1, 2, 3)
    decisions = _pool(_fleet(10, SERVERS, bad, store={"breakers": (accepted,)}))
    [ended] = [d for d in decisions if isinstance(d, EndAcceptance)]
    assert set(ended.server_ids) == {_server(n) for n in (1, 2, 3) if n not in left}
    assert ended.breaker_id == accepted.id


def test_and_when_its_row_is_closed_and_its_removal_counts_no_more() -> None:
    accepted = _accepted(REMOVALS, 90, 91)
    world = _fleet(5, REMOVALS, 0, store={"breakers": (accepted,), "removed": (_removed(90),)})
    [ended] = [d for d in _pool(world) if isinstance(d, EndAcceptance)]
    assert ended.server_ids == (_server(91),)


# ---- in any world --------------------------------------------------------------------------------


@given(world=worlds(), name=st.sampled_from(BreakerName))
def test_in_no_world_is_anything_removed_while_a_breaker_is_open(
    world: World, name: BreakerName
) -> None:
    """Not even in the pass that finds it explained: what is closed then lets go in the next."""
    shown = replace(world, store=replace(world.store, breakers=(_open(name, 999),)))
    assert [d for d in _ending(_pool(shown, PoolSettings())) if _counts(d, world)] == []


@given(world=worlds(), limits=st.builds(BreakerSettings, removals=st.integers(0, 3)))
def test_in_no_world_does_a_pass_begin_more_removals_than_are_allowed(
    world: World, limits: BreakerSettings
) -> None:
    decisions = decide(world, PoolSettings(), NOW, limits)
    begun = [
        d
        for d in decisions
        if (isinstance(d, MarkWorker | CommitDelete) and d.reason.name in {"STALE", "SERVER_ERROR"})
        or (isinstance(d, ProveGone) and d.reason is Reason.SERVER_VANISHED)
    ]
    known = sum(worker.server_id is not None for worker in world.store.workers)
    assert len(begun) <= max(limits.removals, int(known * limits.removal_share))


def _counts(decision: Decision, world: World) -> bool:
    """Whether it ends a worker that was neither idle nor unwanted by a person."""
    spared = {
        w.id
        for w in world.store.workers
        if w.retirement is not None
        and (is_by_person(w.retirement) or w.retirement.cause is RetireCause.IDLE)
    }
    return getattr(decision, "worker_id", None) not in spared
