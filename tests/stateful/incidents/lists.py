"""Incidents of lists: failed, empty, halved, old, of another project; and stores that forgot."""

from __future__ import annotations

from models.lifecycle import Status
from models.records import WorkerState
from simulator.cloud.options import CloudOptions
from simulator.faults import Fault
from tests.plugins.stage import HOUR, MINUTE, Stage, lasting

LONG = {"test": lasting(2 * HOUR)}
ALL_SYSTEMS = ("nomad.snapshot", "cloud.snapshot")


def _with_running(count: int, idle_for: float = 120) -> Stage:
    stage = Stage(behaviours=LONG, pool__idle_for=idle_for)
    stage.submit(count)
    stage.until(lambda: stage.running() == count)
    return stage


def _nothing_was_deleted(stage: Stage) -> None:
    assert stage.calls("cloud.delete") == []
    assert stage.calls("nomad.purge") == []
    assert stage.cloud.deleted == 0


def keda_a_list_that_failed_is_read_as_zero() -> None:
    """Running jobs that nobody can list are neither gone nor to be started again."""
    stage = _with_running(4)
    created, sent = stage.cloud.created, len(stage.calls("nomad.dispatch"))
    with stage.failing(*ALL_SYSTEMS):
        stage.live(20 * MINUTE)
        assert (stage.cloud.created, len(stage.calls("nomad.dispatch"))) == (created, sent)
        _nothing_was_deleted(stage)
    stage.ends_well()
    stage.every_job_took_one_run()


def original_the_list_returns_none() -> None:
    """The list of the cloud gives nothing in the middle of work: only what needs it waits."""
    stage = Stage()
    stage.submit(2)
    stage.until(lambda: len(stage.servers()) == 2 and stage.running() > 0)
    with stage.failing("cloud.snapshot", fault=Fault.TIMEOUT):
        stage.submit(2)
        stage.until(lambda: stage.processed() == 4, within=30 * MINUTE)
    stage.ends_well()


def nodepool_absence_from_one_list_is_read_as_deleted() -> None:
    """One list leaves two servers out: nothing follows from it."""
    stage = _with_running(6)
    with stage.hidden(stage.servers()[:2]):
        stage.sim.round()
    assert stage.calls("cloud.exists") == []
    _nothing_was_deleted(stage)
    stage.ends_well()
    stage.every_job_took_one_run()


def nodepool_an_empty_list_of_servers() -> None:
    """An hour of empty lists, each server a 404: a person is waited for, and nothing is done."""
    stage = _with_running(12)
    with stage.hidden(stage.servers()):
        stage.live(HOUR)
        _nothing_was_deleted(stage)
        assert {w.state for w in stage.workers()} == {WorkerState.READY}
        assert "BREAKER_OPEN" in stage.reasons()
    stage.ends_well()
    stage.every_job_took_one_run()


def nodepool_half_a_list_of_servers() -> None:
    """As an empty one: half the fleet at once is rather the list than the fleet."""
    stage = _with_running(12)
    with stage.hidden(stage.servers()[::2]):
        stage.live(HOUR)
        _nothing_was_deleted(stage)
    stage.ends_well()
    stage.every_job_took_one_run()


def nova_a_cell_is_down() -> None:
    """Lists show stubs of status UNKNOWN: such a server is there, and nothing is known of it."""
    stage = _with_running(6)
    down = [server.id for server in stage.servers()[:4]]
    stage.cloud.lose_cell(down)
    stage.live(HOUR)
    _nothing_was_deleted(stage)
    assert stage.cloud.created == 6, "and nothing is created in its place"
    stage.cloud.restore_cell(down)
    stage.ends_well()
    stage.every_job_took_one_run()


def nodepool_a_store_that_was_reset_deletes_every_node() -> None:
    """Servers of ours that the store has never heard of are adopted, and used."""
    stage = Stage(pool__idle_for=3 * 3600)
    servers = stage.forgotten(5)
    stage.live(30 * MINUTE)
    _nothing_was_deleted(stage)
    assert {worker.server_id for worker in stage.workers()} == {server.id for server in servers}
    stage.submit(5)
    stage.ends_well()
    assert stage.cloud.created == 5, "they did the work"


def tardis_a_registry_that_is_lost_leaves_orphans() -> None:
    """What was adopted and is of no use goes by the ordinary protocol; others' servers stay."""
    stage = Stage(pool__idle_for=60)
    stage.forgotten(3)
    theirs = stage.foreign("os-worker-077")
    stage.until(stage.sim.is_quiet)
    assert [server.id for server in stage.cloud.servers()] == [theirs.id]
    assert "SERVER_ADOPTED" in stage.reasons()
    assert "NOT_OURS" in stage.reasons()


def cluster_autoscaler_5465_healthy_nodes_removed_as_unregistered() -> None:
    """Servers boot slowly, and meanwhile nobody can ask Nomad: nothing counts as unregistered."""
    stage = Stage(cloud=CloudOptions(boot_time=13 * MINUTE))
    stage.submit(4)
    stage.live(5 * MINUTE)
    with stage.failing("nomad.snapshot"):
        stage.live(25 * MINUTE)
        _nothing_was_deleted(stage)
    stage.ends_well()
    assert stage.cloud.created == 4
    stage.every_job_took_one_run()


def nomad_27409_a_node_that_is_disconnected_is_kept_for_ever() -> None:
    """A machine vanishes: once that is proved its node is purged and its row closed."""
    stage = _with_running(3)
    stage.cloud.vanish(stage.servers()[0].id)
    stage.until(lambda: bool(stage.calls("nomad.purge")), within=HOUR)
    stage.ends_well()
    assert not stage.nomad.state.nodes.by_id()
    assert {job.status for job in stage.jobs()} == {Status.PROCESSED}


def patroni_3314_members_judged_by_a_stale_cache() -> None:
    """A follower answers, or Nomad was restored: what is older than before is not believed."""
    stage = Stage(behaviours={"test": lasting(30 * MINUTE)}, pool__idle_for=30)
    stage.submit(3)
    stage.until(lambda: stage.running() == 3)
    state = stage.nomad.state
    tables = (state.nodes, state.jobs, state.evals, state.allocs)
    for table in tables:
        table.index //= 2
    for _ in range(12):
        stage.sim.round()
    _nothing_was_deleted(stage)
    assert "SOURCE_UNKNOWN" in stage.reasons()
    for table in tables:
        table.index = state.index
    stage.ends_well()
    stage.every_job_took_one_run()


def nodepool_a_store_restored_from_a_backup() -> None:
    """What it knows is gone, what is there it does not know: healthy servers stay and are used."""
    stage = _with_running(8, idle_for=6 * 3600)
    for server in stage.servers():
        stage.cloud.vanish(server.id)
    known_to_nobody = stage.forgotten(8, first=101)
    stage.live(HOUR)
    assert stage.calls("cloud.delete") == []
    assert "BREAKER_OPEN" in stage.reasons()
    stage.close_breakers()
    stage.until(lambda: stage.processed() == 8)
    assert {server.id for server in known_to_nobody} <= {server.id for server in stage.servers()}
    stage.ends_well()
