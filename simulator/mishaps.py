"""What goes wrong outside, each by its name: with machines, with Nomad, with the cloud, with hands.

A mishap happens to the systems of a world in memory at the moment it is called, with the choice of
whom it hits drawn from `chance`. Each says whether there was anything to hit. What goes wrong with
a single call is in `simulator.faults`; what befalls the controllers themselves (crashes, clocks) in
`controller.simulate.mishaps`, which draws from both by seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from random import Random
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from models.errors import Conflict, FailureClass, Malformed, PortError, QuotaExceeded, Refused
from models.fleet import DEPLOYMENT_METADATA
from simulator.cloud.options import NO_VALID_HOST, BootFailure, SnapshotFailure
from simulator.cloud.servers import CloudServer, Wanted
from simulator.faults import Fault
from simulator.nomad.jobs import Oddity
from simulator.systems import Systems

T = TypeVar("T")

Mishap: TypeAlias = Callable[[Systems, Random], bool]

AWAY = (5, 600)
"""Seconds for which a node is silent, a cell down, others' servers there, a quota small."""

LATE = (1, 25)
"""Seconds by which a placement comes late: less than Nomad's plans ever wait (15 s are seen), and
less than barrier and quarantine together."""

OUTAGE = (1, 120)
"""Seconds for which a system cannot be reached, or Nomad has no leader."""


def seconds(chance: Random, span: tuple[float, float]) -> timedelta:
    """A duration between two numbers of seconds."""
    return timedelta(seconds=chance.uniform(*span))


def _one(chance: Random, found: Sequence[T]) -> T | None:
    return chance.choice(found) if found else None


def servers_of_ours(systems: Systems) -> list[CloudServer]:
    """Servers that some installation of ours made, by its metadata."""
    found = systems.outside.cloud.servers()
    return [s for s in found if DEPLOYMENT_METADATA in s.wanted.metadata and not s.cell_down]


def _running(systems: Systems) -> list[CloudServer]:
    return [server for server in servers_of_ours(systems) if server.is_running]


# ---- the cloud -----------------------------------------------------------------------------------


def _boot(how: BootFailure, systems: Systems, _: Random) -> bool:
    systems.outside.cloud.ordered.fail_boots(how)
    return True


def _image(how: SnapshotFailure, systems: Systems, _: Random) -> bool:
    systems.outside.cloud.snapshots.fail(how)
    return True


def _server_vanishes(systems: Systems, chance: Random) -> bool:
    server = _one(chance, servers_of_ours(systems))
    if server is not None:
        systems.outside.cloud.vanish(server.id)
    return server is not None


def _server_deleted_by_others(systems: Systems, chance: Random) -> bool:
    server = _one(chance, [s for s in servers_of_ours(systems) if not s.doomed])
    if server is not None:
        systems.outside.cloud.delete(server.id, by_others=True)
    return server is not None


def _server_breaks(systems: Systems, chance: Random) -> bool:
    server = _one(chance, [s for s in servers_of_ours(systems) if not s.doomed])
    if server is not None:
        systems.outside.cloud.break_server(server.id, NO_VALID_HOST)
    return server is not None


def _never_joins(systems: Systems, chance: Random) -> bool:
    server = _one(chance, [s for s in servers_of_ours(systems) if s.boot_pending])
    if server is not None:
        names = systems.outside.machines.never_join
        names.add(server.name)
        # By then it is ACTIVE or given up: the name is an ordinary one again.
        systems.timeline.after(timedelta(minutes=20), lambda: names.discard(server.name))
    return server is not None


def _delete_fails(systems: Systems, _: Random) -> bool:
    systems.outside.cloud.ordered.fail_deletes()
    return True


def _delete_comes_late(systems: Systems, chance: Random) -> bool:
    systems.outside.cloud.ordered.delay_deletes(seconds(chance, AWAY))
    return True


def _cell_goes_down(systems: Systems, chance: Random) -> bool:
    cloud, found = systems.outside.cloud, servers_of_ours(systems)
    lost = [server.id for server in found if chance.random() < 0.5]
    cloud.lose_cell(lost)

    def back() -> None:
        there = {server.id for server in cloud.servers()}
        cloud.restore_cell(i for i in lost if i in there)

    systems.timeline.after(seconds(chance, AWAY), back)
    return bool(lost)


REFUSALS: Sequence[PortError] = (
    QuotaExceeded("Quota exceeded for ports: Requested 1, but already used 500 of 500 ports"),
    Refused("Policy doesn't allow os_compute_api:servers:create to be performed."),
    Malformed("Network farm-net could not be found.", failure=FailureClass.NETWORK),
    Malformed("Image 0 is not active."),
    Conflict("Multiple possible networks found, use a Network ID to be more specific."),
)
"""One of each class in which Nova refuses a create."""


