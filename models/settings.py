"""Live parameters: small frozen groups, each field with its unit, the reason of its default and
the harm of a wrong value.

A parameter's key is `<group>.<field>` (`pool.max_workers`). The store keeps what differs from the
default; `settings_from` makes the groups out of it and refuses what is unknown, of the wrong type
or out of bounds. Defaults that the system we replace had are kept; its names are in brackets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from math import isfinite
from typing import Any

from models.errors import ConfigurationError
from models.settings_composition import CompositionSettings
from models.settings_configuration import ConfigurationSettings
from models.settings_creation import CreationSettings
from models.settings_expected import ExpectedSettings
from models.settings_fields import number, wait
from models.settings_publication import PublicationSettings
from models.settings_readback import ReadbackSettings
from models.settings_retention import RetentionSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class PassSettings:
    """When a loop wakes, how old what it looks at may be, and how long a call may take."""

    resync: timedelta = wait(5, 0.05, 300)
    """How long a loop sleeps at most (all the original's loops slept 5 s). Longer delays every
    reaction that no wake-up announces; much shorter loads Nova, which asks Neutron each time. Two
    of these without progress, beyond what a call may take, and a loop is reported as hung."""

    merge: timedelta = wait(0.2, 0, 10)
    """How long wake-ups are collected after a pass before the next; the first of a burst waits for
    nothing. 0.2 s is below what anybody notices. Longer adds latency to bursts; 0 makes a pass per
    event."""

    call_deadline: timedelta = wait(30, 0.1, 300)
    """Longest time any one outside call may take. Must fit twice into the lease with a resync:
    lease ≥ resync + 2 × this. Shorter turns slow creates (16 s seen) into unknown outcomes."""

    lease: timedelta = wait(90, 1, 3600)
    """How long a lease is valid. Longer delays failover; shorter than resync + 2 × call_deadline
    is refused, because a call could outlive the right to make it."""

    decisions_kept: timedelta = wait(90 * 86_400, 86_400, 10 * 365 * 86_400)
    """How long ledger rows are kept: a season. `hrsi why` cannot look further back; longer costs
    disk alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionSettings:
    """How ready jobs are handed to Nomad."""

    lead: int = number(2, 0, 50)
    """Dispatches per flavor beyond the slots that exist or are coming, so that a worker that falls
    free finds work. More means that order is decided earlier, by Nomad instead of by us."""

    resend_after: timedelta = wait(15, 0.1, 600)
    """How long an unseen dispatch waits before it is sent again under its token: three resyncs, in
    which it would show. Shorter sends again what is only slow to show, which costs calls and harms
    nothing; longer delays a job whose dispatch was lost."""

    resend_for: timedelta = wait(1800, 1, 3 * 3600)
    """How long a dispatch may be sent again at all. Must stay well below Nomad's job_gc_threshold
    (4 h): once the child is collected its token is free and a resend would run the job twice."""

    wind_down: timedelta = wait(900, 1, 86_400)
    """How long a program that ended its run may go on tidying up before its child is stopped; the
    upload of logs takes minutes. Shorter cuts logs off; longer lets a program that hangs at its end
    hold its worker."""

    evaluate_after_passes: int = number(2, 1, 20)
    """In how many snapshots in a row a pending child must lack an evaluation before one is made. 2:
    Nomad's own may not have shown yet in the first. 1 makes needless ones at every dispatch; more
    leaves a forgotten child waiting."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitorSettings:
    """When a run counts as failed, and how often a job may fail."""

    limit_started: timedelta = wait(1800, 1, 86_400)
    """Longest stay in started, the pull of an image included. Shorter kills runs on slow pulls;
    longer holds a worker for a program that never began."""

    limit_pre_processing: timedelta = wait(1800, 1, 86_400)
    """Longest stay in pre_processing: downloads, which take minutes. Shorter kills runs while the
    catalogue is slow; longer holds a worker for a download that hangs."""

    limit_processing: timedelta = wait(270 * 60, 1, 7 * 86_400)
    """Longest stay in processing. The science software has its own limit of 4 h below this, so that
    it says itself what took so long; below 4 h good runs are killed near their end."""

    limit_post_processing: timedelta = wait(3600, 1, 86_400)
    """Longest stay in post_processing (uploads); the original had none and stranded jobs there.
    Shorter throws finished work away while the object store is slow."""

    vanished_after_passes: int = number(2, 1, 20)
    """In how many snapshots in a row the child of a run must be missing before the run is lost. 2:
    one list may be a moment older than the dispatch. 1 runs jobs twice; more delays their next
    attempt by a resync each."""

    stop_again_after: timedelta = wait(60, 1, 3600)
    """How long a stop that was answered may go without effect before it is asked for again. A stop
    shows in the next list, so that 60 s are patience; shorter loads Nomad with the same call,
    longer keeps the worker of a stuck run busy."""

    internal_attempts: int = number(3, 1, 100)
    """Runs that may end in internal_error (a fault of the software or the input) before the job is
    quarantined. The same input mostly fails the same way: more wastes workers, 1 gives up on
    whatever was chance."""

    external_attempts: int = number(8, 1, 100)
    """Runs that may end in external_error (a service was away) before the job is quarantined. With
    the back-off below, 8 last two hours, longer than most outages; fewer leave a person to relaunch
    everything after one."""

    lost_attempts: int = number(10, 1, 1000)
    """Runs that may be lost with their worker before the job is quarantined: a job that always
    takes its worker down with it must not go round for ever."""

    external_backoff: timedelta = wait(60, 0, 3600)
    """Pause after the first external error; doubles with each further one. Shorter uses up the
    attempts within one outage; longer makes a single hiccup cost an urgent job its 3 hours."""

    external_backoff_max: timedelta = wait(3600, 0, 86_400)
    """Longest pause after an external error. Longer leaves jobs waiting when the service is
    back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolSettings:
    """How many workers there are, and when one may go."""

    max_workers: int = number(210, 0, 10_000)
    """Workers of all flavors together, from intent to 404 [max_number_of_worker_instances]. What
    the project was granted; more is refused by the cloud, fewer makes jobs late. Lowering it
    deletes nobody: workers go when they are idle."""

    max_vcpus: int = number(920, 0, 100_000)
    """vCPUs that the project grants us [max_number_of_vcpus]; only `vcpu_share` of it is used. More
    than the quota of the cloud makes it refuse creations, which then back off."""

    vcpu_share: float = number(0.95, 0.05, 1)
    """Share of `max_vcpus` that workers may take [max_ratio_of_vcpus_to_be_used]: 874 of 920. The
    rest is for the servers of the services; 1 leaves them none."""

    reprocessing_share: float = number(0.5, 0, 1)
    """Share of `max_workers` and of the vCPUs that jobs of reprocessing may take, however many wait
    and however idle the rest is; what runs is left to end. 0 holds all of them back, 1 lets a
    campaign fill the pool, so that new images wait for its runs to end: up to 4 h."""

    min_workers: int = number(0, 0, 10_000)
    """Idle workers are kept down to this many in all. 0: a boot of minutes is short against 3
    hours. More saves urgent jobs the boot and costs idle machines."""

    create_burst: int = number(10, 1, 1000)
    """Creations per `create_period`. More can break Neutron (seen at 5–10 parallel boots)."""

    create_period: timedelta = wait(5, 0.05, 3600)
    """The period that `create_burst` counts for: one resync, so that each pass may create a burst.
    Shorter than a resync raises the rate no further; longer slows growth."""

    idle_for: timedelta = wait(120, 0, 86_400)
    """How long a worker must have run nothing before it may go. Shorter saves cores; shorter than
    a dispatch takes makes workers flap."""

    boot_limit: timedelta = wait(900, 1, 86_400)
    """How long a server may take to become a node [max_time_for_worker_without_nomad_allocation]
    before it is stale. Shorter deletes slow but healthy boots."""

    refute_after: timedelta = wait(600, 1, 86_400)
    """How long after its deadline an unanswered create may still show up. Shorter risks a server
    that nobody counts."""

    refute_lists: int = number(3, 1, 100)
    """In how many complete lists in a row an unanswered create must be missing, besides the time of
    `refute_after`. Fewer trust a single list of a cloud that has been seen to leave servers out."""

    absence_for: timedelta = wait(120, 0, 86_400)
    """How long a server must be missing from complete lists before it is asked for by id. Shorter
    asks for servers that one list left out; longer leaves lost workers in the caps."""

    absence_lists: int = number(3, 1, 100)
    """In how many complete lists in a row a server must be missing before it is asked for, besides
    the time of `absence_for`: when passes are far apart, time alone is one list."""

    barrier_for: timedelta = wait(60, 0, 3600)
    """How long the barrier may stay closed before quarantine takes its place. Evaluations are
    mostly gone within seconds; shorter falls back on waiting more often than needed, longer keeps
    idle workers waiting for an evaluation that stays blocked."""

    quarantine_for: timedelta = wait(15, 0, 3600)
    """How long a node must stay without an allocation when the barrier does not clear. Shorter
    than Nomad's plan queue under load risks a late placement on a deleted server."""

    quarantine_lists: int = number(2, 1, 100)
    """In how many further snapshots a quarantined node must be empty. Fewer trust that nothing was
    placed between two looks; more delays the deletion by a resync each."""

    redelete_after: timedelta = wait(60, 1, 3600)
    """How long a delete may go unfulfilled before it is asked for again. Nova takes seconds;
    shorter asks twice for nothing, longer leaves a lost request unnoticed and a machine idle."""

    backoff: timedelta = wait(60, 0, 3600)
    """Pause after the first refused creation of a flavor; doubles with each further one. Shorter
    asks a cloud that has no room again and again; longer is slow to grow after a hiccup."""

    backoff_max: timedelta = wait(1800, 0, 86_400)
    """Longest pause after refused creations. Longer leaves capacity unused after it came back."""

    template_check: timedelta = wait(30, 1, 3600)
    """How long to wait before the console of a template that had not finished its set-up is read
    again. Its set-up takes minutes; shorter reads a long text again and again, longer delays the
    first workers of a new template."""

    template_limit: timedelta = wait(600, 1, 86_400)
    """How old a template may be before one that has not finished is reported as frozen (the
    original gave it 10 min). It is still looked at: longer only tells people later."""

    image_limit: timedelta = wait(1800, 1, 86_400)
    """How long an image may be in the making before it is reported as frozen. Copying a disk takes
    minutes. Nothing is done about it by itself; longer only tells people later."""

    @property
    def vcpu_budget(self) -> int:
        """How many vCPUs workers may take together."""
        return int(self.max_vcpus * self.vcpu_share)


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerSettings:
    """How much may seem to be gone, or be removed, before a person has to look (`hrsi breaker`)."""

    removals: int = number(3, 0, 10_000)
    """Workers that may be removed within `breaker.window` because they are stale, in ERROR or gone,
    whatever their share. 3: what one bad machine of the cloud takes along. More lets a wrong list
    delete more healthy workers before it is stopped; 0 asks a person for every single one of a
    small pool."""

    removal_share: float = number(0.10, 0, 1)
    """Share of the workers that may be removed so, if that is more. 1 turns this breaker off."""

    window: timedelta = wait(900, 60, 86_400)
    """The time in which removals are counted together: as long as a boot may take, so that a fault
    which makes all boots fail is met once. Shorter lets a slow mass removal pass; longer adds up
    what has nothing to do with one another."""

    missing: int = number(5, 0, 10_000)
    """Servers, or nodes, that may be missing at once though nobody took them away, whatever their
    share. 5: one machine of the cloud that was lost. More believes a partial list for longer; 0
    asks a person for every single one of a small pool."""

    missing_share: float = number(0.20, 0, 1)
    """Share of the servers, or nodes, that may be missing so, if that is more. 1 turns these
    breakers off, but for a list that shows no node at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All live parameters."""

    passes: PassSettings = field(default_factory=PassSettings)
    creation: CreationSettings = field(default_factory=CreationSettings)
    composition: CompositionSettings = field(default_factory=CompositionSettings)
    expected: ExpectedSettings = field(default_factory=ExpectedSettings)
    configuration: ConfigurationSettings = field(default_factory=ConfigurationSettings)
    execution: ExecutionSettings = field(default_factory=ExecutionSettings)
    monitor: MonitorSettings = field(default_factory=MonitorSettings)
    pool: PoolSettings = field(default_factory=PoolSettings)
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    publication: PublicationSettings = field(default_factory=PublicationSettings)
    readback: ReadbackSettings = field(default_factory=ReadbackSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)


DEFAULT_SETTINGS = Settings()


def parameter_keys() -> Iterator[str]:
    """Every parameter's key, in the order of the groups."""
    for group in fields(Settings):
        yield from (f"{group.name}.{f.name}" for f in fields(getattr(DEFAULT_SETTINGS, group.name)))


def settings_from(values: Mapping[str, Any]) -> Settings:
    """Make the groups out of what the store keeps: seconds for waits, numbers for the rest.

    Raises `ConfigurationError` naming the key for anything unknown, of the wrong type, out of its
    bounds, or against a rule between two parameters.
    """
    groups: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        group, name = _split(key)
        groups.setdefault(group, {})[name] = parameter_value(key, value)
    made = {name: replace(getattr(DEFAULT_SETTINGS, name), **new) for name, new in groups.items()}
    return _cross_checked(replace(DEFAULT_SETTINGS, **made))


def settings_kept(values: Mapping[str, Any]) -> Settings:
    """`settings_from` what is of today: a key that an older or a newer program had is left out, so
    that it neither stops this one nor keeps people from changing the others.
    """
    return settings_from({key: value for key, value in values.items() if key in _KEYS})


def forgotten_keys(values: Iterable[str]) -> tuple[str, ...]:
    """Keys that are kept and that this program knows nothing of, in order."""
    return tuple(sorted(set(values) - _KEYS))


def parameter_value(key: str, value: Any) -> Any:
    """Check one value against its parameter's type and bounds and give it its type."""
    group, name = _split(key)
    default = getattr(getattr(DEFAULT_SETTINGS, group), name)
    spec = {f.name: f for f in fields(getattr(DEFAULT_SETTINGS, group))}[name].metadata
    whole = isinstance(default, int)
    if not _is_number(value, whole=whole):
        unit = "seconds" if isinstance(default, timedelta) else "a number"
        raise ConfigurationError(f"parameter {key}: {value!r} is not {unit}")
    if not spec["low"] <= value <= spec["high"]:
        raise ConfigurationError(
            f"parameter {key}: {value} is out of bounds; it may be {spec['low']} to {spec['high']}"
        )
    if isinstance(default, timedelta):
        return timedelta(seconds=value)
    return int(value) if whole else float(value)


def _is_number(value: Any, *, whole: bool) -> bool:
    """Whether it is a finite number. A truth value is none, though Python counts with it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or (value.is_integer() if whole else isfinite(value))


_KEYS = frozenset(parameter_keys())


def _split(key: str) -> tuple[str, str]:
    if key not in _KEYS:
        raise ConfigurationError(
            f"parameter {key!r} does not exist; there are: {', '.join(parameter_keys())}"
        )
    group, _, name = key.partition(".")
    return group, name


def _cross_checked(settings: Settings) -> Settings:
    passes = settings.passes
    needed = passes.resync + 2 * passes.call_deadline
    if passes.lease < needed:
        raise ConfigurationError(
            f"parameter passes.lease: {passes.lease.total_seconds():g} s is shorter than resync + "
            f"2 x call_deadline ({needed.total_seconds():g} s): a call could outlive the lease"
        )
    return settings
