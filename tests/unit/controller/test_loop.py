"""One pass: who leads, what it sees, what it writes, and what cannot end it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from models.actions import CreateServer
from models.errors import IllegalTransition
from models.overview import overview
from models.parameters import Kept
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.ports import Orchestrator
from models.sightings import create_missing
from models.world import NomadSnapshot, Source
from reconcilers import execution
from simulator.faults import Crash, Fault
from tests.unit.controller.rig import SOMEBODY, Rig, Script

WAITS = Held(
    subject=Subject(SubjectKind.FLAVOR, "hm.large"),
    reason=Reason.MAX_WORKERS,
    because="3 hm.large jobs wait, none created: 210 of 210 workers",
)

CREATE = CreateServer(
    subject=Subject(SubjectKind.WORKER, "os-worker-001"),
    reason=Reason.JOBS_WAITING,
    because="a job waits",
    name="os-worker-001",
    flavor="hm.medium",
    image="os-worker-template",
)


def test_a_pass_says_in_one_line_what_it_decided_and_why() -> None:
    rig = Rig()

    with capture_logs() as lines:
        rig.act(WAITS)

    (line,) = (each for each in lines if each["log_level"] == "info")
    assert (line["event"], line["action"]) == ("scripted decided", "scripted_decided")
    assert (line["held"], line["because"]) == (1, WAITS.because)


def test_a_pass_in_which_nothing_is_to_do_says_so() -> None:
    with capture_logs() as lines:
        Rig().act()

    assert (lines[-1]["because"], lines[-1]["log_level"]) == ("nothing to do", "debug")


def test_an_action_that_was_carried_out_is_told_in_one_line_with_its_reason() -> None:
    rig = Rig()
    with capture_logs() as lines:
        rig.act(CREATE)

    (line,) = (each for each in lines if each["event"] == "action done")
    assert (line["log_level"], line["action"], line["loop"]) == (
        "info",
        "create_server",
        "scripted",
    )
    assert (line["subject"], line["reason"]) == (str(CREATE.subject), CREATE.reason.value)
    assert line["because"] == CREATE.because


def test_a_source_that_turns_unknown_or_is_back_is_told_once() -> None:
    rig = Rig()
    loop = rig.loop(Script())
    with capture_logs() as lines:
        loop.step()
        rig.systems.faults.order("nomad.snapshot", Fault.REFUSED, times=3)
        for _ in range(3):
            loop.step()
        told = rig.observer.known.unknown()
        loop.step()

    changes = [line for line in lines if str(line.get("action")).startswith("source_")]
    assert [(line["log_level"], line["action"]) for line in changes] == [
        ("warning", "source_unknown"),
        ("info", "source_known"),
    ]
    assert told[0].startswith("Nomad is unknown: ")
    assert told[0].endswith("no worker is deleted until it answers")
    assert rig.observer.known.unknown() == []


def test_a_refusal_is_off_the_screen_with_the_pass_in_which_its_source_is_back() -> None:
    rig = Rig()
    loop = rig.loop(execution.decide, name="execution", settings_of=lambda s: s.execution)
    step = rig.observer.parameters.settings.passes.resync

    def held() -> list[str]:
        loop.step()
        found = [each.about for each in overview(rig.store, ("execution",), rig.time.now()).held]
        rig.time.advance(step)
        return found

    rig.systems.faults.order("nomad.snapshot", Fault.REFUSED, times=2)
    assert [held(), held(), held()] == [["system:nomad"], ["system:nomad"], []]
    rows = [row for row in rig.store.ledger(()) if row.subject == "system:nomad"]
    assert [row.last_at - row.first_at for row in rows] == [step]


def explode(*_: object) -> list[Decision]:
    raise ZeroDivisionError("a defect")


def refuse(*_: object) -> list[Decision]:
    raise IllegalTransition("no")


@pytest.mark.parametrize(
    ("decide", "level"),
    [
        pytest.param(explode, "error", id="a-defect"),
        pytest.param(refuse, "warning", id="an-error-of-ours"),
    ],
)
def test_a_pass_that_fails_is_told_and_counted_and_the_next_one_comes(
    decide: Callable[..., list[Decision]], level: str
) -> None:
    rig = Rig()
    failing = [True]

    def sometimes(*seen: object) -> list[Decision]:
        return decide(*seen) if failing[0] else [WAITS]

    loop = rig.loop(sometimes)
    with capture_logs() as lines:
        report = loop.step()
    failing.clear()
    failing.append(False)
    later = loop.step()

    assert report.error is not None
    assert [line["log_level"] for line in lines] == [level]
    assert later.decisions == (WAITS,)
    assert rig.counted("hrsi_passes_total") == {
        ("scripted", "failed"): 1,
        ("scripted", "done"): 1,
    }


@pytest.mark.parametrize("call", ["acquire", "view", "record", "beat"])
def test_a_store_that_is_away_ends_the_pass_and_not_the_loop(call: str) -> None:
    rig = Rig()
    loop = rig.loop(Script([WAITS], [WAITS]))
    rig.systems.faults.order(f"store.{call}", Fault.REFUSED)

    assert loop.step().result == "failed"
    assert loop.pulse().fault is not None
    rig.time.advance(timedelta(seconds=5))
    assert loop.step().result == "done"
    assert loop.pulse().fault is None


def test_a_crash_goes_through() -> None:
    rig = Rig()
    rig.systems.faults.order("nomad.snapshot", Fault.CRASH)

    with pytest.raises(Crash):
        rig.act()


def test_who_does_not_lead_only_shows_that_it_lives() -> None:
    rig = Rig()
    other = Rig(rig.systems, holder="second")
    rig.act(WAITS)
    script = Script([WAITS])

    report = other.loop(script).step()

    assert (report.result, report.decisions, script.worlds) == ("standby", (), [])
    assert ("second", False) in {(beat.holder, beat.leading) for beat in rig.store.heartbeats()}
    assert not other.counted("hrsi_lease_held")


def test_who_takes_over_shows_for_how_long_nobody_led() -> None:
    rig = Rig()
    rig.act()
    assert not rig.counted("hrsi_failover_seconds")
    other = Rig(rig.systems, holder="second")
    other.act()
    rig.time.advance(timedelta(minutes=5))
    with capture_logs() as logs:
        other.act()
        other.act()
    assert other.counted("hrsi_failover_seconds") == {("scripted",): 300.0}
    (said,) = [line for line in logs if line["action"] == "took_over"]
    assert (said["unled_seconds"], said["epoch"]) == (300.0, 2)


def test_who_lost_the_lease_shows_no_figures_any_more() -> None:
    rig = Rig()
    rig.submit(3)
    loop = rig.loop(Script())
    loop.step()
    assert sum(rig.counted("hrsi_jobs").values()) == 3
    rig.time.advance(timedelta(minutes=5))
    Rig(rig.systems, holder="second").act()

    assert loop.step().result == "standby"
    assert not rig.counted("hrsi_jobs")


@pytest.mark.parametrize(
    ("source", "operation"),
    [
        pytest.param(Source.NOMAD, "nomad.snapshot", id="nomad"),
        pytest.param(Source.CLOUD, "cloud.snapshot", id="openstack"),
    ],
)
def test_a_source_that_failed_is_unknown_and_never_empty(source: Source, operation: str) -> None:
    rig = Rig()
    script = Script()
    rig.systems.faults.order(operation, Fault.REFUSED)

    rig.loop(script).step()

    (world,) = script.worlds
    assert set(world.unknown) == {source}
    assert (world.nomad is None) is (source is Source.NOMAD)
    assert (world.cloud is None) is (source is Source.CLOUD)
    assert rig.counted("hrsi_source_failures_total") == {(source.value,): 1}


def test_a_loop_never_decides_twice_on_one_snapshot() -> None:
    rig = Rig()
    script = Script()
    loop = rig.loop(script)

    loop.step()
    loop.step()  # at the same virtual moment

    first, second = (world.nomad for world in script.worlds)
    assert first is not None
    assert second is not None
    assert second.number > first.number


def test_loops_that_wake_together_share_their_snapshots() -> None:
    rig = Rig()
    scripts = Script(), Script()
    for script, name in zip(scripts, ("one", "other"), strict=True):
        rig.loop(script, name=name).step()

    assert scripts[0].worlds[0].nomad is scripts[1].worlds[0].nomad


def test_what_is_missing_again_and_again_is_remembered() -> None:
    rig = Rig()
    rig.systems.faults.order("cloud.create", Fault.TIMEOUT)
    rig.act(CREATE)
    (intent,) = rig.intents()
    script = Script()
    loop = rig.loop(script)

    for _ in range(3):
        rig.time.advance(timedelta(minutes=2))
        loop.step()

    missing = [world.sightings[create_missing(intent.id)] for world in script.worlds]
    assert [sighting.count for sighting in missing] == [1, 2, 3]
    assert len({sighting.first_at for sighting in missing}) == 1


def test_a_bad_parameter_keeps_the_last_good_settings_and_is_named() -> None:
    rig = Rig()
    rig.store.set_parameter("pool.max_workers", 7, SOMEBODY)
    seen: list[object] = []

    def look(_world: object, settings: object, _now: object) -> list[Decision]:
        seen.append(settings)
        return []

    loop = rig.loop(look, settings_of=lambda settings: settings.pool.max_workers)
    loop.step()
    rig.store.tables.parameters.put("pool.max_workers", Kept(value="many"))

    report = loop.step()

    assert seen == [7, 7]
    (held,) = report.decisions
    assert held.reason is Reason.BAD_PARAMETER
    assert "pool.max_workers" in held.because


def test_a_refusal_that_holds_is_written_now_and_then_and_an_end_of_it_shows() -> None:
    rig = Rig()
    loop = rig.loop(Script(*([WAITS] for _ in range(13))))

    for _ in range(13):
        loop.step()
        rig.time.advance(timedelta(seconds=5))

    (row,) = rig.store.ledger([str(WAITS.subject)])
    assert row.count == 3
    assert rig.time.now() - row.last_at <= timedelta(seconds=30)


class Slow:
    """A Nomad whose lists take their time."""

    def __init__(self, port: Orchestrator, rig: list[Rig], takes: timedelta) -> None:
        self._port, self._rig, self._takes = port, rig, takes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def snapshot(self) -> NomadSnapshot:
        found = self._port.snapshot()
        self._rig[0].time.advance(self._takes)
        return found


@pytest.mark.parametrize(
    ("takes", "renewals"),
    [pytest.param(40, 1, id="enough-is-left"), pytest.param(50, 2, id="too-little-is-left")],
)
def test_a_lease_is_renewed_before_acting_when_observing_took_long(
    takes: float, renewals: int
) -> None:
    rigs: list[Rig] = []
    rig = Rig(orchestrator=lambda port: Slow(port, rigs, timedelta(seconds=takes)))
    rigs.append(rig)
    before = rig.time.now()

    rig.act(WAITS)

    (lease,) = rig.store.leases()
    renewed_at = lease.expires_at - timedelta(seconds=90)
    assert (renewed_at == before) is (renewals == 1)