def _create_refused(systems: Systems, chance: Random) -> bool:
    systems.outside.cloud.ordered.refuse_creates(chance.choice(REFUSALS), chance.randint(1, 3))
    return True


def _quota_shrinks(systems: Systems, chance: Random) -> bool:
    """The project is granted what it uses and hardly more, for a while."""
    cloud = systems.outside.cloud
    granted = systems.scenario.cloud
    used = cloud.quota()
    cloud.set_quota(max_servers=used.used_servers + chance.randint(0, 2), max_vcpus=used.used_vcpus)

    def again() -> None:
        cloud.set_quota(max_servers=granted.max_servers, max_vcpus=granted.max_vcpus)

    systems.timeline.after(seconds(chance, AWAY), again)
    return True


def _others_take_room(systems: Systems, chance: Random) -> bool:
    """Other people of the project make servers, one of them under a name of ours."""
    cloud = systems.outside.cloud
    names = [f"other-{chance.randint(0, 999)}", f"os-worker-{chance.randint(1, 9):03d}"]
    made = [_made(systems, name, chance) for name in names]
    there = [server.id for server in made if server is not None]

    def go() -> None:
        listed = {server.id for server in cloud.servers()}
        for server_id in there:
            if server_id in listed:
                cloud.delete(server_id, by_others=True)

    systems.timeline.after(seconds(chance, AWAY), go)
    return bool(there)


def _made(systems: Systems, name: str, chance: Random) -> CloudServer | None:
    cloud = systems.outside.cloud
    wanted = Wanted(
        name=name,
        flavor_id=chance.choice(list(cloud.flavors)),
        image_id=next(iter(cloud.images)),
        networks=(next(iter(cloud.networks)),),
    )
    try:
        server = cloud.create(wanted)
    except PortError:
        return None  # there is no room for others either
    systems.outside.machines.strangers.add(server.id)
    return server


# ---- Nomad: nodes --------------------------------------------------------------------------------


def _node_silent(systems: Systems, chance: Random, *, back: bool) -> bool:
    nomad = systems.outside.nomad
    node = _one(chance, nomad.state.nodes.by_id())
    if node is not None:
        nomad.lose_node(node.id, seconds(chance, AWAY) if back else None)
    return node is not None


def _node_purged(systems: Systems, chance: Random) -> bool:
    nomad = systems.outside.nomad
    node = _one(chance, nomad.state.nodes.by_id())
    if node is not None:
        nomad.purge(node.id)
    return node is not None


def _node_drained(systems: Systems, chance: Random) -> bool:
    nomad = systems.outside.nomad
    node = _one(chance, nomad.state.nodes.by_id())
    if node is not None:
        deadline = chance.choice([None, seconds(chance, (0, 300))])
        nomad.nodes.drain(node.id, deadline)
    return node is not None


def _node_toggled(systems: Systems, chance: Random, *, eligible: bool) -> bool:
    nomad = systems.outside.nomad
    found = [n for n in nomad.state.nodes.by_id() if n.eligible is not eligible and not n.drain]
    node = _one(chance, found)
    if node is not None:
        nomad.nodes.set_eligibility(node.id, eligible=eligible, by_others=True)
    return node is not None


def _machine_reboots(systems: Systems, chance: Random) -> bool:
    server = _one(chance, _running(systems))
    if server is not None:
        systems.outside.nomad.reboot(server.id)
    return server is not None


def _agent_forgets(systems: Systems, chance: Random) -> bool:
    server = _one(chance, _running(systems))
    if server is not None:
        systems.outside.nomad.renew_agent(server.id)
    return server is not None


# ---- Nomad: jobs and servers ---------------------------------------------------------------------


def _allocation_lost(systems: Systems, chance: Random) -> bool:
    nomad = systems.outside.nomad
    alloc = _one(chance, list(nomad.state.allocs.live))
    if alloc is not None:
        nomad.lose_allocation(alloc)
    return alloc is not None


def _placement_late(systems: Systems, chance: Random) -> bool:
    systems.outside.nomad.delay_next_placement(seconds(chance, LATE))
    return True


def _dispatch_odd(how: Oddity, systems: Systems, _: Random) -> bool:
    systems.outside.nomad.spoil_next_dispatch(how)
    return True


def _garbage_collected(systems: Systems, _: Random) -> bool:
    systems.outside.nomad.gc.collect_all()
    return True


def _child_stopped(systems: Systems, chance: Random, *, purge: bool) -> bool:
    nomad = systems.outside.nomad
    child = _one(chance, [job for job in nomad.state.jobs.by_id() if job.parent_id])
    if child is not None:
        nomad.jobs.stop(child.id, purge=purge)
    return child is not None


def _parent_purged(systems: Systems, chance: Random) -> bool:
    nomad = systems.outside.nomad
    parent = _one(chance, [job for job in nomad.state.jobs.by_id() if job.dispatchable])
    if parent is not None:
        nomad.jobs.stop(parent.id, purge=True)
    return parent is not None


def _leader_changes(systems: Systems, chance: Random) -> bool:
    systems.outside.nomad.change_leader(seconds(chance, (1, 30)))
    return True


def _leader_unknown(systems: Systems, chance: Random) -> bool:
    systems.outside.nomad.follow(seconds(chance, OUTAGE))
    return True


# ---- outages and the clock of the store ----------------------------------------------------------

OUTAGES: Mapping[str, Sequence[Fault]] = MappingProxyType(
    {
        "store": (Fault.REFUSED, Fault.TIMEOUT, Fault.LOST_REPLY),
        "nomad": (Fault.REFUSED, Fault.TIMEOUT, Fault.SERVER_ERROR),
        "cloud": (Fault.REFUSED, Fault.TIMEOUT, Fault.SERVER_ERROR),
    }
)
"""How each system may be away. The store's last: connections break after each commit."""


def _outage(system: str, systems: Systems, chance: Random) -> bool:
    faults = systems.faults
    faults.begin_outage(system, chance.choice(OUTAGES[system]))
    systems.timeline.after(seconds(chance, OUTAGE), lambda: faults.end_outage(system))
    return True


def _store_clock_jumps(systems: Systems, chance: Random) -> bool:
    systems.store_clock.jump(timedelta(seconds=chance.uniform(-90, 90)))
    return True


MISHAPS: Mapping[str, Mishap] = MappingProxyType(
    {
        **{f"boot_{how.value}": partial(_boot, how) for how in BootFailure},
        **{f"image_{how.value}": partial(_image, how) for how in SnapshotFailure},
        "server_vanishes": _server_vanishes,
        "server_deleted_by_others": _server_deleted_by_others,
        "server_breaks": _server_breaks,
        "never_joins": _never_joins,
        "delete_fails": _delete_fails,
        "delete_comes_late": _delete_comes_late,
        "cell_goes_down": _cell_goes_down,
        "create_refused": _create_refused,
        "quota_shrinks": _quota_shrinks,
        "others_take_room": _others_take_room,
        "node_silent_for_a_while": partial(_node_silent, back=True),
        "node_silent_for_good": partial(_node_silent, back=False),
        "node_purged_by_others": _node_purged,
        "node_drained_by_others": _node_drained,
        "node_closed_by_others": partial(_node_toggled, eligible=False),
        "node_opened_by_others": partial(_node_toggled, eligible=True),
        "machine_reboots": _machine_reboots,
        "agent_forgets": _agent_forgets,
        "allocation_lost": _allocation_lost,
        "placement_late": _placement_late,
        **{f"dispatch_{how.value}": partial(_dispatch_odd, how) for how in Oddity},
        "garbage_collected": _garbage_collected,
        "child_stopped_by_others": partial(_child_stopped, purge=False),
        "child_purged_by_others": partial(_child_stopped, purge=True),
        "parent_purged_by_others": _parent_purged,
        "leader_changes": _leader_changes,
        "leader_unknown": _leader_unknown,
        **{f"outage_of_{system}": partial(_outage, system) for system in OUTAGES},
        "store_clock_jumps": _store_clock_jumps,
    }
)
"""Everything that may go wrong outside, by name."""


def calm(systems: Systems) -> None:
    """Leave a world in peace: what was ordered is forgotten, what is away comes back, clocks are
    right. What has happened has happened.
    """
    outside, granted = systems.outside, systems.scenario.cloud
    systems.faults.clear()
    systems.store_clock.set_right()
    outside.nomad.calm()
    outside.cloud.ordered.clear()
    outside.cloud.snapshots.fail_no_more()
    outside.cloud.restore_cell([s.id for s in outside.cloud.servers() if s.cell_down])
    outside.cloud.set_quota(max_servers=granted.max_servers, max_vcpus=granted.max_vcpus)
    outside.machines.never_join.clear()
    for node in outside.nomad.state.nodes.by_id():
        outside.nomad.find_node(node.id)
    if systems.press is not None:
        systems.press.calm()
